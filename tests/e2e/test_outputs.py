"""Outputs: whole or not at all, kept unless --force, and a disk that is full."""
import os
import shutil
import unittest

from harness import Case, call, example, settings

RUN = ["simulate", example("joshi2020-resnet32.yaml"), *settings(simulate__images=2, quant__calib_images=2)]
WRITERS = {
    "report.h5": RUN,
    "certificate.json": ["map", "--network", "resnet32-cifar10", "--fabric", "5pp"],
    "fabric.graphml": ["fabric", "export", "5pp:rows=8,cols=8"],
    "fabric.dot": ["fabric", "export", "5pp:rows=8,cols=8"],
    "fabric.svg": ["fabric", "export", "5pp:rows=8,cols=8"],
}


class Outputs(Case):
    def test_existing_file_is_kept(self):
        for name, args in WRITERS.items():
            with self.subTest(output=name):
                path = self.write(name, "precious")
                self.refused(*args, "-o", path, words=[name, "--force"])
                with open(path) as f:
                    self.assertEqual(f.read(), "precious")
                self.done(*args, "-o", path, "--force")
                self.assertGreater(os.path.getsize(path), 100)

    def test_only_regular_files_are_replaced(self):
        target = self.write("target", "precious")
        os.symlink(target, self.path("link.svg"))
        os.mkdir(self.path("folder.svg"))
        os.mkfifo(self.path("pipe.svg"))
        args = ["fabric", "export", "5pp:rows=2,cols=4"]
        for name in ("link.svg", "folder.svg", "pipe.svg"):
            self.refused(*args, "-o", self.path(name), words=[name])
            self.refused(*args, "-o", self.path(name), "--force", words=[name])
        with open(target) as f:
            self.assertEqual(f.read(), "precious")
        os.symlink("/dev/full", self.path("full.h5"))
        self.refused(*RUN, "-o", self.path("full.h5"), "--force", words=["full.h5"])
        self.refused(*RUN, "-o", "/dev/full", "--force", words=["/dev/full"])

    def test_inputs_and_other_outputs_are_spared(self):
        """--force replaces results of before, never what the command reads or writes elsewhere."""
        run = self.write("in.yaml", "workload:\n  model: net.onnx\n  images: 0\nsimulate:\n  images: 2\n")
        shutil.copy(example("onnx-own.onnx"), self.path("net.onnx"))
        os.symlink(run, self.path("link.yaml"))
        report, trace = self.path("spared.h5"), self.path("spared.json")
        self.done("simulate", run, "-o", report)
        for args, words in ((["simulate", run, "-o", run], ["in.yaml", "is read"]), (["run", run, "-o", self.path("./net.onnx")], ["net.onnx", "is read"]),
                            (["simulate", self.path("link.yaml"), "-o", run], ["in.yaml", "is read"]),
                            (["report", "html", report, "-o", report], ["spared.h5", "is read"]), (["simulate", example("fabric-own.yaml"), "-o", report, "--set", f"fabric.file={report}"], ["is read"])):
            self.refused(*args, "--force", words=words, cwd=self.folder)
        self.refused("simulate", run, "-o", trace, "--trace", os.path.join(self.folder, ".", "spared.json"), "--force", rc=2, words=["the same file", "spared.json"], cwd=self.folder)

    def test_folder_that_is_not_there(self):
        for name, args in WRITERS.items():
            self.refused(*args, "-o", self.path("none/" + name), words=[name])
        self.refused(*RUN, "-o", "/proc/none/x.h5", words=["/proc/none"])
        self.refused(*RUN, "-o", self.write("file", "") + "/x.h5", words=["file"])

    @unittest.skipIf(os.geteuid() == 0, "root may write everywhere")
    def test_folder_without_permission(self):
        os.mkdir(self.path("closed"), 0o500)
        self.refused(*RUN, "-o", self.path("closed/x.h5"), words=["x.h5"])

    def test_refusal_comes_before_the_work(self):
        """A run whose report may not be written does not compute for minutes first."""
        path = self.write("early.h5", "precious")
        line = self.refused("run", example("resnet32-5pp.yaml"), "-o", path,
                            *settings(fabric__rows=1, fabric__cols=2))  # would fail later, too
        self.assertIn("early.h5", line)

    def test_full_disk(self):
        """A limit on the size of files stands for a disk that fills up while the file is written."""
        for name, args in WRITERS.items():
            for limit in (0, 1000, 4096):
                with self.subTest(output=name, limit=limit):
                    path = self.path("full-" + name)
                    r = call(*args, "-o", path, file_limit=limit)
                    if r.rc == 0:  # it fits
                        self.assertLessEqual(os.path.getsize(path), limit)
                        os.remove(path)
                        continue
                    self.assertEqual(r.rc, 1, r.err)
                    self.assertEqual(len(r.err.splitlines()), 1, r.err)
                    self.assertTrue(r.err.startswith("pentaprism: "), r.err)
                    self.assertIn("full-" + name, r.err)
                    self.assertEqual([f for f in os.listdir(self.folder) if f.startswith(("full-", ".full-"))], [])
        r = call(*RUN, "-o", self.path("report-limit.h5"), file_limit=16384)
        self.assertEqual(r.rc, 1, "a report of this run is larger than 16 KiB")

    def test_full_disk_keeps_the_old_file(self):
        path = self.write("old.h5", "precious")
        self.refused(*RUN, "-o", path, "--force", words=["old.h5"], file_limit=16384)
        with open(path) as f:
            self.assertEqual(f.read(), "precious")

    def test_full_disk_while_codes_are_written(self):
        out = self.path("codes")
        few = settings(workload__images=0, quant__calib_images=2)
        self.refused("quantize", "resnet32-cifar10", *few, "-o", out, file_limit=4096, words=["codes"])

    def test_quantize_keeps_what_is_there(self):
        few = settings(workload__images=0, quant__calib_images=2)
        file = self.write("afile", "precious")
        self.refused("quantize", "resnet32-cifar10", *few, "-o", file, words=["afile"])
        self.refused("quantize", "resnet32-cifar10", *few, "-o", self.path("none/codes"), words=["none"])


if __name__ == "__main__":
    unittest.main(verbosity=2)

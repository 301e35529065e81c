"""Every example that --help shows, run as it stands but for sizes; examples/*.py and *.yaml."""
import glob
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import unittest

import h5py

from harness import BIN, ROOT, SHORT, Case, example, settings

FEW = " --set workload.images=8 --set quant.calib_images=2" + (" --set quant.weights=mse" if SHORT else "")
LM = " --eval-tokens 64 --window 64 --calib-windows 1 --steps 2"
# What makes an example small: (pattern, options put behind it). All that match are used; none changes what is shown.
SMALLER = [
    (r"^pentaprism run ", FEW),
    (r"^pentaprism (run|simulate) ", " --force"),
    (r"^pentaprism quantize (compare )?bytellama", LM),
    (r"^pentaprism quantize compare", " --seeds 1"),
    (r"^pentaprism quantize resnet", FEW),
    (r"^pentaprism infer .*resnet", FEW + " --set noise.calib_images=2"),
    (r"^pentaprism infer .*leave_one_out", " --set noise.leave_one_out=2"),
    (r"^pentaprism infer .*pcm", " --set device.times_s=25" + (" --set workload.images=2 --set noise.seeds=2" if SHORT else "")),
    (r"^pentaprism infer .*bytellama", " --set workload.tokens=128 --set workload.window=64 --set quant.learn_steps=2 --set noise.seeds=1"),
    (r"^pentaprism compare", " --images 2 --set mapping.effort=1"),
    (r"^pentaprism simulate .*llama3-8b", " --set workload.sequences=1 --set workload.prompt_tokens=8 --set workload.decode_tokens=1"),
    (r"^pentaprism traffic .*--sweep", " --rates 0.1,0.2 --cycles 300 --seeds 1"),
]
# Too large for sanitizers even so.
ONLY_RELEASE = r"resnet50|leave_one_out|gptq|densenet|quantize compare|bytellama"


class Skipped:
    """Lines too large for sanitizers, and those that read what such a line would have written."""

    def __init__(self):
        self.files = set()

    def __contains__(self, line):
        words = line.split()
        skip = SHORT and (re.search(ONLY_RELEASE, line) or self.files.intersection(words))
        if skip:
            self.files.update(words[i + 1] for i, word in enumerate(words[:-1]) if word == "-o")
        return bool(skip)


def examples_of(case, command):
    lines = case.done(command, "--help").out.split("\nexamples\n", 1)[1].splitlines()
    return [line.strip() for line in lines if line.strip()]


def smaller(line):
    words, redirect = re.match(r"^(.*?)( >\S+)?$", line).groups()
    for pattern, more in SMALLER:
        words += more if re.search(pattern, line) else ""
    return words + (redirect or "")


class Examples(Case):
    """In one folder, in the order of the help, as a reader would type them."""

    def run_line(self, line, timeout=300):
        env = {**os.environ, "PATH": os.path.dirname(BIN) + ":" + os.environ["PATH"]}
        p = subprocess.run(["bash", "-c", line], cwd=self.folder, env=env, stdin=subprocess.DEVNULL, capture_output=True,
                           text=True, timeout=timeout)
        self.assertEqual(p.returncode, 0, f"{line}: {p.stderr.strip()}")
        return p

    def test_all(self):
        os.symlink(os.path.join(ROOT, "examples"), self.path("examples"))
        os.symlink(os.path.join(ROOT, "tests"), self.path("tests"))
        for ending in (".safetensors", ".json"):  # a network of one's own
            shutil.copy(os.path.join(ROOT, "workloads", "zoo", "resnet32-cifar10" + ending), self.path("my-network" + ending))
        commands = [line.split()[0] for line in self.done("--help").out.split("commands\n")[1].split("\n\n")[0].splitlines()]
        self.assertGreater(len(commands), 12)
        skipped = Skipped()
        commands.sort(key=lambda c: c == "report")  # it reads what the others wrote
        for command in commands:
            lines = examples_of(self, command)
            self.assertTrue(lines, command)
            if command == "report":
                for name in ("a.h5", "b.h5"):
                    shutil.copy(self.path("out.h5"), self.path(name))
            for line in lines:
                self.assertTrue(line.startswith("pentaprism "), line)
                if line in skipped:
                    continue
                with self.subTest(line=line):
                    self.run_line(smaller(line))


class RunFiles(Case):
    def test_each_is_in_some_test_or_runs_here(self):
        """A run file that no other test opens is at least simulated."""
        tested = ""
        for path in glob.glob(os.path.join(ROOT, "tests", "e2e", "*.py")):
            if not path.endswith("test_examples.py"):
                with open(path) as f:
                    tested += f.read()
        for path in sorted(glob.glob(example("*.yaml"))):
            if os.path.basename(path) in tested:
                continue
            with self.subTest(path=path):
                self.done("simulate", path, "-o", self.path(os.path.basename(path) + ".h5"), "--quiet",
                          *settings(simulate__images=5, quant__calib_images=2))


class Readers(Case):
    """examples/read_report.py"""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        case = cls()
        case.done("simulate", example("joshi2020-resnet32.yaml"), "-o", case.path("r.h5"), *settings(simulate__images=5))

    def read(self, *more, report=None):
        return subprocess.run([sys.executable, "-B", example("read_report.py"), report or self.path("r.h5"), *more], capture_output=True,
                              text=True)

    def test_text(self):
        p = self.read()
        self.assertEqual((p.returncode, p.stderr), (0, ""))
        self.assertIn("39062 inferences/s", p.stdout)
        self.assertIn("conv1", p.stdout)
        self.assertIn("5.120 Gbit/s", p.stdout)  # the busiest channel, as the summary says
        self.assertIn("each carries 20 Gbit/s", p.stdout)

    def test_every_kind_of_report(self):
        """What it says of each, and with one report a language model's."""
        small = settings(workload__tokens=32, workload__window=16, noise__seeds=1, quant__method="rtn", device__times_s=25)
        made = {
            "compare": (["compare", "--networks", "lenet5", "--fabrics", "mesh", "--images", 1], ["rate of the busiest channel", "lenet5 mesh:rows="]),
            "sweep": (["sweep", example("joshi2020-resnet32.yaml"), "--grid", "fabric.lanes=1,4", *settings(simulate__images=2)], ["fabric.lanes 4", "39062 1/s"]),
            "traffic": (["traffic", "mesh:rows=2,cols=2", "--rates", "0.1", "--precision", 0.3], ["packet latency", "mesh:rows=2,cols=2 at 0.1"]),
            "saturation": (["traffic", "mesh:rows=2,cols=2", "--saturation", "--precision", 0.3], ["saturation\n  mesh:rows=2,cols=2"]),
            "infer": (["infer", example("resnet32-5pp.yaml"), *settings(workload__images=4, quant__calib_images=2, quant__weights="mse")], ["top-1\n  float", "signal to noise of each tile"]),
            "devices": (["infer", example("bytellama-pcm.yaml"), *settings(workload__model="bytellama-odd"), *small], ["bits per byte", "bytellama-odd, 25 s, compensation"]),
            "tokens": (["simulate", example("bytellama-mesh.yaml"), *settings(workload__sequences=1, workload__prompt_tokens=8, workload__decode_tokens=1)], ["bytellama-odd on mesh", "block q_proj", "token/s"]),
        }
        for kind, (command, words) in list(made.items())[:2 if SHORT else None]:  # the reader is Python: sanitizers see nothing of it
            path = self.path(kind + ".h5")
            self.done(*command, "-o", path)
            p = self.read(report=path)
            self.assertEqual((p.returncode, p.stderr), (0, ""), kind)
            for w in words:
                self.assertIn(w, p.stdout, kind)

    def test_files_that_are_none(self):
        with open(self.path("r.h5"), "rb") as f:
            cut = self.write("cut.h5", f.read()[:5000])
        foreign = self.path("foreign.h5")
        h5py.File(foreign, "w").close()
        for path, words in ((self.path("nosuch.h5"), "no such file"), (cut, "not an HDF5 file, or damaged"), (example("onnx-own.onnx"), "not an HDF5 file"), (foreign, "no report of pentaprism")):
            p = self.read(report=path)
            self.assertEqual((p.returncode, p.stdout, len(p.stderr.splitlines())), (1, "", 1), path)
            self.assertIn(words, p.stderr)

    @unittest.skipUnless(importlib.util.find_spec("matplotlib"), "matplotlib is not installed")
    def test_plot(self):
        p = self.read(self.path("plots.png"))
        self.assertEqual(p.returncode, 0, p.stderr)
        with open(self.path("plots.png"), "rb") as f:
            self.assertEqual(f.read(8), b"\x89PNG\r\n\x1a\n")
        self.assertGreater(os.path.getsize(self.path("plots.png")), 20000)
        for bad in (self.path("no/such.png"), self.path("x.xyz")):
            p = self.read(bad)
            self.assertEqual((p.returncode, len(p.stderr.splitlines())), (1, 1), p.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)

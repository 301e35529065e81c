"""Run files and settings that are wrong: one line that names the place, and nothing written."""
import unittest

from harness import Case, example, settings


class RunFiles(Case):
    def bad(self, name, content, *words):
        return self.refused("run", self.write(name, content), "-o", self.path("out.h5"), words=[name, *words])

    def test_not_a_run_file(self):
        self.bad("empty.yaml", "")
        self.bad("list.yaml", "- 1\n- 2\n", "expected a map")
        self.bad("word.yaml", "hello\n", "expected a map")
        self.bad("open.yaml", "a: [1,\n b")
        self.bad("binary.yaml", b"\x00\x01\x02" * 50)
        self.bad("latin.yaml", b"workload:\n  model: r\xe9snet\n")
        self.bad("tabs.yaml", "workload:\n\tmodel: x\n")
        self.bad("anchor.yaml", "workload: &a\n  images: 1\narch: *a\n")
        self.bad("two.yaml", "workload:\n  images: 0\n---\narch:\n  rows: 3\n")
        self.bad("deep.yaml", "workload:\n  images: " + "[" * 200 + "]" * 200 + "\n")

    def test_names_line_and_key(self):
        self.bad("section.yaml", "workload:\n  images: 0\nmaping:\n  unroll: auto\n", "section.yaml:3", "maping",
                 "did you mean mapping?")
        self.bad("key.yaml", "arch:\n  rows: 256\n  colz: 256\n", "key.yaml:3", "arch.colz", "did you mean arch.cols?")
        self.bad("scalar.yaml", "workload: 3\n", "scalar.yaml:1", "workload")
        self.bad("type.yaml", "arch:\n  rows: many\n", "type.yaml:2", "arch.rows", "many")
        self.bad("quoted.yaml", 'arch:\n  rows: "256"\n', "quoted.yaml:2", "arch.rows")
        self.bad("real.yaml", "arch:\n  rows: 2.5\n", "real.yaml:2", "arch.rows")
        self.bad("map.yaml", "arch:\n  rows: {a: 1}\n", "map.yaml:2", "arch.rows")
        self.bad("choice.yaml", "simulate:\n  kernel: natve\n", "choice.yaml:2", "simulate.kernel", "native")
        self.bad("bool.yaml", "simulate:\n  exact: 7\n", "bool.yaml:2", "simulate.exact")
        self.bad("nan.yaml", "fabric:\n  rate_gbps: .nan\n", "nan.yaml:2", "fabric.rate_gbps")
        self.bad("range.yaml", "arch:\n  rows: 0\n", "range.yaml:2", "arch.rows", "1")
        self.bad("huge.yaml", "arch:\n  mvm_ps: 99999999999999999999999\n", "huge.yaml:2", "arch.mvm_ps")
        self.bad("twice.yaml", "arch:\n  rows: 256\n  cols: 256\n  rows: 512\n", "twice.yaml:4", "rows")
        self.bad("sections.yaml", "arch:\n  rows: 256\narch:\n  cols: 256\n", "sections.yaml:3", "arch")

    def test_kinds_and_their_files(self):
        self.bad("kind.yaml", "fabric:\n  kind: mesch\n", "kind.yaml:2", "mesch", "did you mean mesh?")
        self.bad("file.yaml", "fabric:\n  kind: mesh\n  file: mine.graphml\n", "file.yaml:3: fabric.file", "fabric.kind: file", "mesh here")
        self.bad("trace.yaml", "workload:\n  arrivals: poisson\n  trace: mine.csv\n", "trace.yaml:3: workload.trace", "poisson here")
        self.refused("run", self.write("alone.yaml", "fabric:\n  file: mine.graphml\n"), words=["mine.graphml: No such file"])

    def test_files_of_the_command_line_win(self):
        run = self.write("mesh.yaml", "workload:\n  model: resnet32-cifar10\narch:\n  preset: 5pp-2019\nfabric:\n  kind: mesh\n")
        own = self.json("map", run, "--set", "fabric.file=" + example("fabric-own.graphml"))
        self.assertTrue(own["fabric"].endswith("fabric-own.graphml"), own["fabric"])
        other = self.json("map", example("fabric-own.yaml"), "--set", "fabric.kind=mesh")
        self.assertTrue(other["fabric"].startswith("mesh"), other["fabric"])

    def test_no_such_file(self):
        self.refused("run", self.path("none.yaml"), "-o", self.path("out.h5"), words=["none.yaml"])
        self.refused("run", self.folder, "-o", self.path("out.h5"), words=[self.folder])


class Settings(Case):
    def bad(self, setting, *words, rc=1):
        return self.refused("run", example("joshi2020-resnet32.yaml"), "-o", self.path("out.h5"), "--set", setting, *settings(quant__calib_images=2),
                            words=words, rc=rc)

    def test_set(self):
        self.bad("arch.rows=-1", "arch.rows", "-1")
        self.bad("arch.rowz=4", "arch.rowz", "arch.rows")
        self.bad("arhc.rows=4", "arhc", "arch")
        self.bad("arch.rows=", "arch.rows")
        self.bad("arch.rows=4x", "arch.rows", "4x")
        self.bad("simulate.kernel=verilog", "simulate.kernel", "verilog")
        self.bad("arch", rc=2)
        self.bad("=4", rc=2)

    def test_values_that_rooms_refuse(self):
        for setting, words in (("arch.preset=5pp-2091", ["5pp-2091"]), ("workload.model=resnet33", ["resnet33"]),
                               ("fabric.kind=5qq", ["5qq"]), ("fabric.routing=sideways", ["sideways"]),
                               ("fabric.local_ports=many", ["many"]), ("mapping.placement=best", ["best"]),
                               ("mapping.unroll=32:1x", ["32:1x"]), ("mapping.unroll=32:0x4", ["32:0x4"]),
                               ("mapping.copies=none", ["none"]), ("mapping.buffers=few", ["few"]),
                               ("fabric.row_direction=up", ["up"])):
            with self.subTest(setting=setting):
                self.bad(setting, *words)

    def test_a_patch_that_fits_no_array(self):
        self.bad("mapping.unroll=32:32x32", "conv1", "1156 rows", "512")

    def test_network_that_does_not_fit_the_fabric(self):
        line = self.refused("run", example("resnet32-5pp.yaml"), "-o", self.path("out.h5"),
                            *settings(fabric__rows=2, fabric__cols=2, quant__calib_images=2), words=["4 cores", "34"])
        self.assertIn("5pp", line)
        self.refused("map", "--network", "resnet32-cifar10", "--fabric", "mesh:rows=3,cols=3", words=["mesh", "9"])

    def test_data(self):
        file = example("resnet32-5pp.yaml")
        out = ["-o", self.path("out.h5"), *settings(quant__calib_images=2)]
        self.refused("run", file, *out, *settings(workload__data="nosuch.bin"), words=["nosuch.bin"])
        short = self.write("short.bin", b"\x01" * 100)
        self.refused("run", file, *out, *settings(workload__data=short), words=["short.bin"])
        label = self.write("label.bin", b"\x0b" + bytes(3072))
        self.refused("run", file, *out, *settings(workload__data=label), words=["label.bin"])
        self.refused("run", file, *out, *settings(quant__calib="nosuch.bin"), words=["nosuch.bin"])
        self.refused("infer", file, *settings(workload__images=0), words=["workload.images"])


if __name__ == "__main__":
    unittest.main(verbosity=2)

"""The commands beside `run`: what they print and write."""
import json
import os
import struct
import unittest
import xml.etree.ElementTree as xml

from harness import SHORT, Case, call, example, settings

COMMANDS = "run model quantize map simulate infer fabric report knobs traffic version".split()
FABRIC_KEYS = """kind cores channels degree_min degree_max diameter mean_distance bisection_channels
bisection_exact""".split()


class Usage(Case):
    def test_help_teaches_every_command(self):
        r = self.done("--help")
        for command in COMMANDS:
            self.assertIn(f"\n  {command} ", r.out)
            h = self.done(command, "--help")
            self.assertTrue(h.out.startswith(f"usage: pentaprism {command}"))
            for option in ("--json", "--set", "--output", "--threads", "--seed", "--force", "--quiet", "--help"):
                self.assertIn(option, h.out)
            self.assertIn("examples\n", h.out)
            self.assertEqual(self.done(command, "-h").out, h.out)

    def test_wrong_usage(self):
        ex = example("joshi2020-resnet32.yaml")
        for args, words in (([], ["command"]), (["nonsense"], ["nonsense"]), (["rum"], ["did you mean run"]),
                            (["run"], ["FILE.yaml"]), (["run", ex, ex], ["unexpected"]),
                            (["run", ex, "--nonsense"], ["--nonsense"]), (["run", ex, "--forse"], ["did you mean --force"]),
                            (["run", ex, "-o"], ["needs a value"]), (["run", ex, "--json=1"], ["takes no value"]),
                            (["run", ex, "-j", "0"], ["--threads"]), (["run", ex, "-j", "x"], ["--threads"]),
                            (["run", ex, "-j-1"], ["--threads"]), (["run", ex, "--set", "fabric"], ["fabric"]),
                            (["model"], []), (["model", "bake"], []), (["fabric", "show"], []),
                            (["map"], ["--network"]), (["quantize"], ["MODEL"]), (["knobs", "arch", "extra"], ["extra"]),
                            (["quantize", "resnet32-cifar10", "--wbits", "9"], ["--wbits"]),
                            (["quantize", "resnet32-cifar10", "--method", "magic"], ["magic"]),
                            (["fabric", "export", "mesh:rows=2,cols=2"], ["-o"]),
                            (["fabric", "export", "mesh:rows=2,cols=2", "-o", self.path("x.png")], [".svg"])):
            with self.subTest(args=args):
                self.refused(*args, rc=2, words=words)

    def test_closed_output_is_an_error(self):
        import subprocess
        from harness import BIN
        with open("/dev/full", "w") as full:
            p = subprocess.run([BIN, "knobs", "--json"], stdout=full, stderr=subprocess.PIPE)
        self.assertEqual(p.returncode, 1)
        self.assertTrue(p.stderr.startswith(b"pentaprism: "), p.stderr)


class Small(Case):
    def test_version(self):
        d = self.json("version")
        self.assertEqual(sorted(d), sorted("version commit systemc igraph hdf5 openblas".split()))
        self.assertEqual(self.done("--version").out, self.done("version").out)

    def test_knobs(self):
        knobs = self.json("knobs")["knobs"]
        names = [k["name"] for k in knobs]
        self.assertEqual(len(names), len(set(names)))
        for k in knobs:
            self.assertEqual(sorted(k), sorted("name type unit default min max text".split()))
            self.assertTrue(k["text"])
        for name in """workload.model fabric.kind fabric.rows fabric.cols fabric.rate_gbps fabric.lanes
                       fabric.local_ports fabric.routing mapping.placement mapping.unroll arch.rows arch.cols
                       arch.mvm_ps simulate.kernel simulate.switching simulate.images mapping.copies
                       arch.core_pitch_mm""".split():
            self.assertIn(name, names)
        part = self.json("knobs", "--section", "arch")["knobs"]
        self.assertEqual([k["name"] for k in part], [n for n in names if n.startswith("arch.")])
        self.refused("knobs", "--section", "nosuch", words=["nosuch"])

    def test_every_default_is_valid(self):
        for k in self.json("knobs")["knobs"]:
            r = call("fabric", "show", "mesh:rows=2,cols=2", "--set", f"{k['name']}={k['default']}")
            self.assertEqual(r.rc, 0, f"{k['name']}: {r.err}")

    def test_model_list(self):
        models = self.json("model", "list")["models"]
        for name in "resnet32-cifar10 resnet20 resnet32 resnet44 resnet56 resnet110".split():
            self.assertIn(name, models)
            self.json("model", "show", name)
        self.assertIn("resnet32-cifar10", self.done("model", "list").out)

    def test_model_show(self):
        d = self.json("model", "show", "resnet32-cifar10")
        for key in "name parameters macs layers input operators".split():
            self.assertIn(key, d)
        self.assertEqual((d["input"], d["layers"]), ([32, 32, 3], 34))
        self.assertEqual(sum(o["parameters"] for o in d["operators"]), d["parameters"])
        self.assertEqual(sum(o["macs"] for o in d["operators"]), d["macs"])
        for o in d["operators"]:
            for key in "name kind in out parameters macs".split():
                self.assertIn(key, o)
        self.assertIn("361", self.done("model", "show", "resnet32-cifar10").out.replace("362", "361"))
        self.refused("model", "show", "resnet33", words=["resnet33", "did you mean"])


class Fabrics(Case):
    def test_show(self):
        for fabric, cores, channels, diameter in (("5pp:rows=8,cols=8", 64, 320, None), ("mesh:rows=8,cols=8", 64, 224, 14),
                                                  ("torus:rows=8,cols=8", 64, 256, 8)):
            d = self.json("fabric", "show", fabric)
            for key in FABRIC_KEYS:
                self.assertIn(key, d)
            self.assertEqual((d["cores"], d["channels"]), (cores, channels))
            if diameter:
                self.assertEqual(d["diameter"], diameter)
        self.assertAlmostEqual(self.json("fabric", "show", "mesh:rows=8,cols=8")["mean_distance"], 16 / 3, places=6)
        self.assertIn("64-core chip", self.done("fabric", "show", "5pp:rows=2,cols=8").out)
        self.assertIn("5pp", self.done("fabric", "list").out)

    def test_graphml_reads_back(self):
        for fabric in ("5pp:rows=3,cols=5", "mesh:rows=3,cols=4", "torus:rows=4,cols=4"):
            out = self.path(fabric.split(":")[0] + ".graphml")
            self.done("fabric", "export", fabric, "-o", out)
            a, b = self.json("fabric", "show", fabric), self.json("fabric", "show", "file:" + out)
            self.assertEqual(b["kind"], "file")
            for key in FABRIC_KEYS[1:-1] + ["wire_pitches"]:  # the cut of an unknown graph is never known to be best
                self.assertEqual(a[key], b[key], f"{fabric}: {key}")

    def test_exported_fabric_maps_alike(self):
        out = self.path("row.graphml")
        self.done("fabric", "export", "5pp:rows=1,cols=34", "-o", out)
        file = example("joshi2020-resnet32.yaml")
        some = settings(simulate__images=5, quant__calib_images=2)
        a = self.json("simulate", file, "-o", self.path("a.h5"), *some)
        b = self.json("simulate", file, "-o", self.path("b.h5"), *some, *settings(fabric__kind="file", fabric__file=out))
        self.assertEqual(a["certificate"], b["certificate"])

    def test_deadlocks(self):
        d = self.json("fabric", "show", "torus:rows=4,cols=4")
        self.assertEqual((d["routing"], d["vc_classes"], d["deadlock_free"], d["cycle"]), ("xy", 2, True, []))
        d = self.json("fabric", "show", "torus:rows=4,cols=4", "--one-class")
        self.assertFalse(d["deadlock_free"])
        for this, following in zip(d["cycle"], d["cycle"][1:] + d["cycle"][:1]):
            self.assertEqual(this["to"], following["from"])
        d = self.json("fabric", "show", "flatfly:rows=4,cols=4,nodes=4", "--routing", "adaptive")
        self.assertEqual((d["cores"], d["switches"], d["radix_max"], d["deadlock_free"]), (64, 16, 10, True))
        self.refused("fabric", "show", "flatfly:rows=4,cols=4,nodes=4", "--routing", "odd_even", words=["odd_even", "does not fit"])

    def test_dot_and_svg(self):
        dot, svg = self.path("f.dot"), self.path("f.svg")
        self.done("fabric", "export", "5pp:rows=2,cols=4", "-o", dot)
        self.done("fabric", "export", "5pp:rows=2,cols=4", "-o", svg)
        with open(dot) as f:
            graph = f.read()
        self.assertIn("\ndigraph fabric {\n", graph)
        self.assertIn("64-core chip", graph)
        root = xml.parse(svg).getroot()
        self.assertTrue(root.tag.endswith("svg"))
        with open(svg) as f:
            self.assertIn("64-core chip", f.read())  # every page that shows 5pp says where it comes from
        self.refused("fabric", "export", "5pp:rows=2,cols=4", "-o", svg, words=["f.svg"])
        self.done("fabric", "export", "5pp:rows=2,cols=4", "-o", svg, "--force")


class Values(Case):
    FEW = settings(workload__images=4 if SHORT else 200, quant__calib_images=2 if SHORT else 32)

    def test_infer(self):
        d = self.json("infer", example("resnet32-5pp.yaml"), *self.FEW)
        for key in "images seeds times_s device rows images_per_s".split():
            self.assertIn(key, d)
        for key in "model time_s compensation top1_mean top1_std".split():
            self.assertIn(key, d["rows"][0])
        self.assertEqual(d["images"], 4 if SHORT else 200)
        self.assertGreaterEqual(d["rows"][0]["top1_mean"], 0.5 if SHORT else 0.8)
        self.assertIn("crossbars", self.done("infer", example("resnet32-5pp.yaml"), *self.FEW).out)

    def test_ideal_converters_lose_nothing(self):
        """One row tile a layer and converters as wide as needed: the crossbars are the integer reference."""
        d = self.json("infer", example("resnet32-5pp.yaml"), *self.FEW, *settings(arch__adc_bits=0))
        self.assertEqual(d["rows"][0]["top1_mean"], d["top1_quant"])

    def test_quantize_writes_codes(self):
        out = self.path("w4a8")
        d = self.json("quantize", "resnet32-cifar10", *self.FEW, *settings(quant__weights="output"), "-o", out)
        for key in """method weights wbits abits kvbits seed invariance_error kurtosis_before kurtosis_after top1_float
                      top1 wall_s peak_rss_mb""".split():
            self.assertIn(key, d)
        self.assertEqual((d["wbits"], d["abits"], d["invariance_error"]), (4, 8, 0))
        self.assertEqual(sorted(os.listdir(out)), ["model.safetensors", "quant.json"])
        with open(os.path.join(out, "model.safetensors"), "rb") as f:
            size, = struct.unpack("<Q", f.read(8))
            header = json.loads(f.read(size))
        self.assertGreater(len(header), 34)
        with open(os.path.join(out, "quant.json")) as f:
            json.load(f)
        self.refused("quantize", "resnet32-cifar10", *settings(workload__images=0, quant__calib_images=2), "-o", out, words=["w4a8"])
        self.done("quantize", "resnet32-cifar10", *settings(workload__images=0, quant__calib_images=2), "-o", out, "--force")

    def test_fewer_bits_lose_more(self):
        four = self.json("quantize", "resnet32-cifar10", *self.FEW)
        two = self.json("quantize", "resnet32-cifar10", *self.FEW, "--wbits", "2")
        if not SHORT:
            self.assertLess(two["top1"], four["top1"])
        self.refused("quantize", "resnet110", words=["shapes only"])

    def test_execution_driven(self):
        """Real values through the simulated buffers; the timing stays as it is."""
        plain = self.json("simulate", example("resnet32-5pp.yaml"), "-o", self.path("p.h5"), *settings(simulate__images=3, quant__calib_images=2))
        moved = self.json("simulate", example("resnet32-5pp.yaml"), "-o", self.path("m.h5"),
                          *settings(simulate__images=3, simulate__execute=1, quant__calib_images=2))
        for key in ("latency_first_us", "throughput_ips", "events"):
            self.assertEqual(plain[key], moved[key])


if __name__ == "__main__":
    unittest.main(verbosity=2)

"""ONNX files as MODEL: the carried example, a trained network written as ONNX, what is refused."""
import importlib.util
import os
import random
import struct
import unittest

import h5py

from harness import QUICK, ROOT, SHORT, Case, example, settings

spec = importlib.util.spec_from_file_location("make_onnx", example("make_onnx.py"))
make_onnx = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make_onnx)

CARD = os.path.join(ROOT, "workloads", "zoo", "resnet32-cifar10.json")
FEW = settings(workload__images=8 if SHORT else 50, simulate__images=10)


class Onnx(Case):
    def test_example(self):
        made = self.path("made.onnx")
        make_onnx.small(made)
        with open(made, "rb") as a, open(example("onnx-own.onnx"), "rb") as b:
            self.assertEqual(a.read(), b.read())  # the carried file is what the script writes
        d = self.json("model", "show", made)
        self.assertEqual(d["input"], [32, 32, 3])
        self.assertEqual(d["macs"], 8 * 27 * 1024 + 16 * 72 * 64 + 16 * 9 * 64 + 16 * 16 * 64 + 160)
        self.assertEqual([o["kind"] for o in d["operators"]],
                         ["input", "conv", "act", "max_pool", "conv", "act", "conv", "act", "conv", "add", "global_pool", "linear"])
        self.assertIn("Softmax", d["note"])
        r = self.json("run", example("onnx-own.yaml"), "-o", self.path("own.h5"), *FEW, *QUICK)
        self.assertEqual(r["executed"], 1)
        self.assertEqual(r["initiation_interval_ps"], r["bound_initiation_interval_ps"])

    def test_a_trained_network_is_the_same(self):
        """The built-in network and its ONNX form: same layers, same logits up to rounding, so the same top-1."""
        make_onnx.from_card(CARD, self.path("resnet.onnx"))
        run = [example("resnet32-5pp.yaml"), "--force", *FEW, *settings(quant__calib_images=16)]
        a = self.json("run", *run, "-o", self.path("a.h5"))
        b = self.json("run", *run, "-o", self.path("b.h5"), *settings(workload__model=self.path("resnet.onnx")))
        for key in ("parameters", "macs", "n_stages", "n_tiles", "certificate", "initiation_interval_ps", "top1_float"):
            self.assertEqual(a[key], b[key], key)
        self.assertGreater(b["top1_float"], 0.8)
        self.assertLessEqual(abs(a["top1_quant"] - b["top1_quant"]), 2 / (8 if SHORT else 50))

    def test_layer_norms_and_softmax(self):
        """A block as ConvNeXt has it, and a share by softmax; values of one inference go through the simulated buffers."""
        rng = random.Random(3)
        g = make_onnx.Graph("block")

        def floats(name, *shape):
            n = 1
            for d in shape:
                n *= d
            return g.weight(name, list(shape), struct.pack(f"<{n}f", *(rng.gauss(0, 0.4) for _ in range(n))))

        g.value(11, "x", [1, 3, 32, 32])
        x = g.node("Conv", ["x", floats("stem", 8, 3, 4, 4)], "stem.out", strides=[4, 4])
        y = g.node("Conv", [x, floats("depth", 8, 1, 3, 3)], "depth.out", group=8, pads=[1, 1, 1, 1])
        y = g.node("Transpose", [y], "last", perm=[0, 2, 3, 1])
        y = g.node("LayerNormalization", [y, floats("ln.s", 8), floats("ln.b", 8)], "ln", epsilon=1e-6)
        y = g.node("Gelu", [g.node("Add", [g.node("MatMul", [y, floats("up", 8, 16)], "m1"), floats("b1", 16)], "a1")], "act")
        y = g.node("Transpose", [g.node("MatMul", [y, floats("down", 16, 8)], "m2")], "first", perm=[0, 3, 1, 2])
        x = g.node("Add", [x, y], "sum")
        x = g.node("Add", [x, g.node("Softmax", [x], "share", axis=1)], "shared")
        x = g.node("Flatten", [g.node("GlobalAveragePool", [x], "mean")], "flat")
        g.node("Gemm", [x, floats("fc", 10, 8)], "y", transB=1)
        g.value(12, "y", [1, 10])
        g.write(self.path("block.onnx"), 20)
        kinds = [o["kind"] for o in self.json("model", "show", self.path("block.onnx"))["operators"]]
        self.assertEqual((kinds.count("norm"), kinds.count("softmax"), kinds.count("conv")), (1, 1, 4))
        r = self.json("run", example("onnx-own.yaml"), "-o", self.path("block.h5"), *FEW, *QUICK,
                      *settings(workload__model=self.path("block.onnx")))
        self.assertEqual(r["executed"], 1)

    def test_vision_transformer(self):
        """The example of docs/onnx.md: attention in digital units; codes that moved through the buffers are the reference's."""
        file = self.path("vit.onnx")
        make_onnx.vit(file)
        ops = self.json("model", "show", file)["operators"]
        products = [o for o in ops if o["kind"] == "product"]
        self.assertEqual([(o["out"][2], o["macs"]) for o in products], 2 * [(4 * 17, 17 * 17 * 32), (32, 17 * 17 * 32)])
        self.assertEqual([o["parameters"] for o in ops if o["kind"] in ("arrange", "offset")], [32, 17 * 32])
        run = ["run", example("onnx-own.yaml"), *FEW, *QUICK]
        r = self.json(*run, "-o", self.path("vit.h5"), *settings(workload__model=file))
        self.assertEqual(r["executed"], 1)
        # A product a cycle of 10 ns: 17 tokens x 8 channels of a head and 17 scores are 153 cycles, for each of 17 tokens.
        slow = settings(workload__model=file, arch__clock_hz=1e8, arch__attention_macs=1, arch__attention_softmax_lanes=1)
        d = self.json(*run, "-o", self.path("slow.h5"), *slow)
        self.assertEqual(d["bound_initiation_interval_ps"], 17 * 153 * 10000)
        self.assertGreaterEqual(d["initiation_interval_ps"], 17 * 153 * 10000)
        # Keys of a head, 17 x 8 codes of 8 bits, are read once for each token, at half a bit a nanosecond.
        d = self.json(*run, "-o", self.path("starved.h5"), *slow, *settings(arch__attention_kv_gbps=0.5))
        self.assertEqual(d["bound_initiation_interval_ps"], 17 * (17 * 8 * 8 * 2000))
        self.refused(*run, "-o", self.path("none.h5"), *settings(workload__model=file, arch__attention_kv_bytes=100),
                     words=["block0.attention", "136 bytes", "arch.attention_kv_bytes"])
        self.json("map", "--network", file, "--fabric", "mesh", "--certificate", self.path("vit.json"))
        self.assertTrue(self.json("map", "--verify", self.path("vit.json"))["valid"])

    def test_transposed_convolution(self):
        """Down and up again as a U-Net does; values of one inference go through the simulated buffers."""
        rng = random.Random(4)
        g = make_onnx.Graph("updown")

        def floats(name, *shape):
            n = 1
            for d in shape:
                n *= d
            return g.weight(name, list(shape), struct.pack(f"<{n}f", *(rng.gauss(0, 0.3) for _ in range(n))))

        g.value(11, "x", [1, 3, 32, 32])
        a = g.node("Relu", [g.node("Conv", ["x", floats("a", 6, 3, 4, 4)], "c1", strides=[4, 4])], "a1")
        b = g.node("Relu", [g.node("Conv", [a, floats("b", 8, 6, 3, 3)], "c2", strides=[2, 2], pads=[1, 1, 1, 1])], "a2")
        u = g.node("ConvTranspose", [b, floats("u", 8, 5, 3, 3), floats("ub", 5)], "up", strides=[2, 2], pads=[1, 1, 1, 1],
                   output_padding=[1, 1])
        x = g.node("Conv", [g.node("Concat", [a, g.node("Relu", [u], "a3")], "cat", axis=1), floats("d", 7, 11, 3, 3)], "c3")
        x = g.node("Flatten", [g.node("GlobalAveragePool", [x], "mean")], "flat")
        g.node("Gemm", [x, floats("fc", 10, 7)], "y", transB=1)
        g.value(12, "y", [1, 10])
        g.write(self.path("updown.onnx"), 17)
        show = self.json("model", "show", self.path("updown.onnx"))
        self.assertIn("pixel_shuffle", [o["kind"] for o in show["operators"]])
        r = self.json("run", example("onnx-own.yaml"), "-o", self.path("updown.h5"), *FEW, *QUICK,
                      *settings(workload__model=self.path("updown.onnx")))
        self.assertEqual(r["executed"], 1)
        self.assertEqual(r["initiation_interval_ps"], r["bound_initiation_interval_ps"])

    def test_tflite(self):
        """A convolution of quantized weights and what reads it; names that the file gives."""
        file = os.path.join(ROOT, "tests", "fuzz", "corpus", "tflite", "06.tflite")
        d = self.json("model", "show", file)
        self.assertEqual([(o["name"], o["kind"]) for o in d["operators"]], [("input", "input"), ("y", "conv")])
        self.json("map", "--network", file, "--fabric", "mesh", "--certificate", self.path("lite.json"))
        self.assertTrue(self.json("map", "--verify", self.path("lite.json"))["valid"])
        self.refused("model", "show", file + ":output=z", words=["no node of the graph makes a value 'z'"])
        self.refused("model", "show", self.write("no.tflite", "not a model\n"), words=["no.tflite", "not a TensorFlow Lite file"])

    def test_images_of_ones_own(self):
        """A folder a class for accuracy, images without labels for ranges, both of another size; a run file elsewhere."""
        rng = random.Random(5)
        for name in ("a", "b"):
            os.makedirs(self.path("photos/" + name))
            for i in range(3):
                with open(self.path(f"photos/{name}/{i}.ppm"), "wb") as f:
                    f.write(b"P6 48 40 255 " + bytes(rng.randrange(256) for _ in range(48 * 40 * 3)))
        make_onnx.small(self.path("mine.onnx"))
        self.write("mine.yaml", "workload: {model: 'mine.onnx:input=32x32x3', data: 'photos:size=32x32', images: 4}\n"
                   "quant: {calib: 'photos/a:size=32x32', calib_images: 2}\nsimulate: {images: 4, execute: 1}\n")
        r = self.json("run", self.path("mine.yaml"), "-o", self.path("mine.h5"), *QUICK)
        self.assertEqual(r["executed"], 1)
        self.assertIn(r["top1_float"], (0, 0.25, 0.5, 0.75, 1))
        self.refused("quantize", self.path("mine.onnx"), "--calib", self.path("photos"), words=["40x48x3", "takes 32x32x3"])
        self.refused("quantize", self.path("mine.onnx"), "--calib", self.path("none"), words=["none"])
        self.refused("quantize", self.path("mine.onnx"), *settings(workload__data=self.path("photos/a:size=32x32")),
                     words=["has no labels"])

    def test_other_commands(self):
        file = self.path("small.onnx")
        make_onnx.small(file)
        q = self.json("quantize", file, *FEW, *settings(quant__calib_images=2))
        self.assertEqual(q["network"], "small")
        c = self.path("c.json")
        self.json("map", "--network", file, "--fabric", "mesh", "--certificate", c)
        self.assertTrue(self.json("map", "--verify", c)["valid"])
        d = self.json("compare", "--networks", file, "--fabrics", "mesh", "--images", "4")
        self.assertEqual(len(d["rows"]) > 0, True)

    def test_values_named_with_slashes(self):
        """As PyTorch names them; the file in front is found beside the run file, spared, and named without its folder."""
        g = make_onnx.Graph("slashes")
        g.value(11, "x", [1, 3, 32, 32])
        w = g.weight("w", [4, 3, 3, 3], struct.pack("<108f", *([0.1] * 108)))
        a = g.node("Relu", [g.node("Conv", ["x", w], "/body/conv/Conv_output_0", strides=[4, 4])], "/body/act/Relu_output_0")
        g.node("GlobalAveragePool", [a], "y")
        g.value(12, "y", [1, 4, 1, 1])
        os.makedirs(self.path("deep"))
        file, report = self.path("deep/slashes.onnx"), self.path("slashes.h5")
        g.write(file, 17)
        with open(self.path("deep/run.yaml"), "w") as f:
            f.write("workload: {model: 'slashes.onnx:output=/body/act/Relu_output_0', images: 0}\nsimulate: {images: 2}\n")
        self.done("simulate", self.path("deep/run.yaml"), "-o", report)
        named = file + ":output=/body/act/Relu_output_0"
        for args in (["simulate", self.path("deep/run.yaml")], ["map", "--network", named, "--fabric", "mesh"]):
            self.refused(*args, "-o", file, "--force", words=["slashes.onnx", "is read"])
        certificate = self.path("slashes.json")
        self.json("map", "--network", named, "--fabric", "mesh", "--certificate", certificate)
        self.assertTrue(self.json("map", "--verify", certificate)["valid"])
        self.done("simulate", self.path("deep/run.yaml"), *settings(workload__model=named), "-o", self.path("set.h5"))
        with h5py.File(self.path("set.h5")) as f:
            self.assertIn("workload.model=slashes.onnx:output=/body/act/Relu_output_0", f["run/command"][()].decode())

    def test_refused(self):
        g = make_onnx.Graph("bad")
        g.value(11, "x", [1, 3, 8, 8])
        g.node("Einsum", ["x"], "y")
        g.value(12, "y", [1, 3, 8, 8])
        g.write(self.path("bad.onnx"), 13)
        self.refused("model", "show", self.path("bad.onnx"), words=["bad.onnx", "node 'y' (Einsum)", "only a product of two values"])
        self.refused("run", example("onnx-own.yaml"), "-o", self.path("n.h5"), *settings(workload__model=self.path("bad.onnx")),
                     words=["Einsum"])
        self.refused("model", "show", self.path("none.onnx"), words=["none.onnx"])
        self.refused("model", "show", example("onnx-own.onnx") + ":input=16x16x3", words=["has size 32"])
        self.refused("model", "show", example("onnx-own.onnx") + ":outputs=x", words=["output=NAME"])
        with open(example("onnx-own.onnx"), "rb") as f:
            whole = f.read()
        self.refused("model", "show", self.write("cut.onnx", whole[:5000]), words=["cut.onnx", "truncated"])
        self.refused("model", "show", self.write("text.onnx", "not a model\n"), words=["text.onnx", "not a protobuf"])


if __name__ == "__main__":
    unittest.main()

"""quantize on language models: JSON keys, folders, compare, wrong input."""
import json
import os
import unittest

import h5py
from harness import Case, call

SMALL = ["--eval-tokens", "2048", "--calib-windows", "4", "--steps", "10"]
KEYS = """method weights wbits abits kvbits seed invariance_error kurtosis_before kurtosis_after bits_per_byte_float
bits_per_byte perplexity_float perplexity wall_s peak_rss_mb""".split()


def quantize(*args):
    done = call("quantize", *args, "--json")
    assert done.rc == 0, done.err
    return json.loads(done.out)


class QuantizeLanguageModels(Case):
    def test_folder(self):
        folder = os.path.join(self.folder, "w4")
        d = quantize("bytellama-odd", "--method", "kurtail", *SMALL, "-o", folder)
        for k in KEYS:
            self.assertIn(k, d)
        self.assertLess(d["invariance_error"], 1e-3)
        self.assertLess(d["kurtosis_after"], d["kurtosis_before"])
        self.assertGreater(d["bits_per_byte"], d["bits_per_byte_float"])
        again = quantize(folder, "--eval-tokens", "2048")
        self.assertEqual(again["bits_per_byte"], d["bits_per_byte"])
        done = call("quantize", "bytellama-odd", *SMALL, "-o", folder)
        self.assertEqual(done.rc, 1)
        self.assertIn("--force", done.err)
        self.refused("quantize", folder, "-o", os.path.join(self.folder, "again"), rc=2, words=["quantized already", "without --output"])
        self.refused("quantize", folder, "--wbits", "3", rc=2, words=["quantized already", "without --wbits"])
        self.refused("quantize", folder, "-o", folder + "/.", "--force", words=["is read by this command"])

    def test_compare(self):
        table, figure = os.path.join(self.folder, "t.h5"), os.path.join(self.folder, "t.svg")
        d = quantize("compare", "bytellama-odd", "--methods", "rtn,quarot", "--seeds", "2", *SMALL, "-o", table, "--plot", figure)
        self.assertEqual([r["method"] for r in d["rows"]], ["rtn", "quarot"])
        self.assertEqual([r["seeds"] for r in d["rows"]], [1, 2])
        self.assertLess(d["rows"][1]["bits_per_byte_mean"], d["rows"][0]["bits_per_byte_mean"])
        with h5py.File(table) as f:
            self.assertEqual(f["quantize/methods"].shape, (2,))
            layers = f["quantize/layers"][:]
            self.assertEqual(layers.shape, (2 * len(d["rows"][1]["layers"]),))
            for row, wanted in zip(layers[len(layers) // 2:], d["rows"][1]["layers"]):
                self.assertEqual(row["method"], b"quarot")
                self.assertEqual(row["kurtosis_after"], wanted["kurtosis_after"])
                self.assertEqual(row["weight_sqnr_db"], wanted["weight_sqnr_db"])
                self.assertLess(row["max_over_rms_after"], row["max_over_rms_before"] * 1.1)
            self.assertEqual(f["quantize/methods"][1]["bits_per_byte"], d["rows"][1]["bits_per_byte_mean"])
        for name in (figure, os.path.join(self.folder, "t-layers.svg")):
            with open(name) as f:
                self.assertIn("<svg", f.read())

    def test_wrong_input(self):
        empty = os.path.join(self.folder, "empty.txt")
        open(empty, "w").close()
        for args in (["bytellama-odd", "--method", "foo"], ["bytellama-odd", "--wbits", "9"],
                     ["bytellama-odd", "--calib", empty], ["bytellama-odd", "--format", "int9", *SMALL],
                     ["bytellama-odd", "--smooth", "0.5", *SMALL], ["compare", "resnet32-cifar10"],
                     ["bytellama-odd", "--no-eval", "--method", "rtn", "-o", "/proc/none/x"]):
            done = call("quantize", *args)
            self.assertIn(done.rc, (1, 2), args)
            self.assertTrue(done.err.startswith("pentaprism: "), done.err)
            self.assertEqual(len(done.err.strip().splitlines()), 1, done.err)


if __name__ == "__main__":
    unittest.main()

"""Rotated inputs of a network: the example, what it costs, the table of layers, wrong settings."""
import unittest

import h5py

from harness import SHORT, Case, example, settings

FEW = settings(workload__images=4 if SHORT else 50, simulate__images=3, quant__calib_images=2 if SHORT else 16)
FILE = "resnet32-rotated.yaml"


class Rotated(Case):
    def run_with(self, rotate):
        report = self.path(rotate + ".h5")
        return self.json("run", example(FILE), *FEW, *settings(quant__rotate=rotate), "-o", report), report

    def test_example_and_its_costs(self):
        rotated, report = self.run_with("input")
        plain, _ = self.run_with("none")
        self.assertGreaterEqual(rotated["bound_initiation_interval_ps"], 2 * plain["bound_initiation_interval_ps"])
        self.assertGreater(rotated["latency_first_us"], plain["latency_first_us"])
        self.assertGreater(rotated["energy_per_inference_pj"], plain["energy_per_inference_pj"])
        if not SHORT:
            self.assertGreater(rotated["top1_crossbar"], 0.8)
        with h5py.File(report) as f:
            rows = f["/quant/stages"]
            self.assertEqual(rows["rotated"][0], 0)  # 3 input channels
            matrices = rows["rotated"][:].astype(bool)
            self.assertEqual(matrices.sum(), 33)
            self.assertTrue((rows["rotated_kurtosis"][matrices] > 1).all())
            self.assertLess(rows["rotated_max_rms"][matrices].mean(), rows["plain_max_rms"][matrices].mean())

    def test_table(self):
        out = self.done("quantize", "resnet32-cifar10", "--set", "quant.rotate=input", "--set", "quant.calib_images=2",
                        "--set", "workload.images=2").out
        self.assertIn("before -> after", out)
        self.assertEqual(out.count(" -> "), 1 + 33 * 5)

    def test_wrong_settings(self):
        self.refused("run", example(FILE), *settings(quant__rotation_block="some"), rc=1, words=["quant.rotation_block", "some"])
        self.refused("run", example(FILE), *settings(quant__rotation_block="full", workload__images=0), rc=1,
                     words=["stage3.block1.conv2", "rotation block"])


if __name__ == "__main__":
    unittest.main()

"""Rotated inputs of a network: the example, what it costs, the table of layers, wrong settings."""
import unittest

import h5py

from harness import SHORT, Case, example, settings

FEW = settings(workload__images=4 if SHORT else 50, simulate__images=3, quant__calib_images=2 if SHORT else 16)
FILE = "resnet32-rotated.yaml"
LAYERS = ["stage%d.block1.conv2" % s for s in (1, 2, 3)]  # what they read, no skip reads


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

    def plan(self, at, lanes):
        """One plan a layer (interval, latency), the answer and the report of a run on three layers."""
        report = self.path("%s-%d.h5" % (at, lanes))
        result = self.json("run", example(FILE), *FEW, *settings(
            quant__rotate_at=at, quant__rotate_layers=",".join(LAYERS), quant__calib_images=16, arch__rotate_lanes=lanes,
            simulate__execute=2), "-o", report)
        with h5py.File(report) as f:
            names = [n.decode() if isinstance(n, bytes) else n for n in f["/quant/stages"]["name"]]
            rows = f["/mapping/plan"]
            energy = dict(zip(names, f["/energy/stages"]["digital_pj"]))
            return dict(zip(names, zip(rows["mvm_interval_ps"], rows["mvm_latency_ps"]))), energy, result

    def test_producer(self):
        few, energy, result = self.plan("producer", 1)
        many, _, quick = self.plan("producer", 64)
        reader, reader_energy, _ = self.plan("consumer", 1)
        for layer in LAYERS:
            before = layer.replace("conv2", "conv1")
            self.assertGreater(few[before][1], many[before][1])  # charged where it is written,
            self.assertEqual(few[layer], many[layer])  # not where it is read,
            self.assertGreater(reader[layer][1], few[layer][1])
            self.assertGreater(few[layer][1], few[layer.replace("block1", "block2")][1])  # but for the signs' second read
            self.assertGreater(energy[before], reader_energy[before])
            self.assertLess(energy[layer], reader_energy[layer])
        self.assertGreater(result["latency_first_us"], quick["latency_first_us"])
        self.assertEqual(result["executed"], 2)
        self.assertEqual(result["top1_crossbar"], quick["top1_crossbar"])
        if not SHORT:
            self.assertGreater(result["top1_crossbar"], 0.8)

    def test_producer_refusals(self):
        at = settings(quant__rotate_at="producer", workload__images=0)
        self.refused("run", example(FILE), *at, rc=1, words=["stage1.block1.conv1", "stage1.block1.conv2", "quant.rotate_at=producer"])
        self.refused("run", example(FILE), *at, *settings(quant__rotate_layers=LAYERS[2], quant__rotation_block="full", arch__cols=32), rc=1,
                     words=["stage3.block1.conv1", "rotation block", "column tile"])

    def test_scales_are_static(self):
        for scale in ("tile", "token"):
            self.refused("run", example(FILE), *settings(quant__activation_scale=scale, workload__images=0), rc=1,
                         words=["quant.activation_scale", "resnet32", "static"])
            self.refused("map", example(FILE), *settings(quant__activation_scale=scale), rc=1, words=["quant.activation_scale"])

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

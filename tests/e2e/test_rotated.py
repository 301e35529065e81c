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

    def test_producer_by_itself(self):
        """Without names: every layer that can be, the others with their reasons."""
        report = self.path("itself.h5")
        self.json("run", example(FILE), *FEW, *settings(quant__rotate_at="producer", workload__images=2), "-o", report)
        with h5py.File(report) as f:
            rows = f["/quant/stages"]
            names = [n.decode() if isinstance(n, bytes) else n for n in rows["name"]]
            why = [n.decode() if isinstance(n, bytes) else n for n in rows["not_rotated"]]
            rotated = dict(zip(names, rows["rotated"]))
            self.assertEqual(sum(rotated.values()), 15 + 1)  # second layers of blocks, and the one behind the pooling
            self.assertTrue(all(rotated["stage%d.block%d.conv2" % (s, b)] for s in (1, 2, 3) for b in range(1, 6)))
            self.assertTrue(all(bool(w) != bool(rotated[n]) for n, w in zip(names, why)))

    def test_producer_refusals(self):
        at = settings(quant__rotate_at="producer", workload__images=0)
        self.refused("run", example(FILE), *at, *settings(quant__rotate_layers="stage1.block1.conv1"), rc=1,
                     words=["stage1.block1.conv1", "stage1.block1.conv2", "quant.rotate_at=producer"])
        self.refused("run", example(FILE), *at, *settings(quant__rotate_layers="stage9"), rc=1, words=["'stage9'"])
        self.refused("run", example(FILE), *at, *settings(quant__rotate_layers=LAYERS[2], quant__rotation_block="full", arch__cols=32), rc=1,
                     words=["stage3.block1.conv1", "rotation block", "column tile"])

    def test_scales(self):
        """Scales a tile or a token: moved values equal the reference, searches cost time, whole vectors traffic."""
        plans, traffic, held = {}, {}, {}
        for scale in ("static", "tile", "token"):
            report = self.path(scale + ".h5")
            result = self.json("run", example(FILE), *FEW, *settings(
                quant__rotate="none", quant__abits=4, quant__activation_scale=scale, quant__stream_bits=8, arch__rotate_lanes=1,
                simulate__execute=1, workload__images=4, quant__calib_images=4), "-o", report)
            self.assertEqual(result["executed"], 1)
            with h5py.File(report) as f:
                plans[scale] = f["/mapping/plan"]["mvm_latency_ps"]
                traffic[scale] = f["/energy/stages"]["wire_pj"].sum()
                held[scale] = f["/energy/stages"]["buffer_pj"].sum()
        self.assertTrue((plans["tile"][:-1] > plans["static"][:-1]).all())
        self.assertTrue((plans["token"] >= plans["tile"]).all())
        self.assertGreater(plans["token"].sum(), plans["tile"].sum())
        self.assertGreater(held["token"], held["tile"])  # row tiles hold whole vectors
        self.assertEqual(traffic["tile"], traffic["static"])
        self.refused("run", example(FILE), *settings(quant__abits=6, quant__stream_bits=5, workload__images=0), rc=1,
                     words=["quant.stream_bits", "6"])

    def test_folder_keeps_the_setting(self):
        """A network that quantize wrote, as MODEL: codes and settings of the folder."""
        folder = self.path("q")
        made = self.json("quantize", "resnet32-cifar10", "--abits", "4", "-o", folder, *settings(
            quant__activation_scale="tile", quant__calib_images=4, workload__images=20))
        again = self.json("quantize", folder, *settings(workload__images=20))
        self.assertEqual(again["top1"], made["top1"])
        file = self.write("run.yaml", "arch: {rows: 256, cols: 256, adc_bits: 8}\nmapping: {unroll: none}\nfabric: {kind: mesh}\n")
        report = self.path("folder.h5")
        d = self.json("run", file, *settings(workload__model=folder, workload__images=4, simulate__images=2, simulate__execute=1),
                      "-o", report)
        self.assertEqual(d["executed"], 1)
        with h5py.File(report) as f:
            self.assertTrue((f["/quant/streams"]["bits"] == 8).all())
        self.done("map", "--network", folder)
        self.refused("run", file, *settings(workload__model=folder, quant__abits=8), rc=1, words=["quant.abits", "already"])
        self.refused("quantize", folder, "--wbits", "3", rc=2, words=["already"])

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

"""infer with devices: rows, tables of the report, figures, threads, wrong settings."""
import json
import os
import unittest

import h5py

from harness import SHORT, Case, example, settings

FEW = settings(workload__images=4 if SHORT else 100, quant__calib_images=2 if SHORT else 16, noise__calib_images=2 if SHORT else 8,
               noise__compensation_reads=8, workload__models="resnet32-cifar10-noise", noise__seeds=2)


class Devices(Case):
    def test_example(self):
        report, plot, snr = self.path("pcm.h5"), self.path("acc.svg"), self.path("snr.png")
        d = self.json("infer", example("resnet32-pcm.yaml"), *FEW, *settings(device__times_s="25, 31536000"), "-o", report,
                      "--plot", plot, "--plot-snr", snr)
        for key in "images seeds times_s device rows images_per_s models snr".split():
            self.assertIn(key, d)
        self.assertEqual(d["device"], "aihwkit-pcm")
        self.assertEqual([(r["time_s"], r["compensation"]) for r in d["rows"]],
                         [(25, "none"), (25, "tile"), (31536000, "none"), (31536000, "tile")])
        for r in d["rows"]:
            for key in "model top1_mean top1_std top1_ci95 images_std".split():
                self.assertIn(key, r)
        if not SHORT:
            self.assertGreater(d["rows"][1]["top1_mean"], 0.8)
            self.assertGreater(d["rows"][3]["top1_mean"], d["rows"][2]["top1_mean"] + 0.3)
        self.assertEqual(d["models"][0]["useful_cells"], 361712)
        with h5py.File(report) as f:
            self.assertEqual(len(f["/accuracy/rows"]), 4)
            self.assertEqual(len(f["/accuracy/draws"]), 8)
            self.assertEqual(len(f["/accuracy/snr"]), 68)
            self.assertAlmostEqual(f["/accuracy/rows"]["mean"][1], d["rows"][1]["top1_mean"], 12)
        self.assertGreater(os.path.getsize(plot), 2000)
        self.assertGreater(os.path.getsize(snr), 2000)
        self.assertIn("compensation", self.done("report", "csv", report, "accuracy").out)
        self.assertEqual(self.json("report", "show", report)["rows"], d["rows"])
        self.assertRegex(self.done("report", "show", report).out, r"\ndevices \(aihwkit-pcm\)\nmodel +time +compensation +top-1 %")

    def test_the_noise_path_against_the_training(self):
        """Gaussian noise of 3.8 % of the layer's largest weight: the training's own figures on 10,000 images and 20 draws, within three
        standard errors of our draws and images."""
        draws, images = (2, 24) if SHORT else (5, 250)
        d = self.json("infer", example("resnet32-pcm.yaml"), *(settings(quant__calib_images=2, noise__calib_images=2) if SHORT else []),
                      *settings(device__model="gaussian", device__sigma=0.038, device__times_s=25, noise__compensation="none",
                                noise__snr="false", noise__seeds=draws, workload__images=images))
        for row, mean, std in zip(d["rows"], (0.813, 0.928), (0.059, 0.002)):
            error = (std ** 2 / draws + std ** 2 / 20 + mean * (1 - mean) / images) ** 0.5
            self.assertLess(abs(row["top1_mean"] - mean), 3 * error, row)

    def test_threads_do_not_matter(self):
        a, b = self.path("a.h5"), self.path("b.h5")
        more = settings(device__times_s="86400", noise__read="both", noise__out_std=0.04, noise__seeds=1, noise__snr="false")
        self.done("infer", example("resnet32-pcm.yaml"), *FEW, *more, "-o", a, "-j", "1")
        self.done("infer", example("resnet32-pcm.yaml"), *FEW, *more, "-o", b, "-j", "2")
        with open(a, "rb") as x, open(b, "rb") as y:
            self.assertEqual(x.read(), y.read())

    def test_wrong_settings(self):
        file = example("resnet32-pcm.yaml")
        for key, value, words in (("device__times_s", "-5", ["t0"]),
                                  ("device__times_s", "25, soon", ["device.times_s"]),
                                  ("device__model", "hermess", ["hermes"]),
                                  ("device__model", "custom", ["program_poly"]),
                                  ("noise__compensation", "tiles", ["noise.compensation"]),
                                  ("arch__adc_bits", 33, ["adc_bits"]),
                                  ("device__yield", 1.5, ["yield"]),
                                  ("arch__cell_bits", 2, ["float"]),
                                  ("workload__models", "resnet20", ["weights"]),
                                  ("workload__data", "fashion.bin", ["fashion.bin"])):
            self.refused("infer", file, *settings(**{key: value}), words=words)
        self.refused("infer", file, *settings(device__model="custom", device__program_poly="1 -2"), words=["device.program_poly"])
        self.refused("infer", file, "--plot", self.path("x.pdf"), words=["x.pdf"])

    def test_a_range_that_clips_is_told(self):
        r = self.done("infer", example("resnet32-pcm.yaml"), *FEW,
                      *settings(arch__adc_percentile=60, device__times_s="25", noise__seeds=1, noise__snr="false", noise__compensation="none"))
        self.assertIn("layer conv1", r.err)
        self.assertIn("clips", r.err)


SMALL = settings(workload__model="bytellama-odd", quant__method="quarot", workload__tokens=128, workload__window=64,
                 noise__calib_images=2, noise__compensation_reads=8, noise__seeds=2)


class LanguageModels(Case):
    def test_example(self):
        report, plot, snr = self.path("lm.h5"), self.path("lm.svg"), self.path("lmsnr.png")
        d = self.json("infer", example("bytellama-pcm.yaml"), *SMALL, "-o", report, "--plot", plot, "--plot-snr", snr)
        self.assertEqual(d["tokens"], 128)
        self.assertEqual([(r["time_s"], r["compensation"]) for r in d["rows"]],
                         [(25, "none"), (25, "tile"), (86400, "none"), (86400, "tile")])
        for r in d["rows"]:
            for key in "model bits_per_byte_mean bits_per_byte_std bits_per_byte_ci95".split():
                self.assertIn(key, r)
        m = d["models"][0]
        self.assertLess(m["bits_per_byte_float"], m["bits_per_byte_quant"])
        self.assertLess(d["rows"][3]["bits_per_byte_mean"], d["rows"][2]["bits_per_byte_mean"])
        with h5py.File(report) as f:
            self.assertAlmostEqual(f["/accuracy/rows"]["mean"][3], d["rows"][3]["bits_per_byte_mean"], 12)
            self.assertEqual(len(f["/accuracy/draws"]), 8)
            self.assertEqual(f["/accuracy/models"]["quantized"][0], m["bits_per_byte_quant"])
            self.assertEqual(len(f["/accuracy/snr"]), len(d["snr"]))
        shown = self.done("report", "show", report).out
        self.assertIn("language model", shown)
        self.assertRegex(shown, r"compensation +bits per byte")
        self.assertEqual(self.json("report", "show", report)["rows"], d["rows"])
        self.assertIn("bytellama-odd", self.done("report", "csv", report, "accuracy").out)
        self.assertGreater(os.path.getsize(plot), 2000)
        self.assertGreater(os.path.getsize(snr), 2000)

    def test_folder_equals_the_model_it_was_made_of(self):
        folder = self.path("w4")
        self.done("quantize", "bytellama-odd", "--method", "quarot", "--no-eval", "-o", folder)
        exact = settings(device__model="ideal", noise__seeds=1, noise__snr="false")
        a = self.json("infer", example("bytellama-pcm.yaml"), *SMALL, *exact)
        b = self.json("infer", example("bytellama-pcm.yaml"), *SMALL, *exact, *settings(workload__model=folder))
        self.assertEqual(a["rows"][0]["bits_per_byte_mean"], b["rows"][0]["bits_per_byte_mean"])
        self.assertNotIn("bits_per_byte_float", b["models"][0])
        self.refused("infer", example("bytellama-pcm.yaml"), *SMALL, *settings(workload__model=folder, quant__activation_scale="static"),
                     words=["quant.activation_scale"])

    def test_one_layer_ideal_and_scales(self):
        more = settings(workload__tokens=64, noise__seeds=1, noise__snr="false", device__times_s=25, noise__compensation="tile",
                        quant__activation_scale="tile", noise__adc_ranges="recalibrated")
        d = self.json("infer", example("bytellama-pcm.yaml"), *SMALL, *more, *([] if SHORT else settings(noise__leave_one_out=16)))
        if not SHORT:
            self.assertEqual([x["layer"] for x in d["leave_one_ideal"]][:2], ["none", "0.q_proj"])

    def test_wrong_settings(self):
        file = example("bytellama-pcm.yaml")
        for key, value, words in (("quant__method", "kurtle", ["kurtail"]), ("quant__kvbits", 11, ["kvbits"]),
                                  ("workload__model", "llama3-8b", ["weights"]), ("noise__batch_norm", "true", ["batch"]),
                                  ("workload__models", "bytellama-odd resnet32-cifar10", ["side by side"])):
            self.refused("infer", file, *SMALL, *settings(**{key: value}), words=words)


if __name__ == "__main__":
    unittest.main()

"""Energy and area from the run file to the report: totals, overrides, and what is refused."""
import csv
import io
import os
import unittest

import h5py

from harness import Case, settings, text

FEW = settings(simulate__images=8, mapping__effort=0)

FILE = "energy-resnet32.yaml"


class Energy(Case):
    def simulate(self, *more, name="x.h5"):
        return self.json("simulate", os.path.join("examples", FILE), "-o", self.path(name), "--force", *FEW, *more)

    def test_totals_are_sums(self):
        k = self.simulate()
        self.assertEqual((k["cost_preset"], k["energy_boundary"], k["energy_unpriced"]), ("generic", "chip", ""))
        parts = [k[c + "_pj"] for c in "mvm digital buffer router wire static dram".split()]
        self.near(sum(parts), k["energy_per_inference_pj"], 1e-9)
        self.assertEqual(parts[-1], 0)  # outside the boundary
        self.assertTrue(all(p > 0 for p in parts[:-1]))
        self.near(k["tops"], 2e-12 * k["macs"] * k["throughput_ips"], 1e-9)
        self.near(k["tops_per_w"], 2 * k["macs"] / k["energy_per_inference_pj"], 1e-9)
        self.near(k["tops_per_mm2"], k["tops"] / k["area_mm2"], 1e-9)
        self.near(k["static_pj"], 64 * 50 * k["initiation_interval_ps"] * 1e-6, 1e-9)
        with h5py.File(self.path("x.h5"), "r") as f:
            actions, stages, area = f["energy/actions"][:], f["energy/stages"][:], f["energy/area"][:]
        self.near(sum(a["energy_pj"] for a in actions), k["energy_per_inference_pj"], 1e-9)
        self.near(sum(s["energy_pj"] for s in stages), k["energy_per_inference_pj"], 1e-9)
        self.near(sum(a["area_mm2"] for a in area), k["area_mm2"], 1e-9)
        self.assertEqual(sum(s["macs"] for s in stages), k["macs"])
        by_name = {text(a["action"]): a for a in actions}
        self.assertEqual((by_name["adc"]["figure_fj"], text(by_name["adc"]["source"])), (1300, "run file"))
        self.assertEqual((by_name["add"]["figure_fj"], by_name["add"]["year"], by_name["add"]["node_nm"]), (50, 2014, 45))
        self.assertEqual(by_name["mvm"]["energy_pj"], 0)

    def test_twice_the_converter(self):
        one = self.simulate(*settings(cost__adc_fj=1000))
        two = self.simulate(*settings(cost__adc_fj=2000))
        with h5py.File(self.path("x.h5"), "r") as f:
            count = next(a["count"] for a in f["energy/actions"][:] if text(a["action"]) == "adc")
        self.near(two["mvm_pj"] - one["mvm_pj"], count, 1e-9)

    def test_boundaries_grow(self):
        before = 0
        for boundary in "mvm core chip chip_dram".split():
            k = self.simulate(*settings(cost__boundary=boundary))
            self.assertEqual(k["energy_boundary"], boundary)
            self.assertGreater(k["energy_per_inference_pj"], before)
            before = k["energy_per_inference_pj"]
        used = self.simulate(*settings(cost__boundary="mvm"))
        whole = self.simulate(*settings(cost__boundary="mvm", cost__scope="whole"))
        self.assertGreater(whole["energy_per_inference_pj"], used["energy_per_inference_pj"])

    def test_published_chip(self):
        """13.44 nJ times the MVMs; peak and energy of the chip's own presets."""
        run = self.write("h.yaml", "workload: {model: resnet32-cifar10}\narch: {preset: hermes64}\n")
        k = self.json("simulate", run, "-o", self.path("h.h5"), *FEW)
        self.assertEqual((k["cost_preset"], k["energy_boundary"]), ("legallo2023", "mvm"))
        self.near(k["tops_peak"], 63.1, 1e-3)
        with h5py.File(self.path("h.h5"), "r") as f:
            cores = f["timing/cores"][:]
        self.near(k["energy_per_inference_pj"], 13440 * sum(int(c["firings"]) for c in cores) / k["images"], 1e-9)
        self.assertNotIn("area_mm2", k)

    def test_resnet18_on_512_arrays(self):
        """papers/bruschi2023.md: what the published figures are compared with."""
        k = self.json("simulate", os.path.join("examples", "bruschi2023-resnet18.yaml"), "-o", self.path("b.h5"),
                      *settings(mapping__unroll="none", mapping__copies=1, simulate__images=3))
        self.assertEqual(k["macs"], 2369245184)  # 4.74 G operations, not 6.1
        self.assertEqual((k["cost_preset"], k["cores_used"], k["initiation_interval_ps"]), ("bruschi2023", 212, 16384 * 130000))
        self.near(k["area_mm2"], 480, 1e-9)
        self.near(k["energy_per_inference_pj"], 102920 * 131072 / 10.5, 1e-9)
        self.near(k["tops_per_w"], 10.5 * k["array_utilisation"], 1e-9)
        # at this price the arrays alone take more than the published 0.94 mJ for everything
        self.assertGreater(k["energy_per_inference_pj"], 0.94e9)

    def test_text_and_tables(self):
        shown = self.done("simulate", os.path.join("examples", FILE), "-o", self.path("t.h5"), *FEW).out
        for word in ("boundary chip, costs of generic", "TOPS/W", "mm2", "useful share"):
            self.assertIn(word, shown)
        again = self.done("report", "show", self.path("t.h5")).out
        self.assertIn("boundary chip, costs of generic", again)
        rows = list(csv.DictReader(io.StringIO(self.done("report", "csv", self.path("t.h5"), "energy").out)))
        self.assertEqual(rows[-1]["stage"], "(chip)")
        self.assertEqual(len(rows), 35)

    def test_refused(self):
        run = lambda *lines: self.write("bad.yaml", "arch:\n  preset: hermes64\ncost:\n" + "".join(f"  {l}\n" for l in lines))
        self.refused("simulate", run("adc_fj: 3"), words=["bad.yaml:4", "cost.adc_fj", "cost.mvm_fj", "never both"])
        self.refused("simulate", run("adc_fj: -3"), words=["bad.yaml:4", "adc_fj", "from 0"])
        self.refused("simulate", run("adc_energy: 3"), words=["bad.yaml:4", "adc_energy"])
        self.refused("simulate", run("wier_fj: 3"), words=["bad.yaml:4", "wire_fj"])
        self.refused("simulate", run("preset: legalo2023"), words=["bad.yaml:4", "legallo2023"])
        self.refused("simulate", run("preset: legallo2023"), *settings(arch__rows=512), words=["bad.yaml:4", "256 x 256"])


if __name__ == "__main__":
    unittest.main()

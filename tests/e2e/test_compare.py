"""compare: networks on fabrics, its outputs, and what it refuses."""
import csv
import os
import unittest

import h5py

from harness import Case, datasets, text

PAIR = ["--networks", "resnet20", "--fabrics", "5pp,mesh:rows=8,cols=8,torus", "--images", "4"]
KEYS = ("network fabric cores_used certificate channel_gbps radix_max wire_budget_mm pins_per_core bisection_gbps "
        "max_channel_required_gbps mean_channel_required_gbps initiation_interval_ps latency_first_us max_hops wire_gbit_mm").split()


class Compare(Case):
    def test_rows_and_files(self):
        h5, table, picture = self.path("c.h5"), self.path("c.csv"), self.path("c.svg")
        d = self.json("compare", *PAIR, "-o", h5, "--csv", table, "--draw", picture)
        self.assertEqual([r["fabric"].split(":")[0] for r in d["rows"]], ["5pp", "mesh", "torus"])
        for r in d["rows"]:
            self.assertLessEqual(set(KEYS), set(r))
            self.assertEqual(len(r["variants"]), 3)
            self.assertEqual({(v["ports"], v["effort"]) for v in [r, *r["variants"]]},
                             {(p, e) for p in ("1", "per_link") for e in ("best", "naive")})
            for v in [r, *r["variants"]]:
                self.assertGreaterEqual(v["initiation_interval_ps"], v["bound_initiation_interval_ps"])
                self.assertGreaterEqual(v["bound_initiation_interval_ps"], v["unthrottled_interval_ps"])
                self.assertLessEqual(v["mean_channel_required_gbps"], v["max_channel_required_gbps"])
                self.near(v["lowest_channel_gbps"], v["max_channel_required_gbps"], 0.02)
        self.assertEqual(len({r["unthrottled_interval_ps"] for r in d["rows"]}), 1)
        self.assertEqual(d["rows"][1]["fabric"], "mesh:rows=8,cols=8")
        with h5py.File(h5, "r") as f:
            rows = f["/compare/rows"][()]
            self.assertEqual(len(rows), 12)
            self.assertEqual([text(x) for x in rows["fabric"][::4]], [r["fabric"] for r in d["rows"]])
            self.assertEqual(list(rows["initiation_interval_ps"][::4]), [r["initiation_interval_ps"] for r in d["rows"]])
            self.assertEqual(text(f["/compare/normalise"][()]), "channel")
        for path, (_v, attributes) in datasets(h5).items():
            self.assertLessEqual({"units", "description"}, set(attributes), path)
        with open(table) as f:
            lines = list(csv.DictReader(f))
        self.assertEqual(len(lines), 12)
        self.assertEqual(float(lines[4]["max_channel_required_gbps"]), d["rows"][1]["max_channel_required_gbps"])
        with open(picture) as f:
            self.assertIn("<svg", f.read(200))
        shown = self.done("report", "show", h5)
        self.assertIn("held equal", shown.out.splitlines()[0])
        self.assertEqual(self.json("report", "show", h5)["rows"], d["rows"])

    def test_threads_do_not_matter(self):
        a, b = self.path("a.h5"), self.path("b.h5")
        self.done("compare", *PAIR, "-o", a, "-j", "1")
        self.done("compare", *PAIR, "-o", b, "-j", "2")
        with open(a, "rb") as f, open(b, "rb") as g:
            self.assertEqual(f.read(), g.read())

    def test_equal_budgets(self):
        for what, key in (("wire", "wire_budget_mm"), ("pins", "pins_per_core"), ("bisection", "bisection_gbps")):
            d = self.json("compare", *PAIR, "--normalise", what)
            own = [[v[key] for v in [r, *r["variants"]]] for r in d["rows"]]
            for other in own[1:]:
                for k in range(4):  # fabrics differ in which port model is their own, budgets of channels do not
                    self.near(other[k], own[0][k], 1e-9)
        d = self.json("compare", *PAIR, "--normalise", "area")
        spent = [v["switch_mm2"] + v["wire_mm2"] for r in d["rows"] for v in [r, *r["variants"]]]
        for other in spent[1:]:
            self.near(other, spent[0], 1e-9)

    def test_certificates_hold(self):
        folder = self.path("certificates")
        os.mkdir(folder)
        self.done("compare", *PAIR, "--certificates", folder)
        names = os.listdir(folder)
        self.assertEqual(len(names), 3)
        for name in names:
            self.assertTrue(self.json("map", "--verify", os.path.join(folder, name))["valid"])

    def test_refused(self):
        good = ["--networks", "resnet20", "--fabrics", "mesh", "--images", "1"]

        def swap(option, value):
            words = list(good)
            words[words.index(option) + 1] = value
            return words

        self.refused("compare", words=["--networks"], rc=2)
        self.refused("compare", "--networks", "resnet20", words=["--fabrics"], rc=2)
        self.refused("compare", *swap("--networks", "nosuch"), words=["nosuch"])
        self.refused("compare", *swap("--networks", "resnet20,,resnet32"), words=["empty"], rc=2)
        self.refused("compare", *swap("--networks", "resnet20,resnet20"), words=["twice"], rc=2)
        self.refused("compare", *swap("--fabrics", "mash"), words=["mash", "mesh"])
        self.refused("compare", *swap("--fabrics", "mesh:rows=2,cols=2"), words=["resnet20", "mesh:rows=2,cols=2", "4 cores"])
        self.refused("compare", *swap("--images", "0"), words=["images"], rc=2)
        self.refused("compare", *good, "--normalise", "length", words=["length", "wire"])
        self.refused("compare", *good, "--arrays", "256", words=["256x256"], rc=2)
        self.refused("compare", *good, "--draw", self.path("x.pdf"), words=[".svg"])
        kept = self.write("kept.h5", "mine")
        self.refused("compare", *good, "-o", kept, words=["kept.h5"])


if __name__ == "__main__":
    unittest.main()

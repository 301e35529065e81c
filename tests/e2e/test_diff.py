"""`report diff`: what changed between two reports, in words, units and JSON; `report csv` of every table."""
import csv
import io
import shutil
import unittest

import h5py
import numpy

from harness import Case, call, datasets, settings

FEW = settings(workload__images=4, simulate__images=20, quant__calib_images=2)


class Diff(Case):
    def setUp(self):
        _, self.a = self.run_once("resnet32-5pp.yaml", *FEW)
        _, self.b = self.run_once("resnet32-5pp.yaml", *FEW, *settings(fabric__lanes=2))

    def test_equal(self):
        r = self.done("report", "diff", self.a, self.a, "--exit-code")
        self.assertRegex(r.out, r"equal: \d\d figures and \d\d tables, relative tolerance 0")
        d = self.json("report", "diff", self.a, self.a)
        self.assertTrue(d["equal"])
        self.assertEqual((d["config"], d["figures"], d["tables"], d["only_a"], d["only_b"]), ([], [], [], [], []))

    def test_different(self):
        r = self.done("report", "diff", self.a, self.b)  # a difference is no failure
        for words in ("fabric.lanes: 4 -> 2", "/fabric/channel_gbps, rate of a network channel, all lanes: 20 -> 10 Gbit/s (-50 %)", "/timing/throughput_ips", "130 of 130 rows differ"):
            self.assertIn(words, r.out)
        self.assertIn("    utilisation, busy share, steady state: ", r.out)
        self.assertRegex(r.out, r"\n      channel \d+ \(r0c\d+ -> r0c\d+\): 20 -> 10 Gbit/s \(-50 %\)\n")  # what the number stands for
        self.assertRegex(r.out, r"\n      tile \d+ \([a-z]\w+[^)]*\): ")
        self.assertRegex(r.out, r"/run/command, .* -> .*fabric\.lanes=2\n")  # cut texts show where they part
        self.assertNotIn("equal", r.out)
        self.assertEqual(call("report", "diff", self.a, self.b, "--exit-code").rc, 1)

    def test_json_is_what_h5py_sees(self):
        d = self.json("report", "diff", self.a, self.b, "--rows", 1000)
        self.assertFalse(d["equal"])
        a, b = datasets(self.a), datasets(self.b)
        changed = {f["path"] for f in d["figures"]}
        for path, (value, _) in a.items():
            if value.dtype.names if hasattr(value, "dtype") else None:
                continue
            self.assertEqual(path in changed, value != b[path][0], path)
        tables = {t["path"]: t for t in d["tables"]}
        for path, (rows, _) in a.items():
            if not (rows.dtype.names if hasattr(rows, "dtype") else None) or path == "/run/config":
                continue
            columns = {c["name"]: c for c in tables.get(path, {"columns": []})["columns"]}
            for name in rows.dtype.names:
                differing = sum(x != y for x, y in zip(rows[name].tolist(), b[path][0][name].tolist()))
                self.assertEqual(columns.get(name, {"differing": 0})["differing"], differing, f"{path}/{name}")
                if differing:
                    self.assertEqual(len(columns[name]["rows"]), differing)
        self.assertIn({"setting": "fabric.lanes", "a": "4", "b": "2"}, d["config"])

    def test_tolerance(self):
        wide = self.json("report", "diff", self.a, self.b, "--tolerance", 0.03)
        paths = {f["path"] for f in wide["figures"]}
        self.assertIn("/fabric/channel_gbps", paths)       # a half
        self.assertNotIn("/timing/throughput_ips", paths)  # 2.4 %
        none = self.json("report", "diff", self.a, self.b, "--tolerance", 2)  # texts differ or do not
        self.assertEqual([f["path"] for f in none["figures"] if isinstance(f["a"], (int, float))], [])
        self.assertIn("/run/command", {f["path"] for f in none["figures"]})
        own = self.json("report", "diff", self.a, self.b, "--tolerance", "fabric=2", "--tolerance", "/timing=2", "--tolerance", "required_gbps=2", "--tolerance", "events=0", "--tolerance", "tops=3", "--tolerance", "bandwidth/channels/share=0.6")
        paths = {f["path"] for f in own["figures"]}
        self.assertFalse({p for p in paths if p.startswith("/fabric")} | {f["path"] for f in own["figures"] if f["path"].startswith("/timing") and isinstance(f["a"], (int, float))} - {"/timing/events"})
        self.assertIn("/energy/power_w", paths)
        self.assertNotIn("/energy/tops", paths)
        columns = {t["path"]: {c["name"] for c in t["columns"]} for t in own["tables"]}
        self.assertNotIn("required_gbps", columns.get("/bandwidth/channels", ()))
        self.assertNotIn("/timing/cores", columns)
        apart = {f["path"]: abs(f["a"] - f["b"]) for f in self.json("report", "diff", self.a, self.b)["figures"] if isinstance(f["a"], (int, float))}
        limit = sorted(apart.values())[len(apart) // 2]
        near = self.json("report", "diff", self.a, self.b, "--absolute", repr(limit))
        self.assertEqual(near["absolute"], limit)
        self.assertEqual({f["path"] for f in near["figures"] if isinstance(f["a"], (int, float))}, {p for p in apart if apart[p] > limit})
        own = self.json("report", "diff", self.a, self.b, "--absolute", "timing=1e30", "--tolerance", "energy=2")
        left = {f["path"].split("/")[1] for f in own["figures"] if isinstance(f["a"], (int, float))}
        self.assertFalse(left & {"timing", "energy"})
        self.assertIn("fabric", left)
        self.refused("report", "diff", self.a, self.b, "--absolute", "energi=1", rc=2, words=["--absolute energi", "neither"])
        self.refused("report", "diff", self.a, self.b, "--absolute", "-1", rc=2, words=["--absolute", "units"])
        self.refused("report", "diff", self.a, self.b, "--tolerance", "energi=1", rc=2, words=["energi", "neither"])
        self.refused("report", "diff", self.a, self.b, "--tolerance", "=1", rc=2, words=["tolerance"])
        self.refused("report", "diff", self.a, self.b, "--tolerance", "much", rc=2, words=["tolerance"])
        self.refused("report", "diff", self.a, self.b, "--tolerance", "-1", rc=2, words=["tolerance"])

    def test_what_one_lacks(self):
        less = self.path("less.h5")
        shutil.copy(self.a, less)
        with h5py.File(less, "r+") as f:
            del f["timing/congested_by"], f["timing/cores"]
            rows = f["quant/stages"][:]
            del f["quant/stages"]
            f.create_dataset("quant/stages", data=rows[["name", "wbits"]][:-1])
        d = self.json("report", "diff", self.a, less)
        self.assertEqual(sorted(d["only_a"]), ["/timing/congested_by", "/timing/cores"])
        quant = next(t for t in d["tables"] if t["path"] == "/quant/stages")
        self.assertEqual(quant["rows_b"], quant["rows_a"] - 1)
        self.assertEqual(quant["rows_only_a"], [rows[-1]["name"].decode()])
        self.assertIn("kurtosis", quant["columns_only_a"])
        r = self.done("report", "diff", less, self.a)
        self.assertIn("\nOnly in B\n  /timing/congested_by, stages whose", r.out)

    def test_another_meaning_and_names_with_arrows(self):
        other = self.path("other.h5")
        shutil.copy(self.a, other)
        with h5py.File(other, "r+") as f:
            f["workload/macs"][()] = 5
            f["workload/macs"].attrs["description"] = numpy.bytes_("multiply-accumulates a token")
            del f["mapping/bound_by"]
            f["mapping/bound_by"] = numpy.bytes_("channel r0c0 -> r0c2")
        r = self.done("report", "diff", self.a, other)
        self.assertIn("/workload/macs, multiply-accumulates an inference (B: multiply-accumulates a token): ", r.out)
        self.assertIn(": core of conv1 -> 'channel r0c0 -> r0c2'", r.out)
        figures = {f["path"]: f for f in self.json("report", "diff", self.a, other)["figures"]}
        self.assertEqual(figures["/workload/macs"]["meaning_b"], "multiply-accumulates a token")
        self.assertNotIn("meaning_b", figures["/mapping/bound_by"])

    def test_rows_of_a_comparison(self):
        """Indices that name and fabric make needless are no part of a row's name."""
        files = [self.path(f"c{lanes}.h5") for lanes in (1, 2)]
        for lanes, path in enumerate(files, 1):
            self.done("compare", "--networks", "lenet5", "--fabrics", "mesh,ring", "--images", 1, "-o", path, *settings(fabric__lanes=lanes))
        r = self.done("report", "diff", *files)
        self.assertRegex(r.out, r"\n      lenet5, mesh:rows=\d+,cols=\d+, 1, best: 5 -> 10 Gbit/s \(\+100 %\)\n")

    def test_damaged(self):
        with open(self.a, "rb") as f:
            cut = self.write("cut.h5", f.read()[:5000])
        self.refused("report", "diff", self.a, cut, words=["cut.h5"])
        self.refused("report", "diff", self.a, rc=2)

    def test_csv_by_name_and_path(self):
        listed = [line.split() for line in self.done("report", "csv", self.a).out.splitlines()]
        found = datasets(self.a)
        tables = sorted(p for p, (v, _) in found.items() if (v.dtype.names if hasattr(v, "dtype") else None))
        paths = [next(word for word in line if word.startswith("/")) for line in listed]
        self.assertEqual(sorted(paths), tables)
        for line, path in zip(listed, paths):
            self.assertNotEqual(line[0], path, f"{path} has no short name")
            by_path = self.done("report", "csv", self.a, path).out
            self.assertEqual(by_path, self.done("report", "csv", self.a, line[0]).out)
            self.assertEqual(len(list(csv.DictReader(io.StringIO(by_path)))), len(found[path][0]))


if __name__ == "__main__":
    unittest.main()

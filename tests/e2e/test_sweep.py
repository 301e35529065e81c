"""sweep: a grid of settings, kept and taken up again."""
import csv
import os
import shutil
import signal
import subprocess
import time
import unittest

from harness import BIN, Case, call, example

JOSHI = example("joshi2020-resnet32.yaml")
FEW = ["--set", "simulate.images=5"]


def rows(path):
    with open(path, newline="") as f:
        return list(csv.DictReader(f))


class Sweep(Case):
    def sweep(self, out, *more, file=JOSHI):
        return self.json("sweep", file, *FEW, "-o", self.path(out), *more)

    def test_a_grid(self):
        """Every combination once, the last setting fastest; each row says what the single run says."""
        d = self.sweep("a.csv", "--grid", "fabric.lanes=1,4", "--grid", "fabric.kind=5pp,mesh", "-j", "2")
        self.assertEqual((d["points"], d["kept"], d["failed"]), (4, 0, 0))
        table = rows(self.path("a.csv"))
        self.assertEqual([(r["fabric.lanes"], r["fabric.kind"]) for r in table], [("1", "5pp"), ("1", "mesh"), ("4", "5pp"), ("4", "mesh")])
        single = self.json("simulate", JOSHI, *FEW, "--set", "fabric.lanes=1", "--set", "fabric.kind=mesh", "-o", self.path("s.h5"))
        for key in ("initiation_interval_ps", "latency_first_us", "cores_used", "certificate"):
            self.assertEqual(str(single[key]), table[1][key], key)
        self.assertTrue(all(r["error"] == "" for r in table))
        self.sweep("b.csv", "--grid", "fabric.lanes=1,4", "--grid", "fabric.kind=5pp,mesh", "-j", "1")
        with open(self.path("a.csv"), "rb") as one, open(self.path("b.csv"), "rb") as other:
            self.assertEqual(one.read(), other.read())

    def test_what_is_done_is_kept(self):
        grid = ["--grid", "fabric.lanes=1,2"]
        self.sweep("k.csv", *grid)
        self.refused("sweep", JOSHI, *FEW, *grid, "-o", self.path("k.csv"), words=["k.csv"])
        d = self.sweep("k.csv", "--grid", "fabric.lanes=1,2,4", "--force")
        self.assertEqual((d["points"], d["kept"]), (3, 2))
        d = self.sweep("k.csv", "--grid", "fabric.lanes=1,2", "--set", "quant.wbits=3", "--force")
        self.assertEqual(d["kept"], 0)  # other settings, other points
        mine = self.path("mine.yaml")
        shutil.copy(JOSHI, mine)
        self.assertEqual(self.sweep("k.csv", *grid, "--force", file=mine)["kept"], 2)  # the same content
        with open(mine, "a") as f:
            f.write("# changed\n")
        self.assertEqual(self.sweep("k.csv", *grid, "--force", file=mine)["kept"], 0)

    def test_a_sweep_that_is_killed_goes_on(self):
        out = self.path("killed.csv")
        words = [BIN, "sweep", JOSHI, "--set", "simulate.images=200", "--set", "simulate.exact=true", "--grid",
                 "simulate.seed=" + ",".join(map(str, range(1, 13))), "-o", out, "-j", "1", "--quiet"]
        p = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        points = out + ".points"
        limit = time.monotonic() + 120
        while time.monotonic() < limit and not (os.path.isdir(points) and [n for n in os.listdir(points) if n.endswith(".json")]):
            time.sleep(0.02)
        os.killpg(p.pid, signal.SIGKILL)
        p.wait()
        done = len([n for n in os.listdir(points) if n.endswith(".json")])
        self.assertGreater(done, 0)
        self.assertFalse(os.path.exists(out))
        d = self.json(*words[1:-1])
        self.assertEqual((d["points"], d["failed"]), (12, 0))
        self.assertGreaterEqual(d["kept"], done)
        self.assertEqual(len(rows(out)), 12)

    def test_hdf5(self):
        """The same table as HDF5: numbers as numbers, units of the report; a page and figures of it."""
        import h5py
        from harness import text
        out, csv_ = self.path("t.h5"), self.path("t-rows.csv")
        r = call("sweep", JOSHI, *FEW, "--grid", "fabric.lanes=1,2,4", "--grid", "fabric.kind=5pp,mesh", "--grid", "arch.rows=512,0", "--jobs", "2", "-o", out, "--csv", csv_)
        self.assertEqual(r.rc, 1)  # points that failed
        table = rows(csv_)
        with h5py.File(out) as f:
            self.assertEqual(text(f.attrs["schema"]), "pentaprism-sweep/1")
            self.assertEqual((int(f["sweep/points"][()]), int(f["sweep/failed"][()]), text(f["sweep/model"][()])), (12, 6, "resnet32-cifar10"))
            self.assertEqual([(text(s["name"]), int(s["values"])) for s in f["sweep/settings"]], [("fabric.lanes", 3), ("fabric.kind", 2), ("arch.rows", 2)])
            data, units = f["sweep/rows"][:], dict(u.split(": ") for u in text(f["sweep/rows"].attrs["units"]).split("; "))
        self.assertEqual(list(data.dtype.names), list(table[0]))
        self.assertEqual((data.dtype["fabric.lanes"].kind, data.dtype["throughput_ips"].kind, data.dtype["fabric.kind"].kind), ("i", "f", "S"))
        self.assertEqual((units["throughput_ips"], units["latency_first_us"], units["fabric.lanes"]), ("1/s", "us", "lanes"))
        for have, want in zip(data, table):
            for name in data.dtype.names:
                if data.dtype[name].kind == "S":
                    self.assertEqual(text(have[name]), want[name], name)
                else:
                    self.assertTrue(want[name] == "" and have[name] != have[name] or float(want[name]) == float(have[name]), name)
        self.done("report", "html", out, "-o", self.path("t.html"))
        with open(self.path("t.html")) as f:
            page = f.read()
        for words in ("Sweep of resnet32-cifar10", "Highest throughput", "6 failed", "pentaprism sweep joshi2020-resnet32.yaml"):
            self.assertIn(words, page)
        self.assertNotIn("--jobs", page.split("</h1>")[1][:600])
        self.done("report", "plot", out, "-o", self.path("t.svg"))
        with open(self.path("t.svg")) as f:
            figure = f.read()
        for words in ("throughput_ips, 1/s", "fabric.lanes", "fabric.kind 5pp, arch.rows 512", "fabric.kind mesh, arch.rows 512"):
            self.assertIn(words, figure)
        self.done("report", "plot", out, "--x", "fabric.kind", "--y", "latency_first_us", "--by", "fabric.lanes", "-o", self.path("t.png"))
        for args, words in ((["--y", "latncy_first_us", "-o", self.path("u.svg")], ["did you mean latency_first_us"]), (["--y", "fabric", "-o", self.path("u.svg")], ["texts"]), ([], ["-o"]),
                            (["stages", "-o", self.path("u.svg")], ["not in this report"])):
            self.refused("report", "plot", out, *args, rc=2, words=words)
        self.refused("report", "plot", out, "-o", self.path("u.pdf"), words=[".svg"])
        self.refused("report", "plot", out, "-o", self.path("t.svg"), words=["exists"])

    def test_stopped_by_hand(self):
        """Ctrl-C in the middle: one line, no table, no half-written point; the same command goes on."""
        out = self.path("stopped.h5")
        words = [BIN, "sweep", JOSHI, "--set", "simulate.images=200", "--set", "simulate.exact=true", "--grid", "simulate.seed=" + ",".join(map(str, range(1, 9))), "-o", out, "--jobs", "2", "--quiet"]
        p = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        points, limit = out + ".points", time.monotonic() + 120
        while time.monotonic() < limit and not (os.path.isdir(points) and [n for n in os.listdir(points) if n.endswith(".json")]):
            time.sleep(0.02)
        p.send_signal(signal.SIGINT)
        self.assertEqual(p.wait(60), -signal.SIGINT)
        line = p.stderr.read()
        p.stderr.close()
        done = len([n for n in os.listdir(points) if n.endswith(".json")])
        self.assertEqual(line, f"pentaprism: sweep: interrupted; {done} of 8 points are kept in {points}, the same command goes on from there\n")
        self.assertTrue(0 < done < 8)
        self.assertFalse(os.path.exists(out))
        self.assertEqual({os.path.splitext(n)[1] for n in os.listdir(points)} - {".json", ".h5"}, set())
        d = self.json(*words[1:-1])
        self.assertEqual((d["points"], d["kept"], d["failed"]), (8, done, 0))

    def test_a_point_that_fails(self):
        out = self.path("f.csv")
        r = call("sweep", JOSHI, *FEW, "--grid", "fabric.rows=1,0|2", "--grid", "arch.rows=512,0", "-o", out)
        self.assertEqual(r.rc, 1)
        self.assertIn("failed", r.err)
        table = rows(out)
        self.assertEqual(len(table), 4)
        good = [t for t in table if not t["error"]]
        for t in table:
            self.assertEqual(bool(t["error"]), t["arch.rows"] == "0" or t["fabric.rows"] == "1,0", t)
        self.assertEqual(len(good), 1)
        self.assertIn("arch.rows", next(t["error"] for t in table if t["arch.rows"] == "0" and t["fabric.rows"] == "2"))

    def test_wrong_usage(self):
        out = ["-o", self.path("u.csv")]
        for args, words in (([JOSHI, *out], ["--grid"]), ([JOSHI, "--grid", "fabric.lanes=1"], ["-o"]),
                            ([JOSHI, "--grid", "fabric.lanes", *out], ["section.key"]), ([JOSHI, "--grid", "fabric.lanes=", *out], ["section.key"]),
                            ([JOSHI, "--grid", "fabric.lanes=1", "--command", "simulat", *out], ["did you mean simulate"])):
            self.refused("sweep", *args, rc=2, words=words)
        self.refused("sweep", JOSHI, "--grid", "fabric.lane=1", *out, words=["fabric.lane", "did you mean"])
        self.refused("sweep", self.path("no.yaml"), "--grid", "fabric.lanes=1", *out, words=["no.yaml"])


if __name__ == "__main__":
    unittest.main(verbosity=2)

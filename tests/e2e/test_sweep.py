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
        self.refused("sweep", self.path("no.yaml"), "--grid", "fabric.lanes=1", *out, words=["no.yaml"])


if __name__ == "__main__":
    unittest.main(verbosity=2)

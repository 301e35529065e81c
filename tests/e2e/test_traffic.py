"""`traffic`: what it prints, writes and refuses."""
import json
import os
import unittest
import xml.etree.ElementTree as xml

import h5py

from harness import Case, call

KEYS = """fabric pattern rate packet_latency_cycles network_latency_cycles ci95_cycles accepted_rate hops_mean
routers_mean cycles flit_hops wall_s saturated""".split()
QUICK = ("--cycles", "3000", "--warmup", "500")


class Traffic(Case):
    def run_json(self, *args):
        return json.loads(self.done("traffic", *args, "--json").out)

    def line(self, *args):
        """The one line with which the program refuses."""
        r = call("traffic", *args)
        self.assertIn(r.rc, (1, 2), args)
        self.assertEqual(len(r.err.splitlines()), 1, r.err)
        self.assertEqual(r.out, "")
        return r.err

    def test_one_load(self):
        d = self.run_json("mesh:rows=4,cols=4", "--rate", "0.1", *QUICK)
        for key in KEYS:
            self.assertIn(key, d)
        self.assertAlmostEqual(d["routers_mean"], d["hops_mean"] + 1)
        self.assertAlmostEqual(d["accepted_rate"], 0.1, delta=0.01)
        # zero load at the measured hops, and little more
        self.assertGreater(d["packet_latency_cycles"], 2 + 4 * d["routers_mean"] - 1e-9)
        self.assertLess(d["packet_latency_cycles"], 3 + 4 * d["routers_mean"])

    def test_threads_change_nothing(self):
        a, b = (self.run_json("torus:rows=4,cols=4", "--rate", "0.2", *QUICK, "-j", j) for j in "13")
        del a["wall_s"], b["wall_s"]
        self.assertEqual(a, b)

    def test_files(self):
        fabrics = ("mesh:rows=3,cols=3", "ring:cores=9")
        for name in ("a.csv", "a.h5", "a.svg", "a.png"):
            path = self.path(name)
            self.done("traffic", *fabrics, "--rates", "0.05,0.2", *QUICK, "-o", path)
            self.assertGreater(os.path.getsize(path), 500)
            self.assertIn(name, self.line(*fabrics, "--rates", "0.05,0.2", *QUICK, "-o", path))
        with open(self.path("a.csv")) as f:
            self.assertEqual(len(f.readlines()), 2 + 4)
        self.assertIn("ring:cores=9", "".join(xml.parse(self.path("a.svg")).getroot().itertext()))
        with h5py.File(self.path("a.h5")) as f:
            self.assertEqual(f.attrs["schema"].decode() if isinstance(f.attrs["schema"], bytes) else f.attrs["schema"],
                             "pentaprism-traffic/1")
            self.assertEqual(len(f["/traffic/points"]), 4)
            self.assertEqual(list(f["/traffic/points"]["curve"]), [0, 0, 1, 1])

    def test_saturation_and_sweep(self):
        d = self.run_json("mesh:rows=2,cols=2", "--pattern", "hotspot1", "--saturation", "--latency-limit", "200")
        self.assertLess(abs(d["saturation_rate"] - 0.25), 0.02)
        d = self.run_json("mesh:rows=2,cols=2", "--rates", "0.1:0.3:0.1", *QUICK)
        self.assertEqual([round(r["rate"], 6) for r in d["rows"]], [0.1, 0.2, 0.3])

    def test_bad_input(self):
        mesh = "mesh:rows=2,cols=3"
        for args, words in ((("--vcs", "0"), "VCs"), (("--rate", "1.5"), "up to 1"), (("--pattern", "transpose"), "power of two"),
                            (("--switching", "vct", "--packet-flits", "9"), "cannot hold"), (("--buffer", "0"), "at least 1"),
                            (("--routing", "nowhere"), "nowhere"), (("--pattern", "trace:none.csv"), "none.csv"),
                            (("--router", "noxim"), "preset"), (("--rates", "0.2,0.1"), "rise"), (("--rate", "x"), "number")):
            self.assertIn(words, self.line(mesh, *args), args)


if __name__ == "__main__":
    unittest.main()

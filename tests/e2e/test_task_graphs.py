"""Task graphs: the interval by hand, certificates, comparison, bad files."""
import os
import unittest

from harness import Case, settings

FILE = os.path.join("examples", "taskgraph.graphml")
RUN = os.path.join("examples", "taskgraph.yaml")


class TaskGraphs(Case):
    def run_it(self, name, **knobs):
        return self.json("run", RUN, "-o", self.path(name), "--force", *settings(**knobs))

    def test_channel_sets_the_interval(self):
        d = self.run_it("a.h5")
        self.assertEqual(d["bound_initiation_interval_ps"], 3276800)  # 16384 bits at 5 Gbit/s
        self.assertEqual(d["initiation_interval_ps"], 3276800)
        shown = self.done("report", "show", self.path("a.h5")).out
        for words in ("  tasks           8, none with a matrix\n", "  cores           8 of 8 used, 1 copy\n", "\n  power ", "for port out of r0c0;"):
            self.assertIn(words, shown)
        self.assertNotRegex(shown, "TOPS|crossbar|MVM")

    def test_task_sets_the_interval(self):
        d = self.run_it("b.h5", fabric__rate_gbps=40)
        self.assertEqual(d["bound_initiation_interval_ps"], 1500000)  # fft-a, fft-b
        self.assertEqual(d["initiation_interval_ps"], 1500000)

    def test_work_in_operations(self):
        # 4096 operations, 16 a clock: 256 clocks; at 100 MHz 2.56 us, longer than all else
        d = self.run_it("c.h5", fabric__rate_gbps=40, arch__clock_hz=100000000)
        self.assertEqual(d["initiation_interval_ps"], 2560000)

    def test_certificate(self):
        file = self.path("c.json")
        self.json("map", "--network", FILE, "--fabric", "mesh", "--certificate", file, "--force")
        self.assertTrue(self.json("map", "--verify", file)["valid"])

    def test_compare(self):
        d = self.json("compare", "--networks", FILE, "--fabrics", "mesh,ring", "--images", "4")
        self.assertEqual({row["fabric"].split(":")[0] for row in d["rows"]}, {"mesh", "ring"})

    def test_bad_files(self):
        with open(os.path.join(os.path.dirname(__file__), "..", "..", FILE)) as f:
            good = f.read()
        for old, new, words in (("target=\"log\"", "target=\"lag\"", ["no node 'lag'"]),
                                ("400000", "-4", ["taskgraph", "found '-4'"]),
                                ("edgedefault=\"directed\"", "edgedefault=\"undirected\"", ["directed"]),
                                ("</graph>", "", ["closes what is not open"])):
            bad = self.write("bad.graphml", good.replace(old, new, 1))
            self.refused("model", "show", bad, words=["bad.graphml"] + [w for w in words if w != "taskgraph"])


if __name__ == "__main__":
    unittest.main()

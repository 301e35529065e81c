"""Switching models in the pipeline: the published case in every mode, values over flits, who waits for whom."""
import unittest

import h5py

from harness import Case, example, settings, text

LANE = settings(fabric__lanes=1, simulate__images=8)


class Switching(Case):
    def simulate(self, name, **pairs):
        report = self.path(name + ".h5")
        return self.json("simulate", example("joshi2020-resnet32.yaml"), "-o", report, *LANE, *settings(**pairs)), report

    def test_a_receiver_a_link_gives_the_same_interval_in_every_mode(self):
        for mode in ("ideal", "saf", "vct", "flit"):
            d, _r = self.simulate(mode, simulate__switching=mode)
            self.near(d["initiation_interval_ps"], 26214400, 0.001)
            self.assertGreaterEqual(d["initiation_interval_ps"], d["bound_initiation_interval_ps"])

    def test_one_ejection_port_shows_its_bound(self):
        for mode, share in (("saf", 0.001), ("vct", 0.001), ("flit", 0.01)):
            d, report = self.simulate("port-" + mode, simulate__switching=mode, fabric__local_ports=1)
            self.assertEqual(d["bound_initiation_interval_ps"], 52428800)
            self.near(d["initiation_interval_ps"], 52428800, share)
            self.assertIn("port", d["congested_channel"])
            self.assertIn("%", d["congested_by"])
            with h5py.File(report, "r") as f:
                rows, channels = f["/timing/congestion"][()], f["/timing/channels"][()]
            self.assertGreater(len(rows), 0)
            for c in set(rows["channel"]):
                mine = rows[rows["channel"] == c]
                wait, blocked = channels["wait_ps"][c], channels["blocked_ps"][c]
                if mode == "flit":  # shared out by bits
                    self.near(float(mine["caused_ps"].sum()), float(wait), 0.001)
                    self.assertLessEqual(blocked, wait)
                else:
                    self.assertEqual(mine["caused_ps"].sum() + blocked, wait)
                    self.assertEqual(mine["waited_ps"].sum(), wait)

    def test_values_ride_flits(self):
        d, _r = self.simulate("values", simulate__switching="flit", simulate__execute=1, simulate__images=1,
                              quant__calib_images=2)
        self.assertEqual(d["executed"], 1)  # equal to the integer reference, or the run fails

    def test_the_example_runs(self):
        run = ["simulate", example("resnet50-flit.yaml"), "--force", "-o", self.path("example.h5")]
        d = self.json(*run, *settings(simulate__switching="vct", simulate__images=1))
        self.assertEqual((d["network"], d["switching"]), ("resnet50", "vct"))
        d = self.json(*run, *settings(workload__model="resnet20", simulate__images=1))
        self.assertEqual(d["switching"], "flit")
        self.assertGreaterEqual(d["latency_first_us"], d["bound_latency_us"])

    def test_kernels_agree(self):
        a, _r = self.simulate("native", simulate__switching="flit", simulate__images=2)
        b, _r = self.simulate("systemc", simulate__switching="flit", simulate__images=2, simulate__kernel="systemc")
        for key in ("initiation_interval_ps", "latency_first_us", "events"):
            self.assertEqual(a[key], b[key])

    def test_refused(self):
        run = ["simulate", example("joshi2020-resnet32.yaml"), "-o", self.path("no.h5"), *LANE]
        flit = settings(simulate__switching="flit")
        self.refused(*run, *settings(simulate__switching="wormhole"), words=["wormhole", "flit"])
        self.refused(*run, *flit, *settings(simulate__vcs=65), words=["simulate.vcs"])
        self.refused(*run, *flit, *settings(simulate__router="cisco"), words=["cisco"])
        self.refused(*run, *flit, *settings(simulate__buffer_flits=4), words=["4", "flit"])


if __name__ == "__main__":
    unittest.main()

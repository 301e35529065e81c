"""The published case and what stands around it: papers/joshi2020.md tells the story of these figures."""
import re
import unittest

from harness import QUICK, SIMULATED, Case, settings

FILE = "joshi2020-resnet32.yaml"
SOME = settings(simulate__images=SIMULATED) + QUICK
ONE_LANE = settings(fabric__lanes=1)
MESH = settings(fabric__lanes=1, fabric__local_ports="per_link", fabric__kind="mesh")


class Published(Case):
    def keys(self, *more):
        return self.run_once(FILE, *SOME, *more)[0]

    def test_published_figures(self):
        k = self.keys()
        self.assertEqual(k["certificate"], "embedding")
        self.assertEqual((k["cores_used"], k["n_flows"], k["single_channel_flows"]), (34, 48, 48))
        self.near(k["throughput_ips"], 38600, 0.02)
        self.near(k["latency_first_us"], 52, 0.03)
        # the independent recurrence with four lanes
        self.near(k["latency_first_us"], 51.70, 0.002)
        self.assertEqual(k["initiation_interval_ps"], 25_600_000)

    def test_recurrence_one_lane(self):
        """Latency and interval of an independent recurrence, one flow a channel."""
        table = [("32:1x1,16:1x1", 163.69, 102.400), ("32:2x2,16:1x1", 72.91, 26.2144),
                 ("32:2x2,16:2x2", 73.47, 26.2144), ("32:1x4,16:1x1", 65.36, 26.2144),
                 ("32:1x4,16:1x4", 58.85, 26.2144), ("32:1x4,16:1x2", 57.82, 26.2144)]
        for unroll, latency_us, interval_us in table:
            with self.subTest(unroll=unroll):
                k = self.keys(*ONE_LANE, *settings(mapping__unroll=unroll))
                self.near(k["latency_first_us"], latency_us, 0.02)
                self.near(k["initiation_interval_ps"] * 1e-6, interval_us, 0.005)
                self.assertEqual(k["certificate"], "embedding")

    def test_auto_unroll(self):
        four = self.keys(*settings(mapping__unroll="auto"))
        self.near(four["throughput_ips"], 78125, 0.005)
        self.near(four["latency_first_us"], 35.18, 0.02)
        self.assertEqual(four["cores_used"], 34)
        one = self.keys(*ONE_LANE, *settings(mapping__unroll="auto"))
        self.near(one["throughput_ips"], 38147, 0.005)
        self.assertLessEqual(one["latency_first_us"], 57.82 * 1.02)

    def test_snake_on_a_mesh_doubles_the_interval(self):
        one = self.keys(*ONE_LANE)
        snake = self.keys(*MESH, *settings(fabric__rows=6, fabric__cols=6, mapping__placement="snake",
                                           fabric__routing="xy"))
        self.assertEqual(snake["certificate"], "routed")
        self.near(snake["initiation_interval_ps"] / one["initiation_interval_ps"], 2, 0.05)

    def test_zigzag_on_a_mesh_does_not(self):
        one = self.keys(*ONE_LANE)
        best = self.keys(*MESH, *settings(fabric__rows=4, fabric__cols=17))
        self.assertEqual(best["certificate"], "disjoint")
        self.near(best["initiation_interval_ps"] / one["initiation_interval_ps"], 1, 0.01)
        # what remains for 5pp: one hop instead of two
        self.assertGreater(best["max_hops"], one["max_hops"])

    def test_one_port_bounds_every_fabric(self):
        """A residual core receives two maps of 131,072 bits: 52.4 us through one port of 5 Gbit/s."""
        k = self.keys(*ONE_LANE, *settings(fabric__local_ports=1))
        self.near(k["bound_initiation_interval_ps"], 52_428_800, 0.001)
        self.assertIn("port", k["bound_by"])

    def test_ideal_switching_is_never_slower(self):
        snake = [*MESH, *settings(fabric__rows=6, fabric__cols=6, mapping__placement="snake", fabric__routing="xy")]
        shared = self.keys(*snake)
        private = self.keys(*snake, *settings(simulate__switching="ideal"))
        self.assertLess(private["initiation_interval_ps"], shared["initiation_interval_ps"])


    def test_store_and_forward_waits_for_whole_packets(self):
        zigzag = [*MESH, *settings(fabric__rows=4, fabric__cols=17)]  # two hops, nothing shared
        cut = self.keys(*zigzag)
        stored = self.keys(*zigzag, *settings(simulate__switching="saf"))
        self.assertGreater(stored["latency_first_us"], cut["latency_first_us"])


class Deadlock(Case):
    def test_names_operators_and_buffer(self):
        line = self.refused("run", "examples/" + FILE, "-o", self.path("d.h5"), *settings(mapping__buffers=4), *QUICK,
                            words=["deadlock", re.compile(r"a buffer of \d+ positions")])
        operators = {o["name"] for o in self.json("model", "show", "resnet32-cifar10")["operators"]}
        named = [o for o in operators if o in line]
        self.assertGreaterEqual(len(named), 2, line)


if __name__ == "__main__":
    unittest.main(verbosity=2)

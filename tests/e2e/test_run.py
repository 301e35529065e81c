"""The main job: `run` of the example, its keys, its determinism."""
import unittest

from harness import EVALUATED, QUICK, SHORT, SIMULATED, Case, datasets, example, settings

KEYS = """network fabric cores_used unroll_max copies_max certificate images throughput_ips latency_first_us
initiation_interval_ps bound_initiation_interval_ps bound_latency_us max_channel_required_gbps
mean_channel_required_gbps max_port_required_gbps max_channel_utilisation events wall_s simulate_s
top1_float top1_quant top1_crossbar report""".split()
FEW = settings(workload__images=EVALUATED if SHORT else 64, simulate__images=20, quant__calib_images=2 if SHORT else 64)


class MainJob(Case):
    def main_run(self):
        more = FEW if SHORT else []
        return self.run_once("resnet32-5pp.yaml", *more)

    def test_has_every_key(self):
        keys, report = self.main_run()
        for key in KEYS:
            self.assertIn(key, keys)
        self.assertEqual(keys["report"], report)
        self.assertEqual(keys["images"], SIMULATED)
        self.assertEqual(keys["network"], "resnet32-cifar10")

    def test_respects_its_bounds(self):
        keys, _ = self.main_run()
        self.assertGreaterEqual(keys["initiation_interval_ps"], keys["bound_initiation_interval_ps"])
        self.assertGreaterEqual(keys["latency_first_us"], keys["bound_latency_us"] * 0.999999)
        self.assertLessEqual(keys["max_channel_utilisation"], 1.0)
        self.near(keys["throughput_ips"], 1e12 / keys["initiation_interval_ps"], 1e-6)

    def test_embeds_in_one_row(self):
        keys, _ = self.main_run()
        self.assertEqual((keys["fabric"], keys["cores_used"]), ("5pp:rows=1,cols=34", 34))
        self.assertEqual(keys["certificate"], "embedding")
        self.assertEqual(keys["n_flows"], keys["single_channel_flows"])

    @unittest.skipIf(SHORT, "too few images for accuracy")
    def test_accuracy(self):
        keys, _ = self.main_run()
        self.assertEqual(keys["eval_images"], EVALUATED)
        self.assertAlmostEqual(keys["top1_float"], 0.943, delta=0.0015)
        self.assertLessEqual(keys["top1_float"] - keys["top1_quant"], 0.03 + 1e-9)
        self.assertLessEqual(keys["top1_float"] - keys["top1_crossbar"], 0.03 + 1e-9)

    def test_simulate_is_run_without_accuracy(self):
        keys = self.json("simulate", example("resnet32-5pp.yaml"), "-o", self.path("s.h5"), *FEW)
        self.assertNotIn("top1_float", keys)
        full, _ = self.run_once("resnet32-5pp.yaml", *FEW)
        for key in ("throughput_ips", "latency_first_us", "events", "certificate"):
            self.assertEqual(keys[key], full[key])

    def test_prints_a_summary_for_people(self):
        r = self.done("run", example("resnet32-5pp.yaml"), "-o", self.path("people.h5"), *FEW)
        for words in ("resnet32-cifar10 on 5pp:rows=1,cols=34", "throughput", "certificate     embedding", "top-1 float",
                      "after the links published for the 64-core chip"):
            self.assertIn(words, r.out)
        self.assertEqual(r.err, "")

    def test_default_report_stands_in_the_current_folder(self):
        import os
        here = self.path("here")
        os.mkdir(here)
        keys = self.json("simulate", example("joshi2020-resnet32.yaml"), *settings(simulate__images=3), *QUICK, cwd=here)
        self.assertEqual(keys["report"], "joshi2020-resnet32.h5")
        self.assertEqual(os.listdir(here), ["joshi2020-resnet32.h5"])


class Determinism(Case):
    def bytes_of(self, *more):
        _keys, report = self.run_once("resnet32-5pp.yaml", *FEW, *more)
        with open(report, "rb") as f:
            return f.read()

    def test_threads_do_not_matter(self):
        one = self.bytes_of("-j", "1")
        self.assertEqual(one, self.bytes_of("-j", "2"))
        self.assertEqual(one, self.bytes_of("-j3"))

    def test_kernels_agree(self):
        native, report = self.run_once("resnet32-5pp.yaml", *FEW, "-j", "1")
        systemc, other = self.run_once("resnet32-5pp.yaml", *FEW, *settings(simulate__kernel="systemc"))
        self.assertEqual((native["kernel"], systemc["kernel"]), ("native", "systemc"))
        for key in native:
            if key not in ("wall_s", "simulate_s", "report", "kernel"):
                self.assertEqual(native[key], systemc[key], key)
        a, b = datasets(report), datasets(other)
        self.assertEqual(a.keys(), b.keys())
        for path in a:
            if path not in ("/run/config", "/run/command"):
                self.assertEqual(a[path][0].tobytes() if hasattr(a[path][0], "tobytes") else a[path][0],
                                 b[path][0].tobytes() if hasattr(b[path][0], "tobytes") else b[path][0], path)

    def test_timing_does_not_depend_on_extrapolation(self):
        file, some = "joshi2020-resnet32.yaml", [*settings(simulate__images=20), *QUICK]
        plain, _ = self.run_once(file, *some)
        exact, _ = self.run_once(file, *some, *settings(simulate__exact="true"))
        for key in ("throughput_ips", "latency_first_us", "initiation_interval_ps", "max_channel_utilisation"):
            self.assertEqual(plain[key], exact[key], key)

    def test_placement_search_follows_the_seed(self):
        file = "joshi2020-resnet32.yaml"
        mesh = settings(fabric__kind="mesh", fabric__rows=6, fabric__cols=6, mapping__placement="search",
                        mapping__effort=20, simulate__images=3) + QUICK
        a = self.run_once(file, *mesh, "--seed", "7", "-j", "1")[1]
        b = self.run_once(file, *mesh, "--seed", "7", "-j", "2")[1]
        with open(a, "rb") as f, open(b, "rb") as g:
            self.assertEqual(f.read(), g.read())


class OtherExamples(Case):
    def test_chip_of_64_cores(self):
        keys, _ = self.run_once("resnet32-8x8.yaml", *settings(workload__images=4, simulate__images=SIMULATED,
                                                               quant__calib_images=2))
        self.assertEqual(keys["cores_used"], 43)
        self.assertIn(keys["certificate"], ("disjoint", "routed"))
        self.assertGreaterEqual(keys["initiation_interval_ps"], keys["bound_initiation_interval_ps"])

    def test_own_fabric(self):
        keys, _ = self.run_once("fabric-own.yaml", *settings(simulate__images=SIMULATED), *QUICK)
        self.assertEqual(keys["fabric"], "file:fabric-own.graphml")
        self.assertEqual(keys["n_cores"], 36)
        row, _ = self.run_once("joshi2020-resnet32.yaml", *settings(mapping__unroll="auto", simulate__images=SIMULATED),
                               *QUICK)
        # The snake of the file is a row of 5pp: what embeds there embeds here.
        self.assertEqual(keys["certificate"], "embedding")
        self.assertEqual(keys["throughput_ips"], row["throughput_ips"])


if __name__ == "__main__":
    unittest.main(verbosity=2)

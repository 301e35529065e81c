"""Mappings as certificates: written, verified, tampered with."""
import json
import re
import unittest

from harness import Case, call, example, settings

KEYS = """network fabric tiles cores_used certificate flows single_channel_flows max_hops
bound_initiation_interval_ps bound_latency_us""".split()


class Certificate(Case):
    def test_map_prints_the_contract(self):
        d = self.json("map", "--network", "resnet32-cifar10", "--fabric", "5pp", *settings(arch__rows=512, arch__cols=512))
        for key in KEYS:
            self.assertIn(key, d)
        self.assertEqual((d["certificate"], d["cores_used"], d["flows"]), ("embedding", 34, 48))
        r = self.done("map", example("joshi2020-resnet32.yaml"))
        self.assertIn("certificate embedding", r.out)

    def written(self, name, *args):
        out = self.path(name)
        self.json("map", *args, "--certificate", out)
        return out

    def test_own_certificates_verify(self):
        for i, args in enumerate((
                ["--network", "resnet32-cifar10", "--fabric", "5pp"],
                ["--network", "resnet32-cifar10", "--fabric", "mesh", *settings(mapping__effort=20)],
                ["--network", "resnet20", "--fabric", "torus", *settings(mapping__effort=20)],
                [example("resnet32-8x8.yaml")])):
            with self.subTest(args=args):
                out = self.written(f"own{i}.json", *args)
                self.assertIs(self.json("map", "--verify", out)["valid"], True)
                self.assertIn("valid", self.done("map", "--verify", out).out)

    def test_one_layer_a_core(self):
        """Blocks in a chain embed in 5pp; relays where a join and a fan-out are too much for one core."""
        for name, cores in (("densenet121", 237), ("googlenet", 102)):
            with self.subTest(name=name):
                out = self.path(f"{name}.json")
                d = self.json("map", "--network", name, "--fabric", "5pp", "--layer-a-core", "--certificate", out)
                self.assertEqual((d["certificate"], d["cores_used"], d["max_hops"]), ("embedding", cores, 1))
                self.assertEqual(d["single_channel_flows"], d["flows"])
                self.assertIs(self.json("map", "--verify", out)["valid"], True)

    def test_switches(self):
        """Thousands of tiles are not needed to see that cores share a switch."""
        for fabric in ("cmesh", "fattree", "htree"):
            with self.subTest(fabric=fabric):
                out = self.written(f"{fabric}.json", "--network", "resnet20", "--fabric", fabric,
                                   *settings(mapping__effort=5))
                self.assertIs(self.json("map", "--verify", out)["valid"], True)

    def test_too_small(self):
        self.refused("map", "--network", "resnet32-cifar10", "--fabric", "mesh:rows=3,cols=3", words=["3", "cores"])
        self.refused("map", "--network", "resnet50:relays=2", "--fabric", "mesh", words=["relays"])

    def test_certificate_is_kept(self):
        out = self.written("kept.json", "--network", "resnet32-cifar10", "--fabric", "5pp")
        self.refused("map", "--network", "resnet32-cifar10", "--fabric", "5pp", "--certificate", out, words=["kept.json"])

    def test_tampering_is_found(self):
        """A changed digit may describe another valid mapping (a larger fabric, say); most must be refused."""
        out = self.written("good.json", "--network", "resnet32-cifar10", "--fabric", "5pp",
                           *settings(arch__rows=512, arch__cols=512))
        with open(out) as f:
            good = f.read()
        json.loads(good)
        spots = [m.start() for m in re.finditer(r"\d+", good)]
        tried = caught = 0
        for at in spots[:: max(1, len(spots) // 24)]:
            bad = self.write("bad.json", good[:at] + str((int(good[at]) + 1) % 10) + good[at + 1:])
            r = call("map", "--verify", bad, "--json")
            self.assertIn(r.rc, (0, 1), r.err)
            tried += 1
            if r.rc == 1:
                self.assertEqual(len(r.err.splitlines()), 1, r.err)
                caught += 1
        self.assertGreaterEqual(caught, 0.8 * tried)

    def test_what_is_no_certificate(self):
        for name, content in (("empty.json", ""), ("list.json", "[1, 2]"), ("cut.json", '{"schema": '), ("map.json", "{}")):
            r = call("map", "--verify", self.write(name, content))
            self.assertEqual((r.rc, len(r.err.splitlines())), (1, 1), r.err)
            self.assertTrue(r.err.startswith("pentaprism: "))
            self.assertIn(name, r.err)
        self.refused("map", "--verify", self.path("none.json"), words=["none.json"])


if __name__ == "__main__":
    unittest.main(verbosity=2)

"""map of language models: counts, levels from YAML, pictures, and what is refused."""
import unittest
import xml.etree.ElementTree

from harness import Case, settings

LEVELS = """workload:
  model: gpt2
fabric:
  channel: llm
  levels:
    - {kind: "5pp", rows: 8, cols: 8, gateways: 4, name: tile}
    - {kind: mesh, rows: 3, cols: 3, gateways: 2, lanes: 4}
    - kind: ring
      router_ps: 2000
"""
EIGHT = "5pp:rows=16,cols=16,gateways=16/mesh:rows=4,cols=4,gateways=8/mesh"


class Map(Case):
    def test_llama3_8b(self):
        d = self.json("map", "--network", "llama3-8b", "--fabric", EIGHT, *settings(fabric__channel="llm"))
        self.assertEqual(d["tiles"], 114512)
        self.assertEqual(d["tiles_without_head"], 106496)
        self.assertEqual(d["cores_used"], 114512 + 256 + 16)
        for key in ("network", "fabric", "certificate", "flows", "single_channel_flows", "max_hops",
                    "bound_initiation_interval_ps", "bound_latency_us"):
            self.assertIn(key, d)
        operators = {o["name"]: o for o in d["operators"]}
        self.assertEqual((operators["down_proj"]["row_tiles"], operators["down_proj"]["col_tiles"]), (56, 16))
        self.assertTrue(all(o["binding"] in ("mvm", "adc", "channel", "port", "digital", "attention", "kv_bandwidth")
                            for o in d["operators"]))
        self.assertEqual(d["attention"]["kv_bytes_token"], 1024)
        self.assertLessEqual(d["cut_bits_token"], d["cut_bits_token_filled"])

    def test_slow_channels_bind(self):
        fast = self.json("map", "--network", "gpt2", "--fabric", "mesh", *settings(fabric__channel="llm"))
        slow = self.json("map", "--network", "gpt2", "--fabric", "mesh", *settings(fabric__channel="5g"))
        self.assertGreater(slow["bound_channel_ps"], 4 * fast["bound_channel_ps"])
        self.assertTrue(any(o["binding"] == "channel" for o in slow["operators"]))

    def test_levels_of_a_run_file(self):
        run = self.write("levels.yaml", LEVELS)
        d = self.json("map", run)
        self.assertEqual([x["name"] for x in d["levels"]], ["tile", "chip", "board"])
        self.assertTrue(d["fabric"].startswith("5pp:rows=8,cols=8,gateways=4/mesh:rows=3,cols=3,gateways=2/ring:cores="))
        self.assertEqual(d["levels"][0]["groups"], 9 * d["levels"][1]["groups"])
        again = self.json("map", run)
        self.assertEqual(d, again)
        show = self.done("map", run).out
        for word in ("q_proj", "boundaries", "bounds:"):
            self.assertIn(word, show)

    def test_budget(self):
        one = self.json("map", "--network", "gpt2", "--fabric", "mesh")["cores_used"]
        d = self.json("map", "--network", "gpt2", "--fabric", "mesh", *settings(mapping__core_budget=2 * one, mapping__attention_split=1))
        self.assertEqual((d["copies_max"], d["attention"]["split"]), (2, 1))
        self.assertLessEqual(d["cores_used"], 2 * one)
        # attention at 2,048 tokens is slower than any matrix: its units are bought first
        d = self.json("map", "--network", "gpt2", "--fabric", "mesh", *settings(mapping__core_budget=one + 3 * 144))
        self.assertEqual((d["copies_max"], d["attention"]["split"], d["attention"]["units"], d["cores_used"]), (1, 4, 48, one + 3 * 144))
        # more than 4 units merge longer than they save at 2,048 tokens, more than 16 at the end of a longer prompt
        for more, split in (({}, 4), ({"workload__prompt_tokens": 16384}, 16),
                            ({"workload__prompt_tokens": 16384, "mapping__attention_context": 2048}, 4)):
            d = self.json("map", "--network", "gpt2", "--fabric", "mesh", *settings(mapping__core_budget=one + 63 * 144, **more))
            self.assertEqual(d["attention"]["split"], split)
        self.refused("map", "--network", "gpt2", "--fabric", "mesh", *settings(mapping__attention_split="many"),
                     words=["mapping.attention_split", "auto", "64"])
        self.refused("map", "--network", "gpt2", "--fabric", "mesh", *settings(mapping__core_budget=one - 1),
                     words=["mapping.core_budget", str(one)])

    def test_picture(self):
        svg, png = self.path("b.svg"), self.path("b.png")
        self.done("map", "--network", "gpt2", "--fabric", "5pp:rows=12,cols=12,gateways=6/mesh", "--picture", svg, "--block", 3)
        root = xml.etree.ElementTree.parse(svg).getroot()
        self.assertGreater(len(list(root.iter())), 500)
        self.assertTrue(any("block 3" in (t.text or "") for t in root.iter("{http://www.w3.org/2000/svg}text")))
        self.done("map", "--network", "gpt2", "--fabric", "mesh", "--picture", png)
        with open(png, "rb") as f:
            self.assertEqual(f.read(4), b"\x89PNG")
        self.refused("map", "--network", "gpt2", "--fabric", "mesh", "--picture", png, words=["b.png"])
        self.refused("map", "--network", "gpt2", "--fabric", "mesh", "--picture", self.path("c.svg"), "--block", 12,
                     words=["blocks 0 to 11"])

    def test_refused(self):
        bad = LEVELS.replace("lanes: 4", "lanez: 4")
        self.refused("map", self.write("bad.yaml", bad), words=["bad.yaml:7", "fabric.levels[1]", "lanez"])
        self.refused("map", self.write("kind.yaml", LEVELS.replace("kind: ring", "kind: rng")),
                     words=["kind.yaml:8", "rng", "ring"])
        self.refused("map", self.write("list.yaml", LEVELS.replace("    - kind: ring\n      router_ps: 2000\n", "    - ring\n")),
                     words=["list.yaml:8", "fabric.levels[2]"])
        self.refused("map", "--network", "gpt2", "--fabric", "mesh:rows=4,cols=4/mesh:rows=2,cols=2", words=["groups"])
        self.refused("map", "--network", "mixtral-8x7b", "--fabric", "mesh", *settings(workload__experts="1,2"),
                     words=["workload.experts", "8 experts"])
        self.refused("map", "--network", "gpt2", "--fabric", "mesh", "--certificate", self.path("c.json"), words=["certificates"])
        self.refused("map", "--network", "resnet20", "--fabric", "mesh:rows=4,cols=4/mesh", words=["language models"])
        config = self.write("config.json", '{"model_type": "rwkv", "hidden_size": 64}')
        self.refused("map", "--network", config, "--fabric", "mesh", words=["rwkv", "llama"])


if __name__ == "__main__":
    unittest.main()

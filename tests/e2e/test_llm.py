"""Language models in time: run, simulate, exact against lockstep, reports, bad input."""
import csv
import json
import os
import re
import unittest

import h5py

import harness
from harness import Case, call, settings

LOCKSTEP = settings(simulate__exact="false")
TILES = settings(simulate__exact="true")

KEYS = """network fabric cores_used certificate throughput_tokens_s time_to_first_token_s time_per_output_token_s kv_cache_bytes
extrapolated_share initiation_interval_ps bound_initiation_interval_ps bound_latency_us latency_first_us max_channel_required_gbps
mean_channel_required_gbps max_channel_utilisation events wall_s simulate_s report copies_max unroll_max operators levels""".split()

SMALL = """workload:
  model: bytellama-odd
  scenario: mixed
  sequences: 4
  prompt_tokens: 32
  decode_tokens: 16
arch:
  rows: 128
  cols: 128
fabric:
  kind: %s
  channel: llm
"""


class Llm(Case):
    def small(self, *more, fabric="mesh"):
        n = len(os.listdir(self.folder))
        file = self.write(f"small{n}.yaml", SMALL % fabric)
        report = self.path(f"small{n}.h5")
        return self.json("run", file, "-o", report, *more), report

    def test_keys_and_figures(self):
        d, report = self.small()
        for key in KEYS:
            self.assertIn(key, d)
        self.assertEqual(d["network"], "bytellama-odd")
        self.assertEqual((d["prefill_tokens"], d["decode_tokens"]), (128, 64))
        self.assertGreaterEqual(d["time_s"], d["bound_time_s"])
        self.assertGreaterEqual(d["latency_first_us"], d["bound_latency_us"])
        self.assertGreaterEqual(d["initiation_interval_ps"], d["bound_initiation_interval_ps"])
        self.near(d["throughput_tokens_s"], 192 / d["time_s"], 1e-9)
        self.assertLessEqual(d["kv_cache_bytes"], 4 * 48 * d["kv_token_bytes"])
        self.assertGreater(d["kv_cache_bytes"], 0)
        self.assertGreater(d["energy_per_token_nj"], 0)
        binding = {o["name"]: o["binding"] for o in d["operators"]}
        for name in ("q_proj", "attention", "down_proj", "lm_head"):
            self.assertIn(binding[name], ("mvm", "adc", "channel", "port", "digital", "attention", "kv_bandwidth"))
        # the report holds the same, and shows it again
        shown = self.json("report", "show", report)
        for key, value in shown.items():
            self.assertEqual(value, d[key], key)
        self.assertIn("operators: what binds each", self.done("report", "show", report).out)
        with h5py.File(report, "r") as f:
            self.assertEqual(f.attrs["schema"].decode(), "pentaprism-report/1")
            self.assertEqual(len(f["/timing/sequences"]), 4)
            self.assertEqual(int(f["/timing/progress"]["prefill_tokens"].sum()), 128)
            self.assertEqual(int(f["/timing/progress"]["decode_tokens"].sum()), 64)
            first = f["/timing/sequences"]["time_to_first_token_s"]
            self.near(float(first.mean()), d["time_to_first_token_s"], 1e-9)
        for table in ("lm_operators", "lm_sequences", "lm_progress", "lm_contexts", "lm_levels", "lm_block", "lm_block_links", "lm_block_flows", "lm_block_hops"):
            self.assertGreater(len(self.done("report", "csv", report, table).out.splitlines()), 1)

    def test_same_bytes_for_any_threads(self):
        _, a = self.small("-j", 1)
        _, b = self.small("-j", 2)
        with h5py.File(a, "r") as x, h5py.File(b, "r") as y:
            for name in ("/timing/operators", "/timing/sequences", "/timing/progress", "/bandwidth/levels", "/timing/contexts"):
                self.assertEqual(x[name][()].tobytes(), y[name][()].tobytes(), name)

    def test_kernels(self):
        a, _ = self.small(*settings(simulate__kernel="native"))
        b, _ = self.small(*settings(simulate__kernel="systemc"))
        for key in ("throughput_tokens_s", "time_to_first_token_s", "events", "kv_cache_bytes"):
            self.assertEqual(a[key], b[key], key)

    def test_lockstep_against_every_tile(self):
        """Nothing meets on a fully connected fabric: equal. Elsewhere lockstep, fitted to the run, is not below, and little above."""
        for scenario in ("prefill", "decode", "mixed"):
            more = settings(workload__scenario=scenario)
            lock, _ = self.small(*more, *LOCKSTEP, fabric="full")
            exact, _ = self.small(*more, *TILES, fabric="full")
            self.assertEqual(exact["extrapolated_share"], 0)
            self.assertGreater(exact["events"], lock["events"])
            for key in ("time_s", "time_to_first_token_s", "time_per_output_token_s"):
                self.near(lock[key], exact[key], 1e-12)
            for fabric in ("mesh", "5pp"):
                lock, _ = self.small(*more, *LOCKSTEP, fabric=fabric)
                exact, _ = self.small(*more, *TILES, fabric=fabric)
                self.assertTrue(exact["time_s"] <= lock["time_s"] <= 1.02 * exact["time_s"])
            one = settings(workload__scenario="prefill", workload__sequences=1, workload__prompt_tokens=1, workload__decode_tokens=0)
            for fabric in ("mesh", "5pp"):
                lock, _ = self.small(*one, *LOCKSTEP, fabric=fabric)
                exact, _ = self.small(*one, *TILES, fabric=fabric)
                self.near(lock["time_s"], exact["time_s"], 1e-12)
                self.assertEqual(lock["bound_latency_us"], exact["bound_latency_us"])
                self.assertLessEqual(lock["bound_latency_us"], exact["latency_first_us"])

    def test_copies_share_the_tokens(self):
        """Of n copies each takes every nth token: on channels that nobody shares 120 tokens more take 120 intervals more, for
        any n; and the budget buys as many copies as it pays for."""
        fast = settings(workload__scenario="prefill", workload__decode_tokens=0, workload__sequences=1, arch__attention_macs=65536,
                        arch__attention_softmax_lanes=4096, arch__attention_kv_gbps=100000)
        for n in (1, 3, 5):
            runs = [self.small(*fast, *settings(mapping__copies=n, workload__prompt_tokens=p), fabric="full")[0] for p in (240, 360)]
            self.assertEqual(runs[0]["copies_max"], n)
            self.assertEqual(runs[0]["bound_initiation_interval_ps"], 100000 // n)
            self.near(runs[1]["time_s"] - runs[0]["time_s"], 120 * 100000e-12 / n, 1e-9)
        one, _ = self.small(fabric="full")
        copy = self.small(*settings(mapping__copies=2), fabric="full")[0]["cores_used"] - one["cores_used"]
        for n in (2, 3, 6):
            d, _ = self.small(*settings(mapping__core_budget=one["cores_used"] + n * copy - 1, mapping__attention_split=1), fabric="full")
            self.assertEqual((d["copies_max"], d["cores_used"]), (n, one["cores_used"] + (n - 1) * copy))
        # the same on channels that are shared: no time below the bound
        for n in (1, 3):
            d, _ = self.small(*settings(mapping__copies=n))
            self.assertGreaterEqual(d["initiation_interval_ps"], d["bound_initiation_interval_ps"])

    def test_repetition_changes_nothing(self):
        more = settings(workload__scenario="decode", workload__decode_tokens=200, workload__sequences=3, arch__attention_macs=65536,
                        arch__attention_softmax_lanes=4096, arch__attention_kv_gbps=100000)
        d, report = self.small(*more)
        self.assertGreater(d["extrapolated_share"], 0.3)
        # the kernel simulates every token
        full, whole = self.small(*more, *settings(simulate__kernel="systemc"))
        self.assertEqual(full["extrapolated_share"], 0)
        with h5py.File(report, "r") as x, h5py.File(whole, "r") as y:
            for name in ("/timing/operators", "/timing/sequences", "/timing/progress"):
                self.assertEqual(x[name][()].tobytes(), y[name][()].tobytes(), name)

    def trace(self, *more, fabric="mesh"):
        """(keys, report, rows of the CSV, its statement, the JSON)"""
        stem = self.path(f"trace{len(os.listdir(self.folder))}")
        d, report = self.small("--trace", stem + ".csv", "--trace", stem + ".json", *more, fabric=fabric)
        with open(stem + ".csv", newline="") as f:
            statement = f.readline()[2:].strip()
            rows = list(csv.DictReader(f))
        for r in rows:
            r.update({k: int(v) for k, v in r.items() if k.endswith("_ps") or k in ("object", "copy", "token", "sequence", "position", "context")})
        with open(stem + ".json") as f:
            return d, report, rows, statement, json.load(f)

    def test_trace_is_the_run(self):
        """Slices of an operator add up to its use and waiting in the report; every token is there; nobody does two things at once."""
        d, report, rows, statement, trace = self.trace(*LOCKSTEP)
        self.assertEqual(statement, f"bytellama-odd: all {len(rows)} events")
        self.assertEqual((d["trace"]["events"], d["trace"]["kept"]), (len(rows), len(rows)))
        fires = [r for r in rows if r["kind"] == "fire"]
        sums = {}
        for r in fires:
            busy, wait, n = sums.get((r["part"].split()[0], r["operator"]), (0, 0, 0))
            sums[r["part"].split()[0], r["operator"]] = busy + r["end_ps"] - r["start_ps"], wait + r["start_ps"] - r["ready_ps"], n + 1
        with h5py.File(report, "r") as f:
            operators, pipeline = f["/timing/operators"][()], f["/timing/pipeline"][()]
        for o in operators:
            busy, wait, n = sums[o["part"].decode(), o["name"].decode()]
            groups = len({r["object"] for r in fires if (r["part"].split()[0], r["operator"]) == (o["part"].decode(), o["name"].decode())})
            self.assertGreaterEqual(groups, o["instances"])
            self.assertEqual(n, 192 * groups)  # tiles that are done at another time are a group of their own
            self.near(busy / 1e12 / d["time_s"] / groups, o["utilisation_mean"], 1e-9)
            self.near(wait * 1e-3 / n, o["wait_ns"], 1e-9)
        self.assertEqual({(r["sequence"], r["position"]) for r in fires}, {(s, p) for s in range(4) for p in range(48)})
        for r in rows:
            self.assertEqual(r["context"], r["position"] + 1)
        free = {}
        for r in rows:
            key = r["kind"], r["object"], r["copy"]
            self.assertLessEqual(free.get(key, 0), r["start_ps"])
            self.assertLessEqual(r["ready_ps"], r["start_ps"])
            free[key] = r["end_ps"]
        # the JSON holds the same, waiting as spans that begin and end
        slices = [e for e in trace["traceEvents"] if e["ph"] == "X"]
        self.assertEqual(len(slices), len(rows))
        for e, r in zip(slices, rows):
            self.assertEqual((round(e["ts"] * 1e6), round(e["dur"] * 1e6)), (r["start_ps"], r["end_ps"] - r["start_ps"]))
            self.assertEqual(e["name"], f"{r['operator']} {r['sequence']}/{r['position']}")
            self.assertEqual(e["args"]["waited_ps"], r["start_ps"] - r["ready_ps"])
        waits = [e for e in trace["traceEvents"] if e["ph"] == "b"]
        self.assertEqual(len(waits), sum(r["start_ps"] > r["ready_ps"] for r in rows))
        self.assertEqual(len(waits), sum(e["ph"] == "e" for e in trace["traceEvents"]))
        names = {(e["pid"], e["tid"]): e["args"]["name"] for e in trace["traceEvents"] if e["name"] == "thread_name"}
        for e, r in zip(slices, rows):
            self.assertEqual(names[e["pid"], e["tid"]], r["where"])
        # the picture's tokens are those of the trace
        by = {}
        for r in fires:
            by.setdefault((r["token"], r["part"], r["operator"]), []).append(r)
        self.assertGreater(len(pipeline), 24 * 10)
        for p in pipeline:
            groups = by[int(p["token"]), p["part"].decode(), p["name"].decode()]
            for key, of in (("sequence", min), ("position", min), ("ready_ps", min), ("start_ps", min), ("end_ps", max)):
                self.assertEqual(int(p[key]), of(r[key] for r in groups))

    def test_trace_bounds_copies_and_tiles(self):
        d, _, rows, statement, _ = self.trace("--trace-limit", 3000, "--trace-to", 60, *LOCKSTEP)
        self.assertLessEqual(len(rows), 3000)
        every = d["trace"]["every"]
        self.assertGreater(every, 1)
        self.assertTrue(all(r["token"] % every == 0 and r["start_ps"] < 60e6 for r in rows))
        self.assertIn(f"of tokens 0, {every}", statement)
        _, _, rows, _, trace = self.trace("--trace-every", 8, *settings(simulate__exact="true"))
        # blocks share channels: each track has a name in each group that it stands in, and no other
        names = [(e["pid"], e["tid"]) for e in trace["traceEvents"] if e["name"] == "thread_name"]
        self.assertEqual(sorted(names), sorted({(e["pid"], e["tid"]) for e in trace["traceEvents"] if e["ph"] in "Xbe"}))
        self.assertTrue(any("->" in r["where"] for r in rows if r["kind"] == "packet"))
        self.assertTrue(all(r["token"] % 8 == 0 for r in rows))
        # repetition is not used: all tokens are seen
        more = settings(workload__scenario="decode", workload__decode_tokens=200, workload__sequences=3, arch__attention_macs=65536,
                        arch__attention_softmax_lanes=4096, arch__attention_kv_gbps=100000)
        d, _, rows, _, _ = self.trace("--trace-limit", 2000000, *more, *LOCKSTEP)
        self.assertEqual(d["extrapolated_share"], 0)
        self.assertEqual(len({r["token"] for r in rows if r["operator"] == "q_proj" and r["part"] == "block 0" and r["kind"] == "fire"}), 600)

    def test_arrivals(self):
        trace = self.write("trace.csv", "arrival_s,prompt_tokens,decode_tokens\n0,10,2\n1e-3,20,0\n")
        d, _ = self.small(*settings(workload__arrivals="trace", workload__trace=trace))
        self.assertEqual((d["sequences"], d["prefill_tokens"], d["decode_tokens"]), (2, 30, 2))
        self.assertGreater(d["time_s"], 1e-3)
        a, _ = self.small(*settings(workload__arrivals="poisson", workload__arrival_rate=1e5), "--seed", 1)
        b, _ = self.small(*settings(workload__arrivals="poisson", workload__arrival_rate=1e5), "--seed", 2)
        self.assertNotEqual(a["time_s"], b["time_s"])

    def test_encoders_and_experts(self):
        bert = self.write("bert.json", """{"architectures": ["BertForMaskedLM"], "model_type": "bert", "num_hidden_layers": 2,
            "hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4, "vocab_size": 100,
            "max_position_embeddings": 64, "hidden_act": "gelu", "layer_norm_eps": 1e-12, "type_vocab_size": 2}""")
        d, _ = self.small(*settings(workload__model=self.config(bert, "bert"), workload__scenario="prefill", workload__sequences=12))
        self.assertEqual((d["prefill_tokens"], d["decode_tokens"], d["blocks"]), (12 * 32, 0, 2))
        self.assertGreater(d["time_to_first_token_s"], d["bound_latency_us"] * 1e-6)
        more = settings(workload__model=self.path("bert/config.json"), workload__scenario="prefill")
        d, _ = self.small(*more, *LOCKSTEP, fabric="full")
        exact, _ = self.small(*more, *TILES, fabric="full")
        self.near(d["time_s"], exact["time_s"], 1e-3)
        # pooler and classifier read the first token of a sequence alone
        heads = (("BertModel", ["pooler", "pooler_tanh", "output"], 1), ("BertForSequenceClassification", ["pooler", "pooler_tanh", "classifier", "argmax", "output"], 1),
                 ("BertForTokenClassification", ["classifier", "argmax"], 32))
        for k, (name, operators, tokens) in enumerate(heads):
            with open(self.path("bert/config.json")) as f:
                c = json.load(f)
            c.update(architectures=[name], id2label={"0": "a", "1": "b", "2": "c"})
            head = settings(workload__model=self.config(self.write(f"head{k}.json", json.dumps(c)), f"head{k}"), workload__scenario="prefill")
            for fabric, way in (("full", LOCKSTEP), ("mesh", []), ("mesh", LOCKSTEP)):
                d, report = self.small(*head, *settings(workload__sequences=12), *way, fabric=fabric)
                with h5py.File(report, "r") as f:
                    rows = {o["name"].decode(): int(o["served"]) for o in f["/timing/operators"] if o["part"] == b"end"}
                self.assertEqual(list(rows), operators)
                for o in operators:
                    self.assertEqual(rows[o], 12 * (32 if o == "output" else tokens), (name, o))
                self.assertGreater(d["time_to_first_token_s"], d["bound_latency_us"] * 1e-6)
                self.assertGreaterEqual(d["time_s"], d["bound_time_s"])
                self.assertGreater(d["bound_time_s"], 0)
                whole, all_of_it = self.small(*head, *settings(workload__sequences=12, simulate__kernel="systemc"), *way, fabric=fabric)
                with h5py.File(report, "r") as x, h5py.File(all_of_it, "r") as y:
                    for t in ("/timing/operators", "/timing/sequences", "/timing/progress"):
                        self.assertEqual(x[t][()].tobytes(), y[t][()].tobytes(), t)
            exact, _ = self.small(*head, *settings(simulate__exact="true"), fabric="full")
            self.near(self.small(*head, *LOCKSTEP, fabric="full")[0]["time_s"], exact["time_s"], 1e-3)
        mixtral = self.write("mixtral.json", """{"architectures": ["MixtralForCausalLM"], "model_type": "mixtral",
            "num_hidden_layers": 2, "hidden_size": 64, "intermediate_size": 96, "num_attention_heads": 4, "num_key_value_heads": 2,
            "vocab_size": 100, "max_position_embeddings": 128, "hidden_act": "silu", "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
            "num_local_experts": 4, "num_experts_per_tok": 2, "sliding_window": null, "tie_word_embeddings": false}""")
        more = settings(workload__model=mixtral, workload__experts="4,2,1,1")  # a config.json under a name of its own
        d, report = self.small(*more)
        self.assertEqual(d["extrapolated_share"], 0)
        with h5py.File(report, "r") as f:
            served = {r["name"].decode(): int(r["served"]) for r in f["/timing/operators"]}
        up = [served[f"expert{e}.up_proj"] for e in range(4)]
        self.assertEqual(sum(up), 2 * 2 * 192)  # two experts, two blocks, every token
        self.assertGreater(up[0], up[1])
        self.assertGreater(up[1], up[2])

    def test_families_by_config(self):
        """Timed by the shape alone: an image is its patches; a folder without readable weights is a shape, which nobody quantizes."""
        vit = self.config(self.write("vit.json", json.dumps({
            "architectures": ["ViTForImageClassification"], "model_type": "vit", "num_hidden_layers": 2, "hidden_size": 48,
            "intermediate_size": 96, "num_attention_heads": 3, "image_size": 32, "patch_size": 8, "num_channels": 3,
            "id2label": {str(k): str(k) for k in range(10)}})), "vit")
        file = self.write("image.yaml", "workload: {model: %s, sequences: 3}\nfabric: {kind: mesh, channel: llm}\n" % vit)
        d = self.json("run", file, "-o", self.path("image.h5"))
        self.assertEqual((d["prefill_tokens"], d["decode_tokens"]), (3 * 17, 0))
        with h5py.File(self.path("image.h5"), "r") as f:
            served = {o["name"].decode(): int(o["served"]) for o in f["/timing/operators"]}
        self.assertEqual((served["patch_embed"], served["classifier"], served["output"]), (51, 3, 51))
        # a wide classifier takes the first token longer than the others need: they wait behind it, tile by tile as in lockstep
        with open(vit) as f:
            wide = json.load(f)
        wide.update(num_labels=4000)
        wide = self.config(self.write("wide.json", json.dumps(wide)), "wide")
        slow = settings(workload__model=wide, fabric__kind="full", fabric__channel="5g")
        a = self.json("run", file, "-o", self.path("a.h5"), *slow, *TILES)
        b = self.json("run", file, "-o", self.path("b.h5"), *slow, *LOCKSTEP)
        self.near(a["time_s"], b["time_s"], 1e-2 * a["time_s"])
        self.assertGreaterEqual(a["time_to_first_token_s"], a["bound_latency_us"] * 1e-6)
        phi = os.path.dirname(self.config(self.write("phi.json", json.dumps({
            "architectures": ["Phi3ForCausalLM"], "model_type": "phi3", "num_hidden_layers": 2, "hidden_size": 48, "intermediate_size": 96,
            "num_attention_heads": 6, "num_key_value_heads": 2, "vocab_size": 100, "max_position_embeddings": 128,
            "rope_scaling": {"type": "longrope", "long_factor": [1.0], "short_factor": [1.0]}})), "phi"))
        one, _ = self.small(*settings(workload__model=phi))
        two, _ = self.small(*settings(workload__model=phi, mapping__attention_split=2))
        self.assertEqual((one["decode_tokens"], two["cores_used"]), (64, one["cores_used"] + 2 * 2))
        self.assertEqual(two["kv_capacity_bytes"], 2 * one["kv_capacity_bytes"])
        self.assertEqual((two["kv_token_bytes"], two["kv_context_limit"]), (one["kv_token_bytes"], 2 * (one["kv_context_limit"] - 1) + 1))
        self.assertGreaterEqual(two["latency_first_us"], two["bound_latency_us"])
        self.assertEqual(two["kv_nj"], one["kv_nj"])  # each token is read once, whoever has it
        self.near(two["kv_read_gbps"] * two["time_s"], one["kv_read_gbps"] * one["time_s"], 1e-12)
        self.refused("quantize", phi, "-o", self.path("q"), words=["phi3", "only its shape"])
        self.assertFalse(self.json("model", "show", phi)["has_weights"])

    def config(self, file, name):
        os.makedirs(self.path(name), exist_ok=True)
        os.replace(file, self.path(f"{name}/config.json"))
        return self.path(f"{name}/config.json")

    def test_pictures(self):
        self.small("--plot", self.path("figure.svg"))
        for what in ("progress", "contexts"):
            with open(self.path(f"figure-{what}.svg")) as f:
                self.assertIn("<svg", f.read())

    def test_small_example(self):
        d, _ = self.run_once("bytellama-mesh.yaml", *LOCKSTEP)
        exact, _ = self.run_once("bytellama-mesh.yaml")
        self.assertEqual((d["model_of_time"], exact["model_of_time"]), ("lockstep", "exact"))
        self.assertEqual(d["model_of_time_why"], "simulate.exact: false")
        self.assertGreater(d["lockstep_tokens"], 200)
        self.assertIn("384 tokens through 6 of 6 parts", d["lockstep_sample"])
        self.assertGreaterEqual(d["lockstep_deviation"], 0)
        self.assertLess(d["lockstep_deviation"], 0.02)
        self.assertEqual((exact["lockstep_tokens"], exact["lockstep_sample"], exact["lockstep_deviation"]), (0, "", 0))
        self.assertIn("auto: tile by tile takes some", exact["model_of_time_why"])
        self.assertLess(exact["services_expected"], exact["services_limit"])
        self.assertTrue(exact["time_s"] <= d["time_s"] <= 1.02 * exact["time_s"])  # the sample is the run

    def test_simulate_is_the_same(self):
        file = self.write("s.yaml", SMALL % "mesh")
        a = self.json("run", file, "-o", self.path("same-run.h5"))
        b = self.json("simulate", file, "-o", self.path("same-simulate.h5"))
        self.assertEqual(a["throughput_tokens_s"], b["throughput_tokens_s"])
        with h5py.File(self.path("same-run.h5"), "r+") as f:  # damaged, or of another version: its own line, not that of a network
            del f["/timing/services_limit"]
        self.refused("report", "show", self.path("same-run.h5"), words=("/timing/services_limit is missing or damaged",))


class Bad(Case):
    def bad(self, words, **pairs):
        file = self.write("bad.yaml", SMALL % "mesh")
        return self.refused("run", file, "-o", self.path("bad.h5"), *settings(**pairs), words=words)

    def test_contexts(self):
        self.bad(["context ends at", "tokens"], workload__prompt_tokens=1000000)
        self.bad(["KV memory holds", "sequence 0 needs 48"], arch__attention_kv_bytes=100)

    def test_budget(self):
        self.bad(["core"], mapping__core_budget=10)
        self.bad(["mapping.copies", "'0'"], mapping__copies=0)
        self.bad(["mapping.copies", "no matrix named 'q'"], mapping__copies="q:2")

    def test_scenarios(self):
        self.bad(["workload.trace"], workload__arrivals="trace")
        self.bad(["none.csv", re.compile("no such file", re.I)], workload__arrivals="trace", workload__trace=self.path("none.csv"))
        bad = self.write("bad.csv", "0,10,2\n0.5,0,1\n")
        self.bad(["bad.csv:2", "expected"], workload__arrivals="trace", workload__trace=bad)
        late = self.write("late.csv", "1,10,2\n0.5,4,1\n")
        self.bad(["late.csv:2", "arrives before"], workload__arrivals="trace", workload__trace=late)
        self.bad(["has no decoded token"], workload__scenario="decode", workload__decode_tokens=0)
        self.bad(["scenario", "mixed"], workload__scenario="nonsense")

    def test_models(self):
        os.makedirs(self.path("odd"), exist_ok=True)
        with open(self.path("odd/config.json"), "w") as f:
            f.write('{"architectures": ["NobodyForCausalLM"], "model_type": "nobody"}')
        self.bad(["nobody"], workload__model=self.path("odd"))
        self.bad(["encoder"], workload__model="bert-base", workload__scenario="decode", workload__decode_tokens=1,
                 workload__prompt_tokens=8)
        self.bad(["experts"], workload__model="mixtral-8x7b", workload__experts="1,2,3")

    def test_traces(self):
        file = self.write("bad.yaml", SMALL % "mesh")
        for trace, words in (("t.vcd", ["t.vcd", ".json or .csv"]), ("t.txt", ["t.txt", ".json or .csv"])):
            self.refused("run", file, "-o", self.path("bad.h5"), "--trace", self.path(trace), words=words, rc=2)
        self.refused("run", file, "-o", self.path("bad.h5"), "--trace-to", 5, words=["--trace FILE"], rc=2)


class Sizes(Case):
    @unittest.skipIf(harness.SHORT, "an 8B model takes a while under sanitizers")
    def test_llama3_8b(self):
        """The others of the family, llama3-8b-mesh.yaml and llama3-70b-5pp.yaml, take the same way for longer."""
        d = self.json("run", harness.example("llama3-8b-5pp.yaml"), "-o", self.path("l.h5"),
                      *settings(workload__sequences=2, workload__prompt_tokens=64, workload__decode_tokens=4))
        self.assertEqual(d["tiles"] - d["tiles_head"], 106496)
        self.assertGreaterEqual(d["cores_used"], 114512)
        self.assertEqual(d["kv_token_bytes"], 32 * 1024)
        slow = self.json("run", harness.example("llama3-8b-5gbit.yaml"), "-o", self.path("s.h5"),
                         *settings(workload__sequences=2, workload__prompt_tokens=64, workload__decode_tokens=4))
        self.assertGreater(slow["time_s"], 4 * d["time_s"])  # channels of an eighth of the rate


if __name__ == "__main__":
    unittest.main()

"""--trace: what the three formats hold, against each other and against the report."""
import collections
import csv
import json
import os
import re
import shutil
import subprocess
import unittest

from harness import Case, datasets, example, settings, text


def read_csv(path):
    """(statement, rows)"""
    with open(path, newline="") as f:
        first = f.readline()
        assert first.startswith("# "), first
        rows = list(csv.DictReader(f))
    for r in rows:
        for key in ("start_ps", "end_ps", "ready_ps", "object", "inference", "position", "vc"):
            r[key] = int(r[key])
    return first[2:].strip(), rows


def read_vcd(path):
    """({name: [(time, value)]}, header). Value changes only, initial values at time 0."""
    with open(path) as f:
        words = f.read()
    head, body = words.split("$enddefinitions", 1)
    names, scopes = {}, []
    for kind, rest in re.findall(r"\$(scope|upscope|var)\s+(.*?)\s*\$end", head, re.S):
        if kind == "scope":
            scopes.append(rest.split()[1])
        elif kind == "upscope":
            scopes.pop()
        else:
            _type, _bits, code, name = rest.split()[:4]
            names[code] = ".".join(scopes[1:] + [name])
    changes = collections.defaultdict(list)
    body = re.sub(r"\$comment.*?\$end", "", body, flags=re.S)
    now = 0
    for word in body.split("\n"):
        word = word.strip()
        if word.startswith("#"):
            now = int(word[1:])
        elif word.startswith("b"):
            value, code = word[1:].split()
            changes[names[code]].append((now, int(value, 2)))
        elif word[:1] in ("0", "1") and word:
            changes[names[word[1:]]].append((now, int(word[0])))
    return changes, head


def busy(changes):
    """Time at 1 of a signal."""
    total, since, last = 0, 0, 0
    for time, value in changes:
        total += (time - since) * last
        since, last = time, value
    assert last == 0, "busy at the end"
    return total


class Whole(Case):
    """One run, all formats, nothing left out."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        case = cls()
        cls.images = 3
        cls.file = example("joshi2020-resnet32.yaml")
        cls.some = settings(simulate__images=cls.images, fabric__kind="mesh", fabric__lanes=1)  # packets wait there
        formats = [w for e in ("json", "csv", "vcd") for w in ("--trace", case.path("t." + e))]
        cls.keys = case.json("simulate", cls.file, "-o", case.path("t.h5"), *cls.some, *formats)
        cls.report = datasets(case.path("t.h5"))
        cls.statement, cls.rows = read_csv(case.path("t.csv"))
        with open(case.path("t.json")) as f:
            cls.trace = json.load(f)

    def sums(self, kind):
        total = collections.Counter()
        for r in self.rows:
            if r["kind"] == kind:
                total[r["object"]] += r["end_ps"] - r["start_ps"]
        return total

    def test_rows_are_the_events_of_the_report(self):
        cores, channels = self.report["/timing/cores"][0], self.report["/timing/channels"][0]
        fires = [r for r in self.rows if r["kind"] == "fire"]
        packets = [r for r in self.rows if r["kind"] == "packet"]
        self.assertEqual(len(fires), sum(int(c["firings"]) for c in cores))
        self.assertEqual(len(packets), sum(int(c["packets"]) for c in channels))
        fire, packet = self.sums("fire"), self.sums("packet")
        for c in cores:
            self.assertEqual(fire[int(c["tile"])], int(c["busy_ps"]))
        for i, c in enumerate(channels):
            self.assertEqual(packet[i], int(c["busy_ps"]))
            waited = sum(r["start_ps"] - r["ready_ps"] for r in packets if r["object"] == i)
            self.assertEqual(waited, int(c["wait_ps"]))
        self.assertEqual(self.statement, f"resnet32-cifar10: all {len(self.rows)} events")
        self.assertEqual(self.keys["trace"]["kept"], len(self.rows))
        starts = [r["start_ps"] for r in self.rows]
        self.assertEqual(starts, sorted(starts))

    def test_no_core_does_two_things_at_once(self):
        free = collections.Counter()
        for r in self.rows:
            key = r["kind"], r["object"]
            self.assertGreaterEqual(r["start_ps"], free[key], key)
            self.assertGreaterEqual(r["start_ps"], r["ready_ps"])
            free[key] = r["end_ps"]

    def test_json_has_the_same_slices(self):
        def ps(us):
            return round(us * 1e6)

        slices = [e for e in self.trace["traceEvents"] if e["ph"] == "X"]
        self.assertEqual(len(slices), len(self.rows))
        for e, r in zip(slices, self.rows):
            self.assertEqual((ps(e["ts"]), ps(e["dur"]), e["tid"]), (r["start_ps"], r["end_ps"] - r["start_ps"], r["object"]))
            self.assertEqual(e["pid"], 1 if r["kind"] == "fire" else 2)
            self.assertEqual(e["name"], f"{r['layer']} {r['inference']}/{r['position']}")
        tracks = {(e["pid"], e["tid"]): e["args"]["name"] for e in self.trace["traceEvents"] if e["name"] == "thread_name"}
        for e, r in zip(slices, self.rows):
            self.assertTrue(tracks[e["pid"], e["tid"]].startswith(r["where"]))
        self.assertEqual(self.trace["otherData"]["events"], len(self.rows))

    def test_json_counts_queues(self):
        depth = collections.defaultdict(list)
        for e in self.trace["traceEvents"]:
            if e["ph"] == "C":
                depth[e["name"]].append(e["args"]["packets"])
        label = {r["object"]: r["where"] for r in self.rows if r["kind"] == "packet"}
        for i, c in enumerate(self.report["/timing/channels"][0]):
            series = depth.get(label.get(i), [])
            if int(c["wait_ps"]) == 0:
                self.assertEqual(series, [])
            else:
                self.assertEqual((series[-1], min(series)), (0, 0))
                self.assertLessEqual(max(series), int(c["queue_high"]))
        self.assertTrue(any(depth.values()), "this run has packets that wait")

    @unittest.skipUnless(shutil.which("gtkwave") and shutil.which("xvfb-run"), "gtkwave or xvfb-run is not installed")
    def test_gtkwave_shows_all(self):
        script = self.write("show.tcl", f"source {example('gtkwave.tcl')}\nputs \"[gtkwave::getTotalNumTraces] of [gtkwave::getNumFacs], "
                            "first [gtkwave::getTraceNameFromIndex 0]\"\nexit\n")
        r = subprocess.run(["xvfb-run", "-a", "gtkwave", self.path("t.vcd"), "-S", script], capture_output=True, text=True, timeout=120)
        n, of, name = re.search(r"(\d+) of (\d+), first (\S+)", r.stdout).groups()
        self.assertEqual(int(n), len(read_vcd(self.path("t.vcd"))[0]), r.stderr)
        self.assertEqual(n, of)
        self.assertRegex(name, r"^SystemC\.cores\.t0_\w+\.busy$")

    def test_vcd_agrees(self):
        changes, head = read_vcd(self.path("t.vcd"))
        self.assertIn(f"resnet32-cifar10: all {len(self.rows)} events", head)
        self.assertNotIn("$date", head)
        fire, packet = self.sums("fire"), self.sums("packet")
        seen = collections.Counter()
        for name, list_of in changes.items():
            group, thing, what = name.split(".")
            seen[group] += what == "busy"
            object_ = int(re.match(r"[tc](\d+)_", thing).group(1))
            if what == "busy":
                self.assertEqual(busy(list_of), (fire if group == "cores" else packet)[object_], name)
        self.assertEqual((seen["cores"], seen["channels"]), (len(fire), len(packet)))
        # what a core fires: position and inference at the start of each of its firings
        for tile in list(fire)[:5]:
            at = {w: dict(next(v for k, v in changes.items() if k.startswith(f"cores.t{tile}_") and k.endswith(w)))
                  for w in ("position", "inference")}
            now = {"position": 0, "inference": 0}
            for r in (r for r in self.rows if r["kind"] == "fire" and r["object"] == tile):
                for w in now:
                    now[w] = at[w].get(r["start_ps"], now[w])
                    self.assertEqual(now[w], r[w])

    def test_same_bytes_again_and_on_systemc(self):
        for name, more in (("a", ["-j", "1"]), ("b", settings(simulate__kernel="systemc"))):
            formats = [w for e in ("json", "csv", "vcd") for w in ("--trace", self.path(f"{name}.{e}"))]
            self.done("simulate", self.file, "-o", self.path(name + ".h5"), *self.some, *more, *formats)
            for e in ("json", "csv", "vcd"):
                with open(self.path("t." + e), "rb") as one, open(self.path(f"{name}.{e}"), "rb") as other:
                    self.assertEqual(one.read(), other.read(), f"{name}.{e}")

    def test_the_report_is_that_of_an_exact_run(self):
        self.done("simulate", self.file, "-o", self.path("exact.h5"), *self.some, *settings(simulate__exact="true"))
        with open(self.path("t.h5"), "rb") as one, open(self.path("exact.h5"), "rb") as other:
            self.assertEqual(one.read(), other.read())
        self.assertIn("simulate.exact=true", text(self.report["/run/command"][0]))


class Sampled(Case):
    """What is left out is counted and said."""

    def trace(self, *more, images=6):
        out, csv_ = self.path("s.h5"), self.path("s.csv")
        keys = self.json("simulate", example("joshi2020-resnet32.yaml"), "-o", out, "--force", *settings(simulate__images=images),
                         "--trace", csv_, *more)
        return keys["trace"], *read_csv(csv_)

    def test_a_window_of_time(self):
        whole, _, rows = self.trace()
        keys, statement, part = self.trace("--trace-from", "20", "--trace-to", "30.5")
        self.assertEqual(part, [r for r in rows if 20_000_000 <= r["start_ps"] < 30_500_000])
        self.assertEqual((keys["events"], keys["kept"]), (whole["events"], len(part)))
        for words in ("from 20.0", "before 30.5", f"{len(part)} of {whole['events']}"):
            self.assertIn(words, statement)

    def test_every_second_inference(self):
        _, _, rows = self.trace()
        keys, statement, part = self.trace("--trace-every", "2")
        self.assertEqual(part, [r for r in rows if r["inference"] % 2 == 0])
        self.assertIn("inferences 0, 2, 4", statement)

    def test_a_limit_keeps_whole_inferences(self):
        _, _, rows = self.trace()
        limit = len(rows) // 2
        keys, statement, part = self.trace("--trace-limit", str(limit))
        self.assertLessEqual(len(part), limit)
        self.assertGreater(keys["every"], 1)
        self.assertEqual(part, [r for r in rows if r["inference"] % keys["every"] == 0])

    def test_a_small_limit_cuts(self):
        _, _, rows = self.trace()
        keys, statement, part = self.trace("--trace-limit", "100")
        self.assertEqual(len(part), 100)
        end = round(float(re.search(r"ends at ([0-9.]+) us", statement).group(1)) * 1e6)
        early = [r for r in rows if r["start_ps"] < end and r["inference"] % keys["every"] == 0]
        for r in early:
            self.assertIn(r, part)

    def test_sampled_json_and_vcd_count_no_queues(self):
        """A queue cannot be counted from a part of its packets."""
        j, v = self.path("q.json"), self.path("q.vcd")
        self.done("simulate", example("joshi2020-resnet32.yaml"), "-o", self.path("q.h5"), *settings(simulate__images=4),
                  "--trace", j, "--trace", v, "--trace-every", "2", "--quiet")
        with open(j) as f:
            self.assertFalse([e for e in json.load(f)["traceEvents"] if e["ph"] == "C"])
        self.assertFalse([n for n in read_vcd(v)[0] if n.endswith("waiting")])

    def test_ideal_switching_shows_transfers(self):
        out, report = self.path("i.csv"), self.path("i.h5")
        formats = [w for e in ("csv", "json", "vcd") for w in ("--trace", self.path("i." + e))]
        self.done("simulate", example("joshi2020-resnet32.yaml"), "-o", report, *formats, *settings(simulate__images=2, simulate__switching="ideal"))
        rows = [r for r in read_csv(out)[1] if r["kind"] != "fire"]
        self.assertEqual({r["kind"] for r in rows}, {"transfer"})
        found = datasets(report)
        flows, of_flows = found["/mapping/flows"][0], found["/timing/flows"][0]
        names = [text(s["name"]) for s in found["/workload/stages"][0]]
        tiles = found["/mapping/tiles"][0]
        free, count = collections.Counter(), collections.Counter()
        for r in rows:
            f = flows[r["object"]]
            count[r["object"]] += 1
            self.assertEqual(r["where"], f"{names[tiles[f['src']]['stage']]} -> {names[tiles[f['dst']]['stage']]}")
            self.assertGreaterEqual(r["start_ps"], max(free[r["object"]], r["ready_ps"]))  # a path carries one after the other
            free[r["object"]] = r["end_ps"]
        for i, f in enumerate(of_flows):
            self.assertEqual(count[i], int(f["packets"]))
            self.assertGreaterEqual(int(f["latency_max_ps"]), max(r["end_ps"] - r["ready_ps"] for r in rows if r["object"] == i))
        with open(self.path("i.json")) as f:
            trace = json.load(f)["traceEvents"]
        self.assertEqual(sum(e["ph"] == "X" and e["pid"] == 4 for e in trace), len(rows))
        self.assertFalse([e for e in trace if e["ph"] == "X" and e["pid"] == 2])
        changes, _ = read_vcd(self.path("i.vcd"))
        sums = collections.Counter()
        for r in rows:
            sums[r["object"]] += r["end_ps"] - r["start_ps"]
        shown = {int(re.match(r"transfers\.f(\d+)_", n).group(1)): busy(c) for n, c in changes.items() if n.startswith("transfers.")}
        self.assertEqual(shown, dict(sums))

    def test_flits_show_packets_on_virtual_channels(self):
        out, report = self.path("f.csv"), self.path("f.h5")
        formats = [w for e in ("csv", "json", "vcd") for w in ("--trace", self.path("f." + e))]
        self.done("simulate", example("joshi2020-resnet32.yaml"), "-o", report, *formats,
                  *settings(simulate__images=2, simulate__switching="flit", fabric__kind="mesh", fabric__lanes=1))
        rows = [r for r in read_csv(out)[1] if r["kind"] != "fire"]
        self.assertEqual({r["kind"] for r in rows}, {"packet"})
        self.assertGreater(len({r["vc"] for r in rows}), 1)
        found = datasets(report)
        channels, flows, hops, tiles = (found[p][0] for p in ("/timing/channels", "/mapping/flows", "/mapping/hops", "/mapping/tiles"))
        names = [text(s["name"]) for s in found["/workload/stages"][0]]
        on, count, sums, waits = collections.defaultdict(list), collections.Counter(), collections.Counter(), collections.Counter()
        for r in rows:
            on[r["object"], r["vc"]].append(r)
            count[r["object"]] += 1
            sums[r["object"]] += r["end_ps"] - r["start_ps"]
            waits[r["object"]] += r["start_ps"] - r["ready_ps"]
            self.assertGreaterEqual(r["start_ps"], r["ready_ps"])
        for i, c in enumerate(channels):
            self.assertEqual(count[i], int(c["packets"]), i)
            self.assertGreaterEqual(sums[i] + 1000 * count[i], int(c["busy_ps"]), i)  # ends are rounded to picoseconds
        for rows_of in on.values():  # a virtual channel carries one packet after the other
            for a, b in zip(rows_of, rows_of[1:]):
                self.assertGreaterEqual(b["start_ps"], a["end_ps"])
        # a packet goes from channel to channel of its flow's way
        at = collections.defaultdict(list)
        for r in rows:
            at[r["object"], r["layer"], r["inference"], r["position"]].append(r["start_ps"])
        ways = collections.defaultdict(list)
        for h in hops:
            ways[int(h["flow"])].append(int(h["channel"]))
        checked = 0
        for flow, way in ways.items():
            layer = names[tiles[flows[flow]["src"]]["stage"]]
            for a, b in zip(way, way[1:]):
                for position in range(3):
                    first, second = at[a, layer, 0, position], at[b, layer, 0, position]
                    self.assertTrue(first and second and min(first) < max(second), (flow, a, b))
                    checked += 1
        self.assertGreater(checked, 3)
        with open(self.path("f.json")) as f:
            trace = json.load(f)["traceEvents"]
        free = collections.Counter()
        slices = sorted((e for e in trace if e["ph"] == "X" and e["pid"] == 2), key=lambda e: e["ts"])
        self.assertEqual(len(slices), len(rows))
        for e in slices:  # slices of a track must not overlap
            self.assertGreaterEqual(round(e["ts"] * 1e6), free[e["tid"]])
            free[e["tid"]] = round((e["ts"] + e["dur"]) * 1e6) - 1
        changes, _ = read_vcd(self.path("f.vcd"))
        shown = {int(re.match(r"channels\.c(\d+)_", n).group(1)): busy(c) for n, c in changes.items() if n.startswith("channels.") and n.endswith("busy")}
        self.assertEqual(shown, dict(sums))


class Refused(Case):
    def test_wrong_usage(self):
        ex = example("joshi2020-resnet32.yaml")
        out = ["-o", self.path("x.h5")]
        j = self.path("x.json")
        for more, words in ((["--trace", self.path("x.txt")], [".json", ".csv", ".vcd"]),
                            (["--trace", j, "--trace-from", "-1"], ["--trace-from"]),
                            (["--trace", j, "--trace-from", "5", "--trace-to", "5"], ["before"]),
                            (["--trace", j, "--trace-limit", "0"], ["--trace-limit"]),
                            (["--trace", j, "--trace-every", "0"], ["--trace-every"]),
                            (["--trace", j, "--trace", j], ["twice"]),
                            (["--trace-to", "5"], ["--trace FILE"])):
            with self.subTest(more=more):
                self.refused("simulate", ex, *out, *more, rc=2, words=words)

    def test_files_are_kept(self):
        j = self.write("have.json", "precious")
        self.refused("simulate", example("joshi2020-resnet32.yaml"), "-o", self.path("x.h5"), "--trace", j, words=["have.json"])
        with open(j) as f:
            self.assertEqual(f.read(), "precious")

    def test_a_full_disk(self):
        few = settings(simulate__images=2)
        for e in ("json", "csv", "vcd"):
            self.refused("simulate", example("joshi2020-resnet32.yaml"), "-o", self.path("x.h5"), *few, "--trace",
                         self.path("big." + e), file_limit=200_000, words=[f"big.{e}: the trace cannot be written"])


if __name__ == "__main__":
    unittest.main(verbosity=2)

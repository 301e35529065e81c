"""`report html`: one page, nothing from outside, the numbers of the file, names that cannot do harm."""
import json
import math
import os
import random
import re
import shutil
import stat
import unittest

import h5py

from harness import SHORT, Case, call, datasets, example, settings, text
from page import Page

FEW = settings(workload__images=4, simulate__images=20, quant__calib_images=2)
STUDY = settings(workload__images=2, quant__calib_images=2, noise__calib_images=2, noise__compensation_reads=2,
                 workload__models="resnet32-cifar10-noise", noise__seeds=1, device__times_s="25, 3600")
OUTSIDE = re.compile(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}", re.I)


def same(value, wanted):
    if wanted is None or value is None:
        return value is None and wanted is not None and math.isnan(float(wanted))
    if isinstance(wanted, bytes):
        return value == wanted.decode(errors="replace")
    if isinstance(value, str) and not isinstance(wanted, str):
        return float(value) == float(wanted) and (value in ("inf", "-inf") or int(value) == int(wanted))
    return value == wanted


def forms_report(path):
    """A file whose columns take every form of the page's data."""
    import numpy as np
    rng, n = random.Random(5), 3000
    walk = [1000000]
    for _ in range(n - 1):
        walk.append(max(0, walk[-1] + rng.randrange(-9, 10)))
    repeated = [0.0, -0.0, 0.1, 1 / 3, 1e300, -5e-324, float("nan"), float("inf"), float("-inf")]
    rows = np.zeros(n, dtype=[("steps", "u4"), ("one", "i8"), ("walk", "u8"), ("small", "u4"), ("huge", "u8"), ("runs", "i8"), ("signed", "i8"), ("repeated", "f8"), ("wild", "f8"), ("names", "S9")])
    rows["steps"], rows["one"], rows["walk"] = 7 + 3 * np.arange(n), -4, walk
    rows["small"] = [rng.choice((0, 5, 9, 31)) for _ in range(n)]
    rows["huge"] = [rng.choice((2**64 - 1, 2**53 + 1, 3)) for _ in range(n)]
    rows["runs"] = [(-1) ** (i // 50) * (i // 50) * 10**12 for i in range(n)]
    rows["signed"] = [rng.randrange(-2**50, 2**50) if i % 3 else rng.randrange(-40, 40) for i in range(n)]
    rows["repeated"] = [rng.choice(repeated) for _ in range(n)]
    rows["wild"] = [rng.random() for _ in range(n)]
    rows["names"] = [rng.choice((b"ja", b"nein", b"")) for _ in range(n)]
    with h5py.File(path, "w") as f:
        f.attrs["schema"] = np.bytes_("pentaprism-report/1")
        d = f.create_dataset("forms/rows", data=rows)
        d.attrs["units"] = np.bytes_("; ".join(f"{name}: 1" for name in rows.dtype.names))
        d.attrs["description"] = np.bytes_("rows" + "".join(f"\n{name}: {name}" for name in rows.dtype.names))


class Html(Case):
    def page(self, report, name="page.html"):
        path = self.path(name)
        self.done("report", "html", report, "-o", path, "--force")
        return Page(path)

    def whole(self, page, report):
        """Every dataset of the file stands in the page."""
        found = datasets(report)
        self.assertEqual(sorted(page.sets), sorted(found))
        for path, (value, attributes) in found.items():
            s = page.sets[path]
            if value.dtype.names if hasattr(value, "dtype") else None:
                self.assertEqual(s["rows"], len(value), path)
                columns = page.columns(path)
                self.assertEqual(list(columns), list(value.dtype.names), path)
                units = dict(u.split(": ", 1) for u in attributes["units"].split("; "))
                for c in s["cols"]:
                    self.assertEqual(c["units"], units[c["name"]], path)
                for name in columns:
                    for got, wanted in zip(columns[name], value[name].tolist(), strict=True):
                        self.assertTrue(same(got, wanted), f"{path}/{name}: {got} {wanted}")
            else:
                self.assertTrue(same(s["v"], value if isinstance(value, bytes) else value.item()), path)

    def alone(self, page):
        """Nothing is asked of anybody."""
        for tag, attrs in page.tags:
            self.assertFalse(set(attrs) & {"src", "srcset", "action", "formaction", "data", "poster", "onload", "onerror", "onclick"}, (tag, attrs))
            self.assertNotIn(tag, ("iframe", "object", "embed", "img", "base", "form"))
            for name in ("href", "xlink:href"):
                if name in attrs:
                    self.assertRegex(attrs[name], r"^(#[\w-]+|data:,)$")
        style = re.search(r"<style>(.*?)</style>", page.source, re.S).group(1)
        self.assertNotIn("url(", style)
        self.assertNotIn("@import", style)
        script = page.scripts[-1][1]
        for word in ("fetch(", "XMLHttpRequest", "WebSocket", "EventSource", "import(", "innerHTML", "outerHTML", "insertAdjacentHTML", "eval(",
                     "document.write", "sendBeacon", "new Function"):
            self.assertNotIn(word, script)
        self.assertEqual(set(OUTSIDE.findall(script)), {"http://www.w3.org"})  # the name of SVG
        self.assertEqual(script.count("http"), 1)
        policy = [a["content"] for t, a in page.tags if t == "meta" and a.get("http-equiv") == "Content-Security-Policy"]
        self.assertEqual(len(policy), 1)
        self.assertIn("default-src 'none'", policy[0])
        import base64
        import hashlib
        self.assertIn("'sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() + "'", policy[0])

    def test_run(self):
        keys, report = self.run_once("resnet32-5pp.yaml", *FEW)
        page = self.page(report)
        self.alone(page)
        self.whole(page, report)
        shown = " ".join(page.text)
        for word in ("resnet32-cifar10 on 5pp:rows=1,cols=34", "34 of 34", keys["certificate"], "pentaprism run resnet32-5pp.yaml", "Throughput", "Energy"):
            self.assertIn(word, shown)
        self.assertIn("78.12 k/s", shown)
        self.assertEqual(sum(1 for t, _ in page.tags if t == "svg"), 1)
        self.assertIn("title", [t for t, _ in page.tags])
        # a square for each core, an arc for each network channel
        squares = sum(a["d"].count("z") for t, a in page.tags if t == "path" and a.get("class", "").startswith("core"))
        self.assertEqual(squares, keys["n_cores"])
        arcs = sum(a["d"].count("Q") for t, a in page.tags if t == "path" and a.get("class", "").startswith("ch "))
        self.assertEqual(arcs, page.columns("/fabric/channels")["kind"].count("network"))
        self.assertEqual(len(page.geometry["x"]), keys["n_cores"])

    def test_spans_are_those_of_the_simulation(self):
        """Bars of the pipeline: the first inference's stand in /timing/stages, later ones follow at the interval."""
        _, report = self.run_once("resnet32-5pp.yaml", *FEW)
        exact = self.path("exact.h5")
        self.done("simulate", example("resnet32-5pp.yaml"), *FEW, *settings(simulate__exact="true"), "-o", exact)
        with h5py.File(report) as f, h5py.File(exact) as e:
            spans, stages, done = f["timing/spans"][:], f["timing/stages"][:], f["timing/inferences"]["done_ps"]
            whole = e["timing/spans"][:]
        n = len(stages)
        self.assertEqual(len(whole), 16 * n)
        self.assertGreaterEqual(len(spans), n)
        self.assertEqual(spans.tolist(), whole[:len(spans)].tolist())  # extrapolation changes nothing that is shown
        for i, s in enumerate(stages):
            self.assertEqual([spans[i][k] for k in ("first_fire_ps", "first_done_ps", "last_done_ps")], [s[k] for k in ("first_fire_ps", "first_done_ps", "last_done_ps")])
        for k in range(16):
            self.assertEqual(max(whole[k * n:(k + 1) * n]["last_done_ps"]), done[k])

    def test_every_kind_of_report(self):
        study, traffic, compared = self.path("study.h5"), self.path("traffic.h5"), self.path("compare.h5")
        self.done("infer", example("resnet32-pcm.yaml"), *STUDY, "-o", study)
        self.done("traffic", "mesh:rows=2,cols=2", "--rates", "0.1,0.2", "--precision", "0.2", "-o", traffic)
        self.done("compare", "--networks", "resnet20", "--fabrics", "5pp,mesh", "--images", "2", "-o", compared)
        tokens = self.path("tokens.h5")
        self.done("run", example("bytellama-mesh.yaml"), "-o", tokens)
        shown = self.json("report", "show", traffic)
        self.assertEqual((len(shown["/traffic/points"]), shown["/traffic/points"][1]["rate"]), (2, 0.2))
        self.assertIn("packet_latency", self.done("report", "show", traffic).out)
        for report, words in ((tokens, ["bytellama-odd", "Time to first token"]), (study, ["resnet32-cifar10"]), (traffic, ["Latency under load", "pentaprism traffic"]), (compared, ["Comparison of fabrics", "Held equal"])):
            page = self.page(report)
            self.alone(page)
            self.whole(page, report)
            for word in words:
                self.assertIn(word, " ".join(page.text))
            self.assertIn("rows", self.done("report", "csv", report).out)

    def test_forms_of_columns(self):
        """Integers in letters, runs of them, repeated numbers: every form gives the values back, to the last bit."""
        path = self.path("forms.h5")
        forms_report(path)
        page = self.page(path, "forms.html")
        self.whole(page, path)
        forms = {c["name"]: c["d"] for c in page.sets["/forms/rows"]["cols"]}
        kinds = {name: "list" if isinstance(d, list) else "".join(sorted(set(d) & set("zcsrk"))) for name, d in forms.items()}
        self.assertEqual(kinds, {"steps": "s", "one": "c", "walk": "z", "small": "z", "huge": "list", "runs": "r", "signed": "z", "repeated": "k", "wild": "list", "names": "k"})
        self.assertEqual((forms["walk"]["d"], forms["small"]["d"]), (1, 0))

    def test_fabric_of_a_language_model(self):
        """One block on its cores, groups of all levels: squares, arcs and frames are those of the tables, loads add up."""
        report = self.path("levels.h5")
        self.done("run", example("bytellama-mesh.yaml"), "-o", report, "--set", "fabric.kind=5pp:rows=6,cols=6,gateways=2/mesh:rows=2,cols=2,gateways=2/mesh")
        page = self.page(report, "levels.html")
        self.alone(page)
        self.whole(page, report)
        with h5py.File(report) as f:
            self.assertEqual(int(f["mapping/drawn_block"][()]), 1)
            rate = float(f["timing/throughput_tokens_s"][()])
            operators = {text(r["name"]) for r in f["timing/operators"][:] if text(r["part"]) == "block"}
            for name, geometry in (("block", "geometry-block"), ("level", "geometry-levels")):
                v, c, flows, hops = (f[f"fabric/{name}_vertices"][:], f[f"fabric/{name}_channels"][:], f[f"mapping/{name}_flows"][:], f[f"mapping/{name}_hops"][:])
                self.assertGreater(len(c), 0)
                self.assertLess(max(c["src"].max(), c["dst"].max()), len(v))
                self.assertLess(hops["flow"].max(), len(flows))
                self.assertTrue((abs(c["utilisation"] - c["bits"] / c["rate_gbps"] * 1e-9 * rate) < 1e-9).all())
                drawn = [0.0] * len(c)
                for h in hops:
                    drawn[h["channel"]] += h["bits"]
                for of_flows, all_bits in zip(drawn, c["bits"]):
                    self.assertLessEqual(of_flows, all_bits * (1 + 1e-9))
                    if name == "level":  # every block is there
                        self.near(of_flows, all_bits, 1e-9)
                shape = next(json.loads(t) for a, t in page.scripts if a.get("id") == geometry)
                self.assertEqual(len(shape["x"]), len(v))
                self.assertEqual(sum(w > 0 for w in shape["w"]), int((v["width"] > 0).sum()))
            used = f["fabric/block_vertices"][:]
            self.assertTrue({text(n) for n in used["holds"]} - {""} <= operators)
            self.assertEqual(sum(1 for k in used["kind"] if text(k) == "core") % 36, 0)
            groups = f["fabric/level_vertices"][:]
            whole = int(f["mapping/cores_used"][()])
            self.assertEqual(sum(int(g["cores_used"]) for g in groups if g["width"] == 0), whole)
        arcs = sum(a["d"].count("Q") for t, a in page.tags if t == "path" and a.get("class", "").startswith("ch "))
        self.assertEqual(arcs, len(page.columns("/fabric/block_channels")["src"]) + len(page.columns("/fabric/level_channels")["src"]))
        self.assertIn("Cores by operator", " ".join(page.text))

    @unittest.skipIf(SHORT, "long with sanitizers")
    def test_a_thousand_cores(self):
        report, path = self.path("r50.h5"), self.path("r50.html")
        self.done("simulate", example("resnet50-flit.yaml"), *settings(simulate__switching="vct", fabric__rows=25, fabric__cols=40, mapping__effort=1), "-o", report)
        self.done("report", "html", report, "-o", path)
        self.assertLess(os.path.getsize(path), 5e6)
        page = Page(path)
        self.whole(page, report)
        self.assertLess(len(page.tags), 2500)  # cores and channels are few elements, whatever their number

    def test_names_from_reports_are_harmless(self):
        _, report = self.run_once("resnet32-5pp.yaml", *FEW)
        bad = self.path("bad.h5")
        shutil.copy(report, bad)
        evil = b"</script><script>window.evil=1</script><img src=x onerror=evil()>"
        with h5py.File(bad, "r+") as f:
            for path, column in (("workload/stages", "name"), ("run/config", "value"), ("fabric/cores", "label"), ("timing/stages", "stage")):
                rows = f[path][:]
                rows[column][0] = evil
                rows[column][1] = b"\" onmouseover=\"evil()"
                f[path][...] = rows
            del f["run/command"], f["workload/network"]
            for path in ("run/command", "workload/network"):
                f.create_dataset(path, data=evil, dtype=h5py.string_dtype("utf-8", 128))
            table = f.create_dataset("a<b>/t&t", data=f["run/config"][:2])
            table.attrs["description"] = evil.decode()
            table.attrs["units"] = "section: <i>; name: \"x\""
        page = self.page(bad)
        self.alone(page)
        self.assertNotIn("img", [t for t, _ in page.tags])
        self.assertEqual([a for a, _ in page.scripts], [{"type": "application/json", "id": "data"}, {"type": "application/json", "id": "geometry"}, {}])
        self.assertEqual(page.columns("/workload/stages")["name"][0], evil[:63].decode())
        self.assertEqual(page.sets["/run/command"]["v"], evil.decode())

    def test_numbers_out_of_place(self):
        """Indices beyond their table, NaN and infinite places draw something, or nothing, but do no harm."""
        _, report = self.run_once("resnet32-5pp.yaml", *FEW)
        for path, column, value in (("fabric/vertices", "x", float("nan")), ("fabric/vertices", "y", 1e300), ("fabric/cores", "vertex", 2**32 - 1), ("fabric/channels", "dst", 999999),
                                    ("mapping/tiles", "core", 12345), ("mapping/tiles", "stage", 2**31), ("timing/channels", "utilisation", float("inf")), ("mapping/hops", "channel", 2**32 - 1)):
            bad = self.path("odd.h5")
            shutil.copy(report, bad)
            with h5py.File(bad, "r+") as f:
                rows = f[path][:]
                rows[column][1] = value
                f[path][...] = rows
            page = self.page(bad)
            svg = page.source[page.source.find("<svg"):page.source.find("</svg>")]
            self.assertFalse(re.search(r"\b(nan|inf)\b", svg), path)

    def test_figures_that_a_report_lacks(self):
        """Each scalar in turn is taken away, or holds no number: the page has a dash in its place, or no card."""
        _, report = self.run_once("resnet32-5pp.yaml", *FEW)
        bad = self.path("lacks.h5")
        shutil.copy(report, bad)
        with h5py.File(bad, "r+") as f:
            for path in ("mapping/copies_max", "mapping/n_flows", "fabric/n_cores", "arch/array_cols", "accuracy/eval_images", "timing/images", "energy/tops_peak", "energy/energy_boundary"):
                del f[path]
            for path, value in (("timing/latency_first_us", math.inf), ("energy/power_w", math.nan), ("mapping/bound_latency_us", -math.inf), ("accuracy/top1_float", math.inf)):
                f[path][()] = value
        page = self.page(bad)
        shown = " ".join(page.text[page.text.index("Throughput"):page.text.index("Fabric")])
        self.assertNotRegex(shown, r"(?i)\b(nan|inf)\b")
        for words in ("34 of –", "boundary –", "512 × –", "of – flows", "of – TOPS peak", "bound –", "– images"):
            self.assertIn(words, shown)
        compared = self.path("lacks-rows.h5")
        self.done("compare", "--networks", "lenet5", "--fabrics", "mesh,ring", "--images", "2", "-o", compared)
        with h5py.File(compared, "r+") as f:
            config = {(text(r["section"]), text(r["name"])): text(r["value"]) for r in f["run/config"][:]}
            del f["compare/orders"]
        self.assertEqual([config[k] for k in (("workload", "model"), ("fabric", "kind"), ("simulate", "images"))], ["lenet5", "mesh,ring", "2"])  # what was run
        self.refused("report", "show", compared, words=["/compare/orders", "missing"])

    def test_outputs(self):
        _, report = self.run_once("resnet32-5pp.yaml", *FEW)
        folder = self.path("here")
        os.mkdir(folder)
        name = os.path.splitext(os.path.basename(report))[0] + ".html"
        self.assertEqual(self.done("report", "html", report, cwd=folder).out, f"page: {name}\n")
        self.assertTrue(os.path.exists(os.path.join(folder, name)))
        self.refused("report", "html", report, cwd=folder, words=[name, "exists"])
        self.assertEqual(self.json("report", "html", report, "-o", self.path("j.html")), {"page": self.path("j.html")})
        os.mkdir(self.path("folder.html"))
        self.refused("report", "html", report, "-o", self.path("folder.html"), "--force", words=["folder.html"])
        a, b = self.path("a.html"), self.path("b.html")
        for path in (a, b):
            self.done("report", "html", report, "-o", path, "--quiet")
        with open(a) as x, open(b) as y:
            self.assertEqual(x.read(), y.read())
        self.assertTrue(stat.S_ISREG(os.stat(a).st_mode))

    def test_full_disk(self):
        _, report = self.run_once("resnet32-5pp.yaml", *FEW)
        self.refused("report", "html", report, "-o", self.path("full.html"), file_limit=5000, words=["disk full"])

    def test_damaged_files(self):
        """Bits turned in a small report: success or one clear line, never a signal, nothing left behind."""
        traffic = self.path("small.h5")
        self.done("traffic", "mesh:rows=2,cols=2", "--rates", "0.1", "--precision", "0.3", "-o", traffic)
        with open(traffic, "rb") as f:
            good = f.read()
        rng = random.Random(7)
        bad, page, refused, n = self.path("flipped.h5"), self.path("flipped.html"), 0, 40 if SHORT else 300
        for i in range(n):
            data = bytearray(good)
            for _ in range(rng.choice((1, 1, 2, 8))):
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            if i % 10 == 9:
                data = data[:rng.randrange(len(data))]
            self.write("flipped.h5", bytes(data))
            verb = ("html", "csv", "diff", "show")[i % 4]
            more = {"html": ["-o", page, "--force"], "csv": ["points"], "diff": [traffic], "show": []}[verb]
            r = call("report", verb, bad, *more, timeout=60)
            self.assertIn(r.rc, (0, 1), f"{i} {verb}: {r.err}")
            if r.rc == 1:
                refused += 1
                self.assertEqual(len(r.err.splitlines()), 1, f"{i} {verb}: {r.err}")
                self.assertTrue(r.err.startswith("pentaprism: "), r.err)
                self.assertEqual(r.out, "")
        self.assertGreater(refused, n // 10)
        self.assertEqual([f for f in os.listdir(self.folder) if "tmp" in f or f.endswith("~")], [])

    def test_other_files(self):
        for name, content in (("empty.h5", b""), ("text.h5", b"not HDF5\n")):
            self.refused("report", "html", self.write(name, content), words=[name, "HDF5"])
        with h5py.File(self.path("foreign.h5"), "w") as f:
            f["x"] = 1
        self.refused("report", "html", self.path("foreign.h5"), words=["foreign.h5", "schema"])
        self.refused("report", "html", self.path("nosuch.h5"), words=["nosuch.h5", "No such file"])
        self.refused("report", "html", rc=2)
        self.refused("report", "draw", "x.h5", rc=2)


if __name__ == "__main__":
    unittest.main()

"""Reports as h5py sees them, and as `report show` and `report csv` do."""
import csv
import io
import json
import unittest

import h5py

from harness import SHORT, Case, call, datasets, example, settings, text

GROUPS = "run workload quant arch fabric mapping bandwidth timing energy accuracy compare".split()
FEW = settings(workload__images=4 if SHORT else 32, simulate__images=20, quant__calib_images=2 if SHORT else 32)
# a study of devices, as small as can be
STUDY = {"workload__images": 2, "quant__calib_images": 2, "noise__calib_images": 2, "noise__compensation_reads": 2,
         "workload__models": "resnet32-cifar10-noise", "noise__seeds": 1, "device__times_s": "25"}


class Report(Case):
    def setUp(self):
        self.keys, self.report = self.run_once("resnet32-5pp.yaml", *FEW)

    def test_groups_and_schema(self):
        with h5py.File(self.report, "r") as f:
            self.assertEqual(text(f.attrs["schema"]), "pentaprism-report/1")
            self.assertEqual(sorted(f), sorted(GROUPS))
            for name in f:
                self.assertIn("description", f[name].attrs)

    def test_everything_is_described(self):
        found = datasets(self.report)
        self.assertGreater(len(found), 40)
        for path, (value, attributes) in found.items():
            self.assertTrue(attributes.get("units"), path)
            self.assertTrue(attributes.get("description"), path)
            if value.dtype.names if hasattr(value, "dtype") else None:
                # each column has its unit and its line
                units = dict(u.split(": ", 1) for u in attributes["units"].split("; "))
                self.assertEqual(list(units), list(value.dtype.names), path)
                lines = attributes["description"].split("\n")[1:]
                self.assertEqual([line.split(":")[0] for line in lines], list(value.dtype.names), path)
        # types are those of every machine, and texts end in a zero, so that h5dump prints them alone
        with h5py.File(self.report) as f:
            for path, (value, _) in found.items():
                row = f[path].id.get_type()
                for t in ([row.get_member_type(i) for i in range(row.get_nmembers())] if row.get_class() == h5py.h5t.COMPOUND else []):
                    if t.get_class() == h5py.h5t.STRING:
                        self.assertEqual((t.is_variable_str(), t.get_strpad()), (0, h5py.h5t.STR_NULLTERM), path)
                    elif t.get_size() > 1:
                        self.assertEqual(t.get_order(), h5py.h5t.ORDER_LE, path)

    def test_page_lists_everything(self):
        """docs/report-format.md is the norm: what is written stands there, and nothing else does."""
        import os
        import re
        from harness import ROOT
        with open(os.path.join(ROOT, "docs", "report-format.md")) as f:
            page = f.read()
        listed = set()
        for group in re.split(r"^## /", page, flags=re.M)[1:]:
            path = "/" + group.split("\n")[0]
            if path == "/compare":
                continue  # of another command: empty here
            for line in group.splitlines():
                table = re.match(r"\*\*(/\S+)\*\*", line)
                if table:
                    path = table.group(1)
                    listed.add(path)
                row = re.match(r"\| `(\w+)` \| ([\w ]+) \| ([^|]+) \| ", line)
                if row:
                    listed.add(f"{path}/{row.group(1)} {row.group(3)}")
        study = self.path("study.h5")
        self.done("infer", example("resnet32-pcm.yaml"), *settings(**STUDY), "-o", study)
        model = self.path("model.h5")
        self.done("run", example("bytellama-mesh.yaml"), "-o", model)
        written = set()
        for path, (value, attributes) in [*datasets(self.report).items(), *datasets(study).items(), *datasets(model).items()]:
            if getattr(value, "dtype", None) is not None and value.dtype.names:
                written.add(path)
                written |= {f"{path}/{u.replace(': ', ' ')}" for u in attributes["units"].split("; ")}
            else:
                written.add(f"{path} {attributes['units']}")
        self.assertEqual(sorted(written - listed), [], "not in the page")
        self.assertEqual(sorted(listed - written), [], "not in the report")

    def test_no_text_is_cut(self):
        """Long names of tasks, cores, files, settings and commands stand whole in reports, pages and JSON."""
        long = {n: n + "-" + n[0] * 150 for n in ("sample", "window", "fft-a", "fft-b", "detect", "track", "log")}
        with open(example("taskgraph.graphml")) as f:
            graph = f.read()
        for old, new in long.items():
            graph = graph.replace(f'"{old}"', f'"{new}"')
        with open(example("fabric-own.graphml")) as f:
            fabric = f.read()
        for i in range(36):
            fabric = fabric.replace(f'"s{i}"', f'"s{i}-{"c" * 140}"')
        fabric_name = "f" * 190 + ".graphml"
        self.write("t" * 180 + ".graphml", graph)
        self.write(fabric_name, fabric)
        run = self.write("long.yaml", f"workload:\n  model: {'t' * 180}.graphml\n  images: 0\nsimulate:\n  images: 3\nfabric:\n  kind: file:{fabric_name}\n  rate_gbps: 1\n")
        report = self.path("long.h5")
        more = [w for i in range(30) for w in ("--set", f"simulate.images={i + 3}")]
        keys = self.json("run", run, "-o", report, "--force", *more)
        self.assertIn("t" * 180, keys["network"])
        with h5py.File(report) as f:
            self.assertEqual({text(n) for n in f["workload/stages"]["name"]} - {"end"}, set(long.values()))
            for path, column in (("timing/stages", "stage"), ("mapping/plan", "stage"), ("energy/stages", "stage"), ("quant/stages", "name")):
                if path in f and len(f[path]):
                    self.assertLessEqual({text(n) for n in f[path][column]} - {"end", "(chip)"}, set(long.values()), path)
            self.assertEqual(text(f["fabric/cores"]["label"][0]), "s0-" + "c" * 140)
            self.assertIn("f" * 190, text(f["fabric/fabric"][()]))
            self.assertIn(text(f["timing/slowest_stage"][()]), long.values())
            settings_of = {text(r["name"]): text(r["value"]) for r in f["run/config"]}
            self.assertEqual(settings_of["kind"], "file:" + fabric_name)
            self.assertIn("simulate.images=32", text(f["run/command"][()]))
            self.assertGreater(len(text(f["run/command"][()])), 600)
        self.assertNotIn("...", json.dumps(keys))
        self.assertEqual(self.json("report", "show", report)["fabric"], keys["fabric"])
        compared = self.path("long-compare.h5")
        kinds = "5pp,mesh,torus,ring"
        self.done("compare", "--networks", "lenet5", "--fabrics", kinds, "--images", 1, *[w for i in range(30) for w in ("--set", f"simulate.images={i + 1}")], "-o", compared)
        with h5py.File(compared) as f:
            command = text(f["run/command"][()])
        self.assertGreater(len(command), 600)
        self.assertTrue(command.endswith("--set simulate.images=30"), command)

    def test_figures_are_those_of_json(self):
        found = {path.rsplit("/", 1)[1]: value for path, (value, _) in datasets(self.report).items()}
        seen = 0
        for key, value in self.keys.items():
            if key in found and getattr(found[key], "dtype", None) is None or key in found and found[key].shape == ():
                got = text(found[key]) if isinstance(value, str) else found[key]
                self.assertEqual(got, value, key)
                seen += 1
        self.assertGreater(seen, 30)

    def test_holds_nothing_of_the_machine(self):
        with open(self.report, "rb") as f:
            data = f.read()
        for secret in (self.folder, self.report, "wall_s", "simulate_s"):
            self.assertNotIn(secret.encode(), data)

    def test_resolved_settings(self):
        with h5py.File(self.report, "r") as f:
            config = {(text(r["section"]), text(r["name"])): text(r["value"]) for r in f["run/config"][:]}
            self.assertEqual(config["simulate", "images"], "20")
            self.assertEqual(config["arch", "rows"], "512")  # from the preset
            self.assertEqual(config["fabric", "lanes"], "4")
            command = text(f["run/command"][()])
        self.assertTrue(command.startswith("pentaprism run resnet32-5pp.yaml"))
        self.assertNotIn("-o", command.split())

    def test_ways_lead_from_source_to_destination(self):
        with h5py.File(self.report, "r") as f:
            tiles, flows, hops = f["mapping/tiles"][:], f["mapping/flows"][:], f["mapping/hops"][:]
            channels, cores = f["fabric/channels"][:], f["fabric/cores"][:]
        self.assertEqual(len(set(tiles["core"])), len(tiles))
        vertex = {int(c["core"]): int(c["vertex"]) for c in cores}
        at = 0
        for flow in flows:
            here = vertex[int(tiles[flow["src"]]["core"])]
            for hop in hops[at:at + flow["hops"]]:
                self.assertEqual(hop["flow"], flow["flow"])
                channel = channels[hop["channel"]]
                self.assertEqual((text(channel["kind"]), int(channel["src"])), ("network", here))
                here = int(channel["dst"])
            self.assertEqual(here, vertex[int(tiles[flow["dst"]]["core"])])
            at += int(flow["hops"])
        self.assertEqual(at, len(hops))

    def test_timing_is_consistent(self):
        with h5py.File(self.report, "r") as f:
            images = f["timing/inferences"][:]
            bits, static = f["timing/channels"][:], f["bandwidth/channels"][:]
            self.assertEqual(len(images), self.keys["images"])
            self.assertEqual(images[0]["done_ps"], round(self.keys["latency_first_us"] * 1e6))
            for before, row in zip(images, images[1:]):
                self.assertEqual(row["done_ps"] - before["done_ps"], row["interval_ps"])
            # what was carried is what static analysis said, image for image
            for measured, bound in zip(bits, static):
                self.assertEqual(measured["bits"], bound["bits"] * self.keys["images"])
            self.assertAlmostEqual(max(static["required_gbps"]), self.keys["max_channel_required_gbps"], places=6)

    def test_show(self):
        shown = self.json("report", "show", self.report)
        for key, value in shown.items():
            self.assertEqual(self.keys[key], value, key)
        for key in self.keys:
            if key not in ("wall_s", "simulate_s", "report", "kernel"):
                self.assertIn(key, shown)
        run = self.done("report", "show", self.report).out
        self.assertIn("certificate     embedding", run)

    def test_csv_of_every_table(self):
        names = [line.split()[0] for line in self.done("report", "csv").out.splitlines()]
        self.assertGreaterEqual(len(names), 18)
        by_columns = {}
        for path, (value, _) in datasets(self.report).items():
            if getattr(value, "dtype", None) is not None and value.dtype.names:
                by_columns[value.dtype.names] = value
        others = ["compare", "orders", "sweep", "grid", "curves", "points", "methods", "matrices", "accuracy", "draws", "snr", "leave_one_ideal", "converters", "models",
                  *(n for n in names if n.startswith("lm_"))]  # of other commands, of infer's studies, of language models
        for name in others:
            names.remove(name)
            self.refused("report", "csv", self.report, name, words=["is not in this report"])
        for name in names:
            rows = list(csv.reader(io.StringIO(self.done("report", "csv", self.report, name).out)))
            self.assertIn(tuple(rows[0]), by_columns, name)
            table = by_columns[tuple(rows[0])]
            self.assertEqual(len(rows) - 1, len(table), name)
            for row, want in list(zip(rows[1:], table))[:50]:
                for cell, column in zip(row, want.dtype.names):
                    value = want[column]
                    self.assertEqual(cell if isinstance(value, bytes) else type(value)(cell),
                                     value.decode() if isinstance(value, bytes) else value, f"{name}.{column}")

    def test_csv_to_a_file(self):
        out = self.path("channels.csv")
        self.done("report", "csv", self.report, "channels", "-o", out)
        with open(out) as f:
            self.assertEqual(f.read(), self.done("report", "csv", self.report, "channels").out)
        self.refused("report", "csv", self.report, "channels", "-o", out, words=["channels.csv"])

    def test_reader_of_the_examples(self):
        import os
        import subprocess
        from harness import ROOT
        script = os.path.join(ROOT, "examples", "read_report.py")
        done = subprocess.run(["/usr/bin/python3", "-B", script, self.report], stdout=subprocess.PIPE, check=True)
        self.assertIn(b"busy share of each stage", done.stdout)
        self.assertIn(b"required rate of the channels", done.stdout)


class BadReports(Case):
    def test_refused(self):
        self.refused("report", "show", self.path("none.h5"), words=["none.h5"])
        self.refused("report", "show", self.write("no.h5", "not HDF5"), words=["no.h5", "HDF5"])
        self.refused("report", "show", self.write("empty.h5", ""), words=["empty.h5"])
        self.refused("report", "csv", self.path("none.h5"), "stages", words=["none.h5"])
        self.refused("report", "show", rc=2)
        self.refused("report", "bake", self.path("none.h5"), rc=2)

    def test_another_programs_file(self):
        path = self.path("other.h5")
        with h5py.File(path, "w") as f:
            f["x"] = 1
        self.refused("report", "show", path, words=["other.h5", "pentaprism-report/1"])

    def test_damaged_report(self):
        keys, report = self.run_once("joshi2020-resnet32.yaml", *settings(simulate__images=2, quant__calib_images=2))
        with open(report, "rb") as f:
            data = f.read()
        for n in range(1, 8):
            cut = self.write("cut.h5", data[:len(data) * n // 8])
            r = call("report", "show", cut)
            self.assertIn(r.rc, (0, 1))
            if r.rc:
                self.assertEqual(len(r.err.splitlines()), 1)
        with h5py.File(self.write("part.h5", data), "r+") as f:
            del f["mapping/certificate"]
        self.refused("report", "show", self.path("part.h5"), words=["part.h5", "/mapping/certificate"])
        self.refused("report", "csv", report, "nosuch", words=["nosuch"])
        self.refused("report", "csv", report, "adc", words=["/accuracy/adc"])


if __name__ == "__main__":
    unittest.main(verbosity=2)

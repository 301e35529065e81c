"""The page in Chromium: it renders, tells what is under the pointer, obeys the keyboard, and asks nobody for anything."""
import math
import os
import shutil
import unittest

import h5py

import browser
import token_report
from harness import Case, example, settings, text

FEW = settings(workload__images=4, simulate__images=20, quant__calib_images=2)
ARROW_RIGHT, ENTER, ESCAPE = "\ue014", "\ue007", "\ue00c"
BAD = ("SEVERE", "WARNING")

# luminance and contrast as WCAG 2 defines them, of custom properties as the page has them
CONTRAST = """
const probe = document.createElement('i'); document.body.append(probe);
const light = (name) => { probe.style.color = `var(${name})`; const c = getComputedStyle(probe).color.match(/[\\d.]+/g).slice(0, 3).map((v) => v / 255)
  .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)); return 0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2]; };
const out = Object.fromEntries(arguments[0].map((name) => [name, light(name)])); probe.remove(); return out;"""


# Texts beside tables and listings that a script wrote for what is not there.
NOTHING = """const found = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) if (/^(null|undefined|NaN|.*\\bNaN\\b.*)$/.test(walk.currentNode.data.trim()) && !walk.currentNode.parentElement.closest('td, pre, code, script, style'))
    found.push(walk.currentNode.data);
  return found"""


@unittest.skipIf(browser.missing(), browser.missing())
class Chromium(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.browser = browser.Browser(width=1280, height=900)
        cls.addClassCleanup(cls.browser.close)

    def show(self, report, name="page.html"):
        path = self.path(name)
        self.done("report", "html", report, "-o", path, "--force")
        self.browser.size(1280, 900)
        self.browser.open(path)
        self.quiet()
        return path

    def quiet(self):
        self.assertEqual([e for e in self.browser.log() if e["level"] in BAD], [])
        self.assertNotIn("cannot be shown", self.browser.js("return document.body.innerText"))
        self.assertEqual(self.browser.js(NOTHING), [])

    def run_page(self):
        _, report = self.run_once("resnet32-5pp.yaml", *FEW)
        self.show(report)
        return report

    def place_of(self, code):
        """Screen place of a point of the drawing, brought into view."""
        b = self.browser
        b.js("document.getElementById('fabric').scrollIntoView()")
        p = b.js(f"const [x, y] = {code}; const p = new DOMPoint(x, y).matrixTransform(document.getElementById('fabric-svg').getScreenCTM()); return [p.x, p.y];")
        b.move(*p)
        b.wait("!document.getElementById('tip').hidden", 5)
        return b.js("return document.getElementById('tip').innerText").split("\n")

    def channel_place(self, c):
        # the middle of its arc: a quarter of each end and half of the control point
        return f"""(() => {{ const c = {c}, g = geometry, s = tables.get('/fabric/channels').col('src')[c], d = tables.get('/fabric/channels').col('dst')[c];
          const dx = g.x[d] - g.x[s], dy = g.y[d] - g.y[s], l = Math.hypot(dx, dy), out = Math.min(2.5 + Math.max(0, l / g.pitch - 1) * 9, 70);
          return [(g.x[s] + g.x[d]) / 2 + (1.1 + out) * -dy / l, (g.y[s] + g.y[d]) / 2 + (1.1 + out) * dx / l]; }})()"""

    def test_panels(self):
        self.run_page()
        ids = self.browser.js("return [...document.querySelectorAll('main section[id]')].map((s) => s.id)")
        self.assertEqual(ids, "fabric pipeline layers accuracy bandwidth energy settings data".split())
        self.assertEqual(self.browser.js("return document.querySelectorAll('#nav a').length"), len(ids))
        # everything has a name for those who do not see it
        self.assertEqual(self.browser.js("return [...document.querySelectorAll('svg')].filter((s) => !s.querySelector('title')).length"), 0)
        self.assertEqual(self.browser.js("return [...document.querySelectorAll('table')].filter((t) => !t.querySelector('caption') || !t.querySelector('thead th')).length"), 0)
        self.assertEqual(self.browser.js("return [...document.querySelectorAll('button, input, select')].filter((b) => !b.textContent && !b.getAttribute('aria-label')).length"), 0)

    def test_asks_nobody(self):
        self.browser.requests()
        path = self.run_page()
        self.browser.js("for (const d of document.querySelectorAll('details')) d.open = true; scrollTo(0, 99999)")
        self.browser.wait("document.querySelectorAll('#data details table').length > 20")
        self.quiet()
        asked = [u for u in self.browser.requests() if not u.startswith("data:")]
        self.assertEqual([u for u in asked if not u.startswith("file:///")], [])
        self.assertEqual(len(asked), 1, path)

    def test_flows_under_the_pointer(self):
        report = self.run_page()
        with h5py.File(report) as f:
            hops, flows, tiles, stages = f["mapping/hops"][:], f["mapping/flows"][:], f["mapping/tiles"][:], f["workload/stages"][:]
            channels, cores = f["fabric/channels"][:], f["fabric/cores"][:]
        label = {int(c["vertex"]): text(c["label"]) for c in cores}
        name = lambda s: text(stages[int(s)]["name"])
        shown = 0
        for channel in sorted({int(h["channel"]) for h in hops})[:4]:
            lines = self.place_of(self.channel_place(channel))
            c = channels[channel]
            if not lines[0].startswith(f"{label[int(c['src'])]} → {label[int(c['dst'])]}:"):
                continue  # another arc is drawn over this place
            shown += 1
            wanted = sorted(f"{'input' if flows[h['flow']]['stream'] == 0 else name(flows[h['flow']]['stream'] - 1)} → {name(tiles[flows[h['flow']]['dst']]['stage'])}"
                            for h in hops if h["channel"] == channel)
            self.assertEqual(sorted(line.split(" (")[0] for line in lines[1:]), wanted)
        self.assertGreaterEqual(shown, 2)
        # a core tells its tile
        lines = self.place_of("[geometry.x[5], geometry.y[5]]")
        self.assertEqual(lines[0], f"Core {label[5]}")
        tile = next(t for t in tiles if t["core"] == 5)
        self.assertIn(name(tile["stage"]), lines[1])
        self.quiet()

    def test_click_keeps_and_keyboard_moves(self):
        self.run_page()
        b = self.browser
        self.place_of("[geometry.x[3], geometry.y[3]]")
        p = b.js("const p = new DOMPoint(geometry.x[3], geometry.y[3]).matrixTransform(document.getElementById('fabric-svg').getScreenCTM()); return [p.x, p.y]")
        b.move(*p, click=True)
        b.move(5, 5)
        head = "return document.querySelector('#fabric-side h3').textContent"
        self.assertEqual(b.js(head), "Core r0c3")
        self.assertGreater(b.js("return document.querySelectorAll('#fabric-mark .mark').length"), 1)
        b.js("document.getElementById('fabric-svg').focus()")
        b.keys(ARROW_RIGHT + ARROW_RIGHT)
        self.assertEqual(b.js(head), "Core r0c1")
        b.keys("c")
        self.assertRegex(b.js(head), "^Channel r0c1 → ")
        before = b.js("return document.getElementById('fabric-svg').getAttribute('viewBox')")
        b.keys("+")
        self.assertNotEqual(b.js("return document.getElementById('fabric-svg').getAttribute('viewBox')"), before)
        b.keys("0" + ESCAPE)
        self.assertEqual(b.js("return document.getElementById('fabric-svg').getAttribute('viewBox')"), before)
        self.assertEqual(b.js("return document.querySelectorAll('#fabric-mark *').length"), 0)
        # a flow of the list shows its way
        b.js("window.pentaprism.pickChannel(tables.get('/mapping/hops').col('channel')[0]); document.querySelector('#fabric-side .flows button').click()")
        self.assertGreaterEqual(b.js("return document.querySelectorAll('#fabric-mark .mark').length"), 3)
        self.quiet()

    def test_sort_and_filter(self):
        report = self.run_page()
        b = self.browser
        with h5py.File(report) as f:
            stages = f["quant/stages"][:]
        order = [text(s["name"]) for s in sorted(stages, key=lambda s: -s["kurtosis"])]
        layer = "return [...document.querySelectorAll('#layers tbody tr')].map((r) => r.children[1].textContent)"
        b.js("[...document.querySelectorAll('#layers thead th')].find((h) => h.textContent === 'kurtosis').querySelector('button').click()")
        self.assertEqual(b.js(layer), order)
        self.assertEqual(b.js("return document.querySelectorAll('#layers th[aria-sort=descending]').length"), 1)
        b.js("[...document.querySelectorAll('#layers thead th')].find((h) => h.textContent.startsWith('kurtosis')).querySelector('button').click()")
        self.assertEqual(b.js(layer), [text(s["name"]) for s in sorted(stages, key=lambda s: s["kurtosis"])])
        b.js("const i = document.querySelector('#layers input'); i.value = 'SHORTCUT'; i.dispatchEvent(new Event('input'))")
        self.assertEqual(sorted(b.js(layer)), sorted(n for n in order if "shortcut" in n))

    def test_light_and_dark(self):
        self.run_page()
        b, seen = self.browser, {}
        for theme in ("light", "dark"):
            b.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
            seen[theme] = b.js("return getComputedStyle(document.body).backgroundColor")
            v = b.js(CONTRAST, ["--ink", "--soft", "--accent", "--panel", "--bg", "--faint", "--mark", *(f"--s{i}" for i in range(8)), *(f"--l{i}" for i in range(8))])
            ratio = lambda a, c: (max(v[a], v[c]) + 0.05) / (min(v[a], v[c]) + 0.05)
            for ground in ("--panel", "--bg", "--faint"):
                for ink in ("--ink", "--soft", "--accent"):
                    self.assertGreaterEqual(ratio(ink, ground), 4.5, f"{theme}: {ink} on {ground}")
            for i in range(8):
                self.assertGreaterEqual(ratio(f"--s{i}", "--panel"), 3, f"{theme}: line {i}")
            loads = [v[f"--l{i}"] for i in range(1, 8)]  # even for an eye without hue: one way in lightness
            self.assertEqual(loads, sorted(loads, reverse=theme == "light"))
            self.assertGreaterEqual(ratio("--l7", "--bg"), 4.5)
            b.picture(self.path(f"{theme}.png"), whole=False)
            self.assertGreater(os.path.getsize(self.path(f"{theme}.png")), 20000)
        self.assertNotEqual(seen["light"], seen["dark"])
        b.js("document.getElementById('theme').click()")  # from dark, by hand
        self.assertEqual(b.js("return getComputedStyle(document.body).backgroundColor"), seen["light"])
        b.js("localStorage.clear()")
        b.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "light"}])

    def test_phone_and_paper(self):
        """Nothing wider than the window or the sheet, however long the names are."""
        _, report = self.run_once("resnet32-5pp.yaml", *FEW)
        named = self.path("named.h5")
        shutil.copy(report, named)
        with h5py.File(named, "r+") as f:
            rows = f["workload/stages"][:]
            rows["name"][[0, -1]] = b"L" * 64
            f["workload/stages"][...] = rows
        self.show(named)
        self.browser.size(360, 800, mobile=True)
        self.assertLessEqual(self.browser.js("return document.documentElement.scrollWidth"), 360)
        self.browser.size(720, 1000)
        self.browser.devtools("Emulation.setEmulatedMedia", media="print")
        self.assertLessEqual(self.browser.js("return document.documentElement.scrollWidth"), 720)
        self.browser.devtools("Emulation.setEmulatedMedia", media="")
        self.quiet()

    def test_other_reports(self):
        traffic, compared = self.path("traffic.h5"), self.path("compare.h5")
        self.done("traffic", "mesh:rows=2,cols=2", "torus:rows=2,cols=2", "--rates", "0.1,0.2", "--precision", "0.2", "-o", traffic)
        self.done("compare", "--networks", "resnet20", "--fabrics", "5pp,mesh", "--images", "2", "-o", compared)
        self.show(traffic)
        self.assertEqual(self.browser.js("return document.querySelectorAll('#traffic polyline').length"), 4)
        saturation = self.path("saturation.h5")
        self.done("traffic", "mesh:rows=2,cols=2", "--saturation", "--precision", "0.3", "-o", saturation)
        self.show(saturation)
        self.assertEqual(self.browser.js("return [...document.querySelectorAll('main section[id]')].map((s) => s.id)"), ["traffic", "data"])
        self.assertEqual(self.browser.js("return document.querySelectorAll('#traffic .bar').length"), 1)
        _, ideal = self.run_once("onnx-own.yaml", "--set", "arch.adc_bits=0", "--set", "workload.images=2", "--set", "simulate.images=4")
        self.show(ideal)  # converters that do not err have no figure
        self.assertNotIn("noise of each tile", self.browser.js("return document.getElementById('accuracy').innerText"))
        self.show(compared)
        self.assertEqual(self.browser.js("return document.querySelectorAll('#compare .heat').length"), 2)
        # names for people: those of the file stand under All data alone
        self.assertEqual(self.browser.js("return [...document.querySelectorAll('#compare thead th')].map((h) => h.textContent).filter((t) => t.includes('_'))"), [])
        with h5py.File(compared) as f:
            rows = [r for r in f["compare/rows"][:] if r["main"]]
        self.assertEqual([float(t) for t in self.browser.js("return [...document.querySelectorAll('#compare .heat')].map((c) => c.textContent)")],
                         [float(f"{r['max_channel_required_gbps']:.4g}") for r in rows])

    def test_sweep(self):
        """A figure and all runs; on paper the table comes in parts that hold every cell, with what names a row in each."""
        sweep, b = self.path("sweep.h5"), self.browser
        self.done("sweep", example("onnx-own.yaml"), *settings(workload__images=0, simulate__images=2), "--grid", "fabric.lanes=1,2", "--grid", "fabric.kind=mesh,torus", "-o", sweep)
        self.show(sweep)
        self.assertEqual(b.js("return document.querySelectorAll('#sweep polyline').length"), 2)
        cells = "(row) => [...row.cells].map((c) => c.textContent)"
        whole = b.js(f"return [...document.querySelector('#sweep table').rows].map({cells})")
        self.assertEqual([row[:2] for row in whole[1:]], [["1", "mesh"], ["1", "torus"], ["2", "mesh"], ["2", "torus"]])
        self.assertGreater(len(whole[0]), 30)
        b.js("dispatchEvent(new Event('beforeprint'))")
        parts = b.js(f"return [...document.querySelectorAll('#sweep .sheet table')].map((t) => [...t.rows].map({cells}))")
        self.assertTrue(all(len(row) <= 13 for part in parts for row in part))
        self.assertEqual([row[:2] + [cell for part in parts for cell in part[i][2:]] for i, row in enumerate(whole)], whole)
        self.assertTrue(all(part[i][:2] == row[:2] for part in parts for i, row in enumerate(whole)))
        b.devtools("Emulation.setEmulatedMedia", media="print")
        self.assertEqual(b.js("return getComputedStyle(document.querySelector('#sweep .table table')).display"), "none")
        b.devtools("Emulation.setEmulatedMedia", media="")
        b.js("dispatchEvent(new Event('afterprint'))")
        self.assertEqual(b.js("return document.querySelectorAll('.sheet, .parted').length"), 0)
        self.quiet()

    def test_infer(self):
        """Accuracy without a simulation: fabric, energy, converters are there; a language model says why it has no drawing."""
        report, model = self.path("infer.h5"), self.path("model.h5")
        self.done("infer", example("resnet32-5pp.yaml"), *FEW, "-o", report)
        self.show(report)
        b = self.browser
        self.assertEqual(b.js("return [...document.querySelectorAll('main section[id]')].map((s) => s.id)"), "fabric layers accuracy bandwidth energy settings data".split())
        self.assertEqual(b.js("return [...document.querySelectorAll('#accuracy h3')].map((h) => h.textContent)"),
                         ["From float to crossbars", "Converters: signal to noise of each tile", "Converters: saturation"])
        self.assertIn("at the bound of the interval", b.js("return document.querySelector('.cards').textContent"))
        self.assertIn("Nothing was simulated", b.js("return document.getElementById('energy').textContent"))
        self.done("infer", example("bytellama-pcm.yaml"), *settings(workload__model="bytellama-odd", workload__tokens=32, workload__window=16, noise__seeds=1, quant__method="rtn", device__times_s=25), "-o", model)
        self.show(model)
        self.assertIn("Nothing was mapped", b.js("return document.getElementById('no-fabric').textContent"))
        self.assertIn("Converters: saturation", b.js("return document.getElementById('accuracy').textContent"))

    def test_tokens(self):
        report = self.path("tokens.h5")
        token_report.write(report)
        self.show(report)
        b = self.browser
        self.assertEqual(b.js("return [...document.querySelectorAll('main section[id]')].map((s) => s.id)"), ["no-fabric", "tokens", "energy", "data"])
        self.assertEqual(b.js("return document.querySelectorAll('#tokens polyline').length"), 6)
        # names for people: those of the file stand under All data alone
        self.assertEqual(b.js("return [...document.querySelectorAll('#tokens thead th')].map((h) => h.textContent).filter((t) => t.includes('_'))"), [])
        spans = 'return document.querySelectorAll(`#tokens svg[aria-label="%s"] .span`).length'
        self.assertEqual(b.js(spans % "Sequences over time"), 6 * 3 - 1)  # the first does not wait
        self.assertEqual(b.js(spans % "Tokens in the operators of a block"), 4 * 3 + 2 * 3)  # every other one waits
        self.assertIn("250 ktoken/s", b.js("return document.querySelector('.cards').textContent"))
        self.assertIn("500\u00a0nJ", b.js("return document.getElementById('energy').textContent"))

    def test_fabric_of_a_language_model(self):
        report = self.path("levels.h5")
        self.done("run", example("bytellama-mesh.yaml"), "-o", report, "--set", "fabric.kind=mesh:rows=6,cols=6,gateways=2/mesh:rows=2,cols=2,gateways=2/mesh")
        self.show(report)
        b = self.browser
        self.assertEqual(b.js("return [...document.querySelectorAll('main section[id]')].map((s) => s.id)")[:3], ["levels", "block", "tokens"])
        side = "return document.querySelector('#%s-side').innerText"
        for name, table, words in (("block", "block", "→"), ("levels", "level", "block")):
            b.js(f"document.querySelector('#{name}-side .flows button').click()")  # the most loaded channel
            self.assertIn("a token", b.js(side % name))
            self.assertIn(words, b.js(f"return document.querySelector('#{name}-side').innerText"))
            self.assertEqual(b.js(f"return document.querySelectorAll('#{name}-mark .mark').length"), 1)
        # a core tells its operator; the arrows go on
        b.js("document.getElementById('block').scrollIntoView(); document.getElementById('block-svg').focus()")
        b.keys(ARROW_RIGHT)
        self.assertRegex(b.js(side % "block"), r"^Core \d+")
        found = b.js("""const g = JSON.parse(document.getElementById('geometry-block').textContent), v = tables.get('/fabric/block_vertices');
          const i = v.col('holds').indexOf('o_proj'), p = new DOMPoint(g.x[i], g.y[i]).matrixTransform(document.getElementById('block-svg').getScreenCTM()); return [p.x, p.y, v.col('label')[i]]""")
        b.move(*found[:2])
        b.wait("!document.getElementById('tip').hidden", 5)
        self.assertEqual(b.js("return document.getElementById('tip').innerText").lower(), f"{found[2]}\no_proj")
        self.quiet()

    def test_forms_of_columns(self):
        """The script decodes every form as h5py reads it."""
        from test_html import forms_report
        path = self.path("forms.h5")
        forms_report(path)
        self.show(path)
        with h5py.File(path) as f:
            rows = f["forms/rows"][:]
        for name in rows.dtype.names:
            have = self.browser.js("return tables.get('/forms/rows').col(arguments[0]).map((v) => typeof v === 'number' ? (Object.is(v, -0) ? '-0' : String(v)) : v)", name)
            self.assertEqual(len(have), len(rows))
            for text_, want in zip(have, rows[name]):
                if isinstance(want, bytes):
                    self.assertEqual(text_, want.decode())
                elif rows.dtype[name].kind == "f":
                    self.assertTrue(text_ is None and math.isnan(want) or text_ is not None and float(text_.replace("Infinity", "inf")) == want and math.copysign(1, float(text_.replace("Infinity", "inf"))) == math.copysign(1, want), (name, text_, want))
                else:
                    self.assertEqual(int(text_), int(want), name)

    def test_many_channels_are_drawn_by_the_script(self):
        report = self.path("many.h5")
        self.done("simulate", example("resnet32-5pp.yaml"), *settings(simulate__images=2, fabric__kind="5pp:rows=60,cols=62"), "-o", report)
        path = self.show(report)
        with open(path) as f:
            page = f.read()
        self.assertIn('class="ch ch0" d=""', page)
        arcs = self.browser.js("return [...document.querySelectorAll('#fabric-svg .ch')].map((p) => (p.getAttribute('d').match(/Q/g) || []).length)")
        with h5py.File(report) as f:
            network = [text(k) == "network" for k in f["fabric/channels"]["kind"]]
            busy = [u for u, is_network in zip(f["timing/channels"]["utilisation"], network) if is_network]
        most = max(busy)
        wanted = [0] * 8
        for u in busy:
            wanted[0 if u <= 0 else min(7, max(1, math.ceil(7 * u / most)))] += 1
        self.assertEqual(arcs, wanted)
        self.assertGreater(sum(arcs), 20000)

    def test_columns_that_a_report_lacks(self):
        """A panel whose columns are not there, or hold no numbers, is left out, and All data says so; nothing is drawn at NaN."""
        from numpy.lib import recfunctions
        _, report = self.run_once("resnet32-5pp.yaml", *FEW)
        odd = self.path("lacks.h5")
        shutil.copy(report, odd)
        with h5py.File(odd, "r+") as f:
            for path, column in (("fabric/channels", "src"), ("mapping/plan", "patch_y")):
                rows = f[path][:]
                del f[path]
                f.create_dataset(path, data=recfunctions.repack_fields(rows[[c for c in rows.dtype.names if c != column]]))
            for path, value in (("timing/channels", 1e308), ("energy/stages", math.nan), ("accuracy/adc", math.inf), ("quant/stages", -1e308)):
                rows = f[path][:]
                for c in rows.dtype.names:
                    if rows.dtype[c].kind == "f":
                        rows[c] = value
                f[path][...] = rows
        self.show(odd)
        self.assertEqual(self.browser.js("return [...document.querySelectorAll('svg *')].filter((e) => [...e.attributes].some((a) => /NaN|Infinity|undefined/.test(a.value))).length"), 0)
        self.assertIn("/fabric/channels (src)", self.browser.js("return document.getElementById('data').innerText"))
        self.assertEqual(self.browser.js("return document.querySelectorAll('#bandwidth').length"), 0)

    def test_unknown_tables_and_names(self):
        """What a later version adds is shown as it is, and no name of a report becomes markup."""
        _, report = self.run_once("resnet32-5pp.yaml", *FEW)
        odd = self.path("odd.h5")
        shutil.copy(report, odd)
        evil = b"</script><img src=x onerror=\"window.evil=1\"><script>window.evil=1</script>"
        with h5py.File(odd, "r+") as f:
            for path, column in (("workload/stages", "name"), ("fabric/cores", "label"), ("run/config", "value"), ("run/config", "section")):
                rows = f[path][:]
                rows[column][0] = evil
                f[path][...] = rows
            rows = f["timing/stages"][:3]
            rows["stage"][1] = evil
            f.create_dataset("later/rows", data=rows)
        self.show(odd)
        b = self.browser
        self.assertEqual(b.js("return document.querySelectorAll('#group-later tbody tr').length"), 3)
        b.js("for (const d of document.querySelectorAll('details')) d.open = true")
        self.place_of("[geometry.x[0], geometry.y[0]]")
        self.assertIsNone(b.js("return window.evil ?? null"))
        self.assertEqual(b.js("return document.querySelectorAll('img').length"), 0)
        self.assertIn("onerror", b.js("return document.getElementById('layers').innerText"))
        self.quiet()


if __name__ == "__main__":
    unittest.main()

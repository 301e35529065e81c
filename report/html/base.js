"use strict";
// Data of the report, elements, numbers for people, the tip under the pointer. Texts become text nodes, never markup.

const raw = JSON.parse(document.getElementById("data").textContent);
const geometry = JSON.parse(document.getElementById("geometry").textContent);

// Integers in letters (docs/report-html.md).
const letterValue = new Uint8Array(128);
[..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-"].forEach((c, i) => { letterValue[c.charCodeAt(0)] = i; });
function integers(text, n, bySteps) {
  const v = new Array(n);
  for (let i = 0, at = 0, last = 0; i < n; i++) {
    let bits = 0, scale = 1, five;
    do {
      five = letterValue[text.charCodeAt(at++)];
      bits += (five & 31) * scale;
      scale *= 32;
    } while (five & 32);
    const value = bits % 2 ? -(bits - 1) / 2 : bits / 2;
    last = bySteps ? last + value : value;
    v[i] = last;
  }
  return v;
}

// A column's values from one of its short forms (docs/report-html.md).
function decode(d, n) {
  if (Array.isArray(d)) return d;
  if ("z" in d) return integers(d.z, n, d.d);
  const v = new Array(n);
  if ("k" in d) {
    const index = decode(d.i, n);
    for (let i = 0; i < n; i++) v[i] = d.k[index[i]];
  } else if ("r" in d) {
    const r = decode(d.r, d.m);
    for (let i = 0, at = 0; i < r.length; i += 2)
      for (let k = 0; k < r[i + 1]; k++) v[at++] = r[i];
  } else if ("s" in d) {
    for (let i = 0; i < n; i++) v[i] = d.s + i * d.d;
  } else {
    v.fill(d.c);
  }
  return v;
}

class Table {
  constructor(set) {
    Object.assign(this, { path: set.path, text: set.text, n: set.n, rows: set.rows });
    this.columns = set.cols.map((c) => ({ name: c.name, units: c.units, text: c.text, d: c.d }));
    this.byName = new Map(this.columns.map((c) => [c.name, c]));
  }
  has(name) { return this.byName.has(name); }
  // Values of a column, [] when there is none of that name.
  col(name) {
    const c = this.byName.get(name);
    if (!c) return [];
    if (!c.v) c.v = decode(c.d, this.n);
    return c.v;
  }
  units(name) { return this.byName.get(name)?.units ?? "1"; }
}

const tables = new Map(), scalars = new Map();
for (const set of raw.sets) {
  if (set.cols) tables.set(set.path, new Table(set));
  else scalars.set(set.path, { path: set.path, v: set.v, units: set.units, text: set.text });
}
// Columns without which a panel has nothing to say; a report that lacks one keeps the table under All data alone.
const needed = {
  "/fabric/channels": "src dst kind", "/timing/congestion": "channel stage bits waited_ps caused_ps caused_share",
  "/accuracy/rows": "model time_s compensation mean ci95 std", "/accuracy/snr": "model layer time_s local_db total_db",
  "/compare/rows": "main network fabric array_rows array_cols", "/traffic/curves": "fabric routing pattern",
  "/traffic/points": "curve rate packet_latency ci95 accepted saturated", "/sweep/settings": "name values",
};
const lacks = (path) => (needed[path] || "").split(" ").filter((c) => c && !tables.get(path).has(c));
const table = (path) => (tables.get(path)?.n > 0 && !lacks(path).length ? tables.get(path) : null);
const scalar = (path) => scalars.get(path)?.v;

// Busy shares are measured between the completions at a quarter and at three quarters of the inferences: a pipeline that holds more is not full then.
function unfilled() {
  const images = scalar("/timing/images"), needed = (1e6 * scalar("/timing/latency_first_us")) / scalar("/timing/initiation_interval_ps");
  return images > 1 && needed > Math.floor(images / 4) ? ` Busy shares are of a pipeline that is not full: ${images} inferences were simulated, ${4 * Math.ceil(needed)} would show it so.` : "";
}

// ---- elements ----

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === "number" && !Number.isFinite(value)) continue; // a damaged figure has no place
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat()) {
    if (child === undefined || child === null || child === false) continue;
    node.append(child instanceof Node ? child : String(child));
  }
  return node;
}
const el = (name, attributes, ...children) => fill(document.createElement(name), attributes, children);
const svg = (name, attributes, ...children) => fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);

const views = document.getElementById("views");
// A panel of the page; returns its body.
function panel(id, title, note, wide = true) {
  const body = el("div", { class: "body" });
  views.append(el("section", { id, class: wide ? "panel" : "panel half" }, el("h2", {}, title), note && el("p", { class: "note" }, note), body));
  return body;
}

// ---- numbers ----

const group2 = (text) => { const [a, b] = text.split("."); return b === undefined ? group(a) : `${group(a)}.${b}`; };
const group = (text) => text.replace(/\B(?=(\d{3})+(?!\d))/g, "\u202f");
function plain(v, digits = 4) {
  if (v === null || v === undefined) return "–";
  if (typeof v === "string") return v;
  if (v === 0) return "0";
  if (!Number.isFinite(v)) return "–";
  const size = Math.abs(v);
  if (Number.isInteger(v) && size < 1e15) return group(String(v));
  if (size >= 1e7 || size < 1e-4) return v.toExponential(digits - 1).replace("e+", "e");
  const text = v.toPrecision(digits);
  return size >= 1000 ? group(String(Math.round(v))) : text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

// For axes: 250 k, 1.5 M.
function brief(v) {
  const size = Math.abs(v);
  for (const [factor, name] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]]) if (size >= 10 * factor || (size >= factor && factor > 1e3)) return plain(v / factor) + "\u202f" + name;
  return plain(v);
}

// Units that grow: [factor to the next, name].
const scales = {
  ps: [[1, "ps"], [1e3, "ns"], [1e6, "µs"], [1e9, "ms"], [1e12, "s"]],
  us: [[1e-3, "ns"], [1, "µs"], [1e3, "ms"], [1e6, "s"]],
  pJ: [[1, "pJ"], [1e3, "nJ"], [1e6, "µJ"], [1e9, "mJ"], [1e12, "J"]],
  fJ: [[1, "fJ"], [1e3, "pJ"], [1e6, "nJ"], [1e9, "µJ"]],
  byte: [[1, "B"], [1024, "KiB"], [1048576, "MiB"], [1073741824, "GiB"]],
  s: [[1e-12, "ps"], [1e-9, "ns"], [1e-6, "µs"], [1e-3, "ms"], [1, "s"]],
  B: [[1, "B"], [1024, "KiB"], [1048576, "MiB"], [1073741824, "GiB"]],
  bit: [[1, "bit"], [1e3, "kbit"], [1e6, "Mbit"], [1e9, "Gbit"]],
};
// The scale that suits values up to `most`: {factor, name}.
function scaleOf(units, most) {
  let best = { factor: 1, name: units === "1" ? "" : units };
  for (const [factor, name] of scales[units] || []) if (most >= factor || factor === scales[units][0][0]) best = { factor, name };
  return best;
}
function withUnits(v, units, digits = 4) {
  if (typeof v !== "number") return plain(v);
  const s = scaleOf(units, Math.abs(v));
  return plain(v / s.factor, digits) + (s.name ? "\u00a0" + s.name : "");
}
const plural = (n, word) => `${group(String(n))} ${word}${n === 1 ? "" : "s"}`;
const percent = (v, digits = 3) => (typeof v === "number" ? plain(100 * v, digits) + "\u00a0%" : "–");
const maximum = (values) => values.reduce((most, v) => (typeof v === "number" && v > most ? v : most), 0);
function duration(s) {
  for (const [size, name] of [[31536000, "y"], [86400, "d"], [3600, "h"], [60, "min"]]) if (s >= size) return plain(s / size, 3) + "\u00a0" + name;
  return plain(s, 3) + "\u00a0s";
}

// ---- the tip ----

const tip = document.getElementById("tip");
// Shows lines beside the pointer: the first in bold.
function showTip(x, y, lines) {
  tip.replaceChildren(...lines.map((line, i) => el(i === 0 ? "b" : "div", {}, line)));
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  tip.style.left = Math.max(4, Math.min(x + 14, innerWidth - box.width - 8)) + "px";
  tip.style.top = (y + 18 + box.height > innerHeight ? Math.max(4, y - box.height - 12) : y + 18) + "px";
}
const hideTip = () => { tip.hidden = true; };
// Elements that tell something under the pointer and with the keyboard's focus.
function telling(node, lines) {
  const get = typeof lines === "function" ? lines : () => lines;
  node.addEventListener("pointermove", (e) => showTip(e.clientX, e.clientY, get(e)));
  node.addEventListener("pointerleave", hideTip);
  return node;
}
addEventListener("keydown", (e) => { if (e.key === "Escape") hideTip(); });
addEventListener("scroll", hideTip, { passive: true });

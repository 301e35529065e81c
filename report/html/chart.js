// Charts as SVG: axes, lines with bands, bars, heat maps. Every chart has a title for those who do not see it.

const ink = ["var(--s0)", "var(--s1)", "var(--s2)", "var(--s3)", "var(--s4)", "var(--s5)", "var(--s6)", "var(--s7)"];
const dashes = ["", "7 3", "2 3", "9 3 2 3"];
// The ramp of the drawing's cores, 0 ... 1.
function ramp(share) {
  const stop = [[72, 36, 117], [62, 74, 137], [42, 120, 142], [34, 168, 132], [122, 209, 81], [253, 231, 37]];
  const at = 5 * Math.min(1, Math.max(0, share)), i = Math.min(4, Math.floor(at));
  return stop[i].map((v, k) => Math.round(v + (at - i) * (stop[i + 1][k] - v)));
}
const css = (rgb) => `rgb(${rgb.join(",")})`;
const isDark = (rgb) => 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2] < 125;

// Round ticks within [a, b].
function ticks(a, b, count) {
  if (!(b > a)) return [a];
  const rough = (b - a) / count, power = 10 ** Math.floor(Math.log10(rough)), f = rough / power;
  const step = power * (f < 1.5 ? 1 : f < 3.5 ? 2 : f < 7.5 ? 5 : 10), out = [];
  for (let i = Math.ceil(a / step - 1e-9); i * step <= b + 1e-9 * step; i++) out.push(Math.abs(i * step) < 1e-12 * step ? 0 : i * step);
  return out;
}
function decades(a, b) {
  const out = [], from = Math.ceil(Math.log10(a) - 1e-9), to = Math.floor(Math.log10(b) + 1e-9), step = Math.max(1, Math.ceil((to - from) / 7));
  for (let e = from; e <= to; e += step) out.push(10 ** e);
  return out.length ? out : [a, b];
}

// Frame with axes. o: {title, width, height, x: axis, y: axis, left, bottom}; an axis: {min, max, log, label, text, ticks}.
function frame(o) {
  const w = o.width || 560, h = o.height || 300, right = o.right || 20, top = 12, bottom = o.bottom || 44;
  const root = svg("svg", { viewBox: `0 0 ${w} ${h}`, class: "chart", role: "img", "aria-label": o.title }, svg("title", {}, o.title));
  const place = (axis, a, b) => {
    const f = axis.log ? Math.log10 : (v) => v, lo = f(axis.min), span = f(axis.max) - lo || 1;
    return (v) => a + ((f(v) - lo) / span) * (b - a);
  };
  const marks = (axis, n) => axis.ticks || (axis.log ? decades(axis.min, axis.max) : ticks(axis.min, axis.max, n).filter((v) => !axis.whole || Number.isInteger(v)));
  const longest = Math.max(0, ...marks(o.y, 5).map((v) => String((o.y.text || brief)(v)).length)); // the axis' name stands left of its numbers
  const left = o.left || Math.max(58, 32 + 7 * longest);
  const x = place(o.x, left, w - right), y = place(o.y, h - bottom, top);
  for (const v of marks(o.y, 5)) {
    root.append(svg("line", { class: "grid", x1: left, x2: w - right, y1: y(v), y2: y(v) }),
      svg("text", { class: "tick", x: left - 7, y: y(v) + 3.5, "text-anchor": "end" }, (o.y.text || brief)(v)));
  }
  for (const v of marks(o.x, Math.max(2, Math.round((w - left) / 90)))) {
    root.append(svg("line", { class: "grid", x1: x(v), x2: x(v), y1: top, y2: h - bottom }),
      svg("text", { class: "tick", x: x(v), y: h - bottom + 15, "text-anchor": "middle" }, (o.x.text || brief)(v)));
  }
  if (o.x.label) root.append(svg("text", { class: "axis", x: (left + w - right) / 2, y: h - 6, "text-anchor": "middle" }, o.x.label));
  if (o.y.label) root.append(svg("text", { class: "axis", x: 12, y: (top + h - bottom) / 2, "text-anchor": "middle", transform: `rotate(-90 12 ${(top + h - bottom) / 2})` }, o.y.label));
  return { root, x, y, w, h, left, right, top, bottom };
}

// Lines with points and 95 % bands. series: [{name, points: [{x, y, ci, lines}]}]. What has no place is left out.
function lineChart(o, series) {
  const fits = (v, axis) => Number.isFinite(v) && Math.abs(v) < 1e300 && (v > 0 || !axis.log);
  series = series.map((s) => ({ ...s, points: s.points.filter((p) => fits(p.x, o.x) && fits(p.y, o.y)).map((p) => ({ ...p, ci: Number.isFinite(p.ci) ? p.ci : 0 })) }));
  const all = series.flatMap((s) => s.points);
  if (!all.length) return el("figure", {}, el("figcaption", {}, `${o.title}: no values`));
  const lo = Math.min(...all.map((p) => p.y - (p.ci || 0))), hi = Math.max(...all.map((p) => p.y + (p.ci || 0)));
  const xs = all.map((p) => p.x), pad = (hi - lo) * 0.06 || Math.abs(hi) * 0.05 || 1;
  let x0 = Math.min(...xs), x1 = Math.max(...xs);
  if (x0 === x1) { x0 = o.x.log ? x0 / 2 : x0 - 1; x1 = o.x.log ? x1 * 2 : x1 + 1; }
  const yMin = o.y.min ?? (o.y.log ? lo / 1.1 : lo - pad), yMax = o.y.max ?? (o.y.log ? hi * 1.1 : hi + pad);
  const f = frame({ ...o, x: { min: x0, max: x1, ...o.x }, y: { ...o.y, min: yMin, max: yMax } });
  const inside = (v) => Math.min(yMax, Math.max(yMin, v));
  series.forEach((s, k) => {
    const colour = ink[k % ink.length], points = s.points;
    if (points.some((p) => p.ci > 0)) {
      const up = points.map((p) => `${f.x(p.x)},${f.y(inside(p.y + (p.ci || 0)))}`), down = points.map((p) => `${f.x(p.x)},${f.y(inside(p.y - (p.ci || 0)))}`).reverse();
      f.root.append(svg("polygon", { points: [...up, ...down].join(" "), fill: colour, opacity: 0.16 }));
      for (const p of points) if (p.ci > 0) f.root.append(svg("line", { class: "error", stroke: colour, x1: f.x(p.x), x2: f.x(p.x), y1: f.y(inside(p.y - p.ci)), y2: f.y(inside(p.y + p.ci)) }));
    }
    f.root.append(svg("polyline", { class: "line", points: points.map((p) => `${f.x(p.x)},${f.y(inside(p.y))}`).join(" "), stroke: colour, "stroke-dasharray": dashes[k % 4] }));
    for (const p of points) {
      f.root.append(svg("circle", { class: "point", cx: f.x(p.x), cy: f.y(inside(p.y)), r: points.length > 60 ? 1.8 : 3.2, fill: colour }),
        telling(svg("circle", { class: "hit", cx: f.x(p.x), cy: f.y(inside(p.y)), r: 9 }), [s.name, ...(p.lines || [])]));
    }
  });
  return el("figure", {}, f.root, series.length > 1 || series[0].name ? legend(series.map((s) => s.name)) : null);
}

function legend(names, colours) {
  return el("figcaption", { class: "keys" }, names.map((name, k) => el("span", {}, el("i", { style: `background:${colours ? colours[k] : ink[k % ink.length]}` }), name)));
}

// Vertical bars. bars: [{label, parts: [value], lines}]; one colour a part.
function barChart(o, bars, colours) {
  const most = maximum(bars.map((b) => b.parts.reduce((a, v) => (Number.isFinite(a + v) ? a + v : a), 0))) || 1;
  const f = frame({ ...o, x: { min: 0, max: bars.length, ticks: [], ...o.x }, y: { min: 0, max: most * 1.05, ...o.y } });
  const step = (f.w - f.left - f.right) / bars.length, gap = step > 6 ? 0.14 * step : 0;
  const room = bars.every((b) => typeof b.label !== "string") ? 10 + 7 * Math.max(...bars.map((b) => String(b.label ?? "").length)) : 22; // numbers keep clear of each other
  bars.forEach((bar, i) => {
    let sum = 0;
    const x = f.left + i * step + gap / 2;
    bar.parts.forEach((v, k) => {
      if (!(v > 0) || !Number.isFinite(sum + v)) return;
      f.root.append(svg("rect", { class: "bar", x, width: Math.max(0.5, step - gap), y: f.y(sum + v), height: f.y(sum) - f.y(sum + v), fill: (colours || ink)[k] }));
      sum += v;
    });
    f.root.append(telling(svg("rect", { class: "hit", x: f.left + i * step, width: step, y: f.top, height: f.h - f.top - f.bottom }), bar.lines));
    if (bar.label !== undefined && i % Math.ceil(room / step) === 0)
      f.root.append(svg("text", { class: "tick", x: x + (step - gap) / 2, y: f.h - f.bottom + 15, "text-anchor": "middle" }, bar.label));
  });
  return f;
}

// When each stage worked on each inference; how the inferences followed each other.

function pipelineChart() {
  const spans = table("/timing/spans"), stages = table("/timing/stages"), names = table("/workload/stages")?.col("name") || stages?.col("stage") || [];
  let rows = [];
  if (spans) {
    const [inference, stage, from, to] = ["inference", "stage", "first_fire_ps", "last_done_ps"].map((c) => spans.col(c));
    rows = inference.map((n, i) => ({ n, stage: stage[i], from: from[i], to: to[i] }));
  } else if (stages) {
    rows = stages.col("first_fire_ps").map((from, i) => ({ n: 0, stage: i, from, to: stages.col("last_done_ps")[i] }));
  }
  rows = rows.filter((r) => Number.isFinite(r.from) && Number.isFinite(r.to) && r.to >= r.from && r.stage < names.length);
  if (!rows.length) return;
  const count = 1 + maximum(rows.map((r) => r.n)), body = panel("pipeline", "Pipeline",
    count > 1 ? `When each layer worked on each of the first ${count} inferences, from its first firing to its last result. Bars of one colour are one inference; from one colour to the next it is the interval.`
      : "When each layer worked on the first inference, from its first firing to its last result.");
  const interval = scalar("/timing/initiation_interval_ps"), n = names.length;
  const h = Math.max(4, Math.min(18, 760 / n)), width = 1180, left = 168, top = 8, height = top + n * h + 40;
  const choice = el("select", { "aria-label": "Inferences shown" }, [1, 2, 4, 8, 16].filter((k) => k < count).concat(count).map((k) => el("option", { value: k, selected: k === Math.min(count, 4) }, `${k} inference${k > 1 ? "s" : ""}`)));
  const box = el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Pipeline chart" });
  function draw() {
    const visible = rows.filter((r) => r.n < Number(choice.value)), end = maximum(visible.map((r) => r.to)), s = scaleOf("ps", end);
    const x = (t) => left + (t / end) * (width - left - 12);
    const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "chart gantt", role: "img", "aria-label": "Pipeline over time" }, svg("title", {}, "Pipeline over time: a bar for each layer and inference"));
    for (const t of ticks(0, end / s.factor, 9)) root.append(svg("line", { class: "grid", x1: x(t * s.factor), x2: x(t * s.factor), y1: top, y2: top + n * h }),
      svg("text", { class: "tick", x: x(t * s.factor), y: top + n * h + 15, "text-anchor": "middle" }, plain(t)));
    root.append(svg("text", { class: "axis", x: (left + width) / 2, y: height - 6, "text-anchor": "middle" }, `time, ${s.name}`));
    const every = Math.ceil(11 / h);
    names.forEach((name, i) => { if (i % every === 0) root.append(svg("text", { class: "tick", x: left - 7, y: top + i * h + h / 2 + 3.5, "text-anchor": "end" }, name.length > 25 ? "…" + [...name].slice(-24).join("") : name)); });
    for (const r of visible) {
      root.append(telling(svg("rect", { class: "span", x: x(r.from), y: top + r.stage * h + h * 0.1, width: Math.max(1, x(r.to) - x(r.from)), height: h * 0.8, fill: ink[r.n % 6], opacity: 0.85 }),
        [`${names[r.stage]}, inference ${r.n + 1}`, `${withUnits(r.from, "ps", 5)} to ${withUnits(r.to, "ps", 5)}`, `worked ${withUnits(r.to - r.from, "ps")}`]));
    }
    box.replaceChildren(root);
  }
  choice.addEventListener("change", draw);
  body.append(el("div", { class: "tools" }, count > 1 && choice, typeof interval === "number" && el("span", { class: "count" }, `interval in the steady state ${withUnits(interval, "ps")}`)), box);
  draw();
  inferenceChart(body);
}

function inferenceChart(body) {
  const t = table("/timing/inferences");
  if (!t || t.n < 3) return;
  const v = t.col("interval_ps").slice(1), s = scaleOf("ps", maximum(v));
  if (v.every((x) => x === v[0])) {
    body.append(el("p", { class: "note" }, `All ${t.n} inferences follow each other at ${withUnits(v[0], "ps")}.`));
    return;
  }
  body.append(el("h3", {}, "Time between inferences"), lineChart({ title: "Time between one inference and the next", width: 1180, height: 210, x: { label: "inference" }, y: { label: s.name, min: 0 } },
    [{ name: "", points: v.map((y, i) => ({ x: i + 2, y: y / s.factor, lines: [`inference ${i + 2}`, withUnits(y, "ps")] })) }]));
}

// Tokens of a language model in the operators of one block: a bar while an operator is taken, a thin one while the token waits for it.
function tokenPipeline(body) {
  const t = table("/timing/pipeline");
  if (!t) return;
  const [token, sequence, position, name, ready, start, end] = ["token", "sequence", "position", "name", "ready_ps", "start_ps", "end_ps"].map((c) => t.col(c));
  const all = [...new Set(token)], names = [...new Set(name)], rowOf = new Map(names.map((v, i) => [v, i])), n = names.length;
  const h = Math.max(9, Math.min(18, 520 / n)), width = 1180, left = 128, top = 8, height = top + n * h + 40;
  const choice = el("select", { "aria-label": "Tokens shown" }, [1, 2, 4, 8, 16].filter((k) => k < all.length).concat(all.length).map((k) => el("option", { value: k, selected: k === Math.min(all.length, 8) }, plural(k, "token"))));
  const box = el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Tokens in the operators of a block" });
  function draw() {
    const visible = new Set(all.slice(0, Number(choice.value))), rows = token.map((_, i) => i).filter((i) => visible.has(token[i]));
    const from = rows.reduce((least, i) => Math.min(least, ready[i]), Infinity), to = rows.reduce((most, i) => Math.max(most, end[i]), from), s = scaleOf("ps", to - from);
    const x = (v) => left + ((v - from) / (to - from || 1)) * (width - left - 12);
    const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "chart gantt", role: "img", "aria-label": "Tokens in the operators of a block" }, svg("title", {}, "Tokens in the operators of a block: a bar while an operator is taken, a thin bar while a token waits for it"));
    for (const v of ticks(0, (to - from) / s.factor, 9)) root.append(svg("line", { class: "grid", x1: x(from + v * s.factor), x2: x(from + v * s.factor), y1: top, y2: top + n * h }), svg("text", { class: "tick", x: x(from + v * s.factor), y: top + n * h + 15, "text-anchor": "middle" }, plain(v)));
    root.append(svg("text", { class: "axis", x: (left + width) / 2, y: height - 6, "text-anchor": "middle" }, `time after ${withUnits(from, "ps", 5)}, ${s.name}`));
    names.forEach((v, i) => root.append(svg("text", { class: "tick", x: left - 7, y: top + i * h + h / 2 + 3.5, "text-anchor": "end" }, v)));
    for (const i of rows) {
      const y = top + rowOf.get(name[i]) * h, colour = ink[token[i] % 6], lines = [`${name[i]}, token ${token[i]}`, `sequence ${sequence[i]}, position ${position[i]}`, `waited ${withUnits(start[i] - ready[i], "ps")}`, `taken ${withUnits(end[i] - start[i], "ps")} from ${withUnits(start[i], "ps", 6)} on`];
      if (start[i] > ready[i]) root.append(telling(svg("rect", { class: "span", x: x(ready[i]), y: y + h * 0.42, width: x(start[i]) - x(ready[i]), height: h * 0.16, fill: colour, opacity: 0.55 }), lines));
      root.append(telling(svg("rect", { class: "span", x: x(start[i]), y: y + h * 0.1, width: Math.max(1, x(end[i]) - x(start[i])), height: h * 0.8, fill: colour, opacity: 0.85 }), lines));
    }
    box.replaceChildren(root);
  }
  choice.addEventListener("change", draw);
  body.append(el("h3", {}, `Pipeline: ${t.col("part")[0]}`), el("p", { class: "note" }, "Some tokens in the operators of one block. A bar: the operator is taken. A thin bar: the token waits for it."), el("div", { class: "tools" }, all.length > 1 && choice), box);
  draw();
}

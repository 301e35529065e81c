// The other panels, each from the tables that it needs.

// ---- bandwidth ----

function bandwidthPanel() {
  const need = table("/bandwidth/channels"), busy = table("/timing/channels"), channels = table("/fabric/channels");
  if (!need || !channels) return;
  const kind = channels.col("kind"), network = kind.map((k, i) => i).filter((i) => kind[i] === "network" && i < need.n);
  if (!network.length) return;
  const body = panel("bandwidth", "Bandwidth", "Network channels by the rate that they must carry, and by how busy they were." + unfilled());
  const pair = el("div", { class: "pair" });
  const required = network.map((i) => need.col("required_gbps")[i]), rate = channels.col("rate_gbps")[network[0]];
  pair.append(histogram("Rate that a channel must carry at the bound of the interval", required, "Gbit/s", rate));
  if (busy) pair.append(histogram("Busy share of a channel, steady state", network.map((i) => 100 * busy.col("utilisation")[i]), "%"));
  body.append(pair);
  body.append(lazy(`All ${group(String(network.length))} network channels`, () => channelTable(network, need, busy, channels)));
}

// Made when it is opened: there may be many.
function channelTable(network, need, busy, channels) {
  const load = busy ? busy.col("utilisation") : need.col("share"), order = [...network].sort((a, b) => (load[b] || 0) - (load[a] || 0));
  const label = new Map((table("/fabric/cores")?.col("vertex") || []).map((v, i) => [v, table("/fabric/cores").col("label")[i]]));
  const end = (v) => label.get(v) ?? `switch ${v}`;
  const columns = [
    { label: "channel", get: (i) => `${end(channels.col("src")[order[i]])} → ${end(channels.col("dst")[order[i]])}` },
    { label: "needed", units: "Gbit/s", get: (i) => need.col("required_gbps")[order[i]] },
    { label: "of its rate", get: (i) => need.col("share")[order[i]], show: (v) => percent(v) },
    { label: "bits an inference", units: "bit", get: (i) => need.col("bits")[order[i]] },
  ];
  if (busy) columns.push({ label: "busy", get: (i) => busy.col("utilisation")[order[i]], show: (v) => percent(v) }, { label: "waited for it", units: "ps", get: (i) => busy.col("wait_ps")[order[i]] },
    { label: "most waiting", get: (i) => busy.col("queue_high")[order[i]] });
  const pick = (i) => { window.pentaprism?.pickChannel(order[i]); document.getElementById("fabric")?.scrollIntoView({ block: "start" }); };
  return dataTable(columns, order.length, { caption: "Network channels, busiest first; Enter or a click shows one in the drawing", step: 25, onpick: pick });
}

function histogram(title, values, units, limit) {
  values = values.map((v) => (Number.isFinite(v) ? v : 0)); // a damaged figure has no bar
  const most = maximum(values), n = 24;
  if (!(most > 0)) return el("figure", {}, el("figcaption", {}, `${title}: 0 everywhere`));
  const step = ticks(0, most, n)[1] || most / n, bins = Array(Math.max(1, Math.ceil(most / step + 1e-9))).fill(0);
  let idle = 0;
  for (const v of values) if (v > 0) bins[Math.min(bins.length - 1, Math.floor(v / step))]++; else idle++;
  const f = barChart({ title, x: { max: bins.length, ticks: ticks(0, bins.length * step, 6).map((t) => t / step), text: (v) => plain(v * step), label: units }, y: { label: "channels", whole: true } },
    bins.map((count, i) => ({ parts: [count], lines: [`${count} channels`, `${plain(i * step)} to ${plain((i + 1) * step)} ${units}`] })));
  const mean = values.reduce((a, v) => a + v, 0) / values.length;
  return el("figure", {}, el("h3", {}, title), f.root, el("figcaption", {}, `most ${plain(most)} ${units}, mean ${plain(mean)} ${units}; ${idle} of ${values.length} carry nothing${limit ? `; a channel carries ${plain(limit)} ${units}` : ""}`));
}

// ---- waiting ----

function congestionPanel() {
  const t = table("/timing/congestion"), channels = table("/fabric/channels");
  if (!t || !channels) return;
  const body = panel("waiting", "Waiting", `Who waits for whom. Longest: ${(scalar("/timing/congested_channel") || "nobody waited").replace(" -> ", " → ")}${scalar("/timing/congested_by") ? ", served meanwhile: " + scalar("/timing/congested_by") : ""}.`);
  const label = new Map((table("/fabric/cores")?.col("vertex") || []).map((v, i) => [v, table("/fabric/cores").col("label")[i]]));
  const port = { inject: "port out of", eject: "port into" }, kind = channels.col("kind");
  const end = (c, which) => label.get(channels.col(which)[c]) ?? plain(channels.col(which)[c]);
  const c = t.col("channel"), order = c.map((_, i) => i).sort((a, b) => t.col("waited_ps")[b] - t.col("waited_ps")[a]);
  body.append(dataTable([
    { label: "channel", get: (i) => { const [from, to] = ["src", "dst"].map((which) => end(c[order[i]], which)); return from === to && port[kind[c[order[i]]]] ? `${port[kind[c[order[i]]]]} ${from}` : `${from} → ${to}`; } },
    { label: "layer", get: (i) => t.col("stage")[order[i]] },
    ...["bits", "waited_ps", "caused_ps"].map((name) => ({ label: name.replace("_ps", ""), units: t.units(name), text: t.byName.get(name).text, get: (i) => t.col(name)[order[i]] })),
    { label: "share of the cause", text: t.byName.get("caused_share").text, get: (i) => t.col("caused_share")[order[i]], show: (v) => percent(v) },
  ], t.n, { caption: `Waiting by channel and layer; bits are those of one inference, times those of all ${plain(scalar("/timing/images"))}`, step: 15 }));
}

// ---- accuracy ----

function accuracyPanel() {
  const rows = table("/accuracy/rows"), snr = table("/accuracy/snr"), leave = table("/accuracy/leave_one_ideal"), adc = table("/accuracy/adc"), converters = table("/accuracy/converters");
  if (!rows && !snr && !leave && !adc) return;
  const device = scalar("/accuracy/device");
  const body = panel("accuracy", "Accuracy", device ? `Device model: ${device}.` : null), pair = el("div", { class: "pair" });
  body.append(pair);
  if (rows) pair.append(driftChart(rows));
  if (snr) pair.append(snrChart(snr));
  if (!rows) pair.append(stepsChart());
  const names = table("/workload/stages")?.col("name") || [], tiles = table("/mapping/tiles");
  if (adc && tiles) pair.append(adcChart(adc, tiles, names), clipChart(...clipsOfTiles(adc, tiles, names)));
  if (converters) pair.append(clipChart(...clipsOfLayers(converters)));
  if (leave) pair.append(leaveChart(leave));
  if (rows) body.append(rawTable(rows, { spoken: true, caption: "Accuracy of each network, time and compensation", step: 20 }));
}

function driftChart(t) {
  const [model, time, comp, mean, ci, std] = ["model", "time_s", "compensation", "mean", "ci95", "std"].map((c) => t.col(c)), seeds = t.col("seeds"), series = new Map();
  const isShare = maximum(mean) <= 1, k = isShare ? 100 : 1, several = new Set(model).size > 1;
  const spread = (i) => (seeds[i] === 1 ? [`${plain(k * mean[i])}${isShare ? " %" : ""}, one draw of the devices`]
    : [`${plain(k * mean[i])}${isShare ? " %" : ""} ± ${plain(k * (ci[i] || 0), 2)} (95 %)`, `standard deviation ${plain(k * std[i], 2)}`]);
  mean.forEach((m, i) => {
    const name = several ? `${model[i]}, ${comp[i]}` : `compensation ${comp[i]}`;
    if (!series.has(name)) series.set(name, { name, points: [] });
    series.get(name).points.push({ x: Math.max(time[i], 1e-3), y: k * m, ci: Number.isFinite(ci[i]) ? k * ci[i] : 0, lines: [`after ${duration(time[i])}`, ...spread(i)] });
  });
  const label = isShare ? "top-1, %" : "bits per byte";
  const o = { title: "Accuracy against time, mean over the devices' draws with 95 % bands", x: { log: true, label: "time after programming", text: duration }, y: { label } };
  if (isShare) { // shares end at 0 and 1, whatever an interval of few draws says
    const ends = mean.map((m, i) => [k * (m - (ci[i] || 0)), k * (m + (ci[i] || 0))]), lo = Math.min(...ends.map((e) => e[0])), hi = Math.max(...ends.map((e) => e[1]));
    o.y.min = Math.max(0, lo - 0.05 * (hi - lo) - 0.5);
    o.y.max = Math.min(100, hi + 0.05 * (hi - lo) + 0.5);
  }
  const all = [...new Set(time)].sort((a, b) => a - b);
  if (all.length < 8) o.x.ticks = all.filter((v, i) => i === 0 || Math.log10(v / all[0]) / Math.log10(all[all.length - 1] / all[0] || 10) > 0.08).map((v) => Math.max(v, 1e-3));
  return el("div", {}, el("h3", {}, "Accuracy against time"), lineChart(o, [...series.values()]));
}

function snrChart(t) {
  const [model, layer, time, local, total] = ["model", "layer", "time_s", "local_db", "total_db"].map((c) => t.col(c));
  const times = [...new Set(time)].sort((a, b) => a - b), shown = times.length > 1 ? [times[0], times[times.length - 1]] : times, series = [];
  const first = layer.filter((_, i) => model[i] === model[0] && time[i] === times[0]);
  for (const at of shown) for (const [v, what] of [[local, "sums"], [total, "stream"]]) {
    const points = [];
    layer.forEach((name, i) => { if (model[i] === model[0] && time[i] === at) points.push({ x: first.indexOf(name) + 1, y: v[i], lines: [`layer ${name}`, `${plain(v[i])} dB after ${duration(at)}`] }); });
    series.push({ name: `${what}, ${duration(at)}`, points: points.filter((p) => p.x > 0) });
  }
  return el("div", {}, el("h3", {}, "Signal to noise of each layer"), lineChart({ title: "Signal to noise of each layer", x: { label: "layer" }, y: { label: "dB" } }, series));
}

// A core that only computes digitally has no converter: its range is nothing.
const converts = (t, i) => t.col("full_scale_max")[i] > 0;

function adcChart(t, tiles, names) {
  const stage = tiles.col("stage"), points = t.col("sqnr_db").map((v, i) => ({ x: (stage[t.col("tile")[i]] ?? 0) + 1, y: v, lines: [names[stage[t.col("tile")[i]]] || "", `${plain(v)} dB`, `${percent(t.col("clipped_share")[i])} clipped`] })).filter((p, i) => Number.isFinite(p.y) && converts(t, i));
  if (!points.length) return "";
  const lo = Math.min(...points.map((p) => p.y)), hi = Math.max(...points.map((p) => p.y));
  const f = frame({ title: "Signal to conversion noise of each tile", x: { min: 0, max: names.length + 1, label: "layer" }, y: { min: lo - 1, max: hi + 1, label: "dB" } });
  for (const p of points) f.root.append(telling(svg("circle", { class: "point", cx: f.x(p.x), cy: f.y(p.y), r: 3.4, fill: ink[0], opacity: 0.75 }), p.lines));
  return el("div", {}, el("h3", {}, "Converters: signal to noise of each tile"), el("figure", {}, f.root));
}

// Top-1 of the float, the quantized network and through crossbars.
function stepsChart() {
  const steps = [["float", "top1_float"], ["quantized", "top1_quant"], ["crossbars", "top1_crossbar"]].map(([name, key]) => [name, scalar(`/accuracy/${key}`)]).filter(([, v]) => typeof v === "number");
  if (!steps.length) return "";
  const f = barChart({ title: "Top-1 from float to crossbars", y: { label: "top-1, %", max: 100 } }, steps.map(([name, v]) => ({ label: name, parts: [100 * v], lines: [name, `${plain(100 * v)} % of ${plain(scalar("/accuracy/eval_images"))} images`] })));
  return el("div", {}, el("h3", {}, "From float to crossbars"), el("figure", {}, f.root));
}

// Share of conversions that are beyond their converter's range: [layers, share, most clipped one's text, their numbers].
function clipsOfTiles(adc, tiles, names) {
  const worst = new Map(), stage = tiles.col("stage");
  adc.col("clipped_share").forEach((v, i) => { const s = stage[adc.col("tile")[i]]; if (Number.isFinite(v) && converts(adc, i) && names[s] !== undefined) worst.set(s, Math.max(v, worst.get(s) ?? 0)); });
  const at = [...worst.keys()].sort((a, b) => a - b);
  return [at.map((s) => names[s]), at.map((s) => worst.get(s)), "of the layer's most clipped tile, calibration images", at.map((s) => s + 1)];
}
function clipsOfLayers(t) {
  const model = t.col("model"), keep = model.map((_, i) => i).filter((i) => model[i] === model[0]);
  return [keep.map((i) => t.col("layer")[i]), keep.map((i) => t.col("clipped_share")[i]), `of ${model[0]}, calibration data`, keep.map((_, k) => k + 1)];
}
function clipChart(names, share, what, number) {
  if (!names.length) return "";
  if (!(maximum(share) > 0)) return el("div", {}, el("h3", {}, "Converters: saturation"), el("p", { class: "note" }, `No conversion is beyond its converter's range (${what}).`));
  const f = barChart({ title: "Conversions beyond the converters' range", x: { label: "layer" }, y: { label: "clipped, %" } }, names.map((name, i) => ({ label: number[i], parts: [100 * share[i]], lines: [name, `${percent(share[i])} clipped`] })));
  return el("div", {}, el("h3", {}, "Converters: saturation"), el("figure", {}, f.root, el("figcaption", {}, `Conversions beyond the range, ${what}.`)));
}

function leaveChart(t) {
  const keep = t.col("layer").map((name, i) => i).filter((i) => t.col("layer")[i] !== "none");
  const gain = keep.map((i) => 100 * t.col("gain")[i]), lo = Math.min(0, ...gain), f = frame({ title: "Accuracy gained with one layer on ideal devices", x: { min: 0, max: keep.length, ticks: [], label: "layer" }, y: { min: lo, max: Math.max(0.1, maximum(gain)) * 1.05, label: "top-1 gained, %" } });
  const step = (f.w - f.left - f.right) / keep.length;
  keep.forEach((row, i) => {
    const top = f.y(Math.max(0, gain[i]));
    f.root.append(svg("rect", { class: "bar", x: f.left + i * step + step * 0.1, width: step * 0.8, y: top, height: Math.abs(f.y(gain[i]) - f.y(0)), fill: ink[gain[i] < 0 ? 1 : 0] }),
      telling(svg("rect", { class: "hit", x: f.left + i * step, width: step, y: f.top, height: f.h - f.top - f.bottom }), [t.col("layer")[row], `${plain(gain[i])} % gained`]));
  });
  return el("div", {}, el("h3", {}, "One layer on ideal devices"), el("figure", {}, f.root));
}

// ---- energy ----

const energyClasses = ["mvm", "digital", "buffer", "router", "wire", "static", "dram", "kv"];
function energyPanel() {
  const perToken = scalar("/energy/energy_per_token_nj"), total = scalar("/energy/energy_per_inference_pj") ?? perToken, stages = table("/energy/stages"), actions = table("/energy/actions"), area = table("/energy/area");
  if (typeof total !== "number" && !stages && !actions) return;
  const unpriced = scalar("/energy/energy_unpriced");
  const body = panel("energy", "Energy", `${perToken !== undefined ? "Energy of a token. " : ""}${perToken === undefined && scalar("/timing/throughput_ips") === undefined && typeof total === "number" ? "Nothing was simulated: firings are the mapping's, static power is taken over the bound of the interval. " : ""}Boundary: ${plain(scalar("/energy/energy_boundary"))}; figures from ${plain(scalar("/energy/cost_preset"))}.${unpriced ? " Without a price: " + unpriced + "." : ""}`);
  const parts = energyClasses.map((k) => scalar(`/energy/${k}_pj`) ?? 1000 * (scalar(`/energy/${k}_nj`) || 0)), sum = parts.reduce((a, v) => a + v, 0);
  if (sum > 0) {
    const used = energyClasses.map((_, k) => k).filter((k) => parts[k] > 0);
    body.append(el("div", { class: "stack", role: "img", "aria-label": used.map((k) => `${energyClasses[k]} ${percent(parts[k] / sum)}`).join(", ") },
      used.map((k) => telling(el("i", { style: `flex:${Math.max(0.004, parts[k] / sum)} 0 0;background:${ink[k]}` }), [energyClasses[k], withUnits(parts[k], "pJ"), percent(parts[k] / sum)]))),
    el("p", { class: "keys" }, used.map((k) => el("span", {}, el("i", { style: `background:${ink[k]}` }), `${energyClasses[k]} ${withUnits(parts[k], "pJ")} (${percent(parts[k] / sum)})`))));
  }
  if (stages && stages.has("stage")) {
    const names = stages.col("stage"), s = scaleOf("pJ", maximum(stages.col("energy_pj"))), used = energyClasses.filter((k) => stages.has(`${k}_pj`));
    const f = barChart({ title: "Energy of each layer", width: 1180, height: 240, x: { label: "layer" }, y: { label: s.name } }, names.map((name, i) => i).filter((i) => names[i] !== "(chip)" || stages.col("energy_pj")[i] > 0).map((i) => ({
      label: names[i] === "(chip)" ? "chip" : i + 1, parts: used.map((k) => stages.col(`${k}_pj`)[i] / s.factor), lines: [names[i], withUnits(stages.col("energy_pj")[i], "pJ"), ...used.filter((k) => stages.col(`${k}_pj`)[i] > 0).map((k) => `${k} ${withUnits(stages.col(`${k}_pj`)[i], "pJ")}`)],
    })), used.map((k) => ink[energyClasses.indexOf(k)]));
    body.append(el("h3", {}, "Energy of each layer"), el("figure", { class: "scroll wide" }, f.root));
  }
  if (actions) body.append(el("details", {}, el("summary", {}, "Actions and their prices"), rawTable(actions, { spoken: true, caption: "Actions of an inference and their price" })));
  if (area) body.append(el("details", {}, el("summary", {}, "Area"), rawTable(area, { spoken: true, caption: "Components of the chip" })));
}

// ---- tokens of language models ----

function tokensPanel() {
  const progress = table("/timing/progress"), contexts = table("/timing/contexts"), operators = table("/timing/operators"), sequences = table("/timing/sequences"), levels = table("/bandwidth/levels");
  if (!progress && !contexts && !operators && !sequences) return;
  const counts = ["sequences", "prefill_tokens", "decode_tokens"].map((k) => scalar(`/workload/${k}`));
  const body = panel("tokens", "Tokens", typeof counts[0] === "number" ? `${plural(counts[0], "sequence")}: ${group(String(counts[1]))} prompt tokens, ${group(String(counts[2]))} decoded. Busiest: ${scalar("/timing/slowest") || "–"}.` : null), pair = el("div", { class: "pair" });
  body.append(pair);
  if (progress) {
    const end = maximum(progress.col("time_s")), s = scaleOf("s", end), x = progress.col("time_s").map((v) => v / s.factor), axis = { label: `time, ${s.name}`, min: 0 };
    const line = (name, v, show) => ({ name, points: x.map((at, i) => ({ x: at, y: v[i], lines: [`until ${plain(at)} ${s.name}`, show(v[i], i)] })) });
    pair.append(el("div", {}, el("h3", {}, "Tokens a second"), lineChart({ title: "Tokens a second over the run", x: axis, y: { min: 0, label: "token/s" } }, [line("", progress.col("tokens_s"), (v, i) => `${plain(v)} token/s: ${plain(progress.col("prefill_tokens")[i])} of prompts, ${plain(progress.col("decode_tokens")[i])} decoded`)])),
      el("div", {}, el("h3", {}, "Tokens in the pipeline"), lineChart({ title: "Tokens in the pipeline over the run", x: axis, y: { min: 0, label: "tokens" } }, [line("", progress.col("in_flight"), (v) => plural(v, "token"))])));
    const kv = progress.col("kv_bytes"), k = scaleOf("byte", maximum(kv));
    pair.append(el("div", {}, el("h3", {}, "Keys and values"), lineChart({ title: "Keys and values in memory over the run", x: axis, y: { min: 0, label: k.name } }, [line("", kv.map((v) => v / k.factor), (v) => `${plain(v)} ${k.name}`)])));
  }
  if (contexts) {
    const line = (name, column) => ({ name, points: contexts.col("context").map((c, i) => ({ x: c, y: contexts.col(column)[i], lines: [`context ${plain(c)}`, withUnits(contexts.col(column)[i], "ps"), contexts.col("bound_by")[i]] })).filter((p) => p.x > 0 && p.y > 0) });
    const series = [line("between tokens, pipeline full", "interval_ps"), line("a token of one sequence alone", "latency_ps"), line("slowest attention unit", "attention_ps")].filter((q) => q.points.length);
    if (series.length) pair.append(el("div", {}, el("h3", {}, "Time of a token by its context, bounds"), lineChart({ title: "Time of a token by its context", x: { log: true, label: "context, tokens" }, y: { log: true, label: "time of a token", text: (v) => withUnits(v, "ps", 2) } }, series)));
  }
  if (sequences) body.append(sequenceChart(sequences));
  tokenPipeline(body);
  const times = operators && scaleOf("ps", maximum(operators.col("interval_ps"))); // one unit, so that interval and bound can be compared
  if (operators) body.append(el("h3", {}, "Operators"), dataTable(operators.columns.map((c) => ({ label: c.name.replace(/_ps$|_ns$|_pj$/, "").replaceAll("_", " "), units: c.units, text: c.text, get: (i) => operators.col(c.name)[i], show: c.name.startsWith("utilisation") ? (v) => percent(v) : undefined, ...(c.units === "ps" && times ? { scale: times, number: true } : {}) })), operators.n, { caption: "Operators of each part: use, waiting, binding resource" }));
  if (levels) body.append(el("h3", {}, "Levels of the fabric"), rawTable(levels, { spoken: true, caption: "Channels of each level; bits and time of a token" }));
  if (contexts) body.append(el("details", {}, el("summary", {}, "Bounds by context"), rawTable(contexts, { spoken: true, caption: "Bounds by context" })));
}

function sequenceChart(t) {
  const n = Math.min(t.n, 200), [arrival, enter, first, done] = ["arrival_s", "enter_s", "first_token_s", "done_s"].map((c) => t.col(c)), end = maximum(done.slice(0, n)), s = scaleOf("s", end);
  const h = Math.max(3, Math.min(16, 420 / n)), width = 1180, left = 76, top = 6, height = top + n * h + 38, x = (v) => left + (v / (end || 1)) * (width - left - 14);
  const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "chart gantt", role: "img", "aria-label": "Sequences over time" }, svg("title", {}, "Sequences over time: waiting, prompt, decoding"));
  for (const v of ticks(0, end / s.factor, 9)) root.append(svg("line", { class: "grid", x1: x(v * s.factor), x2: x(v * s.factor), y1: top, y2: top + n * h }), svg("text", { class: "tick", x: x(v * s.factor), y: top + n * h + 15, "text-anchor": "middle" }, plain(v)));
  root.append(svg("text", { class: "axis", x: (left + width) / 2, y: height - 4, "text-anchor": "middle" }, `time, ${s.name}`));
  const every = Math.ceil(12 / h);
  for (let i = 0; i < n; i++) {
    if (i % every === 0) root.append(svg("text", { class: "tick", x: left - 7, y: top + i * h + h / 2 + 3.5, "text-anchor": "end" }, t.col("sequence")[i]));
    const lines = [`sequence ${t.col("sequence")[i]}`, `${plain(t.col("prompt_tokens")[i])} prompt tokens, ${plain(t.col("decode_tokens")[i])} decoded`, `first token after ${plain(t.col("time_to_first_token_s")[i] / s.factor)} ${s.name}`, `${plain(t.col("time_per_output_token_s")[i] / s.factor)} ${s.name} a token`];
    [[arrival, enter, "var(--line)"], [enter, first, ink[1]], [first, done, ink[0]]].forEach(([a, b, colour]) => {
      if (Number.isFinite(a[i]) && Number.isFinite(b[i]) && b[i] > a[i]) root.append(telling(svg("rect", { class: "span", x: x(a[i]), width: Math.max(0.8, x(b[i]) - x(a[i])), y: top + i * h + h * 0.1, height: h * 0.8, fill: colour }), lines));
    });
  }
  return el("div", {}, el("h3", {}, "Sequences"), el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Sequences over time" }, root), legend(["waits", "prompt", "decodes"], ["var(--line)", ink[1], ink[0]]), t.n > n && el("p", { class: "note" }, `The first ${n} of ${t.n} sequences.`));
}

// ---- comparison ----

const compared = [
  ["max_channel_required_gbps", "largest rate of a channel"], ["mean_channel_required_gbps", "mean rate of a channel"], ["initiation_interval_ps", "interval, simulated"], ["latency_first_us", "latency, simulated"],
  ["lowest_channel_gbps", "lowest channel rate that throttles nobody"], ["wire_budget_mm", "wires"], ["pins_per_core", "pins a core"], ["bisection_gbps", "bisection"], ["mean_hops", "mean hops"], ["wire_energy_uj", "wire energy"], ["cores_used", "cores used"],
];
function comparePanel() {
  const t = table("/compare/rows");
  if (!t) return;
  const body = panel("compare", "Comparison", "Networks by fabrics; own port model and best placement. Dark is little, light is much, within each network."), main = t.col("main");
  const rows = main.map((_, i) => i).filter((i) => main[i]), sized = new Set(rows.map((i) => t.col("array_rows")[i] + "x" + t.col("array_cols")[i])).size > 1;
  const networkOf = (i) => t.col("network")[i] + (sized ? `, ${t.col("array_rows")[i]}×${t.col("array_cols")[i]}` : ""), fabricOf = (i) => t.col("fabric")[i].split(":")[0];
  const networks = [...new Set(rows.map(networkOf))], fabrics = [...new Set(rows.map(fabricOf))];
  const choice = el("select", { "aria-label": "Figure that is compared" }, compared.filter(([name]) => t.has(name)).map(([name, text]) => el("option", { value: name }, text)));
  const box = el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Comparison matrix" });
  function draw() {
    const name = choice.value, v = t.col(name), s = scaleOf(t.units(name), maximum(rows.map((i) => v[i])));
    const head = el("tr", {}, el("th", { scope: "col" }, "network"), fabrics.map((f) => el("th", { scope: "col", class: "n" }, f)));
    const body = networks.map((network) => {
      const own = rows.filter((i) => networkOf(i) === network), most = maximum(own.map((i) => v[i])), least = Math.min(...own.map((i) => v[i]));
      return el("tr", {}, el("th", { scope: "row" }, network), fabrics.map((fabric) => {
        const i = own.find((r) => fabricOf(r) === fabric);
        if (i === undefined) return el("td", {}, "–");
        const rgb = ramp(most > least ? (v[i] - least) / (most - least) : 0);
        return telling(el("td", { class: "heat", style: `background:${css(rgb)};color:${isDark(rgb) ? "#fff" : "#111"}` }, plain(v[i] / s.factor)), [`${network} on ${t.col("fabric")[i]}`, `${plain(v[i] / s.factor)} ${s.name}`, `${t.col("certificate")[i]}, ${t.col("ports")[i]} ports, ${t.col("placement")[i]}`]);
      }));
    });
    box.replaceChildren(el("table", { class: "matrix" }, el("caption", {}, `${choice.selectedOptions[0].textContent}${s.name ? ", " + s.name : ""}`), el("thead", {}, head), el("tbody", {}, body)));
  }
  choice.addEventListener("change", draw);
  body.append(el("div", { class: "tools" }, el("label", {}, "Figure ", choice)), box);
  draw();
  const orders = table("/compare/orders");
  if (orders) body.append(el("h3", {}, "Order of the fabrics, lightest load first, by what is held equal"), rawTable(orders, { spoken: true, caption: "Behind each fabric the share of its rate that the busiest channel needs where nothing throttles the cores: above 1 the channel sets the pace", step: 20 }));
  body.append(el("details", {}, el("summary", {}, "All rows: port models, placements"), rawTable(t, { spoken: true, caption: "Comparison", step: 20 })));
}

// ---- traffic ----

function saturationChart(curves, name) {
  const rate = curves.col("saturation_rate"), f = barChart({ title: "Saturation of each network", y: { label: "flit/core/cycle" } },
    rate.map((v, i) => ({ label: rate.length > 1 ? i + 1 : name(i), parts: [Number.isFinite(v) ? v : 0], lines: [name(i), Number.isFinite(v) ? `saturates at ${plain(v)} flit/core/cycle` : "no saturation found"] })));
  return el("div", {}, el("h3", {}, "Saturation"), el("figure", {}, f.root, rate.length > 1 && el("figcaption", {}, rate.map((_, i) => `${i + 1}: ${name(i)}`).join("; "))));
}
function trafficPanel() {
  const points = table("/traffic/points"), curves = table("/traffic/curves");
  if (!curves) return;
  const name = (i) => [curves.col("fabric")[i], curves.col("routing")[i], curves.col("pattern")[i]].join(", ");
  const common = curves.n > 1 && ["routing", "pattern"].every((c) => curves.col(c).every((v) => v === curves.col(c)[0]));
  const label = (i) => (common ? curves.col("fabric")[i] : name(i));
  const only = curves.n > 1 ? label : (i) => name(i);
  if (!points) {
    panel("traffic", "Saturation", "The load from which a network accepts no more than it is given.").append(el("div", { class: "pair" }, saturationChart(curves, only)), rawTable(curves, { spoken: true, caption: "Curves" }));
    return;
  }
  const series = (y, ci) => curves.col("fabric").map((_, c) => ({ name: label(c), points: points.col("curve").map((_, i) => i).filter((i) => points.col("curve")[i] === c && !(y === "packet_latency" && points.col("saturated")[i])).map((i) => ({
    x: points.col("rate")[i], y: points.col(y)[i], ci: ci ? points.col(ci)[i] : 0, lines: [`offered ${plain(points.col("rate")[i])} flit/core/cycle`, `latency ${plain(points.col("packet_latency")[i])} ± ${plain(points.col("ci95")[i], 2)} cycles`, `accepted ${plain(points.col("accepted")[i])}`] })) })).filter((s) => s.points.length);
  const body = panel("traffic", "Latency under load", common ? `${curves.col("routing")[0]} routing, ${curves.col("pattern")[0]} traffic. Saturated loads are left out of the left figure.` : "Saturated loads are left out of the left figure."), pair = el("div", { class: "pair" });
  const latency = series("packet_latency", "ci95");
  if (latency.length) pair.append(el("div", {}, el("h3", {}, "Packet latency"), lineChart({ title: "Packet latency against offered load", x: { label: "offered load, flit/core/cycle", min: 0, ...(points.n === 1 ? { max: 2 * points.col("rate")[0] } : {}) }, y: { label: "cycles", min: 0 } }, latency)));
  pair.append(el("div", {}, el("h3", {}, "Accepted load"), lineChart({ title: "Accepted against offered load", x: { label: "offered load, flit/core/cycle", min: 0, ...(points.n === 1 ? { max: 2 * points.col("rate")[0] } : {}) }, y: { label: "flit/core/cycle", min: 0 } }, series("accepted"))));
  if (curves.has("saturation_rate") && curves.col("saturation_rate").some(Number.isFinite)) pair.append(saturationChart(curves, only));
  body.append(pair, rawTable(curves, { spoken: true, caption: "Curves" }), el("details", {}, el("summary", {}, "All loads"), rawTable(points, { spoken: true, caption: "Loads" })));
}

// ---- sweeps ----

// Figures of the runs against one setting; a line for each value of the others.
function sweepPanel() {
  const t = table("/sweep/rows"), grid = table("/sweep/settings");
  if (!t || !grid) return;
  const settings = grid.col("name").filter((name) => t.has(name)), figures = t.columns.map((c) => c.name).filter((n) => !settings.includes(n) && n !== "error" && t.col(n).some((v) => typeof v === "number" && Number.isFinite(v)));
  const failed = t.has("error") ? t.col("error").filter((e) => e !== "").length : 0;
  const body = panel("sweep", "Runs", `${plural(t.n, "run")}${failed ? `, ${failed} of them failed` : ""}: every combination of ${grid.col("name").map((s, i) => `${s} (${plural(grid.col("values")[i], "value")})`).join(", ")}.`);
  const says = (n) => (settings.includes(n) ? n : spoken(t.byName.get(n))); // settings keep the name that they have in a run file
  if (figures.length && settings.length) {
    const pick = (label, names, chosen) => el("select", { "aria-label": label }, names.map((n) => el("option", { value: n, selected: n === chosen, title: t.byName.get(n)?.text }, says(n))));
    const usual = ["throughput_ips", "throughput_tokens_s"].find((n) => figures.includes(n)) || figures[0], first = settings.find((s) => grid.col("values")[grid.col("name").indexOf(s)] > 1) || settings[0];
    const y = pick("Figure", figures, usual), x = pick("Setting along the axis", settings, first), box = el("div", { class: "sweep-chart" });
    const draw = () => {
      const v = t.col(y.value), at = t.col(x.value), others = settings.filter((s) => s !== x.value && new Set(t.col(s)).size > 1), numbers = at.every((a) => typeof a === "number"), names = [...new Set(at)];
      const s = scaleOf(t.units(y.value), maximum(v)), series = new Map();
      v.forEach((value, i) => {
        if (typeof value !== "number") return;
        const name = others.map((o) => `${o} ${plain(t.col(o)[i])}`).join(", ");
        if (!series.has(name)) series.set(name, { name, points: [] });
        series.get(name).points.push({ x: numbers ? at[i] : names.indexOf(at[i]), y: value / s.factor, lines: [...settings.map((o) => `${o} ${plain(t.col(o)[i])}`), `${plain(value / s.factor)} ${s.name}`] });
      });
      const axis = { label: x.value };
      if (numbers) { const positive = names.filter((n) => n > 0); if (positive.length === names.length && Math.max(...names) / Math.min(...names) > 30) axis.log = true; if (names.length < 12) axis.ticks = names; axis.text = brief; }
      else Object.assign(axis, { ticks: names.map((_, i) => i), text: (i) => String(names[i]), min: -0.3, max: names.length - 0.7 });
      box.replaceChildren(lineChart({ title: `${says(y.value)} by ${x.value}`, width: 1180, height: 340, x: axis, y: { label: s.name ? `${says(y.value)}, ${s.name}` : says(y.value) } }, [...series.values()].slice(0, 24)));
      if (series.size > 24) box.append(el("p", { class: "note" }, `The first 24 of ${series.size} lines.`));
    };
    for (const choice of [x, y]) choice.addEventListener("change", draw);
    body.append(el("div", { class: "tools" }, el("label", {}, "Figure ", y), el("label", {}, "by ", x)), box);
    draw();
  }
  const varying = t.columns.map((c) => c.name).filter((n) => new Set(t.col(n)).size > 1); // before what all runs share
  body.append(rawTable(t, { spoken: true, keep: settings, caption: "All runs", step: 40, names: settings.length, order: [...settings, ...(failed ? ["error"] : []), ...varying.filter((n) => !settings.includes(n) && n !== "error")] }));
}

// ---- quantization ----

function quantizePanel() {
  const t = table("/quantize/methods");
  if (!t) return;
  const body = panel("quantize", "Quantization", `Model: ${scalar("/quantize/model")}. Mean over seeds; the bars reach from the best to the worst seed.`), pair = el("div", { class: "pair" }), names = t.col("method");
  const range = (title, mid, low, high, line, units) => {
    const lo = Math.min(...low, line), hi = Math.max(...high, line), pad = (hi - lo) * 0.12 || 0.01, step = 1;
    const f = frame({ title, x: { min: 0, max: names.length, ticks: [] }, y: { min: lo - pad, max: hi + pad, label: units } });
    f.root.append(svg("line", { class: "limit", x1: f.left, x2: f.w - f.right, y1: f.y(line), y2: f.y(line) }), svg("text", { class: "tick", x: f.w - f.right - 4, y: f.y(line) - 5, "text-anchor": "end" }, "float"));
    names.forEach((name, i) => {
      const x = f.x(i + step / 2);
      f.root.append(svg("line", { class: "error", stroke: ink[0], x1: x, x2: x, y1: f.y(low[i]), y2: f.y(high[i]) }), svg("circle", { cx: x, cy: f.y(mid[i]), r: 4.5, fill: ink[0] }), svg("text", { class: "tick", x, y: f.h - f.bottom + 15, "text-anchor": "middle" }, name),
        telling(svg("rect", { class: "hit", x: x - 24, width: 48, y: f.top, height: f.h - f.top - f.bottom }), [name, `${plain(mid[i], 6)} ${units}`, `from ${plain(low[i], 6)} to ${plain(high[i], 6)} over ${t.col("seeds")[i]} seeds`]));
    });
    return el("div", {}, el("h3", {}, title), el("figure", {}, f.root));
  };
  const finite = ["bits_per_byte", "bits_per_byte_min", "bits_per_byte_max", "bits_per_byte_float"].every((c) => t.col(c).length && t.col(c).every(Number.isFinite));
  if (finite) pair.append(range("Bits per byte, validation text", t.col("bits_per_byte"), t.col("bits_per_byte_min"), t.col("bits_per_byte_max"), t.col("bits_per_byte_float")[0], "bits per byte"));
  if (t.has("kurtosis_after") && t.col("kurtosis_after").every(Number.isFinite)) {
    const f = barChart({ title: "Kurtosis of the inputs of all blocks after rotation", y: { label: "kurtosis" } }, names.map((name, i) => ({ label: name, parts: [t.col("kurtosis_after")[i]], lines: [name, `before ${plain(t.col("kurtosis_before")[i])}`, `after ${plain(t.col("kurtosis_after")[i])}`] })));
    pair.append(el("div", {}, el("h3", {}, "Kurtosis after rotation"), el("figure", {}, f.root)));
  }
  body.append(pair, rawTable(t, { spoken: true, caption: "Methods" }));
  const layers = table("/quantize/layers");
  if (layers) body.append(el("details", {}, el("summary", {}, "Matrices"), rawTable(layers, { spoken: true, caption: "Matrices", step: 40 })));
}

// Everything about each layer in one table, gathered from the groups of the report.

function layerTable() {
  const stages = table("/workload/stages");
  if (!stages) return;
  const names = stages.col("name"), n = stages.n, columns = [];
  const add = (label, get, units = "1", text = "", show) => columns.push({ label, get, units, text, show });
  // A column of another table, joined by the layer's name, or by row where it has none.
  function join(path, key, name, label, show) {
    const t = table(path);
    if (!t || !t.has(name)) return;
    const v = t.col(name), units = t.units(name), text = t.byName.get(name).text;
    if (!t.has(key)) {
      if (t.n === n) add(label, (i) => v[i], units, text, show);
      return;
    }
    const at = new Map(t.col(key).map((k, i) => [k, i]));
    add(label, (i) => v[at.get(names[i])], units, text, show);
  }
  const share = (v) => (typeof v === "number" ? percent(v) : "–");
  columns.push({ label: "#", get: (i) => i + 1, number: true });
  columns.push({ label: "layer", get: (i) => names[i], number: false });
  join("/workload/operators", "name", "kind", "kind");
  const shape = (a) => (i) => ["h", "w", "c"].map((k) => stages.col(`${a}_${k}`)[i]).join("×");
  add("map", shape("out"), "1", "height, width and channels of its stream");
  join("/workload/operators", "name", "macs", "MACs");
  join("/workload/operators", "name", "parameters", "parameters");
  join("/quant/stages", "name", "wbits", "weights");
  join("/quant/stages", "name", "kurtosis", "kurtosis");
  join("/quant/stages", "name", "rotated_kurtosis", "rotated kurtosis", (v, i) => (v ? plain(v) : "–"));
  join("/quant/stages", "name", "weight_sqnr_db", "weight SQNR");
  join("/quant/stages", "name", "out_sqnr_db", "output SQNR");
  join("/mapping/plan", "stage", "n_tiles", "tiles");
  join("/mapping/plan", "stage", "copies", "copies");
  const plan = table("/mapping/plan");
  if (plan && plan.has("patch_y") && plan.has("patch_x")) add("patch", (i) => `${plan.col("patch_y")[i]}×${plan.col("patch_x")[i]}`, "1", "output pixels that one MVM computes");
  join("/mapping/plan", "stage", "positions", "firings");
  join("/timing/stages", "stage", "utilisation", "busy", share);
  join("/timing/stages", "stage", "wait_input_ps", "input wait");
  join("/timing/stages", "stage", "wait_room_ps", "room wait");
  join("/energy/stages", "stage", "energy_pj", "energy");
  snrColumns(names, add);
  const rows = columns.filter((c) => c.label === "#" || Array.from({ length: n }, (_, i) => c.get(i)).some((v) => v !== undefined && v !== null && !(["rotated kurtosis", "MACs", "parameters"].includes(c.label) && v === 0)));
  panel("layers", "Layers", "A click on a column sorts by it." + (rows.some((c) => c.label === "busy") ? unfilled() : "")).append(dataTable(rows, n, { caption: "Layers of the network" + (rows.some((c) => c.label === "input wait") ? `; waiting is that of all ${plain(scalar("/timing/images"))} inferences` : ""), step: 80 }));
}

// Signal to noise of the first network at its last time.
function snrColumns(names, add) {
  const t = table("/accuracy/snr");
  if (!t) return;
  const model = t.col("model"), layer = t.col("layer"), time = t.col("time_s"), last = maximum(time), at = new Map();
  layer.forEach((name, i) => { if (model[i] === model[0] && time[i] === last) at.set(name, i); });
  for (const [name, label] of [["local_db", "sums SNR"], ["total_db", "stream SNR"]])
    add(label, (i) => t.col(name)[at.get(names[i])], "dB", `${t.byName.get(name).text}; ${model[0]}, after ${last} s`);
}

// Drawings of fabrics: what is under the pointer, flows on a channel, tiles on a core, zoom, keyboard.

// A source says what a drawing shows: squares (vertices in `squares`), channels, their flows, and what each tells.
function networkSource() {
  const cores = table("/fabric/cores"), channels = table("/fabric/channels"), labels = cores.col("label"), squares = cores.col("vertex");
  const stageNames = table("/workload/stages")?.col("name") || [], kind = channels ? channels.col("kind") : [];
  const tiles = table("/mapping/tiles"), flows = table("/mapping/flows"), hops = table("/mapping/hops");
  const busy = table("/timing/channels"), need = table("/bandwidth/channels"), work = table("/timing/cores");
  const loads = busy ? busy.col("utilisation") : need ? need.col("share") : [];
  const labelOf = new Map(), coreTiles = gather(tiles ? tiles.col("core") : []), flowsFrom = new Map();
  squares.forEach((v, i) => labelOf.set(v, labels[i]));
  const stageName = (s) => stageNames[s] ?? `stage ${s}`, streamName = (s) => (s === 0 ? "input" : stageName(s - 1));
  const name = (i) => labels[i] || `core ${i}`;
  const lines = (i) => (coreTiles.get(i) || []).map((t) => `${stageName(tiles.col("stage")[t])}: copy ${tiles.col("copy")[t] + 1}, rows ${tiles.col("rows_used")[t]}, columns ${tiles.col("cols_used")[t]}`);
  return {
    geometry, squares, src: channels ? channels.col("src") : [], dst: channels ? channels.col("dst") : [], word: "core",
    hops: hops && flows ? { flow: hops.col("flow"), channel: hops.col("channel") } : null,
    isNetwork: (c) => kind[c] === undefined || kind[c] === "network",
    vertexName: (v) => labelOf.get(v) ?? `switch ${v}`,
    load: (c) => loads[c] || 0,
    facts(c) {
      const rows = [];
      if (busy) {
        rows.push(["busy", percent(busy.col("utilisation")[c])]);
        if (busy.has("wait_ps")) rows.push(["packets waited", withUnits(busy.col("wait_ps")[c], "ps")]);
      }
      if (need) rows.push(["needed at the bound", `${plain(need.col("required_gbps")[c])} Gbit/s`]);
      if (channels.has("rate_gbps")) rows.push(["rate", `${plain(channels.col("rate_gbps")[c])} Gbit/s, ${plain(channels.col("lanes")[c])} lanes`]);
      return rows;
    },
    flow(f) {
      const bits = flows.col("bits")[f], to = tiles ? tiles.col("stage")[flows.col("dst")[f]] : -1;
      return { bits, text: `${streamName(flows.col("stream")[f])} → ${stageName(to)}`, kind: flows.col("kind")[f], per: "an inference" };
    },
    // Squares where a flow begins and ends.
    ends: (f) => (tiles ? ["src", "dst"].map((end) => tiles.col("core")[flows.col(end)[f]]) : []),
    name, lines,
    square(i) {
      const list = coreTiles.get(i) || [], rows = [];
      if (work && list.length) {
        const at = work.col("tile").indexOf(list[0]);
        if (at >= 0) rows.push(["busy", percent(work.col("utilisation")[at])], ["firings", plain(work.col("firings")[at])], ["memory, most", withUnits(work.col("memory_high_bytes")[at], "byte")]);
      }
      if (flows && flowsFrom.size === 0) for (const [t, f] of gather(flows.col("src"))) flowsFrom.set(t, f);
      const out = list.flatMap((t) => flowsFrom.get(t) || []);
      return { title: `Core ${name(i)}`, facts: rows, heading: list.length ? plural(list.length, "tile") : "holds no tile", lines: lines(i),
        out: out.slice(0, 100).map((f) => ({ flow: f, text: `to ${stageName(tiles.col("stage")[flows.col("dst")[f]])}`, kind: flows.col("kind")[f], bits: flows.col("bits")[f] })) };
    },
    frame: () => null,
  };
}

// Rows by their value: Map(value -> [rows]).
function gather(values) {
  const rows = new Map();
  values.forEach((v, i) => { rows.has(v) ? rows.get(v).push(i) : rows.set(v, [i]); });
  return rows;
}

// A language model's block (which: "block") or its groups ("level").
function modelSource(which, shape) {
  const vertices = table(`/fabric/${which}_vertices`), channels = table(`/fabric/${which}_channels`), flows = table(`/mapping/${which}_flows`), hops = table(`/mapping/${which}_hops`);
  const col = (name) => vertices.col(name), kind = col("kind"), width = col("width"), label = col("label"), holds = col("holds"), used = col("cores_used");
  const squares = kind.map((_, v) => v).filter((v) => kind[v] !== "switch" && !(width[v] > 0));
  const up = (v) => (col("up_bits")[v] > 0 ? [["busiest way up", percent(col("up_utilisation")[v])], ["on it", `${withUnits(col("up_bits")[v], "bit")} a token`]] : []);
  const operators = table("/timing/operators"), level = table("/bandwidth/levels")?.col("name") || [];
  const operatorRow = (name) => (operators ? operators.col("name").findIndex((n, i) => n === name && operators.col("part")[i] === "block") : -1);
  const own = (v) => {
    const at = which === "block" ? operatorRow(holds[v]) : -1, rows = used[v] > 0 && which !== "block" ? [["cores used", plain(used[v])]] : [];
    if (at >= 0) rows.push(["kind", operators.col("kind")[at]], ["set by", operators.col("binding")[at]], ["busy, mean", percent(operators.col("utilisation_mean")[at])], ["tiles", `${operators.col("row_tiles")[at]} × ${operators.col("col_tiles")[at]}`]);
    return [...rows, ...up(v)];
  };
  const loads = channels ? channels.col("utilisation") : [];
  const others = new Map(), bitsOn = new Map();
  if (hops) hops.col("channel").forEach((c, i) => { others.set(c, (others.get(c) || 0) + hops.col("bits")[i]); bitsOn.set(`${c} ${hops.col("flow")[i]}`, hops.col("bits")[i]); });
  return {
    geometry: shape, squares, src: channels ? channels.col("src") : [], dst: channels ? channels.col("dst") : [], word: which === "block" ? "core" : "group",
    hops: hops && flows ? { flow: hops.col("flow"), channel: hops.col("channel") } : null,
    isNetwork: () => true, vertexName: (v) => label[v], load: (c) => loads[c] || 0,
    facts: (c) => [["busy", percent(channels.col("utilisation")[c])], ["a token", `${withUnits(channels.col("bits")[c], "bit")}, ${withUnits(channels.col("busy_ps")[c], "ps")}`],
      ["rate", `${plain(channels.col("rate_gbps")[c])} Gbit/s`], ["level", level[channels.col("level")[c]] ?? channels.col("level")[c]],
      ...(channels.col("bits")[c] - (others.get(c) || 0) > 1e-6 * channels.col("bits")[c] ? [["of other blocks", withUnits(channels.col("bits")[c] - (others.get(c) || 0), "bit")]] : [])],
    flow: (f, c) => ({ bits: bitsOn.get(`${c} ${f}`) ?? flows.col("bits")[f], kind: flows.col("kind")[f], per: "a token",
      text: flows.col("kind")[f] === "inside" ? `inside ${flows.col("from")[f]}` : flows.col("kind")[f] === "sums" ? `partial sums of ${flows.col("from")[f]}` : `${flows.col("from")[f]} → ${flows.col("to")[f]}` }),
    ends: () => [], name: (i) => label[squares[i]], lines: (i) => (holds[squares[i]] ? [holds[squares[i]]] : []),
    square(i) {
      const v = squares[i];
      return { title: label[v][0].toUpperCase() + label[v].slice(1), facts: own(v), heading: holds[v] || (which === "block" ? "nothing of this block" : "unused"), lines: [], out: [] };
    },
    frame: (v) => (width[v] > 0 ? { title: label[v][0].toUpperCase() + label[v].slice(1), facts: [["cores used", plain(used[v])], ...up(v)] } : null),
  };
}

function startFabric() {
  if (geometry) window.pentaprism = startDrawing("fabric", networkSource());
  for (const [id, which] of [["block", "block"], ["levels", "level"]]) {
    const shape = document.getElementById(`geometry-${id}`);
    if (shape) startDrawing(id, modelSource(which, JSON.parse(shape.textContent)));
  }
}

function startDrawing(id, source) {
  const root = document.getElementById(`${id}-svg`), side = document.getElementById(`${id}-side`), mark = document.getElementById(`${id}-mark`);
  const { geometry: shape, squares, src, dst, load, hops, word } = source, { x, y, pitch, half } = shape;
  const isNetwork = (c) => source.isNetwork(c) && src[c] < x.length && dst[c] < x.length;

  // ---- what stands where ----

  const flowsOn = new Map();
  if (hops) hops.channel.forEach((c, i) => { flowsOn.has(c) ? flowsOn.get(c).push(hops.flow[i]) : flowsOn.set(c, [hops.flow[i]]); });
  // The arc of html_drawing.c: from the middle of a vertex, or the border of its frame.
  function meet(v, tx, ty) {
    const dx = tx - x[v], dy = ty - y[v], length = Math.hypot(dx, dy);
    if (!(shape.w?.[v] > 0) || length === 0) return [x[v], y[v]];
    const reach = (Math.abs(dx) * shape.w[v] + Math.abs(dy) * shape.h[v]) / 2 / length;
    return [x[v] + dx / length * reach, y[v] + dy / length * reach];
  }
  function arc(c) {
    const a = src[c], b = dst[c], [x1, y1] = meet(a, x[b], y[b]), [x2, y2] = meet(b, x[a], y[a]), dx = x2 - x1, dy = y2 - y1, length = Math.hypot(dx, dy) || 1;
    const out = Math.min(2.5 + Math.max(0, length / pitch - 1) * 9, 70), nx = -dy / length, ny = dx / length, s = shape.w?.[a] > 0 ? 9 : 2.2, mid = 2 * out + s - 2.2;
    return [x1 + s * nx, y1 + s * ny, (x1 + x2) / 2 + mid * nx, (y1 + y2) / 2 + mid * ny, x2 + s * nx, y2 + s * ny];
  }
  const pathOf = (c) => { const p = arc(c); return `M${p[0]} ${p[1]}Q${p[2]} ${p[3]} ${p[4]} ${p[5]}`; };
  // Many channels: their paths, by class as in html_drawing.c, are made here.
  if (shape.draw !== undefined) {
    const paths = Array.from({ length: 8 }, () => []), round = Math.round;
    for (let c = 0; c < src.length; c++) {
      if (!isNetwork(c)) continue;
      const k = load(c) > 0 && shape.max > 0 ? Math.min(7, Math.max(1, Math.ceil(7 * load(c) / shape.max))) : 0, p = arc(c);
      if (k >= shape.draw) paths[k].push(`M${round(p[0])} ${round(p[1])}Q${round(p[2])} ${round(p[3])} ${round(p[4])} ${round(p[5])}`);
    }
    root.querySelectorAll(".ch").forEach((path, k) => path.setAttribute("d", paths[k].join("")));
  }
  // Buckets of points along the arcs and of cores, made at the first look.
  const cell = pitch, key = (px, py) => Math.floor(px / cell) * 65536 + Math.floor(py / cell);
  let arcBuckets = null;
  const coreBuckets = new Map();
  squares.forEach((v, i) => { const k = key(x[v], y[v]); coreBuckets.has(k) ? coreBuckets.get(k).push(i) : coreBuckets.set(k, [i]); });
  function makeArcBuckets() {
    arcBuckets = new Map();
    for (let c = 0; c < src.length; c++) {
      if (!isNetwork(c)) continue;
      const p = arc(c), n = Math.max(3, Math.min(24, Math.round(Math.hypot(p[4] - p[0], p[5] - p[1]) / 12)));
      let last = -1;
      for (let i = 0; i <= n; i++) {
        const t = i / n, u = 1 - t, k = key(u * u * p[0] + 2 * u * t * p[2] + t * t * p[4], u * u * p[1] + 2 * u * t * p[3] + t * t * p[5]);
        if (k === last) continue;
        last = k;
        arcBuckets.has(k) ? arcBuckets.get(k).push(c) : arcBuckets.set(k, [c]);
      }
    }
  }
  function distance(c, px, py) {
    const p = arc(c), n = 24;
    let best = Infinity;
    for (let i = 0; i <= n; i++) {
      const t = i / n, u = 1 - t;
      best = Math.min(best, Math.hypot(u * u * p[0] + 2 * u * t * p[2] + t * t * p[4] - px, u * u * p[1] + 2 * u * t * p[3] + t * t * p[5] - py));
    }
    return best;
  }
  function near(px, py) {
    const around = (buckets) => {
      const out = new Set();
      for (let i = -1; i <= 1; i++) for (let j = -1; j <= 1; j++) for (const v of buckets.get(key(px + i * cell, py + j * cell)) || []) out.add(v);
      return out;
    };
    for (const i of around(coreBuckets)) {
      const v = squares[i];
      if (Math.abs(x[v] - px) <= half && Math.abs(y[v] - py) <= half) return { core: i };
    }
    if (!arcBuckets) makeArcBuckets();
    let best = null, least = 7 * view.w / Math.max(1, root.clientWidth) + 2;
    for (const c of around(arcBuckets)) {
      const d = distance(c, px, py) - (load(c) > 0 ? 0.8 : 0);
      if (d < least) { least = d; best = { channel: c }; }
    }
    if (best === null && shape.w) {
      const v = shape.w.findIndex((w, i) => w > 0 && Math.abs(x[i] - px) <= w / 2 && Math.abs(y[i] - py) <= shape.h[i] / 2);
      if (v >= 0) return { frame: v };
    }
    return best;
  }

  // ---- what they tell ----

  const channelTitle = (c) => `${source.vertexName(src[c])} → ${source.vertexName(dst[c])}`;
  const flowList = (c) => (flowsOn.get(c) || []).map((f) => ({ flow: f, ...source.flow(f, c) })).sort((a, b) => b.bits - a.bits);
  
  // ---- the panel beside ----

  const facts = (rows) => el("dl", { class: "facts" }, rows.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
  const flowItem = (f, per) => el("li", {}, el("button", { type: "button", onclick: () => showFlow(f.flow) }, f.text), el("small", {}, `${f.kind}, ${withUnits(f.bits, "bit")}${per ? " " + per : ""}`));
  function tellChannel(c) {
    const list = flowList(c);
    side.replaceChildren(el("h3", {}, `Channel ${channelTitle(c)}`), facts(source.facts(c)),
      el("h4", {}, list.length ? plural(list.length, "flow") : "no flow"),
      el("ul", { class: "flows" }, list.slice(0, 200).map((f) => flowItem(f, f.per))),
      list.length > 200 ? el("p", { class: "note" }, `and ${list.length - 200} more`) : "");
  }
  function tellCore(i) {
    const t = source.square(i);
    side.replaceChildren(el("h3", {}, t.title), facts(t.facts), el("h4", {}, t.heading),
      el("ul", {}, t.lines.map((line) => el("li", {}, line))), t.out.length ? el("h4", {}, "Sends") : "", el("ul", { class: "flows" }, t.out.map((f) => flowItem(f))));
  }
  function intro() {
    side.replaceChildren(el("h3", { class: "screen" }, "Point at the drawing"), el("p", { class: "note screen" }, `A channel shows its flows, a ${word} what it holds; a click keeps it. With the keyboard: arrows move from ${word} to ${word}, Tab leaves, + − zoom, C steps through the ${word}'s channels.`));
    const most = []; // the first of equals stands first
    for (let c = 0; c < src.length; c++) {
      if (!(load(c) > 0) || (most.length === 8 && load(c) <= load(most[7])) || !isNetwork(c)) continue;
      let at = most.length;
      while (at > 0 && load(c) > load(most[at - 1])) at--;
      most.splice(at, 0, c);
      most.length = Math.min(8, most.length);
    }
    if (!most.length) return;
    side.append(el("h4", {}, "Most loaded channels"), el("ul", { class: "flows" }, most.map((c) => el("li", {},
      el("button", { type: "button", onclick: () => pick({ channel: c }, true) }, channelTitle(c)), el("small", {}, `${percent(load(c))}, ${flowsOn.get(c)?.length ? plural(flowsOn.get(c).length, "flow") : "no flow of this part"}`)))));
  }

  // ---- marks ----

  const square = (i, name) => svg("rect", { class: name, x: x[squares[i]] - half - 2, y: y[squares[i]] - half - 2, width: 2 * half + 4, height: 2 * half + 4, rx: 3 });
  function markUp(found) {
    mark.replaceChildren();
    if (!found) return;
    if (found.channel !== undefined) mark.append(svg("path", { class: "mark", d: pathOf(found.channel) }));
    if (found.frame !== undefined) mark.append(svg("rect", { class: "mark", x: x[found.frame] - shape.w[found.frame] / 2, y: y[found.frame] - shape.h[found.frame] / 2, width: shape.w[found.frame], height: shape.h[found.frame] }));
    if (found.core !== undefined) {
      const v = squares[found.core];
      for (let c = 0; c < src.length; c++) if ((src[c] === v || dst[c] === v) && isNetwork(c) && load(c) > 0) mark.append(svg("path", { class: src[c] === v ? "mark out" : "mark in", d: pathOf(c) }));
      mark.append(square(found.core, "mark"));
    }
  }
  function showFlow(f) {
    mark.replaceChildren();
    hops.flow.forEach((at, i) => { if (at === f && hops.channel[i] < src.length) mark.append(svg("path", { class: "mark", d: pathOf(hops.channel[i]) })); });
    for (const core of source.ends(f)) if (core < squares.length) mark.append(square(core, "mark"));
    kept = { flow: f };
  }

  let kept = null, focusCore = -1, focusChannel = -1;
  function tell(found) {
    if (found?.channel !== undefined) tellChannel(found.channel);
    else if (found?.core !== undefined) tellCore(found.core);
    else if (found?.frame !== undefined) { const t = source.frame(found.frame); side.replaceChildren(el("h3", {}, t.title), facts(t.facts)); }
    else intro();
  }
  function pick(found, keep) {
    kept = keep && found ? found : null;
    markUp(found);
    tell(found);
  }

  // ---- view: zoom and move ----

  const whole = { x: 0, y: 0, w: shape.width, h: shape.height };
  let view = { ...whole };
  function apply() {
    root.setAttribute("viewBox", `${view.x} ${view.y} ${view.w} ${view.h}`);
    root.classList.toggle("near", view.w < whole.w * 0.99);
    widths();
  }
  // Lines keep their width in pixels, but thin out where the drawing is small.
  const widths = () => root.style.setProperty("--w", Math.min(1.6, Math.max(0.3, 1.5 * root.clientWidth / view.w)).toFixed(2));
  function zoom(factor, cx = view.x + view.w / 2, cy = view.y + view.h / 2) {
    const w = Math.min(whole.w * 1.2, Math.max(pitch * 2, view.w * factor)), f = w / view.w;
    view = { x: cx - (cx - view.x) * f, y: cy - (cy - view.y) * f, w, h: view.h * f };
    apply();
  }
  const point = (e) => { const m = root.getScreenCTM().inverse(); return new DOMPoint(e.clientX, e.clientY).matrixTransform(m); };
  let drag = null, wait = null;
  root.addEventListener("wheel", (e) => {
    if (!e.ctrlKey && !e.metaKey && !e.altKey) return; // the page scrolls
    e.preventDefault();
    const p = point(e);
    zoom(e.deltaY > 0 ? 1.2 : 1 / 1.2, p.x, p.y);
  }, { passive: false });
  root.addEventListener("pointerdown", (e) => { drag = { x: e.clientX, y: e.clientY, view: { ...view }, moved: false }; });
  addEventListener("pointerup", () => { drag = null; });
  root.addEventListener("pointermove", (e) => {
    if (drag && e.buttons) {
      const k = view.w / root.clientWidth, dx = e.clientX - drag.x, dy = e.clientY - drag.y;
      if (view.w < whole.w && Math.hypot(dx, dy) > 3) {
        drag.moved = true;
        view = { ...view, x: drag.view.x - dx * k, y: drag.view.y - dy * k };
        apply();
        return;
      }
    }
    if (wait) return;
    wait = requestAnimationFrame(() => {
      wait = null;
      const p = point(e), found = near(p.x, p.y);
      if (!found) { hideTip(); if (!kept) markUp(null); return; }
      if (!kept) { markUp(found); tell(found); }
      if (found.frame !== undefined) { const t = source.frame(found.frame); showTip(e.clientX, e.clientY, [t.title, ...t.facts.map(([name, value]) => `${name}: ${value}`)]); }
      else if (found.core !== undefined) showTip(e.clientX, e.clientY, [source.square(found.core).title, ...source.lines(found.core).slice(0, 6)]);
      else {
        const list = flowList(found.channel);
        showTip(e.clientX, e.clientY, [`${channelTitle(found.channel)}: ${percent(load(found.channel))}`, ...list.slice(0, 8).map((f) => `${f.text} (${f.kind}, ${withUnits(f.bits, "bit")})`),
          ...(list.length > 8 ? [`and ${list.length - 8} more flows`] : list.length ? [] : ["no flow of this part"])]);
      }
    });
  });
  root.addEventListener("pointerleave", () => { hideTip(); if (!kept) { markUp(null); intro(); } });
  root.addEventListener("click", (e) => {
    if (drag?.moved) return;
    const p = point(e);
    pick(near(p.x, p.y), true);
  });
  root.addEventListener("keydown", (e) => {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[e.key];
    if (e.key === "+" || e.key === "=") zoom(1 / 1.3);
    else if (e.key === "-") zoom(1.3);
    else if (e.key === "0") { view = { ...whole }; apply(); }
    else if (e.key === "Escape") pick(null, false);
    else if ((e.key === "c" || e.key === "C") && focusCore >= 0) {
      const v = squares[focusCore], own = src.map((_, c) => c).filter((c) => src[c] === v && isNetwork(c));
      if (own.length) pick({ channel: own[++focusChannel % own.length] }, true);
    } else if (way) {
      focusChannel = -1;
      focusCore = focusCore < 0 ? 0 : nextCore(focusCore, way);
      pick({ core: focusCore }, true);
    } else return;
    e.preventDefault();
  });
  function nextCore(from, [dx, dy]) {
    const v = squares[from];
    let best = from, least = Infinity;
    squares.forEach((u, i) => {
      const ax = (x[u] - x[v]) * dx + (y[u] - y[v]) * dy, across = Math.abs((x[u] - x[v]) * dy) + Math.abs((y[u] - y[v]) * dx);
      if (ax > 1 && ax + 3 * across < least) { least = ax + 3 * across; best = i; }
    });
    return best;
  }
  const button = (text, label, act) => el("button", { type: "button", "aria-label": label, title: label, onclick: act }, text);
  document.getElementById(`${id}-view`).append(el("div", { class: "zoom" }, button("+", "zoom in", () => zoom(1 / 1.4)), button("−", "zoom out", () => zoom(1.4)), button("⤢", "all of it", () => { view = { ...whole }; apply(); })));
  widths();
  addEventListener("resize", widths);
  intro();
  return { pickChannel: (c) => pick({ channel: c }, true), pickCore: (i) => pick({ core: i }, true) };
}

// The drawing of the fabric: what is under the pointer, flows on a channel, tiles on a core, zoom, keyboard.

function startFabric() {
  const root = document.getElementById("fabric-svg"), side = document.getElementById("fabric-side");
  if (!root || !geometry) return;
  const mark = document.getElementById("fabric-mark"), { x, y, pitch, half } = geometry;
  const cores = table("/fabric/cores"), channels = table("/fabric/channels");
  const coreVertex = cores.col("vertex"), labels = cores.col("label");
  const src = channels ? channels.col("src") : [], dst = channels ? channels.col("dst") : [], kind = channels ? channels.col("kind") : [];
  const stageNames = table("/workload/stages")?.col("name") || [];
  const tiles = table("/mapping/tiles"), flows = table("/mapping/flows"), hops = table("/mapping/hops");
  const labelOf = new Map();
  coreVertex.forEach((v, i) => labelOf.set(v, labels[i]));
  const vertexName = (v) => labelOf.get(v) ?? `switch ${v}`;
  const isNetwork = (c) => (kind[c] === undefined || kind[c] === "network") && src[c] < x.length && dst[c] < x.length;

  // ---- what stands where ----

  const coreTiles = new Map(), flowsOn = new Map();
  if (tiles) tiles.col("core").forEach((c, t) => { coreTiles.has(c) ? coreTiles.get(c).push(t) : coreTiles.set(c, [t]); });
  if (hops) {
    const flow = hops.col("flow");
    hops.col("channel").forEach((c, i) => { flowsOn.has(c) ? flowsOn.get(c).push(flow[i]) : flowsOn.set(c, [flow[i]]); });
  }
  // The arc of html_fabric.c.
  function arc(c) {
    const a = src[c], b = dst[c], dx = x[b] - x[a], dy = y[b] - y[a], length = Math.hypot(dx, dy) || 1;
    const out = Math.min(2.5 + Math.max(0, length / pitch - 1) * 9, 70), nx = -dy / length, ny = dx / length, s = 2.2;
    return [x[a] + s * nx, y[a] + s * ny, (x[a] + x[b]) / 2 + 2 * out * nx, (y[a] + y[b]) / 2 + 2 * out * ny, x[b] + s * nx, y[b] + s * ny];
  }
  const pathOf = (c) => { const p = arc(c); return `M${p[0]} ${p[1]}Q${p[2]} ${p[3]} ${p[4]} ${p[5]}`; };
  // Buckets of points along the arcs and of cores, made at the first look.
  const cell = pitch, key = (px, py) => Math.floor(px / cell) * 65536 + Math.floor(py / cell);
  let arcBuckets = null;
  const coreBuckets = new Map();
  coreVertex.forEach((v, i) => { const k = key(x[v], y[v]); coreBuckets.has(k) ? coreBuckets.get(k).push(i) : coreBuckets.set(k, [i]); });
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
      const v = coreVertex[i];
      if (Math.abs(x[v] - px) <= half && Math.abs(y[v] - py) <= half) return { core: i };
    }
    if (!arcBuckets) makeArcBuckets();
    let best = null, least = 7 * view.w / Math.max(1, root.clientWidth) + 2;
    for (const c of around(arcBuckets)) {
      const d = distance(c, px, py) - (load(c) > 0 ? 0.8 : 0);
      if (d < least) { least = d; best = { channel: c }; }
    }
    return best;
  }

  // ---- figures of a channel and a core ----

  const busy = table("/timing/channels"), need = table("/bandwidth/channels"), work = table("/timing/cores");
  const load = (c) => (busy ? busy.col("utilisation")[c] : need ? need.col("share")[c] : 0) || 0;
  const stageName = (s) => stageNames[s] ?? `stage ${s}`;
  const streamName = (s) => (s === 0 ? "input" : stageName(s - 1));
  function channelTitle(c) { return `${vertexName(src[c])} → ${vertexName(dst[c])}`; }
  function channelFigures(c) {
    const rows = [];
    if (busy) {
      rows.push(["busy", percent(busy.col("utilisation")[c])]);
      if (busy.has("wait_ps")) rows.push(["packets waited", withUnits(busy.col("wait_ps")[c], "ps")]);
    }
    if (need) rows.push(["needed at the bound", `${plain(need.col("required_gbps")[c])} Gbit/s`]);
    if (channels.has("rate_gbps")) rows.push(["rate", `${plain(channels.col("rate_gbps")[c])} Gbit/s, ${plain(channels.col("lanes")[c])} lanes`]);
    return rows;
  }
  function flowList(c) {
    const list = flowsOn.get(c) || [];
    if (!flows || list.length === 0) return [];
    const bits = flows.col("bits"), stream = flows.col("stream"), type = flows.col("kind"), to = flows.col("dst"), stage = tiles ? tiles.col("stage") : [];
    return [...list].sort((a, b) => bits[b] - bits[a]).map((f) => ({ flow: f, text: `${streamName(stream[f])} → ${stageName(stage[to[f]])}`, kind: type[f], bits: bits[f] }));
  }
  function coreLines(i) {
    const list = coreTiles.get(i) || [];
    return list.map((t) => `${stageName(tiles.col("stage")[t])}: copy ${tiles.col("copy")[t] + 1}, rows ${tiles.col("rows_used")[t]}, columns ${tiles.col("cols_used")[t]}`);
  }
  const corePlace = (i) => labels[i] || `core ${i}`;

  // ---- the panel beside ----

  const facts = (rows) => el("dl", { class: "facts" }, rows.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
  function tellChannel(c) {
    const list = flowList(c);
    side.replaceChildren(el("h3", {}, `Channel ${channelTitle(c)}`), facts(channelFigures(c)),
      el("h4", {}, list.length ? plural(list.length, "flow") : "no flow"),
      el("ul", { class: "flows" }, list.slice(0, 200).map((f) => el("li", {}, el("button", { type: "button", onclick: () => showFlow(f.flow) }, f.text), el("small", {}, `${f.kind}, ${withUnits(f.bits, "bit")} an inference`)))),
      list.length > 200 ? el("p", { class: "note" }, `and ${list.length - 200} more`) : "");
  }
  function tellCore(i) {
    const list = coreTiles.get(i) || [], rows = [];
    if (work && list.length) {
      const at = work.col("tile").indexOf(list[0]);
      if (at >= 0) rows.push(["busy", percent(work.col("utilisation")[at])], ["firings", plain(work.col("firings")[at])], ["memory, most", withUnits(work.col("memory_high_bytes")[at], "byte")]);
    }
    const out = flows && tiles ? flows.col("src").reduce((all, t, f) => (list.includes(t) ? [...all, f] : all), []) : [];
    side.replaceChildren(el("h3", {}, `Core ${corePlace(i)}`), facts(rows), el("h4", {}, list.length ? plural(list.length, "tile") : "holds no tile"),
      el("ul", {}, coreLines(i).map((line) => el("li", {}, line))), out.length ? el("h4", {}, "Sends") : "",
      el("ul", { class: "flows" }, out.slice(0, 100).map((f) => el("li", {}, el("button", { type: "button", onclick: () => showFlow(f) }, `to ${stageName(tiles.col("stage")[flows.col("dst")[f]])}`),
        el("small", {}, `${flows.col("kind")[f]}, ${withUnits(flows.col("bits")[f], "bit")}`)))));
  }
  function intro() {
    side.replaceChildren(el("h3", {}, "Point at the drawing"), el("p", { class: "note" }, "A channel shows its flows, a core its tiles; a click keeps it. With the keyboard: arrows move from core to core, Tab leaves, + − zoom, C steps through the core's channels."));
    const shares = src.map((_, c) => c).filter((c) => isNetwork(c) && load(c) > 0);
    shares.sort((a, b) => load(b) - load(a));
    if (!shares.length) return;
    side.append(el("h4", {}, "Most loaded channels"), el("ul", { class: "flows" }, shares.slice(0, 8).map((c) => el("li", {},
      el("button", { type: "button", onclick: () => pick({ channel: c }, true) }, channelTitle(c)), el("small", {}, `${percent(load(c))}, ${plural((flowsOn.get(c) || []).length, "flow")}`)))));
  }

  // ---- marks ----

  const square = (i, name) => svg("rect", { class: name, x: x[coreVertex[i]] - half - 2, y: y[coreVertex[i]] - half - 2, width: 2 * half + 4, height: 2 * half + 4, rx: 3 });
  function markUp(found) {
    mark.replaceChildren();
    if (!found) return;
    if (found.channel !== undefined) mark.append(svg("path", { class: "mark", d: pathOf(found.channel) }));
    if (found.core !== undefined) {
      const v = coreVertex[found.core];
      for (let c = 0; c < src.length; c++) if ((src[c] === v || dst[c] === v) && isNetwork(c) && load(c) > 0) mark.append(svg("path", { class: src[c] === v ? "mark out" : "mark in", d: pathOf(c) }));
      mark.append(square(found.core, "mark"));
    }
  }
  function showFlow(f) {
    mark.replaceChildren();
    const flow = hops.col("flow"), channel = hops.col("channel");
    for (let i = 0; i < flow.length; i++) if (flow[i] === f && channel[i] < src.length) mark.append(svg("path", { class: "mark", d: pathOf(channel[i]) }));
    for (const end of ["src", "dst"]) {
      const core = tiles.col("core")[flows.col(end)[f]];
      if (core < coreVertex.length) mark.append(square(core, "mark"));
    }
    kept = { flow: f };
  }

  let kept = null, focusCore = -1, focusChannel = -1;
  function tell(found) {
    if (found?.channel !== undefined) tellChannel(found.channel);
    else if (found?.core !== undefined) tellCore(found.core);
    else intro();
  }
  function pick(found, keep) {
    kept = keep && found ? found : null;
    markUp(found);
    tell(found);
  }

  // ---- view: zoom and move ----

  const whole = { x: 0, y: 0, w: geometry.width, h: geometry.height };
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
      if (found.core !== undefined) showTip(e.clientX, e.clientY, [`Core ${corePlace(found.core)}`, ...(coreLines(found.core).slice(0, 6))]);
      else {
        const list = flowList(found.channel);
        showTip(e.clientX, e.clientY, [`${channelTitle(found.channel)}: ${percent(load(found.channel))}`, ...list.slice(0, 8).map((f) => `${f.text} (${f.kind}, ${withUnits(f.bits, "bit")})`),
          ...(list.length > 8 ? [`and ${list.length - 8} more flows`] : list.length ? [] : ["no flow"])]);
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
      const v = coreVertex[focusCore], own = src.map((_, c) => c).filter((c) => src[c] === v && isNetwork(c));
      if (own.length) pick({ channel: own[++focusChannel % own.length] }, true);
    } else if (way) {
      focusChannel = -1;
      focusCore = focusCore < 0 ? 0 : nextCore(focusCore, way);
      pick({ core: focusCore }, true);
    } else return;
    e.preventDefault();
  });
  function nextCore(from, [dx, dy]) {
    const v = coreVertex[from];
    let best = from, least = Infinity;
    coreVertex.forEach((u, i) => {
      const ax = (x[u] - x[v]) * dx + (y[u] - y[v]) * dy, across = Math.abs((x[u] - x[v]) * dy) + Math.abs((y[u] - y[v]) * dx);
      if (ax > 1 && ax + 3 * across < least) { least = ax + 3 * across; best = i; }
    });
    return best;
  }
  const button = (text, label, act) => el("button", { type: "button", "aria-label": label, title: label, onclick: act }, text);
  document.getElementById("fabric-view").append(el("div", { class: "zoom" }, button("+", "zoom in", () => zoom(1 / 1.4)), button("−", "zoom out", () => zoom(1.4)), button("⤢", "all of it", () => { view = { ...whole }; apply(); })));
  widths();
  addEventListener("resize", widths);
  intro();
  window.pentaprism = { pickChannel: (c) => pick({ channel: c }, true), pickCore: (i) => pick({ core: i }, true) };
}

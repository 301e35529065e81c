// Tables that sort by a click on their headers, filter, and grow in steps.

// columns: [{label, units, text, get: row -> value, show: value -> text or node, number}]; o: {caption, step, onpick, filter}.
function dataTable(columns, n, o = {}) {
  const step = o.step || 60;
  let order = Array.from({ length: n }, (_, i) => i), shown = step, sorted = null, up = true, words = "";
  const body = el("tbody"), heads = [], more = el("button", { type: "button", class: "more" }), count = el("span", { class: "count" });
  for (const c of columns) {
    if (c.scale !== undefined) continue;
    if (c.number === undefined) c.number = n > 0 && typeof firstValue(c, n) === "number";
    c.scale = c.number && scales[c.units] ? scaleOf(c.units, maximum(order.map((i) => Math.abs(c.get(i))))) : { factor: 1, name: c.units && c.units !== "1" ? c.units : "" };
  }
  // A column of fractions has one number of decimals, so that its points stand below each other.
  function decimals(c) {
    if (c.places !== undefined) return c.places;
    c.places = -1;
    let most = 0, least = Infinity, whole = true;
    for (let i = 0; i < n; i++) {
      const v = c.get(i);
      if (typeof v !== "number" || v === 0) continue;
      const size = Math.abs(v / c.scale.factor);
      most = Math.max(most, size);
      least = Math.min(least, size);
      whole = whole && Number.isInteger(size);
    }
    if (!whole && most < 1e6 && least > most * 1e-4) c.places = Math.max(0, Math.min(9, 3 - Math.floor(Math.log10(Math.sqrt(most * least)))));
    return c.places;
  }
  const number = (c, v) => (decimals(c) < 0 || v === 0 ? plain(v / c.scale.factor) : group2((v / c.scale.factor).toFixed(decimals(c))));
  const text = (c, i) => {
    const v = c.get(i);
    return c.show ? c.show(v, i) : typeof v === "number" ? number(c, v) : v === null || v === undefined ? "–" : String(v);
  };
  function draw() {
    const rows = order.slice(0, shown).map((i) => {
      const row = el("tr", o.onpick ? { tabindex: 0, class: "pick", onclick: () => o.onpick(i), onkeydown: (e) => { if (e.key === "Enter") o.onpick(i); } } : {});
      columns.forEach((c, k) => {
        const shown = text(c, i), long = typeof shown === "string" && shown.length > 60;
        row.append(el(k === 0 && !c.number ? "th" : "td", { class: c.number ? "n" : long ? "long" : null, scope: k === 0 && !c.number ? "row" : null }, shown));
      });
      return row;
    });
    body.replaceChildren(...rows);
    more.hidden = order.length <= shown;
    const rest = order.length - shown;
    more.textContent = rest > 10 * step ? `Show ${10 * step} more of ${group(String(rest))}` : `Show ${rest} more`;
    count.textContent = order.length === n ? `${group(String(n))} row${n === 1 ? "" : "s"}` : `${order.length} of ${group(String(n))} rows`;
  }
  function arrange() {
    order = Array.from({ length: n }, (_, i) => i);
    if (words) order = order.filter((i) => columns.some((c) => String(c.get(i) ?? "").toLowerCase().includes(words)));
    if (sorted !== null) {
      const get = columns[sorted].get, sign = up ? 1 : -1;
      order.sort((a, b) => {
        const x = get(a), y = get(b), none = (v) => v === null || v === undefined;
        if (none(x) || none(y)) return none(x) - none(y) || a - b;
        return sign * (typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y), "en", { numeric: true })) || a - b;
      });
    }
    shown = step;
    heads.forEach((h, k) => h.setAttribute("aria-sort", k !== sorted ? "none" : up ? "ascending" : "descending"));
    draw();
  }
  const head = el("tr", {}, columns.map((c, k) => {
    const name = [c.label, c.scale.name && el("small", {}, c.scale.name)];
    const h = el("th", { scope: "col", class: c.number ? "n" : null, "aria-sort": "none", title: c.text || null },
      el("button", { type: "button", onclick: () => { up = sorted === k ? !up : !c.number; sorted = k; arrange(); } }, name));
    heads.push(h);
    return h;
  }));
  more.addEventListener("click", () => { shown += 10 * step; draw(); });
  const filter = n > 12 && el("input", { type: "search", placeholder: "Filter", "aria-label": `Filter ${o.caption || "the table"}`, oninput: (e) => { words = e.target.value.trim().toLowerCase(); arrange(); } });
  draw();
  return el("div", { class: "table" }, filter && el("div", { class: "tools" }, filter, count),
    el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": o.caption || "table" }, el("table", o.names ? { "data-names": o.names } : {}, o.caption && el("caption", {}, o.caption), el("thead", {}, head), body)), more);
}

// Paper: a table of more columns than a sheet holds is printed in parts, with the columns that name a row in each.
const sheetColumns = 13;
function sheetsOf(table) {
  const names = Math.min(Number(table.dataset.names), 4), n = table.rows[0].cells.length, parts = [];
  for (let from = names; from < n; from += sheetColumns - names) {
    const take = (row) => el("tr", {}, [...row.cells].filter((_, k) => k < names || (k >= from && k < from + sheetColumns - names)).map((c) => c.cloneNode(true)));
    const part = el("table", {}, from === names && table.caption?.cloneNode(true), el("thead", {}, take(table.rows[0])), el("tbody", {}, [...table.tBodies[0].rows].map(take)));
    parts.push(el("div", { class: "sheet" }, part));
  }
  return parts;
}
addEventListener("beforeprint", () => {
  for (const table of document.querySelectorAll("table[data-names]")) {
    if (table.rows[0].cells.length <= sheetColumns || table.classList.contains("parted")) continue;
    table.after(...sheetsOf(table));
    table.classList.add("parted");
  }
});
addEventListener("afterprint", () => {
  for (const part of document.querySelectorAll(".sheet")) part.remove();
  for (const table of document.querySelectorAll(".parted")) table.classList.remove("parted");
});

function firstValue(c, n) {
  for (let i = 0; i < n; i++) {
    const v = c.get(i);
    if (v !== null && v !== undefined) return v;
  }
  return undefined;
}

// A column's name for people: its unit stands below it.
const spoken = (c) => (c.units === "1" ? c.name : c.name.replace(/^(max|mean)_(ps|ns|us)$/, "$1_time").replace(/_(ps|ns|us|s|pj|nj|uj|gbps|mm2|mm|ips|db)$/, "")).replaceAll("_", " ");

// Any table of the report: as it stands, or (`spoken`) with names for people; `order` names the columns that come first.
function rawTable(t, o = {}) {
  const first = (c) => { const at = (o.order || []).indexOf(c.name); return at < 0 ? Infinity : at; };
  const columns = [...t.columns].sort((a, b) => (first(a) === first(b) ? 0 : first(a) - first(b))).map((c) => ({ show: o.spoken && /^utilisation|_share$/.test(c.name) && c.units === "1" ? (v) => percent(v) : undefined, label: o.spoken && !o.keep?.includes(c.name) ? spoken(c) : c.name, units: c.units, text: c.text, get: (i) => t.col(c.name)[i] }));
  return dataTable(columns, t.n, { caption: t.path, names: 1, ...o });
}

// The page: panels in order, tables that no panel shows, settings, theme.

// Groups whose tables no panel draws, such as those of newer versions: as they stand, open to be seen.
const known = /^\/(run|workload|quant|arch|fabric|mapping|bandwidth|timing|energy|accuracy|compare|traffic|quantize|sweep)\//;
function otherPanels() {
  const groups = new Map();
  for (const path of [...tables.keys(), ...scalars.keys()]) {
    if (known.test(path)) continue;
    const name = path.split("/")[1];
    groups.has(name) ? groups.get(name).push(path) : groups.set(name, [path]);
  }
  for (const [name, paths] of groups) {
    const body = panel(`group-${name.replace(/\W/g, "-")}`, name[0].toUpperCase() + name.slice(1));
    const single = paths.filter((p) => scalars.has(p)).map((p) => scalars.get(p));
    if (single.length) body.append(scalarTable(single));
    for (const t of paths.map((p) => tables.get(p)).filter((t) => t?.n > 0)) body.append(el("h3", {}, t.text || t.path), rawTable(t, { step: 20 }));
  }
}

// Why a run's report has no drawing.
function noFabric() {
  if (raw.schema !== "pentaprism-report/1" || document.querySelector(".fabric-svg") || table("/compare/rows") || scalar("/workload/network") === undefined) return;
  const why = scalar("/accuracy/device") !== undefined && !table("/workload/stages") ? "Nothing was mapped: the accuracy of a language model is computed crossbar by crossbar, without cores and channels. `pentaprism run` maps it; that report's page draws its fabric."
    : "This report holds no cores that could be drawn.";
  panel("no-fabric", "Fabric", why.replace(/`/g, ""));
}

function scalarTable(list, caption) {
  return dataTable([
    { label: "name", get: (i) => list[i].path, number: false },
    { label: "value", get: (i) => list[i].v, number: false, show: (v) => (typeof v === "string" && v.length > 60 ? el("pre", { class: "value" }, v) : plain(v, 7)) },
    { label: "unit", get: (i) => (list[i].units === "1" ? "" : list[i].units), number: false },
    { label: "meaning", get: (i) => list[i].text, number: false },
  ], list.length, { caption, step: 200 });
}

function settingsPanel() {
  const t = table("/run/config");
  if (!t) return;
  const body = panel("settings", "Configuration", "Every setting of the run, resolved. The command at the top makes this report again, in a folder with the files that it names."), sections = new Map();
  t.col("section").forEach((s, i) => { sections.has(s) ? sections.get(s).push(i) : sections.set(s, [i]); });
  const box = el("div", { class: "settings" });
  for (const [name, rows] of sections) box.append(el("details", { open: rows.length < 25 }, el("summary", {}, `${name} (${rows.length})`),
    el("table", {}, el("caption", { class: "unseen" }, `Settings of ${name}`), el("thead", { class: "unseen" }, el("tr", {}, ["setting", "value", "unit"].map((h) => el("th", { scope: "col" }, h)))), el("tbody", {}, rows.map((i) => el("tr", {}, el("th", { scope: "row" }, t.col("name")[i]), el("td", {}, t.col("value")[i] === "" ? "–" : t.col("value")[i]), el("td", {}, t.col("unit")[i] === "1" ? "" : t.col("unit")[i])))))));
  body.append(box);
  const hardware = scalar("/arch/description");
  if (hardware) body.append(el("details", {}, el("summary", {}, "Hardware of a core, every field"), el("pre", {}, hardware)));
}

function dataPanel() {
  const body = panel("data", "All data", "Every dataset of the report, as it stands in the file. `pentaprism report csv FILE.h5 TABLE` writes a table as CSV.".replace(/`/g, ""));
  const single = [...scalars.values()].sort((a, b) => a.path.localeCompare(b.path));
  if (single.length) body.append(lazy(`Scalars (${single.length})`, () => scalarTable(single, "Scalars of the report")));
  for (const t of [...tables.values()].sort((a, b) => a.path.localeCompare(b.path)))
    body.append(lazy([el("code", {}, t.path), ` ${t.text} (${plural(t.rows, "row")})`], () => [t.rows > t.n && el("p", { class: "note" }, `The page holds the first ${group(String(t.n))} rows.`), rawTable(t)].filter(Boolean)));
  const without = [...tables.keys()].filter((path) => lacks(path).length).map((path) => `${path} (${lacks(path).join(", ")})`);
  if (without.length) body.append(el("p", { class: "note" }, `Shown here alone, as columns are missing: ${without.join("; ")}`));
  if (raw.skipped.length) body.append(el("p", { class: "note" }, `Not shown, their form is unknown: ${raw.skipped.join(", ")}`));
}
// Details whose content is made when it is opened.
function lazy(summary, make) {
  const box = el("details", {}, el("summary", {}, summary));
  box.addEventListener("toggle", () => { if (box.open && box.childElementCount === 1) box.append(...[make()].flat()); });
  return box;
}

function startNavigation() {
  const nav = document.getElementById("nav");
  for (const section of document.querySelectorAll("main section[id]")) nav.append(el("a", { href: "#" + section.id }, section.querySelector("h2").textContent));
}

function startTheme() {
  const button = document.getElementById("theme"), root = document.documentElement, dark = matchMedia("(prefers-color-scheme: dark)");
  const keep = { get: () => { try { return localStorage.getItem("pentaprism-theme"); } catch { return null; } }, set: (v) => { try { localStorage.setItem("pentaprism-theme", v); } catch { /* a page from a file may have no storage */ } } };
  const now = () => root.dataset.theme || (dark.matches ? "dark" : "light");
  const label = () => { button.textContent = now() === "dark" ? "☀ Light" : "☾ Dark"; button.setAttribute("aria-label", `Switch to ${now() === "dark" ? "light" : "dark"} colours`); };
  if (keep.get() === "dark" || keep.get() === "light") root.dataset.theme = keep.get();
  button.addEventListener("click", () => { root.dataset.theme = now() === "dark" ? "light" : "dark"; keep.set(root.dataset.theme); label(); });
  dark.addEventListener("change", label);
  button.hidden = false;
  label();
}

function startCopy() {
  const button = document.getElementById("copy"), command = document.getElementById("command");
  if (!button || !navigator.clipboard) return;
  button.hidden = false;
  button.addEventListener("click", () => navigator.clipboard.writeText(command.textContent).then(() => { button.textContent = "Copied"; setTimeout(() => { button.textContent = "Copy"; }, 1500); }, () => { button.hidden = true; }));
}

// A panel that fails says so in its place and leaves the others alone.
for (const make of [startTheme, startCopy, startFabric, noFabric, comparePanel, trafficPanel, sweepPanel, quantizePanel, tokensPanel, pipelineChart, layerTable, accuracyPanel, bandwidthPanel, congestionPanel, energyPanel, otherPanels, settingsPanel, dataPanel, startNavigation]) {
  try {
    make();
  } catch (error) {
    console.error(make.name, error);
    views.append(el("p", { class: "note" }, `${make.name} cannot be shown: ${error.message}`));
  }
}
document.documentElement.dataset.ready = "1";

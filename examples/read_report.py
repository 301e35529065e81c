#!/usr/bin/env python3
"""Reads a report of pentaprism with h5py and shows two figures of it: of a network what limits its pipeline and where the
traffic goes; of language models, comparisons, sweeps, traffic and studies of accuracy what they are about.

    pentaprism run examples/resnet32-5pp.yaml -o out.h5
    python3 examples/read_report.py out.h5            # two figures as text
    python3 examples/read_report.py out.h5 plots.png  # the same drawn, if matplotlib is installed

docs/report-format.md lists every dataset. A table is one compound dataset: rows of named columns.
"""
import math
import sys
from collections import namedtuple

try:
    import h5py
except ImportError:
    sys.exit("read_report: h5py is not installed (Debian: python3-h5py)")

# Bars: a label and a value each; `limit` is where a value cannot go beyond, `across` what bars without labels are.
Figure = namedtuple("Figure", "title unit bars limit across", defaults=[None, ""])


def text(value):
    """Texts are fixed fields of bytes, filled up with zeros."""
    return value.decode() if isinstance(value, bytes) else str(value)


def unit_of(table, column):
    """A table's attribute `units` has the units of its columns: "stage: 1; busy_ps: ps"; 1 is a pure number."""
    units = dict(part.split(": ", 1) for part in text(table.attrs["units"]).split("; "))
    return "" if units[column] == "1" else units[column]


def number(value):
    return f"{value:.3f}" if isinstance(value, float) and abs(value) < 1000 else f"{value:.0f}"


def name(row, *columns):
    return " ".join(text(row[c]) for c in columns)


# ---- two figures of each kind of report ----

def of_network(report):
    """Busy share of each stage's core, in order of the network; rate that each network channel needs at the pace of the
    pipeline, largest first."""
    stages = report["timing/stages"][:]
    network = [i for i, c in enumerate(report["fabric/channels"][:]) if text(c["kind"]) == "network"]
    required = report["bandwidth/channels"][:]["required_gbps"]
    rates = sorted((float(required[i]) for i in network), reverse=True)
    limit = float(report["fabric/channel_gbps"][()])
    return [Figure("busy share of each stage", "%", [(text(s["stage"]), 100 * float(s["utilisation"])) for s in stages], 100),
            Figure(f"required rate of the channels (each carries {limit:g} Gbit/s)", "Gbit/s", [("", r) for r in rates], limit, "network channels, busiest first")]


def of_language_model(report):
    operators, progress = report["timing/operators"][:], report["timing/progress"][:]
    return [Figure("busy share of each operator", "%", [(name(o, "part", "name"), 100 * float(o["utilisation_mean"])) for o in operators], 100),
            Figure("tokens a second over time", "token/s", [(f"until {p['time_s'] * 1e6:.4g} us", float(p["tokens_s"])) for p in progress])]


def of_comparison(report):
    rows = [r for r in report["compare/rows"][:] if r["main"]]  # at its own port model and best placement
    return [Figure("rate of the busiest channel", "Gbit/s", [(name(r, "network", "fabric"), float(r["max_channel_required_gbps"])) for r in rows]),
            Figure("time between inferences", "us", [(name(r, "network", "fabric"), float(r["initiation_interval_ps"]) * 1e-6) for r in rows])]


def of_sweep(report):
    table, settings = report["sweep/rows"], [text(s["name"]) for s in report["sweep/settings"][:]]
    wanted = [c for c in ("throughput_ips", "throughput_tokens_s", "latency_first_us", "time_to_first_token_s") if c in table.dtype.names]
    return [Figure(c, unit_of(table, c), [(", ".join(f"{s} {text(r[s])}" for s in settings), float(r[c])) for r in table[:]]) for c in wanted[:2]]


def of_traffic(report):
    fabric = [text(c["fabric"]) for c in report["traffic/curves"][:]]
    points = report["traffic/points"][:]
    label = [f"{fabric[p['curve']]} at {p['rate']:.3g}" for p in points]
    return [Figure("packet latency", "cycles", [(n, float(p["packet_latency"])) for n, p in zip(label, points)]),
            Figure("accepted load", "flit/core/cycle", [(n, float(p["accepted"])) for n, p in zip(label, points)])]


def of_saturation(report):
    curves = report["traffic/curves"][:]
    return [Figure("saturation", "flit/core/cycle", [(name(c, "fabric", "routing", "pattern"), float(c["saturation_rate"])) for c in curves])]


def of_methods(report):
    methods = report["quantize/methods"][:]
    return [Figure("bits per byte", "", [(text(m["method"]), float(m["bits_per_byte"])) for m in methods]),
            Figure("kurtosis after rotation", "", [(text(m["method"]), float(m["kurtosis_after"])) for m in methods])]


def of_devices(report):
    table, last = report["accuracy/rows"], max(report["accuracy/rows"][:]["time_s"])
    share = "accuracy/top1_float" in report  # language models have bits per byte
    figures = [Figure("top-1, mean of all draws" if share else "bits per byte, mean of all draws", "%" if share else "",
                      [(f"{name(r, 'model')}, {r['time_s']:g} s, compensation {name(r, 'compensation')}", float(r["mean"]) * (100 if share else 1)) for r in table[:]])]
    if "accuracy/snr" in report:
        layers = [r for r in report["accuracy/snr"][:] if r["time_s"] == last]
        figures.append(Figure(f"signal to noise of each layer after {last:g} s", "dB", [(name(r, "model", "layer"), float(r["total_db"])) for r in layers]))
    return figures


def of_accuracy(report):
    steps = [s for s in ("float", "quant", "crossbar") if f"accuracy/top1_{s}" in report]
    figures = [Figure("top-1", "%", [(s, 100 * float(report[f"accuracy/top1_{s}"][()])) for s in steps], 100)]
    if "accuracy/adc" in report:
        figures.append(Figure("converters: signal to noise of each tile", "dB", [(f"tile {r['tile']}", float(r["sqnr_db"])) for r in report["accuracy/adc"][:]]))
    return figures


# The first of these datasets that a report holds says what it is.
KINDS = [("timing/stages", of_network), ("timing/operators", of_language_model), ("compare/rows", of_comparison), ("sweep/rows", of_sweep),
         ("traffic/points", of_traffic), ("traffic/curves", of_saturation), ("quantize/methods", of_methods), ("accuracy/rows", of_devices),
         ("accuracy/top1_float", of_accuracy)]


def headline(report):
    """What was computed, and the command that does it again."""
    for subject in ("workload/network", "sweep/model", "quantize/model"):
        if subject in report:
            where = f" on {text(report['fabric/fabric'][()])}" if text(report.get("fabric/fabric", {(): ""})[()]) else ""
            speed = f": {report['timing/throughput_ips'][()]:.0f} inferences/s" if "timing/throughput_ips" in report else ""
            print(f"{text(report[subject][()])}{where}{speed}, made by")
    for command in ("run/command", "sweep/command", "traffic/command", "quantize/command"):
        if command in report:
            print(f"  {text(report[command][()])}\n")


# ---- showing ----

def print_figure(figure, most=40, width=40):
    print(figure.title)
    bars = [b for b in figure.bars if math.isfinite(b[1]) and (b[1] > 0 or b[0])]
    wide = max([len(b[0]) for b in bars[:most]] + [0])
    longest = figure.limit or max([b[1] for b in bars] + [0]) or 1
    for label, value in bars[:most if wide else 12]:
        print(f"  {label:{wide}s} {number(value):>9s} {figure.unit} {'#' * round(max(0, value) / longest * width)}".rstrip())
    left = len(figure.bars) - len(bars[:most if wide else 12])
    if left > 0:
        print(f"  {left} more" + ("" if wide else f", {len(figure.bars) - len(bars)} of them 0"))
    print()


def draw(figures, path):
    try:
        import matplotlib
    except ImportError:
        sys.exit("read_report: matplotlib is not installed (Debian: python3-matplotlib): only the figures as text")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    sheet, axes = plt.subplots(len(figures), 1, figsize=(10, 3.5 * len(figures)), constrained_layout=True, squeeze=False)
    for figure, axis in zip(figures, axes[:, 0]):
        axis.bar(range(len(figure.bars)), [b[1] for b in figure.bars])
        if any(b[0] for b in figure.bars):
            at = range(0, len(figure.bars), 1 + len(figure.bars) // 60)
            axis.set_xticks(at, [figure.bars[i][0] for i in at], rotation=90, fontsize=7)
        axis.set_xlabel(figure.across)
        if figure.limit:
            axis.axhline(figure.limit, linestyle=":", color="black", linewidth=1)
        axis.set_title(figure.title)
        axis.set_ylabel(figure.unit)
    try:
        sheet.savefig(path, dpi=150)
    except (OSError, ValueError) as e:  # no such folder; an ending that matplotlib does not write
        sys.exit(f"read_report: {path}: {e}")
    print(path)


def open_report(path):
    """A report, or one line that says why it is none."""
    try:
        report = h5py.File(path, "r")
    except FileNotFoundError:
        sys.exit(f"read_report: {path}: no such file")
    except OSError as e:
        sys.exit(f"read_report: {path}: not an HDF5 file, or damaged ({e})")
    if not text(report.attrs.get("schema", b"")).startswith("pentaprism-"):
        sys.exit(f"read_report: {path}: an HDF5 file, but no report of pentaprism")
    return report


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    with open_report(sys.argv[1]) as report:
        figures_of = next((f for dataset, f in KINDS if dataset in report and report[dataset].size > 0), None)
        if figures_of is None:
            sys.exit(f"read_report: {sys.argv[1]}: holds none of {', '.join(d for d, _ in KINDS)}")
        headline(report)
        figures = figures_of(report)
        if len(sys.argv) == 3:
            draw(figures, sys.argv[2])
        else:
            for figure in figures:
                print_figure(figure)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Reads a report of pentaprism with h5py: what limits the pipeline, and where the traffic goes.

    pentaprism run examples/resnet32-5pp.yaml -o out.h5
    python3 examples/read_report.py out.h5            # two figures as text
    python3 examples/read_report.py out.h5 plots.png  # the same drawn, if matplotlib is installed

docs/report-format.md lists every dataset. A table is one compound dataset: rows of named columns.
"""
import sys

import h5py


def text(value):
    """Texts are fixed fields of bytes, filled up with zeros."""
    return value.decode() if isinstance(value, bytes) else str(value)


def bar(share, width=40):
    return "#" * round(share * width)


def utilisation(report):
    """Figure 1: busy share of each stage's core, in order of the network."""
    rows = report["timing/stages"][:]
    return [text(r["stage"]) for r in rows], [float(r["utilisation"]) for r in rows]


def required(report):
    """Figure 2: rate that each network channel needs at the pace of the pipeline, largest first."""
    channels = report["fabric/channels"][:]
    network = [i for i, c in enumerate(channels) if text(c["kind"]) == "network"]
    rows = report["bandwidth/channels"][:]
    rates = sorted((float(rows[i]["required_gbps"]) for i in network), reverse=True)
    return rates, float(report["fabric/channel_gbps"][()])


def print_figures(report):
    names, shares = utilisation(report)
    print("busy share of each stage")
    for name, share in zip(names, shares):
        print(f"  {name:24s} {share:6.1%} {bar(share)}")
    rates, limit = required(report)
    print(f"\nrequired rate of the channels (each carries {limit:g} Gbit/s)")
    used = [r for r in rates if r > 0]
    for rate in used[:12]:
        print(f"  {rate:8.3f} Gbit/s {bar(rate / limit)}")
    print(f"  {max(0, len(used) - 12)} more, {len(rates) - len(used)} without traffic")


def draw(report, path):
    try:
        import matplotlib
    except ImportError:
        sys.exit("read_report: matplotlib is not installed: only the figures as text")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    names, shares = utilisation(report)
    rates, limit = required(report)
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(10, 7), constrained_layout=True)
    top.bar(range(len(names)), shares)
    top.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
    top.set_ylabel("busy share of its core")
    bottom.plot(rates, drawstyle="steps-mid")
    bottom.axhline(limit, linestyle=":", label="channel rate")
    bottom.set_xlabel("network channels, busiest first")
    bottom.set_ylabel("required Gbit/s")
    bottom.legend()
    figure.savefig(path, dpi=150)
    print(path)


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    with h5py.File(sys.argv[1], "r") as report:
        print(f"{text(report['workload/network'][()])} on {text(report['fabric/fabric'][()])}: "
              f"{report['timing/throughput_ips'][()]:.0f} inferences/s, made by")
        print(f"  {text(report['run/command'][()])}\n")
        if len(sys.argv) == 3:
            draw(report, sys.argv[2])
        else:
            print_figures(report)


if __name__ == "__main__":
    main()

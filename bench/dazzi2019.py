#!/usr/bin/env python3
"""The table of papers/dazzi2019.md: every convolutional network on nine fabrics, by `pentaprism compare`.

    bench/dazzi2019.py --out out/dazzi2019 [--arrays 256x256] [--images 2] [-j 2] [--networks A,B]

A comparison that is in the folder already is not made again. Prints Markdown: the largest required rate of a channel
on each fabric, and where 5PP stands when channels, pins, wire, bisection or area are held equal."""
import argparse
import json
import math
import os
import subprocess
import sys

FABRICS = "5pp mesh torus cmesh flatfly hypercube htree fattree k5prism".split()
NORMALISE = "channel pins wire bisection area".split()
NETWORKS = ("lenet5 alexnet vgg11 vgg13 vgg16 vgg19 resnet9 resnet20 resnet32 resnet44 resnet56 resnet110 resnet18 resnet34 "
            "resnet50 resnet101 resnet152 resnext50 wideresnet50-2 densenet121 densenet169 densenet201 googlenet inception-v3 "
            "inception-v4 inception-resnet-v2 squeezenet mobilenet-v1 mobilenet-v2 mobilenet-v3-small mobilenet-v3-large "
            "efficientnet-b0 xception shufflenet-v2 unet yolo-tiny").split()


def compare(a, network):
    """The rows of a network, from the folder or made now; None when the program refuses."""
    path = os.path.join(a.out, f"{network}-{a.arrays}.json")
    if not os.path.exists(path):
        done = subprocess.run([a.bin, "compare", "--networks", network, "--fabrics", ",".join(FABRICS), "--arrays", a.arrays,
                               "--images", str(a.images), "-j", str(a.j), "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if done.returncode != 0:
            print(done.stderr.decode().strip(), file=sys.stderr)
            return None
        with open(path + ".part", "wb") as f:
            f.write(done.stdout)
        os.rename(path + ".part", path)
    with open(path) as f:
        return json.load(f)["rows"]


def share(row, what):
    """Required over available rate of the busiest channel when `what` is held equal (rows are made with `channel`)."""
    return row["max_channel_required_gbps"] / (row["channel_gbps"] * row[f"width_factor_{what}"])


def bold(text, on):
    return f"**{text}**" if on else text


def rates(table):
    print("| network | tiles | " + " | ".join(FABRICS) + " |\n|---|---" + "|---" * len(FABRICS) + "|")
    for network, rows in table:
        least = min(r["max_channel_required_gbps"] for r in rows)
        cells = [bold(f"{r['max_channel_required_gbps']:.3g}", r["max_channel_required_gbps"] <= least * (1 + 1e-9))
                 + {"embedding": " e", "disjoint": " d"}.get(r["certificate"], "") for r in rows]
        print(f"| {network} | {rows[0]['tiles']} | " + " | ".join(cells) + " |")


def places(table):
    """For each normalisation the fabric with the lightest busiest channel, and the place of 5PP (ties share the better)."""
    print("| network | " + " | ".join(NORMALISE) + " |\n|---" + "|---" * len(NORMALISE) + "|")
    first = {n: 0 for n in NORMALISE}
    for network, rows in table:
        cells = []
        for what in NORMALISE:
            by = {f: share(r, what) for f, r in zip(FABRICS, rows)}
            least = min(by.values())
            best = [f for f in FABRICS if by[f] <= least * (1 + 1e-6)]
            place = 1 + sum(1 for f in FABRICS if by[f] < by["5pp"] * (1 - 1e-6))
            first[what] += place == 1
            cells.append(bold("5pp 1st" + (f" (with {len(best) - 1})" if len(best) > 1 else ""), True) if place == 1
                         else f"{best[0]}; 5pp {place}")
        print(f"| {network} | " + " | ".join(cells) + " |")
    print("| 5pp lowest on | " + " | ".join(f"{first[w]} of {len(table)}" for w in NORMALISE) + " |")


def intervals(table):
    print("| network | busiest core, us | " + " | ".join(FABRICS) + " |\n|---|---" + "|---" * len(FABRICS) + "|")
    for network, rows in table:
        core = rows[0]["unthrottled_interval_ps"]
        cells = [f"{r['initiation_interval_ps'] / core:.2f} ({[v for v in r['variants'] if v['ports'] == r['ports']][0]['initiation_interval_ps'] / core:.2f})"
                 for r in rows]
        print(f"| {network} | {core * 1e-6:.4g} | " + " | ".join(cells) + " |")


def means(table):
    """Interval over the busiest core's, geometric mean over the networks, for each port model and placement."""
    print("| ports | placement | " + " | ".join(FABRICS) + " |\n|---|---" + "|---" * len(FABRICS) + "|")
    for one_port in (False, True):
        for effort in ("best", "naive"):
            cells = []
            for k in range(len(FABRICS)):
                logs = [math.log(v["initiation_interval_ps"] / v["unthrottled_interval_ps"]) for _n, rows in table
                        for v in [rows[k], *rows[k]["variants"]] if v["effort"] == effort and (v["ports"] == "1") == one_port]
                cells.append(f"{math.exp(sum(logs) / len(logs)):.2f}")
            print(f"| {'one a core' if one_port else 'one a link'} | {effort} | " + " | ".join(cells) + " |")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--bin", default="build/pentaprism")
    p.add_argument("--out", required=True)
    p.add_argument("--arrays", default="256x256")
    p.add_argument("--images", type=int, default=2)
    p.add_argument("--networks", default=",".join(NETWORKS))
    p.add_argument("-j", type=int, default=os.cpu_count())
    a = p.parse_args()
    os.makedirs(a.out, exist_ok=True)
    table = [(n, rows) for n in a.networks.split(",") if (rows := compare(a, n))]
    print(f"Largest required rate of a channel, Gbit/s, {a.arrays} arrays (e: embedding, d: channel-disjoint)\n")
    rates(table)
    print("\nFabric whose busiest channel needs the smallest share of its rate, and the place of 5pp\n")
    places(table)
    print("\nSimulated interval over the busiest core's, best placement (naive in brackets)\n")
    intervals(table)
    print("\nThe same, geometric mean over the networks, under both port models\n")
    means(table)


if __name__ == "__main__":
    main()

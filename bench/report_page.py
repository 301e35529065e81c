#!/usr/bin/env python3
"""Size of report pages and the time until Chromium has them ready, ResNet-50 on 1,000 cores and, with --large, on
10,000, against a page of ResNet-32 on 34 cores in the same run.

    ./dev build && python3 bench/report_page.py [--large]

Ready is when the page's script has drawn everything and the page takes input, from the start of the navigation, as the
browser's own clock has it: median of five. Moving: a step of the pointer over the drawing, with the flows it shows.
"""
import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))
import browser  # noqa: E402

BIN = os.environ.get("PP_BIN", os.path.join(ROOT, "build", "pentaprism"))
RUNS = [("resnet32, 34 cores", ["simulate", "examples/resnet32-5pp.yaml"]),
        ("resnet50, 1,000 cores", ["simulate", "examples/resnet50-flit.yaml", "--set", "simulate.switching=vct", "--set", "fabric.rows=25", "--set", "fabric.cols=40"])]
LARGE = ("resnet50, 10,000 cores", ["simulate", "examples/resnet50-flit.yaml", "--set", "simulate.switching=vct", "--set", "fabric.rows=100", "--set", "fabric.cols=100",
                                    "--set", "arch.rows=64", "--set", "arch.cols=64"])


def measure(page):
    ready, moving = [], []
    for _ in range(5):
        b = browser.Browser()
        try:
            b.open(page)
            ready.append(b.js("return performance.getEntriesByType('navigation')[0].domComplete"))
            b.js("document.getElementById('fabric').scrollIntoView()")
            x, y, w, h = b.js("const r = document.getElementById('fabric-svg').getBoundingClientRect(); return [r.x, r.y, r.width, r.height]")
            b.move(x + 5, y + h / 3)
            begin = time.monotonic()
            for i in range(10):
                b.move(x + w * (0.05 + 0.08 * i), y + h / 3)
            moving.append(100 * (time.monotonic() - begin))
        finally:
            b.close()
    return statistics.median(ready), statistics.median(moving)


def main():
    ap = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    ap.add_argument("--large", action="store_true", help="10,000 cores too (about half a minute of mapping)")
    large = ap.parse_args().large
    if browser.missing():
        sys.exit(browser.missing())
    first = None
    print(f"{'page':24} {'report':>9} {'page':>9} {'made in':>9} {'ready':>9} {'ratio':>7} {'moving':>9}")
    with tempfile.TemporaryDirectory() as folder:
        for name, args in RUNS + ([LARGE] if large else []):
            report, page = os.path.join(folder, "r.h5"), os.path.join(folder, "r.html")
            subprocess.run([BIN, *args, "-o", report, "--force", "--quiet"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
            begin = time.monotonic()
            subprocess.run([BIN, "report", "html", report, "-o", page, "--force", "--quiet"], check=True)
            made = time.monotonic() - begin
            ready, moving = measure(page)
            first = first or ready
            print(f"{name:24} {os.path.getsize(report) / 1e6:6.2f} MB {os.path.getsize(page) / 1e6:6.2f} MB {made:7.2f} s {ready:6.0f} ms {ready / first:7.2f} {moving:6.0f} ms")


if __name__ == "__main__":
    main()

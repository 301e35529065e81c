#!/usr/bin/env python3
"""Packets (vct) against flits in the pipeline: ResNet-32 on 512 x 512 arrays, 40 images, one thread.
usage: bench/switching_levels.py PENTAPRISM [lanes...]
Processor time (without that of `map` alone: quantizing and placing are the same for both), interval and first latency of
both levels on four fabrics. Fails when packets are less than 5 times as fast, or more than 2 % off where no channel is
above 60 % load."""
import json
import os
import resource
import subprocess
import sys
import tempfile

RUN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "examples", "joshi2020-resnet32.yaml")


def run(program, command, fabric, lanes, ports, switching, folder):
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    settings = {"fabric.kind": fabric, "fabric.lanes": lanes, "fabric.local_ports": ports,
                "simulate.switching": switching, "simulate.images": 40}
    words = [w for key, value in settings.items() for w in ("--set", f"{key}={value}")]
    done = subprocess.run([program, command, RUN, *words, "--json", "-j", "1", "--force", "-o",
                           os.path.join(folder, "out.h5")], capture_output=True, text=True, check=True)
    spent = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    return json.loads(done.stdout), spent


def levels(program, *case):
    """Packets and flits: (result, seconds of the simulation alone)."""
    repeat = [run(program, "map", *case[:3], "vct", case[3])[1] for _ in range(3)]
    both = []
    for switching in ("vct", "flit"):
        result, spent = run(program, "simulate", *case[:3], switching, case[3])
        both.append((result, max(spent - min(repeat), 0.001)))
    return both


def main():
    program, lanes = sys.argv[1], [int(word) for word in sys.argv[2:]] or [1, 2, 4]
    bad = 0
    print("fabric  lanes ports     load   interval us, packets  flits      off   first us, packets   flits      off"
          "   s, packets  flits  ratio")
    with tempfile.TemporaryDirectory() as folder:
        for fabric in ("5pp", "mesh", "torus", "cmesh"):
            for n in lanes:
                for ports in ("per_link", "1"):
                    (a, fast), (b, slow) = levels(program, fabric, n, ports, folder)
                    period = [x["initiation_interval_ps"] / 1e6 for x in (a, b)]
                    first = [x["latency_first_us"] for x in (a, b)]
                    off = [abs(x[0] / x[1] - 1) for x in (period, first)]
                    load = b["max_channel_utilisation"]
                    wrong = slow < 5 * fast or (load < 0.6 and max(off) > 0.02)
                    bad += wrong
                    print(f"{fabric:7} {n:5} {ports:9} {load:4.2f} {period[0]:21.3f} {period[1]:8.3f} {100 * off[0]:6.2f} %"
                          f" {first[0]:17.2f} {first[1]:8.2f} {100 * off[1]:6.2f} % {fast:11.3f} {slow:7.2f} {slow / fast:6.1f}"
                          f"{'  OUTSIDE' if wrong else ''}", flush=True)
    return bad > 0


if __name__ == "__main__":
    sys.exit(main())

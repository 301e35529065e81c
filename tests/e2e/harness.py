"""What the end-to-end tests share: calling the program, looking at reports, writing bad input.

Each test file runs alone:  PP_BIN=build/pentaprism python3 tests/e2e/test_run.py
"""
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

import h5py

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.path.abspath(os.environ.get("PP_BIN", os.path.join(ROOT, "build", "pentaprism")))
SHORT = os.environ.get("PP_E2E_SHORT", "0") == "1"
# Enough images to see the pipeline settle, and to see values go wrong.
SIMULATED = 20 if SHORT else 100
EVALUATED = 8 if SHORT else 1000


def example(name):
    return os.path.join(ROOT, "examples", name)


def small(args):
    """With sanitizers, networks' weights by clip search alone: the search by the output's error would be most of each run.
    It runs whole without sanitizers, and with them in the tests of quant/ and wherever a test names quant.weights itself."""
    if not SHORT or len(args) < 2 or args[0] not in ("run", "simulate", "infer", "quantize") or args[1].startswith("-"):
        return args
    if "bytellama" in " ".join(args) or any(a.startswith("quant.weights") for a in args):
        return args
    return [*args[:2], "--set", "quant.weights=mse", *args[2:]]


class Result:
    def __init__(self, done):
        self.rc = done.returncode
        self.out = done.stdout.decode(errors="replace")
        self.err = done.stderr.decode(errors="replace")


def call(*args, cwd=None, timeout=600, file_limit=None):
    """Runs the program. file_limit: no file may grow beyond so many bytes (a disk that is full)."""

    def limit():
        import resource
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a failing write, not a death
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))

    return Result(subprocess.run([BIN, *small([*map(str, args)])], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, timeout=timeout, cwd=cwd or ROOT,
                                 preexec_fn=limit if file_limit is not None else None, restore_signals=False))


def text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


def settings(**pairs):
    """settings(fabric__lanes=1) -> ["--set", "fabric.lanes=1"]"""
    words = []
    for key, value in pairs.items():
        words += ["--set", f"{key.replace('__', '.')}={value}"]
    return words


# Calibration takes most of a short run; time does not depend on its result.
QUICK = settings(quant__calib_images=2) if SHORT else []


class Case(unittest.TestCase):
    """A test case with a folder of its own."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="pp-e2e-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.runs = {}

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, content):
        mode = "wb" if isinstance(content, bytes) else "w"
        with open(self.path(name), mode) as f:
            f.write(content)
        return self.path(name)

    def done(self, *args, **kw):
        r = call(*args, **kw)
        self.assertEqual(r.rc, 0, f"{' '.join(map(str, args))}: {r.err.strip()}")
        return r

    def json(self, *args, **kw):
        r = self.done(*args, "--json", **kw)
        return json.loads(r.out)

    def run_once(self, file, *more):
        """`run` of an example, once for each set of options: (keys, path of the report)."""
        key = (file, more)
        if key not in self.runs:
            report = self.path(f"run{len(self.runs)}.h5")
            self.runs[key] = (self.json("run", example(file), "-o", report, *more), report)
        return self.runs[key]

    def tree(self):
        return sorted(os.path.join(d, f) for d, _s, files in os.walk(self.folder) for f in files + _s)

    def refused(self, *args, words=(), rc=1, **kw):
        """The program refuses: one line on stderr that holds `words`, nothing on stdout, no file more or less."""
        before = self.tree()
        r = call(*args, **kw)
        what = " ".join(map(str, args))
        self.assertEqual(r.rc, rc, f"{what}: exit {r.rc}, stderr {r.err!r}")
        lines = r.err.splitlines()
        self.assertEqual(len(lines), 1, f"{what}: stderr {r.err!r}")
        self.assertTrue(r.err.startswith("pentaprism: "), r.err)
        self.assertEqual(r.out, "", what)
        for word in words:
            self.assertRegex(lines[0], word if isinstance(word, re.Pattern) else re.escape(word))
        self.assertEqual(self.tree(), before, f"{what}: left something behind")
        return lines[0]

    def near(self, got, want, share):
        self.assertLessEqual(abs(got - want), share * abs(want), f"{got} is not within {share:.1%} of {want}")


def datasets(path):
    """{path in the report: (value, attributes)} of every dataset."""
    found = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset):
            found["/" + name] = (item[()], {k: text(v) for k, v in item.attrs.items()})

    with h5py.File(path, "r") as f:
        f.visititems(visit)
    return found


if __name__ == "__main__":
    raise SystemExit("this file holds helpers; run one of test_*.py")

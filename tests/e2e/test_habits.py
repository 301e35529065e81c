"""What users of a terminal expect: hints, completion, manual pages, progress, colour."""
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import time
import unittest

from harness import BIN, SHORT, Case, call, example, settings

JOSHI = example("joshi2020-resnet32.yaml")
PCM = example("resnet32-pcm.yaml")


def on_terminal(*args, out=True, env=None, timeout=300):
    """Runs the program with stdout (out) or stderr on a terminal; what it wrote there."""
    parent, child = pty.openpty()
    pipes = {"stdout": child if out else subprocess.DEVNULL, "stderr": subprocess.DEVNULL if out else child}
    merged = {k: v for k, v in {**os.environ, "TERM": "xterm", **(env or {})}.items() if v is not None}
    p = subprocess.Popen([BIN, *map(str, args)], stdin=subprocess.DEVNULL, env=merged,
                         cwd=os.path.dirname(os.path.dirname(JOSHI)), **pipes)
    os.close(child)
    text = b""
    while select.select([parent], [], [], timeout)[0]:
        try:
            piece = os.read(parent, 65536)
        except OSError:  # the other side is closed
            break
        if not piece:
            break
        text += piece
    os.close(parent)
    assert p.wait(timeout) == 0, text
    return text.decode()


class Newcomer(Case):
    """What somebody does who has never seen the program: one clear line, exit status 2 for wrong usage and 1 for the rest, nothing left."""

    def test_too_little_or_too_much(self):
        for args, words in (([], ["expected a command"]), (["run"], ["run: expected FILE.yaml"]), (["simulate"], ["FILE.yaml"]), (["infer"], ["FILE.yaml"]),
                            (["model"], ["list", "show"]), (["model", "show"], ["show MODEL"]), (["fabric"], ["FABRIC"]), (["fabric", "export", "mesh:rows=2,cols=2"], ["-o"]),
                            (["traffic"], ["FABRIC"]), (["compare"], ["--networks"]), (["map"], ["--network"]), (["quantize"], ["MODEL"]),
                            (["quantize", "compare"], ["compare: expected MODEL"]), (["report"], ["html FILE.h5"]), (["report", "html"], ["html FILE.h5"]), (["report", "diff", "a.h5"], ["A.h5 B.h5"]),
                            (["sweep", JOSHI], ["-o"]), (["completion"], ["bash"]), (["run", JOSHI, "more"], ["more"]), (["run", JOSHI, "--nosuch"], ["--nosuch"]),
                            (["run", JOSHI, "-o"], ["needs a value"]), (["run", JOSHI, "-o", "--force"], ["needs a value"]), (["map", "--network", "--fabric", "mesh"], ["--network", "needs a value"]), (["run", JOSHI, "-j", "0"], ["--threads"]), (["run", JOSHI, "--set", "simulate.images"], ["section.key=value"])):
            self.refused(*args, rc=2, words=words, cwd=self.folder)

    def test_files_that_are_none(self):
        binary, empty = self.write("binary", bytes(range(256)) * 8), self.write("empty", "")
        folder = self.path("folder")
        os.makedirs(folder, exist_ok=True)
        for bad in (binary, empty, folder, self.path("nosuch")):
            for args in (["run", bad], ["infer", bad], ["sweep", bad, "--grid", "fabric.lanes=1", "-o", self.path("s.csv")], ["model", "show", bad], ["quantize", bad], ["fabric", "show", f"file:{bad}"],
                         ["map", "--network", bad, "--fabric", "mesh"], ["map", "--verify", bad], ["report", "show", bad], ["report", "html", bad], ["report", "csv", bad, "stages"],
                         ["report", "diff", bad, bad], ["run", JOSHI, "--set", f"workload.model={bad}"]):
                self.refused(*args, words=[os.path.basename(bad)], cwd=self.folder)

    def test_models_that_are_none(self):
        for args in (["quantize", "resnet3", "--method", "quarot"], ["quantize", "compare", "resnet3"], ["model", "show", "resnet3"]):
            self.refused(*args, words=["resnet3", "did you mean 'resnet9'"], cwd=self.folder)

    def test_models_in_place_of_run_files(self):
        for command in ("run", "simulate", "infer", "map"):
            self.refused(command, "bytellama-odd", words=["bytellama-odd", "not a run file", "--set workload.model="], cwd=self.folder)

    def test_settings_that_are_none(self):
        for setting, words in (("nosuch.key=1", ["unknown section", "simulate"]), ("simulate.nosuch=1", ["nosuch"]), ("simulate.images=abc", ["integer"]), ("simulate.images=0", ["from 1"]),
                               ("simulate.images=1e3", ["integer"]), ("fabric.kind=meshes", ["meshes"]), ("fabric.kind=mesh:rows=0", ["rows"]), ("arch.rows=1000000000", ["arch.rows"]), ("quant.wbits=99", ["quant.wbits"]),
                               ("simulate.switching=fast", ["switching"])):
            self.refused("run", JOSHI, "--set", setting, words=words, cwd=self.folder)

    def test_outputs_that_cannot_be(self):
        os.makedirs(self.path("folder"), exist_ok=True)
        for out, words in ((self.path("no/such/x.h5"), ["folder"]), ("/dev/full", ["not a regular file"]), (self.path("folder"), ["not a regular file"]), ("", ["name of a file"]), (self.write("have.h5", "x"), ["exists"])):
            self.refused("run", JOSHI, "-o", out, words=words, cwd=self.folder)
            self.refused("quantize", "compare", "bytellama-7m", "-o", out, words=words, cwd=self.folder)  # before the work

    def test_stdout_that_takes_nothing(self):
        for args in (["--help"], ["run", "--help"], ["version"], ["knobs"], ["knobs", "--json"], ["model", "list"], ["model", "show", "resnet20"], ["fabric", "list"], ["fabric", "show", "mesh:rows=2,cols=2"],
                     ["report", "csv"], ["completion", "bash"], ["man", "run"], ["map", "--network", "lenet5", "--fabric", "mesh"], ["traffic", "mesh:rows=2,cols=2", "--rate", "0.1", "--precision", "0.3"]):
            with open("/dev/full", "w") as full:
                r = subprocess.run([BIN, *args], stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, text=True, cwd=self.folder)
            self.assertEqual(r.returncode, 1, args)
            self.assertRegex(r.stderr, r"\Apentaprism: .*cannot be written.*\n\Z", args)
        r = subprocess.run(["bash", "-c", f"(sleep 0.5; exec {BIN} knobs) | true; echo ${{PIPESTATUS[0]}}"], capture_output=True, text=True)
        self.assertEqual((r.stdout.splitlines()[-1], r.stderr), ("141", ""))  # a reader that has enough, gone before the first line

    def test_reports_of_different_kinds(self):
        a, b = self.path("a.h5"), self.path("b.h5")
        self.done("simulate", JOSHI, "--set", "simulate.images=2", "-o", a)
        self.done("traffic", "mesh:rows=2,cols=2", "--rates", "0.1", "--precision", "0.3", "-o", b)
        r = self.done("report", "diff", a, b)
        for words in ("different kinds", "pentaprism-report/1", "pentaprism-traffic/1", "/timing/stages", "/traffic/points"):
            self.assertIn(words, r.out)
        self.assertEqual(call("report", "diff", a, b, "--exit-code").rc, 1)

    def test_stopped_in_the_middle(self):
        """Ctrl-C and kill: one line, the signal's own exit status, no half-written file."""
        before = self.tree()
        for number in (signal.SIGINT, signal.SIGTERM):
            p = subprocess.Popen([BIN, "simulate", JOSHI, "--set", f"simulate.images={100 if SHORT else 400}", "--set", "fabric.kind=mesh", "-o", self.path("x.h5"), "--trace", self.path("x.vcd"),
                                  "--trace-limit", "2000000", "--quiet"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            end = time.monotonic() + 120
            while time.monotonic() < end and p.poll() is None and not [f for f in os.listdir(self.folder) if f.startswith("x.vcd.") and f.endswith(".vcd")]:
                time.sleep(0.005)
            self.assertIsNone(p.poll(), "it is writing the trace")
            p.send_signal(number)
            self.assertEqual((p.wait(60), p.stderr.read()), (-number, "pentaprism: interrupted\n"))
            p.stderr.close()
            self.assertEqual(self.tree(), before)


class Hints(Case):
    """A word that is nearly right: the line names the right one."""

    WORDS = [
        (["modle"], "model"), (["model", "lst"], "list"), (["fabric", "shwo", "mesh"], "show"), (["report", "shw", "x.h5"], "show"),
        (["quantize", "compair", "bytellama-7m"], "compare"), (["completion", "bahs"], "bash"), (["man", "quantise"], "quantize"),
        (["model", "show", "resnet23"], "resnet20"), (["model", "show", "gtp2"], "gpt2"),
        (["fabric", "show", "mehs"], "mesh"), (["fabric", "show", example("fabric-own.graphml")], "file:" + example("fabric-own.graphml")), (["fabric", "show", "mesh:row=4"], "rows"),
        (["fabric", "show", "mesh:rows=4,cols=4", "--routing", "yz"], "yx"), (["fabric", "show", "mesh", "--routng", "xy"], "--routing"),
        (["knobs", "--section", "arhc"], "arch"),
        (["simulate", JOSHI, "--set", "arhc.rows=3"], "arch"), (["simulate", JOSHI, "--set", "arch.row=3"], "arch.rows"),
        (["simulate", JOSHI, "--set", "simulate.switching=vtc"], "vct"), (["simulate", JOSHI, "--set", "simulate.kernel=natve"], "native"),
        (["simulate", JOSHI, "--set", "arch.preset=isac"], "isaac"), (["simulate", JOSHI, "--set", "cost.preset=genric"], "generic"),
        (["simulate", JOSHI, "--set", "mapping.placement=snak"], "snake"), (["simulate", JOSHI, "--set", "fabric.routing=shortst"], "shortest"),
        (["simulate", JOSHI, "--set", "fabric.kind=tours"], "torus"), (["simulate", JOSHI, "--set", "workload.model=resnet3"], "resnet9"),
        (["run", JOSHI, "--set", "workload.images=4", "--set", "workload.data=cifar10-test-100"], "cifar10-test-1000"),
        (["infer", JOSHI, "--set", "device.model=hermse"], "hermes"),
        (["infer", PCM, "--set", "noise.compensation=globl"], "global"),
        (["quantize", "bytellama-7m", "--method", "kurtial"], "kurtail"), (["quantize", "bytellama-7m", "--weights", "gtpq"], "gptq"),
        (["quantize", "bytellama-7m", "--format", "fp44"], "fp4"), (["quantize", "compare", "bytellama-7m", "--format", "fp44"], "fp4"), (["quantize", "bytellama-7m", "--learner", "caylee"], "cayley"),
        (["traffic", "mesh:rows=4,cols=4", "--pattern", "unifrm"], "uniform"), (["traffic", "mesh:rows=4,cols=4", "--arrival", "poison"], "poisson"),
        (["traffic", "mesh:rows=4,cols=4", "--switching", "vtc"], "vct"), (["traffic", "mesh:rows=4,cols=4", "--router", "boksim"], "booksim"),
        (["traffic", "mesh:rows=4,cols=4", "--router", "booksim:iter=1"], "iters"), (["traffic", "mehs"], "mesh"),
        (["compare", "--networks", "resent32", "--fabrics", "mesh"], "resnet32"), (["compare", "--networks", "resnet32", "--fabrics", "msh"], "mesh"),
        (["compare", "--networks", "resnet32", "--fabrics", "mesh", "--normalise", "wier"], "wire"),
        # settings that the run does not look at
        (["simulate", JOSHI, "--set", "fabric.normalise=pin"], "pins"), (["simulate", JOSHI, "--set", "simulate.router=boksim"], "booksim"),
        (["simulate", JOSHI, "--set", "quant.rotation_block=array_row"], "array_rows"), (["simulate", JOSHI, "--set", "quant.online_block=ful"], "full"),
        (["simulate", JOSHI, "--set", "workload.experts=seded"], "seeded"), (["simulate", JOSHI, "--set", "quant.method=quarott"], "quarot"),
        (["simulate", JOSHI, "--set", "mapping.unroll=atuo"], "auto"), (["simulate", JOSHI, "--set", "mapping.buffers=unlimted"], "unlimited"),
        (["simulate", JOSHI, "--set", "fabric.local_ports=per_lnk"], "per_link"), (["help", "simulat"], "simulate"),
        # files that are not there
        (["simulate", JOSHI.replace(".yaml", ".yml")], JOSHI), (["simulate", JOSHI.replace("32.yaml", "23.yaml")], JOSHI),
        (["model", "show", example("onnx-own.onx")], example("onnx-own.onnx")), (["model", "show", example("onnx-onw.onnx")], example("onnx-own.onnx")),
        (["fabric", "show", "file:" + example("fabric-onw.graphml")], example("fabric-own.graphml")),
    ]

    def test_each(self):
        for args, near in self.WORDS:
            with self.subTest(args=args):
                r = call(*args, *(["-o", self.path("x.h5")] if args[0] in ("simulate", "run") else []))
                self.assertIn(r.rc, (1, 2))
                self.assertEqual(len(r.err.splitlines()), 1, r.err)
                self.assertRegex(r.err, r"did you mean '?(--)?" + re.escape(near.lstrip("-")))

    def test_every_choice_of_a_setting(self):
        """Each setting with choices (every fifth when short): one letter less is refused, and the choice is named."""
        for k in self.json("knobs")["knobs"][::5 if SHORT else 1]:
            if "|" not in k["type"] or k["type"] == "true|false":
                continue
            words = [c for c in k["type"].split("|") if len(c) > 3]
            if not words or words[0][:-1] in k["type"].split("|"):
                continue
            r = call("fabric", "show", "mesh:rows=2,cols=2", "--set", f"{k['name']}={words[0][:-1]}")
            self.assertEqual(r.rc, 1, k["name"])
            self.assertRegex(r.err, r"did you mean ", k["name"])

    def test_report_tables(self):
        self.done("simulate", JOSHI, "-o", self.path("r.h5"), *settings(simulate__images=2))
        self.refused("report", "csv", self.path("r.h5"), "chanels", words=["did you mean channels"])
        self.refused("report", "csv", self.path("r.h5"), "/timing/stage", words=["did you mean /timing/stages"])
        for verb in ("show", "html", "csv"):
            self.refused("report", verb, self.path("rr.h5"), words=["did you mean " + self.path("r.h5")])
        run = self.write("run.yaml", "workload:\n  model: lenet5\nquant:\n  rotation_block: array_row\n")
        self.refused("simulate", run, "-o", self.path("x.h5"), words=[run + ":4: quant.rotation_block: expected", "did you mean array_rows?"])
        self.refused("infer", PCM, *settings(device__model="pcm"), words=["aihwkit-pcm, ", " or "])

    def test_help_of_a_command(self):
        for command in ("knobs", "run"):
            self.assertEqual(self.done("help", command).out, self.done(command, "--help").out)
        self.assertEqual(self.done("knobs", "fabric").out, self.done("knobs", "--section", "fabric").out)


class Completion(Case):
    def bash(self, line):
        script = ('source "$1"; COMP_LINE=$2; COMP_POINT=${#2}; _pentaprism; printf "%s\\n" "${COMPREPLY[@]}"')
        p = subprocess.run(["bash", "--norc", "-c", script, "x", self.path("bash"), line], capture_output=True, text=True,
                           cwd=self.folder)
        self.assertEqual((p.returncode, p.stderr), (0, ""), line)
        return p.stdout.split()

    def setUp(self):
        for shell in ("bash", "zsh", "fish"):
            if not os.path.exists(self.path(shell)):
                self.write(shell, self.done("completion", shell).out)
        self.write("mine.yaml", "")
        self.write("old.h5", "")
        os.makedirs(self.path("sub"), exist_ok=True)

    CASES = [
        ("pentaprism ", ["run", "model", "traffic", "--help"], []),
        ("pentaprism ru", ["run"], ["model"]),
        ("pentaprism model ", ["list", "show"], ["export"]),
        ("pentaprism model show resnet3", ["resnet32", "resnet34", "resnet32-cifar10"], ["resnet50"]),
        ("pentaprism model show llama3-", ["llama3-8b"], []),
        ("pentaprism fabric show to", ["torus"], ["mesh"]),
        ("pentaprism run --trace-", ["--trace-to", "--trace-limit"], ["--trace", "--json"]),
        ("pentaprism run --js", ["--json"], []),
        ("pentaprism run m", ["mine.yaml"], ["old.h5"]),
        ("pentaprism run -j 3 m", ["mine.yaml"], []),
        ("pentaprism report show ", ["old.h5"], ["mine.yaml"]),
        ("pentaprism report csv old.h5 ch", ["channels"], []),
        ("pentaprism quantize x --learner ", ["sgd", "cayley", "qr"], []),
        ("pentaprism quantize c", ["compare"], []),
        ("pentaprism run mine.yaml --set simulate.sw", ["simulate.switching="], ["simulate.images="]),
        ("pentaprism knobs --section ar", ["arch"], []),
        ("pentaprism man qu", ["quantize"], []),
        ("pentaprism man se", ["settings"], []),
        ("pentaprism sweep mine.yaml --grid fabric.la", ["fabric.lanes="], []),
        ("pentaprism fabric show mesh --routing o", ["odd_even"], ["valiant"]),
        ("pentaprism compare --normalise wi", ["wire"], []),
    ]

    def test_bash(self):
        for line, there, not_there in self.CASES:
            words = self.bash(line)
            for w in there:
                self.assertIn(w, words, line)
            for w in not_there:
                self.assertNotIn(w, words, line)
        # behind = and : bash wants the rest of the word alone, behind , the whole list
        self.assertEqual(self.bash("pentaprism run x --set simulate.kernel=sys"), ["systemc"])
        self.assertEqual(self.bash("pentaprism quantize --learner=cay"), ["cayley"])
        self.assertEqual(self.bash("pentaprism run x --set arch.preset=is"), ["isaac"])
        self.assertEqual(self.bash("pentaprism run x --set cost.preset=no"), ["none"])
        self.assertEqual(self.bash("pentaprism run x --set fabric.kind=mesh"), ["mesh", "mesh3d"])
        self.assertEqual(self.bash("pentaprism run x --set workload.model=resnet1"), ["resnet110", "resnet18", "resnet101", "resnet152"])
        self.assertEqual(self.bash("pentaprism sweep x --grid simulate.switching=v"), ["vct"])
        self.assertEqual(self.bash("pentaprism sweep x --grid fabric.lanes=1,"), [])
        self.assertEqual(self.bash("pentaprism compare --networks resnet18,vgg11"), ["resnet18,vgg11"])

    def test_every_option_is_there(self):
        for line in self.done("--help").out.split("commands\n")[1].split("\n\n")[0].splitlines():
            command = line.split()[0]
            options = set(re.findall(r"^  (?:-\w, |    )--([\w-]+)", self.done(command, "--help").out, re.M))
            self.assertEqual(set(self.bash(f"pentaprism {command} --")), {"--" + o for o in options})
        knobs = {k["name"] + "=" for k in self.json("knobs")["knobs"]}
        # without the =, which is no break here
        self.assertEqual(set(self.bash("pentaprism run x --set ")), knobs)

    @unittest.skipUnless(shutil.which("fish"), "fish is not installed")
    def test_fish(self):
        for line, there, not_there in self.CASES:
            # as from a prompt: the program is not needed, its completion is
            p = subprocess.run(["fish", "--no-config", "-c", f"source {self.path('fish')}; complete -C '{line}'"],
                               capture_output=True, text=True, cwd=self.folder, env={**os.environ, "HOME": self.folder})
            self.assertEqual((p.returncode, p.stderr), (0, ""), line)
            words = [w.split("\t")[0] for w in p.stdout.splitlines()]
            for w in there:
                if w.endswith("="):  # fish goes on to the choices at once
                    self.assertTrue([x for x in words if x.startswith(w)], line)
                elif w != "--help" or line.endswith("-"):
                    self.assertIn(w, words, line)
            for w in not_there:
                if "." not in w:  # other files come behind those that fit
                    self.assertNotIn(w, words, line)

    @unittest.skipUnless(shutil.which("zsh"), "zsh is not installed")
    def test_zsh(self):
        """The function alone, its builtins replaced by ones that print what they are told."""
        stubs = r"""
compadd() { while [[ $1 == -* ]]; do [[ $1 == -- ]] && { shift; break }; [[ $1 == -S ]] && shift; shift; done; print -l -- "$@" }
_describe() { print -l -- ${${(P)2}%%:*} }
_files() { [[ $1 == -g ]] && print -l -- ${~2}(N) || print -l -- *(N) }
compset() { return 0 }
compdef() { :; }
"""
        for line, there, not_there in self.CASES:
            words = line.split(" ")
            script = (f"{stubs}\nsource {self.path('zsh')}\nwords=({' '.join(repr(w) for w in words)})\n"
                      f"CURRENT={len(words)}\n_pentaprism\n")
            p = subprocess.run(["zsh", "-f", "-c", script], capture_output=True, text=True, cwd=self.folder)
            self.assertEqual(p.stderr, "", line)
            got = p.stdout.split()
            for w in there:
                self.assertIn(w, got, line)

    def test_full_device(self):
        with open("/dev/full", "w") as full:
            for args in (["completion", "zsh"], ["man"]):
                p = subprocess.run([BIN, *args], stdout=full, stderr=subprocess.PIPE)
                self.assertEqual(p.returncode, 1)


class Manual(Case):
    def pages(self):
        folder = self.path("man")
        if not os.path.isdir(folder):
            os.mkdir(folder)
            self.done("man", "-o", folder)
        pages = {}
        for name in sorted(os.listdir(folder)):
            with open(os.path.join(folder, name)) as f:
                pages[name] = f.read()
        return pages

    def test_a_page_for_everything(self):
        pages = self.pages()
        commands = [line.split()[0] for line in self.done("--help").out.split("commands\n")[1].split("\n\n")[0].splitlines()]
        self.assertEqual(set(pages), {f"pentaprism-{c}.1" for c in commands} | {"pentaprism.1", "pentaprism-knobs.7"})
        for c in commands:
            page = pages[f"pentaprism-{c}.1"].replace("\\-", "-")
            for option in re.findall(r"--([\w-]+)", self.done(c, "--help").out.split("examples")[0].split("options", 1)[1]):
                self.assertIn("--" + option, page)
            self.assertIn(".SH EXAMPLES", page)
            self.assertEqual(pages[f"pentaprism-{c}.1"], self.done("man", c).out)
        knobs = pages["pentaprism-knobs.7"].replace("\\-", "-")
        for k in self.json("knobs")["knobs"]:
            self.assertIn(f"\\fB{k['name']}\\fR = ", knobs)
            self.assertRegex(k["text"], r"\A(([a-z0-9]|[A-Z]+\b|GraphML).*[^.]|.* \.\.\.)\Z", "begins small, ends without a stop")
        headings = re.findall(r"^\.SH (\w+)$", knobs, re.M)
        self.assertEqual(len(headings), len(set(headings)), "a section stands in one place, whichever room its settings come from")
        sections = re.findall(r"^(\w+):$", self.done("knobs").out, re.M)
        self.assertEqual([s.upper() for s in sections], [h for h in headings if h not in ("NAME", "DESCRIPTION")])

    @unittest.skipUnless(shutil.which("man"), "man is not installed")
    def test_man_has_no_warnings(self):
        for name in self.pages():
            p = subprocess.run(["man", "--warnings", "-l", os.path.join(self.path("man"), name)], capture_output=True,
                               env={**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "80"})
            self.assertEqual((p.returncode, p.stderr), (0, b""), name)

    @unittest.skipUnless(shutil.which("mandoc"), "mandoc is not installed")
    def test_mandoc_finds_nothing(self):
        for name in self.pages():
            p = subprocess.run(["mandoc", "-Tlint", "-W", "warning", os.path.join(self.path("man"), name)],
                               capture_output=True, text=True)
            said = [line for line in p.stdout.splitlines() if "missing date" not in line]  # a tree without git has none
            self.assertEqual(said, [], name)

    def test_unknown(self):
        self.refused("man", "-o", self.path("nowhere"), words=["nowhere"])
        self.refused("man", "run", "-o", self.folder, rc=2, words=["-o DIR"])


class Terminal(Case):
    def test_colour_on_a_terminal_alone(self):
        self.done("simulate", JOSHI, "-o", self.path("r.h5"), *settings(simulate__images=2))
        show = ["report", "show", self.path("r.h5")]
        self.assertIn("\033[", on_terminal(*show, env={"NO_COLOR": None}))
        self.assertIn("\033[", on_terminal(*show, env={"NO_COLOR": ""}))
        self.assertNotIn("\033", on_terminal(*show, env={"NO_COLOR": "1"}))
        self.assertNotIn("\033", on_terminal(*show, env={"TERM": "dumb"}))
        self.assertNotIn("\033", self.done(*show).out)

    # each at a size that lasts a second or two
    LONG = [
        ["quantize", "resnet32-cifar10", *settings(workload__images=1000, quant__calib_images=1000)],
        ["compare", "--networks", "resnet32", "--fabrics", "5pp,mesh", "--images", "2", *settings(mapping__effort=200)],
        ["traffic", "mesh:rows=8,cols=8", "--sweep", "--rates", "0.1,0.3", "--seeds", "32"],
    ]

    @unittest.skipIf(SHORT, "lasts too long under sanitizers")
    def test_progress_on_a_terminal_alone(self):
        for args in self.LONG:
            with self.subTest(args=args):
                seen = on_terminal(*args, out=False)
                self.assertRegex(seen, r"\[#*\.*\] +\d+% ETA ")
                self.assertTrue(seen.endswith("\r\033[K"), "the bar is wiped")
        self.assertEqual(on_terminal(*self.LONG[0], "--quiet", out=False), "")
        self.assertEqual(call(*self.LONG[0]).err, "")


if __name__ == "__main__":
    unittest.main(verbosity=2)

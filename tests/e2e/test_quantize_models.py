"""quantize on language models of many shapes, runs that are killed or meet a full disk, models that are wrong."""
import hashlib
import json
import os
import shutil
import signal
import subprocess
import time
import unittest

import lm_folder
from harness import BIN, ROOT, SHORT, Case, call

SMALL = ["--eval-tokens", "512", "--calib-windows", "2", "--window", "128", "--steps", "5"]


METHODS = ["quarot", "kurtail-gptq"] if SHORT else ["rtn", "gptq", "quarot", "quarot-gptq", "kurtail", "kurtail-gptq"]


def quantize(*args):
    done = call("quantize", *args, "--json")
    assert done.rc == 0, done.err
    return json.loads(done.out), done.err


def contents(folder):
    hashes = {}
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as f:
            hashes[name] = hashlib.sha256(f.read()).hexdigest()
    return hashes


class Models(Case):
    def check(self, d, bits):
        self.assertLess(d["invariance_error"], 1e-3)
        self.assertGreater(d["bits_per_byte"], 0)
        rows = [l for l in d["layers"] if l["weight_sqnr_db"] != 0]
        self.assertGreaterEqual(len(rows), 6)
        for l in rows:
            self.assertEqual(l["bits"], bits)
            self.assertGreater(l["weight_sqnr_db"], 5)
            self.assertLess(l["weight_sqnr_db"], 35)
            self.assertGreaterEqual(l["kurtosis_before"], 1)
            self.assertGreater(l["input_sqnr_db"], 5)

    def all_methods(self, folder):
        for method in METHODS:
            with self.subTest(model=folder, method=method):
                d, _ = quantize(folder, "--method", method, *SMALL)
                self.check(d, 4)
                if method == "quarot":
                    hadamard = d
                if method.startswith("kurtail"):
                    self.assertLess(d["kurtosis_after"], hadamard["kurtosis_after"])

    def test_odd_sizes_tied_with_biases(self):
        self.all_methods(lm_folder.write(self.path("odd"), layers=1))

    def test_q_and_k_norms_grouped_heads(self):
        self.all_methods(lm_folder.write(self.path("qwen3"), hidden=96, heads=4, kv_heads=2, head_dim=36, ffn=160,
                                         biases=False, qk_norm=True, tied=False))

    def test_layer_norm(self):
        self.all_methods(lm_folder.write(self.path("gpt2"), "gpt2", hidden=80, heads=5, ffn=320))

    def test_folder_measures_the_same(self):
        """Evaluated again, a folder gives what was printed when it was made: windows are those of the folder."""
        folder = self.path("again")
        made, _ = quantize(lm_folder.write(self.path("small"), hidden=96, ffn=256, heads=6, kv_heads=2, head_dim=16),
                           "--method", "kurtail", *SMALL, "--window", "64", "-o", folder)
        again, _ = quantize(folder, "--eval-tokens", "512")
        self.assertEqual((again["bits_per_byte"], again["window"]), (made["bits_per_byte"], 64))
        other, _ = quantize(folder, "--eval-tokens", "512", "--window", "128")
        self.assertNotEqual(other["bits_per_byte"], made["bits_per_byte"])

    def test_size_without_hadamard(self):
        folder = lm_folder.write(self.path("none"), hidden=96, heads=3, kv_heads=3, head_dim=32, ffn=454)
        d, err = quantize(folder, "--method", "quarot", *SMALL)
        self.check(d, 4)
        lines = err.strip().splitlines()
        self.assertEqual(len(lines), 1, err)
        self.assertIn("454", lines[0])
        self.assertIn("padding", lines[0])


class Interrupted(Case):
    def command(self, folder):
        return ["quantize", "bytellama-odd", "--method", "kurtail-gptq", "--no-eval", "--calib-windows", "4", "--steps",
                "5", "-o", folder]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.whole = os.path.join(cls.folder, "whole")
        assert call(*Interrupted.command(None, cls.whole)).rc == 0

    def killed(self, folder, at="layer-00001.safetensors", end="quant.json"):
        """Starts a run and kills it as soon as layer 1 (or another file) is there."""
        run = subprocess.Popen([BIN, *self.command(folder)], cwd=ROOT, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while run.poll() is None and not os.path.exists(os.path.join(folder, at)):
            time.sleep(0.0005)
        run.send_signal(signal.SIGKILL)
        run.wait()
        return not os.path.exists(os.path.join(folder, end))

    def test_kill_and_resume(self):
        folder = self.path("killed")
        for _ in range(5):
            shutil.rmtree(folder, ignore_errors=True)
            if self.killed(folder):
                break
        else:
            self.fail("never killed in time")
        self.refused("quantize", folder, words=["not finished"])
        done = {f: os.stat(os.path.join(folder, f)).st_mtime_ns for f in os.listdir(folder) if f.startswith("layer")}
        self.assertGreaterEqual(len(done), 2)
        self.assertEqual(call(*self.command(folder)).rc, 0)
        for f, t in done.items():
            self.assertEqual(os.stat(os.path.join(folder, f)).st_mtime_ns, t, f)
        self.assertEqual(contents(folder), contents(self.whole))

    def test_kill_while_learning(self):
        """R1 is there as soon as it is learned; a run that goes on from it ends with the same bytes."""
        folder = self.path("learning")
        for _ in range(5):
            shutil.rmtree(folder, ignore_errors=True)
            if self.killed(folder, "learned.safetensors", "rotations.safetensors"):
                break
        else:
            self.fail("never killed in time")
        self.assertEqual(os.listdir(folder), ["learned.safetensors"])
        self.assertEqual(call(*self.command(folder)).rc, 0)
        self.assertEqual(contents(folder), contents(self.whole))

    def test_other_settings_are_not_mixed(self):
        folder = self.path("mixed")
        for _ in range(5):
            shutil.rmtree(folder, ignore_errors=True)
            if self.killed(folder):
                break
        text = self.write("other.txt", "another text to calibrate on, " * 200)
        self.refused(*self.command(folder), "--calib", text, words=["other settings"])
        self.refused(*self.command(folder), "--seed", "9", words=["other settings"])

    def test_full_disk(self):
        for limit, kept in ((1000, 0), (150000, 2), (185000, 2), (190000, 6))[2 if SHORT else 0:]:
            with self.subTest(limit=limit):
                folder = self.path(f"full{limit}")
                done = call(*self.command(folder), file_limit=limit)
                self.assertEqual(done.rc, 1)
                self.assertEqual(len(done.err.strip().splitlines()), 1, done.err)
                self.assertTrue(done.err.startswith("pentaprism: "), done.err)
                there = sorted(os.listdir(folder))
                self.assertEqual(len(there), kept, there)
                self.assertFalse([f for f in there if not f.endswith(("safetensors", "settings.json"))], there)
                before = contents(folder)
                self.assertEqual(call(*self.command(folder)).rc, 0)
                after = contents(folder)
                self.assertEqual(after, contents(self.whole))
                for f in set(before) - {"learned.safetensors"}:  # which rotations.safetensors takes the place of
                    self.assertEqual(before[f], after[f])


class Wrong(Case):
    def bad(self, *args, words):
        return self.refused("quantize", *args, *SMALL, words=words)

    def small(self, name, **changes):
        return lm_folder.write(self.path(name), **{**dict(hidden=64, heads=2, kv_heads=1, head_dim=32, ffn=96), **changes})

    def test_weights_that_are_not_finite(self):
        for name, value, word in (("model.layers.1.mlp.up_proj.weight", float("nan"), "NaN"),
                                  ("model.layers.0.self_attn.q_proj.weight", float("inf"), "infinite"),
                                  ("model.embed_tokens.weight", float("-inf"), "infinite")):
            for method in ("kurtail",) if SHORT else ("rtn", "kurtail", "gptq"):
                with self.subTest(tensor=name, method=method):
                    folder, out = self.small("poison", poison=(name, value)), self.path("out")
                    self.bad(folder, "--method", method, "-o", out, words=[name, word])
                    self.assertFalse(os.path.exists(os.path.join(out, "quant.json")))
                    shutil.rmtree(out, ignore_errors=True)

    def test_shards(self):
        folder = self.small("shards", shards=3)
        quantize(folder, "--method", "quarot", *SMALL)
        os.remove(os.path.join(folder, "model-00002-of-00003.safetensors"))
        self.bad(folder, words=["model-00002-of-00003.safetensors"])
        folder = self.small("index", shards=2)
        index = os.path.join(folder, "model.safetensors.index.json")
        with open(index) as f:
            d = json.load(f)
        d["weight_map"]["model.layers.9.mlp.up_proj.weight"] = "model-00001-of-00002.safetensors"
        with open(index, "w") as f:
            json.dump(d, f)
        self.bad(folder, words=["model.layers.9.mlp.up_proj.weight"])

    def test_shapes(self):
        folder = self.small("shape")
        with open(os.path.join(folder, "config.json")) as f:
            config = json.load(f)
        for key, value, words in (("intermediate_size", 100, ["mlp."]), ("model_type", "mamba", ["mamba"])):
            with self.subTest(key=key):
                with open(os.path.join(folder, "config.json"), "w") as f:
                    json.dump({**config, key: value}, f)
                self.bad(folder, words=words)

    def test_texts_and_tokenizers(self):
        folder = self.small("text")
        self.bad(folder, "--calib", self.write("empty.txt", ""), words=["empty.txt", "text is empty"])
        self.bad(folder, "--calib", self.write("one.txt", "x"), words=["calibration text", "single token"])
        self.bad(folder, "--eval", self.path("empty.txt"), words=["empty.txt", "text is empty"])
        self.bad(folder, "--calib", self.path("nosuch.txt"), words=["nosuch.txt"])
        self.bad(self.small("vocab", vocab=300), words=["300"])
        with open(os.path.join(folder, "tokenizer.json"), "w") as f:
            json.dump({"model": {"type": "BPE", "vocab": {chr(0x100 + i): i for i in range(400)}, "merges": []},
                       "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False},
                       "decoder": {"type": "ByteLevel"}, "added_tokens": []}, f)
        self.bad(folder, words=["tokenizer"])


if __name__ == "__main__":
    unittest.main()

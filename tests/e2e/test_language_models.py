"""Language models as the program sees them: the list, what is inside, files that are wrong."""
import json
import os
import struct
import unittest

from harness import Case, call

PUBLISHED = {"llama2-7b": 6738415616, "llama3-8b": 8030261248, "llama3-70b": 70553706496, "gpt2": 124439808,
             "bert-base": 109482240, "vit-b16": 86567656, "mixtral-8x7b": 46702792704, "qwen2.5-7b": 7615616512}
CONFIG = {"model_type": "llama", "vocab_size": 256, "hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 1,
          "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 4, "max_position_embeddings": 32,
          "rms_norm_eps": 1e-5}
SHAPES = {"model.embed_tokens.weight": [256, 8], "model.norm.weight": [8], "lm_head.weight": [256, 8]}
SHAPES.update({f"model.layers.0.{n}.weight": s for n, s in {
    "input_layernorm": [8], "post_attention_layernorm": [8], "self_attn.q_proj": [8, 8], "self_attn.k_proj": [4, 8],
    "self_attn.v_proj": [4, 8], "self_attn.o_proj": [8, 8], "mlp.gate_proj": [12, 8], "mlp.up_proj": [12, 8],
    "mlp.down_proj": [8, 12]}.items()})


def safetensors(path, names):
    head, data = {}, b""
    for name in names:
        n = 1
        for d in SHAPES[name]:
            n *= d
        head[name] = {"dtype": "F32", "shape": SHAPES[name], "data_offsets": [len(data), len(data) + 4 * n]}
        data += struct.pack(f"<{n}f", *[(i % 5 - 2) / 4 for i in range(n)])
    text = json.dumps(head).encode()
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


class LanguageModels(Case):
    def make(self, shards=1, **config):
        """A small model in a folder of its own; its path."""
        folder = os.path.join(self.folder, f"model-{len(os.listdir(self.folder))}")
        os.mkdir(folder)
        with open(os.path.join(folder, "config.json"), "w") as f:
            json.dump(dict(CONFIG, **config), f)
        names = list(SHAPES)
        if shards == 1:
            safetensors(os.path.join(folder, "model.safetensors"), names)
            return folder
        where = {n: f"model-{i % shards}.safetensors" for i, n in enumerate(names)}
        for s in range(shards):
            safetensors(os.path.join(folder, f"model-{s}.safetensors"), names[s::shards])
        with open(os.path.join(folder, "model.safetensors.index.json"), "w") as f:
            json.dump({"metadata": {}, "weight_map": where}, f)
        return folder

    def test_shapes_have_the_published_parameters(self):
        models = self.json("model", "list")["models"]
        for name, parameters in PUBLISHED.items():
            self.assertIn(name, models)
            d = self.json("model", "show", name)
            self.assertEqual(d["parameters"], parameters)
            self.assertEqual(sum(o["parameters"] for o in d["operators"]), parameters)
            self.assertEqual(sum(o["macs"] for o in d["operators"]), d["macs"])
            for key in "name layers input hidden heads kv_heads head_dim ffn vocab".split():
                self.assertIn(key, d)
            self.assertFalse(d["has_weights"])
        self.assertIn("8030261248", self.done("model", "show", "llama3-8b").out)

    def test_models_with_weights(self):
        d = self.json("model", "show", "bytellama-7m")
        self.assertEqual((d["parameters"], d["layers"], d["has_weights"]), (6426880, 8, True))
        for shards in (1, 3):
            d = self.json("model", "show", self.make(shards))
            self.assertEqual((d["parameters"], d["model_type"]), (4600, "llama"))
        d = self.json("model", "show", os.path.join(self.make(), "config.json"))
        self.assertEqual((d["parameters"], d["has_weights"]), (4600, False))

    def test_wrong_files_are_named(self):
        missing = self.make(3)
        os.remove(os.path.join(missing, "model-1.safetensors"))
        self.refused("model", "show", missing, words=["model-1.safetensors", "missing"])
        absent = self.make(2)
        index = os.path.join(absent, "model.safetensors.index.json")
        with open(index) as f:
            d = json.load(f)
        d["weight_map"]["model.ghost"] = "model-0.safetensors"
        with open(index, "w") as f:
            json.dump(d, f)
        self.refused("model", "show", absent, words=["model.ghost", "model-0.safetensors"])
        self.refused("model", "show", self.make(hidden_size=16), words=["input_layernorm", "[8]", "[16]"])
        self.refused("model", "show", self.make(model_type="rwkv"), words=["'rwkv'", "not supported", "llama"])
        self.refused("model", "show", self.make(num_key_value_heads=3), words=["not a multiple of 3"])
        empty = os.path.join(self.folder, "empty")
        os.mkdir(empty)
        self.refused("model", "show", empty, words=["no config.json"])

    def test_names_that_are_not_quite_right(self):
        self.refused("model", "show", "llama3-8c", words=["did you mean 'llama3-8b'"])
        self.refused("compare", "--networks", "llama3-8b", "--fabrics", "5pp", words=["language model"])


class Values(Case):
    """run with simulate.execute: values move with the tokens, and the program compares them with the executor itself."""

    def run_file(self, *lines):
        return self.write("values.yaml", "workload:\n  model: bytellama-odd\n  sequences: 2\n  prompt_tokens: 5\n  decode_tokens: 3\n"
                          "quant:\n  method: rtn\n  abits: 4\nsimulate:\n  execute: 1\n" + "".join(lines))

    def test_values_move_with_the_tokens(self):
        d = self.json("run", self.run_file(), "-o", self.path("v.h5"))
        self.assertEqual((d["executed_tokens"], d["generated_tokens"]), (16, 6))
        text = self.done("run", self.run_file(), "-o", self.path("w.h5")).out
        self.assertIn("equal to the quantized executor's to the bit", text)

    def test_decoding_alone_and_devices(self):
        """Keys and values are codes, as many bytes as the timing model counts; prompts of decoding alone are run beforehand."""
        for more, executed in (([], 16), (["--set", "workload.scenario=decode"], 6), (["--set", "quant.kvbits=8"], 16),
                               (["--set", "device.model=aihwkit-pcm", "--set", "noise.compensation=tile", "--set", "arch.adc_bits=8"], 16)):
            d = self.json("run", self.run_file(), *more, "-o", self.path(f"d{len(os.listdir(self.folder))}.h5"))
            self.assertEqual((d["executed_tokens"], d["generated_tokens"]), (executed, 6))
            self.assertEqual(d["kv_code_bytes"], d["kv_cache_bytes"])
            self.assertGreater(d["kv_scale_bytes"], 0)
            self.assertEqual(d["executed_devices"], "aihwkit-pcm" if "device.model=aihwkit-pcm" in more else "ideal")

    def test_a_quantized_folder_says_its_widths(self):
        folder = self.path("w3")
        self.done("quantize", "bytellama-odd", "--method", "quarot", "--wbits", "3", "--kvbits", "8", "--no-eval", "-o", folder)
        d = self.json("run", self.run_file(), "--set", f"workload.model={folder}", "-o", self.path("f.h5"))
        self.assertEqual((d["wbits"], d["abits"], d["kvbits"], d["executed_tokens"]), (3, 4, 8, 16))

    def test_what_has_no_values_is_refused(self):
        file = self.run_file()
        self.refused("run", file, "--set", "device.model=nobody", "-o", self.path("x.h5"), words=["device.model"])
        self.refused("run", file, "--set", "quant.method=kurtle", "-o", self.path("x.h5"), words=["kurtail"])


if __name__ == "__main__":
    unittest.main()

"""Small Hugging Face folders with weights that look trained, for the tests of language models."""
import json
import os
import random
import struct


def floats(rng, count, size):
    return struct.pack(f"<{count}f", *[rng.gauss(0, size) for _ in range(count)])


def llama(a):
    d, q, kv = a["hidden"], a["heads"] * a["head_dim"], a["kv_heads"] * a["head_dim"]
    t = {"model.embed_tokens.weight": [a["vocab"], d], "model.norm.weight": [d]}
    if not a["tied"]:
        t["lm_head.weight"] = [a["vocab"], d]
    for i in range(a["layers"]):
        p = f"model.layers.{i}."
        t.update({p + "input_layernorm.weight": [d], p + "post_attention_layernorm.weight": [d],
                  p + "self_attn.q_proj.weight": [q, d], p + "self_attn.k_proj.weight": [kv, d],
                  p + "self_attn.v_proj.weight": [kv, d], p + "self_attn.o_proj.weight": [d, q],
                  p + "mlp.gate_proj.weight": [a["ffn"], d], p + "mlp.up_proj.weight": [a["ffn"], d],
                  p + "mlp.down_proj.weight": [d, a["ffn"]]})
        if a["biases"]:
            t.update({p + f"self_attn.{n}_proj.bias": [w] for n, w in (("q", q), ("k", kv), ("v", kv))})
        if a["qk_norm"]:
            t.update({p + f"self_attn.{n}_norm.weight": [a["head_dim"]] for n in "qk"})
    config = {"architectures": ["LlamaForCausalLM"], "hidden_size": d, "intermediate_size": a["ffn"],
              "num_hidden_layers": a["layers"], "num_attention_heads": a["heads"],
              "num_key_value_heads": a["kv_heads"], "head_dim": a["head_dim"], "vocab_size": a["vocab"],
              "model_type": "qwen3" if a["qk_norm"] else "qwen2" if a["biases"] else "llama", "hidden_act": "silu",
              "max_position_embeddings": 2048, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
              "tie_word_embeddings": a["tied"]}
    return config, t


def gpt2(a):
    d = a["hidden"]
    t = {"wte.weight": [a["vocab"], d], "wpe.weight": [512, d], "ln_f.weight": [d], "ln_f.bias": [d]}
    for i in range(a["layers"]):
        p = f"h.{i}."
        t.update({p + n + ".weight": s for n, s in (("ln_1", [d]), ("ln_2", [d]), ("attn.c_attn", [d, 3 * d]),
                  ("attn.c_proj", [d, d]), ("mlp.c_fc", [d, a["ffn"]]), ("mlp.c_proj", [a["ffn"], d]))})
        t.update({p + n + ".bias": [w] for n, w in (("ln_1", d), ("ln_2", d), ("attn.c_attn", 3 * d),
                  ("attn.c_proj", d), ("mlp.c_fc", a["ffn"]), ("mlp.c_proj", d))})
    config = {"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "n_embd": d, "n_inner": a["ffn"],
              "n_layer": a["layers"], "n_head": a["heads"], "n_positions": 512, "n_ctx": 512, "vocab_size": a["vocab"],
              "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5}
    return config, t


def tensor(rng, name, shape):
    """Norms near 1 with a few large channels, which give the heavy tails that trained models have."""
    count = 1
    for s in shape:
        count *= s
    if "norm" in name or "ln_" in name:
        bias = name.endswith("bias")
        values = [rng.gauss(0 if bias else 1, 0.1) * (8 if i % 41 == 7 else 1) for i in range(count)]
        return struct.pack(f"<{count}f", *values)
    return floats(rng, count, 0.02 if name.endswith("bias") else 0.6 / shape[-1] ** 0.5)


def write(folder, style="llama", seed=1, shards=1, poison=None, drop=None, **changes):
    """poison: (tensor, value) puts one value into it. drop: a shard that is named in the index but not written."""
    a = dict(hidden=320, ffn=864, heads=5, kv_heads=1, head_dim=64, layers=2, vocab=256, tied=True, biases=True,
             qk_norm=False)
    a.update(changes)
    rng = random.Random(seed)
    config, shapes = (gpt2 if style == "gpt2" else llama)(a)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump(config, f)
    names, where = sorted(shapes), {}
    for s in range(shards):
        file = "model.safetensors" if shards == 1 else f"model-{s + 1:05d}-of-{shards:05d}.safetensors"
        part, head, at = names[s::shards], {}, 0
        data = []
        for n in part:
            block = bytearray(tensor(rng, n, shapes[n]))
            if poison is not None and n == poison[0]:
                block[40:44] = struct.pack("<f", poison[1])
            head[n] = {"dtype": "F32", "shape": shapes[n], "data_offsets": [at, at + len(block)]}
            at += len(block)
            data.append(block)
            where[n] = file
        if s == drop:
            continue
        text = json.dumps(head).encode()
        with open(os.path.join(folder, file), "wb") as f:
            f.write(struct.pack("<Q", len(text)) + text)
            for block in data:
                f.write(block)
    if shards > 1:
        with open(os.path.join(folder, "model.safetensors.index.json"), "w") as f:
            json.dump({"metadata": {}, "weight_map": where}, f)
    return folder

#!/usr/bin/env python3
"""Writes a Hugging Face folder of the shape of Llama 3 8B (or another) with random bfloat16 weights.

    make_llama_shape.py OUT [--layers 32] [--seed 1] [--layers-per-shard 4] [--jobs 1]
                        [--hidden 4096 --ffn 14336 --heads 32 --kv-heads 8 --head-dim 128 --vocab 128256]

For walking a checkpoint larger than memory; the values mean nothing: signs and fractions are uniform, sizes
from 2^-9 to 2^-5, and norms are 1. Python alone. One tensor is in memory at a time and job. All 32 layers take 16 GB.
"""
import argparse
import json
import multiprocessing
import os
import random
import struct


def values(name, count, seed):
    """count bfloat16 values as bytes: low byte random, high byte one of four (sign, two exponents)."""
    r = random.Random(f"{seed} {name}")
    table = bytes((0x3b, 0x3c, 0xbb, 0xbc)[i % 4] for i in range(256))
    while count > 0:
        n = min(count, 1 << 24)
        block = bytearray(2 * n)
        block[0::2] = r.randbytes(n)
        block[1::2] = r.randbytes(n).translate(table)
        yield block
        count -= n


def shard(path, tensors, seed):
    head, at = {}, 0
    for name, shape in tensors:
        size = 2 * shape[0] * (shape[1] if len(shape) > 1 else 1)
        head[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(head, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path + ".part", "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for name, shape in tensors:
            if len(shape) == 1:
                f.write(b"\x80\x3f" * shape[0])
                continue
            for block in values(name, shape[0] * shape[1], seed):
                f.write(block)
    os.rename(path + ".part", path)
    return at


def layer(a, i):
    d, q, kv = a.hidden, a.heads * a.head_dim, a.kv_heads * a.head_dim
    shapes = {"input_layernorm": [d], "self_attn.q_proj": [q, d], "self_attn.k_proj": [kv, d],
              "self_attn.v_proj": [kv, d], "self_attn.o_proj": [d, q], "post_attention_layernorm": [d],
              "mlp.gate_proj": [a.ffn, d], "mlp.up_proj": [a.ffn, d], "mlp.down_proj": [d, a.ffn]}
    return [(f"model.layers.{i}.{n}.weight", s) for n, s in shapes.items()]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("out")
    for name, value in (("layers", 32), ("seed", 1), ("layers-per-shard", 4), ("jobs", 1), ("hidden", 4096), ("ffn", 14336),
                        ("heads", 32), ("kv-heads", 8), ("head-dim", 128), ("vocab", 128256)):
        p.add_argument("--" + name, type=int, default=value)
    a = p.parse_args()
    os.makedirs(a.out)
    groups = [[("model.embed_tokens.weight", [a.vocab, a.hidden])]]
    for i in range(0, a.layers, a.layers_per_shard):
        groups.append([t for k in range(i, min(i + a.layers_per_shard, a.layers)) for t in layer(a, k)])
    groups.append([("model.norm.weight", [a.hidden]), ("lm_head.weight", [a.vocab, a.hidden])])
    names = [f"model-{i:05d}-of-{len(groups):05d}.safetensors" for i in range(1, len(groups) + 1)]
    work = [(os.path.join(a.out, n), tensors, a.seed) for n, tensors in zip(names, groups)]
    where = {t[0]: n for n, tensors in zip(names, groups) for t in tensors}
    with multiprocessing.Pool(a.jobs) as pool:
        total = sum(pool.starmap(shard, work, chunksize=1))
    print(f"{total / 1e9:.2f} GB in {len(names)} shards")
    with open(os.path.join(a.out, "model.safetensors.index.json"), "w") as f:
        json.dump({"metadata": {"total_size": total}, "weight_map": where}, f, indent=1)
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": a.vocab,
              "hidden_size": a.hidden, "intermediate_size": a.ffn, "num_hidden_layers": a.layers,
              "num_attention_heads": a.heads, "num_key_value_heads": a.kv_heads, "head_dim": a.head_dim,
              "hidden_act": "silu", "max_position_embeddings": 8192, "rms_norm_eps": 1e-5, "rope_theta": 500000.0,
              "tie_word_embeddings": False, "torch_dtype": "bfloat16"}
    with open(os.path.join(a.out, "config.json"), "w") as f:
        json.dump(config, f, indent=1)


if __name__ == "__main__":
    main()

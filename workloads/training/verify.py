#!/usr/bin/env python3
"""Check the shipped network with numpy alone: reads the safetensors by hand, runs the network on
the 1,000 test images and compares with the logits beside them.

usage: verify.py [ZOO_DIR]
"""
import json
import os
import struct
import sys

import numpy as np


def tensors(path):
    raw = open(path, "rb").read()
    n, = struct.unpack("<Q", raw[:8])
    out = {}
    for name, t in json.loads(raw[8:8 + n]).items():
        if name == "__metadata__":
            continue
        a, b = (8 + n + o for o in t["data_offsets"])
        if t["dtype"] == "BF16":
            v = (np.frombuffer(raw[a:b], "<u2").astype(np.uint32) << 16).view(np.float32)
        else:
            v = np.frombuffer(raw[a:b], "<f4")
        out[name] = v.reshape(t["shape"])
    return out


def conv(x, w, b, stride, pad):
    n, _, hh, ww = x.shape
    k = w.shape[2]
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    v = np.lib.stride_tricks.sliding_window_view(x, (k, k), axis=(2, 3))[:, :, ::stride, ::stride]
    v = v.transpose(0, 2, 3, 1, 4, 5).reshape(n, *v.shape[2:4], -1)
    return (v @ w.reshape(len(w), -1).T + b).transpose(0, 3, 1, 2)


def resnet(card, t, x):
    at = {"input": x}
    for lay in card["layers"]:
        src = at[lay["input"]]
        if lay["type"] == "conv2d":
            y = conv(src, t[lay["weight"]], t[lay["bias"]], lay["stride"], lay["padding"])
        elif lay["type"] == "linear":
            y = src @ t[lay["weight"]].T + t[lay["bias"]]
        else:
            y = src.mean((2, 3))
        if "add" in lay:
            y = y + at[lay["add"]]
        at[lay["name"]] = np.maximum(y, 0) if lay.get("activation") == "relu" else y
    return at["fc"]


def check_resnet(root, name):
    card = json.load(open(os.path.join(root, name + ".json")))
    t = tensors(os.path.join(root, name + ".safetensors"))
    rec = np.fromfile(os.path.join(root, "cifar10-test-1000.bin"), np.uint8).reshape(-1, 3073)
    mean, std = (np.array(card["input"][k], np.float32)[:, None, None] for k in ("mean", "std"))
    x = (rec[:, 1:].reshape(-1, 3, 32, 32).astype(np.float32) / 255 - mean) / std
    z = np.concatenate([resnet(card, t, x[i:i + 100]) for i in range(0, 1000, 100)])
    ref = np.fromfile(os.path.join(root, name + ".logits.f32"), "<f4").reshape(1000, 10)
    acc = (z.argmax(1) == rec[:, 0]).mean() * 100
    err = np.abs(z - ref).max()
    want = card["accuracy_percent"]["test_first_1000"]
    print("%-24s top-1 on 1,000 images %.1f (card %.1f), largest logit error %.2e" % (
        name, acc, want, err))
    return abs(acc - want) < 0.15 and err < 1e-2


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "..", "zoo")
    ok = check_resnet(root, "resnet32-cifar10")
    print("the files reproduce" if ok else "MISMATCH")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())

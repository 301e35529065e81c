#!/usr/bin/env python3
"""Writes ONNX files with nothing but Python.

usage: make_onnx.py small OUT.onnx       the small network of onnx-own.yaml, weights by a fixed sequence
       make_onnx.py vit OUT.onnx         a small vision transformer: 16 patches and a token of its own, two blocks, four heads
       make_onnx.py CARD.json OUT.onnx   a model card with its safetensors as ONNX; the scaling of its input goes to OUT.json

The last form writes convolutions, linear layers, additions, ReLUs and global pooling (what the cards of ResNets have).
"""
import json
import os
import random
import struct
import sys


# ---- protocol buffers ----

def varint(v):
    v &= (1 << 64) - 1
    out = b""
    while v >= 0x80:
        out += bytes([v & 0x7f | 0x80])
        v >>= 7
    return out + bytes([v])


def integer(field, v):
    return varint(field << 3) + varint(v)


def data(field, b):
    b = b.encode() if isinstance(b, str) else b
    return varint(field << 3 | 2) + varint(len(b)) + b


def attribute(name, value):
    """An integer, a list of integers or a float."""
    if isinstance(value, float):
        return data(1, name) + varint(2 << 3 | 5) + struct.pack("<f", value) + integer(20, 1)
    if isinstance(value, int):
        return data(1, name) + integer(3, value) + integer(20, 2)
    return data(1, name) + b"".join(integer(8, v) for v in value) + integer(20, 7)


class Graph:
    def __init__(self, name):
        self.body, self.name = b"", name

    def node(self, op, inputs, output, **attributes):
        n = b"".join(data(1, i) for i in inputs) + data(2, output) + data(3, output) + data(4, op)
        self.body += data(1, n + b"".join(data(5, attribute(k, v)) for k, v in attributes.items()))
        return output

    def weight(self, name, shape, raw):
        """raw: float32, little-endian"""
        self.body += data(5, b"".join(integer(1, d) for d in shape) + integer(2, 1) + data(8, name) + data(9, raw))
        return name

    def ints(self, name, numbers, shape=None):
        """int64; shape []: one number"""
        dims = b"".join(integer(1, d) for d in ([len(numbers)] if shape is None else shape))
        self.body += data(5, dims + integer(2, 7) + data(8, name) + data(9, struct.pack(f"<{len(numbers)}q", *numbers)))
        return name

    def value(self, field, name, shape):
        dims = b"".join(data(1, integer(1, d)) for d in shape)
        self.body += data(field, data(1, name) + data(2, data(1, integer(1, 1) + data(2, dims))))

    def write(self, path, opset):
        model = integer(1, 10) + data(2, "make_onnx.py") + data(8, integer(2, opset)) + data(7, data(2, self.name) + self.body)
        with open(path, "wb") as f:
            f.write(model)


# ---- a small network ----

def small(path):
    rng = random.Random(1)
    g = Graph("small")

    def floats(name, shape, make):
        n = 1
        for d in shape:
            n *= d
        return g.weight(name, shape, struct.pack(f"<{n}f", *(make() for _ in range(n))))

    def conv(x, name, cin, cout, k, groups=1, bias=True, **more):
        spread = (2 / (cin // groups * k * k)) ** 0.5
        w = floats(name + ".w", [cout, cin // groups, k, k], lambda: rng.gauss(0, spread))
        b = [floats(name + ".b", [cout], lambda: rng.gauss(0, 0.1))] if bias else []
        return g.node("Conv", [x, w] + b, name, group=groups, pads=[k // 2] * 4, **more)

    g.value(11, "image", [1, 3, 32, 32])
    x = conv("image", "stem", 3, 8, 3, bias=False)
    x = g.node("BatchNormalization", [x, floats("bn.scale", [8], lambda: 1 + rng.gauss(0, 0.2)),
                                      floats("bn.shift", [8], lambda: rng.gauss(0, 0.2)),
                                      floats("bn.mean", [8], lambda: rng.gauss(0.5, 0.1)),
                                      floats("bn.var", [8], lambda: rng.uniform(0.2, 0.6))], "bn", epsilon=1e-5)
    x = g.node("Relu", [x], "stem.relu")
    x = g.node("MaxPool", [x], "pool", kernel_shape=[2, 2], strides=[2, 2])
    x = g.node("HardSwish", [conv(x, "wide", 8, 16, 3, strides=[2, 2])], "wide.act")
    y = g.node("HardSwish", [conv(x, "depth", 16, 16, 3, groups=16)], "depth.act")
    x = g.node("Add", [conv(y, "point", 16, 16, 1), x], "sum")
    x = g.node("Flatten", [g.node("GlobalAveragePool", [x], "mean")], "flat")
    w = floats("fc.w", [10, 16], lambda: rng.gauss(0, 0.3))
    x = g.node("Gemm", [x, w, floats("fc.b", [10], lambda: rng.gauss(0, 0.1))], "fc", transB=1)
    g.node("Softmax", [x], "classes", axis=-1)
    g.value(12, "classes", [1, 10])
    g.write(path, 21)


# ---- a vision transformer ----

def vit(path, width=32, heads=4, blocks=2, patch=8, size=32):
    rng = random.Random(2)
    g = Graph("vit")
    tokens = (size // patch) ** 2 + 1

    def floats(name, shape, spread, middle=0.0):
        n = 1
        for d in shape:
            n *= d
        return g.weight(name, shape, struct.pack(f"<{n}f", *(rng.gauss(middle, spread) for _ in range(n))))

    def dense(x, name, cin, cout):
        x = g.node("MatMul", [x, floats(name + ".w", [cin, cout], cin ** -0.5)], name + ".product")
        return g.node("Add", [x, floats(name + ".b", [cout], 0.05)], name)

    def norm(x, name):
        return g.node("LayerNormalization", [x, floats(name + ".scale", [width], 0.1, 1), floats(name + ".shift", [width], 0.1)],
                      name, axis=-1, epsilon=1e-6)

    def attention(x, name):
        x = g.node("Reshape", [dense(x, name + ".qkv", width, 3 * width), "five"], name + ".cut")
        x = g.node("Transpose", [x], name + ".parts", perm=[2, 0, 3, 1, 4])
        q, k, v = (g.node("Gather", [x, f"index{i}"], f"{name}.{letter}", axis=0) for i, letter in enumerate("qkv"))
        k = g.node("Transpose", [k], name + ".kt", perm=[0, 1, 3, 2])
        x = g.node("Mul", [g.node("MatMul", [q, k], name + ".scores"), "scale"], name + ".scaled")
        x = g.node("MatMul", [g.node("Softmax", [x], name + ".weights", axis=-1), v], name + ".context")
        x = g.node("Reshape", [g.node("Transpose", [x], name + ".back", perm=[0, 2, 1, 3]), "three"], name + ".merged")
        return dense(x, name + ".out", width, width)

    def gelu(x, name):
        y = g.node("Erf", [g.node("Div", [x, "root2"], name + ".over")], name + ".erf")
        return g.node("Mul", [g.node("Mul", [x, g.node("Add", [y, "one"], name + ".plus")], name + ".twice"), "half"], name)

    for name, number in (("scale", (width // heads) ** -0.5), ("root2", 2 ** 0.5), ("one", 1.0), ("half", 0.5)):
        g.weight(name, [], struct.pack("<f", number))
    for i in range(3):
        g.ints(f"index{i}", [i], [])
    g.ints("flat", [1, width, tokens - 1])
    g.ints("five", [1, tokens, 3, heads, width // heads])
    g.ints("three", [1, tokens, width])
    g.value(11, "image", [1, 3, size, size])
    x = g.node("Conv", ["image", floats("patch.w", [width, 3, patch, patch], 0.1), floats("patch.b", [width], 0.1)], "patch",
               strides=[patch, patch])
    x = g.node("Transpose", [g.node("Reshape", [x, "flat"], "lines")], "tokens", perm=[0, 2, 1])
    x = g.node("Concat", [floats("class", [1, 1, width], 0.5), x], "all", axis=1)
    x = g.node("Add", [x, floats("positions", [1, tokens, width], 0.3)], "placed")
    for i in range(blocks):
        name = f"block{i}"
        x = g.node("Add", [x, attention(norm(x, name + ".norm1"), name + ".attention")], name + ".sum1")
        y = gelu(dense(norm(x, name + ".norm2"), name + ".up", width, 2 * width), name + ".gelu")
        x = g.node("Add", [x, dense(y, name + ".down", 2 * width, width)], name + ".sum2")
    x = g.node("Gather", [norm(x, "norm"), "index0"], "first", axis=1)
    x = g.node("Gemm", [x, floats("head.w", [10, width], 0.3), floats("head.b", [10], 0.1)], "head", transB=1)
    g.value(12, "head", [1, 10])
    g.write(path, 17)


# ---- a card ----

def safetensors(path):
    with open(path, "rb") as f:
        raw = f.read()
    size = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8:8 + size])
    header.pop("__metadata__", None)
    return {k: (v, raw[8 + size + v["data_offsets"][0]:8 + size + v["data_offsets"][1]]) for k, v in header.items()}


def from_card(card_path, path):
    with open(card_path) as f:
        card = json.load(f)
    tensors = safetensors(os.path.join(os.path.dirname(card_path), card["file"]))
    g = Graph(card["name"])
    result = {"input": "input"}
    g.value(11, "input", card["input"]["shape"])

    def weight(name):
        info, raw = tensors[name]
        if info["dtype"] != "F32":
            sys.exit(f"{name}: {info['dtype']}; only F32 is written")
        return g.weight(name, info["shape"], raw)

    for layer in card["layers"]:
        name, kind, x = layer["name"], layer["type"], result[layer["input"]]
        if kind == "conv2d":
            pad, stride = layer.get("padding", 0), layer.get("stride", 1)
            x = g.node("Conv", [x, weight(layer["weight"])] + ([weight(layer["bias"])] if "bias" in layer else []), name,
                       pads=[pad] * 4, strides=[stride] * 2, group=layer.get("groups", 1))
        elif kind == "linear":
            x = g.node("Flatten", [x], name + ".flat")
            x = g.node("Gemm", [x, weight(layer["weight"])] + ([weight(layer["bias"])] if "bias" in layer else []), name, transB=1)
        elif kind == "global_average_pool":
            x = g.node("GlobalAveragePool", [x], name)
        else:
            sys.exit(f"layer {name}: {kind} is not written here")
        if "add" in layer:
            x = g.node("Add", [x, result[layer["add"]]], name + ".add")
        if layer.get("activation", "none") == "relu":
            x = g.node("Relu", [x], name + ".relu")
        elif layer.get("activation", "none") != "none":
            sys.exit(f"layer {name}: activation {layer['activation']} is not written here")
        result[name] = x
    g.value(12, x, [1, card["layers"][-1]["shape"][0]])
    g.write(path, 13)
    with open(os.path.splitext(path)[0] + ".json", "w") as f:
        json.dump({"input": {k: card["input"][k] for k in ("mean", "std") if k in card["input"]}}, f)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__.strip())
    if sys.argv[1] in ("small", "vit"):
        {"small": small, "vit": vit}[sys.argv[1]](sys.argv[2])
    else:
        from_card(sys.argv[1], sys.argv[2])


if __name__ == "__main__":
    main()

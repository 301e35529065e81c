"""Model files that are wrong: a good small network first, then one thing broken at a time."""
import copy
import json
import re
import struct
import unittest

from harness import Case, call

CARD = {"name": "small", "file": "small.safetensors", "input": {"shape": [1, 3, 8, 8]}, "layers": [
    {"name": "c1", "type": "conv2d", "input": "input", "weight": "c1.w", "bias": "c1.b", "shape": [4, 3, 3, 3],
     "padding": 1, "activation": "relu"},
    {"name": "c2", "type": "conv2d", "input": "c1", "weight": "c2.w", "shape": [4, 4, 3, 3], "padding": 1, "add": "c1",
     "activation": "relu", "activation_after": "add"},
    {"name": "pool", "type": "global_average_pool", "input": "c2"},
    {"name": "fc", "type": "linear", "input": "pool", "weight": "fc.w", "bias": "fc.b", "shape": [10, 4]}]}
SHAPES = {"c1.w": [4, 3, 3, 3], "c1.b": [4], "c2.w": [4, 4, 3, 3], "fc.w": [10, 4], "fc.b": [10]}


def count(shape):
    n = 1
    for d in shape:
        n *= d
    return n


def tensors():
    """{name: [dtype, shape, bytes]} with small numbers that differ."""
    return {name: ["F32", shape, struct.pack(f"<{count(shape)}f", *[(i % 7 - 3) / 8 for i in range(count(shape))])]
            for name, shape in SHAPES.items()}


def header_of(parts):
    header, at = {}, 0
    for name, (dtype, shape, data) in parts.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    return header


def safetensors(parts, header=None):
    text = header if isinstance(header, bytes) else json.dumps(header or header_of(parts)).encode()
    return struct.pack("<Q", len(text)) + text + b"".join(data for _d, _s, data in parts.values())


class Models(Case):
    def small(self, card=CARD, weights=None):
        if weights is not None:
            self.write("small.safetensors", weights)
        return self.write("small.json", card if isinstance(card, (str, bytes)) else json.dumps(card, indent=1))

    def bad(self, card=CARD, weights=None, words=()):
        path = self.small(card, safetensors(tensors()) if weights is None else weights)
        self.refused("model", "show", path, words=words)
        return self.refused("map", "--network", path, "--fabric", "5pp", words=words)

    def changed(self, layer, **fields):
        card = copy.deepcopy(CARD)
        row = next(l for l in card["layers"] if l["name"] == layer)
        for key, value in fields.items():
            if value is None:
                row.pop(key)
            else:
                row[key] = value
        return card

    def test_the_good_one_runs(self):
        path = self.small(weights=safetensors(tensors()))
        d = self.json("model", "show", path)
        self.assertEqual((d["name"], d["parameters"], d["layers"]), ("small", sum(map(count, SHAPES.values())), 3))
        by_weights = self.json("model", "show", self.path("small.safetensors"))
        self.assertEqual(by_weights, d)
        m = self.json("map", "--network", path, "--fabric", "5pp")
        self.assertEqual((m["cores_used"], m["certificate"]), (3, "embedding"))

    def test_half_precision_is_read(self):
        half = tensors()
        for part in half.values():
            values = struct.unpack(f"<{len(part[2]) // 4}f", part[2])
            part[0], part[2] = "F16", struct.pack(f"<{len(values)}e", *values)
        self.json("model", "show", self.small(weights=safetensors(half)))

    def test_missing_weights(self):
        import os
        path = self.small()
        if os.path.exists(self.path("small.safetensors")):
            os.remove(self.path("small.safetensors"))
        self.refused("model", "show", path, words=["small.safetensors"])
        self.refused("model", "show", self.path("nosuch.safetensors"), words=["nosuch"])

    def test_truncated(self):
        whole = safetensors(tensors())
        for n in (0, 4, 8, 9, 100, len(whole) // 2, len(whole) - 1):
            with self.subTest(bytes=n):
                self.bad(weights=whole[:n], words=["small.safetensors"])
        self.bad(weights=whole + b"\0\0\0\0", words=["small.safetensors"])

    def test_header(self):
        parts = tensors()
        for name, header in (("not JSON", b"{"), ("a list", b"[1]"), ("empty", b""), ("twice", b'{"a":{},"a":{}}'),
                             ("no fields", b'{"a":{}}')):
            with self.subTest(header=name):
                self.bad(weights=safetensors(parts, header), words=["small.safetensors"])
        self.bad(weights=struct.pack("<Q", 2**63) + b"{}", words=["small.safetensors"])

    def with_entry(self, name, **fields):
        parts = tensors()
        header = header_of(parts)
        header[name].update(fields)
        return safetensors(parts, header)

    def test_offsets(self):
        size = sum(len(p[2]) for p in tensors().values())
        for offsets in ([size - 40, size + 40], [size * 9, size * 9 + 40], [40, 0], [-4, 36], [0, 40], [2**63, 2**63 + 40]):
            with self.subTest(offsets=offsets):
                self.bad(weights=self.with_entry("fc.b", data_offsets=offsets), words=["small.safetensors"])

    def test_size(self):
        self.bad(weights=self.with_entry("fc.b", shape=[11]), words=["small.safetensors", "fc.b"])
        self.bad(weights=self.with_entry("fc.b", shape=[2**40, 2**40]), words=["small.safetensors", "fc.b"])
        self.bad(weights=self.with_entry("fc.b", shape=[-10]), words=["small.safetensors", "fc.b"])

    def test_shape(self):
        parts = tensors()
        parts["c2.w"][1] = [4, 4, 9]
        self.bad(weights=safetensors(parts), words=["c2.w"])
        parts["c2.w"][1] = [3, 3, 4, 4]
        self.bad(weights=safetensors(parts), words=["c2.w"])
        self.bad(self.changed("c2", shape=[8, 4, 3, 3]), words=["small.json", "c2"])
        self.bad(self.changed("fc", shape=[10, 5]), words=["small.json", "fc"])

    def test_dtype(self):
        parts = tensors()
        parts["fc.b"] = ["I32", [10], bytes(40)]
        self.bad(weights=safetensors(parts), words=["fc.b", "I32"])
        self.bad(weights=self.with_entry("fc.b", dtype="F33"), words=["fc.b"])

    def test_values(self):
        for value, word in ((b"\x00\x00\xc0\x7f", re.compile("nan|not a number", re.I)), (b"\x00\x00\x80\x7f", re.compile("inf", re.I))):
            parts = tensors()
            parts["c2.w"][2] = parts["c2.w"][2][:40] + value + parts["c2.w"][2][44:]
            self.bad(weights=safetensors(parts), words=["c2.w", word])

    def test_missing_tensor(self):
        parts = tensors()
        del parts["c2.w"]
        self.bad(weights=safetensors(parts), words=["c2.w"])

    def test_layers(self):
        self.bad(self.changed("c2", type="convolution9d"), words=["small.json", "c2", "convolution9d"])
        self.bad(self.changed("c2", input="c9"), words=["small.json", "c2", "c9"])
        self.bad(self.changed("c2", activation="tanhh"), words=["small.json", "tanhh"])
        self.bad(self.changed("c2", colour="red"), words=["small.json", "colour"])
        self.bad(self.changed("c2", name="c1"), words=["small.json", "c1"])
        self.bad(self.changed("c2", weight=None), words=["small.json", "weight"])
        self.bad(self.changed("c2", stride=0), words=["small.json", "stride"])
        self.bad(self.changed("c2", padding=-1), words=["small.json", "padding"])
        self.bad(self.changed("c2", padding=0), words=["small.json", "c2"])  # the sum's shapes differ
        self.bad(self.changed("c2", groups=3), words=["small.json", "c2"])
        self.bad(self.changed("c1", shape=[4, 3, 99, 99], padding=0), words=["small.json", "c1"])

    def test_cycle(self):
        line = self.bad(self.changed("c1", input="c2"), words=["small.json", "c1", "c2"])
        self.assertIn("cycle", line)
        self.bad(self.changed("c2", input="c2"), words=["small.json", "c2", "cycle"])

    def test_card(self):
        for name, card in (("empty", ""), ("cut", '{"name": "x"'), ("list", "[]"), ("binary", b"\x00\xff" * 9), ("text", '"x"')):
            with self.subTest(card=name):
                self.bad(card, words=["small.json"])
        for key in ("name", "input", "layers"):
            card = copy.deepcopy(CARD)
            del card[key]
            self.bad(card, words=["small.json", key])
        card = copy.deepcopy(CARD)
        card["layers"] = []
        self.bad(card, words=["small.json"])
        card["layers"] = [3]
        self.bad(card, words=["small.json"])
        card = copy.deepcopy(CARD)
        card["input"]["shape"] = [1, 3, 0, 8]
        self.bad(card, words=["small.json", "shape"])
        card["input"] = {"shape": [1, 3, 8, 8], "std": [0, 1, 1]}
        self.bad(card, words=["small.json", "std"])

    def test_never_a_crash(self):
        """One byte of a good file changed, all over the header: refused or read, never a signal."""
        whole = safetensors(tensors())
        size, = struct.unpack("<Q", whole[:8])
        path = self.small()
        for at in range(0, 8 + size, 7):
            bent = bytearray(whole)
            bent[at] ^= 0x15
            self.write("small.safetensors", bytes(bent))
            r = call("model", "show", path)
            self.assertIn(r.rc, (0, 1), f"byte {at}: {r.err}")
            if r.rc:
                self.assertEqual(len(r.err.splitlines()), 1, f"byte {at}: {r.err}")


if __name__ == "__main__":
    unittest.main(verbosity=2)

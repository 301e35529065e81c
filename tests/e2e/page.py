"""A page that `report html` wrote, as a browser without scripts sees it, and its data."""
import html.parser
import json


LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-"


def integers(text, n, by_steps):
    values, at, last = [], 0, 0
    for _ in range(n):
        bits, shift = 0, 0
        while True:
            five = LETTERS.index(text[at])
            at += 1
            bits |= (five & 31) << shift
            shift += 5
            if not five & 32:
                break
        value = -(bits >> 1) if bits & 1 else bits >> 1
        last = last + value if by_steps else value
        values.append(last)
    assert at == len(text)
    return values


def decode(d, n):
    """A column's values; the forms are those of docs/report-html.md."""
    if isinstance(d, list):
        return d
    if "z" in d:
        return integers(d["z"], n, d["d"])
    if "k" in d:
        return [d["k"][i] for i in decode(d["i"], n)]
    if "r" in d:
        r = decode(d["r"], d["m"])
        return [v for v, count in zip(r[::2], r[1::2]) for _ in range(count)]
    if "s" in d:
        return [d["s"] + i * d["d"] for i in range(n)]
    return [d["c"]] * n


class Page(html.parser.HTMLParser):
    VOID = {"meta", "link", "input", "br", "wbr"}

    def __init__(self, path):
        super().__init__(convert_charrefs=True)
        self.tags, self.stack, self.scripts, self.text = [], [], [], []
        with open(path, encoding="utf-8") as f:
            self.source = f.read()
        self.feed(self.source)
        self.close()
        assert not self.stack, self.stack
        data = {a.get("id"): t for a, t in self.scripts}
        self.data, self.geometry = json.loads(data["data"]), json.loads(data["geometry"])
        self.sets = {s["path"]: s for s in self.data["sets"]}

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.stack.append(tag)
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.stack and self.stack[-1] == tag, (tag, self.stack)
        self.stack.pop()

    def handle_data(self, data):
        if self.stack and self.stack[-1] == "script":
            self.scripts[-1] = (self.scripts[-1][0], self.scripts[-1][1] + data)
        else:
            self.text.append(data)

    def columns(self, path):
        s = self.sets[path]
        return {c["name"]: decode(c["d"], s["n"]) for c in s["cols"]}

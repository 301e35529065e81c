"""A page that `report html` wrote, as a browser without scripts sees it, and its data."""
import html.parser
import json


def decode(d, n):
    """A column's values; the forms are those of docs/report-html.md."""
    if isinstance(d, list):
        return d
    if "k" in d:
        return [d["k"][i] for i in decode(d["i"], n)]
    if "r" in d:
        return [v for v, count in zip(d["r"][::2], d["r"][1::2]) for _ in range(count)]
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

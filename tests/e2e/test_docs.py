"""The documentation: every link leads somewhere, every command of the tutorial runs, the site builds."""
import glob
import html.parser
import os
import re
import shutil
import subprocess
import unittest

from harness import BIN, ROOT, SHORT, Case
from test_examples import SMALLER, Skipped

PAGES = sorted(glob.glob(os.path.join(ROOT, "docs", "**", "*.md"), recursive=True) + glob.glob(os.path.join(ROOT, "papers", "*.md")) +
               [os.path.join(ROOT, n) for n in ("README.md", "CHANGELOG.md")])


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def without_code(markdown):
    markdown = re.sub(r"^```.*?^```", "", markdown, flags=re.M | re.S)
    markdown = re.sub(r"^    .*$", "", markdown, flags=re.M)
    return re.sub(r"`[^`\n]*`", "", markdown)


def anchors(markdown):
    """Names of the headings, as GitHub and pandoc make them."""
    found = set()
    for heading in re.findall(r"^#+ (.+)$", without_code(markdown), re.M):
        words = re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)).strip().lower()
        found.add(words.replace(" ", "-"))
    return found


class Links(unittest.TestCase):
    def test_every_relative_link_resolves(self):
        count = 0
        for page in PAGES:
            for link in re.findall(r"\]\(([^)\s]+)\)", without_code(read(page))):
                if re.match(r"[a-z]+:", link):
                    continue
                path, _, anchor = link.partition("#")
                target = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
                where = f"{os.path.relpath(page, ROOT)}: {link}"
                self.assertTrue(os.path.exists(target), where)
                if anchor:
                    self.assertIn(anchor, anchors(read(target)), where)
                count += 1
        self.assertGreater(count, 100)

    def test_the_list_of_pages_is_whole(self):
        """docs/README.md names every page of docs/."""
        listed = read(os.path.join(ROOT, "docs", "README.md"))
        for page in glob.glob(os.path.join(ROOT, "docs", "*.md")):
            if os.path.basename(page) != "README.md":
                self.assertIn(f"]({os.path.basename(page)})", listed)

    def test_navigation(self):
        for line in read(os.path.join(ROOT, "docs", "nav.txt")).splitlines():
            if line.strip() and line[0] not in "#=@":
                self.assertTrue(os.path.exists(os.path.join(ROOT, "docs", line.strip())), line)


class Figures(Case):
    """Drawings are what the command beside them makes today."""

    def test_fabric(self):
        self.done("fabric", "export", "5pp:rows=4,cols=9", "-o", self.path("5pp.svg"))
        self.assertEqual(read(self.path("5pp.svg")), read(os.path.join(ROOT, "docs", "5pp.svg")))

    @unittest.skipIf(SHORT, "once is enough")
    def test_block(self):
        command = re.search(r"^pentaprism (map .*--picture )docs/gpt2-block.svg$", read(os.path.join(ROOT, "docs", "llm-mapping.md")), re.M)
        self.done(*command.group(1).split(), self.path("block.svg"))
        self.assertEqual(read(self.path("block.svg")), read(os.path.join(ROOT, "docs", "gpt2-block.svg")))


class Tutorial(Case):
    """The fenced `sh` blocks of each page, in a folder of its own."""

    def run_page(self, page):
        folder = self.path(os.path.splitext(os.path.basename(page))[0])
        os.mkdir(folder)
        os.symlink(os.path.join(ROOT, "examples"), os.path.join(folder, "examples"))
        blocks = re.findall(r"^```sh\n(.*?)^```", read(page), re.M | re.S)
        self.assertTrue(blocks, page)
        env = {**os.environ, "PATH": os.path.dirname(BIN) + ":" + os.environ["PATH"]}
        skipped = Skipped()
        for block in blocks:
            done = subprocess.run(["bash", "-euo", "pipefail", "-c", self.shorter(block, skipped)], cwd=folder, env=env, stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True, timeout=600)
            self.assertIn(done.returncode, (0, 141), f"{block}\n{done.stderr}")  # 141: `| head` has seen enough

    def shorter(self, block, skipped):
        """Under sanitizers: fewer images and tokens, as in test_examples; the largest not at all."""
        if not SHORT:
            return block
        lines = []
        for line in block.splitlines():
            if line.startswith("pentaprism") and line in skipped:
                continue
            for pattern, more in SMALLER:
                if re.search(pattern, line) and "--method" not in line:
                    line += more
            lines.append(line)
        return "\n".join(lines)

    def test_every_page(self):
        pages = sorted(glob.glob(os.path.join(ROOT, "docs", "tutorial", "*.md")))
        self.assertGreater(len(pages), 5)
        for page in pages:
            if page.endswith("README.md"):
                continue
            with self.subTest(page=page):
                self.run_page(page)

    def test_fewer_than_ten_commands(self):
        """From clone to page: the lines of newcomer.md."""
        text = read(os.path.join(ROOT, "docs", "tutorial", "newcomer.md"))
        first = re.findall(r"^    (\S.*)$", text, re.M)
        then = [line for block in re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S) for line in block.splitlines()]
        self.assertLess(len(first) + len(then), 10)


class Scanner(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.links, self.ids, self.tags = [], set(), []

    def handle_starttag(self, tag, attributes):
        a = dict(attributes)
        self.tags.append(tag)
        self.links += [a[k] for k in ("href", "src") if k in a]
        if "id" in a:
            self.ids.add(a["id"])


@unittest.skipUnless(shutil.which("pandoc"), "pandoc is not installed")
class Site(Case):
    def test_site(self):
        out = self.path("site")
        subprocess.run([os.path.join(ROOT, "docs", "build_site"), "--out", out, "--bin", BIN], check=True, capture_output=True)
        pages = {}
        for path in glob.glob(os.path.join(out, "**", "*.html"), recursive=True):
            scanner = Scanner()
            scanner.feed(read(path))
            pages[path] = scanner
        self.assertGreater(len(pages), len(PAGES))
        for path, page in pages.items():
            for link in page.links:
                if link.startswith("https://") or link.startswith("http://"):
                    continue
                name, _, anchor = link.partition("#")
                target = os.path.normpath(os.path.join(os.path.dirname(path), name)) if name else path
                self.assertTrue(os.path.isfile(target), f"{path}: {link}")
                if anchor and target in pages:
                    self.assertIn(anchor, pages[target].ids, f"{path}: {link}")
            self.assertNotIn("script", page.tags)
        self.assertIn("math", pages[os.path.join(out, "theory.html")].tags)
        self.assertIn("id=\"arch\"", read(os.path.join(out, "knobs.html")))
        self.assertIn("usage: pentaprism traffic", read(os.path.join(out, "commands.html")))
        self.assertIn('aria-current="page"', read(os.path.join(out, "tutorial", "first-run.html")))


if __name__ == "__main__":
    unittest.main(verbosity=2)

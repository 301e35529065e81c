"""Chromium without a window, driven through chromedriver's WebDriver protocol with nothing but the standard library.

    python3 tests/e2e/browser.py PAGE.html OUT.png [WIDTH [light|dark [HEIGHT]]]      a picture of a page (.png or .webp)
"""
import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")


def missing():
    """What is not installed, or None."""
    return None if CHROMIUM and DRIVER else "chromium and chromedriver are not installed (./dev setup --browser)"


class Browser:
    def __init__(self, dark=False, width=1280, height=900):
        self.folder = tempfile.mkdtemp(prefix="pp-chromium-")
        self.driver = subprocess.Popen([DRIVER, "--port=0"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                       text=True, env={**os.environ, "HOME": self.folder, "TMPDIR": self.folder})
        self.url = None
        try:
            for line in self.driver.stdout:
                if "started successfully on port" in line:
                    self.url = "http://127.0.0.1:" + line.rstrip(".\n ").rsplit(" ", 1)[1]
                    break
            options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--force-device-scale-factor=1",
                       "--disable-background-networking", "--no-first-run", f"--window-size={width},{height}", f"--user-data-dir={self.folder}/profile"]
            if dark:
                options.append("--blink-settings=preferredColorScheme=0")
            caps = {"browserName": "chrome", "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}, "goog:chromeOptions": {"binary": CHROMIUM, "args": options}}
            done = self.send("POST", "/session", {"capabilities": {"alwaysMatch": caps}})
            self.session = "/session/" + done["sessionId"]
            self.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
            self.size(width, height)
        except Exception:
            self.close()
            raise

    def send(self, method, path, body=None):
        data = None if method == "GET" else json.dumps(body or {}).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method, headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as e:
            raise RuntimeError(json.load(e)["value"]["message"]) from None

    def call(self, path, body=None):
        return self.send("POST", self.session + path, body)

    def devtools(self, command, **params):
        return self.call("/goog/cdp/execute", {"cmd": command, "params": params})

    def size(self, width, height, mobile=False):
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)

    def open(self, path):
        """Seconds until the page says that it is ready."""
        begin = time.monotonic()
        self.call("/url", {"url": "file://" + os.path.abspath(path)})
        self.wait("document.documentElement.dataset.ready === '1'")
        return time.monotonic() - begin

    def js(self, code, *args):
        return self.call("/execute/sync", {"script": code, "args": list(args)})

    def wait(self, condition, limit_s=60):
        end = time.monotonic() + limit_s
        while not self.js(f"return Boolean({condition})"):
            if time.monotonic() > end:
                raise RuntimeError(f"never true: {condition}")
            time.sleep(0.02)

    def move(self, x, y, click=False):
        """Pointer to a place in the window."""
        steps = [{"type": "pointerMove", "duration": 0, "x": round(x) - 1, "y": round(y), "origin": "viewport"},
                 {"type": "pointerMove", "duration": 20, "x": round(x), "y": round(y), "origin": "viewport"}]
        if click:
            steps += [{"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}]
        self.call("/actions", {"actions": [{"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": steps}]})

    def keys(self, text):
        actions = [a for k in text for a in ({"type": "keyDown", "value": k}, {"type": "keyUp", "value": k})]
        self.call("/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def log(self, kind="browser"):
        return self.call("/se/log", {"type": kind})

    def requests(self):
        """Addresses that the page has asked for since the last call."""
        found = []
        for entry in self.log("performance"):
            m = json.loads(entry["message"])["message"]
            if m["method"] == "Network.requestWillBeSent":
                found.append(m["params"]["request"]["url"])
        return found

    def picture(self, path, whole=True):
        kind = {"format": "webp", "quality": 60} if path.endswith(".webp") else {"format": "png"}
        shot = self.devtools("Page.captureScreenshot", captureBeyondViewport=whole, **kind)
        with open(path, "wb") as f:
            f.write(base64.b64decode(shot["data"]))

    def whole_picture(self, path, width, most=12000):
        height = self.js("return document.documentElement.scrollHeight")
        self.size(width, min(height, most), mobile=width < 600)
        self.picture(path, whole=False)

    def close(self):
        if getattr(self, "session", None):
            try:
                self.send("DELETE", self.session)
            except Exception:
                pass
            self.session = None
        self.driver.terminate()
        try:
            self.driver.wait(10)
        except subprocess.TimeoutExpired:
            self.driver.kill()
            self.driver.wait()
        self.driver.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)


if __name__ == "__main__":
    page, out = sys.argv[1:3]
    wide, theme = int(sys.argv[3]) if len(sys.argv) > 3 else 1280, sys.argv[4] if len(sys.argv) > 4 else "light"
    b = Browser(dark=theme == "dark", width=wide)
    try:
        print(f"ready after {b.open(page):.2f} s")
        b.whole_picture(out, wide, int(sys.argv[5]) if len(sys.argv) > 5 else 12000)
        for entry in b.log():
            print(entry["level"], entry["message"])
    finally:
        b.close()

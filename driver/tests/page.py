"""page.py: looks at an HTML file: with Python's parser, and in headless Chromium, which is spoken to over a pipe (Chrome
DevTools Protocol)."""
import base64
import html.parser
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile

VOID = {"meta", "img", "br", "hr", "link", "input", "source", "wbr", "base", "embed", "area", "col", "track"}
BLOCK = {"div", "p", "pre", "ul", "li", "table", "section", "figure", "header", "main", "nav", "h1", "h2", "h3", "h4"}
ENTITIES = r"&(?!(?:amp|lt|gt|quot|dagger|#39);)"


class Page(html.parser.HTMLParser):
    """Every fault of the text that is not the HTML that we write, in `faults`; and what the page says."""

    def __init__(self, source):
        super().__init__()
        self.open, self.faults, self.elements, self.headings, self.ids = [], [], [], [], set()
        self.text, self.rows = "", []
        if not source.startswith("<!DOCTYPE html>\n<html lang="):
            self.faults.append("how it begins")
        if re.search(ENTITIES, source):
            self.faults.append("a bare &: " + source[re.search(ENTITIES, source).start():][:20])
        if re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", source):
            self.faults.append("a control character")
        self.feed(source)
        self.close()
        if self.open:
            self.faults.append(f"not closed: {self.open}")
        for before, after in zip([0, *self.headings], self.headings):
            if after > before + 1:
                self.faults.append(f"heading {after} behind {before}")
        if self.headings.count(1) != 1:
            self.faults.append("one h1 is needed")

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        names = [name for name, _ in attributes]
        if len(names) != len(set(names)):
            self.faults.append(f"an attribute twice: {tag} {names}")
        if "p" in self.open and tag in BLOCK:
            self.faults.append(f"{tag} within p")
        self.faults += [f"id {value} twice" for name, value in attributes if name == "id" and value in self.ids]
        self.ids |= {value for name, value in attributes if name == "id"}
        if re.fullmatch(r"h\d", tag):
            self.headings.append(int(tag[1]))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> ends something else")

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data
        if "td" in self.open or "th" in self.open:
            self.rows[-1][-1] += data

    def attributes(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


class Chromium:
    """A browser without a window, in a process group of its own; a context manager."""

    def __init__(self):
        self.program = shutil.which("chromium")

    def __enter__(self):
        self.profile = tempfile.mkdtemp(prefix="test_page.")
        spare = [os.open(os.devnull, os.O_RDONLY) for _ in range(2)]  # so that 3 and 4 are none of the ends
        theirs_in, self.out = os.pipe()
        self.into, theirs_out = os.pipe()
        # Chromium reads its file 3 and writes its file 4; bash puts their ends there.
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec "$0" "$@" 3<&{theirs_in} 4>&{theirs_out}', self.program,
             "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--remote-debugging-pipe", f"--user-data-dir={self.profile}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            pass_fds=(theirs_in, theirs_out), start_new_session=True)
        for end in (theirs_in, theirs_out, *spare):
            os.close(end)
        self.numbers, self.rest, self.events, self.session = itertools.count(1), b"", [], None
        try:
            target = self.ask("Target.createTarget", url="about:blank")["targetId"]
            self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Network"):
                self.ask(domain + ".enable")
        except (OSError, RuntimeError):
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        os.close(self.out)
        os.close(self.into)
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        shutil.rmtree(self.profile, ignore_errors=True)

    def receive(self):
        while b"\0" not in self.rest:
            block = os.read(self.into, 1 << 16)
            if not block:
                raise RuntimeError("chromium has ended")
            self.rest += block
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def ask(self, method, **parameters):
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        text = json.dumps(message).encode() + b"\0"
        while text:
            text = text[os.write(self.out, text):]
        while True:
            answer = self.receive()
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def show(self, path, width, media="screen", allow_scripts=True):
        """Opens a file. allow_scripts: as if the page had no policy against them. Returns the addresses that were asked for."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self.ask("Emulation.setEmulatedMedia", media=media)
        self.ask("Page.setBypassCSP", enabled=allow_scripts)
        self.events = []
        self.ask("Page.navigate", url=path.as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self.receive())
        self.value("new Promise(done => requestAnimationFrame(() => setTimeout(done, 50)))")
        return [event["params"]["request"]["url"] for event in self.events
                if event.get("method") == "Network.requestWillBeSent"]

    def value(self, expression):
        result = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(str(result["exceptionDetails"]))
        return result["result"].get("value")

    def picture(self, path):
        """The whole page, as PNG."""
        data = self.ask("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))

"""A page opened in a headless Chromium over the DevTools protocol, and what was seen there.

The protocol runs over the browser's debugging pipe, so that nothing but Python and Chromium is needed.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-component-update", "--disable-background-networking", "--disable-extensions",
    "--disable-dev-shm-usage", "--remote-debugging-pipe",
)  # fmt: skip
_HEIGHT = 900
_MEASURE = """JSON.stringify({
  overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  widest: [...document.querySelectorAll('body *')]
    .filter((item) => item.getBoundingClientRect().right > innerWidth + 1)
    .filter((item) => !item.closest('.scroll, nav, .plot, .skip'))
    .slice(0, 5).map((item) => item.tagName + '.' + item.className),
  undrawn: [...document.querySelectorAll('.plot')].filter((plot) => {
    const drawn = plot.querySelector('svg.main-svg')?.getBoundingClientRect();
    return !(drawn && drawn.width > 50 && drawn.height > 50);
  }).map((plot) => plot.id),
  plots: document.querySelectorAll('.plot').length,
})"""


@dataclass(frozen=True)
class WidthCheck:
    """What one window width showed.

    Attributes:
        width: of the window, in CSS pixels.
        overflow: how many pixels the page is wider than its window.
        widest: elements that reach beyond the window, to find out why.
        undrawn: ids of plot containers without a visible drawing.
        plots: how many plot containers there are.
    """

    width: int
    overflow: int
    widest: tuple[str, ...]
    undrawn: tuple[str, ...]
    plots: int


@dataclass(frozen=True)
class PageCheck:
    """What was seen of a page.

    Attributes:
        problems: console errors and warnings, uncaught exceptions, dialogs.
        requests: URLs that were asked for beside the page itself and `data:`.
        widths: the checks of each width.
        answers: what the scripts given to `check_page` returned.
    """

    problems: tuple[str, ...]
    requests: tuple[str, ...]
    widths: tuple[WidthCheck, ...]
    answers: tuple[Any, ...] = ()

    def faults(self) -> list[str]:
        """Return everything that a good page must not show, empty for a good one."""
        found = [f"problem: {problem}" for problem in self.problems]
        found += [f"request: {url}" for url in self.requests]
        for check in self.widths:
            if check.overflow > 0:
                found.append(f"{check.width} px: {check.overflow} px too wide ({', '.join(check.widest)})")
            found += [f"{check.width} px: plot {name} is not drawn" for name in check.undrawn]
        return found


def find_chromium() -> str | None:
    """Return the path of a Chromium or Chrome, None where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((path for name in names if (path := shutil.which(name))), None)


def check_page(
    path: str | Path,
    widths: Sequence[int] = (1280, 400),
    *,
    scripts: Sequence[str] = (),
    screenshots: Path | None = None,
    timeout_s: float = 120,
) -> PageCheck:
    """Open the HTML file ``path`` at each of ``widths`` and return what was seen.

    Args:
        path: the page; it is drawn when `<html data-drawn="yes">`.
        widths: of the window, in CSS pixels; the page is loaded again for each.
        scripts: JavaScript expressions evaluated at the last width; promises are awaited.
        screenshots: a folder for a full-page picture of each width.
        timeout_s: how long a page may take to draw.

    Raises:
        FileNotFoundError: no Chromium is installed.
        TimeoutError: the page was not drawn in time.
    """
    chromium = find_chromium()
    if chromium is None:
        raise FileNotFoundError("no chromium or google-chrome on the PATH")
    with _browser(chromium) as browser:
        checks = []
        for width in widths:
            checks.append(_check_width(browser, Path(path).resolve().as_uri(), width, timeout_s))
            if screenshots is not None:
                _screenshot(browser, width, screenshots)
        answers = tuple(browser.evaluate(script) for script in scripts)
        browser.drain()
        return PageCheck(tuple(browser.problems), tuple(browser.requests), tuple(checks), answers)


def _check_width(browser: _Browser, url: str, width: int, timeout_s: float) -> WidthCheck:
    size = {"width": width, "height": _HEIGHT, "deviceScaleFactor": 1, "mobile": False}
    browser.call("Emulation.setDeviceMetricsOverride", **size)
    browser.call("Page.navigate", url="about:blank")
    browser.call("Page.navigate", url=url)
    deadline = time.monotonic() + timeout_s
    while browser.evaluate("document.documentElement?.dataset.drawn") != "yes" and not browser.problems:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{url} was not drawn at {width} px within {timeout_s} s")
        time.sleep(0.1)
    seen = json.loads(browser.evaluate(_MEASURE))
    lists = {name: tuple(seen.pop(name)) for name in ("widest", "undrawn")}
    return WidthCheck(width=width, **seen, **lists)


def _screenshot(browser: _Browser, width: int, folder: Path) -> None:
    height = browser.evaluate("document.documentElement.scrollHeight")
    clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
    answer = browser.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
    (folder / f"{width}.png").write_bytes(base64.b64decode(answer["data"]))


@dataclass
class _Browser:
    """One tab; messages are JSON texts ended by a zero byte."""

    send_to: int
    read_from: int
    session: str | None = None
    count: int = 0
    pending: bytes = b""
    problems: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self.count += 1
        message = {"id": self.count, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.send_to, data) :]
        while True:
            answer = self._next(60)
            if answer is None:
                raise TimeoutError(f"the browser did not answer {method}")
            if answer.get("id") == self.count:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def evaluate(self, expression: str) -> Any:
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            self._note(f"exception: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def drain(self) -> None:
        while self._next(0.3) is not None:
            pass

    def _next(self, timeout_s: float) -> dict[str, Any] | None:
        while b"\0" not in self.pending:
            if not select.select([self.read_from], [], [], timeout_s)[0]:
                return None
            part = os.read(self.read_from, 1 << 20)
            if not part:
                raise RuntimeError("the browser ended")
            self.pending += part
        text, _, self.pending = self.pending.partition(b"\0")
        message = json.loads(text)
        self._watch(message.get("method"), message.get("params", {}))
        return message

    def _watch(self, method: str | None, event: dict[str, Any]) -> None:
        if method == "Runtime.exceptionThrown":
            self._note(f"exception: {event['exceptionDetails']}")
        elif method == "Runtime.consoleAPICalled" and event["type"] in {"error", "warning", "assert"}:
            self._note(f"console {event['type']}: {event['args']}")
        elif method == "Log.entryAdded" and event["entry"]["level"] in {"error", "warning"}:
            self._note(f"log: {event['entry']}")
        elif method == "Page.javascriptDialogOpening":
            self._note(f"dialog: {event}")
        elif method == "Network.requestWillBeSent":
            url = event["request"]["url"]
            if event.get("type") != "Document" and not url.startswith(("data:", "blob:", "about:")):
                self.requests.append(url)

    def _note(self, text: str) -> None:
        self.problems.append(text[:2000])


@contextlib.contextmanager
def _browser(chromium: str) -> Iterator[_Browser]:
    to_read, send_to = _high_pipe()
    read_from, to_write = _high_pipe()

    def adopt() -> None:
        # The debugging pipe is what the browser finds at 3 and 4.
        os.dup2(to_read, 3)
        os.dup2(to_write, 4)

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [chromium, *_FLAGS, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(3, 4),
            preexec_fn=adopt,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(to_write)
        try:
            browser = _Browser(send_to, read_from)
            target = browser.call("Target.createTarget", url="about:blank")["targetId"]
            attached = browser.call("Target.attachToTarget", targetId=target, flatten=True)
            browser.session = attached["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network"):
                browser.call(f"{domain}.enable")
            yield browser
        finally:
            process.terminate()
            process.wait(timeout=30)
            os.close(send_to)
            os.close(read_from)


def _high_pipe() -> tuple[int, int]:
    """Return a pipe whose ends are above 9, out of the way of the numbers that the browser expects."""
    ends = os.pipe()
    high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    return high[0], high[1]

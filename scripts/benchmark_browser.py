"""Pages in a headless Chromium, measured alike whoever wrote them: size, time to ready, zoom steps and memory."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmark_measure import MIB

if TYPE_CHECKING:
    from playwright.sync_api import Browser, CDPSession, Page

WIDTH: Final = 1360
HEIGHT: Final = 1000
FLAGS: Final = (
    *("--enable-unsafe-swiftshader", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--disable-quic", "--no-first-run"),
)
QUIET_MS: Final = 250  # after a step, so that what it set going has ended
WATCH: Final = """
window.measured = {ready: null, frames: [], redrawn: []};
window.painted = (done) => requestAnimationFrame(() => {  // the message comes when the frame is drawn
  const channel = new MessageChannel();
  channel.port1.onmessage = () => done(performance.now());
  channel.port2.postMessage(0);
});
new MutationObserver(() => {
  if (measured.ready === null && document.documentElement?.dataset.ready) measured.ready = performance.now();
}).observe(document, {subtree: true, attributes: true, attributeFilter: ["data-ready"]});
window.addEventListener("wheel", (event) => {
  window.lastWheel = event.timeStamp;
  painted((now) => measured.frames.push(now - event.timeStamp));
}, {capture: true, passive: true});
window.wasRedrawn = () => painted((now) => measured.redrawn.push(now - lastWheel));
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """One page; times in ms, one of each load or step."""

    megabytes: float
    ready: list[float] = field(default_factory=list)
    ready_cpu: list[float] = field(default_factory=list)
    """CPU time of the page's process until then, which other work on the machine disturbs less."""
    frames: list[float] = field(default_factory=list)
    """Wheel event to the next frame."""
    redrawn: list[float] = field(default_factory=list)
    """Wheel event to the frame with the map drawn anew; empty where that is the next frame."""
    heap_mib: list[float] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    """Errors on the console, and requests for anything but the page."""


def why_no_browser() -> str:
    """What is missing, in words; empty when nothing is."""
    if chromium() is None or importlib.util.find_spec("playwright") is None:
        return "needs chromium and the Python package playwright"
    return ""


def chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@contextmanager
def launched() -> Iterator[Browser]:
    """A browser with software WebGL; its sandbox is off for root only, who cannot have one."""
    from playwright.sync_api import sync_playwright

    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium(), chromium_sandbox=not is_root, args=list(FLAGS)
        )
        yield browser
        browser.close()


def measured(browser: Browser, targets: dict[Path, str], loads: int, steps: int) -> list[Measured]:
    """Open the pages in turn, `loads` times, and the last time turn the wheel over the target of each."""
    found = {path: Measured(path.stat().st_size / 1e6) for path in targets}
    for load in range(loads):
        for path, target in targets.items():
            one = found[path]
            context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT})
            context.add_init_script(WATCH)
            page = context.new_page()
            watch(page, one.complaints)
            session = context.new_cdp_session(page)
            session.send("Performance.enable")
            before = metric(session, "ProcessTime")
            page.goto(path.as_uri())
            page.wait_for_selector("html[data-ready]", state="attached", timeout=120_000)
            one.ready.append(float(page.evaluate("measured.ready")))
            one.ready_cpu.append(1e3 * (metric(session, "ProcessTime") - before))
            if load == loads - 1:
                turn_wheel(page, target, steps)
                frames, redrawn = page.evaluate("[measured.frames, measured.redrawn]")
                one.frames.extend(frames)
                one.redrawn.extend(redrawn)
                session.send("HeapProfiler.collectGarbage")
                one.heap_mib.append(metric(session, "JSHeapUsedSize") / MIB)
            context.close()
    return list(found.values())


def watch(page: Page, complaints: list[str]) -> None:
    """Collect errors, and requests for anything but the page itself."""

    def on_console(line: Any) -> None:
        if line.type == "error":
            complaints.append(line.text)

    def on_request(request: Any) -> None:
        if not request.url.startswith(("file:", "blob:", "data:")):
            complaints.append(request.url)

    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", on_console)
    page.on("request", on_request)


def metric(session: CDPSession, name: str) -> float:
    """One of Chromium's figures of the page; `ProcessTime` is CPU time in seconds, of all threads of its process."""
    found = session.send("Performance.getMetrics")["metrics"]
    return float(next(metric["value"] for metric in found if metric["name"] == name))


def turn_wheel(page: Page, target: str, steps: int) -> None:
    """Steps one by one, each waited for; a quarter of them inwards, then outwards, twice."""
    page.wait_for_timeout(4 * QUIET_MS)
    box: Any = page.locator(target).first.bounding_box()
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 0.45 * box["height"])
    for step in range(steps):
        inwards = (4 * step // steps) % 2 == 0
        page.mouse.wheel(0, -100 if inwards else 100)
        page.wait_for_timeout(QUIET_MS)
        page.evaluate("new Promise(painted)")

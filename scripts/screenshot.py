#!/usr/bin/env python
"""Make the pictures of README.md from what the demo wrote:

    ./scripts/demo && .venv/bin/python scripts/screenshot.py

writes scripts/screenshot.png (the report in a window of a desktop), scripts/screenshot-phone.png (on a phone) and
scripts/figures.png (four figures of `msaformer.report`). Needs playwright (extra `dev`) and the program chromium.
Another report: --page PAGE.html --picture PICTURE.png, and --full for the whole page instead of its first screen.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
from playwright.sync_api import Browser, sync_playwright

from data_tools.atomic import atomic_path
from data_tools.errors import DataToolsError
from data_tools.formats import read_alignment
from msaformer import example
from msaformer.errors import MSAFormerError
from msaformer.prediction import load_prediction
from msaformer.report import (
    plot_calibration,
    plot_contact_map,
    plot_coverage,
    plot_distance_map,
    read_truth,
    save_figure,
)

FLAGS = ("--enable-unsafe-swiftshader", "--disable-background-networking", "--disable-component-update")
ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "out" / "demo"
FIGURES_DPI = 110


@dataclass(frozen=True)
class Screen:
    """A window, in CSS pixels, and what makes it that of a phone."""

    width: int
    height: int
    scale: float = 1.0
    is_phone: bool = False


DESKTOP = Screen(1280, 1050)
PHONE = Screen(390, 844, scale=2.0, is_phone=True)  # of an ordinary phone of 2023


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--page", type=Path, help="a report to photograph instead of the demo's")
    parser.add_argument("--picture", type=Path, help="where to, with --page")
    parser.add_argument("--full", action="store_true", help="with --page: the whole page")
    arguments = parser.parse_args()
    if (arguments.page is None) != (arguments.picture is None):
        parser.error("--page and --picture go together")
    try:
        with chromium() as browser:
            if arguments.page is not None:
                photograph(browser, arguments.page, arguments.picture, DESKTOP, full=arguments.full)
                return 0
            photograph(browser, DEMO / "dhfr.html", ROOT / "scripts" / "screenshot.png", DESKTOP)
            photograph(browser, DEMO / "dhfr.html", ROOT / "scripts" / "screenshot-phone.png", PHONE)
        draw_figures(DEMO / "dhfr.npz", ROOT / "scripts" / "figures.png")
    except (MSAFormerError, DataToolsError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless browser; raises FileNotFoundError when there is none."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        raise FileNotFoundError("no chromium on PATH; on Debian: apt-get install chromium")
    as_root = hasattr(os, "geteuid") and os.geteuid() == 0  # Chromium's sandbox refuses to run as root
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=program, chromium_sandbox=not as_root, args=list(FLAGS)
        )
        try:
            yield browser
        finally:
            browser.close()


def photograph(browser: Browser, page: Path, picture: Path, screen: Screen, *, full: bool = False) -> None:
    """Open the report at `page` and write what `screen` shows."""
    if not page.is_file():
        raise FileNotFoundError(f"{page}: no such report; run ./scripts/demo first")
    context = browser.new_context(
        viewport={"width": screen.width, "height": screen.height},
        device_scale_factor=screen.scale,
        is_mobile=screen.is_phone,
        has_touch=screen.is_phone,
    )
    tab = context.new_page()
    tab.goto(page.resolve().as_uri())
    tab.wait_for_selector("html[data-ready]", state="attached")
    tab.wait_for_timeout(3000)  # the library is unpacked, and the first frames of the structure
    with atomic_path(picture) as temporary:
        tab.screenshot(path=temporary, full_page=full)
    context.close()


def draw_figures(prediction_path: Path, picture: Path) -> None:
    """Contact map, distances, coverage and calibration of the bundled protein, side by side."""
    prediction = load_prediction(prediction_path)
    truth = read_truth(prediction, example.STRUCTURE)
    figure, axes = plt.subplots(2, 2, figsize=(12.5, 10), layout="constrained")
    plot_contact_map(prediction, truth, ax=axes[0, 0])
    plot_distance_map(prediction, truth, ax=axes[0, 1])
    plot_coverage(read_alignment(example.ALIGNMENT), prediction.sequence_weights, ax=axes[1, 0])
    plot_calibration(prediction, truth, ax=axes[1, 1])
    save_figure(figure, picture, dpi=FIGURES_DPI)
    plt.close(figure)


if __name__ == "__main__":
    raise SystemExit(main())

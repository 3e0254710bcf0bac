#!/usr/bin/env python
"""Photograph a report page in headless Chromium: the picture in README.md is made with

    ./scripts/demo && .venv/bin/python scripts/screenshot.py out/demo/dhfr.html scripts/screenshot.png

Needs playwright (extra `dev`) and the program chromium.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

WIDTH, HEIGHT = 1280, 1050  # CSS pixels of the window
FLAGS = ("--enable-unsafe-swiftshader", "--disable-background-networking", "--disable-component-update")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("page", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--full", action="store_true", help="the whole page, not its first screen")
    arguments = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        print("error: no chromium on PATH; on Debian: apt-get install chromium", file=sys.stderr)
        return 1
    as_root = hasattr(os, "geteuid") and os.geteuid() == 0  # Chromium's sandbox refuses to run as root
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=chromium, chromium_sandbox=not as_root, args=list(FLAGS)
        )
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.goto(arguments.page.resolve().as_uri())
        page.wait_for_selector("html[data-ready]", state="attached")
        page.wait_for_timeout(1500)  # the first frames of the structure
        page.screenshot(path=arguments.picture, full_page=arguments.full)
        browser.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""What the page's own program unpacks, in a real Chromium, is what was packed."""

from __future__ import annotations

import base64
import zlib
from importlib import resources

import numpy as np
import pytest
from chromium import CHROMIUM, launch

from msaformer.report.packing import triangle_gradient

sync_api = pytest.importorskip("playwright.sync_api", reason="needs the python package playwright")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs the program chromium"),
]
LENGTHS = (1, 2, 3, 4, 7, 40)


def triangles(length, rng):
    """Symmetric maps `[L, L]` of bytes: noise, which wraps round 256; a smooth one; an empty one."""
    near = np.abs(np.subtract.outer(np.arange(length), np.arange(length)))
    for matrix in (rng.integers(0, 256, (length, length)), near * 5 + rng.integers(0, 3), near * 0):
        upper = np.triu(matrix, k=1)
        yield (upper + upper.T).astype(np.uint8)


def test_triangles_packed_as_differences_or_plain_come_out_byte_for_byte():
    text = (resources.files("msaformer.report") / "assets" / "data.js").read_text(encoding="utf-8")
    functions = text[text.index("async function inflate(") : text.index("/** One predicted protein")]
    packed, expected = [], []
    rng = np.random.default_rng(0)
    for length in LENGTHS:
        for matrix in triangles(length, rng):
            plain = matrix[np.triu_indices(length, k=1)]
            for is_gradient, raw in ((True, triangle_gradient(matrix).tobytes()), (False, plain.tobytes())):
                data = base64.b64encode(zlib.compress(raw)).decode("ascii")
                packed.append([{"isGradient": is_gradient, "data": data}, length])
                expected.append(plain.tolist())
    call = "Promise.all(all.map(async ([map, length]) => Array.from(await inflateTriangle(map, length))))"
    with sync_api.sync_playwright() as playwright:
        browser = launch(playwright)
        found = browser.new_page().evaluate(f"async (all) => {{ {functions}; return {call}; }}", packed)
        browser.close()
    assert found == expected

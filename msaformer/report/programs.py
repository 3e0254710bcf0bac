"""What a page is made of beside its data: style, program and the vendored 3Dmol.js, inline or in a folder many share.

A page of its own carries 3Dmol.js packed (zlib, base64: 0.21 MB instead of 0.54). Its program unpacks it and adds it to
the page, which the content security policy allows to this one text, by its hash. Pages of a folder load it from there.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import zlib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

from data_tools.atomic import atomic_path

PROGRAMS: Final = (
    "hub.js",
    "data.js",
    "colours.js",
    "select.js",
    "mapimage.js",
    "maptracks.js",
    "map.js",
    "mapview.js",
    "library.js",
    "structure.js",
    "headline.js",
    "controls.js",
    "list.js",
    "picked.js",
    "chart.js",
    "panels.js",
    "coverage.js",
    "columns.js",
    "distogram.js",
    "calibration.js",
    "weights.js",
    "attention.js",
    "identity.js",
    "svgcontext.js",
    "mapexport.js",
    "chartexport.js",
    "exports.js",
    "page.js",
)
"""Files of `assets/` that make the page's own program, in this order, in one scope."""
STYLES: Final = ("style.css", "panels.css")
"""Files of `assets/` that make the page's style, in this order."""
VIEWER: Final = "3Dmol-min.js"
VIEWER_VERSION: Final = "2.5.5"
VIEWER_LICENCE: Final = "3Dmol-LICENSE.txt"
INDEX: Final = "index.html"  # table of contents of a folder of pages
ASSETS: Final = "assets"  # of the pages that share their parts
_HASH_LETTERS: Final = 12  # of a name; 48 bits tell some hundred versions apart

# Browsers differ on whether 'self' means anything for a page opened as a file: in Chromium it does, in Firefox
# (CSP_CreateHostSrcFromSelfURI: no host is "a unique origin") it does not, so files are named beside it. Hashes of
# files (`integrity`) are no way: Chromium refuses them where there is no server.
_BESIDE: Final = "'self' file:"


@dataclass(frozen=True, slots=True)
class Parts:
    """Markup that puts style, library and program into a page, and what its policy must allow for them."""

    style: str
    library: str
    """Empty for a page that draws no structure."""
    program: str
    policy: str
    back: str = ""
    """Leads to the table of the folder, where there is one."""


def inline_parts(*, with_viewer: bool) -> Parts:
    """Everything in the page itself; scripts allowed by their hashes and nothing else."""
    program, viewer = program_text(), asset(VIEWER)
    library = ""
    if with_viewer:
        library = (
            f'<script type="text/plain">{asset(VIEWER_LICENCE)}</script>\n'
            f'<script type="application/octet-stream" id="library">{_packed(viewer)}</script>'
        )
    scripts = [program, viewer] if with_viewer else [program]
    assert not any("</script" in text.lower() or "<!--" in text for text in scripts)  # ours, and tested
    return Parts(
        style=f"<style>{style_text()}</style>",
        library=library,
        program=f"<script>{program}</script>",
        policy=content_security_policy([hash_source(text) for text in scripts], hash_source(style_text())),
    )


@dataclass(frozen=True, slots=True)
class SharedParts:
    """Addresses, relative to the pages of a folder, of the files that they share."""

    style: str
    viewer: str
    program: str

    def parts(self, *, with_viewer: bool) -> Parts:
        """The page loads these files; it may load others of its folder, but no data and nothing over a network."""
        library = (
            f'<script type="application/octet-stream" id="library" data-source="{self.viewer}"></script>'
        )
        return Parts(
            style=f'<link rel="stylesheet" href="{self.style}">',
            library=library if with_viewer else "",
            program=f'<script src="{self.program}"></script>',
            back=f'<a href="{INDEX}">All targets</a> · ',
            policy=content_security_policy([_BESIDE], _BESIDE),
        )


def write_shared_parts(folder: Path) -> SharedParts:
    """Write the files that pages of `folder` share into its folder `assets`.

    A name holds the hash of the text, so no page ever meets a program of another version; those of other versions
    stay for their pages. Raises OSError.
    """
    place = folder / ASSETS
    place.mkdir(parents=True, exist_ok=True)
    named = {
        "style": ("report", "css", style_text()),
        "viewer": ("3Dmol", "js", asset(VIEWER)),
        "program": ("report", "js", program_text()),
    }
    files = {}
    for part, (stem, suffix, text) in named.items():
        digest = hashlib.sha256(text.encode("utf-8")).hexdigest()[:_HASH_LETTERS]
        files[part] = f"{ASSETS}/{stem}-{digest}.{suffix}"
        _write(folder / files[part], text)
    _write(place / VIEWER_LICENCE, asset(VIEWER_LICENCE))
    return SharedParts(**files)


def content_security_policy(scripts: list[str], style: str) -> str:
    """Allow these sources of scripts and styles, pictures the page makes itself, and nothing from anywhere."""
    return (
        f"default-src 'none'; script-src {' '.join(scripts)}; style-src {style}; img-src data: blob:; "
        "connect-src 'none'; form-action 'none'; base-uri 'none'"
    )


def hash_source(text: str) -> str:
    """How a policy names one script: by the hash of its exact text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}'"


@functools.cache
def program_text() -> str:
    """The page's own program, in a scope of its own."""
    joined = "\n".join(asset(name) for name in PROGRAMS)
    return f'"use strict";\n(() => {{\n{joined}\n}})();\n'


@functools.cache
def style_text() -> str:
    """The page's style."""
    return "\n".join(asset(name) for name in STYLES)


@functools.cache
def asset(name: str) -> str:
    """Read a file of `assets/`; line ends are made `\\n`, as a browser does before it hashes."""
    text = resources.files("msaformer.report").joinpath("assets", name).read_text(encoding="utf-8")
    return text.replace("\r\n", "\n").replace("\r", "\n")


@functools.cache
def _packed(text: str) -> str:
    return base64.b64encode(zlib.compress(text.encode("utf-8"), 9)).decode("ascii")


def _write(path: Path, text: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")

"""Write a prediction as one HTML file that shows it, with no network, no server and nothing installed.

The file is a fixed template (`assets/page.html`) into which the style, the programs and one JSON object are put; only
the JSON and the title depend on the data, and both are escaped. A content security policy allows the programs by
their hashes and nothing else: no network, no `eval`.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from importlib import resources
from pathlib import Path
from typing import Final

from data_tools.alignment import Alignment
from data_tools.atomic import atomic_path
from data_tools.labels import Labels, label_distances
from data_tools.structure import read_chains, select_chain
from msaformer.prediction import Prediction
from msaformer.report.packing import plain_text, to_json
from msaformer.report.payload import build_payload
from msaformer.report.structure_text import chain_pdb_text

PROGRAMS: Final = (
    "data.js",
    "map.js",
    "mapview.js",
    "coverage.js",
    "structure.js",
    "exports.js",
    "panels.js",
    "page.js",
)
"""Files of `assets/` that make the page's own program, in this order, in one scope."""
VIEWER: Final = "3Dmol-min.js"
VIEWER_VERSION: Final = "2.5.5"


def write_report(
    prediction: Prediction,
    path: str | Path,
    *,
    structure_path: str | Path | None = None,
    chain: str | None = None,
    labels: Labels | None = None,
    alignment: Alignment | None = None,
) -> None:
    """Write the page to `path`, whole or not at all.

    With `structure_path` the true contacts of its `chain` (the best match if None) and the structure in 3D are shown;
    `labels` saves finding them again, and may also stand alone: true contacts without 3D. With `alignment`, its
    coverage. Raises StructureError, ChainNotFoundError, ChainMismatchError or PredictionError when they do not fit.
    """
    if labels is None and structure_path is not None:
        chains = read_chains(structure_path)
        found = select_chain(chains, prediction.sequence, chain, source=structure_path)
        labels = label_distances(prediction.sequence, found, source=structure_path, present=chains)
    structure_text = None
    if labels is not None and structure_path is not None:
        structure_text = chain_pdb_text(structure_path, labels.chain)
    payload = build_payload(prediction, labels=labels, structure_text=structure_text, alignment=alignment)
    text = render_page(prediction.name, to_json(payload), with_viewer=structure_text is not None)
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def render_page(title: str, json_text: str, *, with_viewer: bool) -> str:
    """Put style, programs and data into the template."""
    program = "\n".join(_asset(name) for name in PROGRAMS)
    scripts = [f'"use strict";\n(() => {{\n{program}\n}})();\n']
    if with_viewer:
        scripts.insert(0, _asset(VIEWER))
    assert not any("</script" in script.lower() or "<!--" in script for script in scripts)  # ours, and tested
    parts = {
        "policy": content_security_policy(scripts),
        "title": html.escape(plain_text(title)),
        "style": _asset("style.css"),
        "data": json_text,
        "scripts": "\n".join(f"<script>{script}</script>" for script in scripts),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], _asset("page.html"))


def content_security_policy(scripts: list[str]) -> str:
    """Allow these scripts by hash, pictures the page makes itself, and nothing from anywhere."""
    hashes = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; "
        "worker-src blob:; connect-src 'none'; form-action 'none'; base-uri 'none'"
    )


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def _asset(name: str) -> str:
    """Read a file of `assets/`; line ends are made `\\n`, as a browser does before it hashes."""
    text = resources.files("msaformer.report").joinpath("assets", name).read_text(encoding="utf-8")
    return text.replace("\r\n", "\n").replace("\r", "\n")

"""Write a prediction as one HTML file that shows it, with no network, no server and nothing installed.

The file is a fixed template (`assets/page.html`) into which the style, the programs and one JSON object are put; only
the JSON and the title depend on the data, and both are escaped. A content security policy allows the programs and the
style by their hashes and nothing else: no network, no `eval`.
"""

from __future__ import annotations

import html
import re
from pathlib import Path

from data_tools.alignment import Alignment
from data_tools.atomic import atomic_path
from msaformer.pair_scores import PairScores
from msaformer.prediction import Prediction
from msaformer.report.packing import plain_text, to_json
from msaformer.report.payload import build_payload
from msaformer.report.programs import Parts, SharedParts, asset, inline_parts
from msaformer.report.structure_text import structure_text
from msaformer.report.truth import Truth, read_truth


def write_report(
    prediction: Prediction,
    path: str | Path,
    *,
    truth: Truth | None = None,
    structure_path: str | Path | None = None,
    chain: str | None = None,
    alignment: Alignment | None = None,
    compare: PairScores | None = None,
    shared: SharedParts | None = None,
) -> None:
    """Write the page to `path`, whole or not at all.

    With `structure_path` the true contacts of its `chain` (the best match if None) and the structure in 3D are shown;
    `truth` saves reading them again, and may also stand alone: true contacts without 3D. With `alignment`, its
    coverage; with `compare`, a second prediction beside this one. With `shared`, style and programs are not carried but
    loaded from there. Raises StructureError, ChainNotFoundError, ChainMismatchError or PredictionError when they do
    not fit.
    """
    structure = None
    if structure_path is not None:
        truth = truth or read_truth(prediction, structure_path, chain)
        structure = structure_text(structure_path, truth)
    payload = build_payload(
        prediction, truth=truth, structure=structure, alignment=alignment, compare=compare
    )
    with_viewer = structure is not None
    parts = inline_parts(with_viewer=with_viewer) if shared is None else shared.parts(with_viewer=with_viewer)
    text = render_page(prediction.name, to_json(payload), parts)
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def render_page(title: str, json_text: str, parts: Parts) -> str:
    """Put the parts and the data into the template."""
    fields = {
        "policy": parts.policy,
        "title": html.escape(plain_text(title)),
        "style": parts.style,
        "data": json_text,
        "library": parts.library,
        "program": parts.program,
        "back": parts.back,
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda match: fields[match[1]], asset("page.html"))

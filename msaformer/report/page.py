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
from data_tools.labels import Labels, label_distances
from data_tools.structure import read_chains, select_chain
from msaformer.prediction import Prediction
from msaformer.report.packing import plain_text, to_json
from msaformer.report.payload import build_payload
from msaformer.report.programs import Parts, SharedParts, asset, inline_parts
from msaformer.report.structure_text import chain_pdb_text


def write_report(
    prediction: Prediction,
    path: str | Path,
    *,
    structure_path: str | Path | None = None,
    chain: str | None = None,
    labels: Labels | None = None,
    alignment: Alignment | None = None,
    shared: SharedParts | None = None,
) -> None:
    """Write the page to `path`, whole or not at all.

    With `structure_path` the true contacts of its `chain` (the best match if None) and the structure in 3D are shown;
    `labels` saves finding them again, and may also stand alone: true contacts without 3D. With `alignment`, its
    coverage. With `shared`, style and programs are not carried but loaded from there. Raises StructureError,
    ChainNotFoundError, ChainMismatchError or PredictionError when they do not fit.
    """
    if labels is None and structure_path is not None:
        chains = read_chains(structure_path)
        found = select_chain(chains, prediction.sequence, chain, source=structure_path)
        labels = label_distances(prediction.sequence, found, source=structure_path, present=chains)
    structure_text = None
    if labels is not None and structure_path is not None:
        structure_text = chain_pdb_text(structure_path, labels.chain)
    payload = build_payload(prediction, labels=labels, structure_text=structure_text, alignment=alignment)
    with_viewer = structure_text is not None
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
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda match: fields[match[1]], asset("page.html"))

"""The table of contents of a folder of pages: `index.html`, one row a target, that sorts and filters itself.

The rows are markup written here, escaped, so the table can be read and printed without its program. It carries its
style and program and loads nothing; its policy allows them by their hashes.
"""

from __future__ import annotations

import base64
import html
import math
import re
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_tools.atomic import atomic_path
from msaformer.metrics import RANGES, precision_table, top_pairs
from msaformer.prediction import Prediction
from msaformer.report.packing import plain_text
from msaformer.report.programs import INDEX, asset, content_security_policy, hash_source, style_text
from msaformer.report.thumbnail import SIDE, contact_thumbnail
from msaformer.report.truth import Truth


@dataclass(frozen=True, slots=True)
class IndexRow:
    """One target of the table; NaN is shown as a dash."""

    page: str
    """File name of its page, in the same folder."""
    name: str
    length: int
    depth: int
    neff: float
    expected_precision: float
    """Mean probability of the L best long-range pairs: what P@L would be if the probabilities are right."""
    p_at_l: float
    """Of the long range, against the structure; NaN without one. Likewise below."""
    p_at_l5: float
    thumbnail: bytes
    """PNG of the contact probabilities."""


def index_row(prediction: Prediction, page: str, truth: Truth | None = None) -> IndexRow:
    """Sum up a prediction, and how right it is where `truth` is given."""
    probs, chains = prediction.contact_probs, prediction.chain_lengths
    first, second = top_pairs(probs, min_separation=RANGES["long"][0], chain_lengths=chains)
    best = probs[first, second][: prediction.length]
    precision = None
    if truth is not None:
        table = precision_table(probs, truth.distances, chain_lengths=chains)
        precision = next(row for row in table if row.range == "long")
    return IndexRow(
        page=page,
        name=prediction.name,
        length=prediction.length,
        depth=prediction.depth,
        neff=prediction.neff,
        expected_precision=float(np.mean(best)) if len(best) else math.nan,
        p_at_l=precision.p_at_l if precision else math.nan,
        p_at_l5=precision.p_at_l5 if precision else math.nan,
        thumbnail=contact_thumbnail(probs),
    )


def write_index(rows: Sequence[IndexRow], folder: Path) -> Path:
    """Write `index.html` into `folder`, whole or not at all; returns its path. Raises OSError."""
    style, program = style_text() + asset("index.css"), asset("index.js")
    with_truth = any(not math.isnan(row.p_at_l) for row in rows)
    fields = {
        "policy": content_security_policy([hash_source(program)], hash_source(style)),
        "style": f"<style>{style}</style>",
        "program": f"<script>{program}</script>",
        "count": f"{len(rows):,} target{'' if len(rows) == 1 else 's'}",
        "class": "with-truth" if with_truth else "no-truth",
        "rows": "\n".join(map(_row, rows)),
    }
    path = folder / INDEX
    text = re.sub(r"\{\{(\w+)\}\}", lambda match: fields[match[1]], asset("index.html"))
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
    return path


def _row(row: IndexRow) -> str:
    """Each cell carries the number it is sorted by."""
    name = html.escape(plain_text(row.name))
    address = urllib.parse.quote(row.page, safe="")
    picture = base64.b64encode(row.thumbnail).decode("ascii")
    cells = [
        f'<td class="map"><a href="{address}" tabindex="-1" aria-hidden="true">'
        f'<img src="data:image/png;base64,{picture}" alt="" width="{SIDE // 2}" height="{SIDE // 2}"></a></td>',
        f'<th scope="row"><a href="{address}"><bdi>{name}</bdi></a></th>',
        _cell(row.length, f"{row.length:,}"),
        _cell(row.depth, f"{row.depth:,}"),
        _cell(row.neff, f"{row.neff:,.1f}"),
        _cell(row.expected_precision, _percent(row.expected_precision)),
        _cell(row.p_at_l, _percent(row.p_at_l), "truth"),
        _cell(row.p_at_l5, _percent(row.p_at_l5), "truth"),
    ]
    return f"<tr>{''.join(cells)}</tr>"


def _cell(value: float, text: str, kind: str = "") -> str:
    known = "" if math.isnan(value) else repr(value)
    return f'<td class="number {kind}" data-value="{known}">{text}</td>'


def _percent(value: float) -> str:
    return "–" if math.isnan(value) else f"{100 * value:.0f}\N{NARROW NO-BREAK SPACE}%"

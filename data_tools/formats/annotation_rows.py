"""Rows of an A3M that are no sequences: HH-suite's annotations of the query's columns, and its `Consensus`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

_SET_ASIDE: Final = (b"ss_pred", b"ss_conf", b"ss_dssp", b"sa_", b"aa_")
NO_SEQUENCES: Final = (*_SET_ASIDE, b"Consensus")  # what the headers begin with that need a second look
_TEXT: Final = re.compile(rb"[!-~]+")  # one printable ASCII character a column


def is_set_aside(header: bytes) -> bool:
    """Tell whether a record is an annotation row of HH-suite, no sequence."""
    return header.startswith(_SET_ASIDE)


def is_consensus(header: bytes) -> bool:
    """Tell whether a record is HH-suite's `Consensus`, which is kept only as the query."""
    return header.startswith(b"Consensus") and header[9:10] in (b"", b" ", b"\t", b"\n")


def column_texts(parts: Iterable[bytes], kept: npt.NDArray[np.intp], width: int) -> dict[str, str]:
    """Name to text of L characters, of the annotation rows that say one character a column.

    A row of `width` characters annotates the columns of the file, of which those at `kept` `[L]` remain. Of rows
    of one name the first counts.

    >>> column_texts([b"ss_pred by hand\\nCC\\nE", b"ss_conf\\n9"], np.array([0, 2]), 3)
    {'ss_pred': 'CE'}
    """
    texts: dict[str, str] = {}
    for part in parts:
        header, _, body = part.partition(b"\n")
        text = body.translate(None, b" \t\n")
        name = header.split(None, 1)[0]
        if not _TEXT.fullmatch(text) or not _TEXT.fullmatch(name):
            continue
        if len(text) == width:
            text = np.frombuffer(text, dtype=np.uint8)[kept].tobytes()
        if len(text) == kept.size:
            texts.setdefault(name.decode("ascii"), text.decode("ascii"))
    return texts

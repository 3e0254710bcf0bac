"""Turn the alignment that jackhmmer and hmmsearch write into A3M, row by row.

A search can write 64 GB, so the file is never held as a whole, and reading stops at a limit of rows. It is the file
that `--notextw` gives: Stockholm in one block. jackhmmer marks an inserted column by a `-` in the query's row;
hmmsearch by lower-case letters and `.`, with `#=GC RF` at the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from data_tools.errors import OutputInvalidError

_HEADER: Final = b"# STOCKHOLM 1.0"
_LOWER: Final = 0x20  # the bit that makes an ASCII letter lower-case


@dataclass(frozen=True, slots=True)
class Rows:
    """What was taken from a file."""

    num_rows: int
    """Rows written."""
    is_cut: bool
    """Whether more would have followed."""


def query_centred_rows(source: Path, target: Path, *, max_rows: int) -> Rows:
    """Write A3M whose columns are the residues of the first row; raises OutputInvalidError for a damaged file."""
    columns: npt.NDArray[np.bool_] | None = None
    with target.open("wb") as output:
        count = 0
        for name, row in _rows(source):
            if count == max_rows:
                return Rows(count, True)
            symbols = np.frombuffer(row, dtype=np.uint8)
            is_gap = (symbols == ord("-")) | (symbols == ord("."))
            if columns is None:
                columns = ~is_gap
            elif symbols.size != columns.size:
                raise OutputInvalidError(
                    f"{source}: row {name.decode('utf-8', 'replace')!r} has {symbols.size} columns, the first "
                    f"{columns.size}: is the file cut?"
                )
            symbols = np.where(is_gap, ord("-"), symbols)
            symbols = np.where(columns, symbols, symbols | _LOWER)[columns | ~is_gap]
            output.write(b">" + name + b"\n" + symbols.astype(np.uint8).tobytes() + b"\n")
            count += 1
    return Rows(count, False)


def model_centred_rows(source: Path, target: Path, first: tuple[str, str], *, max_rows: int) -> Rows:
    """Write A3M whose columns are the model's, with the row `first` (name, residues) before the others."""
    length = len(first[1])
    with target.open("wb") as output:
        output.write(f">{first[0]}\n{first[1]}\n".encode())
        count = 1
        for name, row in _rows(source):
            if count == max_rows:
                return Rows(count, True)
            row = row.replace(b".", b"")
            matched = int(
                np.count_nonzero(np.frombuffer(row, dtype=np.uint8) < ord("a"))
            )  # upper case and '-'
            if matched != length:
                raise OutputInvalidError(
                    f"{source}: row {name.decode('utf-8', 'replace')!r} has {matched} match columns, the model {length}"
                )
            output.write(b">" + name + b"\n" + row + b"\n")
            count += 1
    return Rows(count, False)


def _rows(source: Path) -> Iterator[tuple[bytes, bytes]]:
    """Header and symbols of each row of a Stockholm file in one block; the header has the description."""
    descriptions: dict[bytes, bytes] = {}
    ended = False
    begun = closed = False
    with source.open("rb") as file:
        if not file.readline().startswith(_HEADER):
            raise OutputInvalidError(f"{source}:1: no Stockholm alignment: expected {_HEADER.decode()!r}")
        for number, raw in enumerate(file, start=2):
            line = raw.rstrip()
            if line == b"//":
                ended = True
                break
            if line.startswith(b"#=GS"):
                words = line.split(maxsplit=3)
                if len(words) == 4 and words[2] == b"DE":
                    descriptions[words[1]] = words[3]
            elif not line:
                closed = begun
            elif not line.startswith(b"#"):
                name, _, row = line.partition(b" ")
                row = row.strip()
                if closed or not row or b" " in row:
                    raise OutputInvalidError(f"{source}:{number}: not an alignment in one block")
                begun = True
                yield b" ".join(filter(None, (name, descriptions.get(name)))), row
    if not ended:
        raise OutputInvalidError(f"{source}: the closing // is missing: is the file cut?")

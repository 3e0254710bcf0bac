"""Names of sequences as a format can hold them; those it cannot are refused, never changed or merged in silence."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from data_tools.errors import AlignmentError
from data_tools.formats.annotation_rows import is_consensus, is_set_aside

TITLES: Final = {
    "a3m": "A3M",
    "a2m": "A2M",
    "fasta": "aligned FASTA",
    "stockholm": "Stockholm",
    "clustal": "Clustal",
    "psicov": "PSICOV",
}
"""Formats as messages write them."""
_BLANKS: Final = " \t\n\r\x0b\x0c"  # what cuts ASCII text into words
_FORBIDDEN: Final = re.compile("[\n\r\x00]")
_NO_STOCKHOLM_NAME: Final = re.compile("#|//$")


def headers(names: Sequence[str], format: str) -> Iterator[bytes]:
    """Whole headers, as A3M, A2M and FASTA have them.

    Raises AlignmentError for a name that would not be read back: with a line end, NUL or blanks at its ends, or one
    that marks a row to be set aside.
    """
    for row, name in enumerate(names):
        header = _encoded(name, row, format)
        if name != name.strip() or is_set_aside(header) or (row and is_consensus(header)):
            raise _refused(name, row, format)
        yield header


def identifiers(names: Sequence[str], format: str) -> list[str]:
    """First words of the names, as Stockholm and Clustal have them.

    Raises AlignmentError when there is none, when the format would read it as something else, and when two are equal.
    """
    rows: dict[str, int] = {}
    for row, name in enumerate(names):
        _encoded(name, row, format)
        word, _ = split_name(name)
        if not word or (format == "stockholm" and _NO_STOCKHOLM_NAME.match(word)):
            raise _refused(name, row, format)
        other = rows.setdefault(word, row)
        if other != row:
            raise AlignmentError(
                f"sequences {other + 1} and {row + 1} have one id, {word[:60]!r}, by which {TITLES[format]} would "
                "join them; rename one (`msaformer convert --rename` does)"
            )
    return list(rows)


def split_name(name: str) -> tuple[str, str]:
    """The id, which is the first word of a name, and the description behind it.

    >>> split_name("sp|P1 a kinase")
    ('sp|P1', 'a kinase')
    """
    word, *rest = re.split(f"[{_BLANKS}]+", name.strip(_BLANKS), maxsplit=1)
    return word, "".join(rest)


def renamed(names: Sequence[str]) -> tuple[str, ...]:
    """Names whose first words differ: the second and later bearers of one get `_2`, `_3` and so on behind it.

    A name without any word becomes `sequence`.

    >>> renamed(["a first", "b", "a second", "a_2", ""])
    ('a first', 'b', 'a_3 second', 'a_2', 'sequence')
    """
    parts = [split_name(name) for name in names]
    taken = {word for word, _ in parts}
    num_seen: dict[str, int] = {}
    result = []
    for word, rest in parts:
        number = num_seen.get(word, 0) + 1
        unique = word or "sequence"
        if number > 1 or (not word and unique in taken):
            number = max(number, 2)
            while (candidate := f"{unique}_{number}") in taken:
                number += 1
            unique = candidate
        num_seen[word] = number
        taken.add(unique)
        result.append(f"{unique} {rest}".rstrip(" "))
    return tuple(result)


def _encoded(name: str, row: int, format: str) -> bytes:
    if _FORBIDDEN.search(name):
        raise _refused(name, row, format)
    try:
        return name.encode("utf-8")
    except UnicodeEncodeError as error:
        raise _refused(name, row, format) from error


def _refused(name: str, row: int, format: str) -> AlignmentError:
    return AlignmentError(
        f"sequence {row + 1}: {TITLES[format]} cannot hold the name {name[:60]!r}; rename it"
    )

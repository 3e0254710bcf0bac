"""The queries of a batch: every record of every FASTA file, under an id that can name a file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from data_tools.compression import read_bytes
from data_tools.errors import DataToolsError, InvalidQueryError
from data_tools.search.query import Query, parse_query

MAX_FILE_BYTES: Final = 2**30  # of one file of queries, decompressed: about a million proteins
MAX_ID: Final = 100  # letters; file names end at 255 bytes
_SUFFIXES: Final = re.compile(r"(\.(fa|fasta|fas|faa|seq|txt))?(\.(gz|bz2|zst|xz))?$", re.IGNORECASE)
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class BatchQuery:
    """A query and the id that names its result."""

    id: str
    """Letters, digits, `.`, `_` and `-`; ids of one batch differ in more than case."""
    query: Query
    """The sequence."""
    source: str
    """File and line it was read from."""

    def __post_init__(self) -> None:
        if self.id != safe_id(self.id):
            raise InvalidQueryError(
                f"{self.source}: {self.id!r} cannot name a file; use {safe_id(self.id)!r}"
            )


def read_queries(paths: Sequence[str | Path]) -> tuple[list[BatchQuery], dict[str, str]]:
    """Read all records of FASTA files; returns the queries and, by file and line, what was wrong with the others.

    The only record of a file is named by the file, those of a file of several by the first word of their header.
    Raises InvalidQueryError when two would be named alike.
    """
    queries: list[BatchQuery] = []
    failures: dict[str, str] = {}
    for path in paths:
        try:
            records = _split(Path(path))
        except (DataToolsError, OSError) as error:
            failures[str(path)] = str(error)
            continue
        for line, text in records:
            source = f"{path}:{line}"
            try:
                query = _parse(text, path, line)
            except InvalidQueryError as error:
                failures[source] = str(error)
                continue
            name = _SUFFIXES.sub("", Path(path).name) if len(records) == 1 else query.id
            queries.append(BatchQuery(safe_id(name), query, source))
    check_distinct(queries)
    return queries, failures


def safe_id(name: str) -> str:
    """An id that can name a file on any system.

    >>> safe_id("sp|P69905|HBA_HUMAN"), safe_id("../x y"), safe_id("?")
    ('sp_P69905_HBA_HUMAN', 'x_y', 'query')
    """
    return _UNSAFE.sub("_", name).strip("._-")[:MAX_ID].rstrip("._-") or "query"


def _split(path: Path) -> list[tuple[int, bytes]]:
    """First line and text of each record."""
    data = read_bytes(path, limit=MAX_FILE_BYTES, unreadable=InvalidQueryError, damaged=InvalidQueryError)
    data = data.removeprefix(b"\xef\xbb\xbf")
    starts = [match.start() for match in re.finditer(rb"^[ \t]*>", data, re.MULTILINE)]
    if len(starts) < 2:
        return [(1, data)]
    if data[: starts[0]].strip():
        starts[0] = 0
    ends = [*starts[1:], len(data)]
    line, records, last = 1, [], 0
    for start, end in zip(starts, ends, strict=True):
        line += data.count(b"\n", last, start)
        records.append((line, data[start:end]))
        last = start
    return records


def _parse(text: bytes, path: str | Path, line: int) -> Query:
    try:
        return parse_query(text, str(path))
    except InvalidQueryError:  # once more, with the lines counted from the top of the file
        try:
            return parse_query(b"\n" * (line - 1) + text, str(path))
        except InvalidQueryError as error:
            located = re.sub(rf"^{re.escape(str(path))}: ", lambda _: f"{path}:{line}: ", str(error))
            raise InvalidQueryError(located) from error


def check_distinct(queries: Sequence[BatchQuery]) -> None:
    """Raise InvalidQueryError when the results of two queries would be one file."""
    seen: dict[str, BatchQuery] = {}
    for query in queries:
        other = seen.setdefault(query.id.casefold(), query)  # some file systems ignore case
        if other is not query:
            raise InvalidQueryError(
                f"{query.source}: its result would be written as {query.id}.a3m, as that of {other.source}; rename one"
            )

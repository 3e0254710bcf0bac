"""Tables of inputs: comma- or tab-separated, with the columns id, alignment and, where known, structure and chain.

    id,alignment,structure,chain
    1abcA,msas/1abc.a3m.gz,pdb/1abc.cif,A
    orphan,msas/orphan.sto,,

Paths are relative to the table. Other columns are left alone.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from data_tools.errors import PipelineError
from data_tools.pipeline.inputs import Input, check_id

REQUIRED_COLUMNS: Final = ("id", "alignment")
OPTIONAL_COLUMNS: Final = ("structure", "chain")


def read_table(path: str) -> list[Input]:
    """Read the inputs of a table; tab-separated when its name ends in `.tsv`.

    Raises PipelineError, with the line, when the table cannot be read, lacks a column or a value, has a line of
    another number of fields, or an id twice.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as opened:
            return list(_read(path, opened))
    except (csv.Error, UnicodeDecodeError) as error:
        raise PipelineError(f"{path}: no table in UTF-8 ({error}); save it again as CSV or TSV") from error
    except OSError as error:
        raise PipelineError(f"{path}: cannot be read: {error.strerror}; check the path") from error


def _read(path: str, opened: Iterable[str]) -> Iterator[Input]:
    lines = csv.reader(opened, delimiter="\t" if path.lower().endswith(".tsv") else ",", strict=True)
    header = next(lines, [])
    _check_header(path, header)
    line_of_id: dict[str, int] = {}
    for fields in lines:
        where = f"{path}:{lines.line_num}"
        if not any(fields):
            continue
        if len(fields) != len(header):
            raise PipelineError(
                f"{where}: {len(fields)} fields, the header has {len(header)}; check the commas"
            )
        one = _input(where, os.path.dirname(path), dict(zip(header, fields, strict=True)))
        first = line_of_id.setdefault(one.id, lines.line_num)
        if first != lines.line_num:
            raise PipelineError(
                f"{where}: the id {one.id!r} stands in line {first} already; ids must be unique"
            )
        yield one
    if not line_of_id:
        raise PipelineError(f"{path}: the table has no inputs, only a header")


def _check_header(path: str, header: Sequence[str]) -> None:
    """All required columns, none twice, and none that only looks like one of ours."""
    known = (*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS)
    for column in header:
        meant = column.strip().lower()
        if meant in known and (column != meant or header.count(column) > 1):
            raise PipelineError(f"{path}:1: column {column!r}: write it {meant!r}, and once")
    missing = [column for column in REQUIRED_COLUMNS if column not in header]
    if missing:
        raise PipelineError(
            f"{path}:1: no column {' and '.join(map(repr, missing))}; the first line must name id, alignment and, "
            f"where known, structure and chain; it names {', '.join(header) or 'nothing'}"
        )


def _input(where: str, folder: str, values: Mapping[str, str]) -> Input:
    check_id(values["id"], where)
    if not values["alignment"]:
        raise PipelineError(f"{where}: {values['id']!r} has no alignment; fill it in or remove the line")
    structure, chain = (values.get(column, "") for column in OPTIONAL_COLUMNS)
    if chain and not structure:
        raise PipelineError(f"{where}: {values['id']!r} has a chain, {chain!r}, but no structure; fill it in")
    return Input(
        values["id"],
        os.path.join(folder, values["alignment"]),
        os.path.join(folder, structure) if structure else None,
        chain or None,
    )

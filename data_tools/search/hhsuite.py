"""Run HH-suite 3: `hhblits`, `hhsearch`, `hhalign`, `hhfilter`, `hhmake`.

Each function checks what the program would take silently, runs it in a private folder, checks what it wrote, and puts
the result in place whole or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from data_tools.alignment import Alignment
from data_tools.annotations import Annotations
from data_tools.errors import DatabaseError, OutputInvalidError
from data_tools.formats import read_alignment, write_alignment
from data_tools.search.hh_database import HHDatabase
from data_tools.search.hhr import HitList, read_hhr
from data_tools.search.hhsuite_config import (
    MAXRES_MARGIN,
    HHalignConfig,
    HHblitsConfig,
    HHfilterConfig,
    HHmakeConfig,
    HHsearchConfig,
)
from data_tools.search.process import ProcessResult, run
from data_tools.search.query import Query
from data_tools.search.results import (
    SearchResult,
    blamed_on,
    check_warnings,
    check_written,
    publish,
    publish_alignment,
    verify_alignment,
    watch_lines,
)
from data_tools.search.settings import check_resources
from data_tools.search.tool import Tool, find_tool
from data_tools.search.workspace import check_output, private_folder

# Measured with hhblits 3.3.0 and a query of 153 residues: 132 MB with one thread, 2,719 MB with 32.
BASE_MB: Final = 50.0
MB_PER_THREAD: Final = 85.0

OnLine = Callable[[str], None] | None


@dataclass(frozen=True, slots=True)
class HitsResult:
    """Hits of an alignment against HMMs."""

    path: Path
    """The `.hhr` file."""
    hits: HitList
    """What it holds."""
    warnings: tuple[str, ...]
    """What the program warned of."""
    process: ProcessResult
    """The run of the program."""


@dataclass(frozen=True, slots=True)
class ProfileResult:
    """An HMM of an alignment."""

    path: Path
    """The `.hhm` file."""
    num_columns: int
    """Match states."""
    neff: float
    """HH-suite's Neff: an entropy over filtered rows, no sum of weights."""
    warnings: tuple[str, ...]
    """What the program warned of."""
    process: ProcessResult
    """The run of the program."""


def hhblits(
    query: Query,
    databases: Sequence[HHDatabase],
    output: Path,
    config: HHblitsConfig | None = None,
    *,
    tool: Tool | None = None,
    on_line: OnLine = None,
) -> SearchResult:
    """Search `databases` with one sequence and write the alignment of what is found to `output`, A3M.

    No hits are a result: the alignment is then the query alone. Raises the errors of `data_tools.search.process.run`;
    InvalidQueryError for a query that hhblits would cut; OutputInvalidError when it left something out, or what it
    wrote is not an alignment of this query.
    """
    config = config or HHblitsConfig()
    tool = tool or find_tool("hhblits")
    _check_databases(databases, "hhblits")
    query.check_length("hhblits", longest=config.maxres - MAXRES_MARGIN)
    check_output(output)
    check_resources(config.num_threads, base_mb=BASE_MB, mb_per_thread=MB_PER_THREAD)
    with private_folder() as folder:
        query_file, written = folder / "query.fasta", folder / "result.a3m"
        query.write(query_file)
        prefixes = [database.prefix.absolute() for database in databases]
        process = run(
            config.argv(tool.path, query_file, prefixes, written),
            timeout_s=config.timeout_s,
            max_memory_gb=config.max_memory_gb,
            cwd=folder,
            on_line=watch_lines(on_line),
        )
        check_warnings(process, inputs=[query_file], allow_truncation=config.allow_truncation)
        num_sequences = verify_alignment(written, query, process)
        publish_alignment(written, query, output)
    return SearchResult(output, num_sequences, process.warnings, process)


def hhsearch(
    alignment: Path,
    databases: Sequence[HHDatabase],
    output: Path,
    config: HHsearchConfig | None = None,
    *,
    tool: Tool | None = None,
    on_line: OnLine = None,
) -> HitsResult:
    """Search `databases` with an alignment of any format that can be read, and write the hits to `output`, `.hhr`.

    Raises AlignmentError for an alignment that cannot be used; the rest as `hhblits`.
    """
    config = config or HHsearchConfig()
    tool = tool or find_tool("hhsearch")
    _check_databases(databases, "hhsearch")
    check_output(output)
    check_resources(config.num_threads, base_mb=BASE_MB, mb_per_thread=MB_PER_THREAD)
    with private_folder() as folder:
        query_file, written = folder / "query.a3m", folder / "result.hhr"
        query = _copy_alignment(alignment, query_file, config.maxres, "hhsearch")
        prefixes = [database.prefix.absolute() for database in databases]
        process = run(
            config.argv(tool.path, query_file, prefixes, written),
            timeout_s=config.timeout_s,
            max_memory_gb=config.max_memory_gb,
            cwd=folder,
            on_line=watch_lines(on_line),
        )
        return _take_hits(process, query, written, output, allow_truncation=config.allow_truncation)


def hhalign(
    query: Path,
    template: Path,
    output: Path,
    config: HHalignConfig | None = None,
    *,
    tool: Tool | None = None,
    on_line: OnLine = None,
) -> HitsResult:
    """Align two alignments of any format that can be read by their HMMs; write the result to `output`, `.hhr`.

    Raises as `hhsearch`.
    """
    config = config or HHalignConfig()
    tool = tool or find_tool("hhalign")
    check_output(output)
    with private_folder() as folder:
        query_file, template_file, written = (
            folder / "query.a3m",
            folder / "template.a3m",
            folder / "result.hhr",
        )
        alignment = _copy_alignment(query, query_file, config.maxres, "hhalign")
        _copy_alignment(template, template_file, config.maxres, "hhalign")
        process = run(
            config.argv(tool.path, query_file, template_file, written),
            timeout_s=config.timeout_s,
            max_memory_gb=config.max_memory_gb,
            cwd=folder,
            on_line=watch_lines(on_line),
        )
        return _take_hits(process, alignment, written, output, allow_truncation=config.allow_truncation)


def hhfilter(
    alignment: Path,
    output: Path,
    config: HHfilterConfig | None = None,
    *,
    tool: Tool | None = None,
) -> SearchResult:
    """Write the rows of an alignment of any readable format that hhfilter keeps to `output`, A3M; the query stays.

    Raises as `hhsearch`.
    """
    config = config or HHfilterConfig()
    tool = tool or find_tool("hhfilter")
    check_output(output)
    with private_folder() as folder:
        source, written = folder / "alignment.a3m", folder / "result.a3m"
        before = _copy_alignment(alignment, source, config.maxres, "hhfilter")
        process = run(
            config.argv(tool.path, source, written),
            timeout_s=config.timeout_s,
            max_memory_gb=config.max_memory_gb,
            cwd=folder,
            on_line=watch_lines(None),
        )
        check_warnings(process, inputs=[source])
        query = Query(before.names[0].strip() or "query", before.query)
        num_sequences = verify_alignment(written, query, process)
        if num_sequences > before.depth:
            raise OutputInvalidError(
                f"hhfilter made {num_sequences} rows of {before.depth}",
                command=process.argv,
                stderr_tail=process.stderr_tail,
            )
        publish(written, output)
    return SearchResult(output, num_sequences, process.warnings, process)


def hhmake(
    alignment: Path,
    output: Path,
    config: HHmakeConfig | None = None,
    *,
    name: str = "query",
    tool: Tool | None = None,
) -> ProfileResult:
    """Build an HMM called `name` of an alignment of any readable format and write it to `output`, `.hhm`.

    Raises ValueError for a name that is not one word; the rest as `hhsearch`.
    """
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.:|-]*", name):
        raise ValueError(f"name must be one word of letters, digits and _.:|-, not {name!r}")
    config = config or HHmakeConfig()
    tool = tool or find_tool("hhmake")
    check_output(output)
    with private_folder() as folder:
        source, written = folder / "alignment.a3m", folder / "result.hhm"
        rows = _copy_alignment(alignment, source, config.maxres, "hhmake")
        process = run(
            config.argv(tool.path, source, written, name),
            timeout_s=config.timeout_s,
            max_memory_gb=config.max_memory_gb,
            cwd=folder,
            on_line=watch_lines(None),
        )
        check_warnings(process, inputs=[source])
        neff = _check_hmm(written, rows.length, process)
        publish(written, output)
    return ProfileResult(output, rows.length, neff, process.warnings, process)


def _check_databases(databases: Sequence[HHDatabase], program: str) -> None:
    if not databases:
        raise DatabaseError(f"{program} needs at least one database")


def _copy_alignment(source: Path, target: Path, maxres: int, program: str) -> Alignment:
    """Write an alignment as the A3M that HH-suite takes, without annotations: hhmake 3.3 aborts on `ss_dssp` rows."""
    alignment = replace(read_alignment(source), annotations=Annotations())
    Query(alignment.names[0].strip() or "query", alignment.query).check_length(
        program, longest=maxres - MAXRES_MARGIN
    )
    write_alignment(alignment, target, format="a3m")
    return alignment


def _take_hits(
    process: ProcessResult, query: Alignment, written: Path, output: Path, *, allow_truncation: bool
) -> HitsResult:
    check_warnings(process, inputs=[written.with_name("query.a3m")], allow_truncation=allow_truncation)
    check_written(written, process)
    with blamed_on(process):
        hits = read_hhr(written)
    if hits.num_columns != query.length:
        raise OutputInvalidError(
            f"{Path(process.argv[0]).name} wrote hits of a query with {hits.num_columns} columns, this one has "
            f"{query.length}",
            command=process.argv,
            stderr_tail=process.stderr_tail,
        )
    publish(written, output)
    return HitsResult(output, hits, process.warnings, process)


def _check_hmm(written: Path, length: int, process: ProcessResult) -> float:
    """HH-suite's Neff of an HMM file; raises OutputInvalidError unless it is whole and has `length` columns."""
    check_written(written, process)
    text = written.read_text(encoding="utf-8", errors="replace")
    columns = re.search(r"^LENG\s+(\d+) match states", text, re.MULTILINE)
    neff = re.search(r"^NEFF\s+(\S+)", text, re.MULTILINE)
    if not text.endswith("//\n") or columns is None or neff is None or int(columns[1]) != length:
        raise OutputInvalidError(
            f"hhmake wrote an HMM that is cut or has not the alignment's {length} columns; is the disk full?",
            command=process.argv,
            stderr_tail=process.stderr_tail,
        )
    return float(neff[1])

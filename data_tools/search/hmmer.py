"""Run HMMER 3: `jackhmmer` (a sequence against sequences) and `hmmsearch` (a profile against sequences).

HMMER writes errors of usage on standard output, and its alignments as Stockholm; results here are A3M.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from data_tools.compression import read_bytes
from data_tools.errors import InvalidQueryError
from data_tools.search.hmmer_config import HmmsearchConfig, JackhmmerConfig, Thresholds
from data_tools.search.hmmer_rows import Rows, model_centred_rows, query_centred_rows
from data_tools.search.process import ProcessResult, run
from data_tools.search.query import FILE_ID, Query
from data_tools.search.results import (
    SearchResult,
    blamed_on,
    check_warnings,
    check_written,
    joined_warnings,
    publish_alignment,
    verify_alignment,
)
from data_tools.search.sequence_database import SequenceDatabase
from data_tools.search.settings import check_resources
from data_tools.search.tool import Tool, find_tool
from data_tools.search.workspace import check_output, private_folder

__all__ = ["HmmsearchConfig", "JackhmmerConfig", "Thresholds", "hmmsearch", "jackhmmer", "read_profile"]

_MAX_PROFILE_BYTES: Final = 2**28
_CONSENSUS_FIELD: Final = (
    22  # number, 20 emissions, column of the alignment, consensus (HMMER 3 user's guide)
)


def jackhmmer(
    query: Query,
    database: SequenceDatabase,
    output: Path,
    config: JackhmmerConfig | None = None,
    *,
    tool: Tool | None = None,
    on_line: Callable[[str], None] | None = None,
) -> SearchResult:
    """Search a FASTA file with one sequence and write the alignment of what is found to `output`, A3M.

    Its columns are the query's residues. No hits are a result: the alignment is then the query alone. Raises the
    errors of `data_tools.search.process.run`, and OutputInvalidError when what it wrote is not of this query.
    """
    config = config or JackhmmerConfig()
    tool = tool or find_tool("jackhmmer")
    check_output(output)
    check_resources(config.num_threads)
    with private_folder() as folder:
        query_file, stockholm, written = folder / "query.fasta", folder / "result.sto", folder / "result.a3m"
        query.write(query_file)
        process = run(
            config.argv(tool.path, query_file, database.path.absolute(), stockholm),
            timeout_s=config.timeout_s,
            max_memory_gb=config.max_memory_gb,
            cwd=folder,
            on_line=on_line,
        )
        check_warnings(process)
        check_written(stockholm, process)
        with blamed_on(process):
            rows = query_centred_rows(stockholm, written, max_rows=config.max_rows)
        num_sequences = verify_alignment(written, query, process)
        publish_alignment(written, query, output)
    return SearchResult(output, num_sequences, _warnings(process, rows), process)


def hmmsearch(
    profile: Path,
    database: SequenceDatabase,
    output: Path,
    config: HmmsearchConfig | None = None,
    *,
    tool: Tool | None = None,
    on_line: Callable[[str], None] | None = None,
) -> SearchResult:
    """Search a FASTA file with a HMMER 3 profile and write the alignment of what is found to `output`, A3M.

    Its columns are the profile's, its first row the profile's consensus. No hits are a result: the consensus alone.
    Raises InvalidQueryError for a file that is not one protein profile; the rest as `jackhmmer`.
    """
    config = config or HmmsearchConfig()
    tool = tool or find_tool("hmmsearch")
    query = read_profile(profile)
    check_output(output)
    check_resources(config.num_threads)
    with private_folder() as folder:
        model, stockholm, written = folder / "profile.hmm", folder / "result.sto", folder / "result.a3m"
        model.write_bytes(_profile_bytes(profile))
        process = run(
            config.argv(tool.path, model, database.path.absolute(), stockholm),
            timeout_s=config.timeout_s,
            max_memory_gb=config.max_memory_gb,
            cwd=folder,
            on_line=on_line,
        )
        check_warnings(process)
        if not stockholm.is_file():
            check_written(stockholm, process)
        if stockholm.stat().st_size == 0:  # how hmmsearch tells that there are no hits
            stockholm.write_bytes(b"# STOCKHOLM 1.0\n//\n")
        with blamed_on(process):
            rows = model_centred_rows(stockholm, written, (FILE_ID, query.sequence), max_rows=config.max_rows)
        num_sequences = verify_alignment(written, query, process)
        publish_alignment(written, query, output)
    return SearchResult(output, num_sequences, _warnings(process, rows), process)


def read_profile(path: Path) -> Query:
    """Name and consensus of the one protein profile in a HMMER 3 file; raises InvalidQueryError for any other file.

    Where the profile gives no consensus letter, the consensus has X.
    """
    lines = _profile_bytes(path).decode("utf-8", "replace").splitlines()
    if not lines or not lines[0].startswith("HMMER3/"):
        raise InvalidQueryError(f"{path}:1: no HMMER 3 profile; hmmbuild makes one of an alignment")
    ends = [number for number, line in enumerate(lines) if line.strip() == "//"]
    if len(ends) != 1 or any(line.strip() for line in lines[ends[0] + 1 :]):
        raise InvalidQueryError(
            f"{path}: {len(ends)} whole profiles where one is expected; hmmfetch takes one out"
        )
    heads = dict(
        line.split(maxsplit=1) for line in lines[1 : ends[0]] if re.match(r"(NAME|LENG|ALPH)\s+\S", line)
    )
    if heads.get("ALPH", "").strip() != "amino":
        raise InvalidQueryError(f"{path}: a profile of {heads.get('ALPH', 'no')} letters, not of a protein")
    consensus = "".join(_consensus_letters(lines[: ends[0]]))
    if not heads.get("NAME") or heads.get("LENG", "").strip() != str(len(consensus)):
        raise InvalidQueryError(
            f"{path}: {len(consensus)} columns where LENG says {heads.get('LENG', 'nothing')}: is the file cut?"
        )
    return Query(heads["NAME"].strip(), consensus)


def _profile_bytes(path: Path) -> bytes:
    return read_bytes(path, limit=_MAX_PROFILE_BYTES, unreadable=InvalidQueryError, damaged=InvalidQueryError)


def _consensus_letters(lines: list[str]) -> Iterator[str]:
    """One letter a match state: field 23 of the lines that begin with the next state's number."""
    state = 0
    for line in lines:
        fields = line.split()
        if len(fields) > _CONSENSUS_FIELD and fields[0] == str(state + 1):
            state += 1
            letter = fields[_CONSENSUS_FIELD].upper()
            yield letter if "A" <= letter <= "Z" else "X"


def _warnings(process: ProcessResult, rows: Rows) -> tuple[str, ...]:
    cut = (
        (f"reading stopped after max_rows = {rows.num_rows:,} rows; more were found",) if rows.is_cut else ()
    )
    return joined_warnings(process.warnings, cut)

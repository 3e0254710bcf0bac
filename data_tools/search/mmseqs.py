"""Run MMseqs2: search a database with one sequence, and take the alignment out as A3M (`mmseqs_search`).

Four programs in turn: `createdb` for the query, `search`, `result2msa`, `unpackdb` (an alignment lies in a database,
ended by a NUL byte). All their files are in one private folder, so that nothing of an earlier run is taken for this
one's ("exists already!"), and nothing stays.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from data_tools.errors import OutputInvalidError, ToolTimeoutError
from data_tools.search.mmseqs_database import MMseqsDatabase
from data_tools.search.process import ProcessResult, run
from data_tools.search.query import Query
from data_tools.search.results import (
    SearchResult,
    check_warnings,
    joined_warnings,
    publish_alignment,
    verify_alignment,
)
from data_tools.search.settings import (
    check_extra_arguments,
    check_integer,
    check_limits,
    check_number,
    check_positive,
    check_resources,
)
from data_tools.search.tool import Tool, find_tool
from data_tools.search.workspace import check_output, private_folder

MIN_RESIDUES: Final = 12  # the prefilter finds no k-mers in less, so nothing is found (MMseqs2 issue 538)
MAX_RESIDUES: Final = 65_535  # --max-seq-len
MAX_ITERATIONS: Final = 8
_A3M: Final = "5"  # of --msa-format-mode
_A3M_WITH_SCORES: Final = "6"
_TAKEN: Final = (
    *(
        "--num-iterations",
        "-s",
        "-e",
        "--e-profile",
        "--max-seqs",
        "-c",
        "--cov-mode",
        "--min-seq-id",
        "-a",
        "-v",
    ),
    *("--threads", "--db-load-mode", "--remove-tmp-files", "--force-reuse", "--max-seq-len", "--mpi-runner"),
    *("--local-tmp", "--compressed", "--search-type", "--split-memory-limit", "-h"),
)


@dataclass(frozen=True, slots=True)
class MMseqsSearchConfig:
    """How mmseqs searches; raises ValueError at birth for what it would take silently."""

    iterations: int = 3
    """Rounds of search, from the second with a profile (`--num-iterations`)."""
    sensitivity: float = 5.7
    """1 fast to 7.5 sensitive (`-s`)."""
    evalue: float = 1e-3
    """Largest E-value of a hit (`-e`)."""
    profile_evalue: float = 0.1
    """Largest E-value of what goes into the profile (`--e-profile`)."""
    max_seqs: int = 10_000
    """Most sequences that pass the prefilter (`--max-seqs`), so most rows of the alignment but one."""
    min_coverage: float = 0.0
    """Least part of the query that a hit covers, 0 to 1 (`-c`, `--cov-mode 2`)."""
    min_identity: float = 0.0
    """Least identity of a hit to the query, 0 to 1 (`--min-seq-id`)."""
    with_scores: bool = False
    """Write score, identity, E-value and ranges into the headers, after TABs."""
    num_threads: int = 1
    """`--threads`."""
    load_mode: int = 2
    """How the database is read (`--db-load-mode`): 0 automatic, 1 into memory, 2 and 3 mapped."""
    split_memory_gb: float = 0.0
    """Memory that the index tables may take at a time (`--split-memory-limit`); 0: all that there is."""
    timeout_s: float | None = None
    """Time limit of all four programs together."""
    max_memory_gb: float | None = None
    """The search is ended when it holds more."""
    extra_args: tuple[str, ...] = ()
    """Further options of `mmseqs search`, passed as they are; none that is set above."""

    def __post_init__(self) -> None:
        check_limits(self.num_threads, self.timeout_s, self.max_memory_gb)
        check_integer("iterations", self.iterations, 1, MAX_ITERATIONS)
        check_number("sensitivity", self.sensitivity, 1.0, 7.5)
        check_positive("evalue", self.evalue)
        check_positive("profile_evalue", self.profile_evalue)
        check_integer("max_seqs", self.max_seqs, 1, 10_000_000)
        check_number("min_coverage", self.min_coverage, 0.0, 1.0)
        check_number("min_identity", self.min_identity, 0.0, 1.0)
        check_integer("load_mode", self.load_mode, 0, 3)
        check_number("split_memory_gb", self.split_memory_gb, 0.0)
        check_extra_arguments(self.extra_args, _TAKEN)

    def argv(
        self, program: Path, query: Path, database: Path, result: Path, scratch: Path
    ) -> tuple[str, ...]:
        """The list of arguments of `mmseqs search`; the same for the same configuration and paths."""
        return (
            *(str(program), "search", str(query), str(database), str(result), str(scratch)),
            *("--num-iterations", str(self.iterations), "-s", _number(self.sensitivity)),
            *("-e", _number(self.evalue), "--e-profile", _number(self.profile_evalue)),
            *("--max-seqs", str(self.max_seqs), "-c", _number(self.min_coverage), "--cov-mode", "2"),
            *("--min-seq-id", _number(self.min_identity), "-a", "1", "--search-type", "1"),
            *("--threads", str(self.num_threads), "--db-load-mode", str(self.load_mode)),
            *("--split-memory-limit", _megabytes(self.split_memory_gb)),
            *("--max-seq-len", str(MAX_RESIDUES), "--remove-tmp-files", "1", "-v", "3", *self.extra_args),
        )


def mmseqs_search(
    query: Query,
    database: MMseqsDatabase,
    output: Path,
    config: MMseqsSearchConfig | None = None,
    *,
    tool: Tool | None = None,
    on_line: Callable[[str], None] | None = None,
) -> SearchResult:
    """Search a MMseqs2 database with one sequence and write the alignment of what is found to `output`, A3M.

    No hits are a result: the alignment is then the query alone. Raises the errors of
    `data_tools.search.process.run`, and OutputInvalidError when what it wrote is not of this query.
    """
    config = config or MMseqsSearchConfig()
    tool = tool or find_tool("mmseqs")
    query.check_length("mmseqs", longest=MAX_RESIDUES)
    check_output(output)
    check_resources(config.num_threads)
    with private_folder() as folder:
        steps = _Steps(tool, config, folder, on_line)
        query.write(folder / "query.fasta")
        target = str(database.prefix.absolute())
        steps.run(("createdb", "query.fasta", "query", "--dbtype", "1", "-v", "3"))
        search = steps.run(
            config.argv(tool.path, folder / "query", Path(target), folder / "hits", folder / "scratch")[1:]
        )
        check_warnings(search)
        form = _A3M_WITH_SCORES if config.with_scores else _A3M
        common = ("--threads", "1", "-v", "3")
        load = ("--db-load-mode", str(config.load_mode))
        steps.run(
            (
                "result2msa",
                "query",
                target,
                "hits",
                "msa",
                "--msa-format-mode",
                form,
                "--filter-msa",
                "0",
                *load,
                *common,
            )
        )
        (folder / "unpacked").mkdir()
        unpack = steps.run(
            ("unpackdb", "msa", "unpacked", "--unpack-name-mode", "0", "--unpack-suffix", ".a3m", *common)
        )
        written = folder / "unpacked" / "0.a3m"
        if len(list(written.parent.iterdir())) > 1:
            raise OutputInvalidError("mmseqs made more than one alignment of one query", command=unpack.argv)
        num_sequences = verify_alignment(written, query, unpack)
        publish_alignment(written, query, output)
    return SearchResult(output, num_sequences, joined_warnings(_short(query), search.warnings), search)


class _Steps:
    """Runs one program after the other within one time limit."""

    def __init__(
        self, tool: Tool, config: MMseqsSearchConfig, folder: Path, on_line: Callable[[str], None] | None
    ) -> None:
        self._tool, self._config, self._folder, self._on_line = tool, config, folder, on_line
        self._begun = time.monotonic()

    def run(self, arguments: Sequence[str]) -> ProcessResult:
        left = self._config.timeout_s
        if left is not None:
            left -= time.monotonic() - self._begun
            if left <= 0:
                raise ToolTimeoutError(
                    f"mmseqs was ended after its time limit of {self._config.timeout_s:g} s",
                    command=(str(self._tool.path), *arguments),
                )
        return run(
            (self._tool.path, *arguments),
            timeout_s=left,
            max_memory_gb=self._config.max_memory_gb,
            cwd=self._folder,
            on_line=self._on_line,
        )


def _short(query: Query) -> tuple[str, ...]:
    if len(query.sequence) >= MIN_RESIDUES:
        return ()
    return (
        f"query {query.name!r} has {len(query.sequence)} residues; mmseqs finds nothing for less than {MIN_RESIDUES}",
    )


def _number(value: float) -> str:
    return repr(float(value))


def _megabytes(gigabytes: float) -> str:
    return f"{max(1, round(gigabytes * 1024))}M" if gigabytes else "0"

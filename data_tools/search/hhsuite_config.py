"""Configurations of HH-suite 3's programs; each value that matters is passed, so that a build's defaults do not count.

Defaults are HH-suite's own, with three iterations and the row limit as AlphaFold 2 runs hhblits. AlphaFold also sets
`realign_max` and `maxfilt` to 100,000, which costs much memory ("Realigning 100000 HMM-HMM alignments").
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from data_tools.search.hhsuite_options import (
    DEFAULT_FILTER,
    FILTER_OPTIONS,
    HHFILTER_FILTER,
    HHMAKE_FILTER,
    INPUTS,
    MAX_ITERATIONS,
    MAX_ROWS,
    MAXRES_MARGIN,
    SIZE_OPTIONS,
    WRITES_FILES,
    RowFilter,
    check_evalue,
    check_sizes,
    listing,
    number,
)
from data_tools.search.settings import (
    check_extra_arguments,
    check_integer,
    check_limits,
    check_number,
    check_positive,
)

__all__ = [
    "MAXRES_MARGIN",
    "HHalignConfig",
    "HHblitsConfig",
    "HHfilterConfig",
    "HHmakeConfig",
    "HHsearchConfig",
    "RowFilter",
]


@dataclass(frozen=True, slots=True)
class HHblitsConfig:
    """How hhblits searches; raises ValueError at birth for what hhblits would take silently."""

    iterations: int = 3
    """Rounds of search (`-n`), 1 to 8."""
    evalue: float = 1e-3
    """Largest E-value of what goes into the alignment (`-e`)."""
    num_threads: int = 1
    """`-cpu`; about 85 MB each."""
    row_filter: RowFilter = DEFAULT_FILTER
    """Which rows are kept."""
    all_seqs: bool = False
    """Do not filter the result (`-all`)."""
    maxfilt: int = 20_000
    """Most hits that pass the second prefilter (`-maxfilt`)."""
    realign_max: int = 500
    """Most hits that are realigned (`-realign_max`)."""
    min_prefilter_hits: int = 100
    """Fewest hits that pass the prefilter (`-min_prefilter_hits`)."""
    alternatives: int = 4
    """Alternative alignments of a hit (`-alt`)."""
    neffmax: float = 20.0
    """No further round once the alignment is this diverse (`-neffmax`), above 1, at most 20."""
    maxseq: int = 1_000_000
    """Most rows of an alignment (`-maxseq`)."""
    maxres: int = 20_001
    """Most columns and two more (`-maxres`)."""
    maxmem_gb: float = 3.0
    """Memory for realigning (`-maxmem`)."""
    allow_truncation: bool = False
    """Take results of which hhblits says that rows or columns were cut."""
    timeout_s: float | None = None
    """Time limit of the search."""
    max_memory_gb: float | None = None
    """The search is ended when it holds more."""
    extra_args: tuple[str, ...] = ()
    """Further options, passed as they are; none that is set above, none that writes a file."""

    def __post_init__(self) -> None:
        check_limits(self.num_threads, self.timeout_s, self.max_memory_gb)
        check_integer("iterations", self.iterations, 1, MAX_ITERATIONS)
        check_evalue(self.evalue)
        check_integer("maxfilt", self.maxfilt, 1, MAX_ROWS)
        check_integer("realign_max", self.realign_max, 1, MAX_ROWS)
        check_integer("min_prefilter_hits", self.min_prefilter_hits, 1, MAX_ROWS)
        check_integer("alternatives", self.alternatives, 1, 1000)
        check_number("neffmax", self.neffmax, 1.0, 20.0)
        check_sizes(self.maxseq, self.maxres, self.maxmem_gb)
        taken = (
            "-n",
            "-e",
            "-all",
            "-maxfilt",
            "-realign_max",
            "-min_prefilter_hits",
            "-alt",
            "-neffmax",
            "-maxmem",
        )
        check_extra_arguments(
            self.extra_args, (*taken, *FILTER_OPTIONS, *SIZE_OPTIONS, *INPUTS, *WRITES_FILES)
        )

    def argv(self, program: Path, query: Path, databases: Sequence[Path], output: Path) -> tuple[str, ...]:
        """The list of arguments; the same for the same configuration and paths."""
        return (
            *(str(program), "-i", str(query)),
            *(word for prefix in databases for word in ("-d", str(prefix))),
            *("-oa3m", str(output), "-o", os.devnull, "-M", "a2m", "-v", "2", "-cpu", str(self.num_threads)),
            *("-n", str(self.iterations), "-e", number(self.evalue), *self.row_filter.argv()),
            *(("-all",) if self.all_seqs else ()),
            *("-maxfilt", str(self.maxfilt), "-realign_max", str(self.realign_max)),
            *("-min_prefilter_hits", str(self.min_prefilter_hits), "-alt", str(self.alternatives)),
            *("-neffmax", number(self.neffmax), "-maxseq", str(self.maxseq), "-maxres", str(self.maxres)),
            *("-maxmem", number(self.maxmem_gb), *self.extra_args),
        )


@dataclass(frozen=True, slots=True)
class HHsearchConfig:
    """How hhsearch looks an alignment up in a database of HMMs."""

    evalue: float = 1e-3
    """Largest E-value of what would go into an alignment (`-e`); it does not limit the list of hits."""
    max_listed_evalue: float = 1e6
    """Largest E-value of a hit that is listed (`-E`)."""
    min_probability: float = 20.0
    """Least probability of a hit that is listed (`-p`), percent."""
    max_hits: int = 500
    """Most hits that are listed and aligned (`-Z`, `-B`)."""
    num_threads: int = 1
    """`-cpu`."""
    row_filter: RowFilter = DEFAULT_FILTER
    """Which rows of the query's and the database's alignments count."""
    realign_max: int = 500
    """Most hits that are realigned (`-realign_max`)."""
    alternatives: int = 4
    """Alternative alignments of a hit (`-alt`)."""
    maxseq: int = 1_000_000
    """Most rows of an alignment (`-maxseq`)."""
    maxres: int = 20_001
    """Most columns and two more (`-maxres`)."""
    maxmem_gb: float = 3.0
    """Memory for realigning (`-maxmem`)."""
    allow_truncation: bool = False
    """Take results of which hhsearch says that rows or columns were cut."""
    timeout_s: float | None = None
    """Time limit."""
    max_memory_gb: float | None = None
    """The search is ended when it holds more."""
    extra_args: tuple[str, ...] = ()
    """Further options, passed as they are; none that is set above, none that writes a file."""

    def __post_init__(self) -> None:
        check_limits(self.num_threads, self.timeout_s, self.max_memory_gb)
        check_evalue(self.evalue)
        check_positive("max_listed_evalue", self.max_listed_evalue)
        check_number("min_probability", self.min_probability, 0.0, 100.0)
        check_integer("max_hits", self.max_hits, 1, MAX_ROWS)
        check_integer("realign_max", self.realign_max, 1, MAX_ROWS)
        check_integer("alternatives", self.alternatives, 1, 1000)
        check_sizes(self.maxseq, self.maxres, self.maxmem_gb)
        check_extra_arguments(
            self.extra_args,
            (
                *(
                    "-e",
                    "-E",
                    "-p",
                    "-Z",
                    "-z",
                    "-B",
                    "-b",
                    "-seq",
                    "-realign_max",
                    "-alt",
                    "-maxmem",
                    "-aliw",
                ),
                *(*FILTER_OPTIONS, *SIZE_OPTIONS, *INPUTS, *WRITES_FILES),
            ),
        )

    def argv(self, program: Path, query: Path, databases: Sequence[Path], output: Path) -> tuple[str, ...]:
        """The list of arguments; the same for the same configuration and paths."""
        return (
            *(str(program), "-i", str(query)),
            *(word for prefix in databases for word in ("-d", str(prefix))),
            *("-o", str(output), "-M", "a2m", "-v", "2", "-cpu", str(self.num_threads)),
            *("-e", number(self.evalue), "-realign_max", str(self.realign_max)),
            *listing(self.max_listed_evalue, self.min_probability, self.max_hits, self.alternatives),
            *(*self.row_filter.argv(), "-maxseq", str(self.maxseq), "-maxres", str(self.maxres)),
            *("-maxmem", number(self.maxmem_gb), *self.extra_args),
        )


@dataclass(frozen=True, slots=True)
class HHalignConfig:
    """How hhalign aligns two alignments by their HMMs."""

    max_listed_evalue: float = 1e6
    """Largest E-value of an alignment that is listed (`-E`)."""
    min_probability: float = 0.0
    """Least probability of an alignment that is listed (`-p`), percent."""
    alternatives: int = 1
    """Alternative alignments (`-alt`)."""
    row_filter: RowFilter = DEFAULT_FILTER
    """Which rows of both alignments count."""
    maxseq: int = 1_000_000
    """Most rows of an alignment (`-maxseq`)."""
    maxres: int = 20_001
    """Most columns and two more (`-maxres`)."""
    maxmem_gb: float = 3.0
    """Memory for realigning (`-maxmem`)."""
    allow_truncation: bool = False
    """Take results of which hhalign says that rows or columns were cut."""
    timeout_s: float | None = None
    """Time limit."""
    max_memory_gb: float | None = None
    """The program is ended when it holds more."""
    extra_args: tuple[str, ...] = ()
    """Further options, passed as they are; none that is set above, none that writes a file."""

    def __post_init__(self) -> None:
        check_limits(1, self.timeout_s, self.max_memory_gb)
        check_positive("max_listed_evalue", self.max_listed_evalue)
        check_number("min_probability", self.min_probability, 0.0, 100.0)
        check_integer("alternatives", self.alternatives, 1, 1000)
        check_sizes(self.maxseq, self.maxres, self.maxmem_gb)
        check_extra_arguments(
            self.extra_args,
            (
                *("-E", "-p", "-Z", "-z", "-B", "-b", "-seq", "-alt", "-maxmem", "-aliw"),
                *(*FILTER_OPTIONS, *SIZE_OPTIONS, *INPUTS, *WRITES_FILES),
            ),
        )

    def argv(self, program: Path, query: Path, template: Path, output: Path) -> tuple[str, ...]:
        """The list of arguments; the same for the same configuration and paths."""
        return (
            *(str(program), "-i", str(query), "-t", str(template), "-o", str(output), "-M", "a2m", "-v", "2"),
            *listing(self.max_listed_evalue, self.min_probability, self.alternatives, self.alternatives),
            *(*self.row_filter.argv(), "-maxseq", str(self.maxseq), "-maxres", str(self.maxres)),
            *("-maxmem", number(self.maxmem_gb), *self.extra_args),
        )


@dataclass(frozen=True, slots=True)
class HHfilterConfig:
    """Which rows hhfilter keeps; a greedy choice, not the identity weights of `data_tools.weights`."""

    row_filter: RowFilter = HHFILTER_FILTER
    """Which rows are kept."""
    maxseq: int = 1_000_000
    """Most rows of the alignment (`-maxseq`)."""
    maxres: int = 20_001
    """Most columns and two more (`-maxres`)."""
    timeout_s: float | None = None
    """Time limit."""
    max_memory_gb: float | None = None
    """The program is ended when it holds more."""
    extra_args: tuple[str, ...] = ()
    """Further options, passed as they are; none that is set above."""

    def __post_init__(self) -> None:
        check_limits(1, self.timeout_s, self.max_memory_gb)
        check_sizes(self.maxseq, self.maxres, 1.0)
        check_extra_arguments(self.extra_args, (*FILTER_OPTIONS, *SIZE_OPTIONS, *INPUTS, *WRITES_FILES))

    def argv(self, program: Path, alignment: Path, output: Path) -> tuple[str, ...]:
        """The list of arguments; the same for the same configuration and paths."""
        return (
            *(str(program), "-i", str(alignment), "-o", str(output), "-M", "a2m", "-v", "2"),
            *(
                *self.row_filter.argv(),
                "-maxseq",
                str(self.maxseq),
                "-maxres",
                str(self.maxres),
                *self.extra_args,
            ),
        )


@dataclass(frozen=True, slots=True)
class HHmakeConfig:
    """How hhmake builds an HMM of an alignment."""

    row_filter: RowFilter = HHMAKE_FILTER
    """Which rows count."""
    maxseq: int = 1_000_000
    """Most rows of the alignment (`-maxseq`)."""
    maxres: int = 20_001
    """Most columns and two more (`-maxres`)."""
    timeout_s: float | None = None
    """Time limit."""
    max_memory_gb: float | None = None
    """The program is ended when it holds more."""
    extra_args: tuple[str, ...] = ()
    """Further options, passed as they are; none that is set above."""

    def __post_init__(self) -> None:
        check_limits(1, self.timeout_s, self.max_memory_gb)
        check_sizes(self.maxseq, self.maxres, 1.0)
        taken = ("-name", *FILTER_OPTIONS, *SIZE_OPTIONS, *INPUTS, *WRITES_FILES)
        check_extra_arguments(self.extra_args, taken)

    def argv(self, program: Path, alignment: Path, output: Path, name: str) -> tuple[str, ...]:
        """The list of arguments; the same for the same configuration and paths."""
        return (
            *(str(program), "-i", str(alignment), "-o", str(output), "-name", name, "-M", "a2m", "-v", "2"),
            *(
                *self.row_filter.argv(),
                "-maxseq",
                str(self.maxseq),
                "-maxres",
                str(self.maxres),
                *self.extra_args,
            ),
        )

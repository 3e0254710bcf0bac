"""Configurations of HMMER 3's programs; each value that matters is passed, so that a build's defaults do not count."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from data_tools.search.settings import (
    check_extra_arguments,
    check_integer,
    check_limits,
    check_number,
    check_positive,
)

MAX_ITERATIONS: Final = 20  # jackhmmer has no limit; each round costs a search
MAX_ROWS: Final = 10_000_000
_CONSENSUS_FIELD: Final = (
    22  # number, 20 emissions, column of the alignment, consensus (HMMER 3 user's guide)
)
_TAKEN: Final = (
    *(
        "-h",
        "-o",
        "-A",
        "--tblout",
        "--domtblout",
        "--pfamtblout",
        "--chkhmm",
        "--chkali",
        "--acc",
        "--noali",
    ),
    *(
        "--notextw",
        "--textw",
        "-E",
        "--domE",
        "--incE",
        "--incdomE",
        "--F1",
        "--F2",
        "--F3",
        "--seed",
        "--cpu",
    ),
)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Which hits HMMER reports, takes in, and lets through its filters; the filters as AlphaFold 2 sets them."""

    evalue: float = 1e-4
    """Largest E-value of a sequence that is reported (`-E`)."""
    domain_evalue: float = 10.0
    """Largest E-value of a domain that is reported (`--domE`)."""
    inclusion_evalue: float = 1e-4
    """Largest E-value of a sequence that goes into the alignment (`--incE`)."""
    inclusion_domain_evalue: float = 0.01
    """Largest E-value of a domain that does (`--incdomE`)."""
    f1: float = 5e-4
    """P-value that passes the first filter (`--F1`), at most 1."""
    f2: float = 5e-5
    """P-value that passes the second filter (`--F2`)."""
    f3: float = 5e-7
    """P-value that passes the third filter (`--F3`)."""

    def __post_init__(self) -> None:
        for name in ("evalue", "domain_evalue", "inclusion_evalue", "inclusion_domain_evalue"):
            check_positive(name, getattr(self, name))
        for name in ("f1", "f2", "f3"):
            check_positive(name, getattr(self, name))
            check_number(name, getattr(self, name), 0.0, 1.0)

    def argv(self) -> tuple[str, ...]:
        """Its options."""
        return (
            *("-E", repr(float(self.evalue)), "--domE", repr(float(self.domain_evalue))),
            *(
                "--incE",
                repr(float(self.inclusion_evalue)),
                "--incdomE",
                repr(float(self.inclusion_domain_evalue)),
            ),
            *("--F1", repr(float(self.f1)), "--F2", repr(float(self.f2)), "--F3", repr(float(self.f3))),
        )


@dataclass(frozen=True, slots=True)
class JackhmmerConfig:
    """How jackhmmer searches; raises ValueError at birth for what it could not take."""

    iterations: int = 1
    """Rounds of search (`-N`)."""
    thresholds: Thresholds = Thresholds()
    """Which hits count."""
    max_rows: int = 1_000_000
    """Most rows of the alignment, the query counted; more are left out with a warning."""
    num_threads: int = 1
    """`--cpu`; more than 8 are of little use."""
    timeout_s: float | None = None
    """Time limit of the search."""
    max_memory_gb: float | None = None
    """The search is ended when it holds more."""
    extra_args: tuple[str, ...] = ()
    """Further options, passed as they are; none that is set above, none that writes a file."""

    def __post_init__(self) -> None:
        check_limits(self.num_threads, self.timeout_s, self.max_memory_gb)
        check_integer("iterations", self.iterations, 1, MAX_ITERATIONS)
        check_integer("max_rows", self.max_rows, 1, MAX_ROWS)
        check_extra_arguments(self.extra_args, ("-N", "--qformat", "--tformat", *_TAKEN))

    def argv(self, program: Path, query: Path, database: Path, output: Path) -> tuple[str, ...]:
        """The list of arguments; the same for the same configuration and paths."""
        return (
            *(str(program), "-o", os.devnull, "-A", str(output), "--noali", "--notextw", "--seed", "42"),
            *("-N", str(self.iterations), *self.thresholds.argv(), "--cpu", str(self.num_threads)),
            *("--qformat", "fasta", "--tformat", "fasta", *self.extra_args, str(query), str(database)),
        )


@dataclass(frozen=True, slots=True)
class HmmsearchConfig:
    """How hmmsearch searches; raises ValueError at birth for what it could not take."""

    thresholds: Thresholds = Thresholds()
    """Which hits count."""
    max_rows: int = 1_000_000
    """Most rows of the alignment, the model's consensus counted; more are left out with a warning."""
    num_threads: int = 1
    """`--cpu`."""
    timeout_s: float | None = None
    """Time limit of the search."""
    max_memory_gb: float | None = None
    """The search is ended when it holds more."""
    extra_args: tuple[str, ...] = ()
    """Further options, passed as they are; none that is set above, none that writes a file."""

    def __post_init__(self) -> None:
        check_limits(self.num_threads, self.timeout_s, self.max_memory_gb)
        check_integer("max_rows", self.max_rows, 1, MAX_ROWS)
        check_extra_arguments(self.extra_args, ("--tformat", *_TAKEN))

    def argv(self, program: Path, profile: Path, database: Path, output: Path) -> tuple[str, ...]:
        """The list of arguments; the same for the same configuration and paths."""
        return (
            *(str(program), "-o", os.devnull, "-A", str(output), "--noali", "--notextw", "--seed", "42"),
            *(
                *self.thresholds.argv(),
                "--cpu",
                str(self.num_threads),
                "--tformat",
                "fasta",
                *self.extra_args,
            ),
            *(str(profile), str(database)),
        )

"""What the configurations of HH-suite's programs share: the filter of rows, checks, and options that are taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from data_tools.search.settings import check_integer, check_number, check_positive

MAX_ITERATIONS: Final = 8  # hhblits sets more to 8, with exit code 0
MAX_EVALUE: Final = 1.0  # the range that the programs state for -e; they take any
# hhblits keeps two columns less than -maxres: 20,001 keeps 19,999
MAXRES_MARGIN: Final = 2
MAX_ROWS: Final = 100_000_000
WRITES_FILES: Final = (
    *("-o", "-oa3m", "-aa3m", "-opsi", "-apsi", "-ohhm", "-oalis", "-Ofas", "-Oa2m", "-Oa3m", "-atab", "-a"),
    *("-blasttab", "-scores", "-filter_matrices"),
)
INPUTS: Final = ("-h", "-i", "-t", "-d", "-M", "-v", "-cpu")


@dataclass(frozen=True, slots=True)
class RowFilter:
    """Which rows of an alignment HH-suite keeps; percent."""

    max_identity: int = 90
    """Keep of two rows more alike than this only one (`-id`); 100 keeps both."""
    diff: int = 1000
    """Then keep at least so many of the most diverse rows in each block of 50 columns (`-diff`); 0: all."""
    min_coverage: int = 0
    """Least part of the query's residues that a row covers (`-cov`)."""
    min_query_identity: int = 0
    """Least identity to the query (`-qid`)."""

    def __post_init__(self) -> None:
        for name in ("max_identity", "min_coverage", "min_query_identity"):
            check_integer(name, getattr(self, name), 0, 100)
        check_integer("diff", self.diff, 0, MAX_ROWS)

    def argv(self) -> tuple[str, ...]:
        """Its options."""
        return (
            *("-id", str(self.max_identity), "-diff", str(self.diff)),
            *("-cov", str(self.min_coverage), "-qid", str(self.min_query_identity)),
        )


DEFAULT_FILTER: Final = RowFilter()  # of searches
HHFILTER_FILTER: Final = RowFilter(diff=0)
HHMAKE_FILTER: Final = RowFilter(diff=100)

FILTER_OPTIONS: Final = ("-id", "-diff", "-cov", "-qid")
SIZE_OPTIONS: Final = ("-maxseq", "-maxres")


def check_evalue(value: float) -> None:
    """Raise ValueError unless `value` can be `-e`."""
    check_positive("evalue", value)
    check_number("evalue", value, 0.0, MAX_EVALUE)


def check_sizes(maxseq: int, maxres: int, maxmem_gb: float) -> None:
    """Raise ValueError unless the limits on rows, columns and memory make sense."""
    check_integer("maxseq", maxseq, 2, MAX_ROWS)
    check_integer("maxres", maxres, 10, 10_000_000)
    check_number("maxmem_gb", maxmem_gb, 1.0)


def listing(evalue: float, probability: float, most: int, alternatives: int) -> tuple[str, ...]:
    """Options of the list of hits: what is listed is aligned, one row of each side is shown."""
    return (
        *("-E", number(evalue), "-p", number(probability), "-Z", str(most), "-B", str(most)),
        *("-z", "1", "-b", "1", "-seq", "1", "-alt", str(alternatives)),
    )


def number(value: float) -> str:
    """One spelling of each number: the shortest that reads back as the same."""
    return repr(float(value))

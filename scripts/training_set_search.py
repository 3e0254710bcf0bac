"""Search many families at once with mmseqs: alignments, and which families are homologous to which."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from data_tools.search.process import run
from data_tools.search.tool import find_tool

EVALUE: Final = 1e-3  # both of a hit in an alignment and of homology between families
ITERATIONS: Final = 3
SENSITIVITY: Final = 7.0  # mmseqs' own default is 5.7; profiles of later rounds gain from more
MAX_HITS: Final = 4000  # a query, before filtering
MIN_CLUSTER_COVERAGE: Final = 0.8  # of both sequences, for one to stand for the other


@dataclass(frozen=True, slots=True)
class MMseqs:
    """How mmseqs is run here."""

    threads: int
    timeout_s: float

    def run(self, *arguments: str | Path, threads: bool = True) -> None:
        """Run one of its commands; raises ToolError."""
        words = [str(word) for word in arguments]
        words += ["--threads", str(self.threads)] if threads else []
        run([find_tool("mmseqs").path, *words, "-v", "1"], timeout_s=self.timeout_s)

    def make_database(self, fasta: Path, prefix: Path) -> None:
        """Make a database of the sequences of a FASTA file."""
        self.run("createdb", fasta, prefix, "--dbtype", "1", threads=False)

    def representatives(self, fasta: Path, identity: float, folder: Path) -> list[str]:
        """Ids of the sequences that stand for clusters of `identity` and more, in the order of the database."""
        database, clusters, table = folder / "chains", folder / "clusters", folder / "clusters.tsv"
        self.make_database(fasta, database)
        self.run(
            *("cluster", database, clusters, folder / "tmp"),
            *("--min-seq-id", str(identity), "-c", str(MIN_CLUSTER_COVERAGE), "--cov-mode", "0", "-s", "7.5"),
        )
        self.run("createtsv", database, database, clusters, table)
        chosen = {line.split("\t")[0] for line in table.read_text(encoding="utf-8").splitlines()}
        return [name for _, name in _lookup(database) if name in chosen]

    def search(self, fasta: Path, targets: Path, families: Path, folder: Path) -> list[tuple[str, str]]:
        """Search each sequence of `fasta` in the database `targets`; write FOLDER/ID.a3m, rows in the order of E-value.

        Then the profile of each search is compared with the sequences of the database `families`. Returns the
        homologous pairs (query, family), E-value below 1e-3.
        """
        work = folder / "work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        queries, hits, msa, unpacked = (work / name for name in ("queries", "hits", "msa", "unpacked"))
        self.make_database(fasta, queries)
        self.run(
            *(
                "search",
                queries,
                targets,
                hits,
                work / "tmp",
                "-a",
                "-e",
                str(EVALUE),
                "-s",
                str(SENSITIVITY),
            ),
            *("--num-iterations", str(ITERATIONS), "--max-seqs", str(MAX_HITS)),
        )
        self.run("result2msa", queries, targets, hits, msa, "--msa-format-mode", "5")
        unpacked.mkdir()
        self.run("unpackdb", msa, unpacked, "--unpack-name-mode", "0", "--unpack-suffix", ".a3m")
        for key, name in _lookup(queries):
            (unpacked / f"{key}.a3m").replace(folder / f"{name}.a3m")
        pairs = self._homologous(queries, targets, hits, families, work)
        shutil.rmtree(work)
        return pairs

    def _homologous(
        self, queries: Path, targets: Path, hits: Path, families: Path, work: Path
    ) -> list[tuple[str, str]]:
        profiles, found, table = work / "profiles", work / "found", work / "found.tsv"
        self.run("result2profile", queries, targets, hits, profiles)
        self.run(
            "search", profiles, families, found, work / "tmp2", "-e", str(EVALUE), "-s", str(SENSITIVITY)
        )
        self.run("convertalis", profiles, families, found, table, "--format-output", "query,target")
        rows = (line.split("\t") for line in table.read_text(encoding="utf-8").splitlines())
        return [(query, target) for query, target in rows if query != target]


def _lookup(database: Path) -> list[tuple[str, str]]:
    """Key and name of each entry of a database made by createdb."""
    rows = Path(f"{database}.lookup").read_text(encoding="utf-8").splitlines()
    return [(row.split("\t")[0], row.split("\t")[1]) for row in rows]

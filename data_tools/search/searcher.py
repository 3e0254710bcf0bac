"""`Searcher`: one program, its configuration and its databases, ready for any number of queries.

`key` names a result by all that it depends on, so that it can be kept and found again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from data_tools.errors import DatabaseError
from data_tools.search.database import Database, HHDatabase, MMseqsDatabase, SequenceDatabase
from data_tools.search.hhsuite import hhblits
from data_tools.search.hhsuite_config import HHblitsConfig
from data_tools.search.hmmer import JackhmmerConfig, jackhmmer
from data_tools.search.mmseqs import MMseqsSearchConfig, mmseqs_search
from data_tools.search.query import Query
from data_tools.search.results import SearchResult
from data_tools.search.settings import check_resources
from data_tools.search.tool import Tool, find_tool

SearchConfig = HHblitsConfig | JackhmmerConfig | MMseqsSearchConfig
PROGRAMS: Final = {"hhblits": HHblitsConfig, "jackhmmer": JackhmmerConfig, "mmseqs": MMseqsSearchConfig}
KINDS: Final = {"hhblits": "hhblits", "jackhmmer": "fasta", "mmseqs": "mmseqs"}
"""Program → kind of the databases that it searches (`data_tools.search.database.DATABASES`)."""

_KEY_VERSION: Final = 1  # to be raised when the same key would name another result
_WITHOUT_EFFECT: Final[dict[str, Any]] = {"num_threads": 1, "timeout_s": None, "max_memory_gb": None}
"""Fields of a configuration that do not change a result (hhblits measured: the same bytes with one thread and two)."""


@dataclass(frozen=True, slots=True)
class Searcher:
    """A search that can be run; made by `prepare`, which checks it."""

    tool: Tool
    """The program."""
    config: SearchConfig
    """How it searches."""
    databases: tuple[Database, ...]
    """What it searches, of the kind that the program reads."""

    @classmethod
    def prepare(
        cls, config: SearchConfig, databases: Sequence[Database], *, tool: Tool | None = None
    ) -> Searcher:
        """Find the program of `config` and check that it can search `databases` on this machine.

        Raises DatabaseError for databases of another kind, and for more than one where the program takes one;
        ToolNotFoundError; ToolError for more threads than cores.
        """
        program = program_of(config)
        expected = {"hhblits": HHDatabase, "jackhmmer": SequenceDatabase, "mmseqs": MMseqsDatabase}[program]
        for database in databases:
            if not isinstance(database, expected):
                raise DatabaseError(
                    f"{database.prefix}: a {type(database).__name__}, but {program} searches a {expected.__name__}"
                )
        if not databases or (program != "hhblits" and len(databases) > 1):
            wanted = "at least one database" if program == "hhblits" else "one database"
            raise DatabaseError(f"{program} needs {wanted}, {len(databases)} were given")
        check_resources(config.num_threads)
        return cls(tool or find_tool(program), config, tuple(databases))

    @property
    def program(self) -> str:
        """`hhblits`, `jackhmmer` or `mmseqs`."""
        return program_of(self.config)

    def search(self, query: Query, output: Path) -> SearchResult:
        """Search with one query and write the alignment, A3M, to `output`; raises the program's typed errors."""
        config = self.config
        if isinstance(config, HHblitsConfig):
            wholes = [database for database in self.databases if isinstance(database, HHDatabase)]
            return hhblits(query, wholes, output, config, tool=self.tool)
        database = self.databases[0]
        if isinstance(config, JackhmmerConfig):
            assert isinstance(database, SequenceDatabase)
            return jackhmmer(query, database, output, config, tool=self.tool)
        assert isinstance(database, MMseqsDatabase)
        return mmseqs_search(query, database, output, config, tool=self.tool)

    def command(self, query: Path, output: Path) -> tuple[str, ...]:
        """The list of arguments of the program that searches."""
        return self._argv(
            self.config, self.tool.path, query, [d.prefix.absolute() for d in self.databases], output
        )

    def key(self, query: Query) -> str:
        """SHA-256 of all that the result depends on.

        That is: the query's residues, the configuration and the arguments (without paths, threads and limits), the
        program's version and the fingerprints of the databases. The query's name does not count.
        """
        config = replace(self.config, **_WITHOUT_EFFECT)
        names = [Path(f"DATABASE{number}") for number in range(len(self.databases))]
        parts = {
            "key_version": _KEY_VERSION,
            "sequence": query.sequence,
            "config": asdict(config),
            "argv": self._argv(config, Path(self.program), Path("QUERY"), names, Path("OUTPUT")),
            "version": self.tool.version_text,
            "databases": [database.fingerprint for database in self.databases],
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    @staticmethod
    def _argv(
        config: SearchConfig, program: Path, query: Path, databases: Sequence[Path], output: Path
    ) -> tuple[str, ...]:
        if isinstance(config, HHblitsConfig):
            return config.argv(program, query, databases, output)
        if isinstance(config, JackhmmerConfig):
            return config.argv(program, query, databases[0], output)
        return config.argv(program, query, databases[0], output, Path("SCRATCH"))


def program_of(config: SearchConfig) -> str:
    """Name of the program that a configuration is for."""
    return next(name for name, kind in PROGRAMS.items() if isinstance(config, kind))

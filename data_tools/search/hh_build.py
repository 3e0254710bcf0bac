"""Build a database for hhblits and hhsearch from alignment files.

Every alignment is read by `data_tools.formats`, so a broken one is left out and named instead of spoiling the
database. The entries are written here, as A3M with a `#key` line and no annotation rows (hhmake aborts on those).
hhmake, when HMMs are wanted, runs once an entry and what it wrote is checked (`ffindex_apply` keeps half a file and
says nothing). cstranslate is run on all. Entries stand in the files from the longest to the shortest, as
HH-suite's own databases do. All is built in a folder beside and moved in at the end.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Final

from data_tools.annotations import Annotations
from data_tools.errors import DatabaseError, DataToolsError, ToolNotFoundError
from data_tools.formats import read_alignment, write_alignment
from data_tools.search.database_files import all_failed, build_folder, move_into_place, refuse_existing
from data_tools.search.ffindex import FFWriter, check_key
from data_tools.search.hh_database import SUFFIXES, HHDatabase, check_hhm_entry
from data_tools.search.process import run, stop_all
from data_tools.search.tool import Tool, find_tool

# With HH-suite's default -maxres 20001, a search that meets an alignment of more columns says that it keeps only
# the first 19,999 and is not to be trusted (measured: 19,998 pass, 19,999 do not).
MAX_COLUMNS: Final = 19_998
_CONTEXT_FILES: Final = ("cs219.lib", "context_data.lib")
_DATA_FOLDERS: Final = ("/usr/share/hhsuite/data", "/usr/local/share/hhsuite/data")


def build_hh_database(
    alignments: Mapping[str, str | Path],
    prefix: str | Path,
    *,
    hhm: bool = False,
    num_threads: int = 1,
    overwrite: bool = False,
    timeout_s: float | None = None,
) -> tuple[HHDatabase, dict[str, str]]:
    """Build the database at `prefix` from alignment files by key (1 to 31 bytes).

    `timeout_s` holds for each program. Returns the database and, by key, what was wrong with each input left out.
    Raises DatabaseError when the database exists (unless `overwrite`), no input is good or the folder cannot be
    written, ToolNotFoundError without cstranslate (and hhmake for `hhm`), and the errors of `process.run`.
    """
    target = Path(prefix)
    if not alignments:
        raise DatabaseError(f"{target}: no alignment to build a database of")
    refuse_existing(target, SUFFIXES, overwrite=overwrite)
    cstranslate, libraries = find_tool("cstranslate"), context_libraries()
    hhmake = find_tool("hhmake") if hhm else None
    with build_folder(target) as folder:
        columns, failures = _write_entries(alignments, folder)
        if hhmake is not None:
            failures |= _make_hmms(columns, hhmake, folder, num_threads, timeout_s)
        good = [key for key in sorted(columns, key=lambda key: (-columns[key], key)) if key not in failures]
        if not good:
            raise all_failed(failures)
        built = folder / target.name
        numbers = {key: number for number, key in enumerate(columns)}
        _gather(good, numbers, "a3m", folder, built)
        if hhmake is not None:
            _gather(good, numbers, "hhm", folder, built)
        _translate(built, cstranslate, libraries, num_threads, timeout_s)
        HHDatabase.open(built).check_entries()
        move_into_place(folder, target, SUFFIXES)
    return HHDatabase.open(target), failures


def context_libraries() -> tuple[Path, Path]:
    """HH-suite's alphabet and context library, which cstranslate must be given; raises ToolNotFoundError."""
    folders = [Path(os.environ["HHLIB"]) / "data"] if os.environ.get("HHLIB") else []
    folders += [Path(folder) for folder in _DATA_FOLDERS]
    folders.append(find_tool("cstranslate").path.resolve().parent.parent / "data")  # HH-suite's own archives
    for folder in folders:
        files = [folder / name for name in _CONTEXT_FILES]
        if all(file.is_file() for file in files):
            return files[0], files[1]
    looked = ", ".join(str(folder) for folder in folders)
    raise ToolNotFoundError(
        f"{' and '.join(_CONTEXT_FILES)} of HH-suite were not found in {looked}; install hhsuite-data, or set HHLIB to "
        "the folder that holds data/"
    )


def _write_entries(
    alignments: Mapping[str, str | Path], folder: Path
) -> tuple[dict[str, int], dict[str, str]]:
    """Write each good alignment as `NUMBER.a3m`; the columns of each by key, and the failures."""
    columns: dict[str, int] = {}
    failures: dict[str, str] = {}
    for key, path in alignments.items():
        try:
            check_key(key)
            columns[key] = _write_entry(key, path, folder / f"{len(columns)}.a3m")
        except (DataToolsError, OSError) as error:
            failures[key] = str(error)
    return columns, failures


def _write_entry(key: str, path: str | Path, target: Path) -> int:
    alignment = replace(read_alignment(path), annotations=Annotations())
    if alignment.length > MAX_COLUMNS:
        raise DatabaseError(
            f"{path}: {alignment.length:,} columns; HH-suite takes at most {MAX_COLUMNS:,}: cut it into domains"
        )
    write_alignment(alignment, target)
    text = target.read_bytes()
    start = text.index(b">")  # what a format may put before the first record is not HH-suite's
    target.write_bytes(b"#" + key.encode() + b"\n" + text[start:])
    return alignment.length


def _make_hmms(
    columns: Mapping[str, int], hhmake: Tool, folder: Path, num_threads: int, timeout_s: float | None
) -> dict[str, str]:
    """Run hhmake on every entry, several at a time; the failures by key."""

    def make(number: int) -> str:
        source, target = folder / f"{number}.a3m", folder / f"{number}.hhm"
        try:
            run([hhmake.path, "-i", source, "-o", target, "-v", "0"], timeout_s=timeout_s)
            check_hhm_entry(target.read_bytes() if target.exists() else b"", "hhmake's output")
        except DataToolsError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(max(1, num_threads)) as pool:
        try:
            messages = list(pool.map(make, range(len(columns))))
        except BaseException:  # Ctrl-C: neither start those that wait, nor wait for those that run
            pool.shutdown(wait=False, cancel_futures=True)
            stop_all()
            raise
    return {key: message for key, message in zip(columns, messages, strict=True) if message}


def _gather(good: Sequence[str], numbers: Mapping[str, int], part: str, folder: Path, built: Path) -> None:
    """Write the entries of `good` one after the other into the files of the database."""
    with FFWriter(Path(f"{built}_{part}.ffdata"), Path(f"{built}_{part}.ffindex")) as writer:
        for key in good:
            writer.add(key, (folder / f"{numbers[key]}.{part}").read_bytes())


def _translate(
    built: Path, cstranslate: Tool, libraries: tuple[Path, Path], num_threads: int, timeout_s: float | None
) -> None:
    """Run cstranslate with the values of HH-suite's own databases (its guide, "Building customized databases")."""
    alphabet, context = libraries
    argv: list[str | Path] = [
        *(cstranslate.path, "-A", alphabet, "-D", context, "-x", "0.3", "-c", "4"),
        *("-f", "-I", "a3m", "-b", "-i", f"{built}_a3m", "-o", f"{built}_cs219"),
    ]
    run(argv, timeout_s=timeout_s, env={"OMP_NUM_THREADS": str(max(1, num_threads))})

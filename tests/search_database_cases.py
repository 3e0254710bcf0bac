"""Small real databases that several tests search: families of hmmer-examples and sequences made here."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from data_tools.search.ffindex import FFWriter

TUTORIAL = Path("/usr/share/doc/hmmer/examples/tutorial")
FAMILIES = ("fn3", "globins4")
A3M = b"#%s\n>q\nMKV-\n>h\nM-aaVW\n"
HHM = b"HHsearch 1.5\nNAME %s\n//\n"

needs_hhsuite = pytest.mark.skipif(
    shutil.which("hhblits") is None or not (TUTORIAL / "fn3.sto").exists(),
    reason="needs hhblits and the families of hmmer-examples (apt install hhsuite hhsuite-data hmmer-examples)",
)
needs_mmseqs = pytest.mark.skipif(shutil.which("mmseqs") is None, reason="needs mmseqs (apt install mmseqs2)")
needs_jackhmmer = pytest.mark.skipif(
    shutil.which("jackhmmer") is None, reason="needs jackhmmer (apt install hmmer)"
)


def family_a3m(name: str) -> str:
    """A family of hmmer-examples as A3M, by the obvious loop over its columns: the first sequence is the query."""
    rows: dict[str, str] = {}
    for line in (TUTORIAL / f"{name}.sto").read_text().splitlines():
        if line and not line.startswith(("#", "//")):
            row, text = line.split()
            rows[row] = rows.get(row, "") + text
    query = next(iter(rows.values()))
    text = ""
    for row, letters in rows.items():
        text += f">{row}\n"
        for column, letter in enumerate(letters):
            if query[column] not in ".-":
                text += "-" if letter in ".-" else letter.upper()
            elif letter not in ".-":
                text += letter.lower()
        text += "\n"
    return text


def write_families(folder: Path) -> dict[str, Path]:
    """The families as A3M files, by key."""
    files = {name: folder / f"{name}.a3m" for name in FAMILIES}
    for name, file in files.items():
        file.write_text(family_a3m(name))
    return files


def make_hh(folder: Path, keys: tuple[str, ...] = ("a", "b"), *, hhm: bool = True) -> Path:
    """A database with the right files, made without any program; its letters mean nothing."""
    prefix = folder / "db"
    contents = {"a3m": A3M, "cs219": b"xyz1"} | ({"hhm": HHM} if hhm else {})
    for part, content in contents.items():
        with FFWriter(Path(f"{prefix}_{part}.ffdata"), Path(f"{prefix}_{part}.ffindex")) as writer:
            for key in keys:
                writer.add(key, content % key.encode() if b"%s" in content else content)
    return prefix


# Stands in for hhblits: takes the options that it needs, finds one relative of every query, and obeys the query's
# letters. FOLDER/log gets the sequence of each search; FOLDER/slow makes queries with SLEEP wait until it is gone.
FAKE_HHBLITS = """#!/bin/sh
case "$1" in -h) echo "HHblits 3.3.0:"; exit 0;; esac
while [ $# -gt 0 ]; do case "$1" in -i) query=$2;; -oa3m) out=$2;; esac; shift; done
sequence=$(tail -n 1 "$query")
echo "start $sequence" >> FOLDER/log
case "$sequence" in
  *SLEEP*) printf '>msaformer_query\n%s\n>half' "$sequence" > "$out"
           while [ -e FOLDER/slow ]; do sleep 0.02; done;;
  *CRASH*) if [ ! -e FOLDER/crashed ] || [ -e FOLDER/always ]; then touch FOLDER/crashed; kill -SEGV $$; fi;;
  *FAIL*) if [ -e FOLDER/failing ]; then echo "ERROR: cannot do this" >&2; exit 3; fi;;
  *WARN*) echo "- 10:00:00.000 WARNING: something odd" >&2;;
esac
printf '>msaformer_query\n%s\n>relative\n%s\n' "$sequence" "$sequence" > "$out"
echo "end $sequence" >> FOLDER/log
"""


def install_fake_hhblits(folder: Path) -> Path:
    """Write the stand-in into `folder`, which also holds its log; returns its path."""
    program = folder / "hhblits"
    program.write_text(FAKE_HHBLITS.replace("FOLDER", str(folder)))
    program.chmod(0o755)
    return program


def searches(folder: Path) -> list[str]:
    """Sequences that the stand-in was started with."""
    log = folder / "log"
    lines = log.read_text().splitlines() if log.exists() else []
    return [line.split()[1] for line in lines if line.startswith("start")]

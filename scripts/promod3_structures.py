#!/usr/bin/python3
"""Read the structures of Debian's promod3-data. For Debian's own Python, which has python3-promod3.

    promod3_structures.py sequences [--min-length L] [--max-length L] [--limit N] > chains.fasta
    promod3_structures.py structures --ids FILE FOLDER

`sequences` prints one record a chain, named PDB code and chain (`12AS_A`), in the order of the database. `structures`
writes FOLDER/ID.pdb.gz for each id of FILE (one a line): the backbone and Cβ of one chain with its SEQRES, numbered as
in the PDB entry; Gly has no Cβ. A file that is there already is left as it is; each appears whole or not at all.

The database (20,000 chains without breaks; PDB coordinates, CC0) and promod3 are Apache-2.0.
"""

import argparse
import gzip
import os
import sys
from collections.abc import Iterator
from pathlib import Path

_LETTERS = "ARNDCQEGHILKMFPSTWYV"
_NAMES = "ALA ARG ASN ASP CYS GLN GLU GLY HIS ILE LEU LYS MET PHE PRO SER THR TRP TYR VAL"
RESIDUE_NAMES = dict(zip(_LETTERS, _NAMES.split(), strict=True))
SEQRES_WIDTH = 13  # residues a line
MAX_RESIDUE_NUMBER = 9999  # four columns of a PDB file


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    sequences = commands.add_parser("sequences")
    sequences.add_argument("--min-length", type=int, default=40, metavar="L")
    sequences.add_argument("--max-length", type=int, default=400, metavar="L")
    sequences.add_argument("--limit", type=int, metavar="N", help="only the first N chains that fit")
    structures = commands.add_parser("structures")
    structures.add_argument("--ids", type=Path, required=True, metavar="FILE")
    structures.add_argument("folder", type=Path, metavar="FOLDER")
    arguments = parser.parse_args()
    try:
        from promod3 import loop
    except ImportError:
        print(
            f"error: {sys.executable} has no promod3; apt-get install python3-promod3 promod3-data",
            file=sys.stderr,
        )
        return 1
    database = loop.LoadStructureDB()
    if arguments.command == "sequences":
        print_sequences(database, arguments.min_length, arguments.max_length, arguments.limit)
        return 0
    return write_structures(database, arguments.ids.read_text(encoding="utf-8").split(), arguments.folder)


def print_sequences(database, min_length: int, max_length: int, limit: "int | None") -> None:
    printed = 0
    for number, name in chains(database):
        sequence = database.GetSequence(number)
        if not min_length <= len(sequence) <= max_length or not set(sequence) <= set(RESIDUE_NAMES):
            continue
        if limit is not None and printed >= limit:
            return
        print(f">{name}\n{sequence}")
        printed += 1


def write_structures(database, ids: "list[str]", folder: Path) -> int:
    numbers = {name: number for number, name in chains(database)}
    unknown = [name for name in ids if name not in numbers]
    if unknown:
        print(f"error: promod3-data has no chain {unknown[0]!r}", file=sys.stderr)
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    for name in ids:
        path = folder / f"{name}.pdb.gz"
        if path.exists():
            continue
        unfinished = folder / f".{name}.{os.getpid()}"
        unfinished.write_bytes(gzip.compress(pdb_text(database, numbers[name]).encode("ascii"), mtime=0))
        unfinished.replace(path)
    return 0


def chains(database) -> "Iterator[tuple[int, str]]":
    """Number and name of each chain."""
    for number in range(database.GetNumCoords()):
        info = database.GetCoordInfo(number)
        yield number, f"{info.id}_{info.chain_name}"


def pdb_text(database, number: int) -> str:
    """One chain as a PDB file."""
    info, residues = database.GetCoordInfo(number), database.GetBackboneList(number)
    chain = info.chain_name
    names = [RESIDUE_NAMES[letter] for letter in residues.GetSequence()]
    first = info.start_resnum
    if not -999 <= first <= MAX_RESIDUE_NUMBER - len(names):
        first = 1
    lines = [f"HEADER    {'CHAIN OF PROMOD3-DATA':<40}{'':<9}   {info.id:<4}"]
    for start in range(0, len(names), SEQRES_WIDTH):
        listed = " ".join(names[start : start + SEQRES_WIDTH])
        lines.append(f"SEQRES {start // SEQRES_WIDTH + 1:>3} {chain} {len(names):>4}  {listed}")
    serial = 0
    for place, residue_name in enumerate(names):
        atoms = {"N": residues.GetN, "CA": residues.GetCA, "C": residues.GetC, "O": residues.GetO}
        if residue_name != "GLY":
            atoms["CB"] = residues.GetCB
        for atom_name, position_of in atoms.items():
            serial += 1
            x, y, z = position_of(place)
            lines.append(
                f"ATOM  {serial:>5}  {atom_name:<3} {residue_name} {chain}{first + place:>4}    "
                f"{x:8.3f}{y:8.3f}{z:8.3f}{1:6.2f}{0:6.2f}          {atom_name[0]:>2}"
            )
    lines += [f"TER   {serial + 1:>5}      {names[-1]} {chain}{first + len(names) - 1:>4}", "END"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())

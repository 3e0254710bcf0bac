#!/usr/bin/env python
"""Pack a folder of alignments and coordinates into an example store for training (`data_tools.store`).

    build_store.py DATA_DIR --split train|val|all -o STORE

DATA_DIR holds:

    index.csv     a header and one line per protein: `id` and, unless `--split all` is asked for, `split`;
                  other columns are left alone
    a3m.tar.xz    a3m/ID.a3m, row 0 the protein (or the same files unpacked, in the folder `--alignments`)
    coords.npz    all chains concatenated: `id` [n], `offset` [n+1] with protein k at offset[k]:offset[k+1],
                  `seq` (one long string), `atoms` (five names, N, CA, C and CB among them) and `xyz` [sum L, 5, 3],
                  float32 Å with NaN where not resolved, or `xyz_centiA`, int16 hundredths of Å (-32768: not
                  resolved)

Distances are Cβ–Cβ, and Cα for Gly; the backbone, of which orientations are made, has an ideal Cβ for Gly.
Each alignment's row 0 must equal the sequence of the coordinates. Examples are stored in the order of
index.csv, so the same folder makes the same store with any number of workers.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from data_tools.alphabet import decode, encode
from data_tools.backbone import BACKBONE, CA, CB, virtual_cb
from data_tools.errors import DataToolsError
from data_tools.features import featurize
from data_tools.formats import read_alignment
from data_tools.store import Example, StoreWriter

UNRESOLVED_CENTI_ANGSTROM = -32768  # the int16 no coordinate can be
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


@dataclass(frozen=True)
class Protein:
    """What a worker needs for one example."""

    id: str
    alignment: Path
    sequence: str
    atoms: npt.NDArray[np.float32]
    """`[L, 4, 3]` Å of N, Cα, C, Cβ; NaN where not resolved."""


def main(words: Sequence[str] | None = None) -> int:
    """Do what `words` say, those of the command line if None; return the exit code."""
    arguments = parse_arguments(words)
    try:
        with ExitStack() as stack:
            folder = alignments_folder(arguments.data, arguments.alignments, stack)
            ids = wanted_ids(arguments.data / "index.csv", arguments.split, arguments.exclude)
            proteins = list(read_proteins(arguments.data / "coords.npz", ids, folder))
            build(proteins, arguments)
    except (DataToolsError, OSError, ValueError, KeyError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def parse_arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("data", type=Path, metavar="DATA_DIR")
    parser.add_argument("--split", choices=("train", "val", "all"), required=True)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="STORE")
    parser.add_argument("--alignments", type=Path, metavar="DIR", help="folder of ID.a3m, unpacked")
    parser.add_argument(
        "--exclude", type=Path, metavar="FILE", help="ids to leave out, one a line, # comments"
    )
    parser.add_argument("--max-depth", type=int, metavar="N", help="keep the first N rows of each alignment")
    parser.add_argument("--workers", type=int, default=2, metavar="N")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N proteins, to try it out")
    parser.add_argument("--overwrite", action="store_true", help="replace the store at STORE")
    arguments = parser.parse_args(words)
    for name in ("max_depth", "workers", "limit"):
        value = getattr(arguments, name)
        if value is not None and value < 1:
            parser.error(f"--{name.replace('_', '-')} must be at least 1, not {value}")
    return arguments


def build(proteins: list[Protein], arguments: argparse.Namespace) -> None:
    """Write the examples of `proteins` in order, as the workers finish them."""
    chosen = proteins[: arguments.limit]
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))  # for the workers, which load numpy afresh
    make = partial(make_example, max_depth=arguments.max_depth)
    progress = tqdm(total=len(chosen), unit="protein", file=sys.stderr, disable=not sys.stderr.isatty())
    with (
        progress,
        StoreWriter(arguments.output, overwrite=arguments.overwrite) as writer,
        get_context("spawn").Pool(min(arguments.workers, max(len(chosen), 1))) as pool,
    ):
        for example in pool.imap(make, chosen, chunksize=1):
            writer.add(example)
            progress.update()
    print(f"{arguments.output}: {len(chosen)} examples")


def make_example(protein: Protein, max_depth: int | None) -> Example:
    """Featurize one protein; raises ValueError when its alignment is of another sequence."""
    alignment = read_alignment(protein.alignment)
    if alignment.query != decode(encode(protein.sequence)):
        raise ValueError(f"{protein.alignment}: row 0 is not the sequence of {protein.id} in coords.npz")
    if max_depth is not None and alignment.depth > max_depth:
        alignment = alignment.take_rows(np.arange(max_depth))
    atoms = protein.atoms
    is_glycine = np.array([letter == "G" for letter in protein.sequence])[:, None]
    contact_atom = np.where(is_glycine, atoms[:, CA], atoms[:, CB])
    difference = contact_atom[:, None, :] - contact_atom[None, :, :]
    distances = np.sqrt((difference**2).sum(axis=-1, dtype=np.float32))
    backbone = atoms.copy()
    backbone[:, CB] = np.where(is_glycine, virtual_cb(atoms), atoms[:, CB])
    return Example(protein.id, featurize(alignment), distances, backbone)


def alignments_folder(data: Path, unpacked: Path | None, stack: ExitStack) -> Path:
    """The folder of ID.a3m; without one, a3m.tar.xz is unpacked for the time of the run."""
    if unpacked is not None:
        return unpacked
    temporary = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="build_store-")))
    with tarfile.open(data / "a3m.tar.xz") as archive:
        archive.extractall(temporary, filter="data")
    return temporary / "a3m"


def wanted_ids(index: Path, split: str, exclude: Path | None) -> list[str]:
    """Ids of `split` in the order of index.csv, without those listed in `exclude`."""
    with index.open(newline="", encoding="utf-8") as opened:
        lines = list(csv.DictReader(opened))
    columns = set(lines[0]) if lines else set()
    needed = {"id"} if split == "all" else {"id", "split"}
    if not needed <= columns:
        raise ValueError(f"{index}: needs the columns {', '.join(sorted(needed))}")
    left_out = set() if exclude is None else set(read_ids(exclude))
    ids = [line["id"] for line in lines if split == "all" or line["split"] == split]
    unknown = left_out - {line["id"] for line in lines}
    if unknown:
        raise ValueError(f"{exclude}: {min(unknown)!r} is not in {index}")
    return [name for name in ids if name not in left_out]


def read_ids(path: Path) -> Iterator[str]:
    for line in path.read_text(encoding="utf-8").splitlines():
        name = line.partition("#")[0].strip()
        if name:
            yield name


def read_proteins(coordinates: Path, ids: list[str], alignments: Path) -> Iterator[Protein]:
    """Cut the chains of `ids` out of coords.npz."""
    with np.load(coordinates, allow_pickle=False) as arrays:
        in_centi_angstrom = "xyz_centiA" in arrays.files
        atoms = arrays["xyz_centiA" if in_centi_angstrom else "xyz"]
        names, offset, sequences = arrays["id"], arrays["offset"], str(arrays["seq"])
        order = [str(name) for name in arrays["atoms"]]
    where = {str(name): number for number, name in enumerate(names)}
    for name in ids:
        if name not in where:
            raise ValueError(f"{coordinates}: no coordinates of {name!r}")
        start, stop = int(offset[where[name]]), int(offset[where[name] + 1])
        chain = atoms[start:stop].astype(np.float32)
        if in_centi_angstrom:
            chain[atoms[start:stop] == UNRESOLVED_CENTI_ANGSTROM] = np.nan
            chain /= 100
        backbone = chain[:, [order.index(atom) for atom in BACKBONE]]
        yield Protein(name, alignments / f"{name}.a3m", sequences[start:stop], backbone)


if __name__ == "__main__":
    raise SystemExit(main())

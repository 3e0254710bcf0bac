"""Coordinates agree, to the last bit, with those of two other readers, each by its own logic: Biopython and biotite.

The environment variable MSAFORMER_TEST_STRUCTURES names a folder of more structure files to compare on.
"""

from __future__ import annotations

import gzip
import io
import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from Bio.PDB import MMCIFParser, PDBParser
from Bio.PDB.PDBExceptions import PDBConstructionException
from biotite.structure import AtomArray
from biotite.structure.io.pdb import PDBFile
from biotite.structure.io.pdbx import BinaryCIFFile, CIFFile, get_structure
from tiny_structures import awkward_mmcif, awkward_pdb, binary_cif, save

from data_tools.errors import StructureError
from data_tools.structure import Chain, read_chains
from msaformer import example

DATA = Path(__file__).parent / "data"
BACKBONE = ("N", "CA", "C", "CB")
Key = tuple[str, str, str]  # chain, number, monomer
Atoms = dict[Key, dict[str, np.ndarray]]


def more_files() -> list[Path]:
    folder = os.environ.get("MSAFORMER_TEST_STRUCTURES")
    suffixes = (".cif", ".pdb", ".ent", ".bcif")
    files = sorted(Path(folder).rglob("*")) if folder else []
    return [path for path in files if path.name.removesuffix(".gz").lower().endswith(suffixes)]


def content(path: Path) -> bytes:
    data = path.read_bytes()
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def kind_of(path: Path) -> str:
    name = path.name.removesuffix(".gz").lower()
    return "pdb" if name.endswith((".pdb", ".ent")) else "bcif" if name.endswith(".bcif") else "cif"


def ours(chains: tuple[Chain, ...], *, by_label: bool) -> Atoms:
    """All modelled residues of the chains; the virtual Cβ of Gly is left out."""
    atoms: Atoms = {}
    for chain in chains:
        for place, number in enumerate(chain.residue_numbers):
            if number:
                key = (chain.name, str(place + 1)) if by_label else (chain.author_name, number)
                monomer = chain.residue_names[place]
                atoms[(*key, monomer)] = {
                    name: position
                    for name, position in zip(BACKBONE, chain.backbone[place], strict=True)
                    if np.isfinite(position).all() and not (name == "CB" and chain.sequence[place] == "G")
                }
    return atoms


def of_biopython(path: Path, *, by_label: bool) -> Atoms:
    """The first model; a disordered atom stands for its most occupied place by Biopython's own rule."""
    text = io.StringIO(content(path).decode())
    if kind_of(path) == "pdb":
        parser = PDBParser(QUIET=True)
    else:
        parser = MMCIFParser(QUIET=True, auth_chains=not by_label, auth_residues=not by_label)
    model = next(iter(parser.get_structure("x", text)))
    atoms: Atoms = {}
    for chain in model:
        for place in chain:
            # several monomers at one place are one disordered residue, several places of one monomer are not
            several = place.is_disordered() == 2
            for residue in place.disordered_get_list() if several else [place]:
                number = f"{residue.id[1]}{'' if by_label else residue.id[2].strip()}"
                atoms[(chain.id.strip() or "_", number, residue.resname.strip())] = {
                    atom.name: atom.coord for atom in residue if atom.name in BACKBONE
                }
    return atoms


def of_biotite(path: Path, *, by_label: bool) -> Atoms:
    """The first model, all alternate places; of the same name the first of those with the highest occupancy."""
    if kind_of(path) == "pdb":
        file = PDBFile.read(io.StringIO(content(path).decode()))
        array = file.get_structure(model=1, altloc="all", extra_fields=["occupancy"])
    else:
        pdbx = (
            BinaryCIFFile.read(io.BytesIO(content(path)))
            if kind_of(path) == "bcif"
            else CIFFile.read(io.StringIO(content(path).decode()))
        )
        array = get_structure(
            pdbx, model=1, altloc="all", extra_fields=["occupancy"], use_author_fields=not by_label
        )
    return most_occupied(array, by_label=by_label)


def most_occupied(array: AtomArray, *, by_label: bool) -> Atoms:
    best: dict[tuple[Key, str], tuple[float, np.ndarray]] = {}
    for k in np.flatnonzero(np.isin(array.atom_name, BACKBONE)):
        chain = str(array.chain_id[k]).strip() or "_"
        code = "" if by_label else str(array.ins_code[k]).strip()
        key = (chain, f"{array.res_id[k]}{code}", str(array.res_name[k]))
        found = best.get((key, str(array.atom_name[k])))
        if found is None or array.occupancy[k] > found[0]:
            best[key, str(array.atom_name[k])] = (float(array.occupancy[k]), array.coord[k])
    atoms: Atoms = {}
    for (key, name), (_, position) in best.items():
        atoms.setdefault(key, {})[name] = position
    return atoms


def differences(mine: Atoms, other: Atoms) -> Iterator[str]:
    """What is not the same: only the residues that we take for a protein's are looked up in the other."""
    for key, atoms in mine.items():
        theirs = other.get(key, {})
        if key[2] == "GLY":
            theirs = {name: position for name, position in theirs.items() if name != "CB"}
        if set(atoms) != set(theirs):
            yield f"{key}: atoms {sorted(atoms)} and {sorted(theirs)}"
            continue
        for name, position in atoms.items():
            if position.dtype != np.float32 or not np.array_equal(position, theirs[name]):
                yield f"{key} {name}: {position} and {theirs[name]}"


def compare_readers(path: Path, *, may_fail: bool = False) -> int:
    """Check one file; the number of residues compared. Of the others one `may_fail` to read it at all."""
    chains = read_chains(path)
    by_label = kind_of(path) != "pdb" and not any(chain.from_atoms for chain in chains)
    mine = ours(chains, by_label=by_label)
    readers = (of_biotite,) if kind_of(path) == "bcif" else (of_biotite, of_biopython)
    failed = 0
    for read in readers:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the other readers, about the files
            try:
                theirs = read(path, by_label=by_label)
            except (ValueError, TypeError, PDBConstructionException):
                failed += 1
                continue
        assert list(differences(mine, theirs)) == [], read.__name__
    assert failed <= may_fail < len(readers) or failed == 0
    return len(mine)


@pytest.mark.parametrize(
    ("path", "num_residues"),
    [(example.STRUCTURE, 160), (DATA / "3QL0.pdb.gz", 160), (DATA / "3TGI.pdb.gz", 279)],
    ids=lambda value: value.name if isinstance(value, Path) else "",
)
def test_real_pdb_files_read_as_by_others(path: Path, num_residues: int) -> None:
    assert compare_readers(path) == num_residues


@pytest.mark.parametrize(("name", "text"), [("awkward.cif", awkward_mmcif()), ("awkward.pdb", awkward_pdb())])
def test_insertion_codes_altlocs_and_gaps_read_as_by_others(tmp_path: Path, name: str, text: str) -> None:
    assert compare_readers(save(tmp_path, text, name)) == 8


def test_binary_cif_reads_as_by_others_and_as_the_text(tmp_path: Path) -> None:
    text = save(tmp_path, awkward_mmcif(), "awkward.cif")
    binary = tmp_path / "awkward.bcif"
    binary.write_bytes(binary_cif(awkward_mmcif()))
    assert compare_readers(binary) == 8
    for one, other in zip(read_chains(text), read_chains(binary), strict=True):
        assert (one.name, one.author_name, one.sequence) == (other.name, other.author_name, other.sequence)
        assert one.residue_numbers == other.residue_numbers
        np.testing.assert_array_equal(one.backbone, other.backbone)


@pytest.mark.parametrize("path", more_files(), ids=lambda path: path.name)
def test_a_named_folder_reads_as_by_others(path: Path) -> None:
    try:
        chains = read_chains(path)
    except StructureError as error:
        pytest.skip(f"refused: {error}")
    if any(len(chain.author_name) > 1 for chain in chains) and kind_of(path) == "pdb":
        pytest.skip("chains named by segment, which the others do not read")
    assert compare_readers(path, may_fail=True) > 0

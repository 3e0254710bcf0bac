"""The structure part of `benchmark.py`: an mmCIF file of 4 MB to the contact atoms of every residue of SEQRES.

The file is made on the spot: the bundled example in many copies, each a chain of its own. The peer is Biopython's
MMCIFParser with label numbering, and the plain loop over its residues.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmark_measure import Figure, alternate, difference, speed

if TYPE_CHECKING:
    import gemmi
    import numpy.typing as npt

FILE_BYTES: Final = 4_000_000
COLUMNS: Final = 6  # of the grid that the copies stand on
SPACING_ANGSTROM: Final = 80.0


def benchmark_structure(quick: bool) -> Iterator[Figure]:
    import numpy as np

    from data_tools.structure import read_chains

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "copies.cif"
        write_copies(path, 20_000 if quick else FILE_BYTES)
        megabytes = path.stat().st_size / 1e6
        ours, peer = alternate(lambda: read_chains(path), lambda: contact_atoms_plainly(path), repeats=5)
    chains = {chain.name: chain.contact_atom for chain in ours.result}
    same = chains.keys() == peer.result.keys() and all(
        np.array_equal(positions, peer.result[name], equal_nan=True) for name, positions in chains.items()
    )
    name = f"mmCIF of {megabytes:.1f} MB, {len(chains)} chains, to contact atoms by SEQRES"
    yield from speed("structure", name, ours, peer, at_least=None if quick else 8)
    yield difference("structure", "chains that differ", float(not same), at_most=0)


def write_copies(path: Path, num_bytes: int) -> None:
    """Write mmCIF of about `num_bytes`: copies of the example's protein, one a chain, side by side."""
    import gemmi

    from data_tools.structure_file import read_structure_file
    from msaformer import example

    structure = read_structure_file(example.STRUCTURE)
    structure.remove_ligands_and_waters()
    original = structure[0][0].clone()
    one_copy = len(structure.make_mmcif_document().as_string())
    count = max(1, round(num_bytes / one_copy))
    model = gemmi.Model(1)
    for number in range(count):
        model.add_chain(moved_copy(original, number))
    copies = gemmi.Structure()
    copies.name = "COPIES"
    copies.add_model(model)
    entity = structure.entities[0]
    entity.subchains = [chain.name for chain in model]
    copies.entities = gemmi.EntityList([entity])
    copies.assign_label_seq_id()
    copies.make_mmcif_document().write_file(str(path))


def moved_copy(original: gemmi.Chain, number: int) -> gemmi.Chain:
    """The chain called A0, A1, …, at its own place of the grid."""
    import gemmi

    chain = original.clone()
    chain.name = f"A{number}"
    row, column = divmod(number, COLUMNS)
    shift = gemmi.Position(column * SPACING_ANGSTROM, row * SPACING_ANGSTROM, 0)
    for residue in chain:
        residue.subchain = chain.name
        for atom in residue:
            atom.pos += shift
    return chain


def contact_atoms_plainly(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Cβ, for Gly Cα, `[L_s, 3]` of each chain by label numbers, as read by Biopython."""
    import numpy as np
    from Bio.PDB import MMCIFParser

    parser = MMCIFParser(QUIET=True, auth_chains=False, auth_residues=False)
    structure = parser.get_structure("copies", str(path))
    length = len(parser._mmcif_dict["_entity_poly_seq.num"])  # one entity
    found = {}
    for chain in next(iter(structure)):
        positions = np.full((length, 3), math.nan, dtype=np.float32)
        for residue in chain:
            name = "CA" if residue.resname == "GLY" else "CB"
            if name in residue:
                positions[residue.id[1] - 1] = residue[name].coord
        found[chain.id] = positions
    return found

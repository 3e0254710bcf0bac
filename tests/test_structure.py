"""Chains of mmCIF and PDB files: the numbering is that of SEQRES, and what is not resolved is NaN."""

from __future__ import annotations

import gzip
from pathlib import Path

import gemmi
import numpy as np
import pytest
from tiny_structures import Atom, gzipped, mmcif, pdb, residue, save

from data_tools import structure_file
from data_tools.errors import ChainNotFoundError, StructureError
from data_tools.structure import Chain, read_chains, select_chain

DATA = Path(__file__).parent / "data"
SEQRES = ["MET", "LYS", "GLY", "SER", "VAL", "TRP"]
COMPLETE = [atom for place, name in enumerate(SEQRES, 1) for atom in residue(place, name)]


def read_one(folder: Path, text: str | bytes) -> Chain:
    (chain,) = read_chains(save(folder, text))
    return chain


def contact_x(chain: Chain) -> list[float]:
    return [round(float(x), 3) for x in chain.contact_atom[:, 0]]


@pytest.mark.parametrize("write", [mmcif, pdb])
def test_contact_atom_is_cb_and_ca_for_glycine(tmp_path: Path, write: type) -> None:
    chain = read_one(tmp_path, write(COMPLETE, {"A": SEQRES}))
    assert chain.sequence == "MKGSVW"
    assert chain.residue_names == tuple(SEQRES)
    assert chain.residue_numbers == ("1", "2", "3", "4", "5", "6")
    assert contact_x(chain) == [4.3, 8.1, 11.4, 15.7, 19.5, 23.3]
    np.testing.assert_allclose(chain.ca[:, 0], 3.8 * np.arange(1, 7), rtol=1e-6)
    assert chain.contact_atom.dtype == chain.ca.dtype == np.float32
    assert not chain.from_atoms
    assert chain.num_resolved == 6


@pytest.mark.parametrize("write", [mmcif, pdb])
def test_missing_residues_keep_their_place_and_are_nan(tmp_path: Path, write: type) -> None:
    atoms = [atom for atom in COMPLETE if atom.label not in (1, 3, 4)]
    chain = read_one(tmp_path, write(atoms, {"A": SEQRES}))
    assert chain.sequence == "MKGSVW"
    assert chain.residue_numbers == ("", "2", "", "", "5", "6")
    np.testing.assert_array_equal(np.isnan(chain.contact_atom[:, 0]), [True, False, True, True, False, False])
    assert contact_x(chain)[4] == 19.5


def test_a_residue_without_cb_is_unresolved_though_its_ca_is_known(tmp_path: Path) -> None:
    atoms = [atom for atom in COMPLETE if (atom.label, atom.name) != (2, "CB")]
    chain = read_one(tmp_path, mmcif(atoms, {"A": SEQRES}))
    assert chain.residue_numbers[1] == "2"
    assert np.isnan(chain.contact_atom[1]).all()
    assert np.isfinite(chain.ca[1]).all()


@pytest.mark.parametrize("write", [mmcif, pdb])
def test_insertion_codes_and_author_numbers_do_not_shift_the_index(tmp_path: Path, write: type) -> None:
    numbers = [(-1, ""), (15, ""), (15, "A"), (15, "B"), (18, ""), (19, "")]
    atoms = [
        atom
        for place, (name, (number, code)) in enumerate(zip(SEQRES, numbers, strict=True), 1)
        for atom in residue(place, name, number=number, code=code)
    ]
    chain = read_one(tmp_path, write(atoms, {"A": SEQRES}))
    assert chain.residue_numbers == ("-1", "15", "15A", "15B", "18", "19")
    assert contact_x(chain) == [4.3, 8.1, 11.4, 15.7, 19.5, 23.3]


@pytest.mark.parametrize("write", [mmcif, pdb])
@pytest.mark.parametrize(
    ("occupancies", "expected"), [((0.4, 0.6), 60.5), ((0.5, 0.5), 40.5), ((0.7, 0.3), 40.5)]
)
def test_the_most_occupied_location_counts_and_of_equals_the_first(
    tmp_path: Path, write: type, occupancies: tuple[float, float], expected: float
) -> None:
    first = residue(4, "SER", x=40, altloc="A", occupancy=occupancies[0])
    second = residue(4, "SER", x=60, altloc="B", occupancy=occupancies[1])
    atoms = [*COMPLETE[:5], *first, *second, *COMPLETE[7:]]
    chain = read_one(tmp_path, write(atoms, {"A": SEQRES}))
    assert contact_x(chain)[3] == expected


@pytest.mark.parametrize("reverse", [False, True])
def test_microheterogeneity_takes_the_first_monomer_of_seqres(tmp_path: Path, reverse: bool) -> None:
    serine = residue(4, "SER", x=40, altloc="A", occupancy=0.3)
    threonine = residue(4, "THR", x=60, altloc="B", occupancy=0.7)
    both = threonine + serine if reverse else serine + threonine
    seqres = [*SEQRES[:3], "SER,THR", *SEQRES[4:]]
    chain = read_one(tmp_path, mmcif([*COMPLETE[:5], *both, *COMPLETE[7:]], {"A": seqres}))
    assert chain.sequence == "MKGSVW"
    assert chain.residue_names[3] == "SER"
    assert contact_x(chain)[3:] == [40.5, 19.5, 23.3]


@pytest.mark.parametrize("write", [mmcif, pdb])
def test_modified_residues_have_the_letter_of_their_parent(tmp_path: Path, write: type) -> None:
    names = ["MSE", "SEP", "SEC", "UNK", "PYL", "ALA"]
    atoms = [atom for place, name in enumerate(names, 1) for atom in residue(place, name)]
    chain = read_one(tmp_path, write(atoms, {"A": names}))
    assert chain.sequence == "MSCXXA"
    assert chain.residue_names == tuple(names)
    assert chain.num_resolved == 6


@pytest.mark.parametrize("write", [mmcif, pdb])
def test_without_seqres_the_sequence_is_that_of_the_modelled_residues(tmp_path: Path, write: type) -> None:
    atoms = [atom for atom in COMPLETE if atom.label not in (3, 4)]
    chain = read_one(tmp_path, write(atoms))
    assert chain.from_atoms
    assert chain.sequence == "MKVW"
    assert chain.residue_numbers == ("1", "2", "5", "6")
    assert contact_x(chain) == [4.3, 8.1, 19.5, 23.3]


@pytest.mark.parametrize("write", [mmcif, pdb])
def test_of_several_models_the_first_is_read(tmp_path: Path, write: type) -> None:
    second = [
        atom for place, name in enumerate(SEQRES, 1) for atom in residue(place, name, x=-place, model=2)
    ]
    chain = read_one(tmp_path, write(COMPLETE + second, {"A": SEQRES}))
    assert contact_x(chain) == [4.3, 8.1, 11.4, 15.7, 19.5, 23.3]


@pytest.mark.parametrize("write", [mmcif, pdb])
def test_gzip_is_known_by_content(tmp_path: Path, write: type) -> None:
    assert read_one(tmp_path, gzipped(write(COMPLETE, {"A": SEQRES}))).sequence == "MKGSVW"


def test_crlf_and_a_byte_order_mark_are_accepted(tmp_path: Path) -> None:
    for text in (mmcif(COMPLETE, {"A": SEQRES}), pdb(COMPLETE, {"A": SEQRES})):
        assert read_one(tmp_path, "\ufeff" + text.replace("\n", "\r\n")).sequence == "MKGSVW"


def test_only_protein_chains_are_read(tmp_path: Path) -> None:
    nucleic = [Atom(place, "DA", name, 90.0 + place, chain="B") for place in (1, 2) for name in ("P", "C1'")]
    text = mmcif([*COMPLETE, *nucleic], {"A": SEQRES, "B": ["DA", "DA"]})
    text = text.replace("2 'polypeptide(L)'", "2 polydeoxyribonucleotide")
    assert read_one(tmp_path, text).name == "A"
    only_nucleic = mmcif(nucleic, {"B": ["DA", "DA"]}).replace("polypeptide(L)", "polydeoxyribonucleotide")
    with pytest.raises(StructureError, match="no protein chain"):
        read_chains(save(tmp_path, only_nucleic))


def two_chains(folder: Path) -> tuple[Chain, ...]:
    """Label A is the author's X, label B the author's A; B lacks a residue."""
    first = [atom for place, name in enumerate(SEQRES, 1) for atom in residue(place, name, author_chain="X")]
    second = [
        atom
        for place, name in enumerate(SEQRES[1:], 1)
        for atom in residue(place, name, chain="B", author_chain="A")
    ]
    return read_chains(save(folder, mmcif(first + second, {"A": SEQRES, "B": SEQRES[1:]})))


def test_a_chain_is_named_by_its_author_id_first_and_then_by_label(tmp_path: Path) -> None:
    chains = two_chains(tmp_path)
    assert select_chain(chains, "MKGSVW", "X", source="file").name == "A"
    assert select_chain(chains, "MKGSVW", "A", source="file").name == "B"
    assert select_chain(chains, "MKGSVW", "B", source="file").name == "B"


def test_without_a_name_the_chain_most_like_the_query_is_taken(tmp_path: Path) -> None:
    chains = two_chains(tmp_path)
    assert select_chain(chains, "MKGSVW", None, source="file").name == "A"
    assert select_chain(chains, "KGSVW", None, source="file").name == "A"  # equally good: the more resolved
    assert select_chain(chains[::-1], "KGSVW", None, source="file").name == "A"


def test_an_unknown_chain_is_refused_with_the_chains_present(tmp_path: Path) -> None:
    with pytest.raises(
        ChainNotFoundError, match=r"x\.cif: .* 'Z'; the file has X \(label A\), A \(label B\)"
    ):
        select_chain(two_chains(tmp_path), "MKGSVW", "Z", source="x.cif")


def test_hostile_files_are_refused_by_name(tmp_path: Path) -> None:
    good = mmcif(COMPLETE, {"A": SEQRES})
    flat = pdb(COMPLETE, {"A": SEQRES})
    cases: list[tuple[str | bytes, str]] = [
        ("", "neither mmCIF .* nor PDB"),
        (">query\nMKGSVW\n", "neither mmCIF .* nor PDB"),
        ("data_x\n_entry.id x\n", "no atoms"),
        ("HEADER    NOTHING\nEND\n", "no atoms"),
        (good[: good.rindex(" 0.000")], "damaged mmCIF"),
        (good.replace("19.500", "1x.500"), "CB of residue 5 has no numeric coordinates"),
        (good.replace("19.500", "?"), "CB of residue 5 has no numeric coordinates"),
        (flat.replace("  19.500", "  1x.500"), r"tiny\.txt:11: damaged ATOM record"),
        (flat.replace("VAL A   5", "VAL A   ?"), r"tiny\.txt:10: damaged ATOM record .*residue number"),
        (flat[: flat.index("19.500") + 4], r"damaged ATOM record"),
        (gzipped(good)[:-20], "gzip file is truncated"),
        (gzipped(good)[:40] + b"\0" * 60, "gzip file is damaged"),
        (b"\x1f\x8b\x00garbage-garbage", "gzip file is damaged"),
        (good.encode() + b"\xff\xfe", "byte 0xff is no UTF-8"),
        (good + "\0", "NUL bytes"),
    ]
    for content, message in cases:
        path = save(tmp_path, content)
        with pytest.raises(StructureError, match=message) as caught:
            read_chains(path)
        assert str(caught.value).startswith(str(path))
        assert "\n" not in str(caught.value)


def test_missing_files_and_folders_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(StructureError, match="there is no such file"):
        read_chains(tmp_path / "absent.cif")
    with pytest.raises(StructureError, match="this is a folder"):
        read_chains(tmp_path)


def test_a_gzip_bomb_stops_at_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(structure_file, "MAX_TEXT_BYTES", 1000)
    with pytest.raises(StructureError, match="more than 1,000 bytes"):
        read_chains(save(tmp_path, gzip.compress(b" " * 100_000)))


def test_numbering_that_contradicts_seqres_is_refused(tmp_path: Path) -> None:
    shifted = [atom for place, name in enumerate(SEQRES[1:], 1) for atom in residue(place, name)]
    with pytest.raises(StructureError, match="5 of 5 modelled residues are not those of SEQRES"):
        read_chains(save(tmp_path, mmcif(shifted, {"A": SEQRES})))
    with pytest.raises(StructureError, match="outside the 6 residues of SEQRES"):
        read_chains(save(tmp_path, mmcif([*COMPLETE, *residue(7, "ALA")], {"A": SEQRES})))
    twice = [*COMPLETE, *residue(6, "TRP", number=99)]
    with pytest.raises(StructureError, match="residues 6 and 99 have the same label_seq_id 6"):
        read_chains(save(tmp_path, mmcif(twice, {"A": SEQRES})))


def positions_by_columns(path: Path, chain: str) -> dict[str, np.ndarray]:
    """Contact atom of each residue of a PDB file, by the columns of its ATOM records."""
    best: dict[str, tuple[float, np.ndarray]] = {}
    for line in gzip.decompress(path.read_bytes()).decode().splitlines():
        if not line.startswith("ATOM") or line[21] != chain:
            continue
        if line[12:16].strip() != ("CA" if line[17:20] == "GLY" else "CB"):
            continue
        number, occupancy = line[22:27].strip(), float(line[54:60])
        if number not in best or occupancy > best[number][0]:
            best[number] = (occupancy, np.array([float(line[at : at + 8]) for at in (30, 38, 46)]))
    return {number: position for number, (_, position) in best.items()}


@pytest.mark.parametrize(
    ("file", "name", "length", "modelled"),
    [("3QL0", "A", 160, 160), ("3TGI", "E", 223, 223), ("3TGI", "I", 65, 56)],
)
def test_real_files_agree_with_their_columns(file: str, name: str, length: int, modelled: int) -> None:
    path = DATA / f"{file}.pdb.gz"
    chain = next(one for one in read_chains(path) if one.name == name)
    expected = positions_by_columns(path, name)
    assert len(chain.sequence) == length
    assert chain.is_modelled.sum() == chain.num_resolved == modelled == len(expected)
    for number, position in zip(chain.residue_numbers, chain.contact_atom, strict=True):
        if number:
            np.testing.assert_allclose(position, expected[number], atol=1e-4)


def test_a_pdb_file_and_its_mmcif_agree(tmp_path: Path) -> None:
    structure = gemmi.read_structure(str(DATA / "3TGI.pdb.gz"))
    structure.setup_entities()
    structure.assign_label_seq_id()
    structure.make_mmcif_document().write_file(str(tmp_path / "3TGI.cif"))
    from_mmcif = read_chains(tmp_path / "3TGI.cif")
    for one, other in zip(read_chains(DATA / "3TGI.pdb.gz"), from_mmcif, strict=True):
        assert one.author_name == other.author_name
        assert one.sequence == other.sequence
        assert one.residue_numbers == other.residue_numbers
        np.testing.assert_allclose(one.contact_atom, other.contact_atom, atol=1e-3)

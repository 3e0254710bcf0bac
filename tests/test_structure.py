"""Chains of mmCIF and PDB files: the numbering is that of SEQRES, and what is not resolved is NaN."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import gemmi
import numpy as np
import pytest
from tiny_structures import Atom, binary_cif, gzipped, mmcif, pdb, residue, save

from data_tools import structure_file
from data_tools.backbone import virtual_cb
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


WHOLE = "N CA C CB"
BACKBONES = [atom for place, name in enumerate(SEQRES, 1) for atom in residue(place, name, atoms=WHOLE)]


def lines_of(atoms: list[Atom]) -> list[str]:
    """ATOM records alone."""
    return [line for line in pdb(atoms).splitlines() if line.startswith("ATOM")]


@pytest.mark.parametrize("write", [mmcif, pdb])
def test_backbone_atoms_are_those_of_the_file(tmp_path: Path, write: type) -> None:
    atoms = [atom for atom in BACKBONES if (atom.label, atom.name) != (2, "N") and atom.label != 4]
    chain = read_one(tmp_path, write(atoms, {"A": SEQRES}))
    assert chain.backbone.dtype == np.float32
    x = 3.8 * np.arange(1, 7)[:, None, None]
    offsets = np.array([[-0.5, 1, 0], [0, 0, 0], [0, 1, 1], [0.5, 0, 0]])
    expected = offsets + np.concatenate([x, 0 * x, 0 * x], axis=-1)
    expected[1, 0] = expected[3] = np.nan
    expected[2, 3] = virtual_cb(expected)[2]  # Gly
    np.testing.assert_allclose(chain.backbone, expected, atol=1e-5)
    np.testing.assert_array_equal(chain.ca, chain.backbone[:, 1])


def test_gly_has_its_ca_or_an_ideal_cb_as_the_caller_chooses(tmp_path: Path) -> None:
    path = save(tmp_path, mmcif(BACKBONES, {"A": SEQRES}))
    (by_ca,) = read_chains(path)
    (by_cb,) = read_chains(path, gly="virtual-cb")
    assert (by_ca.gly, by_cb.gly) == ("ca", "virtual-cb")
    assert contact_x(by_ca)[2] == 11.4
    np.testing.assert_array_equal(by_cb.contact_atom[2], virtual_cb(by_cb.backbone)[2])
    others = [0, 1, 3, 4, 5]
    np.testing.assert_array_equal(by_ca.contact_atom[others], by_cb.contact_atom[others])
    np.testing.assert_array_equal(by_ca.backbone, by_cb.backbone)


def test_a_missing_cb_is_ideal_only_where_the_caller_asks_for_it(tmp_path: Path) -> None:
    without = [atom for atom in BACKBONES if (atom.label, atom.name) not in {(2, "CB"), (4, "CB"), (4, "C")}]
    path = save(tmp_path, mmcif(without, {"A": SEQRES}))
    (by_ca,) = read_chains(path)
    (by_cb,) = read_chains(path, gly="virtual-cb")
    assert np.isnan(by_ca.contact_atom[[1, 3]]).all()
    assert np.isnan(by_ca.backbone[[1, 3], 3]).all()
    np.testing.assert_array_equal(by_cb.contact_atom[1], virtual_cb(by_cb.backbone)[1])
    np.testing.assert_array_equal(by_cb.backbone[1, 3], by_cb.contact_atom[1])
    assert np.isnan(by_cb.contact_atom[3]).all()  # has no C either


def test_the_ideal_cb_of_a_d_amino_acid_is_on_the_other_side(tmp_path: Path) -> None:
    names = ["ALA", "DAL", "SER"]
    atoms = [atom for place, name in enumerate(names, 1) for atom in residue(place, name, atoms="N CA C")]
    (chain,) = read_chains(save(tmp_path, mmcif(atoms, {"A": names})), gly="virtual-cb")
    assert chain.sequence == "AAS"
    expected = virtual_cb(chain.backbone, np.array([False, True, False]))
    np.testing.assert_array_equal(chain.contact_atom, expected)
    from_ca = chain.contact_atom - chain.ca
    np.testing.assert_allclose(from_ca[0], from_ca[2], atol=1e-5)
    assert np.linalg.norm(from_ca[0] - from_ca[1]) > 0.5


@pytest.mark.parametrize("write", [mmcif, pdb])
def test_a_model_is_chosen_by_its_number_in_the_file(tmp_path: Path, write: type) -> None:
    models = [
        Atom(place, "ALA", atom, x=100.0 * model + place, model=model)
        for model in (2, 5, 9)
        for place in (1, 2)
        for atom in ("CA", "CB")
    ]
    path = save(tmp_path, write(models, {"A": ["ALA", "ALA"]}))
    for asked, number in ((None, 2), (2, 2), (9, 9)):
        (chain,) = read_chains(path, model=asked)
        assert chain.model == number
        assert contact_x(chain) == [100 * number + 1, 100 * number + 2]
    with pytest.raises(StructureError, match=r"there is no model 1; the file has 2, 5, 9 \(of 3\)"):
        read_chains(path, model=1)


@pytest.mark.parametrize(("count", "listed"), [(20, r"19, 20 \(of 20\)"), (21, r"19, 20, … \(of 21\)")])
def test_a_long_list_of_models_is_cut(tmp_path: Path, count: int, listed: str) -> None:
    models = [Atom(1, "ALA", "CA", x=1.0, model=model) for model in range(1, count + 1)]
    with pytest.raises(StructureError, match=f"no model 31; the file has 1, 2, .*, {listed}"):
        read_chains(save(tmp_path, mmcif(models, {"A": ["ALA"]})), model=31)


def test_the_contact_atom_is_that_of_the_residue_modelled_whatever_seqres_says(tmp_path: Path) -> None:
    mutant = [*COMPLETE[:4], *residue(3, "ALA"), *COMPLETE[5:]]
    chain = read_one(tmp_path, mmcif(mutant, {"A": SEQRES}))
    assert chain.sequence[2] == "G"
    assert contact_x(chain)[2] == 11.9


def test_an_atom_of_no_occupancy_counts_as_modelled(tmp_path: Path) -> None:
    atoms = [*COMPLETE[:5], *residue(4, "SER", occupancy=0.0), *COMPLETE[7:]]
    chain = read_one(tmp_path, pdb(atoms, {"A": SEQRES}))
    assert contact_x(chain) == [4.3, 8.1, 11.4, 15.7, 19.5, 23.3]


def test_a_residue_without_any_backbone_keeps_its_number_and_is_nan(tmp_path: Path) -> None:
    atoms = [*COMPLETE[:5], *residue(4, "SER", atoms="OG"), *COMPLETE[7:]]
    chain = read_one(tmp_path, pdb(atoms, {"A": SEQRES}))
    assert chain.residue_numbers[3] == "4"
    assert np.isnan(chain.backbone[3]).all()
    assert chain.num_resolved == 5


def test_hetatm_modified_residues_of_a_pdb_file_stay_in_their_chain(tmp_path: Path) -> None:
    lines = [
        line.replace("SER", "MSE").replace("ATOM  ", "HETATM") if "SER" in line else line
        for line in lines_of(COMPLETE)
    ]
    water = "HETATM  900  O   HOH A 301      99.000   0.000   0.000  1.00 10.00           O"
    chain = read_one(tmp_path, "\n".join([*lines, "TER", water, "END"]))
    assert chain.sequence == "MKGMVW"
    assert contact_x(chain) == [4.3, 8.1, 11.4, 15.7, 19.5, 23.3]


def test_residue_names_of_force_fields_have_their_letter(tmp_path: Path) -> None:
    names = ["HSD", "HIE", "CYX", "ASH", "GLH", "LYN", "ALA", "ALA"]
    atoms = [atom for place, name in enumerate(names, 1) for atom in residue(place, name, atoms=WHOLE)]
    assert read_one(tmp_path, pdb(atoms)).sequence == "HHCDEKAA"


def test_numbers_beyond_9999_are_read_in_hybrid_36(tmp_path: Path) -> None:
    lines = [f"{line[:22]}A00{int(line[22:26]) - 1}{line[26:]}" for line in lines_of(COMPLETE)]
    chain = read_one(tmp_path, "\n".join(lines))
    assert chain.residue_numbers == tuple(str(number) for number in range(10_000, 10_006))


def test_chains_without_a_letter_are_called_underscore(tmp_path: Path) -> None:
    lines = pdb([atom for atom in COMPLETE if atom.label != 3], {"A": SEQRES}).splitlines()
    blank = [f"{line[:21]} {line[22:]}" if line.startswith("ATOM") else line for line in lines]
    blank = [f"{line[:11]} {line[12:]}" if line.startswith("SEQRES") else line for line in blank]
    chain = read_one(tmp_path, "\n".join(blank))
    assert (chain.name, chain.author_name, chain.sequence) == ("_", "_", "MKGSVW")
    assert not chain.from_atoms
    assert contact_x(chain)[3] == 15.7
    one_segment = [f"{line[:72]:<72}1ABC" if line.startswith("ATOM") else line for line in blank]
    assert read_one(tmp_path, "\n".join(one_segment)).author_name == "_"


def test_the_serial_numbers_at_the_end_of_old_pdb_lines_are_no_charges(tmp_path: Path) -> None:
    lines = [f"{line[:72]:<72}1ABC{number + 60:4d}" for number, line in enumerate(lines_of(COMPLETE))]
    chain = read_one(tmp_path, "\n".join(lines))
    assert chain.sequence == "MKGSVW"
    assert contact_x(chain) == [4.3, 8.1, 11.4, 15.7, 19.5, 23.3]
    tails = [" C1+", " C", "", "C ", " C  ", "  2-", *5 * [" C"]]
    charged = [f"{line[:76]:<76}{tail}" for line, tail in zip(lines_of(COMPLETE), tails, strict=True)]
    assert read_one(tmp_path, "\n".join(charged)).sequence == "MKGSVW"


def test_segments_stand_for_the_letters_that_simulations_leave_out(tmp_path: Path) -> None:
    lines = [f"{line[:21]} {line[22:72]:<50}" for line in lines_of(COMPLETE)]
    moved = [f"{line[:30]}{float(line[30:38]) + 100:8.3f}{line[38:]}" for line in lines]
    records = [*(f"{line}PROA" for line in lines), *(f"{line}PROB" for line in moved), "TER"]
    records += [line.replace(" A ", " Z ") for line in lines_of([Atom(1, "ALA", "CA", 7.0)])]
    first, second, third = read_chains(save(tmp_path, "\n".join(records)))
    assert (first.author_name, second.author_name, third.author_name) == ("PROA", "PROB", "Z")
    assert first.sequence == second.sequence == "MKGSVW"
    assert contact_x(second) == [104.3, 108.1, 111.4, 115.7, 119.5, 123.3]


def test_two_chains_of_one_letter_are_refused_where_they_cannot_be_told_apart(tmp_path: Path) -> None:
    lines = lines_of(COMPLETE)
    for between in ([], ["TER"]):
        with pytest.raises(StructureError, match=r"residue 1 MET has atom CA twice .* share the letter"):
            read_chains(save(tmp_path, "\n".join([*lines, *between, *lines, "TER", "END"])))
    other = [f"{line[:21]}B{line[22:]}" for line in lines]
    apart = read_chains(save(tmp_path, "\n".join([*lines, "TER", *other, "TER", *lines, "TER", "END"])))
    assert [chain.author_name for chain in apart] == ["A", "B", "A"]


def test_a_residue_in_two_segments_is_refused(tmp_path: Path) -> None:
    lines = [f"{line[:72]:<72}{'ONE' if 'CA' in line else 'TWO'}" for line in lines_of(COMPLETE)]
    with pytest.raises(StructureError, match="residue 1 MET comes in two parts, of segments 'ONE' and 'TWO'"):
        read_chains(save(tmp_path, "\n".join(lines)))


def test_microheterogeneity_without_seqres_takes_the_first_in_the_file(tmp_path: Path) -> None:
    serine = residue(4, "SER", x=40, altloc="A", occupancy=0.3)
    threonine = residue(4, "THR", x=60, altloc="B", occupancy=0.7)
    chain = read_one(tmp_path, pdb([*COMPLETE[:5], *serine, *threonine, *COMPLETE[7:]]))
    assert chain.sequence == "MKGSVW"
    assert contact_x(chain)[3] == 40.5


def test_water_alone_is_no_protein(tmp_path: Path) -> None:
    water = "HETATM    1  O   HOH A 301      99.000   0.000   0.000  1.00 10.00           O"
    with pytest.raises(StructureError, match="no protein chain"):
        read_chains(save(tmp_path, water))


@pytest.mark.parametrize("place", ["1000000.0", "-1e6", "1e300", "inf"])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_places_out_of_this_world_are_refused(tmp_path: Path, place: str, axis: int) -> None:
    far = ["19.500", "0.000", "0.000"]
    far[axis] = place
    text = mmcif(COMPLETE, {"A": SEQRES}).replace("19.500 0.000 0.000", " ".join(far))
    with pytest.raises(StructureError, match="CB of residue 5 has no numeric coordinates"):
        read_chains(save(tmp_path, text))


def test_an_atom_twice_at_one_of_several_locations_is_refused(tmp_path: Path) -> None:
    thrice = [atom for altloc in "ABA" for atom in residue(4, "SER", altloc=altloc, occupancy=0.3)]
    with pytest.raises(StructureError, match="residue 4 SER has atom CA twice at one location"):
        read_chains(save(tmp_path, mmcif([*COMPLETE[:5], *thrice, *COMPLETE[7:]], {"A": SEQRES})))


@pytest.mark.parametrize("is_compressed", [True, False])
def test_binary_cif_reads_as_its_text(tmp_path: Path, is_compressed: bool) -> None:
    text = mmcif(BACKBONES, {"A": SEQRES})
    expected = read_one(tmp_path, text)
    data = binary_cif(text, is_compressed=is_compressed)
    for content in (data, gzip.compress(data, mtime=0)):
        chain = read_one(tmp_path, content)
        assert (chain.sequence, chain.residue_numbers) == (expected.sequence, expected.residue_numbers)
        np.testing.assert_array_equal(chain.backbone, expected.backbone)


def test_binary_cif_has_the_entities_of_its_text(tmp_path: Path) -> None:
    atoms = [atom for atom in COMPLETE if atom.label not in (1, 4)]
    atoms += [Atom(place, "DA", name, 90.0 + place, chain="B") for place in (1, 2) for name in ("P", "C1'")]
    atoms += residue(2, "ALA", chain="C", x=50)
    text = mmcif(atoms, {"A": SEQRES, "B": ["DA", "DA"], "C": ["GLY", "ALA", "UNK,SER"]})
    text = text.replace("2 'polypeptide(L)'", "2 polydeoxyribonucleotide").replace(
        "3 'polypeptide(L)'", "3 other"
    )
    for known in (
        text,
        re.sub(r" (A|B|C) \d (\d) \? ", r" \1 ? \2 ? ", text),
    ):  # entities by _struct_asym alone
        read = [
            structure_file.read_structure_file(save(tmp_path, content))
            for content in (known, binary_cif(known))
        ]
        entities = [
            [(e.name, e.entity_type, e.polymer_type, e.subchains, e.full_sequence) for e in one.entities]
            for one in read
        ]
        assert entities[0] == entities[1]
        assert [len(entity[-1]) for entity in entities[1]] == [6, 2, 3]
        assert len({entity[2] for entity in entities[1]}) == 3


def test_damaged_binary_cif_is_refused_by_name(tmp_path: Path) -> None:
    data = binary_cif(mmcif(COMPLETE, {"A": SEQRES}))
    without_atoms = mmcif(COMPLETE, {"A": SEQRES}).replace("_atom_site.", "_atom_sight.")
    cases = [
        (data[:200], "damaged BinaryCIF: .* truncated"),
        (b"\x80", "damaged BinaryCIF: BinaryCIF without 'dataBlocks'"),
        (b"\xde\xff\xff", "damaged BinaryCIF"),
        (binary_cif(without_atoms), "no atoms"),
    ]
    for content, message in cases:
        path = save(tmp_path, content)
        with pytest.raises(StructureError, match=message) as caught:
            read_chains(path)
        assert str(caught.value).startswith(str(path))
        assert "\n" not in str(caught.value)


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

"""Labels: the distances of a structure in the numbering of the query."""

from __future__ import annotations

import doctest
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_structures import Atom, mmcif, residue, save

from data_tools import labels as labels_module
from data_tools.errors import ChainMismatchError
from data_tools.labels import Labels, label_distances, mapping_report, pairwise_distances
from data_tools.sequence_match import match_sequences
from data_tools.structure import Chain, read_chains, select_chain

DATA = Path(__file__).parent / "data"
# E. coli dihydrofolate reductase (P0ABQ4) without its last residue; 3QL0 has N23PP and S148A
DHFR = (
    "MISLIAALAVDRVIGMENAMPWNLPADLAWFKRNTLNKPVIMGRHTWESIGRPLPGRKNIILSSQPGTDDRVTWVKSVDEAIAACGDVPEIMVIGG"
    "GRVYEQFLPKAQKLYLTHIDAEVEGDTHFPDYEPDDWESVFSEFHDADAQNSHSYCFEILER"
)


def chain_of(sequence: str, *, unresolved: tuple[int, ...] = (), seed: int = 0) -> Chain:
    """A chain with random coordinates; `unresolved` are places in it."""
    contact_atom = np.random.default_rng(seed).normal(scale=10, size=(len(sequence), 3)).astype(np.float32)
    contact_atom[list(unresolved)] = np.nan
    numbers = tuple("" if place in unresolved else str(place + 101) for place in range(len(sequence)))
    names = tuple("ALA" for _ in sequence)
    backbone = np.repeat(contact_atom[:, None], 4, axis=1)
    return Chain("A", "A", sequence, numbers, names, contact_atom, contact_atom, backbone, from_atoms=False)


def distances_by_loop(query: str, chain: Chain, index: list[int]) -> np.ndarray:
    expected = np.full((len(query), len(query)), np.nan)
    for i, place in enumerate(index):
        for j, other in enumerate(index):
            if place >= 0 and other >= 0:
                one, two = chain.contact_atom[place], chain.contact_atom[other]
                expected[i, j] = math.sqrt(
                    sum((float(a) - float(b)) ** 2 for a, b in zip(one, two, strict=True))
                )
    return expected


@pytest.mark.parametrize(
    ("query", "sequence", "index"),
    [
        ("MKVLAWGH", "MKVLAWGH", [0, 1, 2, 3, 4, 5, 6, 7]),
        ("MKVLAWGH", "GSMKVLAWGHEE", [2, 3, 4, 5, 6, 7, 8, 9]),  # tags
        ("MKVLAWGHE", "VLAWGH", [-1, -1, 0, 1, 2, 3, 4, 5, -1]),  # a shorter construct
        (
            "MKVLAWGHETSRNDQ",
            "GSMKVLAWPGHETSRNDQ",
            [2, 3, 4, 5, 6, 7, *range(9, 18)],
        ),  # insertion in the chain
        ("MKVLAWGHETSRNDQ", "MKVLAWTSRNDQ", [0, 1, 2, 3, 4, 5, -1, -1, -1, 6, 7, 8, 9, 10, 11]),  # deletion
        ("MKVLAWGHETSRNDQ", "MKVLCWGHETSRNDQ", list(range(15))),  # mutation
        ("MKVLXWGHETSRNDQ", "MKVLCWGHXTSRNDQ", list(range(15))),  # unknown in either
        ("MKVLAWGHETSRNDQ", "MGSSAKVLAWGHETSRNDQ", list(range(4, 19))),  # a tag costs nothing: M1 is A5
        ("MKVLA" + 24 * "X" + "WGHET", "MKVLA" + 12 * "CD" + "WGHET", list(range(34))),  # nor does unknown
    ],
)
def test_query_residues_find_their_place_in_the_chain(query: str, sequence: str, index: list[int]) -> None:
    chain = chain_of(sequence, unresolved=(3,))
    labels = label_distances(query, chain, source="file")
    assert labels.chain_index.dtype == np.int32
    assert labels.chain_index.tolist() == index
    assert labels.distances.dtype == np.float32
    np.testing.assert_allclose(labels.distances, distances_by_loop(query, chain, index), rtol=1e-6)
    np.testing.assert_array_equal(labels.distances, labels.distances.T)
    assert labels.num_unresolved == sum(place in (-1, 3) for place in index)
    assert labels.num_unresolved == int(np.isnan(labels.distances.diagonal()).sum())
    assert set(labels.distances.diagonal()[~np.isnan(labels.distances.diagonal())]) == {0.0}


def test_identity_counts_known_residues_only() -> None:
    match = match_sequences("MKVLXWGHETSRNDQ", "MKVLCWGHXTSRNDE")
    assert (match.aligned, match.compared, match.identical, match.mismatches) == (15, 13, 12, 1)
    assert match.identity == pytest.approx(12 / 13)
    assert match_sequences("", "MKV").identity == 0.0
    assert match_sequences("XX", "MKV").identity == 0.0


def test_residue_numbers_are_those_of_the_author() -> None:
    labels = label_distances("MKVLAWGH", chain_of("GSMKVLAW", unresolved=(4,)), source="file")
    assert labels.residue_numbers == ("103", "104", "", "106", "107", "108", "", "")


def test_a_query_taken_from_the_coordinates_is_mapped_by_what_is_modelled() -> None:
    # By letters alone, one G after the gap could as well be a G before it.
    chain = chain_of("MKVAGGGSGGLWTE", unresolved=(5, 6, 7, 8))
    labels = label_distances("MKVAGGLWTE", chain, source="file")
    assert labels.chain_index.tolist() == [0, 1, 2, 3, 4, 9, 10, 11, 12, 13]
    assert labels.num_unresolved == 0


def test_pairwise_distances_agree_with_the_plain_loop() -> None:
    positions = np.random.default_rng(1).normal(scale=50, size=(7, 3))
    positions[2] = np.nan
    expected = [[math.dist(one, other) for other in positions] for one in positions]
    np.testing.assert_allclose(pairwise_distances(positions), expected, rtol=1e-6)


def test_another_protein_is_refused_with_figures_and_the_chains_present() -> None:
    chain = chain_of("MKVLAWGHETSRNDQ")
    other = replace(chain, name="B", author_name="B")
    message = (
        r"x\.pdb: chain A is not the query: .*% identical over \d+ of the query's 12 residues.*has A, B\)"
    )
    with pytest.raises(ChainMismatchError, match=message):
        label_distances("PPPCCCYYYIII", chain, source="x.pdb", present=(chain, other))


def test_too_many_mutations_are_refused_unless_the_threshold_allows_them() -> None:
    query, chain = "MKVLAWGHETSRNDQ", chain_of("MKVLCWGHATSRNDQ")  # 13 of 15
    with pytest.raises(ChainMismatchError, match=r"86\.7% identical over 15 of the query's 15"):
        label_distances(query, chain, source="file")
    labels = label_distances(query, chain, source="file", min_identity=0.8)
    assert labels.mismatches == 2
    assert labels.identity == pytest.approx(13 / 15)


def test_a_chain_that_covers_less_than_half_of_the_query_is_refused() -> None:
    query = "MKVLAWGHETSRNDQ"
    assert label_distances(query, chain_of(query[:8]), source="file").num_unresolved == 7
    with pytest.raises(ChainMismatchError, match=r"100\.0% identical over 7 of the query's 15"):
        label_distances(query, chain_of(query[:7]), source="file")


def test_labels_of_a_file_follow_seqres(tmp_path: Path) -> None:
    seqres = ["MET", "LYS", "GLY", "SER", "VAL", "TRP", "ALA", "HIS"]
    atoms = [
        atom
        for place, name in enumerate(seqres, 1)
        for atom in residue(place, name, number=50 + place)
        if place not in (4, 5)
    ]
    (chain,) = read_chains(save(tmp_path, mmcif(atoms, {"A": seqres})))
    labels = label_distances("KGSVWAH", chain, source="file")
    assert labels.residue_numbers == ("52", "53", "", "", "56", "57", "58")
    assert labels.num_unresolved == 2
    assert labels.distances[0, 4] == pytest.approx(4 * 3.8, abs=1e-3)
    assert labels.distances[0, 1] == pytest.approx(3.8 - 0.5, abs=1e-3)  # Cβ of Lys to Cα of Gly
    assert np.isnan(labels.distances[2]).all()


def test_numbering_stays_right_after_an_inserted_residue_in_a_real_mutant() -> None:
    chains = read_chains(DATA / "3QL0.pdb.gz")
    chain = select_chain(chains, DHFR, None, source="3QL0")
    labels = label_distances(DHFR, chain, source="3QL0")
    assert labels.residue_numbers == tuple(str(number) for number in range(1, 159))  # 23A is left out
    assert labels.mismatches == 2  # N23P and S148A
    assert labels.identity == pytest.approx(156 / 158)
    assert labels.num_unresolved == 0
    by_number = dict(zip(chain.residue_numbers, chain.contact_atom, strict=True))
    expected = np.linalg.norm(by_number["20"] - by_number["150"])
    assert labels.distances[19, 149] == pytest.approx(expected, rel=1e-5)


def test_an_unresolved_loop_of_a_real_structure_is_nan() -> None:
    chain = read_chains(DATA / "3TGI.pdb.gz")[1]  # the inhibitor: 56 of 65 residues modelled
    labels = label_distances(chain.sequence, chain, source="3TGI")
    unresolved = np.array([number == "" for number in labels.residue_numbers])
    assert labels.num_unresolved == unresolved.sum() == 9
    np.testing.assert_array_equal(np.isnan(labels.distances), unresolved[:, None] | unresolved[None, :])


def labels_of(folder: Path, query: str, atoms: list[Atom], seqres: list[str], **choices: str) -> Labels:
    (chain,) = read_chains(save(folder, mmcif(atoms, {"A": seqres})), **choices)
    return label_distances(query, chain, source="file", min_identity=0.8)


SEQRES = ["MET", "LYS", "GLY", "SER", "VAL", "TRP", "ALA", "HIS"]


def whole(*, without: tuple[tuple[int, str], ...] = (), lost: tuple[int, ...] = ()) -> list[Atom]:
    """All backbone atoms of SEQRES, numbered from 51, but those named and those of the residues `lost`."""
    return [
        atom
        for place, name in enumerate(SEQRES, 1)
        for atom in residue(place, name, number=50 + place, atoms="N CA C CB")
        if place not in lost and (place, atom.name) not in without
    ]


def mutant(atoms: list[Atom]) -> list[Atom]:
    return [replace(atom, residue="MSE") if atom.label == 4 else atom for atom in atoms]


def test_backbone_and_ca_distances_are_in_the_numbering_of_the_query(tmp_path: Path) -> None:
    labels = labels_of(tmp_path, "PKGSVWAHEE", whole(lost=(4,)), SEQRES)
    assert labels.chain_index.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, -1, -1]
    assert labels.backbone.shape == (10, 4, 3)
    assert labels.backbone.dtype == labels.ca_distances.dtype == np.float32
    np.testing.assert_array_equal(labels.backbone[[0, 1, 2, 4]], labels.chain.backbone[[0, 1, 2, 4]])
    assert np.isnan(labels.backbone[[3, 8, 9]]).all()
    expected = 3.8 * np.abs(np.arange(10)[:, None] - np.arange(10)[None, :])
    for k in (3, 8, 9):
        expected[k] = expected[:, k] = np.nan
    np.testing.assert_allclose(labels.ca_distances, expected, atol=1e-5)


def test_the_rule_for_the_contact_atom_is_stated(tmp_path: Path) -> None:
    by_ca = labels_of(tmp_path, "MKGSVWAH", whole(), SEQRES)
    by_cb = labels_of(tmp_path, "MKGSVWAH", whole(), SEQRES, gly="virtual-cb")
    assert "for Gly Cα" in by_ca.contact_rule
    assert "ideal Cβ" in by_cb.contact_rule
    expected = np.linalg.norm(by_cb.chain.backbone[2, 3] - by_cb.chain.backbone[5, 3])
    assert by_cb.distances[2, 5] == pytest.approx(expected)
    assert by_ca.distances[2, 5] != by_cb.distances[2, 5]
    np.testing.assert_array_equal(by_ca.ca_distances, by_cb.ca_distances)


def test_the_report_lists_mismatches_and_what_is_unresolved_and_why(tmp_path: Path) -> None:
    atoms = whole(lost=(5, 8), without=((2, "CB"), (7, "CB")))
    labels = labels_of(
        tmp_path, "MKGSVWXHEE", mutant(atoms), ["MET", "LYS", "GLY", "MSE", "VAL", "TRP", "ALA", "HIS"]
    )
    query = "MKGSVWXHEE"
    report = mapping_report(query, labels)
    assert (report.query_length, report.chain_length, report.aligned) == (10, 8, 8)
    assert report.coverage == 0.8
    assert report.identity == labels.identity == pytest.approx(6 / 7)  # X is not compared
    (mismatch,) = report.mismatches
    assert (mismatch.position, mismatch.query_residue, mismatch.chain_residue) == (4, "S", "M")
    assert (mismatch.monomer, mismatch.author_number) == ("MSE", "54")
    assert report.not_in_chain == (9, 10)
    assert report.not_modelled == (5, 8)
    assert report.without_contact_atom == (2, 7)
    assert report.unresolved == (2, 5, 7, 8, 9, 10)
    assert len(report.unresolved) == labels.num_unresolved
    assert (report.chain, report.label_chain, report.model) == ("A", "A", 1)
    assert not report.sequence_from_atoms
    assert report.contact_rule == labels.contact_rule
    with pytest.raises(ValueError, match="a query of 10 residues, not 9"):
        mapping_report(query[:-1], labels)


def test_a_report_survives_json(tmp_path: Path) -> None:
    labels = labels_of(tmp_path, "MKGSVWAHE", whole(lost=(5,)), SEQRES)
    report = mapping_report("MKGSVWAHE", labels)
    tree = json.loads(json.dumps(report.as_json()))
    assert tree["unresolved"] == [5, 9]
    assert tree["not_in_chain"] == [9]
    assert tree["coverage"] == 8 / 9
    assert tree["mismatches"] == []


def test_a_mismatch_is_in_the_report_as_many_times_as_it_is_counted() -> None:
    chains = read_chains(DATA / "3QL0.pdb.gz")
    labels = label_distances(DHFR, select_chain(chains, DHFR, None, source="3QL0"), source="3QL0")
    report = mapping_report(DHFR, labels)
    assert len(report.mismatches) == labels.mismatches == 2
    shown = [f"{one.query_residue}{one.author_number}{one.chain_residue}" for one in report.mismatches]
    assert shown == ["N23P", "S148A"]
    assert report.unresolved == ()


def test_the_example_of_the_whole_query_is_right() -> None:
    assert doctest.testmod(labels_module).failed == 0


@pytest.mark.parametrize("left_out", [(4,), (5,), (0,), (14,), (2, 3, 4, 5, 6), ()])
def test_residues_left_out_of_the_query_do_not_shift_those_beside_them(left_out: tuple[int, ...]) -> None:
    """Of H-A-A-G one A is left out: by letters alone the gap is always behind the first."""
    sequence = "MKVHAAGETSRNDQW"
    kept = [k for k in range(15) if k not in left_out]
    query, index = "".join(sequence[k] for k in kept), np.array(kept, dtype=np.int32)
    for tag in ("", "GS"):
        found = label_distances(query, chain_of(tag + sequence), source="f", residue_index=index)
        assert found.chain_index.tolist() == [k + len(tag) for k in kept]
        assert found.mismatches == 0


def test_a_query_with_a_gap_that_the_chain_lacks_too_is_still_found() -> None:
    """The loop was cut out of the construct."""
    index = np.array([*range(8), *range(12, 20)], dtype=np.int32)
    found = label_distances("MKVLAWGHETSRNDQY", chain_of("MKVLAWGHETSRNDQY"), source="f", residue_index=index)
    assert found.chain_index.tolist() == list(range(16))

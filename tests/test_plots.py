"""Figures, tested by the data they draw."""

import ast
import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from report_cases import SEQUENCE, chain_like_distances, make_alignment, make_labels, prediction_from

from data_tools.annotations import Annotations, ChainSegment
from msaformer.calibration import reliability
from msaformer.errors import LogError, PredictionError
from msaformer.metrics import precision_table, top_pairs
from msaformer.pair_scores import PairScores
from msaformer.prediction import AttentionMaps
from msaformer.report import plots
from msaformer.report.plots.axes import ResidueLocator
from msaformer.report.plots.calibration import wilson_interval
from msaformer.report.plots.images import rectangles
from msaformer.report.plots.training import running_mean
from msaformer.report.truth import truth_of

L = len(SEQUENCE)
UPPER = np.triu(np.ones((L, L), dtype=bool), k=1)


@pytest.fixture(autouse=True)
def close_figures():
    with mpl.rc_context({"figure.max_open_warning": 0}):
        yield
    plt.close("all")


@pytest.fixture
def distances():
    return chain_like_distances(L)


@pytest.fixture
def prediction(distances):
    return prediction_from(distances, SEQUENCE)


@pytest.fixture
def truth(distances):
    """Residue 12 is not resolved; a helix, a strand, and nothing known of residue 12."""
    known = truth_of(make_labels(distances, lost=(11,)))
    return dataclasses.replace(known, secondary_structure="-" + "H" * 9 + "- " + "-" * 5 + "E" * 6 + "-" * 17)


def points(ax, label):
    return {
        (round(x), round(y))
        for line in ax.lines
        if str(line.get_label()) == label
        for x, y in zip(*line.get_data(), strict=True)
    }


def drawn(image):
    """The picture's numbers, NaN where it is empty."""
    return np.ma.filled(image.get_array().astype(float), np.nan)


def cells(patch, length=L):
    """Cells that the boxes of a hatched patch cover."""
    covered = np.zeros((length, length), dtype=int)
    for box in patch.get_path().vertices.reshape(-1, 5, 2):
        (left, top), (right, bottom) = (
            (box.min(axis=0) - 0.5).astype(int),
            (box.max(axis=0) - 0.5).astype(int),
        )
        covered[top:bottom, left:right] += 1
    return covered


def hatched(ax):
    return [patch for patch in ax.patches if patch.get_label() == "not resolved"]


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_the_prediction_is_above_the_diagonal_and_nothing_of_it_below(prediction):
    ax = plots.plot_contact_map(prediction)
    image = drawn(ax.images[0])
    np.testing.assert_array_equal(image[UPPER], prediction.contact_probs[UPPER])
    assert np.isnan(image[~UPPER]).all()
    assert ax.images[0].get_extent() == [0.5, 40.5, 40.5, 0.5]
    assert ax.images[0].get_clim() == (0, 1)


def test_true_and_false_pairs_are_marked_below_the_diagonal(prediction, truth):
    ax = plots.plot_contact_map(prediction, truth, top=25, min_separation=6)
    known = ~np.isnan(truth.distances)
    first, second = top_pairs(prediction.contact_probs, min_separation=6, known=known)
    pairs = list(zip(first[:25] + 1, second[:25] + 1, strict=True))
    hits = {(i, j) for i, j in pairs if truth.distances[i - 1, j - 1] < 8}
    assert points(ax, "true") == hits
    assert points(ax, "false") == set(pairs) - hits
    assert len(hits) not in {0, 25}
    assert legend(ax)[:2] == [f"true ({len(hits)})", f"false ({25 - len(hits)})"]
    shown = {line.get_label(): (line.get_color(), line.get_marker()) for line in ax.lines}
    assert (shown["true"], shown["false"]) == (("#0072B2", "o"), ("#D55E00", "x"))


def test_native_contacts_are_grey_and_unresolved_pairs_hatched_never_non_contacts(prediction, truth):
    ax = plots.plot_contact_map(prediction, truth)
    assert np.array_equal(~np.isnan(drawn(ax.images[1])), UPPER.T & (truth.distances < 8))
    (patch,) = hatched(ax)
    assert patch.get_hatch()
    assert np.array_equal(cells(patch), (UPPER.T & np.isnan(truth.distances)).astype(int))
    assert {"in the structure", "not resolved", "helix", "strand"} <= set(legend(ax))


def test_boxes_cover_cells_once():
    random = np.random.default_rng(4).random((30, 30)) < 0.4
    covered = np.zeros((30, 30), dtype=int)
    for top, bottom, left, right in rectangles(random):
        covered[top:bottom, left:right] += 1
    assert np.array_equal(covered, random.astype(int))


def test_without_a_structure_the_best_pairs_are_drawn_black(prediction):
    ax = plots.plot_contact_map(prediction, top=12)
    first, second = top_pairs(prediction.contact_probs, min_separation=6)
    assert points(ax, "predicted") == set(zip(first[:12] + 1, second[:12] + 1, strict=True))
    assert legend(ax) == ["predicted (12)"]


def test_the_title_says_the_long_range_precision(prediction, truth):
    rows = precision_table(prediction.contact_probs, truth.distances)
    (long,) = (row.p_at_l for row in rows if row.range == "long")
    ax = plots.plot_contact_map(prediction, truth)
    assert ax.get_title(loc="left") == f"toy  ·  long-range P@L {long:.2f}"
    assert plots.plot_contact_map(prediction).get_title(loc="left") == "toy"


def test_a_second_prediction_stands_below_with_its_own_best_pairs(prediction, truth, distances):
    listed = UPPER & (distances < 5)
    scores = np.where(listed, 30 - distances, 0).astype(np.float32)
    other = PairScores("toy", "dca", scores + scores.T, listed | listed.T, are_probabilities=False)
    ax = plots.plot_contact_map(prediction, truth, compare=other, top="L/2")
    below = drawn(ax.images[1])
    np.testing.assert_allclose(below[listed.T], (scores / np.triu(scores, k=6).max()).T[listed.T])
    assert np.isnan(below[~listed.T]).all()
    known = ~np.isnan(truth.distances)
    first, second = top_pairs(other.scores, min_separation=6, known=known & other.is_listed)
    assert len(first) < 20
    mine = top_pairs(prediction.contact_probs, min_separation=6, known=known)
    expected = set(zip(first[:20] + 1, second[:20] + 1, strict=True)) | {
        (j + 1, i + 1) for i, j in zip(mine[0][:20], mine[1][:20], strict=True)
    }
    assert points(ax, "true") | points(ax, "false") == expected
    assert re.fullmatch(
        r"toy  ·  above: msaformer-tiny, P@L 0\.\d\d  ·  below: dca(, P@L \d\.\d\d)?",
        ax.get_title(loc="left"),
    )
    both_sides = np.isnan(truth.distances) & ~np.eye(L, dtype=bool)
    assert np.array_equal(cells(hatched(ax)[0]), both_sides.astype(int))


def test_arrays_are_drawn_as_their_records_are(prediction, truth):
    of_records = plots.plot_contact_map(prediction, truth)
    of_arrays = plots.plot_contact_map(prediction.contact_probs, truth.distances)
    for label in ("true", "false"):
        assert points(of_arrays, label) == points(of_records, label)
    assert np.array_equal(drawn(of_arrays.images[0]), drawn(of_records.images[0]), equal_nan=True)


def ticks(axis):
    return {round(tick.get_loc()): tick.label1.get_text() for tick in axis.get_major_ticks()}


def test_residues_are_called_as_the_query_numbers_them(prediction):
    jumps = np.concatenate([np.arange(100, 115), np.arange(130, 155)]).astype(np.int32)
    ax = plots.plot_contact_map(dataclasses.replace(prediction, residue_index=jumps))
    ax.figure.canvas.draw()
    expected = {5: "105", 10: "110", 15: "115", 20: "135", 25: "140", 30: "145", 35: "150", 40: "155"}
    assert ticks(ax.xaxis) == ticks(ax.yaxis) == expected


def test_the_chains_of_a_complex_are_parted_named_and_counted_for_themselves(prediction, truth):
    pair = dataclasses.replace(prediction, chain_lengths=(15, 25))
    authors = dataclasses.replace(truth, chain_names=("A",) * 15 + ("", "$h") + ("$h",) * 23)
    ax = plots.plot_contact_map(pair, authors)
    ax.figure.canvas.draw()
    assert ticks(ax.xaxis) == {5: "A5", 10: "A10", 15: "A15"} | {15 + k: f"B{k}" for k in (5, 10, 15, 20, 25)}
    first, second = top_pairs(
        prediction.contact_probs,
        min_separation=6,
        known=~np.isnan(truth.distances),
        chain_lengths=pair.chain_lengths,
    )
    best = set(zip(first[:L] + 1, second[:L] + 1, strict=True))
    assert points(ax, "true") | points(ax, "false") == best
    assert any(j - i < 6 for i, j in best)
    parted = [line for line in ax.lines if line.get_label() == "_chain"]
    assert [set(line.get_data()[side]) for side, line in enumerate(parted)] == [{15.5}, {15.5}]
    assert [text.get_text() for text in ax.texts] == ["chain A", "chain B ($h)"]
    for alone in (pair, PairScores.of(pair)):
        assert [text.get_text() for text in plots.plot_contact_map(alone).texts] == ["chain A", "chain B"]


@pytest.mark.parametrize(
    ("length", "expected"),
    [(1, [1]), (7, [1, 2, 3, 4, 5, 6, 7]), (40, range(5, 41, 5)), (158, range(20, 141, 20))],
)
def test_ticks_are_round_numbers_of_which_few(length, expected):
    ticks = ResidueLocator(np.arange(1, length + 1)).tick_values(length + 0.5, 0.5)
    assert ticks == list(expected)


def test_a_stretch_without_a_round_number_still_has_a_tick():
    assert ResidueLocator(np.arange(201, 260)).tick_values(1.5, 3.5) == [2, 3]
    assert ResidueLocator(np.array([7, 9999, 20001])).tick_values(0.5, 3.5) == [1, 2, 3]
    assert ResidueLocator(np.arange(1001, 1200) * 7919).tick_values(0.5, 30.5)


def test_secondary_structure_is_drawn_along_both_edges(prediction, truth):
    ax = plots.plot_contact_map(prediction, truth)
    boxes = {}
    for shapes in ax.collections:
        name = shapes.get_label().removeprefix("_")
        spans = [path.vertices[:, 0] for path in shapes.get_paths()]
        boxes.setdefault(name, []).append([(span.min(), span.max()) for span in spans])
    assert boxes["helix"] == [[(1.5, 10.5)]] * 2
    assert boxes["strand"] == [[(17.5, 23.5)]] * 2
    assert boxes["coil"] == [[(0.5, 1.5), (10.5, 11.5), (12.5, 17.5), (23.5, 40.5)]] * 2
    top, side = (ax.collections[k].get_transform().transform((20, 1.03)) for k in (0, 3))
    np.testing.assert_allclose(top, ax.get_xaxis_transform().transform((20, 1.03)))
    np.testing.assert_allclose(side, ax.get_yaxis_transform().transform((1.03, 20)))


def test_expected_distances_are_above_and_true_ones_below(prediction, truth):
    ax = plots.plot_distance_map(prediction, truth)
    image = drawn(ax.images[0])
    np.testing.assert_array_equal(image[UPPER], prediction.expected_distance[UPPER])
    np.testing.assert_array_equal(image[UPPER.T], truth.distances[UPPER.T])
    assert np.array_equal(cells(hatched(ax)[0]), (UPPER.T & np.isnan(truth.distances)).astype(int))
    alone = drawn(plots.plot_distance_map(prediction).images[0])
    np.testing.assert_array_equal(alone[UPPER.T], prediction.expected_distance[UPPER.T])


def test_spread_and_error_are_drawn_on_both_sides(prediction, truth):
    spread = drawn(plots.plot_distance_map(prediction, truth, show="spread").images[0])
    np.testing.assert_array_equal(spread[UPPER | UPPER.T], prediction.distance_std[UPPER | UPPER.T])
    truth = dataclasses.replace(truth, distances=truth.distances * 1.5)
    ax = plots.plot_distance_map(prediction, truth, show="error")
    error = drawn(ax.images[0])
    far = np.unravel_index(np.nanargmax(truth.distances), (L, L))
    assert truth.distances[far] > 20
    for i, j in ((3, 20), far):
        expected = min(prediction.expected_distance[i, j], 20) - min(truth.distances[i, j], 20)
        assert error[i, j] == error[j, i] == pytest.approx(expected)
    assert np.isnan(error[11]).all()
    assert cells(hatched(ax)[0])[11, 12] == 1
    with pytest.raises(PredictionError, match="give its truth"):
        plots.plot_distance_map(prediction, show="error")
    with pytest.raises(PredictionError, match="choose one of 'expected', 'spread', 'error'"):
        plots.plot_distance_map(prediction, show="pae")


def test_the_coverage_lines_count_residues_and_weights_and_gaps_are_empty():
    alignment = make_alignment(rows=30)
    weights = np.linspace(0.1, 1, 30)
    ax = plots.plot_coverage(alignment, weights)
    has_residue = alignment.tokens != 21
    counts, neff = (line.get_ydata() for line in ax.lines)
    assert counts.tolist() == has_residue.sum(axis=0).tolist()
    np.testing.assert_allclose(neff, [weights[has_residue[:, k]].sum() for k in range(40)])
    assert ax.lines[0].get_xdata().tolist() == list(range(1, 41))
    assert (~np.isnan(drawn(ax.images[0]))).sum() == has_residue.sum()
    assert ax.get_ylim()[0] == 0
    assert len(plots.plot_coverage(alignment).lines) == 1
    chains = Annotations(chains=(ChainSegment(15, 1), ChainSegment(25, 1)))
    ax = plots.plot_coverage(dataclasses.replace(alignment, annotations=chains))
    assert ax.lines[-1].get_xdata() == [15.5, 15.5]
    ax.figure.canvas.draw()
    assert ticks(ax.xaxis)[20] == "B5"
    with pytest.raises(PredictionError, match=r"\[29\] weights for 30 sequences"):
        plots.plot_coverage(alignment, weights[1:])


def test_the_calibration_is_that_of_the_record(prediction, truth):
    found = reliability(prediction.contact_probs, truth.distances)
    for ax in (plots.plot_calibration(prediction, truth), plots.plot_calibration(found)):
        said, true = next(line.get_data() for line in ax.lines if line.get_marker() == "o")
        filled = found.counts > 0
        np.testing.assert_array_equal(said, found.mean_prob[filled])
        np.testing.assert_array_equal(true, found.fraction[filled])
        assert ax.get_title(loc="left") == f"calibration error {found.expected_error:.3f}"
        bars = [bar.get_height() for bar in ax.child_axes[0].patches]
        assert bars == found.counts.tolist()
    with pytest.raises(PredictionError, match="give its truth"):
        plots.plot_calibration(prediction)
    with pytest.raises(PredictionError, match="give one of the two"):
        plots.plot_calibration(found, truth)
    with pytest.raises(PredictionError, match="no probabilities"):
        plots.plot_calibration(prediction.contact_probs * 3, truth)


def test_wilsons_interval_is_that_of_the_textbook():
    # 8 of 10: (0.8 + 0.19208 ± 1.96 · sqrt(0.016 + 0.009604)) / 1.38416
    low, high = wilson_interval(np.array([0.8]), np.array([10]))
    assert (low[0], high[0]) == (pytest.approx(0.4902, abs=1e-4), pytest.approx(0.9433, abs=1e-4))


RECORDS = [
    *({"kind": "train", "step": k, "contact_loss": 1 / k} for k in range(1, 9)),
    {"kind": "validation", "step": 4, "contact_loss": 0.5, "long_p_at_l": 0.2, "long_p_at_l5": 0.4},
    {"kind": "validation", "step": 8, "contact_loss": None, "long_p_at_l": 0.3, "long_p_at_l5": 0.5},
]


def test_training_shows_losses_or_precisions():
    loss = {line.get_label(): line.get_data() for line in plots.plot_training(RECORDS, smoothing=2).lines}
    np.testing.assert_allclose(loss["training"][1], [(1 / k + 1 / (k + 1)) / 2 for k in range(1, 8)])
    assert list(loss["training"][0]) == list(range(2, 9))
    np.testing.assert_array_equal(loss["validation"], [[4, 8], [0.5, np.nan]])
    precision = {
        line.get_label(): line.get_data() for line in plots.plot_training(RECORDS, show="precision").lines
    }
    assert {label: [list(part) for part in data] for label, data in precision.items()} == {
        "P@L": [[4, 8], [0.2, 0.3]],
        "P@L/5": [[4, 8], [0.4, 0.5]],
    }
    with pytest.raises(LogError, match="validate_every"):
        plots.plot_training(RECORDS[:8], show="precision")
    with pytest.raises(LogError, match="'loss', 'precision'"):
        plots.plot_training(RECORDS, show="speed")


def test_a_short_run_is_smoothed_over_a_quarter_of_it():
    steps, values = running_mean([5, 6, 7, 8], [1.0, 2, 3, 4], 10)
    assert (steps.tolist(), values.tolist()) == ([5, 6, 7, 8], [1, 2, 3, 4])


def test_attention_is_drawn_of_one_head_or_as_the_mean_of_a_block(prediction):
    rng = np.random.default_rng(0)
    probs = rng.random((3, L, L)).astype(np.float32)
    maps = AttentionMaps(np.array([[0, 1], [2, 0], [2, 5]], dtype=np.int32), probs)
    watched = dataclasses.replace(prediction, attention=maps)
    one = plots.plot_attention(watched, block=2, head=5)
    np.testing.assert_array_equal(drawn(one.images[0]), probs[2])
    assert one.get_title(loc="left") == "toy  ·  block 2, head 5"
    mean = plots.plot_attention(watched)
    np.testing.assert_allclose(drawn(mean.images[0]), (probs[1] + probs[2]) / 2, rtol=1e-6)
    with pytest.raises(PredictionError, match=r"head 7; held are \(block:head\) 0:1, 2:0, 2:5"):
        plots.plot_attention(watched, block=2, head=7)
    with pytest.raises(PredictionError, match="predict --attention"):
        plots.plot_attention(prediction)


def test_given_axes_are_drawn_on_and_returned(prediction, truth):
    figure, (axes) = plt.subplots(2, 2)
    free = list(axes.flat)
    assert plots.plot_contact_map(prediction, truth, ax=free[0]) is free[0]
    assert plots.plot_coverage(make_alignment(), ax=free[1]) is free[1]
    assert plots.plot_calibration(prediction, truth, ax=free[2]) is free[2]
    assert plots.plot_training(RECORDS, ax=free[3]) is free[3]
    assert plt.get_fignums() == [figure.number]


def test_what_does_not_fit_is_refused(prediction, truth):
    with pytest.raises(PredictionError, match="mapped to 3 residues, the prediction has 40"):
        plots.plot_contact_map(prediction, truth.distances[:3, :3])
    with pytest.raises(PredictionError, match="3 residues cannot be compared with 40"):
        plots.plot_contact_map(prediction, compare=prediction.contact_probs[:3, :3])
    with pytest.raises(PredictionError, match=r"scores must be numbers \[L, L\], not float32 \[40\]"):
        plots.plot_contact_map(prediction.contact_probs[0])
    with pytest.raises(PredictionError, match="not a number"):
        plots.plot_contact_map(np.full((2, 2), np.nan))


@pytest.mark.parametrize("length", [1, 2])
def test_the_smallest_proteins_can_be_drawn(length):
    distances = chain_like_distances(length)
    prediction = prediction_from(distances, SEQUENCE[:length])
    lost = truth_of(make_labels(distances, SEQUENCE[:length], lost=(0,)))
    alignment = make_alignment(SEQUENCE[:length], rows=1)
    maps = AttentionMaps(np.zeros((1, 2), dtype=np.int32), np.ones((1, length, length), dtype=np.float32))
    drawn_on = [
        plots.plot_contact_map(prediction, lost),
        plots.plot_contact_map(prediction, distances, compare=prediction),
        plots.plot_contact_map(np.full((length, length), -1.0)),
        *(plots.plot_distance_map(prediction, lost, show=show) for show in ("expected", "spread", "error")),
        plots.plot_calibration(prediction, lost),
        plots.plot_attention(dataclasses.replace(prediction, attention=maps)),
        plots.plot_coverage(alignment, np.ones(1)),
    ]
    for ax in drawn_on:
        ax.figure.canvas.draw()
    assert drawn_on[-1].lines[0].get_ydata().tolist() == [1] * length


def test_names_from_outside_are_text_and_no_formula(prediction, truth, tmp_path):
    hostile = dataclasses.replace(prediction, name="a$x^{$<b>&amp;")
    other = PairScores("x", "$\\x$\u202e\n", prediction.contact_probs, np.ones((L, L), dtype=bool), True)
    ax = plots.plot_contact_map(hostile, truth, compare=other)
    plots.save_figure(ax, tmp_path / "map.svg")
    assert ">a$x^{$&lt;b&gt;&amp;amp;" in (tmp_path / "map.svg").read_text(encoding="utf-8")


def test_files_hold_text_and_pictures_of_bounded_size_and_are_the_same_each_time(tmp_path):
    distances = chain_like_distances(300)
    probs = (1 / (1 + distances / 6)).astype(np.float32)
    distances[40:60] = distances[:, 40:60] = np.nan
    ax = plots.plot_contact_map(probs, distances)
    assert all(image.get_rasterized() and image.get_interpolation() == "nearest" for image in ax.images)
    for name, limit in (("map.pdf", 250_000), ("map.svg", 600_000)):
        plots.save_figure(ax, tmp_path / name)
        content = (tmp_path / name).read_bytes()
        assert len(content) < limit
        plots.save_figure(ax, tmp_path / name)
        assert (tmp_path / name).read_bytes() == content
    assert "residue</text>" in (tmp_path / "map.svg").read_text(encoding="utf-8")
    assert b"/Type0" in (tmp_path / "map.pdf").read_bytes()
    assert b"/Type3" not in (tmp_path / "map.pdf").read_bytes()
    assert mpl.rcParams["svg.fonttype"] == mpl.rcParamsDefault["svg.fonttype"]


def test_a_figure_that_cannot_be_written_leaves_no_file(prediction, tmp_path):
    ax = plots.plot_contact_map(prediction)
    with pytest.raises(PredictionError, match=r"map\.docx: a figure is written as one of .*\.pdf, "):
        plots.save_figure(ax, tmp_path / "map.docx")
    with pytest.raises(FileNotFoundError):
        plots.save_figure(ax, tmp_path / "absent" / "map.png")
    assert list(tmp_path.iterdir()) == []


def test_no_function_shows_a_window_or_chooses_a_backend():
    for path in Path(plots.__file__).parent.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        called = {
            node.func.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        }
        assert not called & {"show", "use", "switch_backend", "ion"}, path


def test_every_function_of_the_report_can_be_imported_from_it():
    code = "import msaformer.report as r; print([getattr(r, name) is not None for name in r.__all__])"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert "False" not in result.stdout

"""Figures, tested by the data they draw."""

import ast
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from report_cases import SEQUENCE, chain_like_distances, make_alignment, prediction_from

from msaformer.metrics import top_pairs
from msaformer.report import plots


@pytest.fixture(autouse=True)
def close_figures():
    with mpl.rc_context({"figure.max_open_warning": 0}):
        yield
    plt.close("all")


@pytest.fixture
def distances():
    return chain_like_distances(40)


@pytest.fixture
def probs(distances):
    return prediction_from(distances, SEQUENCE).contact_probs


def points(ax, label):
    return {
        (round(x), round(y))
        for line in ax.lines
        if str(line.get_label()).startswith(label)
        for x, y in line.get_xydata()
    }


def test_the_prediction_is_above_the_diagonal_and_nothing_of_it_below(probs):
    ax = plots.plot_contact_map(probs)
    image = np.ma.filled(ax.images[0].get_array().astype(float), np.nan)
    upper = np.triu(np.ones((40, 40), dtype=bool), k=1)
    np.testing.assert_array_equal(image[upper], probs[upper])
    assert np.isnan(image[~upper]).all()
    assert ax.images[0].get_extent() == [0.5, 40.5, 40.5, 0.5]


def test_true_and_false_pairs_are_marked_below_the_diagonal(probs, distances):
    truth = distances.copy()
    truth[11] = truth[:, 11] = np.nan
    ax = plots.plot_contact_map(probs, truth, num_pairs=25, min_separation=6)
    first, second = top_pairs(probs, min_separation=6, known=~np.isnan(truth))
    pairs = list(zip(first[:25] + 1, second[:25] + 1, strict=True))
    hits = {(i, j) for i, j in pairs if truth[i - 1, j - 1] < 8}
    assert points(ax, "true") == hits
    assert points(ax, "false") == set(pairs) - hits
    assert len(hits) not in {0, 25}


def test_true_contacts_and_unknown_pairs_are_drawn_apart(probs, distances):
    truth = distances.copy()
    truth[11] = truth[:, 11] = np.nan
    ax = plots.plot_contact_map(probs, truth)
    lower = np.tril(np.ones((40, 40), dtype=bool), k=-1)
    native, unknown = (
        ~np.ma.getmaskarray(np.ma.masked_invalid(image.get_array())) for image in ax.images[1:3]
    )
    assert np.array_equal(native, lower & (truth < 8))
    assert np.array_equal(unknown, lower & np.isnan(truth))


def test_without_a_structure_the_best_pairs_are_drawn_black(probs):
    ax = plots.plot_contact_map(probs, num_pairs=12)
    assert len(points(ax, "predicted")) == 12


def test_given_axes_are_drawn_on_and_returned(probs):
    _, axes = plt.subplots(1, 2)
    assert plots.plot_contact_map(probs, ax=axes[0]) is axes[0]
    assert plots.plot_coverage(make_alignment(), ax=axes[1]) is axes[1]
    assert plots.plot_contact_map(probs) not in axes


@pytest.mark.parametrize("length", [1, 2, 7])
def test_the_smallest_proteins_can_be_drawn(length):
    distances = chain_like_distances(length)
    plots.plot_contact_map(prediction_from(distances, SEQUENCE[:length]).contact_probs, distances)
    ax = plots.plot_coverage(make_alignment(SEQUENCE[:length], rows=1))
    ax.figure.canvas.draw()
    assert ax.lines[0].get_ydata().tolist() == [1] * length


def test_the_coverage_line_counts_residues_and_gaps_are_empty():
    alignment = make_alignment(rows=30)
    ax = plots.plot_coverage(alignment)
    counts = (alignment.tokens != 21).sum(axis=0)
    assert ax.lines[0].get_ydata().tolist() == counts.tolist()
    assert ax.lines[0].get_xdata().tolist() == list(range(1, 41))
    drawn = ~np.ma.getmaskarray(np.ma.masked_invalid(ax.images[0].get_array()))
    assert drawn.sum() == counts.sum()
    assert ax.get_ylim() == (0, 30)


def test_figures_are_saved_as_vectors_with_raster_maps(probs, distances, tmp_path):
    ax = plots.plot_contact_map(probs, distances)
    assert all(image.get_rasterized() for image in ax.images)
    ax.figure.savefig(tmp_path / "map.pdf")
    assert (tmp_path / "map.pdf").stat().st_size < 200_000


def test_no_function_shows_a_window_or_chooses_a_backend():
    tree = ast.parse(Path(plots.__file__).read_text(encoding="utf-8"))
    called = {
        node.func.attr for node in ast.walk(tree) if isinstance(node, ast.Call) and hasattr(node.func, "attr")
    }
    assert not called & {"show", "use", "switch_backend"}

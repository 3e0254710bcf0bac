"""How the structure is turned when the page opens."""

import numpy as np
import pytest

from msaformer.report.view_frame import MARGIN, quaternion, view_frame


def rotated(points, q):
    """Points `[n, 3]` by the quaternion (x, y, z, w): v + 2 u × (u × v + w v)."""
    u, w = np.array(q[:3]), q[3]
    return points + 2 * np.cross(u, np.cross(u, points) + w * points)


@pytest.mark.parametrize("seed", range(4))
def test_the_longest_axis_lies_across_the_picture_and_all_fits(seed):
    rng = np.random.default_rng(seed)
    frame_of = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    points = (rng.normal(size=(50, 3)) * [4, 20, 9]) @ frame_of.T + [30, -10, 5]
    atoms = points.astype(np.float32)
    atoms[7] = np.nan
    found = view_frame(atoms)
    placed = rotated(np.delete(points, 7, axis=0) - found["center"], found["rotation"])
    np.testing.assert_allclose(placed.max(axis=0), np.array(found["extents"]) - MARGIN, atol=2e-2)
    np.testing.assert_allclose(placed.min(axis=0), MARGIN - np.array(found["extents"]), atol=2e-2)
    assert (np.diff(placed.std(axis=0)) < 0).all()


@pytest.mark.parametrize("angle", [0.0, 0.3, np.pi / 2, np.pi - 1e-9, np.pi])
def test_a_quaternion_turns_as_its_matrix_does(angle):
    cosine, sine = np.cos(angle), np.sin(angle)
    turn = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    matrix = turn @ np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]])
    points = np.random.default_rng(0).normal(size=(5, 3))
    np.testing.assert_allclose(rotated(points, quaternion(matrix)), points @ matrix.T, atol=1e-9)
    assert quaternion(matrix)[3] >= 0


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_few_atoms_have_a_view(count):
    found = view_frame(np.arange(3 * count, dtype=np.float32).reshape(count, 3) ** 2)
    assert np.linalg.norm(found["rotation"]) == pytest.approx(1, abs=1e-5)
    assert min(found["extents"]) >= MARGIN


def test_without_atoms_there_is_none():
    assert view_frame(np.full((4, 3), np.nan, dtype=np.float32)) is None

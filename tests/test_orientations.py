"""Orientations of residue pairs: trRosetta's ω, θ and φ, and the ideal Cβ that Gly has in them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from biotite.structure import angle, dihedral

from data_tools.backbone import BACKBONE, virtual_cb
from data_tools.orientations import Orientations, orientations
from data_tools.structure import read_chains
from msaformer import example

ANGLES = ("omega", "theta", "phi")


def random_backbone(length: int, *, seed: int = 0) -> np.ndarray:
    """Atoms `[L, 4, 3]` at random places, some residues and atoms not resolved."""
    rng = np.random.default_rng(seed)
    backbone = rng.normal(scale=10, size=(length, 4, 3))
    backbone[2] = np.nan
    backbone[4, BACKBONE.index("N")] = np.nan
    backbone[5, BACKBONE.index("CB")] = np.nan
    return backbone


def dihedral_by_projection(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> float:
    """Signed angle between what is left of the outer bonds when looking along the middle one."""
    axis = (c - b) / np.linalg.norm(c - b)
    near = (a - b) - np.dot(a - b, axis) * axis
    far = (d - c) - np.dot(d - c, axis) * axis
    return math.atan2(float(np.dot(np.cross(axis, near), far)), float(np.dot(near, far)))


def angle_by_cosine(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> float:
    cosine = np.dot(a - b, c - b) / (np.linalg.norm(a - b) * np.linalg.norm(c - b))
    return math.acos(float(np.clip(cosine, -1, 1)))


def orientations_by_loop(backbone: np.ndarray) -> dict[str, np.ndarray]:
    length = len(backbone)
    angles = {name: np.full((length, length), np.nan) for name in ANGLES}
    for i, (n, ca, _, cb) in enumerate(backbone):
        for j, (_, other_ca, _, other_cb) in enumerate(backbone):
            if i == j or np.isnan([*ca, *cb, *other_cb]).any():
                continue
            angles["phi"][i, j] = angle_by_cosine(ca, cb, other_cb)
            if not np.isnan(other_ca).any():
                angles["omega"][i, j] = dihedral_by_projection(ca, cb, other_cb, other_ca)
            if not np.isnan(n).any():
                angles["theta"][i, j] = dihedral_by_projection(n, ca, cb, other_cb)
    return angles


def example_backbone() -> np.ndarray:
    return read_chains(example.STRUCTURE)[0].backbone


def as_dict(result: Orientations) -> dict[str, np.ndarray]:
    return {name: getattr(result, name) for name in ANGLES}


def test_orientations_agree_with_the_plain_loop() -> None:
    backbone = random_backbone(9)
    for name, expected in orientations_by_loop(backbone).items():
        found = as_dict(orientations(backbone))[name]
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=1e-6, err_msg=name)


def test_orientations_agree_with_biotite_on_a_real_protein() -> None:
    backbone = example_backbone()
    n, ca, _, cb = backbone.astype(np.float64).transpose(1, 0, 2)
    i, j = np.nonzero(~np.eye(len(backbone), dtype=bool))
    expected = {
        "omega": dihedral(ca[i], cb[i], cb[j], ca[j]),
        "theta": dihedral(n[i], ca[i], cb[i], cb[j]),
        "phi": angle(ca[i], cb[i], cb[j]),
    }
    for name, found in as_dict(orientations(backbone)).items():
        assert not np.isnan(found[i, j]).any()
        turned = np.abs(found[i, j] - expected[name])
        assert np.minimum(turned, 2 * np.pi - turned).max() < 1e-5, name  # −π is π; it counts in float32


def test_angles_of_a_hand_made_pair() -> None:
    """i: Cα at the origin, Cβ along x, N along y. j: Cβ 2 above that of i, its Cα a step towards −y."""
    backbone = np.array(
        [
            [[0, 1, 0], [0, 0, 0], [-1, -1, 0], [1, 0, 0]],
            [[9, 9, 9], [1, -1, 2], [9, 9, 9], [1, 0, 2]],
        ],
        dtype=np.float32,
    )
    found = orientations(backbone)
    assert found.phi[0, 1] == pytest.approx(math.pi / 2)  # x axis against z axis
    assert found.phi[1, 0] == pytest.approx(math.pi / 2)
    # along the bond Cα→Cβ (x), N is up at +y and Cβ_j at +z: seen from Cα, y to z is clockwise
    assert found.theta[0, 1] == pytest.approx(math.pi / 2)
    # along Cβ_i→Cβ_j (z), Cα_i lies at −x, Cα_j at −y: seen from below, −x to −y is clockwise
    assert found.omega[0, 1] == found.omega[1, 0] == pytest.approx(math.pi / 2)


def test_omega_is_symmetric_and_theta_and_phi_are_not() -> None:
    found = orientations(example_backbone())
    np.testing.assert_allclose(found.omega, found.omega.T, atol=1e-6)
    off = ~np.eye(len(found.omega), dtype=bool)
    for one in (found.theta, found.phi):
        assert np.abs(one - one.T)[off].mean() > 0.1


def test_angles_have_their_ranges_and_no_diagonal() -> None:
    found = orientations(random_backbone(8, seed=3))
    for name, values in as_dict(found).items():
        assert np.isnan(values.diagonal()).all()
        known = values[~np.isnan(values)]
        assert known.min() >= (0 if name == "phi" else -math.pi - 1e-6)
        assert known.max() <= math.pi + 1e-6


def test_only_the_angles_of_a_missing_atom_are_unknown() -> None:
    backbone = random_backbone(8)
    found = orientations(backbone)
    assert np.isnan(found.theta[4]).all()  # has no N
    assert not np.isnan(found.phi[4, [0, 1, 3, 6, 7]]).any()
    assert not np.isnan(found.theta[[0, 1, 3, 6, 7], 4]).any()
    for name in ANGLES:  # 2 has nothing, 5 no Cβ
        values = as_dict(found)[name]
        assert np.isnan(values[[2, 5]]).all()
        assert np.isnan(values[:, [2, 5]]).all()


def test_rotation_and_translation_change_nothing_and_a_mirror_only_the_signs() -> None:
    backbone = random_backbone(7, seed=1)
    rotation, _ = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))
    rotation *= np.linalg.det(rotation)  # a rotation, no reflection
    before = orientations(backbone)
    moved = orientations(backbone @ rotation + [5, -70, 300])
    mirrored = orientations(backbone * [1, 1, -1])
    for name in ANGLES:
        np.testing.assert_allclose(getattr(moved, name), getattr(before, name), atol=1e-6)
        sign = 1 if name == "phi" else -1
        np.testing.assert_allclose(getattr(mirrored, name), sign * getattr(before, name), atol=1e-6)


def test_atoms_in_one_line_have_no_dihedral() -> None:
    line = np.array(
        [[[0, 0, 0], [1, 0, 0], [0, 9, 9], [2, 0, 0]], [[0, 5, 0], [1, 3, 0], [9, 0, 0], [4, 0, 0]]]
    )
    found = orientations(line.astype(np.float32))
    assert np.isnan(found.theta[0, 1])
    assert found.phi[0, 1] == pytest.approx(math.pi)


def test_no_and_one_residue_have_no_pairs() -> None:
    for length in (0, 1):
        found = orientations(np.ones((length, 4, 3), dtype=np.float32))
        assert found.omega.shape == (length, length)
        assert np.isnan(found.theta).all()


def test_the_ideal_cb_lies_where_real_ones_do() -> None:
    (chain,) = read_chains(example.STRUCTURE)
    has_cb = np.array([letter != "G" for letter in chain.sequence])
    ideal = virtual_cb(chain.backbone)
    apart = np.linalg.norm(ideal - chain.backbone[:, 3], axis=-1)
    assert np.median(apart[has_cb]) < 0.1
    assert apart[has_cb].max() < 0.3
    bonds = np.linalg.norm(ideal - chain.ca, axis=-1)
    assert np.median(bonds) == pytest.approx(1.53, abs=0.03)  # Å, Engh & Huber 1991
    np.testing.assert_array_equal(chain.backbone[~has_cb, 3], ideal[~has_cb])


def test_the_ideal_cb_of_a_mirror_image_is_the_mirror_image() -> None:
    backbone = np.random.default_rng(5).normal(size=(6, 4, 3))
    expected = virtual_cb(backbone * [1, 1, -1]) * [1, 1, -1]
    is_mirrored = np.array([True, False, True, True, False, True])
    found = virtual_cb(backbone, is_mirrored)
    np.testing.assert_allclose(found[is_mirrored], expected[is_mirrored], atol=1e-6)
    np.testing.assert_array_equal(found[~is_mirrored], virtual_cb(backbone)[~is_mirrored])


def test_without_n_or_c_there_is_no_ideal_cb() -> None:
    backbone = np.random.default_rng(6).normal(size=(4, 4, 3))
    for residue, atom in enumerate(("N", "CA", "C")):
        backbone[residue, BACKBONE.index(atom)] = np.nan
    assert np.isnan(virtual_cb(backbone)).all(axis=-1).tolist() == [True, True, True, False]

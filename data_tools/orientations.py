"""Orientations of residue pairs as trRosetta defines them (Yang et al. 2020, PNAS 117:1496, figure 1C).

Of residues i and j, in radians:

    ω  dihedral Cα_i – Cβ_i – Cβ_j – Cα_j, symmetric, in [−π, π]
    θ  dihedral N_i – Cα_i – Cβ_i – Cβ_j, not symmetric, in [−π, π]
    φ  angle Cα_i – Cβ_i – Cβ_j, not symmetric, in [0, π]

With the distance of the two Cβ they fix how the residues lie to each other. The sign of a dihedral is that of IUPAC:
looking along the middle bond, clockwise from the near to the far bond is positive. L residues.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from data_tools.backbone import CA, CB, N

_Vectors = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Orientations:
    """The angles of all pairs; made by `orientations`. NaN on the diagonal and where an atom is not resolved."""

    omega: npt.NDArray[np.float32]
    """`[L, L]` radians, symmetric."""
    theta: npt.NDArray[np.float32]
    """`[L, L]` radians; row i is how j is seen from i."""
    phi: npt.NDArray[np.float32]
    """`[L, L]` radians; row i is how j is seen from i."""


def orientations(backbone: npt.NDArray[np.floating[Any]]) -> Orientations:
    """Angles of all pairs from N, Cα, C and Cβ `[L, 4, 3]` Å, Cβ virtual where there is none (`data_tools.backbone`).

    An angle is NaN where one of its own atoms is not resolved, so φ is known without N, and for i = j.
    """
    precise = backbone.astype(np.float64)
    n, ca, cb = precise[:, N], precise[:, CA], precise[:, CB]
    to_cb = (cb - ca)[:, None]  # Cα_i → Cβ_i, [L, 1, 3]
    between = cb[None, :] - cb[:, None]  # Cβ_i → Cβ_j, [L, L, 3]; no direction for i = j
    omega = _dihedral(to_cb, between, -to_cb.swapaxes(0, 1))
    theta = _dihedral((ca - n)[:, None], to_cb, between)
    phi = _angle(-to_cb, between)
    return Orientations(*(angle.astype(np.float32) for angle in (omega, theta, phi)))


def _dihedral(first: _Vectors, middle: _Vectors, last: _Vectors) -> _Vectors:
    """Dihedral of three bonds in a row; their shapes broadcast. NaN where one has no length, or two are in line."""
    normal, other = np.cross(first, middle), np.cross(middle, last)
    across = _dot(first, other) * np.sqrt(_dot(middle, middle))
    along = _dot(normal, other)
    with np.errstate(invalid="ignore"):
        return np.where((across == 0) & (along == 0), np.nan, np.arctan2(across, along))


def _angle(one: _Vectors, other: _Vectors) -> _Vectors:
    """Angle between two vectors; by arctan2, exact near 0 and π too. NaN where one has no length."""
    cross = np.cross(one, other)
    across, along = np.sqrt(_dot(cross, cross)), _dot(one, other)
    return np.where((across == 0) & (along == 0), np.nan, np.arctan2(across, along))


def _dot(one: _Vectors, other: _Vectors) -> _Vectors:
    return np.einsum("...k,...k->...", *np.broadcast_arrays(one, other))

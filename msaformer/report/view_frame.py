"""How a structure is turned and framed when it is first shown: its longest axis lies across the picture.

L residues of the query.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

MARGIN: Final = 4.0  # Å around the contact atoms: side chains, and the width of a ribbon


def view_frame(atoms: npt.NDArray[np.float32]) -> dict[str, Any] | None:
    """Center, rotation and half extents (Å) of `atoms` `[L, 3]`, of which NaN are left out; None when all are.

    The rotation is a quaternion (x, y, z, w) that brings the principal axes onto x, y and z of the screen, the longest
    onto x; the extents are along these, `MARGIN` included. Deterministic: each axis points to where the chain begins.
    """
    points = atoms[~np.isnan(atoms).any(axis=1)].astype(np.float64)
    if len(points) == 0:
        return None
    offsets = points - points.mean(axis=0)
    axes = np.linalg.eigh(offsets.T @ offsets)[1][:, ::-1].T
    axes *= np.where(axes @ offsets[0] < 0, -1.0, 1.0)[:, None]
    if np.linalg.det(axes) < 0:  # a mirror is no rotation
        axes[2] *= -1
    turned = points @ axes.T
    low, high = turned.min(axis=0), turned.max(axis=0)
    return {
        "center": np.round((low + high) / 2 @ axes, 3).tolist(),
        "rotation": np.round(quaternion(axes), 6).tolist(),
        "extents": np.round((high - low) / 2 + MARGIN, 3).tolist(),
    }


def quaternion(rotation: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The unit quaternion (x, y, z, w), w ≥ 0, of a rotation matrix `[3, 3]`.

    It is the eigenvector of the largest eigenvalue of a symmetric matrix made of the rotation's elements (Bar-Itzhack
    2000, J. Guid. Control Dyn. 23:1085), which no angle makes unstable.
    """
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = rotation
    matrix = np.array(
        [
            [xx - yy - zz, yx + xy, zx + xz, zy - yz],
            [yx + xy, yy - xx - zz, zy + yz, xz - zx],
            [zx + xz, zy + yz, zz - xx - yy, yx - xy],
            [zy - yz, xz - zx, yx - xy, xx + yy + zz],
        ]
    )
    found: npt.NDArray[np.float64] = np.linalg.eigh(matrix)[1][:, -1]
    return found if found[3] >= 0 else -found

"""`Example`, and how one becomes a row of a Parquet shard (`data_tools.store`).

Arrays are raw little-endian bytes in C order; their shapes follow from `length` (L), `depth` (N) and the
number of co-evolution maps (k). What is kept, and how exactly:

| column                | bytes                             | precision                                      |
|-----------------------|-----------------------------------|------------------------------------------------|
| tokens                | uint8 `[N, L]`                    | exact                                          |
| deletion_matrix       | uint16 `[N, L]`                   | exact                                          |
| weights, profile      | float32 `[N]`, `[L, 22]`          | exact                                          |
| residue_index         | int32 `[L]`                       | exact                                          |
| coevolution           | float16 `[k, L(L-1)/2]`, i < j    | 11 significant bits                            |
| distances             | uint16 `[L(L+1)/2]`, i <= j       | hundredths of Å, rounded down; 65535 = NaN     |
| backbone              | float32 `[L, 4, 3]`               | exact                                          |

Rounding down keeps every comparison `distance < t` with t a multiple of 0.01 Å, hence every contact.
Distances from 655.34 Å on are stored as 655.34 Å. `neff` is a copy of the sum of the weights, for use without
this package. Orientations are made of the backbone when they are asked for: it is a twentieth of their size. Examples
without a structure have no value in the last two columns; schema 1 has no backbone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from data_tools.alphabet import NUM_SYMBOLS
from data_tools.backbone import BACKBONE
from data_tools.errors import AlignmentError, StoreError
from data_tools.features import COEVOLUTION_MAPS, MSAFeatures
from data_tools.orientations import Orientations, orientations

ROW_SCHEMA: Final = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("length", pa.int32(), nullable=False),
        pa.field("depth", pa.int32(), nullable=False),
        pa.field("neff", pa.float64(), nullable=False),
        pa.field("has_distances", pa.bool_(), nullable=False),
        pa.field("tokens", pa.large_binary(), nullable=False),
        pa.field("deletion_matrix", pa.large_binary(), nullable=False),
        pa.field("weights", pa.large_binary(), nullable=False),
        pa.field("profile", pa.large_binary(), nullable=False),
        pa.field("residue_index", pa.large_binary(), nullable=False),
        pa.field("coevolution", pa.large_binary(), nullable=False),
        pa.field("distances", pa.large_binary(), nullable=True),
        pa.field("backbone", pa.large_binary(), nullable=True),
    ]
)
KNOWN_COLUMNS: Final = (ROW_SCHEMA.names, ROW_SCHEMA.names[:-1])
"""Of this schema, and of schema 1."""

_STEPS_PER_ANGSTROM: Final = 100.0
_UNRESOLVED: Final = 65535  # the largest uint16; distances end one step below
_SYMMETRY_TOLERANCE: Final = 1e-3  # the precision of float16 near 1, in which maps are kept anyway


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """The features of one alignment, with the true distances and atoms where its structure is known.

    Raises StoreError at birth when the id is empty, the distances are no symmetric float32 `[L, L]`, or the atoms no
    float32 `[L, 4, 3]` without infinities.
    """

    id: str
    features: MSAFeatures
    distances: npt.NDArray[np.float32] | None
    """`[L, L]` Å, Cβ–Cβ (Cα for Gly), NaN where a residue is unresolved; None when there is no structure."""
    backbone: npt.NDArray[np.float32] | None = None
    """`[L, 4, 3]` Å, N, Cα, C, Cβ (`data_tools.backbone`), Gly's Cβ virtual, NaN where unresolved; None: unknown."""

    def __post_init__(self) -> None:
        if not self.id:
            raise StoreError("an example needs an id that is not empty")
        length = self.features.length
        wanted = {"distances": (length, length), "backbone": (length, len(BACKBONE), 3)}
        for name, shape in wanted.items():
            values = getattr(self, name)
            if values is not None and (values.shape != shape or values.dtype != np.float32):
                found = f"{values.dtype} {values.shape}"
                raise StoreError(f"{self.id}: {name} must be float32 {shape}, not {found}")
        distances = self.distances
        if distances is not None and not np.array_equal(distances, distances.T, equal_nan=True):
            raise StoreError(f"{self.id}: distances are not symmetric")
        if self.backbone is not None and np.isinf(self.backbone).any():
            raise StoreError(f"{self.id}: the backbone must be finite, or NaN where unresolved")

    @property
    def orientations(self) -> Orientations | None:
        """ω, θ and φ of all pairs, made at each call; None when the backbone is not known."""
        return None if self.backbone is None else orientations(self.backbone)


def to_row(example: Example) -> dict[str, Any]:
    """Turn an example into the values of one row of `ROW_SCHEMA`.

    Raises StoreError when a co-evolution map is not finite, not symmetric or too large for float16, or a
    distance is negative or infinite.
    """
    features = example.features
    distances, backbone = example.distances, example.backbone
    return {
        "id": example.id,
        "length": features.length,
        "depth": features.depth,
        "neff": features.neff,
        "has_distances": distances is not None,
        "tokens": _to_bytes(features.tokens, "|u1"),
        "deletion_matrix": _to_bytes(features.deletion_matrix, "<u2"),
        "weights": _to_bytes(features.weights, "<f4"),
        "profile": _to_bytes(features.profile, "<f4"),
        "residue_index": _to_bytes(features.residue_index, "<i4"),
        "coevolution": _pack_maps(example.id, features.coevolution),
        "distances": None if distances is None else _pack_distances(example.id, distances),
        "backbone": None if backbone is None else _to_bytes(backbone, "<f4"),
    }


def from_row(row: dict[str, Any]) -> Example:
    """Turn a row of `ROW_SCHEMA`, or of schema 1, back into an example; its arrays are its own and writable.

    Raises StoreError when an array has not the number of bytes that length and depth ask for, or holds what no
    example can.
    """
    length, depth = row["length"], row["depth"]
    num_maps = len(COEVOLUTION_MAPS)
    maps = _from_bytes(row, "coevolution", "<f2", (num_maps, length * (length - 1) // 2))
    distances = None
    if row["has_distances"]:
        distances = _unpack_distances(
            _from_bytes(row, "distances", "<u2", (length * (length + 1) // 2,)), length
        )
    backbone = None
    if row.get("backbone") is not None:
        backbone = _from_bytes(row, "backbone", "<f4", (length, len(BACKBONE), 3))
    try:
        features = MSAFeatures(
            tokens=_from_bytes(row, "tokens", "|u1", (depth, length)),
            deletion_matrix=_from_bytes(row, "deletion_matrix", "<u2", (depth, length)),
            weights=_from_bytes(row, "weights", "<f4", (depth,)),
            profile=_from_bytes(row, "profile", "<f4", (length, NUM_SYMBOLS)),
            residue_index=_from_bytes(row, "residue_index", "<i4", (length,)),
            coevolution=_unpack_maps(maps, length),
        )
    except AlignmentError as error:
        raise StoreError(f"example {row['id']!r} is damaged: {error}") from error
    _check_values(row["id"], features)
    return Example(row["id"], features, distances, backbone)


def _check_values(name: str, features: MSAFeatures) -> None:
    """Raise StoreError for values that would stop a network, or quietly spoil it."""
    weights = features.weights
    sound = {
        "tokens": features.tokens.size > 0 and features.tokens.max() < NUM_SYMBOLS,
        "weights": bool((weights > 0).all() and (weights <= 1).all()),  # False for NaN
        "profile": bool(np.isfinite(features.profile).all()),
        "coevolution": bool(np.isfinite(features.coevolution).all()),
    }
    wrong = [field for field, is_sound in sound.items() if not is_sound]
    if wrong:
        raise StoreError(f"example {name!r} is damaged: impossible values in {', '.join(wrong)}; rebuild it")


def _to_bytes(array: npt.NDArray[Any], dtype: str) -> bytes:
    return np.ascontiguousarray(array, dtype=dtype).tobytes()


def _from_bytes(row: dict[str, Any], name: str, dtype: str, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    stored = row[name] or b""
    expected = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    if len(stored) != expected:
        raise StoreError(
            f"example {row['id']!r} is damaged: {name} has {len(stored)} bytes, not {expected}; rebuild it"
        )
    array = np.frombuffer(stored, dtype=dtype).reshape(shape)
    return array.astype(array.dtype.newbyteorder("="), copy=True)


def _pack_maps(name: str, maps: npt.NDArray[np.float32]) -> bytes:
    if not np.isfinite(maps).all():
        raise StoreError(f"{name}: the co-evolution maps hold values that are not finite")
    if maps.size and np.abs(maps).max() > np.finfo(np.float16).max:
        raise StoreError(f"{name}: co-evolution values beyond ±65504 cannot be stored as float16")
    rows, columns = np.triu_indices(maps.shape[0], k=1)
    upper = maps[rows, columns]
    if not np.allclose(upper, maps[columns, rows], rtol=_SYMMETRY_TOLERANCE, atol=_SYMMETRY_TOLERANCE):
        raise StoreError(f"{name}: the co-evolution maps are not symmetric")
    return _to_bytes(upper.T, "<f2")


def _unpack_maps(packed: npt.NDArray[np.float16], length: int) -> npt.NDArray[np.float32]:
    maps = np.zeros((length, length, len(packed)), dtype=np.float32)
    rows, columns = np.triu_indices(length, k=1)
    values = packed.T.astype(np.float32)
    maps[rows, columns] = values
    maps[columns, rows] = values
    return maps


def _pack_distances(name: str, distances: npt.NDArray[np.float32]) -> bytes:
    upper = distances[np.triu_indices(len(distances))]
    resolved = upper[~np.isnan(upper)]
    if resolved.size and not (resolved.min() >= 0.0 and resolved.max() < np.inf):
        raise StoreError(f"{name}: distances must be finite and not negative, or NaN where unresolved")
    steps = np.rint(np.minimum(resolved.astype(np.float64) * _STEPS_PER_ANGSTROM, _UNRESOLVED - 1))
    steps -= _to_angstrom(steps) > resolved  # the largest step that reads back as no more than the distance
    packed = np.full(upper.shape, _UNRESOLVED, dtype=np.uint16)
    packed[~np.isnan(upper)] = steps.astype(np.uint16)
    return _to_bytes(packed, "<u2")


def _unpack_distances(packed: npt.NDArray[np.uint16], length: int) -> npt.NDArray[np.float32]:
    upper = _to_angstrom(packed.astype(np.float64))
    upper[packed == _UNRESOLVED] = np.nan
    distances = np.empty((length, length), dtype=np.float32)
    rows, columns = np.triu_indices(length)
    distances[rows, columns] = upper
    distances[columns, rows] = upper
    return distances


def _to_angstrom(steps: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    return (steps / _STEPS_PER_ANGSTROM).astype(np.float32)

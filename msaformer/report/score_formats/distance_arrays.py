"""Predicted distances in `.npz` files: trRosetta's, and this package's predictions.

trRosetta (Yang et al. 2020, PNAS 117:1496; `network/predict.py`): `dist [L, L, 37]`, bin 0 is "farther than 20 Å", bins
1 to 36 are 0.5 Å wide from 2 Å on; so p(d < 8 Å) is the sum of bins 1 to 12. RoseTTAFold keeps the same bins with the
far one last: asked for by `column="dist-last"`.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from msaformer.errors import ScoreFileError
from msaformer.pair_scores import PairScores
from msaformer.prediction import load_prediction
from msaformer.report.score_formats.pair_rows import MAX_LENGTH, Query, known_sequence
from msaformer.report.score_formats.score_matrix import scores_of_matrix

MAX_ARRAY_BYTES: Final = 2**32  # trRosetta's array of a protein of 5,000 residues
TRROSETTA_BINS: Final = 37
BINS_BELOW_8_ANGSTROM: Final = 12  # 2 to 8 Å in steps of 0.5 Å
_FIRST_NEAR_BIN: Final = {"dist": 1, "dist-last": 0}
_FAR_BIN: Final = {"dist": 0, "dist-last": 36}
_OURS: Final = "contact_probs.npy"
_FAR_SHARE: Final = 0.01  # of all pairs; less says nothing of where the far bin is, as in a small protein
_DAMAGE: Final = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,
)
"""What zipfile and numpy raise for a file that is no `.npz`, or is cut short."""
_SUM_TOLERANCE: Final = 2e-2  # of 37 bins in half precision, as RoseTTAFold writes them


def read_arrays(path: Path, query: Query, column: str | None) -> PairScores:
    """Read a `.npz` file; nothing in it is unpickled.

    Raises ScoreFileError when it is damaged, too large, of another program or query, or its bins are no probabilities;
    PredictionError when one of our predictions is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            if _OURS in names:
                return _of_prediction(path, query)
            if "dist.npy" not in names:
                listed = ", ".join(sorted(name.removesuffix(".npy") for name in names)[:10]) or "nothing"
                raise ScoreFileError(
                    f"{path}: the archive holds {listed[:200]}; a prediction of msaformer or trRosetta's 'dist' is "
                    "expected"
                )
            bins = _array(archive, "dist.npy", path)
    except FileNotFoundError as error:
        raise ScoreFileError(f"{path}: there is no such file; check the path") from error
    except _DAMAGE as error:
        raise ScoreFileError(
            f"{path}: not a .npz file, or damaged; copy it again, or make it again with `msaformer predict`"
        ) from error
    return _of_bins(path, bins, query, "dist" if column is None else column)


def is_prediction(path: Path) -> bool:
    """Whether a `.npz` file is one of ours; False for one that cannot be read, which `read_arrays` refuses."""
    try:
        with zipfile.ZipFile(path) as archive:
            return _OURS in archive.namelist()
    except _DAMAGE:
        return False


def _of_prediction(path: Path, query: Query) -> PairScores:
    found = PairScores.of(load_prediction(path))
    known_sequence(path, found.sequence, query)
    return found


def _array(archive: zipfile.ZipFile, name: str, path: Path) -> npt.NDArray[Any]:
    """One array, refused before it is made when it is large or its header promises more than the file holds."""
    size = archive.getinfo(name).file_size
    with archive.open(name) as member:
        version = np.lib.format.read_magic(member)
        read_header = np.lib.format.read_array_header_1_0
        shape, _, dtype = (
            read_header(member) if version == (1, 0) else np.lib.format.read_array_header_2_0(member)
        )
    if dtype.hasobject or math.prod(shape) * dtype.itemsize > min(size, MAX_ARRAY_BYTES):
        raise ScoreFileError(
            f"{path}: its array {name.removesuffix('.npy')} {shape} of {dtype} is damaged, or larger than the "
            f"{MAX_ARRAY_BYTES:,} bytes that can be read"
        )
    with archive.open(name) as member:
        return np.lib.format.read_array(member, allow_pickle=False)


def _of_bins(path: Path, bins: npt.NDArray[Any], query: Query, column: str) -> PairScores:
    if column not in _FAR_BIN:
        raise ScoreFileError(f"{path}: there is no column {column!r}; choose {' or '.join(_FAR_BIN)}")
    length = bins.shape[0] if bins.ndim else 0
    if (
        bins.shape != (length, length, TRROSETTA_BINS)
        or not 1 <= length <= MAX_LENGTH
        or bins.dtype.kind != "f"
    ):
        raise ScoreFileError(
            f"{path}: 'dist' is {bins.dtype} {bins.shape}; trRosetta's [L, L, {TRROSETTA_BINS}] of probabilities is "
            "expected"
        )
    off = ~np.eye(length, dtype=bool)
    sums = bins.sum(axis=-1, dtype=np.float64)
    if not (np.abs(sums[off] - 1) <= _SUM_TOLERANCE).all() or not (bins[off] >= 0).all():
        raise ScoreFileError(f"{path}: the bins of some pair do not sum to 1; probabilities are expected")
    _check_order(path, bins, off, column)
    near = _FIRST_NEAR_BIN[column]
    contact = bins[..., near : near + BINS_BELOW_8_ANGSTROM].sum(axis=-1, dtype=np.float64)
    contact = np.where(off, (contact + contact.T) / 2, 0).clip(
        0, 1
    )  # trRosetta averages the triangles as well
    return scores_of_matrix(path, contact, "trRosetta (p of d < 8 Å)", query, are_probabilities=True)


def _check_order(path: Path, bins: npt.NDArray[Any], off: npt.NDArray[np.bool_], column: str) -> None:
    """Refuse the other order of bins: few pairs lie between 19.5 and 20 Å, many farther than 20 Å."""
    other = next(name for name in _FAR_BIN if name != column)
    if not off.any():
        return
    mass = {name: float(bins[..., place][off].mean(dtype=np.float64)) for name, place in _FAR_BIN.items()}
    if mass[other] > max(2 * mass[column], _FAR_SHARE):
        raise ScoreFileError(
            f"{path}: bin {_FAR_BIN[column]} of 'dist' holds less than bin {_FAR_BIN[other]}, so it cannot be that of "
            f"pairs farther than 20 Å; read it with the column {other!r} (--column {other})"
        )

"""`Prediction`: what the network says about one protein, and its file (`.npz`, plain arrays, no pickle).

L residues of the query, K distance bins. The file holds the arrays under the names of the fields, full and
symmetric, so that three lines of numpy read it without this package; `metadata` is a JSON text.
"""

from __future__ import annotations

import dataclasses
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from data_tools.atomic import atomic_path
from msaformer.chains import residue_labels
from msaformer.errors import PredictionError
from msaformer.metrics import CONTACT_ANGSTROM

FORMAT: Final = "msaformer-prediction-1"
SYMMETRY_TOLERANCE: Final = 1e-3  # of a probability; matrix products of float32 are symmetric to about 1e-6
SUM_TOLERANCE: Final = 1e-2  # of a distogram's sum over bins; float16 on disk is off by less than 1e-3

_ARRAYS: Final = ("contact_probs", "distogram_probs", "bin_edges", "expected_distance", "distance_std")
_OPTIONAL_ARRAYS: Final = ("residue_index", "sequence_weights", "attention_probs", "attention_heads")
_DAMAGE: Final = (
    *(OSError, EOFError, ValueError, KeyError, TypeError, AttributeError),
    *(zipfile.BadZipFile, zlib.error, NotImplementedError),
)
"""What numpy and zipfile raise for a file that is no `.npz`, is cut short, or holds something else."""


@dataclass(frozen=True, slots=True, eq=False)
class AttentionMaps:
    """Row attention of chosen blocks and heads, the mean over the sequences that the network was given.

    Raises PredictionError at birth when the arrays do not fit each other.
    """

    heads: npt.NDArray[np.int32]
    """`[M, 2]`, block and head of each map, both counted from 0."""
    probs: npt.NDArray[np.float32]
    """`[M, L, L]`, how much residue i (row) takes from residue j (column); rows sum to 1; float16 on disk."""

    def __post_init__(self) -> None:
        count = len(self.heads)
        shape = self.probs.shape
        if self.heads.shape != (count, 2) or len(shape) != 3 or shape[0] != count or shape[1] != shape[2]:
            raise PredictionError(f"attention: {self.heads.shape} heads for {shape} maps")
        if not np.isfinite(self.probs).all() or (self.probs.size and self.probs.min() < 0):
            raise PredictionError("an attention map holds numbers that are no probabilities")
        for array in (self.heads, self.probs):
            array.setflags(write=False)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Prediction:
    """Contacts and distances predicted for one query.

    Raises PredictionError at birth when shapes disagree, a number is not finite, a probability lies
    outside [0, 1], a map is not symmetric, a distogram does not sum to 1, or the name cannot be a file's.
    """

    name: str
    """Target id; the stem of every file written for it."""
    sequence: str
    """The query, one letter a residue."""
    contact_probs: npt.NDArray[np.float32]
    """`[L, L]`, symmetric, P(Cβ–Cβ < 8 Å); the diagonal means nothing."""
    distogram_probs: npt.NDArray[np.float32]
    """`[L, L, K]`, P(distance in bin k), sums to 1 over k; float16 on disk."""
    bin_edges: npt.NDArray[np.float32]
    """`[K - 1]`, Å, increasing; bin k is [edge k-1, edge k), the first starts at 0, the last has no end."""
    expected_distance: npt.NDArray[np.float32]
    """`[L, L]`, Å, mean of the distogram."""
    distance_std: npt.NDArray[np.float32]
    """`[L, L]`, Å, standard deviation of the distogram."""
    depth: int
    """N, sequences in the whole alignment, the query included."""
    neff: float
    """Effective number of sequences at 80 % identity (`data_tools.weights`)."""
    model: Mapping[str, str | int | float]
    """Identity of the run: name, sha256 of the weights, `sequences_used` (those that the network was given at a time),
    `ensembles` (samples of so many sequences, averaged), `configuration` in words, versions of `msaformer` and `torch`,
    `device` and `precision`, and `coevolution` where it was left out on request; fewer in files of earlier versions."""
    alignment_sha256: str = ""
    """Identity of the alignment (`data_tools.alignment.alignment_sha256`); empty when unknown."""
    residue_index: npt.NDArray[np.int32] = dataclasses.field(
        default_factory=lambda: np.empty(0, dtype=np.int32)
    )
    """`[L]`, 0-based position of each residue in the query with the query's own insertions counted
    (`Alignment.residue_index`); 0 to L - 1 when it is not given. It runs on through the chains of a complex, without
    the break that the network was shown between them; `residue_labels` number each chain for itself."""
    chain_lengths: tuple[int, ...] = ()
    """Residues of each chain of a complex, in the order of the sequence; one chain of L when it is not given."""
    sequence_weights: npt.NDArray[np.float32] | None = None
    """`[N]`, in (0, 1], weight of each sequence of the alignment, which sum to Neff; None when unknown."""
    attention: AttentionMaps | None = None
    """Only where it was asked for."""

    def __post_init__(self) -> None:
        _check_name(self.name)
        length, bins = len(self.sequence), len(self.bin_edges) + 1
        square = (length, length)
        shapes = {
            "contact_probs": square,
            "distogram_probs": (*square, bins),
            "bin_edges": (bins - 1,),
            "expected_distance": square,
            "distance_std": square,
        }
        for field, shape in shapes.items():
            array: npt.NDArray[np.float32] = getattr(self, field)
            if array.dtype != np.float32 or array.shape != shape:
                raise PredictionError(f"{field} must be float32 {shape}, not {array.dtype} {array.shape}")
            if not np.isfinite(array).all():
                raise PredictionError(f"{field} holds numbers that are not finite")
            array.setflags(write=False)
        if length == 0:
            raise PredictionError("the sequence is empty")
        self._check_values()
        if self.residue_index.size == 0:
            object.__setattr__(self, "residue_index", np.arange(length, dtype=np.int32))
        if not self.chain_lengths:
            object.__setattr__(self, "chain_lengths", (length,))
        self._check_numbering()

    def _check_values(self) -> None:
        for field in ("contact_probs", "distogram_probs"):
            probs: npt.NDArray[np.float32] = getattr(self, field)
            if probs.min() < 0 or probs.max() > 1 + 1e-5:
                raise PredictionError(f"{field} must lie in [0, 1], not [{probs.min():g}, {probs.max():g}]")
        if np.abs(self.contact_probs - self.contact_probs.T).max() > SYMMETRY_TOLERANCE:
            raise PredictionError("contact_probs is not symmetric")
        sums = self.distogram_probs.sum(axis=-1, dtype=np.float64)
        if np.abs(sums - 1).max() > SUM_TOLERANCE:
            raise PredictionError(
                f"distogram_probs must sum to 1 over the bins, not {sums.min():g} to {sums.max():g}"
            )
        if (np.diff(self.bin_edges) <= 0).any():
            raise PredictionError("bin_edges must increase")

    def _check_numbering(self) -> None:
        if self.residue_index.shape != (self.length,) or (np.diff(self.residue_index) <= 0).any():
            raise PredictionError(f"residue_index must be {self.length} increasing positions")
        if sum(self.chain_lengths) != self.length or min(self.chain_lengths) < 1:
            raise PredictionError(
                f"chains of {self.chain_lengths} residues do not make the query's {self.length}"
            )
        weights = self.sequence_weights
        if weights is not None and weights.shape != (self.depth,):
            raise PredictionError(
                f"{weights.shape} sequence weights for an alignment of {self.depth} sequences"
            )
        if weights is not None and (weights.size == 0 or not ((weights > 0) & (weights <= 1)).all()):
            raise PredictionError("sequence_weights must lie in (0, 1]")
        if self.attention is not None and self.attention.probs.shape[1] != self.length:
            raise PredictionError(f"attention maps {self.attention.probs.shape} for {self.length} residues")

    @property
    def residue_numbers(self) -> npt.NDArray[np.int32]:
        """`[L]`, 1-based number of each residue in the query, its insertions counted, all chains through."""
        return self.residue_index + 1

    @property
    def residue_labels(self) -> tuple[str, ...]:
        """`[L]`, names to show: "12", in a complex "B12", residue 12 of the second chain (`msaformer.chains`)."""
        return residue_labels(self.residue_index, self.chain_lengths)

    @property
    def length(self) -> int:
        """L, the number of residues."""
        return len(self.sequence)

    def contacts(self, distances: npt.NDArray[np.float32] | None = None) -> pd.DataFrame:
        """List every pair i < j (1-based), the most probable first; equal ones keep the order of (i, j).

        Columns: i, j, aa_i, aa_j, prob, separation (j - i), pred_distance (Å). Where `residue_labels` are not just
        1 to L, as in a complex or a query with insertions, res_i and res_j hold them, behind j. With the true
        `distances` `[L, L]` (Å, NaN = unknown; `Truth.distances`) come `distance` and `is_contact`, both missing where
        unknown. Raises PredictionError when they are of another length.
        """
        first, second = np.triu_indices(self.length, k=1)
        probs = self.contact_probs[first, second]
        order = np.argsort(-probs, kind="stable")
        first, second = first[order], second[order]
        columns: dict[str, Any] = {"i": first + 1, "j": second + 1}
        labels = np.array(self.residue_labels, dtype=object)
        if labels.tolist() != [str(number + 1) for number in range(self.length)]:
            columns |= {"res_i": labels[first], "res_j": labels[second]}
        residues = np.array(list(self.sequence), dtype="U1")
        columns |= {
            "aa_i": residues[first],
            "aa_j": residues[second],
            "prob": probs[order],
            "separation": second - first,
            "pred_distance": self.expected_distance[first, second],
        }
        if distances is None:
            return pd.DataFrame(columns)
        if distances.shape != (self.length, self.length):
            raise PredictionError(
                f"{self.name}: the structure was mapped to {len(distances)} residues, the prediction has {self.length}"
            )
        return pd.DataFrame(columns | true_columns(distances, first, second))

    def probs_below(self, distance_angstrom: float) -> npt.NDArray[np.float32]:
        """`[L, L]`, P(distance < `distance_angstrom`): the sum of the bins below it, which must be one of `bin_edges`.

        Raises PredictionError, naming the nearest edges, when it is none: inside a bin nothing is known.
        """
        nearest = int(np.abs(self.bin_edges - distance_angstrom).argmin())
        if not np.isclose(self.bin_edges[nearest], distance_angstrom, rtol=0, atol=1e-3):
            edges = ", ".join(f"{edge:g}" for edge in self.bin_edges[max(nearest - 1, 0) : nearest + 2])
            raise PredictionError(f"no bin ends at {distance_angstrom:g} Å; the nearest edges are {edges}")
        below: npt.NDArray[np.float32] = self.distogram_probs[..., : nearest + 1].sum(axis=-1)
        return below.clip(0, 1)

    def __repr__(self) -> str:
        """Short, and without the arrays."""
        return f"Prediction({self.name!r}, L={self.length}, N={self.depth}, Neff={self.neff:.1f})"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from msaformer.prediction_html import prediction_html

        return prediction_html(self)

    def save(self, path: str | Path) -> None:
        """Write the `.npz` file, whole or not at all."""
        metadata = {
            "format": FORMAT,
            "name": self.name,
            "sequence": self.sequence,
            "depth": self.depth,
            "neff": self.neff,
            "model": dict(self.model),
            "alignment_sha256": self.alignment_sha256,
            "chain_lengths": list(self.chain_lengths),
        }
        arrays: dict[str, Any] = {field: getattr(self, field) for field in _ARRAYS}
        arrays["distogram_probs"] = self.distogram_probs.astype(np.float16)
        arrays["residue_index"] = self.residue_index
        if self.sequence_weights is not None:
            arrays["sequence_weights"] = self.sequence_weights
        if self.attention is not None:
            arrays["attention_heads"] = self.attention.heads
            arrays["attention_probs"] = self.attention.probs.astype(np.float16)
        arrays["metadata"] = np.array(json.dumps(metadata, ensure_ascii=False))
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **arrays)

    @classmethod
    def load(cls, path: str | Path) -> Prediction:
        """Read what `save` wrote; raises PredictionError naming the file and what to do."""
        return load_prediction(path)


def true_columns(
    distances: npt.NDArray[np.float32], first: npt.NDArray[np.intp], second: npt.NDArray[np.intp]
) -> dict[str, Any]:
    """`distance` (Å) and `is_contact` of pairs (`first`, `second`), both missing where `distances` `[L, L]` is NaN."""
    true = distances[first, second]
    is_contact = pd.array(true < CONTACT_ANGSTROM, dtype="boolean")
    is_contact[np.isnan(true)] = pd.NA
    return {"distance": true, "is_contact": is_contact}


def load_prediction(path: str | Path) -> Prediction:
    """Read a prediction's `.npz` file; raises PredictionError naming the file and what to do."""
    try:
        with Path(path).open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            present = [field for field in _OPTIONAL_ARRAYS if field in file]
            arrays = {field: file[field] for field in (*_ARRAYS, *present, "metadata")}
    except FileNotFoundError as error:
        raise PredictionError(f"{path}: no such file; make it with `msaformer predict`") from error
    except _DAMAGE as error:
        raise PredictionError(
            f"{path}: not a prediction of msaformer, or damaged; make it again with `msaformer predict`"
        ) from error
    try:
        return _from_arrays(arrays)
    except PredictionError as error:
        raise PredictionError(f"{path}: {error}; make it again with `msaformer predict`") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PredictionError(
            f"{path}: its metadata cannot be read; make it again with `msaformer predict`"
        ) from error


def _from_arrays(arrays: dict[str, npt.NDArray[Any]]) -> Prediction:
    metadata = json.loads(str(arrays["metadata"]))
    found = metadata.get("format")
    if found != FORMAT:
        raise PredictionError(f"its format is {found!r}, this version reads {FORMAT!r}")
    numbers: dict[str, Any] = {field: arrays[field].astype(np.float32) for field in _ARRAYS}
    sums = numbers["distogram_probs"].sum(axis=-1, keepdims=True)
    # float16 on disk is off by up to 1e-3; a sum of zero is refused by the record itself
    if (sums > 0).all():
        numbers["distogram_probs"] /= np.where(np.abs(sums - 1) <= SUM_TOLERANCE, sums, 1)
    return Prediction(
        name=str(metadata["name"]),
        sequence=str(metadata["sequence"]),
        depth=int(metadata["depth"]),
        neff=float(metadata["neff"]),
        model=dict(metadata["model"]),
        alignment_sha256=str(metadata["alignment_sha256"]),
        chain_lengths=tuple(int(count) for count in metadata.get("chain_lengths", ())),
        attention=_attention_maps(arrays),
        **numbers,
        **_numbering(arrays),
    )


def _numbering(arrays: dict[str, npt.NDArray[Any]]) -> dict[str, Any]:
    """Fields that files of earlier versions lack."""
    kinds = {"residue_index": np.int32, "sequence_weights": np.float32}
    return {field: arrays[field].astype(kind) for field, kind in kinds.items() if field in arrays}


def _attention_maps(arrays: dict[str, npt.NDArray[Any]]) -> AttentionMaps | None:
    if "attention_heads" not in arrays:
        return None
    heads, probs = arrays["attention_heads"], arrays["attention_probs"]
    return AttentionMaps(heads.astype(np.int32), probs.astype(np.float32))


def _check_name(name: str) -> None:
    is_file_name = (
        bool(name) and name.isprintable() and not set(name) & set("/\\") and name not in {".", ".."}
    )
    if not is_file_name:
        raise PredictionError(
            f"the name {name[:80]!r} cannot be that of a file: use letters, digits, '-', '_' and '.'"
        )

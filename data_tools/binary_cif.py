"""BinaryCIF, the compressed form of mmCIF: MessagePack around arrays, each with the list of its encodings.

Specification: https://github.com/molstar/BinaryCIF (version 0.3). Only the categories asked for are decoded. What a
file says of its own sizes is never trusted: no array grows beyond `MAX_VALUES`, whatever a small file claims.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

MAX_VALUES: Final = 10_000_000  # of one array: four times the atoms of the largest entries of the PDB
_MAX_NESTING: Final = 32  # BinaryCIF itself needs ten
_MAX_ITEMS: Final = 2_000_000  # names, numbers and arrays of a file: real ones have some ten thousand
_FIRST_BYTES: Final = (*range(0x80, 0x90), 0xDE, 0xDF)  # a MessagePack map; no text begins so
_TYPES: Final = {1: "<i1", 2: "<i2", 3: "<i4", 4: "<u1", 5: "<u2", 6: "<u4", 32: "<f4", 33: "<f8"}
_PRESENT: Final = 0  # in a mask; 1 is "does not apply", 2 "unknown"


def is_binary_cif(content: bytes) -> bool:
    """Whether `content` begins as BinaryCIF does and text cannot."""
    return bool(content) and content[0] in _FIRST_BYTES


def read_binary_cif(
    content: bytes, categories: Collection[str]
) -> list[dict[str, dict[str, list[str | None]]]]:
    """The named categories (`_atom_site`) of each data block: column → values as mmCIF would write them.

    What is unknown or does not apply ("?", ".") is None. Raises ValueError, in words, for what is no
    BinaryCIF or damaged.

    >>> read_binary_cif(b"\\x81\\xaadataBlocks\\x90", ["_atom_site"])
    []
    """
    try:
        file = _MessagePack(content).read_all()
        with np.errstate(all="ignore"):  # of damaged numbers; what they become is judged by who reads them
            return [_read_block(block, categories) for block in file["dataBlocks"]]
    except KeyError as error:
        raise ValueError(f"BinaryCIF without {error.args[0]!r}") from error
    except (TypeError, IndexError, AttributeError, ArithmeticError, struct.error) as error:
        raise ValueError(f"no valid BinaryCIF ({type(error).__name__}: {error})") from error


def _read_block(block: Any, categories: Collection[str]) -> dict[str, dict[str, list[str | None]]]:
    found = {}
    for category in block["categories"]:
        if category["name"] in categories:
            columns = {column["name"]: _read_column(column) for column in category["columns"]}
            lengths = {len(values) for values in columns.values()}
            if lengths - {category["rowCount"]}:
                raise ValueError(
                    f"{category['name']} has columns of {sorted(lengths)} values, not {category['rowCount']}"
                )
            found[category["name"]] = columns
    return found


def _read_column(column: Any) -> list[str | None]:
    data = _decode(column["data"])
    values: list[str | None] = (data if data.dtype == object else data.astype(str)).tolist()
    if column["mask"] is None:
        return values
    mask = _decode(column["mask"]).tolist()
    if len(mask) != len(values):
        raise ValueError(f"column {column['name']} has {len(values)} values but a mask of {len(mask)}")
    return [value if state == _PRESENT else None for value, state in zip(values, mask, strict=True)]


def _decode(packed: Any) -> Array:
    return _decode_steps(packed["data"], packed["encoding"])


def _decode_steps(data: Any, encodings: Sequence[Mapping[str, Any]]) -> Array:
    """Undo the encodings, the last applied first."""
    for encoding in reversed(encodings):
        kind = encoding["kind"]
        if kind not in _DECODERS:
            raise ValueError(f"unknown BinaryCIF encoding {kind!r}")
        data = _DECODERS[kind](data, encoding)
        if len(data) > MAX_VALUES:
            raise ValueError(f"a BinaryCIF array of more than {MAX_VALUES:,} values")
    if not isinstance(data, np.ndarray):
        raise ValueError("a BinaryCIF array without an encoding")
    return data


def _byte_array(data: bytes, encoding: Mapping[str, Any]) -> Array:
    return np.frombuffer(data, dtype=_dtype(encoding["type"]))


def _fixed_point(data: Array, encoding: Mapping[str, Any]) -> Array:
    return (data / float(encoding["factor"])).astype(_dtype(encoding["srcType"]))


def _interval_quantization(data: Array, encoding: Mapping[str, Any]) -> Array:
    step = (encoding["max"] - encoding["min"]) / (encoding["numSteps"] - 1)
    return (encoding["min"] + data * step).astype(_dtype(encoding["srcType"]))


def _run_length(data: Array, encoding: Mapping[str, Any]) -> Array:
    values, counts = data[0::2], data[1::2].astype(np.int64)
    if len(values) != len(counts) or (counts < 0).any():
        raise ValueError("a BinaryCIF run without a length")
    if int(counts.sum()) > MAX_VALUES:  # 64 bits hold the sum of as many counts as there can be
        raise ValueError(f"a BinaryCIF array of more than {MAX_VALUES:,} values")
    return np.repeat(values, counts).astype(_dtype(encoding["srcType"]))


def _delta(data: Array, encoding: Mapping[str, Any]) -> Array:
    sums = np.cumsum(data, dtype=np.int64) + int(encoding["origin"])
    return sums.astype(_dtype(encoding["srcType"]))


def _integer_packing(data: Array, encoding: Mapping[str, Any]) -> Array:
    """A value beyond the range of its bytes is a run of the range's limit, and a rest that is not the limit."""
    top, bottom = np.iinfo(data.dtype).max, np.iinfo(data.dtype).min
    is_limit = data == top
    if bottom < 0:
        is_limit |= data == bottom
    if len(data) and is_limit[-1]:
        raise ValueError("a packed BinaryCIF integer without an end")
    ends = np.flatnonzero(~is_limit)
    sums = np.concatenate([[0], np.cumsum(data, dtype=np.int64)[ends]])
    return np.diff(sums).astype(np.int32)


def _string_array(data: bytes, encoding: Mapping[str, Any]) -> Array:
    text = encoding["stringData"]
    offsets = _decode_steps(encoding["offsets"], encoding["offsetEncoding"]).tolist()
    indices = _decode_steps(data, encoding["dataEncoding"])
    words = [text[start:stop] for start, stop in pairwise(offsets)]
    if sum(map(len, words)) > len(text):  # overlapping words could expand a small file without bound
        raise ValueError("BinaryCIF strings that overlap")
    words.append("")  # index -1: a masked value
    if len(indices) and (indices.min() < -1 or indices.max() >= len(words) - 1):
        raise ValueError("a BinaryCIF string index outside its table")
    return np.array(words, dtype=object)[indices]


def _dtype(code: int) -> np.dtype[Any]:
    if code not in _TYPES:
        raise ValueError(f"unknown BinaryCIF type {code!r}")
    return np.dtype(_TYPES[code])


_DECODERS: Final[Mapping[str, Callable[[Any, Mapping[str, Any]], Array]]] = {
    "ByteArray": _byte_array,
    "FixedPoint": _fixed_point,
    "IntervalQuantization": _interval_quantization,
    "RunLength": _run_length,
    "Delta": _delta,
    "IntegerPacking": _integer_packing,
    "StringArray": _string_array,
}


class _MessagePack:
    """Reads one MessagePack value (https://github.com/msgpack/msgpack/blob/master/spec.md), without extensions."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0
        self._num_items = 0

    def read_all(self) -> Any:
        value = self._read(0)
        if self._at != len(self._content):
            raise ValueError(f"bytes after the end of the BinaryCIF data, at byte {self._at}")
        return value

    def _read(self, depth: int) -> Any:
        if depth > _MAX_NESTING:
            raise ValueError("BinaryCIF nested too deeply")
        self._num_items += 1
        if self._num_items > _MAX_ITEMS:
            raise ValueError(f"BinaryCIF of more than {_MAX_ITEMS:,} items")
        code = self._take(1)[0]
        if code <= 0x7F:
            return code
        if code >= 0xE0:
            return code - 0x100
        if code <= 0x8F:
            return self._read_map(code & 0x0F, depth)
        if code <= 0x9F:
            return self._read_array(code & 0x0F, depth)
        if code <= 0xBF:
            return self._take(code & 0x1F).decode()
        if code in _CONSTANTS:
            return _CONSTANTS[code]
        if code in _NUMBERS:
            return self._unpack(_NUMBERS[code])
        if code in _SIZES:
            kind, size_format = _SIZES[code]
            size = self._unpack(size_format)
            if kind == "map":
                return self._read_map(size, depth)
            if kind == "array":
                return self._read_array(size, depth)
            taken = self._take(size)
            return taken.decode() if kind == "text" else taken
        raise ValueError(f"byte {code:#04x} has no meaning in BinaryCIF")

    def _read_map(self, size: int, depth: int) -> dict[Any, Any]:
        pairs = [(self._read(depth + 1), self._read(depth + 1)) for _ in range(size)]
        return dict(pairs)

    def _read_array(self, size: int, depth: int) -> list[Any]:
        return [self._read(depth + 1) for _ in range(size)]

    def _unpack(self, number_format: str) -> Any:
        return struct.unpack(number_format, self._take(struct.calcsize(number_format)))[0]

    def _take(self, size: int) -> bytes:
        taken = self._content[self._at : self._at + size]
        if len(taken) != size:
            raise ValueError("the BinaryCIF data end too early: the file is truncated")
        self._at += size
        return taken


_CONSTANTS: Final = {0xC0: None, 0xC2: False, 0xC3: True}
_NUMBERS: Final = dict(zip(range(0xCA, 0xD4), (f">{code}" for code in "fdBHIQbhiq"), strict=True))
_SIZES: Final = {
    first + step: (kind, number_format)
    for first, kind, formats in (
        (0xC4, "bytes", (">B", ">H", ">I")),
        (0xD9, "text", (">B", ">H", ">I")),
        (0xDC, "array", (">H", ">I")),
        (0xDE, "map", (">H", ">I")),
    )
    for step, number_format in enumerate(formats)
}
"""First byte → what follows, and the format of its size."""

"""BinaryCIF: each encoding by hand, and no hostile file that costs memory or raises anything unforeseen."""

from __future__ import annotations

import struct
import tracemalloc
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from tiny_structures import binary_cif, mmcif, residue

from data_tools import binary_cif as reader
from data_tools.binary_cif import is_binary_cif, read_binary_cif


class Packed(bytes):
    """Is MessagePack already."""


def packed(value: Any) -> bytes:
    """A value as MessagePack, by its specification, always in the widest form."""
    if isinstance(value, Packed):
        return value
    if value is None or isinstance(value, bool):
        return {None: b"\xc0", False: b"\xc2", True: b"\xc3"}[value]
    if isinstance(value, int):
        return b"\xd3" + struct.pack(">q", value)
    if isinstance(value, float):
        return b"\xcb" + struct.pack(">d", value)
    if isinstance(value, str):
        return b"\xdb" + struct.pack(">I", len(value.encode())) + value.encode()
    if isinstance(value, bytes):
        return b"\xc6" + struct.pack(">I", len(value)) + value
    if isinstance(value, list):
        return b"\xdd" + struct.pack(">I", len(value)) + b"".join(map(packed, value))
    pairs = b"".join(packed(key) + packed(item) for key, item in value.items())
    return b"\xdf" + struct.pack(">I", len(value)) + pairs


def array(kind: str, values: list[float]) -> dict[str, Any]:
    """Values as plain bytes."""
    codes = {"i1": 1, "i2": 2, "i4": 3, "u1": 4, "u2": 5, "u4": 6, "f4": 32, "f8": 33}
    data = np.array(values, dtype=f"<{kind}").tobytes()
    return {"data": data, "encoding": [{"kind": "ByteArray", "type": codes[kind]}]}


def encoded(data: dict[str, Any], **encoding: Any) -> dict[str, Any]:
    """`data` as the last step of another encoding."""
    return {"data": data["data"], "encoding": [encoding, *data["encoding"]]}


def file_with(data: Any, mask: Any = None, *, rows: int, category: str = "_atom_site") -> bytes:
    column = {"name": "x", "data": data, "mask": mask}
    block = {"header": "T", "categories": [{"name": category, "rowCount": rows, "columns": [column]}]}
    return packed({"version": "0.3", "encoder": "a test", "dataBlocks": [block]})


def column(data: Any, mask: Any = None, *, rows: int) -> list[str | None]:
    (block,) = read_binary_cif(file_with(data, mask, rows=rows), ["_atom_site"])
    return block["_atom_site"]["x"]


def strings(words: str, offsets: list[float], indices: list[float]) -> dict[str, Any]:
    plain = array("i4", indices)
    where = array("i4", offsets)
    encoding = {
        "kind": "StringArray",
        "stringData": words,
        "offsets": where["data"],
        "offsetEncoding": where["encoding"],
        "dataEncoding": plain["encoding"],
    }
    return {"data": plain["data"], "encoding": [encoding]}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (array("i1", [-1, 5]), ["-1", "5"]),
        (array("u2", [65535, 0]), ["65535", "0"]),
        (array("u4", [4294967295, 0]), ["4294967295", "0"]),
        (array("f4", [0.1, -2.5]), ["0.1", "-2.5"]),
        (array("f8", [0.1, 1e-7]), ["0.1", "1e-07"]),
        (
            encoded(array("i4", [12345, -1]), kind="FixedPoint", factor=1000, srcType=33),
            ["12.345", "-0.001"],
        ),
        (encoded(array("i4", [12345]), kind="FixedPoint", factor=1000, srcType=32), ["12.345"]),
        (encoded(array("i4", [7, 3, -2, 1]), kind="RunLength", srcType=3, srcSize=4), ["7", "7", "7", "-2"]),
        (
            encoded(array("i1", [0, 1, 1, -5]), kind="Delta", origin=100, srcType=3),
            ["100", "101", "102", "97"],
        ),
        (
            encoded(array("i1", [127, 127, 1, -128, 0, 5]), kind="IntegerPacking", byteCount=1, srcSize=3),
            ["255", "-128", "5"],
        ),
        (
            encoded(array("u1", [255, 0, 3, 0]), kind="IntegerPacking", byteCount=1, srcSize=3),
            ["255", "3", "0"],
        ),
        (
            encoded(
                array("i4", [0, 2, 4]), kind="IntervalQuantization", min=0.0, max=1.0, numSteps=5, srcType=33
            ),
            ["0.0", "0.5", "1.0"],
        ),
        (strings("CACBÅ", [0, 2, 4, 5], [0, 1, 0, 2]), ["CA", "CB", "CA", "Å"]),
    ],
)
def test_each_encoding_is_undone(data: dict[str, Any], expected: list[str]) -> None:
    assert column(data, rows=len(expected)) == expected


def test_encodings_are_undone_from_the_last_to_the_first() -> None:
    data = encoded(array("i1", [3, 2, 1, 3]), kind="RunLength", srcType=3, srcSize=5)  # 3 3 1 1 1
    data = encoded(data, kind="Delta", origin=10, srcType=3)
    data = encoded(data, kind="FixedPoint", factor=10, srcType=33)
    assert column(data, rows=5) == ["1.3", "1.6", "1.7", "1.8", "1.9"]


def test_a_factor_of_zero_gives_values_that_no_reader_takes_for_a_place() -> None:
    data = encoded(array("i4", [1, 0]), kind="FixedPoint", factor=0, srcType=33)
    assert column(data, rows=2) == ["inf", "nan"]


def test_masked_values_are_none() -> None:
    data, mask = array("i4", [1, 0, 0, 4]), array("u1", [0, 1, 2, 0])
    assert column(data, mask, rows=4) == ["1", None, None, "4"]
    words = strings("AB", [0, 1, 2], [0, -1, 1, -1])
    assert column(words, array("u1", [0, 1, 0, 2]), rows=4) == ["A", None, "B", None]


def test_only_the_named_categories_are_read() -> None:
    data = file_with({"data": b"", "encoding": [{"kind": "Nonsense"}]}, rows=1, category="_other")
    assert read_binary_cif(data, ["_atom_site"]) == [{}]


def test_text_is_not_taken_for_binary_cif() -> None:
    for text in ("data_x\n", "HEADER", "", "\ufeffdata_x", "# ß\n"):
        assert not is_binary_cif(text.encode())
    assert is_binary_cif(file_with(array("i1", [1]), rows=1))
    assert is_binary_cif(binary_cif(mmcif(residue(1, "ALA"))))


@pytest.mark.parametrize(
    ("data", "rows", "message"),
    [
        (array("i4", [1, 2]), 3, r"_atom_site has columns of \[2\] values, not 3"),
        ({"data": b"\0", "encoding": []}, 1, "without an encoding"),
        ({"data": b"\0", "encoding": [{"kind": "Pickle"}]}, 1, "unknown BinaryCIF encoding 'Pickle'"),
        ({"data": b"\0", "encoding": [{"kind": ["a"]}]}, 1, "no valid BinaryCIF"),
        ({"data": b"\0", "encoding": [{}]}, 1, "without 'kind'"),
        ({"data": b"\0", "encoding": [{"kind": "ByteArray", "type": 9}]}, 1, "unknown BinaryCIF type 9"),
        ({"data": b"\0\0\0", "encoding": [{"kind": "ByteArray", "type": 3}]}, 1, "multiple of element size"),
        ({"data": 5, "encoding": [{"kind": "ByteArray", "type": 3}]}, 1, "no valid BinaryCIF"),
        (encoded(array("i4", [1, 2, 3]), kind="RunLength", srcType=3, srcSize=2), 2, "run without a length"),
        (encoded(array("i4", [1, -2]), kind="RunLength", srcType=3, srcSize=2), 2, "run without a length"),
        (encoded(array("i1", [127]), kind="IntegerPacking"), 1, "integer without an end"),
        (encoded(array("i1", [3, -128]), kind="IntegerPacking"), 1, "integer without an end"),
        (encoded(array("i4", [1]), kind="FixedPoint", factor="x", srcType=33), 1, "could not convert"),
        (
            encoded(array("i4", [1]), kind="IntervalQuantization", min=0, max=1, numSteps=1, srcType=33),
            1,
            "ZeroDivisionError",
        ),
        (strings("AB", [0, 1, 2], [2]), 1, "index outside its table"),
        (strings("AB", [0, 1, 2], [-2]), 1, "index outside its table"),
    ],
)
def test_damaged_arrays_are_refused_in_words(data: Any, rows: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        column(data, rows=rows)


def test_a_mask_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="column x has 2 values but a mask of 1"):
        column(array("i4", [1, 2]), array("u1", [0]), rows=2)


@pytest.mark.parametrize("counts", [[2**31 - 1], [6_000_000, 6_000_000], [2**32 - 1] * 3])
def test_a_short_run_length_array_cannot_fill_the_memory(counts: list[int]) -> None:
    pairs = [number for count in counts for number in (1, count)]
    data = encoded(array("u4", pairs), kind="RunLength", srcType=3, srcSize=1)
    with pytest.raises(ValueError, match="more than 10,000,000 values"):
        column(data, rows=1)


def test_an_array_has_its_bound_however_it_is_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MAX_VALUES", 5)
    assert len(column(array("i1", [0] * 5), rows=5)) == 5
    with pytest.raises(ValueError, match="more than 5 values"):
        column(array("i1", [0] * 6), rows=6)


def test_one_long_string_named_often_is_held_once() -> None:
    tracemalloc.start()
    try:
        values = column(strings("x" * 20_000, [0, 20_000], [0] * 3_000), rows=3_000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(values) == 3_000
    assert peak < 10_000_000  # bytes; as an array of fixed width it would be 240 million


def test_overlapping_strings_cannot_fill_the_memory() -> None:
    with pytest.raises(ValueError, match="strings that overlap"):
        column(strings("x" * 1000, [0, 1000] * 500, [0]), rows=1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x81", "truncated"),
        (b"\xdf\xff\xff\xff\xff", "truncated"),
        (b"\x81\xaadataBlocks\xdd\xff\xff\xff\xff", "truncated"),
        (b"\x81\xaadataBlocks\xc6\xff\xff\xff\xffab", "truncated"),
        (b"\x81\xc1\xc0", "byte 0xc1 has no meaning"),
        (b"\x80", "without 'dataBlocks'"),
        (b"\x80\x00", "bytes after the end"),
        (b"\x81\xaadataBlocks\xc0", "no valid BinaryCIF"),
        (b"\x81\xaadataBlocks\x91\x01", "no valid BinaryCIF"),
        (b"\x81\x90\x90", "no valid BinaryCIF"),  # a list as a key
        (b"\x81\xa1\xff\x90", "utf-8"),
        (b"\x81\xaadataBlocks" + b"\x91" * 100 + b"\x90", "nested too deeply"),
    ],
)
def test_damaged_files_are_refused_in_words(content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_binary_cif(content, ["_atom_site"])


def test_a_file_of_countless_items_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "_MAX_ITEMS", 50)
    with pytest.raises(ValueError, match="more than 50 items"):
        read_binary_cif(packed({"dataBlocks": [[0] * 50]}), ["_atom_site"])


@pytest.mark.parametrize(
    ("form", "number"),
    [
        (b"\x00", 0),
        (b"\x7f", 127),
        (b"\xe0", -32),
        (b"\xff", -1),
        (b"\xcc\xc8", 200),
        (b"\xcd\x01\x00", 256),
        (b"\xce\x00\x01\x00\x00", 65536),
        (b"\xcf\x00\x00\x00\x00\x00\x01\x00\x00", 65536),
        (b"\xd0\x80", -128),
        (b"\xd1\xff\x00", -256),
        (b"\xd2\xff\xff\x00\x00", -65536),
        (b"\xca" + struct.pack(">f", 7.0), 7),
        (b"\xcb" + struct.pack(">d", -7.0), -7),
        (b"\xc3", 1),
        (b"\xc2", 0),
    ],
)
def test_numbers_are_read_in_each_form(form: bytes, number: int) -> None:
    data = encoded(array("i1", [0]), kind="Delta", origin=Packed(form), srcType=3)
    assert column(data, rows=1) == [str(number)]


@pytest.mark.parametrize("size", [0, 1, 15])
@pytest.mark.parametrize("head", ["short", "medium"])
def test_maps_lists_texts_and_bytes_are_read_in_each_form(size: int, head: str) -> None:
    def form(short: int | None, medium: str) -> bytes:
        use_short = head == "short" and short is not None
        return bytes([short + size]) if use_short else bytes.fromhex(medium) + struct.pack(">H", size)  # type: ignore[operator]

    extra = (
        form(0x80, "de") + b"".join(bytes([k, 0xC0]) for k in range(size)),
        form(0x90, "dc") + b"\xc0" * size,
        form(0xA0, "da") + b"x" * size,
        form(None, "c5") + b"\xff" * size,
    )
    pairs = b"".join(b"\xa1" + bytes([ord("a") + k]) + value for k, value in enumerate(extra))
    assert read_binary_cif(b"\x85\xaadataBlocks\x90" + pairs, ["_atom_site"]) == []


def test_no_damage_to_a_byte_raises_anything_but_value_errors() -> None:
    whole = binary_cif(mmcif([*residue(1, "ALA"), *residue(2, "SER")], {"A": ["ALA", "SER"]}))
    rng = np.random.default_rng(0)
    for _ in range(800):
        damaged = bytearray(whole)
        for at in rng.integers(0, len(whole), size=rng.integers(1, 4)):
            damaged[at] = rng.integers(0, 256)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(reader, "MAX_VALUES", 10_000)
            with suppress(ValueError):
                read_binary_cif(bytes(damaged), ["_atom_site", "_entity_poly_seq"])

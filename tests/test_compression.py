"""Compressed files: read by their first bytes, whole or refused; written the same at any time."""

import bz2
import gzip
import io
import lzma
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import zstandard

from data_tools import compression
from data_tools.compression import COMPRESSION_SUFFIXES, open_to_write, read_bytes
from data_tools.errors import AlignmentError, AlignmentFormatError

CONTENT = np.random.default_rng(3).choice(list(b"ACDE\n"), 3000).astype(np.uint8).tobytes()
SKIPPABLE = b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"  # the frame that pzstd begins its files with


def compress_zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": compress_zstd,
}


def read(path: str | Path, limit: int = 10**6) -> bytes:
    return read_bytes(path, limit=limit, unreadable=AlignmentError, damaged=AlignmentFormatError)


@pytest.fixture(params=COMPRESSORS)
def compression_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_compression_is_known_by_the_first_bytes(tmp_path: Path, compression_name: str) -> None:
    path = tmp_path / "no_suffix"
    path.write_bytes(COMPRESSORS[compression_name](CONTENT))
    assert read(path) == CONTENT
    path.write_bytes(CONTENT)
    assert read(path) == CONTENT


def test_members_are_joined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compression_name: str) -> None:
    compress = COMPRESSORS[compression_name]
    path = tmp_path / "a"
    path.write_bytes(compress(CONTENT) + compress(b"") + compress(b"second"))
    assert read(path) == CONTENT + b"second"
    for size in (1, 2, 7, len(compress(CONTENT))):  # wherever a read ends
        monkeypatch.setattr(compression, "_FEED_BYTES", size)
        monkeypatch.setattr(compression, "_ZSTD_FEED_BYTES", size)
        assert read(path) == CONTENT + b"second"


def test_padding_between_streams_of_xz_and_frames_to_skip_hold_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(lzma.compress(b"one") + bytes(8) + lzma.compress(b"two") + bytes(4))
    assert read(path) == b"onetwo"
    path.write_bytes(SKIPPABLE + compress_zstd(b"one") + SKIPPABLE + compress_zstd(b"two"))
    assert read(path) == b"onetwo"


def test_a_truncated_file_is_refused_at_every_length(tmp_path: Path, compression_name: str) -> None:
    path = tmp_path / "a"
    whole = COMPRESSORS[compression_name](b"MKV" * 50)
    for size in range(6, len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(AlignmentFormatError, match=f"the {compression_name} file is truncated .*again"):
            read(path)


def test_a_damaged_file_is_refused(tmp_path: Path, compression_name: str) -> None:
    path = tmp_path / "a"
    whole = COMPRESSORS[compression_name](np.random.default_rng(1).bytes(2000))
    for at in (len(whole) // 2, len(whole) - 5):
        damaged = bytearray(whole)
        damaged[at] ^= 0xFF
        path.write_bytes(damaged)
        with pytest.raises(
            AlignmentFormatError, match=f"the {compression_name} file is (damaged|truncated)"
        ) as caught:
            read(path)
        assert "\n" not in str(caught.value)


def test_bytes_behind_the_end_are_damage(tmp_path: Path, compression_name: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(COMPRESSORS[compression_name](CONTENT) + b">more text that is not compressed")
    with pytest.raises(AlignmentFormatError, match=f"the {compression_name} file is damaged"):
        read(path)


def test_a_bomb_stops_at_the_limit_and_in_bounded_memory(tmp_path: Path, compression_name: str) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(COMPRESSORS[compression_name](bytes(100 * 2**20)))
    assert path.stat().st_size < 2**20
    tracemalloc.start()
    try:
        with pytest.raises(
            AlignmentFormatError, match=r"bomb: holds more than 1,000,000 bytes .*; give a smaller"
        ):
            read(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 80 * 2**20


def test_the_limit_is_exact(tmp_path: Path, compression_name: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(COMPRESSORS[compression_name](CONTENT))
    assert read(path, limit=len(CONTENT)) == CONTENT
    with pytest.raises(AlignmentFormatError, match="holds more than 2,999 bytes"):
        read(path, limit=len(CONTENT) - 1)


def test_a_window_beyond_the_bound_is_refused(tmp_path: Path) -> None:
    parameters = zstandard.ZstdCompressionParameters.from_level(1, window_log=28)
    frame = zstandard.ZstdCompressor(
        compression_params=parameters
    ).compressobj()  # size unknown: whole window
    path = tmp_path / "a.zst"
    path.write_bytes(frame.compress(b"MKV") + frame.flush())
    with pytest.raises(AlignmentFormatError, match=r"the zstd file is damaged \(.*too much memory"):
        read(path)


def test_a_zip_archive_is_named_with_its_remedy(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(b"PK\x03\x04rest")
    with pytest.raises(AlignmentFormatError, match="is a zip archive; run unzip on it"):
        read(path)


def test_what_cannot_be_opened_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(AlignmentError, match="there is no such file"):
        read(tmp_path / "none")
    with pytest.raises(AlignmentError, match="this is a folder"):
        read(tmp_path)
    with pytest.raises(AlignmentError, match=r"the path cannot be used: .*null"):
        read("a\x00b")


class _Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


def test_a_dash_reads_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    for data in (CONTENT, gzip.compress(CONTENT), b""):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        assert read("-") == (CONTENT if data else b"")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(CONTENT)))
    with pytest.raises(AlignmentFormatError, match=r"^-: holds more than 10 bytes"):
        read("-", limit=10)


def test_a_terminal_as_standard_input_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", _Terminal(io.BytesIO()))
    with pytest.raises(AlignmentError, match="nothing is piped into standard input"):
        read("-")


@pytest.mark.parametrize("suffix", [*COMPRESSION_SUFFIXES, ".GZ", ".a3m", ""])
def test_what_is_written_reads_back_and_has_the_same_bytes_each_time(tmp_path: Path, suffix: str) -> None:
    written = []
    for name in ("first", "second"):
        path = tmp_path / f"{name}{suffix}"
        with open_to_write(path, path.suffix) as stream:
            stream.write(CONTENT[:1000])
            stream.write(CONTENT[1000:])
        assert read(path) == CONTENT
        written.append(path.read_bytes())
    assert written[0] == written[1]
    assert (written[0] == CONTENT) == (suffix in (".a3m", ""))
    if suffix == ".gz":
        assert written[0][3:8] == bytes(5)  # no name, no date

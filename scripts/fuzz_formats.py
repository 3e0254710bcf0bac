#!/usr/bin/env python
"""Fuzz the readers of alignments, guided by coverage (atheris), and keep every input that breaks a promise.

    fuzz_formats.py [--minutes M] [--work DIR] [SEED]...     SEED: a file, a folder or a tar archive of alignments
    fuzz_formats.py --replay FILE...                         run inputs kept before, without atheris

Every input is read in one of the ways of `VARIANTS` (its first byte chooses) and must
  - be read, or raise an AlignmentError of one line that names the source; nothing else;
  - when read: be well-formed, and be the same after writing it in each format that holds all of it and reading it
    again; after a repair, need no second one;
  - take less than `SLOW_S` seconds, and the process less than `MEMORY_MB`.

DIR (default: ./fuzz) holds `corpus/`, kept between runs, and `findings/`, one input for each kind of fault, with the
traceback beside it. The exit code is 1 when there are any. Needs `pip install atheris==3.0.0`.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
SEED_BYTES: Final = 8_192  # larger seeds are cut at a line: small inputs run often
MAX_LEN: Final = 16_384
SLOW_S: Final = 2.0
HANG_S: Final = 25
MEMORY_MB: Final = 2_048
RESTART_S: Final = 300  # atheris itself grows by about 4 KB an input
SEEDS_A_FOLDER: Final = 60

VARIANTS: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"on_error": "repair"},
    *({"format": name} for name in ("a3m", "a2m", "fasta", "stockholm", "clustal", "psicov")),
    *({"format": name, "on_error": "repair"} for name in ("a3m", "fasta", "stockholm", "clustal", "psicov")),
    {"format": "stockholm", "match_columns": "rf"},
    {"format": "stockholm", "match_columns": "rf", "on_error": "repair"},
)
WRITTEN_SEEDS: Final = (
    b">q one\nMKV\n>h\nM-aaV\n",
    b">q\nM..KVbb\n>h\naaM.k-V..\n",
    b">q\nM-KV-\n>h\nMpKVa\n>i\nm-kv-\n",
    b"\xef\xbb\xbf#A3M#\r\n>ss_pred\r\nCCH\r\n>q\r\nMKV*\r\n>Consensus\r\nMKV\r\n>h\r\nM V\r\n",
    b"#2,3\t1,1\n>101\t102\nMKVLA\n>a\tb\nMRVL-\n>101\nMK---\n>102\n--VLA\n",
    b">q\nMKV\n>h\nMK1\n>i\n>j\nMKVV\n>k\nM.V\nM",
    b">q\nmkv\n>h\nm-v\n",
    b"# STOCKHOLM 1.0\n#=GF ID x\n#=GS a/1-3 DE one\n\na/1-3 MK.V\n#=GR a/1-3 PP 99.9\nb aKcV\n#=GC RF xx.x\n\n"
    b"a/1-3 K-\n#=GR a/1-3 PP 9.\nb KV\n#=GC RF x.\n//\n",
    b"CLUSTAL W (1.83) multiple sequence alignment\n\na MKV-L 4\nb M-VAL 4\n  *:*.\n\na KK 6\nb KR 6\n  *.\n",
    b"MKVLA\nM-VLA\n-KV-X\n",
)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("seeds", nargs="*", type=Path, metavar="SEED")
    parser.add_argument("--minutes", type=float, default=10, metavar="M", help="default: 10")
    parser.add_argument("--work", type=Path, default=Path("fuzz"), metavar="DIR", help="default: ./fuzz")
    parser.add_argument("--replay", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--here", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.here:
        return fuzz_here(arguments.work, arguments.here)
    if arguments.replay:
        return replay(arguments.replay)
    corpus, findings = arguments.work / "corpus", arguments.work / "findings"
    for folder in (corpus, findings):
        folder.mkdir(parents=True, exist_ok=True)
    plant(corpus, arguments.seeds)
    runs = drive(arguments.work, arguments.minutes * 60)
    kinds = sorted(path.name for path in findings.iterdir() if path.suffix != ".txt")
    print(f"{runs:,} inputs in {arguments.minutes:g} minutes, {len(list(corpus.iterdir())):,} kept as corpus")
    print(f"{len(kinds)} findings in {findings}" + "".join(f"\n  {name}" for name in kinds))
    return int(bool(kinds))


def plant(corpus: Path, seeds: list[Path]) -> None:
    """Put every seed into the corpus once for each way of reading."""
    texts = [*WRITTEN_SEEDS, cut((ROOT / "msaformer/example/dhfr.a3m").read_bytes())]
    for seed in seeds:
        texts += read_seeds(seed)
    for number, text in enumerate(texts):
        ways = range(len(VARIANTS)) if number < len(WRITTEN_SEEDS) else (0, 1, 2 + number % 6)
        for way in ways:
            data = bytes([way]) + text
            (corpus / hashlib.sha1(data, usedforsecurity=False).hexdigest()).write_bytes(data)


def read_seeds(path: Path) -> Iterator[bytes]:
    """Beginnings of the files in a folder or archive, or of one file; gzip is unpacked."""
    if path.is_dir():
        for found in sorted(found for found in path.rglob("*") if found.is_file())[:SEEDS_A_FOLDER]:
            yield from read_seeds(found)
    elif tarfile.is_tarfile(path):
        with tarfile.open(path) as archive:
            members = (member for member in archive if member.isfile())
            for _, member in zip(range(SEEDS_A_FOLDER), members, strict=False):
                content = archive.extractfile(member)
                assert content is not None
                yield cut(content.read(2 * SEED_BYTES))
    else:
        with path.open("rb") as file, gzip.GzipFile(fileobj=file) as unpacked:
            yield cut((unpacked if path.suffix == ".gz" else file).read(2 * SEED_BYTES))


def cut(text: bytes) -> bytes:
    """Cut a seed after a line, if it is long."""
    return (
        text if len(text) <= SEED_BYTES else text[: text.rfind(b"\n", 0, SEED_BYTES) + 1] or text[:SEED_BYTES]
    )


def drive(work: Path, seconds: float) -> int:
    """Run the fuzzer until the time is over, again when an input hangs or kills it; the number of inputs."""
    stop, runs = time.monotonic() + seconds, 0
    while (left := stop - time.monotonic()) > 1:
        options = [
            f"-max_total_time={int(min(left, RESTART_S))}",
            f"-timeout={HANG_S}",
            f"-rss_limit_mb={MEMORY_MB}",
        ]
        options += [
            f"-max_len={MAX_LEN}",
            f"-artifact_prefix={work / 'findings'}/died-",
            "-print_final_stats=1",
        ]
        command = [sys.executable, __file__, "--work", str(work), "--here", *(o.lstrip("-") for o in options)]
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True, errors="replace", check=False)
        counts = re.findall(r"^#(\d+)\s", done.stderr, re.MULTILINE)
        runs += int(counts[-1]) if counts else 0
        (work / "last_run.log").write_text(done.stderr[-100_000:])
        if not counts:
            sys.exit(f"the fuzzer does not start:\n{done.stderr[-2000:]}")
    return runs


def fuzz_here(work: Path, options: list[str]) -> int:
    """Fuzz in this process, which atheris ends."""
    try:
        import atheris
    except ImportError:
        sys.exit("atheris is missing: pip install atheris==3.0.0 (Linux and macOS, Python 3.11 to 3.13)")
    import numpy  # noqa: F401  # loaded first: it is not to be instrumented

    with atheris.instrument_imports(include=["data_tools"], exclude=[]):
        import data_tools.formats  # noqa: F401
    findings = work / "findings"

    def test_one_input(data: bytes) -> None:
        try:
            examine(data)
        except Exception as fault:
            keep(findings, data, fault)

    atheris.Setup([sys.argv[0], *(f"-{option}" for option in options), str(work / "corpus")], test_one_input)
    atheris.Fuzz()
    return 0


def keep(findings: Path, data: bytes, fault: Exception) -> None:
    """Keep the first, or a smaller, input of a kind: the kind is the exception and the line that raised it."""
    way = data[0] % len(VARIANTS)
    if isinstance(fault, BrokenPromiseError):
        kind = f"broken-{fault.promise}-{way}"
    else:
        frames = traceback.extract_tb(fault.__traceback__)
        place = next((frame for frame in reversed(frames) if "data_tools" in frame.filename), frames[-1])
        kind = f"{type(fault).__name__}-{Path(place.filename).stem}-{place.lineno}"
    path = findings / kind
    if not path.exists() or path.stat().st_size > len(data):
        path.write_bytes(data)
        note = "".join(traceback.format_exception(fault))
        path.with_name(f"{kind}.txt").write_text(f"{VARIANTS[way]}\n{note}")


class BrokenPromiseError(Exception):
    """The reader did not raise, but what it gave breaks a promise."""

    def __init__(self, promise: str, detail: str) -> None:
        super().__init__(f"{promise}: {detail}")
        self.promise = promise


def demand(holds: bool, promise: str, detail: object = "") -> None:
    if not holds:
        raise BrokenPromiseError(promise, str(detail))


def examine(data: bytes) -> None:
    """Read one input and check what is promised of the result."""
    from data_tools.errors import AlignmentError, AlignmentFormatError
    from data_tools.formats import parse_alignment

    if not data:
        return
    variant = VARIANTS[data[0] % len(VARIANTS)]
    started = time.perf_counter()
    try:
        alignment = parse_alignment(data[1:], "input", **variant)
    except AlignmentError as error:
        demand(isinstance(error, AlignmentFormatError), "error is of the format", repr(error))
        demand(re.fullmatch("input:.+", str(error)) is not None, "error is one line", repr(error))
        return
    finally:
        demand(time.perf_counter() - started < SLOW_S, "time", f"{len(data)} bytes")
    check_shape(alignment)
    check_round_trips(alignment)


def check_shape(alignment: Any) -> None:
    """Check what the record itself does not."""
    import numpy as np

    demand(len(alignment.report.notes) <= sum(alignment.report.counts.values()), "notes are counted")
    insertions = alignment.insertions
    demand(insertions is not None, "insertions are known")
    letters = np.unique(insertions.letters)
    demand(bool(((letters >= ord("a")) & (letters <= ord("z"))).all()), "insertions are letters", letters)
    demand(bool((insertions.trailing >= 0).all()), "trailing counts", insertions.trailing)
    for name, text in alignment.annotations.columns.items():
        demand(len(text) == alignment.length, "annotations fill the columns", name)
    for name, texts in alignment.annotations.residues.items():
        fits = all(
            0 <= row < alignment.depth and len(text) == alignment.length for row, text in texts.items()
        )
        demand(fits, "annotations fill the rows", name)
    chains = alignment.annotations.chains
    demand(not chains or sum(chain.length for chain in chains) == alignment.length, "chains fill the columns")


def check_round_trips(alignment: Any) -> None:
    """Write and read again in two formats, chosen by the shape: the same comes back, or what is lost was said."""
    from data_tools.errors import AlignmentError
    from data_tools.formats import FORMATS, find_losses, parse_alignment, write_alignment

    for format in (FORMATS[alignment.depth % 2 * 3], FORMATS[alignment.length % len(FORMATS)]):
        path = Path(tempfile.gettempdir()) / f"fuzz-formats-{os.getpid()}.{format}"
        try:
            write_alignment(alignment, path, format=format)
        except AlignmentError:
            continue  # such as a name that the format cannot hold
        try:
            text = path.read_bytes()
        finally:
            path.unlink()
        try:
            again = parse_alignment(text, "written", format=format)
        except AlignmentError as error:
            raise BrokenPromiseError(f"{format} is read again", repr(error)) from error
        differs = difference(alignment, again)
        demand(not differs or bool(find_losses(alignment, format)), f"{format} keeps the alignment", differs)
        repaired = parse_alignment(text, "written", format=format, on_error="repair")
        needed = {"mended", "dropped"} & set(repaired.report.counts)
        demand(not needed, f"{format} needs no second repair", repaired.report.notes)


def difference(first: Any, second: Any) -> str:
    """Name what two alignments differ in, "" for nothing."""
    import numpy as np

    if first.names != second.names:
        return "names"
    for name in ("tokens", "deletion_matrix"):
        if not np.array_equal(getattr(first, name), getattr(second, name)):
            return name
    for name in ("letters", "trailing"):
        if not np.array_equal(getattr(first.insertions, name), getattr(second.insertions, name)):
            return name
    return ""


def replay(files: list[Path]) -> int:
    """Examine inputs kept before; 1 when one still breaks a promise."""
    num_faults = 0
    for path in files:
        try:
            examine(path.read_bytes())
            print(f"{path}: fine")
        except Exception:
            num_faults += 1
            stream = io.StringIO()
            traceback.print_exc(file=stream)
            print(f"{path}:\n{stream.getvalue()}")
    return int(num_faults > 0)


if __name__ == "__main__":
    raise SystemExit(main())

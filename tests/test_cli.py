"""The command line as a whole, `inspect`, and what a wrong configuration of `train` costs."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli_cases import GOOD, Terminal, files_in

from data_tools.pipeline.inputs import target_id
from msaformer import __version__
from msaformer.cli import COMMANDS, main
from msaformer.cli.messages import one_line

BAD_ALIGNMENTS: dict[str, tuple[bytes, str]] = {
    "empty file": (b"", "no sequence"),
    "no query": (b">q\n\n>a\nMKV\n", "empty"),
    "only a header": (b">q\n", "empty"),
    "text before the first record": (b"MKV\n>q\nMKV\n", ":1:"),
    "rows of unequal length": (b">q\nMKVL\n>a\nMKVL\n>b\nMKV\n", ":5:"),
    "a digit": (b">q\nMKV\n>a\nM1V\n", ":4:"),
    "a NUL byte": (b">q\nMKV\n>a\nM\x00V\n", "NUL"),
    "a query of gaps": (b">q\n---\n>a\nMKV\n", "gaps"),
    "a truncated gzip": (gzip.compress(GOOD.encode(), mtime=0)[:-12], "truncated"),
    "a damaged gzip": (b"\x1f\x8b\x08\x00" + b"\x55" * 40, "gzip"),
    "a damaged bzip2": (b"BZh91AY&SY" + b"\x00" * 20, "bzip2"),
}
GOOD_ALIGNMENTS: dict[str, bytes] = {
    "wrapped lines": b">q\nMKV\nLAA\n>a\nMK\nVLAA\n",
    "CRLF": b">q\r\nMKVLAA\r\n>a\r\nMKVLAA\r\n",
    "a # line first": b"#A3M#\n>q\nMKVLAA\n>a\nMKVLAA\n",
    "dots opposite insertions": b">q\nMKV..LAA\n>a\nMKVccLAA\n",
    "gzip": gzip.compress(b">q\nMKVLAA\n>a\nMKVLAA\n", mtime=0),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str, terminal: Terminal) -> None:
    assert main([name, "--help"]) == 0
    assert f"Usage: msaformer {name}" in terminal.read()[0]


def test_help_lists_all_commands_and_loads_nothing_heavy() -> None:
    code = (
        "import sys; from msaformer.cli import main; main(['--help']); "
        "print([name for name in ('torch', 'numpy', 'pandas') if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert result.stdout.endswith("[]\n")
    assert all(f"  {name} " in result.stdout for name in COMMANDS)


def test_version_is_the_package_version(terminal: Terminal) -> None:
    assert main(["--version"]) == 0
    assert terminal.read()[0] == f"msaformer {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["nonsense"], "nonsense"),
        (["inspect"], "ALIGNMENT"),
        (["inspect", "a", "--jsn"], "--jsn"),
        (["predict", "a.a3m"], "--output"),
        (["predict", "a.a3m", "-o", "out", "--max-depth", "0"], "--max-depth"),
        (["evaluate", "p.npz", "--structure", "no/such.cif"], "no/such.cif"),
        (["report", "p.npz", "--chain", "A", "-o", "x.html"], "--structure"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(arguments: list[str], word: str, terminal: Terminal) -> None:
    assert main(arguments) == 2
    terminal.shows_one_error(word, "--help")


def test_no_command_shows_the_help(terminal: Terminal) -> None:
    assert main([]) == 2
    assert "Usage: msaformer" in terminal.read()[1]


def test_debug_shows_where_an_error_was_raised(terminal: Terminal) -> None:
    assert main(["--debug", "inspect", "no-such-file"]) == 1
    error = terminal.read()[1]
    assert "Traceback" in error
    assert error.splitlines()[-1].startswith("error: no-such-file")


def test_env_names_the_versions(terminal: Terminal) -> None:
    assert main(["env"]) == 0
    printed = terminal.read()[0]
    assert f"msaformer   {__version__}" in printed
    assert "devices" in printed


def test_a_closed_pipe_ends_quietly(good: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "msaformer", "inspect", str(good)]
    result = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=60)
    os.close(writer)
    assert (result.returncode, result.stderr) == (1, "")


def test_an_interrupt_is_exit_code_130(good: Path) -> None:
    fifo = good.with_name("never-written")
    os.mkfifo(fifo)
    process = subprocess.Popen(
        [sys.executable, "-m", "msaformer", "inspect", str(fifo)], stderr=subprocess.PIPE, text=True
    )
    writer = os.open(
        fifo, os.O_WRONLY
    )  # returns when the command has opened the file and waits for its bytes
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    os.close(writer)
    assert process.returncode == 130
    assert errors.strip() == "error: interrupted"


@pytest.mark.parametrize(
    ("file", "name"),
    [("a/T1.a3m", "T1"), ("T1.v2.A3M.gz", "T1.v2"), ("x.fasta", "x"), ("x.npz", "x.npz"), (".a3m", ".a3m")],
)
def test_a_target_is_named_by_its_file(file: str, name: str) -> None:
    assert target_id(Path(file)) == name


def test_a_message_is_one_printable_line() -> None:
    assert one_line("a\nb\tc \x1b[31mred") == "a b c \N{REPLACEMENT CHARACTER}[31mred"
    assert one_line(FileNotFoundError(2, "No such file or directory", "x")) == "x: no such file or directory"


def test_inspect_counts_what_can_be_counted_by_hand(good: Path, terminal: Terminal) -> None:
    assert main(["inspect", str(good), "--json"]) == 0
    summary = json.loads(terminal.read()[0])
    assert (summary["depth"], summary["length"]) == (3, 40)
    assert summary["neff"] == pytest.approx(2.0)  # the query and b are 95 % identical, a is half gaps
    assert summary["gap_fraction"] == pytest.approx(20 / 120)
    assert (summary["mean_coverage"], summary["min_coverage"]) == pytest.approx((0.75, 0.5))
    assert summary["thin_columns"] == 0  # 2 of 3 sequences have a residue where a has none
    assert summary["identity_to_query"]["max"] == pytest.approx(1.0)
    assert summary["identity_to_query"]["min"] == pytest.approx(38 / 40)
    assert "80 %" in summary["neff_definition"]


def test_inspect_prints_neff_with_its_definition(good: Path, terminal: Terminal) -> None:
    assert main(["inspect", str(good)]) == 0
    printed = terminal.read()[0]
    assert "sequences N  3" in printed
    assert "80 % identical" in printed


@pytest.mark.parametrize("case", GOOD_ALIGNMENTS)
def test_unusual_but_sound_alignments_are_read(case: str, tmp_path: Path, terminal: Terminal) -> None:
    path = tmp_path / "x.a3m"
    path.write_bytes(GOOD_ALIGNMENTS[case])
    assert main(["inspect", str(path), "--json"]) == 0
    summary = json.loads(terminal.read()[0])
    assert (summary["depth"], summary["length"]) == (2, 6)


@pytest.mark.parametrize("case", BAD_ALIGNMENTS)
def test_a_bad_alignment_is_one_line_that_names_the_file(
    case: str, tmp_path: Path, terminal: Terminal
) -> None:
    data, word = BAD_ALIGNMENTS[case]
    path = tmp_path / "bad.a3m"
    path.write_bytes(data)
    assert main(["inspect", str(path)]) == 1
    terminal.shows_one_error(str(path), word)


def test_a_hostile_name_cannot_write_to_the_terminal(tmp_path: Path, terminal: Terminal) -> None:
    path = tmp_path / "bad.a3m"
    path.write_bytes(b">q\nMKV\n>\x1b]0;owned\x07\x1b[2J\nM1V\n")
    assert main(["inspect", str(path)]) == 1
    terminal.shows_one_error(":4:")


@pytest.mark.parametrize(
    ("text", "overrides", "words"),
    [
        ("model: {num_blockz: 2}\n", [], ["num_blockz", "did you mean", "num_blocks"]),
        ("model: {num_blocks: fast}\n", [], ["num_blocks", "fast"]),
        ("model: [\n", [], ["config.yaml"]),
        ("just text\n", [], ["config.yaml"]),
        ("", ["training.stepz=3"], ["stepz", "did you mean", "steps"]),
        ("", ["training"], ["training"]),
    ],
)
def test_a_wrong_configuration_is_one_line_and_exit_code_2(
    text: str, overrides: list[str], words: list[str], tmp_path: Path, terminal: Terminal
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    arguments = [word for override in overrides for word in ("-o", override)]
    assert main(["train", "-c", str(path), *arguments]) == 2
    terminal.shows_one_error(*words)
    assert files_in(tmp_path) == {"config.yaml"}


def test_a_missing_configuration_is_exit_code_2(tmp_path: Path, terminal: Terminal) -> None:
    path = tmp_path / "absent.yaml"
    assert main(["train", "-c", str(path)]) == 2
    terminal.shows_one_error(str(path))

"""Every console block of COMMANDS.md runs, in order and in one folder, and prints what stands there."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from data_tools.formats import read_alignment
from msaformer import example
from msaformer.cli import COMMANDS, main

DOCUMENT = (Path(__file__).parents[1] / "COMMANDS.md").read_text(encoding="utf-8")
NEEDS_HHSUITE = ("database", "search")
OTHERS = {"train"}  # shown in README.md, and run by its test


def steps() -> list[tuple[list[str], str]]:
    """Arguments and output of each command, in order."""
    found = []
    for block in re.findall(r"^```console\n(.*?)^```", DOCUMENT, flags=re.MULTILINE | re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found.append((shlex.split(command)[1:], output))
    return found


def as_pattern(output: str) -> str:
    return ".*".join(re.escape(text) for text in output.rstrip("\n").split("…"))


def test_every_command_is_shown_here_or_in_the_readme() -> None:
    assert {arguments[0] for arguments, _ in steps()} == set(COMMANDS) - OTHERS


def test_the_commands_print_what_the_document_says(
    tmp_path: Path,
    example_prediction: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    Path("predictions").mkdir()
    shutil.copy(example_prediction, "predictions/dhfr.npz")
    capsys.readouterr()
    shutil.copy(example.ALIGNMENT, tmp_path / "dhfr.a3m")
    shutil.copy(example.STRUCTURE, tmp_path / "dhfr.pdb.gz")
    Path("query.fasta").write_text(f">dhfr_query\n{read_alignment(example.ALIGNMENT).query}\n")
    for arguments, output in steps():
        if arguments[0] in NEEDS_HHSUITE and shutil.which("hhblits") is None:
            continue
        assert main(arguments) == 0, (arguments, capsys.readouterr().err)
        printed = capsys.readouterr().out.rstrip("\n")
        assert re.fullmatch(as_pattern(output), printed, flags=re.DOTALL), (arguments, printed)

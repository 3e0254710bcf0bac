"""What `predict`, `evaluate` and `inspect` draw on a real pseudo-terminal, and do not draw elsewhere."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli_cases import QUERY, Terminal
from pseudo_terminal import SWITCHES, Screen, opened, pseudo_terminal, set_environment

from msaformer import example
from msaformer.cli import main

COMMANDS = ("predict", "evaluate", "inspect")


@pytest.fixture
def arguments(example_prediction: Path, random_weights: Path, tmp_path: Path) -> dict[str, list[str]]:
    alignment, structure = str(example.ALIGNMENT), str(example.STRUCTURE)
    out = ["-o", str(tmp_path / "out"), "--weights", str(random_weights), "--max-depth", "4", "--overwrite"]
    return {
        "predict": ["predict", alignment, *out],
        "evaluate": ["evaluate", str(example_prediction), "--structure", structure],
        "inspect": ["inspect", alignment],
    }


def seen(monkeypatch: pytest.MonkeyPatch, arguments: list[str], **options) -> Screen:
    with pseudo_terminal(monkeypatch, **options) as screen:
        assert main(arguments) == 0
    return screen


def piped(terminal: Terminal, arguments: list[str]) -> str:
    terminal.read()
    assert main(arguments) == 0
    return terminal.read()[0]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_terminal_shows_what_a_pipe_gets_and_a_picture_below(
    command: str, arguments: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch, terminal: Terminal
) -> None:
    plain = piped(terminal, arguments[command])
    assert "\x1b" not in plain
    lines = [line.rstrip() for line in seen(monkeypatch, arguments[command], columns=100).lines]
    expected = plain.rstrip("\n").split("\n")
    for line, printed in zip(lines, expected, strict=False):
        assert line.startswith(printed)
    picture = lines[len(expected) :]
    if command == "inspect":
        assert [line.split()[0] for line in picture if line[:1].strip()] == ["occupancy", "0", "Neff", "0"]
    else:
        assert sum("▀" * 48 in line for line in picture) == 24
    if command == "evaluate":
        head = next(k for k, line in enumerate(lines) if line.startswith("range "))
        assert lines[head].endswith("P@L, 0 to 1")
        assert all("─" in line for line in lines[head + 1 : head + 5])
        assert "predicted, false" in " ".join(picture)
    if command == "predict":
        assert "probability 0 ████ 1" in " ".join(picture)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_pipe_gets_the_same_bytes_whatever_colours_are_forced(
    command: str, arguments: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch, terminal: Terminal
) -> None:
    plain = piped(terminal, arguments[command])
    for name in ("FORCE_COLOR", "CLICOLOR_FORCE"):
        monkeypatch.setenv(name, "1")
    set_environment(monkeypatch.setenv, {})
    assert piped(terminal, arguments[command]) == plain
    assert piped(terminal, [*arguments[command], "--no-draw"]) == plain


def test_the_plain_form_is_that_of_before(
    arguments: dict[str, list[str]], terminal: Terminal, tmp_path: Path
) -> None:
    assert piped(terminal, arguments["predict"]) == f"{tmp_path / 'out' / 'dhfr.npz'}\n"
    table = piped(terminal, arguments["evaluate"]).rstrip("\n").split("\n")
    assert table[-5].split() == [
        "range",
        "separation",
        "P@L",
        "P@L/2",
        "P@L/5",
        "recall",
        "contacts",
        "pairs",
    ]
    assert table[-1].startswith("medium+long")
    assert piped(terminal, arguments["inspect"]).split("\n")[1] == "sequences N  512"


@pytest.mark.parametrize("command", COMMANDS)
def test_no_color_and_dumb_terminals_get_signs_without_codes(
    command: str, arguments: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for environment in ({"NO_COLOR": "1", "TERM": "xterm"}, {"TERM": "dumb"}):
        screen = seen(monkeypatch, [*arguments[command], *quiet(command)], **environment)
        assert "\x1b" not in screen.raw
        assert "▀" not in screen.raw
        assert ("█" in screen.raw) == (command == "inspect")
        assert any("\u2800" < letter <= "\u28ff" for letter in screen.raw) == (command != "inspect")


def quiet(command: str) -> list[str]:
    return ["--no-progress"] if command == "predict" else []


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_a_terminal_of_ascii_gets_ascii(
    command: str, arguments: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = seen(monkeypatch, arguments[command], encoding="ascii")
    assert screen.text.isascii()
    assert "probability 0 '.:=#' 1" in screen.text


@pytest.mark.parametrize("columns", [20, 40, 80, 200])
@pytest.mark.parametrize("length", [1, 5])
def test_small_proteins_and_narrow_terminals_are_drawn(
    columns: int, length: int, tmp_path: Path, random_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "small.a3m"
    path.write_text(f">q\n{QUERY[:length]}\n>a\n{QUERY[:length]}\n")
    out = ["-o", str(tmp_path), "--weights", str(random_weights), "--overwrite"]
    screen = seen(monkeypatch, ["predict", str(path), *out], columns=columns)
    lines = screen.lines[screen.lines.index(next(line for line in screen.lines if "▀" in line)) :]
    assert "▀" in lines[0]
    assert max(map(len, lines)) < columns
    strip = seen(monkeypatch, ["inspect", str(path)], columns=columns).lines
    assert "█" * length in "\n".join(strip)


def test_pictures_are_drawn_when_asked_not_when_unwanted_and_never_into_json(
    arguments: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch, terminal: Terminal, tmp_path: Path
) -> None:
    for command in COMMANDS:
        unwanted = seen(monkeypatch, [*arguments[command], "--no-draw"])
        assert not set("▀█━─") & set(unwanted.raw.rpartition("\x1b[K")[2])
        assert "occupancy" not in unwanted.raw
        asked = piped(terminal, [*arguments[command], "--draw"])
        assert "\x1b" not in asked
        assert ("█" if command == "inspect" else "\u2800") in asked
    for command in ("evaluate", "inspect"):
        json.loads(seen(monkeypatch, [*arguments[command], "--json", "--draw"]).raw)
    monkeypatch.setenv("FORCE_COLOR", "3")
    assert "\x1b[0;38;2;" in piped(terminal, [*arguments["evaluate"], "--draw"])


def test_scores_of_another_program_are_drawn_too(
    example_prediction: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = example_prediction.with_suffix(".rr")
    command = ["evaluate", str(scores), "--structure", str(example.STRUCTURE)]
    assert "predicted, false" in seen(monkeypatch, command).text


def test_several_targets_are_not_drawn_unless_asked(
    good: Path, tmp_path: Path, random_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.a3m"
    other.write_text(good.read_text())
    command = [
        "predict",
        str(good),
        str(other),
        "-o",
        str(tmp_path / "out"),
        "--weights",
        str(random_weights),
    ]
    assert "▀" not in seen(monkeypatch, [*command, "--no-progress"]).raw
    assert "▀" in seen(monkeypatch, [*command, "--no-progress", "--overwrite", "--draw"]).raw


def test_progress_is_drawn_on_stderr_of_a_terminal_and_leaves_stdout_alone(
    arguments: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch, terminal: Terminal, tmp_path: Path
) -> None:
    terminal.read()
    screen = seen(monkeypatch, arguments["predict"], with_stdout=False)
    assert terminal.read()[0] == f"{tmp_path / 'out' / 'dhfr.npz'}\n"
    assert screen.lines == [""]
    assert screen.raw.startswith("\r\x1b[Kdhfr  ")
    for silent in (["-q", *arguments["predict"]], [*arguments["predict"], "--no-progress"]):
        assert seen(monkeypatch, silent, with_stdout=False).raw == ""


def test_hostile_names_in_files_and_paths_are_shown_and_not_obeyed(
    example_prediction: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "a\x1b[2J\u202eb\nc"
    folder.mkdir()
    path = folder / "x.sto"
    path.write_text("# STOCKHOLM 1.0\nq MKVL\na MKVI\n#=GC \x1b[31mSS\u202e_cons HHEE\n//\n")
    structure = folder / "dhfr.pdb.gz"
    structure.write_bytes(Path(example.STRUCTURE).read_bytes())
    hostile = folder / "x.npz"
    hostile.write_bytes(example_prediction.read_bytes())
    for command in (
        ["inspect", str(path)],
        ["inspect", str(path), "--json"],
        ["inspect", str(path), str(path)],
        ["evaluate", str(example_prediction), "--structure", str(structure)],
        ["evaluate", str(example_prediction), "--structure", str(structure), "--json"],
        ["evaluate", str(hostile), "--structure", str(structure), "--csv"],
    ):
        raw = seen(monkeypatch, command, NO_COLOR="1").raw
        assert "\x1b" not in raw
        assert "\u202e" not in raw
        if "--json" in command:
            tree = json.loads(raw)
            assert folder.name in tree.get("structure", tree.get("file"))
        else:
            assert "a�[2J�b" in raw


def test_the_path_of_a_result_is_exact_for_scripts_and_safe_on_a_terminal(
    good: Path, tmp_path: Path, random_weights: Path, monkeypatch: pytest.MonkeyPatch, terminal: Terminal
) -> None:
    out = tmp_path / "a\x1b[2J\u202eb"
    command = ["predict", str(good), "-o", str(out), "--weights", str(random_weights), "--overwrite"]
    assert piped(terminal, command) == f"{out / 'good.npz'}\n"
    raw = seen(monkeypatch, [*command, "--no-draw", "--no-progress"]).raw
    assert raw == f"{tmp_path}/a�[2J�b/good.npz\r\n"


def test_an_encoding_without_a_sign_is_no_failure(good: Path) -> None:
    command = [sys.executable, "-m", "msaformer", "inspect", str(good)]
    environment = os.environ | {"PYTHONIOENCODING": "latin-1"}
    done = subprocess.run(command, capture_output=True, env=environment, timeout=120, check=True)
    assert rb"(0.32 per \u221aL)" in done.stdout


def test_an_interrupted_prediction_leaves_a_clean_terminal(tmp_path: Path, random_weights: Path) -> None:
    screen = Screen()
    environment = {name: value for name, value in os.environ.items() if name not in SWITCHES}
    set_environment(environment.__setitem__, {})
    words = [str(example.ALIGNMENT), "-o", str(tmp_path / "out"), "--weights", str(random_weights)]
    with opened(80, 24, screen) as slave:
        process = subprocess.Popen(
            [sys.executable, "-c", SLOW, "predict", *words],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment,
            start_new_session=True,
        )
        deadline = time.monotonic() + 120
        while not (tmp_path / "out").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
    assert "dhfr  " in screen.text
    assert [line for line in screen.lines if line] == ["error: interrupted"]
    assert screen.raw.count("\x1b") == screen.raw.count("\x1b[K")
    assert list((tmp_path / "out").iterdir()) == []


SLOW = """
import sys, time
import msaformer.predict
msaformer.predict.predict = lambda *_, **__: time.sleep(100)
from msaformer.cli import main
sys.exit(main())
"""

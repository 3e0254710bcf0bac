"""Every command and every line of Python in README.md runs, on the bundled protein under the names that it uses."""

from __future__ import annotations

import gzip
import re
import shlex
import shutil
import webbrowser
from pathlib import Path

import pytest

from msaformer import example
from msaformer.cli import main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SHORTER = ["-o", "training.steps=2", "-o", "data.num_workers=0", "-o", "data.crop_length=32"]


@pytest.fixture
def as_in_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with the files that README.md names."""
    monkeypatch.chdir(tmp_path)
    for folder in ("alignments", "structures"):
        (tmp_path / folder).mkdir()
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    for place in ("my.a3m", "alignments/my.a3m"):
        shutil.copy(example.ALIGNMENT, tmp_path / place)
    coordinates = gzip.decompress(example.STRUCTURE.read_bytes())
    for place in ("my.pdb", "structures/my.pdb"):
        (tmp_path / place).write_bytes(coordinates)
    (tmp_path / "other.rr").write_text("PFRMAT RR\nMODEL 1\n2 90 0 8 0.9\n40 60 0 8 0.4\nEND\n")
    monkeypatch.setattr(webbrowser, "open", lambda address: False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def blocks(language: str) -> list[str]:
    """Contents of the fenced blocks of one language; fences open and close in turn."""
    parts = re.split(r"^```(\w*)\n", README, flags=re.MULTILINE)
    opened = zip(parts[1::4], parts[2::4], strict=True)
    return [text for found, text in opened if found == language]


def commands() -> list[list[str]]:
    """Arguments of every `msaformer …` line."""
    lines = [line for block in blocks("") for line in block.splitlines()]
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("msaformer ")]


def expand(argument: str) -> list[str]:
    return sorted(str(path) for path in Path().glob(argument)) if "*" in argument else [argument]


def test_the_commands_of_the_readme_run(as_in_readme: Path) -> None:
    ran = []
    for arguments in commands():
        expanded = [word for argument in arguments for word in expand(argument)]
        shorter = SHORTER if arguments[0] == "train" else []
        assert main([*expanded, *shorter]) == 0, arguments
        ran.append(arguments[0])
    looking = {"predict", "evaluate", "report", "view", "export"}
    assert set(ran) == {"inspect", "featurize", "plan", "train"} | looking
    assert (as_in_readme / "my.html").stat().st_size > 10_000


def test_the_python_of_the_readme_runs(as_in_readme: Path, example_prediction: Path) -> None:
    (as_in_readme / "predictions").mkdir()
    shutil.copy(example_prediction, as_in_readme / "predictions" / "my.npz")
    names: dict[str, object] = {}
    for code in blocks("python"):
        exec(compile(code, "README.md", "exec"), names)
    assert names["features"].tokens.shape == (512, 158)  # type: ignore[attr-defined]
    assert (as_in_readme / "my.pdf").read_bytes().startswith(b"%PDF")


def test_files_that_the_readme_links_to_exist() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    missing = [link for link in links if not (ROOT / link).exists()]
    assert len(links) > 5
    assert not missing

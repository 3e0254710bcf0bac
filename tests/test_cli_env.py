"""`msaformer env`: versions, devices, and the programs that would really be run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from cli_cases import Terminal

from data_tools.search.tool import PROGRAMS
from msaformer import __version__
from msaformer.cli import main


def test_every_program_and_package_has_its_line(terminal: Terminal) -> None:
    assert main(["env"]) == 0
    told = dict(line.split(maxsplit=1) for line in terminal.read()[0].splitlines())
    assert told["msaformer"] == __version__
    for name in ("python", "numpy", "zstandard", "numba", "distributed", "biotite", "devices", *PROGRAMS):
        assert told[name], name


def test_json_holds_the_same(terminal: Terminal) -> None:
    assert main(["env", "--json"]) == 0
    report = json.loads(terminal.read()[0])
    assert set(report) == {"python", "packages", "devices", "programs"}
    assert report["packages"]["msaformer"] == __version__
    assert set(report["programs"]) == set(PROGRAMS)
    for found in report["programs"].values():
        assert set(found) == {"path", "version", "error"}
        assert bool(found["path"]) != bool(found["error"])


@pytest.mark.skipif(shutil.which("hhblits") is None, reason="needs hhblits (apt install hhsuite)")
def test_the_program_shown_is_no_script_that_would_run_another(terminal: Terminal) -> None:
    assert main(["env", "--json"]) == 0
    found = json.loads(terminal.read()[0])["programs"]["hhblits"]
    assert Path(found["path"]).read_bytes()[:4] == b"\x7fELF"
    assert found["version"][0].isdigit()


def test_a_missing_program_names_its_package_and_a_wrong_path_is_told(
    tmp_path: Path, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("MSAFORMER_HHBLITS", str(tmp_path / "nowhere"))
    assert main(["env", "--json"]) == 0
    programs = json.loads(terminal.read()[0])["programs"]
    assert programs["jackhmmer"]["error"] == "not installed: apt install hmmer"
    assert "nowhere" in programs["hhblits"]["error"]
    other = tmp_path / "mmseqs"
    other.write_text("#!/bin/sh\nexit 5\n")
    other.chmod(0o755)
    assert main(["env", "--json"]) == 0
    assert "is it that program?" in json.loads(terminal.read()[0])["programs"]["mmseqs"]["error"]


def test_an_optional_package_that_is_missing_says_how_it_is_had(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.metadata

    real = importlib.metadata.version

    def version(name: str) -> str:
        if name in ("numba", "gemmi"):
            raise importlib.metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    assert main(["env"]) == 0
    told = dict(line.split(maxsplit=1) for line in terminal.read()[0].splitlines())
    assert told["gemmi"] == "not installed"
    assert told["numba"].startswith("not installed (optional; ")
    assert "msaformer[fast]" in told["numba"]

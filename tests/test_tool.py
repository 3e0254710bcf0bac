"""Programs are found in the order stated, at the build that really runs, with their version."""

from __future__ import annotations

import os
import re
import shutil
import stat
from pathlib import Path

import pytest
from fake_programs import make

from data_tools.errors import ToolFailedError, ToolNotFoundError
from data_tools.search import tool as tool_module
from data_tools.search.tool import PROGRAMS, Tool, find_tool

SAYS_3_4 = "print('HHblits 3.4.1:\\nHMM-HMM-based')"
FLAGS = "flags : fpu sse sse2 pni ssse3 sse4_1 avx avx2 avx512f\n"


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No variable is set; PATH is one empty folder."""
    for name in PROGRAMS:
        monkeypatch.delenv(f"MSAFORMER_{name.upper()}", raising=False)
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path / "bin"


def test_a_program_is_taken_from_the_path_given_then_the_variable_then_path(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(bare, SAYS_3_4.replace("4.1", "1"))
    assert find_tool("hhblits") == Tool("hhblits", bare / "hhblits", (3, 1), "3.1")
    make(tmp_path / "variable", SAYS_3_4.replace("4.1", "2"))
    monkeypatch.setenv("MSAFORMER_HHBLITS", str(tmp_path / "variable" / "hhblits"))
    assert find_tool("hhblits").version == (3, 2)
    make(tmp_path / "given here", SAYS_3_4, name="other name")
    assert find_tool("hhblits", tmp_path / "given here" / "other name").version == (3, 4, 1)


def test_a_relative_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "here", SAYS_3_4)
    monkeypatch.chdir(tmp_path)
    assert find_tool("hhblits", Path("here/hhblits")).path == tmp_path / "here" / "hhblits"


def test_a_missing_program_says_what_to_install_or_set(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ToolNotFoundError, match=r"apt install hhsuite.*MSAFORMER_HHBLITS"):
        find_tool("hhblits")
    with pytest.raises(ToolNotFoundError, match=r"apt install hmmer.*MSAFORMER_JACKHMMER"):
        find_tool("jackhmmer")
    monkeypatch.setattr(
        tool_module, "PROGRAMS", {"cstranslate": tool_module.Program("cstranslate", "hhsuite", ())}
    )
    with pytest.raises(ToolNotFoundError, match="apt install hhsuite"):
        find_tool("cstranslate")


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(ToolNotFoundError, match=r"'rm' is none of the programs known here: hhblits, "):
        find_tool("rm")


def test_a_wrong_path_names_where_it_came_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ToolNotFoundError, match=r"absent: no such program \(hhblits, by the path given\)"):
        find_tool("hhblits", tmp_path / "absent")
    monkeypatch.setenv("MSAFORMER_HHBLITS", str(tmp_path))
    with pytest.raises(ToolNotFoundError, match=r"by the environment variable MSAFORMER_HHBLITS"):
        find_tool("hhblits")
    path = make(tmp_path / "fake", SAYS_3_4).path
    path.chmod(stat.S_IRUSR)
    if os.access(path, os.X_OK):
        pytest.skip("everything is executable for this user")
    with pytest.raises(ToolNotFoundError, match="not executable"):
        find_tool("hhblits", path)


def test_a_program_that_is_another_is_refused(tmp_path: Path) -> None:
    path = make(tmp_path / "fake", "print('rsync 3.2.7')").path
    with pytest.raises(ToolFailedError, match="does not tell its version as hhblits does"):
        find_tool("hhblits", path)
    path = make(tmp_path / "fake", SAYS_3_4 + "\nsys.exit(1)").path
    with pytest.raises(ToolFailedError, match=r"exit code 1\): is it that program"):
        find_tool("hhblits", path)


def test_a_version_is_asked_once_for_each_state_of_the_file(tmp_path: Path) -> None:
    body = f"open({str(tmp_path / 'calls')!r}, 'a').write('x')\n" + SAYS_3_4
    path = make(tmp_path / "fake", body).path
    assert [find_tool("hhblits", path).version for _ in range(3)] == [(3, 4, 1)] * 3
    assert (tmp_path / "calls").read_text() == "x"
    make(tmp_path / "fake", body.replace("3.4.1", "3.5.10"))
    assert find_tool("hhblits", path).version == (3, 5, 10)


def test_versions_compare_as_numbers() -> None:
    tool = Tool("hhblits", Path("x"), (3, 10), "3.10")
    assert tool.version_at_least((3, 9))
    assert tool.version_at_least((3, 10))
    assert not tool.version_at_least((3, 11))
    assert not Tool("cstranslate", Path("x"), (), "").version_at_least((0,))


def _debian(folder: Path, builds: list[str], monkeypatch: pytest.MonkeyPatch, flags: str = FLAGS) -> Path:
    """The layout of Debian's hhsuite: a link to a script, which picks among builds."""
    libexec = folder / "libexec" / "hhsuite"
    libexec.mkdir(parents=True)
    for build in builds:
        make(libexec, f"print('HHblits 3.3.0: {build}')", name=f"hhblits-{build}")
    (libexec / "simd-dispatch").write_text("#!/bin/sh\nexit 9\n")
    (libexec / "simd-dispatch").chmod(0o755)
    (folder / "usr").mkdir()
    (folder / "usr" / "hhblits").symlink_to(libexec / "simd-dispatch")
    (folder / "cpuinfo").write_text(flags)
    monkeypatch.setattr(tool_module, "_CPUINFO", folder / "cpuinfo")
    return folder / "usr" / "hhblits"


@pytest.mark.parametrize(
    ("builds", "flags", "expected"),
    [
        (["avx2", "avx", "sse4.1", "plain"], FLAGS, "avx2"),
        (["sse4.1", "plain"], FLAGS, "sse4.1"),
        (["avx2", "sse4.1", "sse3", "plain"], "flags : pni avx512f\n", "sse3"),
        (["avx2", "plain"], "Features : fp asimd\n", "plain"),
    ],
)
def test_debians_script_is_replaced_by_the_build_for_this_cpu(
    builds: list[str], flags: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = find_tool("hhblits", _debian(tmp_path, builds, monkeypatch, flags))
    assert found.path == tmp_path / "libexec" / "hhsuite" / f"hhblits-{expected}"


def test_a_script_without_builds_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ToolNotFoundError, match="none of its builds for this CPU"):
        find_tool("hhblits", _debian(tmp_path, [], monkeypatch))


def test_without_a_list_of_flags_the_plain_build_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = _debian(tmp_path, ["avx2", "plain"], monkeypatch)
    monkeypatch.setattr(tool_module, "_CPUINFO", tmp_path / "absent")
    assert find_tool("hhblits", link).path.name == "hhblits-plain"


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_program_installed_here_is_a_binary_that_tells_its_version(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin:/usr/local/bin")
    if shutil.which(name) is None and name != "cstranslate":
        pytest.skip(f"{name} is not installed (apt install {PROGRAMS[name].package})")
    try:
        found = find_tool(name)
    except ToolNotFoundError:
        pytest.skip(f"{name} is not installed (apt install {PROGRAMS[name].package})")
    assert found.path.read_bytes()[:2] != b"#!", "a script was taken for the program"
    if name != "cstranslate":
        assert re.match(r"\d+(\.\d+)*", found.version_text)
        assert len(found.version) >= 2

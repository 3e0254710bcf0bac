"""`msaformer view`: the cache it writes to, what it opens or says instead, and its server from start to Ctrl-C."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.request
import webbrowser
from pathlib import Path

import pytest
from cli_cases import Terminal, files_in
from report_cases import SEQUENCE, chain_like_distances, prediction_from

from msaformer.cli import main
from msaformer.cli.page_cache import KEPT, cached_name, prune

DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER", "SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY")


@pytest.fixture
def prediction(tmp_path: Path) -> Path:
    path = tmp_path / "toy.npz"
    prediction_from(chain_like_distances(40), SEQUENCE).save(path)
    return path


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where pages are kept; the machine has neither display nor SSH until a test says so."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in DISPLAYS:
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache" / "msaformer" / "pages"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Addresses that a browser was asked to open."""
    addresses: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda address: not addresses.append(address))
    return addresses


def test_the_page_is_kept_in_the_cache_printed_and_opened(
    prediction: Path, cache: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch, terminal: Terminal
) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    assert main(["view", str(prediction)]) == 0
    (page,) = cache.iterdir()
    assert terminal.read() == (f"{page}\n", "")
    assert opened == [page.as_uri()]
    assert page.name.startswith("toy-")
    assert page.stat().st_size > 10_000
    assert cache.stat().st_mode & 0o777 == 0o700
    assert main(["view", str(prediction), "--no-open"]) == 0
    assert len(opened) == len(list(cache.iterdir())) == 1


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"SSH_CONNECTION": "x", "DISPLAY": ":10"}, ("SSH", "--serve", "ssh -L")),
        ({}, ("no display", "--serve")),
    ],
)
def test_where_no_browser_can_open_it_is_told_how_to_see_the_page(
    environment: dict[str, str],
    words: tuple[str, ...],
    prediction: Path,
    cache: Path,
    opened: list[str],
    monkeypatch: pytest.MonkeyPatch,
    terminal: Terminal,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", "linux")
    assert main(["view", str(prediction)]) == 0
    out, err = terminal.read()
    assert Path(out.strip()).is_file()
    assert len(err.splitlines()) == 1
    for word in (*words, out.strip()):
        assert word in err
    assert opened == []


def test_a_machine_without_a_browser_is_told_so(
    prediction: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, terminal: Terminal
) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(webbrowser, "open", lambda address: False)
    assert main(["view", str(prediction)]) == 0
    assert "no browser was found" in terminal.read()[1]


def test_several_predictions_are_shown_as_a_table(
    prediction: Path, cache: Path, tmp_path: Path, terminal: Terminal
) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a", "b"):
        prediction_from(chain_like_distances(40), SEQUENCE, name=name).save(tmp_path / "in" / f"{name}.npz")
    assert main(["view", str(tmp_path / "in"), "--no-open"]) == 0
    page = Path(terminal.read()[0].strip())
    assert page.name == "index.html"
    assert page.parent.parent == cache
    assert {"a.html", "b.html", "index.html"} < files_in(page.parent)
    (tmp_path / "in" / "b.npz").write_bytes(b"")
    assert main(["view", str(tmp_path / "in"), "--no-open"]) == 3
    (tmp_path / "in" / "a.npz").write_bytes(b"")
    terminal.read()
    assert main(["view", str(tmp_path / "in"), "--no-open"]) == 1
    assert terminal.read()[0] == ""


def test_what_report_wrote_is_opened_as_it_is(
    prediction: Path, cache: Path, tmp_path: Path, terminal: Terminal
) -> None:
    page, folder = tmp_path / "page.html", tmp_path / "pages"
    for output in (page, folder):
        assert main(["report", str(prediction), "-o", str(output)]) == 0
    terminal.read()
    for path, shown in ((page, page), (folder, folder / "index.html")):
        assert main(["view", str(path), "--no-open"]) == 0
        assert terminal.read()[0] == f"{shown}\n"
    assert not cache.exists()


@pytest.mark.parametrize(
    ("arguments", "words", "code"),
    [
        (["toy.npz", "--port", "80"], ["--serve"], 2),
        (["none.html"], ["none.html", "no such file"], 2),
        (["page.html", "toy.npz"], ["page.html", "written already"], 2),
        (["page.html", "--structure", "toy.npz"], ["page.html", "written already"], 2),
        (["toy.npz", "--chain", "A"], ["--structure"], 2),
        (["none.npz"], ["none.npz", "no such file"], 1),
    ],
)
def test_an_error_is_one_line(
    arguments: list[str],
    words: list[str],
    code: int,
    prediction: Path,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    terminal: Terminal,
) -> None:
    monkeypatch.chdir(prediction.parent)
    Path("page.html").touch()
    assert main(["view", *arguments]) == code
    terminal.shows_one_error(*words)


def test_the_cache_keeps_the_newest_pages_and_nothing_but_pages_is_removed(tmp_path: Path) -> None:
    def named(name: str, age: int) -> Path:
        path = tmp_path / name
        os.utime(path, (1000 - age, 1000 - age), follow_symlinks=False)
        return path

    for age in range(KEPT + 3):
        stem = cached_name(f"page{age}", [str(age)])
        if age % 2:
            (tmp_path / stem).mkdir()
            (tmp_path / stem / "index.html").touch()
        else:
            (tmp_path / f"{stem}.html").touch()
        named(stem if age % 2 else f"{stem}.html", age)
    theirs, stem = tmp_path / "theirs", cached_name("linked", ["x"])
    theirs.mkdir()
    (theirs / "notes.txt").touch()
    (tmp_path / stem).symlink_to(theirs)
    (tmp_path / f"{stem}.html").symlink_to(theirs / "notes.txt")
    for name in ("notes.html", "page-0123.html", f"{stem}.txt"):
        (tmp_path / name).touch()
    for name in ("theirs", stem, f"{stem}.html", "notes.html", "page-0123.html", f"{stem}.txt"):
        named(name, 5000)
    prune(tmp_path)
    left = {path.name.split("-")[0] for path in tmp_path.iterdir() if path.name.startswith("page")}
    assert left == {f"page{age}" for age in range(KEPT)} | {"page"}
    others = {path.name for path in tmp_path.iterdir() if not path.name.startswith("page")}
    assert others == {"theirs", stem, f"{stem}.html", "notes.html", f"{stem}.txt"}
    assert (theirs / "notes.txt").exists()


def test_a_page_s_name_tells_its_files_apart_and_is_plain() -> None:
    names = {cached_name("x", parts) for parts in (["A", Path("p")], ["", Path("p")], ["A", Path("q")])}
    assert len(names) == 3
    assert cached_name("../é \n" + "y" * 200, []).startswith("____yyy")
    assert len(cached_name("y" * 200, [])) < 100


def serve(page: Path, *arguments: str) -> subprocess.Popen[str]:
    """The command as a program of its own, in a process that ignores nothing."""
    return subprocess.Popen(
        [sys.executable, "-m", "msaformer", "view", str(page), "--serve", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={name: value for name, value in os.environ.items() if name not in DISPLAYS}
        | {"SSH_TTY": "/dev/pts/0"},
    )


def test_a_served_page_is_there_until_ctrl_c(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("page")
    process = serve(page)
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        with urllib.request.urlopen(address, timeout=10) as answer:
            assert answer.read() == b"page"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, out) == (0, "")
    assert "Traceback" not in err
    port = address.split(":")[2].split("/")[0]
    assert f"ssh -L {port}:127.0.0.1:{port}" in err
    assert "Ctrl-C" in err


def test_a_port_in_use_is_one_line(tmp_path: Path, terminal: Terminal) -> None:
    (tmp_path / "page.html").touch()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main(["view", str(tmp_path / "page.html"), "--serve", "--port", port]) == 1
        terminal.shows_one_error(port, "in use", "--port")

"""Whatever a search program does wrong, its error is typed and named, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fake_programs import comes_true, is_alive, make

from data_tools.errors import (
    DatabaseError,
    InvalidQueryError,
    OutputInvalidError,
    ToolCrashedError,
    ToolError,
    ToolFailedError,
    ToolNotFoundError,
    ToolTimeoutError,
)
from data_tools.formats import read_alignment
from data_tools.search import process as process_module
from data_tools.search import workspace
from data_tools.search.hh_database import HHDatabase
from data_tools.search.hhsuite import hhblits
from data_tools.search.hhsuite_config import HHblitsConfig
from data_tools.search.query import Query
from data_tools.search.results import SearchResult
from data_tools.search.tool import Tool
from data_tools.search.workspace import check_output, private_folder

ROOT = Path(__file__).parents[1]
QUERY = Query("the query, with words", "MKVLAAGIC")
DATABASE = HHDatabase(prefix=Path("/nowhere/db"), num_entries=1, has_hhm=False, size_bytes=1, fingerprint="f")


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders go; its name has a space."""
    folder = tmp_path / "scratch folder"
    folder.mkdir()
    monkeypatch.setenv("MSAFORMER_TMP", str(folder))
    monkeypatch.setattr(process_module, "GRACE_S", 0.2)
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Where the result goes."""
    folder = tmp_path / "out folder"
    folder.mkdir()
    return folder / "q.a3m"


def search(tool: Tool, out: Path, config: HHblitsConfig | None = None, query: Query = QUERY) -> SearchResult:
    return hhblits(query, [DATABASE], out, config, tool=tool)


def leaves_nothing(scratch: Path, out: Path) -> bool:
    return not list(scratch.iterdir()) and not list(out.parent.iterdir())


def test_a_search_that_ends_well_is_verified_and_put_in_place(
    tmp_path: Path, out: Path, scratch: Path
) -> None:
    result = search(make(tmp_path / "bin dir", "write('#name\\n' + answer())"), out)
    assert result.alignment_path == out
    assert result.num_sequences == 2
    assert result.warnings == ()
    assert result.process.returncode == 0
    assert out.read_text() == f"#name\n>{QUERY.name}\n{QUERY.sequence}\n>hit\n{QUERY.sequence}\n"
    assert list(out.parent.iterdir()) == [out]
    assert not list(scratch.iterdir())


@pytest.mark.parametrize(
    "name",
    ["; touch x", "$(touch x)", "-d evil", "a|b", "'\"`", "ss_pred", "é ü", "> more", "a\tb", "=+@cmd"],
)
def test_a_hostile_header_comes_back_whole_and_reaches_no_program(
    name: str, tmp_path: Path, out: Path
) -> None:
    tool = make(
        tmp_path, "assert not any('evil' in word or 'touch' in word for word in sys.argv)\nwrite(answer())"
    )
    search(tool, out, query=Query(name, "MKVLAAGIC"))
    assert out.read_bytes().split(b"\n")[0] == b">" + name.encode()


@pytest.mark.parametrize("code", [1, 2, 4, 255])
def test_an_exit_code_is_a_failure_even_with_output(
    code: int, tmp_path: Path, out: Path, scratch: Path
) -> None:
    tool = make(tmp_path, f"write(answer()); print('- ERROR: bad', file=sys.stderr); sys.exit({code})")
    with pytest.raises(ToolFailedError, match=rf'hhblits failed with exit code {code}: "- ERROR: bad"'):
        search(tool, out)
    assert leaves_nothing(scratch, out)


@pytest.mark.parametrize("body", ["os.kill(os.getpid(), signal.SIGSEGV)", "write(answer()); sys.exit(139)"])
def test_a_segmentation_fault_is_a_crash(body: str, tmp_path: Path, out: Path, scratch: Path) -> None:
    with pytest.raises(ToolCrashedError, match=r"SIGSEGV .*is the database damaged"):
        search(make(tmp_path, body), out)
    assert leaves_nothing(scratch, out)


def test_a_hanging_search_is_ended_with_the_grandchild_that_ignores_sigterm(
    tmp_path: Path, out: Path, scratch: Path
) -> None:
    tool = make(tmp_path, "print(sleeper(True), file=sys.stderr, flush=True)\ntime.sleep(100)")
    begun = time.monotonic()
    with pytest.raises(ToolTimeoutError, match=r"time limit of 0\.6 s") as caught:
        search(tool, out, HHblitsConfig(timeout_s=0.6))
    assert time.monotonic() - begun < 5
    assert not is_alive(int(caught.value.stderr_tail[0]))
    assert leaves_nothing(scratch, out)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("pass", r"wrote no result\.a3m; is the disk full\?"),
        ("write('')", r"wrote no result\.a3m"),
        ("write('no fasta')", "alignment that is damaged: .*result"),
        ("write(answer()[:-3])", "alignment that is damaged"),
        (
            "write('>msaformer_query\\n' + query()[:-1] + '\\n')",
            "first row is not the query .*8 columns.*expected 9",
        ),
        ("write(answer().replace('MKV', 'MKL'))", "first row is not the query"),
        ("write('>hit\\nMKVLAAGIW\\n' + answer())", "first row is not the query"),
        ("os.write(os.open(options['-oa3m'], 65), bytes(range(256)))", "alignment that is damaged"),
    ],
    ids=["none", "empty", "text", "cut", "shorter", "other letter", "other first row", "binary"],
)
def test_output_that_is_not_an_alignment_of_the_query_is_refused(
    body: str, message: str, tmp_path: Path, out: Path, scratch: Path
) -> None:
    with pytest.raises(OutputInvalidError, match=message) as caught:
        search(make(tmp_path, body), out)
    assert caught.value.command[0] == str(tmp_path / "hhblits")
    assert leaves_nothing(scratch, out)


@pytest.mark.parametrize("written", ["MKCDEXX", "MKUBZJO", "MKXDELX"])
def test_rare_letters_that_a_program_replaces_come_back(written: str, tmp_path: Path, out: Path) -> None:
    tool = make(tmp_path, f"write('>q\\nMKX\\n{written[3:]}\\n>h\\n{written}\\n')")
    assert search(tool, out, query=Query("q", "MKUBZJO")).num_sequences == 2
    assert out.read_text() == f">q\nMKUBZJO\n>h\n{written}\n"


@pytest.mark.parametrize("written", ["MXCDEXX", "XKCDEXX", "MKCDEX", "MKCDEXXX"])
def test_other_letters_make_another_query(written: str, tmp_path: Path, out: Path) -> None:
    tool = make(tmp_path, f"write('>q\\n{written}\\n')")
    with pytest.raises(OutputInvalidError, match="first row is not the query"):
        search(tool, out, query=Query("q", "MKUBZJO"))


def test_an_unknown_option_ends_the_search_at_once(tmp_path: Path, out: Path, scratch: Path) -> None:
    body = (
        "print('- 10:00 WARNING: Ignoring unknown option -foo', file=sys.stderr, flush=True)\ntime.sleep(100)"
    )
    begun = time.monotonic()
    with pytest.raises(ToolFailedError, match=r"does not know an option: .*-foo"):
        search(make(tmp_path, body), out, HHblitsConfig(extra_args=("-foo",)))
    assert time.monotonic() - begun < 5
    assert leaves_nothing(scratch, out)


@pytest.mark.parametrize(
    "line",
    [
        "WARNING: Maximum number 2 of sequences exceeded in file x",
        "WARNING: \\tmaximum number of 2 sequences exceeded while reading x. Skipping all following sequences",
        "WARNING: Only first 19999 match columns will be kept!",
    ],
)
def test_a_truncated_result_is_refused_unless_allowed(
    line: str, tmp_path: Path, out: Path, scratch: Path
) -> None:
    tool = make(tmp_path, f"write(answer()); print('{line}', file=sys.stderr)")
    with pytest.raises(OutputInvalidError, match=r"left out part of its input.*allow_truncation"):
        search(tool, out)
    assert leaves_nothing(scratch, out)
    assert len(search(tool, out, HHblitsConfig(allow_truncation=True)).warnings) == 1


def test_residues_dropped_from_the_query_are_an_error_those_of_a_database_entry_a_warning(
    tmp_path: Path, out: Path
) -> None:
    line = "print(\"WARNING: Ignoring invalid symbol '7' at pos. 8 in line 2 of\", {}, file=sys.stderr)"
    with pytest.raises(OutputInvalidError, match="left out part of its input"):
        search(make(tmp_path, "write(answer())\n" + line.format("options['-i']")), out)
    result = search(make(tmp_path, "write(answer())\n" + line.format("'entry'")), out)
    assert result.warnings == ("WARNING: Ignoring invalid symbol '7' at pos. 8 in line 2 of entry",)


def test_a_flood_of_messages_and_bytes_that_are_no_text_do_no_harm(tmp_path: Path, out: Path) -> None:
    body = "line = b'caf\\xe9 ' * 20 + b'\\n'\nfor _ in range(100): os.write(2, line * 500)\nwrite(answer())"
    result = search(make(tmp_path, body), out)  # 5 MB
    assert result.process.stderr_tail[-1].startswith(r"caf\xe9 ")
    assert len(result.process.stderr_tail) <= 50


def test_a_full_disk_is_named(tmp_path: Path, out: Path, scratch: Path) -> None:
    tool = make(tmp_path, "print('write: No space left on device', file=sys.stderr); sys.exit(1)")
    with pytest.raises(ToolFailedError, match="the disk is full"):
        search(tool, out)
    full = make(tmp_path, "os.symlink('/dev/full', options['-oa3m'])\nwrite(answer())")
    with pytest.raises(ToolFailedError, match="the disk is full"):
        search(full, out)
    assert leaves_nothing(scratch, out)


def test_too_much_memory_ends_the_search(tmp_path: Path, out: Path, scratch: Path) -> None:
    tool = make(tmp_path, "x = b'x' * 2**28\ntime.sleep(100)")
    with pytest.raises(ToolFailedError, match=r"held more than 0\.1 GiB"):
        search(tool, out, HHblitsConfig(max_memory_gb=0.1))
    assert leaves_nothing(scratch, out)


def test_a_program_that_vanished_is_not_found(tmp_path: Path, out: Path, scratch: Path) -> None:
    with pytest.raises(ToolNotFoundError, match="cannot be started"):
        search(Tool("hhblits", tmp_path / "absent", (3,), "3"), out)
    assert leaves_nothing(scratch, out)


def test_what_cannot_be_written_is_seen_before_the_search(tmp_path: Path, out: Path) -> None:
    tool = make(tmp_path, f"open({str(tmp_path / 'ran')!r}, 'w')\nwrite(answer())")
    with pytest.raises(ToolError, match=r"the folder .*absent does not exist; make it first"):
        search(tool, tmp_path / "absent" / "q.a3m")
    with pytest.raises(ToolError, match="is a folder; name the file"):
        search(tool, out.parent)
    with pytest.raises(DatabaseError, match="hhblits needs at least one database"):
        hhblits(QUERY, [], out, tool=tool)
    with pytest.raises(InvalidQueryError, match="9 residues, of which hhblits would keep 8"):
        search(tool, out, HHblitsConfig(maxres=10))
    with pytest.raises(ToolError, match="num_threads is 1024, but this process may use"):
        search(tool, out, HHblitsConfig(num_threads=1024))
    assert not (tmp_path / "ran").exists()
    if os.geteuid() != 0:
        out.parent.chmod(0o500)
        with pytest.raises(ToolError, match="is not writable"):
            check_output(out)


def test_an_earlier_result_stays_until_a_new_one_is_verified(tmp_path: Path, out: Path) -> None:
    out.write_text("earlier")
    with pytest.raises(OutputInvalidError):
        search(make(tmp_path, "write('')"), out)
    assert out.read_text() == "earlier"
    search(make(tmp_path, "write(answer())"), out)
    assert read_alignment(out).depth == 2


def test_the_temporary_folder_is_private_and_where_it_shall_be(
    scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with private_folder() as folder:
        assert folder.parent == scratch
        assert folder.stat().st_mode & 0o077 == 0
        (folder / "deep").mkdir()
        (folder / "deep" / "file").write_text("x")
    assert not folder.exists()
    monkeypatch.setattr(workspace, "MIN_FREE_BYTES", 2**70)
    with pytest.raises(ToolError, match="MB free for temporary files; set MSAFORMER_TMP"), private_folder():
        pass
    monkeypatch.setenv("MSAFORMER_TMP", str(scratch / "absent"))
    with pytest.raises(ToolError, match="no temporary folder can be made there"), private_folder():
        pass


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupt_leaves_no_process_and_ctrl_c_no_folder(
    number: signal.Signals, tmp_path: Path, out: Path, scratch: Path
) -> None:
    told = tmp_path / "pids"
    tool = make(
        tmp_path,
        f"pids = f'{{os.getpid()}} {{sleeper(True)}}'\nopen({str(told)!r} + '.new', 'w').write(pids)\n"
        f"os.rename({str(told)!r} + '.new', {str(told)!r})\ntime.sleep(100)",
    )
    code = (
        "from pathlib import Path\nfrom data_tools.search import process\nfrom data_tools.search.hhsuite import *\n"
        "from data_tools.search.tool import Tool\nprocess.GRACE_S = 0.2\n"
        "db = HHDatabase(prefix=Path('/d'), num_entries=1, has_hhm=False, size_bytes=1, fingerprint='f')\n"
        f"tool = Tool('hhblits', Path({str(tool.path)!r}), (3,), '3')\n"
        f"hhblits(Query('q', 'MKV'), [db], Path({str(out)!r}), tool=tool)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.PIPE)
    assert comes_true(told.exists, 30), "the other Python did not start"
    pids = [int(word) for word in told.read_text().split()]
    assert all(is_alive(pid) for pid in pids)
    parent.send_signal(number)
    parent.communicate(timeout=20)
    assert comes_true(lambda: not any(is_alive(pid) for pid in pids))
    if number == signal.SIGINT:
        assert leaves_nothing(scratch, out)

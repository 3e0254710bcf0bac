"""One outside program, whatever it does: its output, its limits, its end and that of all it started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fake_programs import children, comes_true, is_alive

from data_tools.errors import (
    ToolCrashedError,
    ToolError,
    ToolFailedError,
    ToolNotFoundError,
    ToolTimeoutError,
)
from data_tools.search import process as process_module
from data_tools.search.failures import signal_of
from data_tools.search.output_lines import MAX_LINE_BYTES, MAX_WARNINGS, TAIL_LINES, OutputLines, printable
from data_tools.search.process import MAX_STDOUT_BYTES, run, stop_all
from data_tools.search.watcher import WATCHER

ROOT = Path(__file__).parents[1]
TREE = """
import signal, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-S", "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(100)"],
    stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, file=sys.stderr, flush=True)
"""  # starts a child that ignores SIGTERM, and tells its id


def python(code: str) -> list[str]:
    return [sys.executable, "-S", "-c", code]


@pytest.fixture
def quick_kill(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_module, "GRACE_S", 0.2)


def test_a_program_that_ends_well_is_told_in_full() -> None:
    code = "import sys; print('out'); print('WARNING: odd', file=sys.stderr); print('last', file=sys.stderr)"
    result = run(python(code), timeout_s=20)
    assert result.argv == tuple(python(code))
    assert result.returncode == 0
    assert result.stdout == b"out\n"
    assert not result.stdout_truncated
    assert result.stderr_tail == ("WARNING: odd", "last")
    assert result.warnings == ("WARNING: odd",)
    assert 0 < result.wall_s < 20


@pytest.mark.parametrize(
    "word", ["; touch x", "$(touch x)", "`touch x`", "a b", "-v", "|", "'\"", "*", "line\nline", ""]
)
def test_arguments_reach_the_program_as_they_are(word: str, tmp_path: Path) -> None:
    result = run([*python("import sys; sys.stdout.write(sys.argv[1])"), word], timeout_s=20, cwd=tmp_path)
    assert result.stdout.decode() == word
    assert not list(tmp_path.iterdir())


def test_standard_input_is_closed_or_what_was_given() -> None:
    read = python("import sys; sys.stdout.write(str(len(sys.stdin.buffer.read())))")
    assert run(read, timeout_s=20).stdout == b"0"
    assert run(read, timeout_s=20, stdin=b"").stdout == b"0"
    assert run(read, timeout_s=20, stdin=b"x" * 1_000_000).stdout == b"1000000"


def test_a_program_need_not_read_what_it_is_given() -> None:
    result = run(
        python("import os, time; os.close(0); time.sleep(0.1)"), timeout_s=20, stdin=b"x" * 1_000_000
    )
    assert result.returncode == 0


def test_a_program_sees_the_c_locale_and_the_variables_given() -> None:
    code = "import os; print(os.environ['LC_ALL'], os.environ['MSA_TEST'], 'PATH' in os.environ)"
    assert run(python(code), timeout_s=20, env={"MSA_TEST": "ä"}).stdout.decode().split() == [
        "C",
        "ä",
        "True",
    ]


def test_a_program_inherits_no_open_file(tmp_path: Path) -> None:
    with (tmp_path / "secret").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        result = run(["/bin/ls", "-l", "/proc/self/fd"], timeout_s=20)
    assert b"secret" not in result.stdout
    assert b"pipe" in result.stdout


def test_a_program_has_a_session_of_its_own() -> None:
    result = run(python("import os; print(os.getpid(), os.getpgid(0), os.getsid(0))"), timeout_s=20)
    assert len(set(result.stdout.split())) == 1


def test_standard_output_goes_to_a_file_when_asked(tmp_path: Path) -> None:
    result = run(python("print('x' * 100)"), timeout_s=20, stdout_path=tmp_path / "out")
    assert result.stdout == b""
    assert (tmp_path / "out").read_text() == "x" * 100 + "\n"


def test_standard_output_in_memory_is_bounded() -> None:
    code = f"import os\nfor _ in range({MAX_STDOUT_BYTES // 2**20 + 4}): os.write(1, b'x' * 2**20)"
    result = run(python(code), timeout_s=60)
    assert len(result.stdout) == MAX_STDOUT_BYTES
    assert result.stdout_truncated


def test_lines_come_while_the_program_runs_and_progress_bars_are_lines() -> None:
    seen: list[tuple[str, float]] = []
    code = "import sys, time; e = sys.stderr\n"
    code += "print('one', file=e, flush=True); time.sleep(0.5)\ne.write('10%\\r20%\\r\\nend')"
    run(python(code), timeout_s=20, on_line=lambda line: seen.append((line, time.monotonic())))
    assert [line for line, _ in seen] == ["one", "10%", "20%", "end"]
    assert seen[-1][1] - seen[0][1] > 0.3


def test_a_hundred_megabytes_of_messages_leave_their_last_lines_only() -> None:
    code = (
        "import os\nline = b'%079d\\n' % 7\n"
        "for _ in range(50): os.write(2, line * 13107)\n"  # 50 MB of lines
        "for _ in range(50): os.write(2, b'x' * 2**20)\n"  # 50 MB without an end of line
        "os.write(2, b'\\nlast\\n')"
    )
    result = run(python(code), timeout_s=100)
    assert len(result.stderr_tail) == TAIL_LINES
    assert result.stderr_tail[-1] == "last"
    assert len(result.stderr_tail[-2]) == MAX_LINE_BYTES
    assert result.stderr_tail[0] == "0" * 78 + "7"


def test_bytes_that_are_no_text_stay_readable() -> None:
    result = run(python(r"import os; os.write(2, b'caf\xe9 \x1b[31mred\x00\n')"), timeout_s=20)
    assert result.stderr_tail == (r"caf\xe9 \x1b[31mred\x00",)
    assert printable("Å".encode()) == "Å"


def test_warnings_are_kept_once_each_and_bounded() -> None:
    lines = OutputLines()
    lines.feed("stderr", b"- 10:00 WARNING: a\nwarning: b\n- 10:00 WARNING: a\nforewarnings\n")
    assert lines.warnings == ("- 10:00 WARNING: a", "warning: b")
    lines.feed("stderr", b"".join(b"WARNING %d\n" % number for number in range(2 * MAX_WARNINGS)))
    assert len(lines.warnings) == MAX_WARNINGS


@pytest.mark.parametrize("cut", range(1, 12))
def test_lines_do_not_depend_on_how_the_bytes_arrive(cut: int) -> None:
    data = b"one\ntwo\r\nthree\r\n\n  \nfour"
    lines = OutputLines()
    for start in range(0, len(data), cut):
        lines.feed("stderr", data[start : start + cut])
    lines.feed("stderr", b"")
    assert lines.tail == ("one", "two", "three", "four")


def test_lines_of_two_streams_do_not_mix_and_stderr_comes_first() -> None:
    lines = OutputLines()
    lines.feed("stdout", b"half ")
    assert lines.tail == ()
    lines.feed("stdout", b"line\n")
    assert lines.tail == ("half line",)
    lines.feed("stderr", b"error\n")
    assert lines.tail == ("error",)


def test_a_failure_tells_code_command_and_the_last_error_line() -> None:
    code = "import sys; print('step 1\\nERROR: bad thing\\nbye', file=sys.stderr); sys.exit(3)"
    with pytest.raises(ToolFailedError, match=r'failed with exit code 3: "ERROR: bad thing"') as caught:
        run(python(code), timeout_s=20)
    assert caught.value.command == tuple(python(code))
    assert caught.value.stderr_tail == ("step 1", "ERROR: bad thing", "bye")


def test_errors_on_standard_output_are_quoted_when_stderr_is_empty() -> None:
    with pytest.raises(ToolFailedError, match='"Failed to parse command line"'):
        run(python("print('Failed to parse command line\\nUsage'); raise SystemExit(1)"), timeout_s=20)


def test_a_failure_without_words_says_so() -> None:
    with pytest.raises(ToolFailedError, match="exit code 1; it wrote nothing that says why"):
        run(["/bin/false"], timeout_s=20)


def test_an_exit_code_is_returned_when_it_is_not_checked() -> None:
    assert run(python("raise SystemExit(4)"), timeout_s=20, check=False).returncode == 4


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("write: No space left on device", "the disk is full"),
        ("std::bad_alloc", "not enough memory"),
        ("did not find 34 match states", "two databases that hold different versions"),
        ("Unrecognized HMM file format", "an entry of the database is damaged"),
        ("Could find neither hhm_db nor a3m_db!", "is the database a prefix"),
    ],
)
def test_known_last_words_name_their_cause(line: str, cause: str) -> None:
    with pytest.raises(ToolFailedError, match=cause):
        run([*python("import sys; sys.exit(sys.argv[1])"), line], timeout_s=20)


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("SIGSEGV", "is the database damaged"),
        ("SIGILL", "AVX2"),
        ("SIGKILL", "out of memory"),
        ("SIGABRT", "ended itself"),
        ("SIGBUS", "cut short"),
    ],
)
def test_a_crash_names_its_signal_and_the_likely_cause(name: str, cause: str) -> None:
    number = getattr(signal, name)
    kills_itself = f"import os; os.kill(os.getpid(), {number})"
    reports_as_a_shell = f"raise SystemExit({128 + number})"
    for code in (kills_itself, reports_as_a_shell):
        with pytest.raises(ToolCrashedError, match=rf"was ended by {name} .*{cause}"):
            run(python(code), timeout_s=20)


def test_only_codes_of_signals_are_crashes() -> None:
    assert signal_of(-11) == signal_of(139) == signal.SIGSEGV
    assert [signal_of(code) for code in (0, 1, 127, 128, 255)] == [None] * 5


def test_a_program_that_is_missing_or_no_program_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("text")
    with pytest.raises(ToolNotFoundError, match="No such file"):
        run([tmp_path / "absent"], timeout_s=20)
    with pytest.raises(ToolNotFoundError, match="Permission denied"):
        run([tmp_path / "plain"], timeout_s=20)
    (tmp_path / "plain").chmod(0o755)
    with pytest.raises(ToolNotFoundError, match=r"Exec format error.*for this machine"):
        run([tmp_path / "plain"], timeout_s=20)


def test_a_missing_folder_to_run_in_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="the folder to run /bin/true in does not exist"):
        run(["/bin/true"], timeout_s=20, cwd=tmp_path / "absent")


def test_what_cannot_be_an_argument_is_refused() -> None:
    with pytest.raises(ToolError, match="the list of arguments is empty"):
        run([], timeout_s=20)
    with pytest.raises(ToolError, match="argument 1 cannot be passed"):
        run(["/bin/true", "a\0b"], timeout_s=20)
    with pytest.raises(ToolFailedError, match="Argument list too long"):
        run(["/bin/true", "x" * 10_000_000], timeout_s=20)


@pytest.mark.parametrize("limit", [0, -1, float("inf"), float("nan")])
def test_a_limit_is_a_positive_number(limit: float) -> None:
    with pytest.raises(ValueError, match="timeout_s must be a positive number"):
        run(["/bin/true"], timeout_s=limit)
    with pytest.raises(ValueError, match="max_memory_gb must be a positive number"):
        run(["/bin/true"], timeout_s=None, max_memory_gb=limit)


@pytest.mark.usefixtures("quick_kill")
def test_a_time_out_ends_the_program_and_all_it_started() -> None:
    begun = time.monotonic()
    with pytest.raises(ToolTimeoutError, match=r"time limit of 0\.6 s") as caught:
        run(python(TREE + "print('working', file=sys.stderr, flush=True)\ntime.sleep(100)"), timeout_s=0.6)
    assert time.monotonic() - begun < 5
    grandchild, last = caught.value.stderr_tail
    assert last == "working"
    assert not is_alive(int(grandchild))


@pytest.mark.usefixtures("quick_kill")
def test_a_program_that_ignores_sigterm_is_killed() -> None:
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(100)"
    begun = time.monotonic()
    with pytest.raises(ToolTimeoutError):
        run(python(code), timeout_s=0.3)
    assert time.monotonic() - begun < 5


def test_a_program_may_tidy_up_after_sigterm(tmp_path: Path) -> None:
    code = (
        "import signal, sys, time\n"
        f"def tidy(*_): open({str(tmp_path / 'tidied')!r}, 'w'); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, tidy)\nprint('ready', flush=True)\ntime.sleep(100)"
    )
    with pytest.raises(ToolTimeoutError):
        run(python(code), timeout_s=0.5)
    assert (tmp_path / "tidied").exists()


def test_what_a_program_leaves_running_is_ended_with_it() -> None:
    begun = time.monotonic()
    result = run(python(TREE), timeout_s=60)  # the child holds stderr open
    assert time.monotonic() - begun < 20
    assert not is_alive(int(result.stderr_tail[0]))


@pytest.mark.usefixtures("quick_kill")
def test_what_on_line_raises_ends_the_program() -> None:
    seen: list[int] = []

    def refuse(line: str) -> None:
        seen.append(int(line))
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        run(python(TREE + "time.sleep(100)"), timeout_s=60, on_line=refuse)
    assert not is_alive(seen[0])


@pytest.mark.usefixtures("quick_kill")
def test_what_ended_a_program_is_not_masked_by_lines_that_come_late() -> None:
    code = "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: print('late', flush=True))\n"
    code += "print('early', flush=True)\nwhile True: time.sleep(1)"

    def refuse(line: str) -> None:
        raise KeyboardInterrupt if line == "early" else ValueError(line)

    with pytest.raises(KeyboardInterrupt):
        run(python(code), timeout_s=20, on_line=refuse)

    def refuse_late(line: str) -> None:
        if line == "late":
            raise ValueError(line)

    with pytest.raises(ToolTimeoutError):
        run(python(code), timeout_s=0.5, on_line=refuse_late)


def test_more_open_files_than_select_takes_do_not_matter() -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 1200:
        pytest.skip("not so many files may be open here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (1200, hard))
    held = [os.open("/dev/null", os.O_RDONLY) for _ in range(1050)]
    try:
        assert run(["/bin/echo", "x"], timeout_s=20).stdout == b"x\n"
        with pytest.raises(ToolTimeoutError):
            run(["/bin/sleep", "10"], timeout_s=0.05)
    finally:
        for descriptor in held:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_program_is_not_left_when_its_pipes_cannot_be_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_selector() -> None:
        raise OSError(24, "Too many open files")

    run(["/bin/true"], timeout_s=20)
    before = children()
    monkeypatch.setattr(process_module.selectors, "DefaultSelector", no_selector)
    with pytest.raises(OSError, match="Too many open files"):
        run(["/bin/sleep", "100"], timeout_s=20)
    assert children() == before


def test_a_file_for_standard_output_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="standard output cannot be written there: No such file"):
        run(["/bin/true"], timeout_s=20, stdout_path=tmp_path / "absent" / "out")


def test_no_process_is_left_unreaped() -> None:
    run(["/bin/true"], timeout_s=20)  # starts the watcher
    before = children()
    for _ in range(5):
        run(["/bin/true"], timeout_s=20)
        with pytest.raises(ToolFailedError):
            run(["/bin/false"], timeout_s=20)
        with pytest.raises(ToolTimeoutError):
            run(["/bin/sleep", "10"], timeout_s=0.05)
    assert children() == before


def test_no_file_descriptor_is_left_open() -> None:
    run(["/bin/true"], timeout_s=20)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        run(["/bin/true"], timeout_s=20)
        with pytest.raises(ToolTimeoutError):
            run(["/bin/sleep", "10"], timeout_s=0.05, stdin=b"x" * 1_000_000)
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.usefixtures("quick_kill")
def test_a_group_that_holds_too_much_memory_is_ended() -> None:
    code = "x = b'x' * 2**28\nimport time; time.sleep(100)"  # 256 MiB
    spawn = f"import subprocess, sys; subprocess.run([sys.executable, '-S', '-c', {code!r}])"
    with pytest.raises(ToolFailedError, match=r"held more than 0\.1 GiB"):
        run(python(spawn), timeout_s=60, max_memory_gb=0.1)
    assert run(python("x = b'x' * 2**20"), timeout_s=60, max_memory_gb=0.1).returncode == 0


def test_the_peak_of_memory_is_the_programs_own() -> None:
    small = run(python("import time; time.sleep(0.5)"), timeout_s=20).peak_memory_bytes
    large = run(python("x = b'x' * 2**27; import time; time.sleep(0.5)"), timeout_s=20).peak_memory_bytes
    assert 2**20 < small < 2**26
    assert 2**27 <= large < 2**28


def test_every_running_program_can_be_stopped_from_another_thread() -> None:
    def search() -> str:
        with pytest.raises(ToolError, match="was stopped after") as caught:
            run(["/bin/sleep", "100"], timeout_s=None)
        return str(caught.value)

    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(search) for _ in range(3)]
        assert comes_true(lambda: len([pid for pid in children() if _is_sleep(pid)]) == 3)
        stop_all()
        assert all(task.result(timeout=10).startswith("sleep") for task in waiting)
    assert run(["/bin/true"], timeout_s=20).returncode == 0


def _is_sleep(pid: int) -> bool:
    return is_alive(pid) and Path(f"/proc/{pid}/comm").read_text().strip() == "sleep"


def test_many_threads_run_programs_at_a_time() -> None:
    def echo(number: int) -> int:
        return int(run(["/bin/echo", str(number)], timeout_s=60).stdout)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(echo, range(100))) == list(range(100))


def _parent(tmp_path: Path, before: str = "") -> tuple[subprocess.Popen[bytes], int]:
    """Another Python that runs a program with a child that ignores SIGTERM; and that child's id."""
    told = tmp_path / "pid"
    code = (
        "from pathlib import Path\nfrom data_tools.search import process\nprocess.GRACE_S = 0.2\n"
        f"TREE = {TREE!r}\ndef tell(line): Path({str(tmp_path / 'new')!r}).write_text(line); "
        f"Path({str(tmp_path / 'new')!r}).rename({str(told)!r})\nimport os, sys, time\n{before}\n"
        "process.run([sys.executable, '-S', '-c', TREE + 'time.sleep(100)'], timeout_s=None, on_line=tell)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.PIPE)
    assert comes_true(told.exists, 30), "the other Python did not start"
    return parent, int(told.read_text())


def test_ctrl_c_ends_the_program_and_all_it_started(tmp_path: Path) -> None:
    parent, grandchild = _parent(tmp_path)
    assert is_alive(grandchild)
    parent.send_signal(signal.SIGINT)
    _, errors = parent.communicate(timeout=20)
    assert b"KeyboardInterrupt" in errors
    assert not is_alive(grandchild)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_program_does_not_outlive_a_killed_python(number: signal.Signals, tmp_path: Path) -> None:
    parent, grandchild = _parent(tmp_path)
    assert is_alive(grandchild)
    parent.send_signal(number)
    parent.communicate(timeout=20)
    assert comes_true(lambda: not is_alive(grandchild))


def test_a_forked_child_does_not_keep_the_watcher_waiting(tmp_path: Path) -> None:
    fork = (
        "process.run(['/bin/true'], timeout_s=9)\n"
        f"if os.fork() == 0:\n    Path({str(tmp_path / 'forked')!r}).write_text(str(os.getpid()))\n"
        "    os.close(2)\n    time.sleep(100)\n    os._exit(0)\n"
    )
    parent, grandchild = _parent(tmp_path, before=fork)
    parent.kill()
    parent.communicate(timeout=20)
    assert comes_true(lambda: not is_alive(grandchild))
    os.kill(int((tmp_path / "forked").read_text()), signal.SIGKILL)


def test_a_watcher_that_was_killed_does_not_stop_a_search() -> None:
    run(["/bin/true"], timeout_s=20)
    watcher = WATCHER._process
    assert watcher is not None
    watcher.kill()
    watcher.wait()
    assert run(["/bin/true"], timeout_s=20).returncode == 0
    WATCHER.close()
    assert run(["/bin/true"], timeout_s=20).returncode == 0
    assert WATCHER._process is not None
    assert WATCHER._process.pid != watcher.pid


def test_the_watcher_ends_with_its_python(tmp_path: Path) -> None:
    code = (
        "from data_tools.search.process import run\nfrom data_tools.search.watcher import WATCHER\n"
        "run(['/bin/true'], timeout_s=9)\nprint(WATCHER._process.pid)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, check=True
    )
    assert done.stderr == b""
    assert not is_alive(int(done.stdout))


def test_programs_run_where_the_system_cannot_tell_of_exits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pidfd_open")
    assert run(python("print(1)"), timeout_s=20).stdout == b"1\n"
    with pytest.raises(ToolTimeoutError):
        run(["/bin/sleep", "10"], timeout_s=0.2)
    threads_before = threading.active_count()
    with pytest.raises(ToolFailedError):
        run(["/bin/false"], timeout_s=20)
    assert threading.active_count() == threads_before


def test_the_benchmark_of_a_call_finds_equal_outputs_and_no_orphans() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "benchmark_process.py"), "--quick"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert [line.split()[-1] for line in done.stdout.splitlines()[-2:]] == ["yes", "yes"]

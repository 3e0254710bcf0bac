"""Programs that behave badly, made for a test: Python scripts that stand in for `hhblits` and its kin."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from data_tools.search.tool import Tool

# What a fake starts with: its arguments by option, and an honest answer for it to spoil.
PRELUDE = f"""#!{sys.executable} -S
import os, signal, subprocess, sys, time
options = dict(zip(sys.argv[1:], sys.argv[2:]))
def query():
    return open(options["-i"]).read().split("\\n")[1]
def write(text, option="-oa3m"):
    with open(options[option], "w") as file:
        file.write(text)
def answer():
    return f">msaformer_query\\n{{query()}}\\n>hit\\n{{query()}}\\n"
def sleeper(ignores_term):
    code = "import signal, time\\n" + ("signal.signal(signal.SIGTERM, signal.SIG_IGN)\\n" if ignores_term else "")
    child = subprocess.Popen([sys.executable, "-S", "-c", code + "print(1, flush=True)\\ntime.sleep(100)"],
                             stdout=subprocess.PIPE)
    child.stdout.readline()
    return child.pid
"""


def make(folder: Path, body: str, name: str = "hhblits") -> Tool:
    """A program in `folder` that runs the Python `body` after the prelude."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(PRELUDE + body)
    path.chmod(0o755)
    return Tool(name, path, (3, 3, 0), "3.3.0")


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that ended and waits to be reaped does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def comes_true(question, seconds: float = 20.0) -> bool:  # type: ignore[no-untyped-def]
    """Ask until the answer is yes, for at most some seconds."""
    deadline = time.monotonic() + seconds
    while not question():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def children() -> set[int]:
    """Ids of this process's children, ended but not reaped ones included."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == os.getpid():
                found.add(int(entry.name))
    return found

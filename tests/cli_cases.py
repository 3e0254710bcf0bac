"""Inputs and checks that the tests of the command line share."""

from __future__ import annotations

from pathlib import Path

import pytest

QUERY = "MKVLAAGICRTWYDENQHFPMKVLAAGICRTWYDENQHFP"
GOOD = f">q\n{QUERY}\n>a\n{QUERY[:20]}{'-' * 20}\n>b\n{QUERY.replace('K', 'R')}\n"


class Terminal:
    """What a command wrote, and the check for an expected error."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def read(self) -> tuple[str, str]:
        """Stdout and stderr since the last call."""
        captured = self._capsys.readouterr()
        return captured.out, captured.err

    def shows_one_error(self, *words: str) -> None:
        """Check that stderr holds exactly one line, `error: …`, with these words, and stdout nothing."""
        out, err = self.read()
        assert out == ""
        assert len(err.splitlines()) == 1, err
        assert err.startswith("error: ")
        for word in words:
            assert word in err


def files_in(folder: Path) -> set[str]:
    """All files below a folder, hidden ones too."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}

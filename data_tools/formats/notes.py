"""Taking down what a reader leaves out or mends: `NoteTaker`, and its report as JSON."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final, Literal

from data_tools.errors import AlignmentFormatError
from data_tools.read_report import MAX_NOTES, ReadNote, ReadReport

Action = Literal["set-aside", "skipped", "mended", "dropped"]
_LONGEST_RECORD: Final = 60  # characters of a record's id kept in a note


class NoteTaker:
    """Collects the notes while one file is read; in repair mode a fault becomes a note.

    >>> notes = NoteTaker("doc.a3m", "a3m", repair=True)
    >>> notes.fault(AlignmentFormatError("empty"), line=3, record="hit", action="dropped", reason="empty")
    >>> notes.report().counts
    {'dropped': 1}
    """

    def __init__(self, source: str, format: str, *, repair: bool) -> None:
        self.source = source
        """Name of the file, in notes and errors."""
        self.format = format
        """Name of the format; a reader that finds out which of several it is puts it here."""
        self.repair = repair
        """Whether a fault is mended rather than raised."""
        self._notes: list[ReadNote] = []
        self._counts: Counter[str] = Counter()

    def note(self, line: int, record: str, action: Action, reason: str) -> None:
        """Take down one thing; beyond `MAX_NOTES` it is only counted."""
        self._counts[action] += 1
        if len(self._notes) < MAX_NOTES:
            short = record if len(record) <= _LONGEST_RECORD else f"{record[: _LONGEST_RECORD - 3]}..."
            self._notes.append(ReadNote(line, short, action, reason))

    def fault(
        self, error: AlignmentFormatError, *, line: int, record: str, action: Action, reason: str
    ) -> None:
        """Raise `error`, or take down what repair does about it."""
        if not self.repair:
            raise error
        self.note(line, record, action, reason)

    def report(self) -> ReadReport:
        """Everything taken down so far, in the order of the file."""
        notes = tuple(sorted(self._notes, key=lambda note: note.line))
        return ReadReport(self.source, self.format, notes, dict(self._counts))


def report_as_json(report: ReadReport) -> dict[str, Any]:
    """The report as plain values: `source`, `format`, `counts`, and `notes`, one object each."""
    return {
        "source": report.source,
        "format": report.format,
        "counts": dict(report.counts),
        "notes": [
            {"line": note.line, "record": note.record, "action": note.action, "reason": note.reason}
            for note in report.notes
        ],
    }

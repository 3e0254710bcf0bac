"""Everything data_tools raises for something a user can cause.

DataToolsError
├── AlignmentError           an alignment cannot be used
│   └── AlignmentFormatError the file breaks its format (file and line in the message)
├── StructureError           a structure file cannot be read or used
│   ├── ChainNotFoundError   the named chain is absent (the chains present are listed)
│   └── ChainMismatchError   the chain's sequence is not the query's
├── StoreError               an example store is damaged, incomplete or of another schema
├── PipelineError            a table of inputs, a running job or its folder cannot be used
└── ToolError                an outside program could not do its work (its command and last lines are kept)
    ├── ToolNotFoundError    the program is not installed, or not executable
    ├── DatabaseError        a search database is missing, incomplete or damaged
    ├── InvalidQueryError    the query would be changed or refused by the program
    ├── ToolTimeoutError     it ran past its time limit
    ├── ToolCrashedError     a signal ended it
    ├── ToolFailedError      it ended with an error of its own
    └── OutputInvalidError   it ended well, but what it wrote is missing, damaged or not of this query
"""

from __future__ import annotations

from collections.abc import Sequence


class DataToolsError(Exception):
    """Base of all expected errors; the message is one line: what, where, what to do."""


class AlignmentError(DataToolsError):
    """An alignment cannot be used."""


class AlignmentFormatError(AlignmentError):
    """An alignment file breaks its format."""


class StructureError(DataToolsError):
    """A structure file cannot be read or used."""


class ChainNotFoundError(StructureError):
    """The chain asked for is not in the structure."""


class ChainMismatchError(StructureError):
    """The chain's sequence does not match the query."""


class StoreError(DataToolsError):
    """An example store is damaged, incomplete or of another schema."""


class PipelineError(DataToolsError):
    """A table of inputs, a running job or its folder cannot be used."""


class ToolError(DataToolsError):
    """An outside program could not do its work."""

    def __init__(self, message: str, *, command: Sequence[str] = (), stderr_tail: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.command = tuple(command)
        """The exact list of arguments; empty when nothing was started."""
        self.stderr_tail = tuple(stderr_tail)
        """The last lines that the program wrote on stderr (and stdout, where it reports errors there)."""

    def __reduce__(self) -> tuple[object, ...]:  # keyword arguments do not survive pickling otherwise
        return (_restore_tool_error, (type(self), str(self), self.command, self.stderr_tail))


def _restore_tool_error(
    kind: type[ToolError], message: str, command: Sequence[str], stderr_tail: Sequence[str]
) -> ToolError:
    return kind(message, command=command, stderr_tail=stderr_tail)


class ToolNotFoundError(ToolError):
    """The program is not installed, or not executable."""


class DatabaseError(ToolError):
    """A search database is missing, incomplete or damaged."""


class InvalidQueryError(ToolError):
    """The query would be changed or refused by the program."""


class ToolTimeoutError(ToolError):
    """The program ran past its time limit."""


class ToolCrashedError(ToolError):
    """A signal ended the program."""


class ToolFailedError(ToolError):
    """The program ended with an error of its own."""


class OutputInvalidError(ToolError):
    """The program ended well, but what it wrote is missing, damaged or not of this query."""

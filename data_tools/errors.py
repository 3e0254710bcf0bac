"""Everything data_tools raises for something a user can cause.

DataToolsError
├── AlignmentError           an alignment cannot be used
│   └── AlignmentFormatError the file breaks its format (file and line in the message)
├── StructureError           a structure file cannot be read or used
│   ├── ChainNotFoundError   the named chain is absent (the chains present are listed)
│   └── ChainMismatchError   the chain's sequence is not the query's
└── StoreError               an example store is damaged, incomplete or of another schema
"""


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

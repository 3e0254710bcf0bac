"""Errors as one line of text, whatever a hostile file put into them."""

from __future__ import annotations


def one_line(error: BaseException | str) -> str:
    """A message without line ends, control characters or tabs.

    >>> one_line(FileNotFoundError(2, "No such file or directory", "a.a3m"))
    'a.a3m: no such file or directory'
    """
    if isinstance(error, OSError) and error.strerror:
        named = f"{error.filename}: " if error.filename is not None else ""
        text = f"{named}{error.strerror.lower()}"
    else:
        text = str(error) or type(error).__name__
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in " ".join(text.split())
    )

"""Where `msaformer view` keeps the pages that it shows: a folder of the user's cache, the newest ones only.

A page is named by its prediction and by the hash of the paths of all it is made of, so that looking again writes the
same page again, and pages of other files stay.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

KEPT: Final = 20
"""Pages and folders of pages in the cache; opening one more removes the oldest."""
_HASH_LETTERS: Final = 16
_OURS: Final = re.compile(rf"[A-Za-z0-9._-]{{1,60}}-[0-9a-f]{{{_HASH_LETTERS}}}(\.html)?")
_NOT_PLAIN: Final = re.compile(r"[^A-Za-z0-9._-]")  # a browser's address shows the rest as %…
_NAME_LETTERS: Final = 60


def cache_folder(environment: Mapping[str, str]) -> Path:
    """`$XDG_CACHE_HOME/msaformer/pages`, or below `~/.cache`; made for this user alone. Raises OSError."""
    given = environment.get("XDG_CACHE_HOME", "")
    root = Path(given) if os.path.isabs(given) else Path.home() / ".cache"  # XDG: relative ones are ignored
    folder = root / "msaformer" / "pages"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def cached_name(name: str, parts: Iterable[str | Path]) -> str:
    """A file name, without a suffix, for what the files and words `parts` make of the target `name`."""
    joined = "\0".join(os.path.abspath(part) if isinstance(part, Path) else part for part in parts)
    digest = hashlib.sha256(joined.encode("utf-8", "surrogateescape")).hexdigest()
    plain = _NOT_PLAIN.sub("_", name).lstrip(".")  # a hidden file is not served
    return f"{plain[:_NAME_LETTERS] or '_'}-{digest[:_HASH_LETTERS]}"


def prune(folder: Path, kept: int = KEPT) -> None:
    """Remove all but the `kept` newest pages of `folder`; links, and what is named otherwise, are none of ours."""
    found = []
    for entry in os.scandir(folder):
        mode = entry.stat(follow_symlinks=False).st_mode
        is_page = stat.S_ISREG(mode) if entry.name.endswith(".html") else stat.S_ISDIR(mode)
        if is_page and _OURS.fullmatch(entry.name):
            found.append((entry.stat(follow_symlinks=False).st_mtime_ns, entry.path))
    for _, path in sorted(found, reverse=True)[kept:]:
        if os.path.isdir(path):
            shutil.rmtree(path, ignore_errors=True)  # another `view` may be at it
        else:
            Path(path).unlink(missing_ok=True)

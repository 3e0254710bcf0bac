"""Figures that were measured once, kept as `CACHE/METHOD-SETTINGS/PROTEIN.json`, so that a run can be stopped.

The file of a protein is named by a hash of its alignment and true distances, the folder by a hash of the method's
settings (the SHA-256 of its weights, penalties, rows). Code is not part of either: after a change of what a method
computes, remove its folder.
"""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path

from benchmark_accuracy_methods import Figures, Method, NotCoveredError, slug
from benchmark_accuracy_targets import Target

from data_tools.atomic import atomic_path

_VERSION = 2  # of what a file holds


def measured(method: Method, target: Target, folder: Path | None, *, cached_only: bool = False) -> Figures:
    """The figures of a protein, from the cache at `folder` where they lie there, else measured and put there.

    Raises NotCoveredError when the method has nothing on the protein or, `cached_only`, the cache has not.
    """
    path = None
    if folder is not None and method.settings:
        path = folder / slug(method) / f"{target.sha256}.json"
        found = _read(path)
        if found is not None:
            return found
    if cached_only:
        raise NotCoveredError(f"{target.example.id} is not in the cache")
    start = time.process_time()
    figures = dataclasses.replace(method.measure(target), seconds=time.process_time() - start)
    if path is not None:
        _write(path, figures, method, target)
    return figures


def _read(path: Path) -> Figures | None:
    """None when nothing is kept, or what is kept was written by another version: it is measured again."""
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ValueError(f"{path}: damaged; remove it") from error
    return Figures(**tree["figures"]) if tree.get("version") == _VERSION else None


def _write(path: Path, figures: Figures, method: Method, target: Target) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    tree = {
        "version": _VERSION,
        "method": method.name,
        "settings": method.settings,
        "id": target.example.id,
        "figures": dataclasses.asdict(figures),
    }
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(tree), encoding="utf-8")

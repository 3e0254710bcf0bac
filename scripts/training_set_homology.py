"""Homology between the families of a training set: components, and a split that no homologue crosses."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence

TRAIN, VAL, KEPT_OUT, SHALLOW = "train", "val", "kept-out", "shallow"


def components(ids: Sequence[str], pairs: Iterable[tuple[str, str]]) -> dict[str, int]:
    """Number the connected components of the graph whose edges are `pairs`; from 0, in the order of `ids`.

    Both ends of every pair must be among `ids` (KeyError otherwise).
    """
    root = {name: name for name in ids}

    def find(name: str) -> str:
        while root[name] != name:
            root[name] = root[root[name]]  # halves the path, so that long chains of homologues stay cheap
            name = root[name]
        return name

    for one, other in pairs:
        root[find(one)] = find(other)
    numbers: dict[str, int] = {}
    return {name: numbers.setdefault(find(name), len(numbers)) for name in ids}


def split_by_component(
    component_of: dict[str, int], kept_out: Collection[str], *, val_fraction: float, seed: int
) -> dict[str, str]:
    """Assign each family `train`, `val` or `kept-out`: whole components, the same whatever else is in the set.

    A component with a family of `kept_out` is kept out. Of the others, the hash of the seed and of a component's
    first id (in the order of the alphabet) decides, so about `val_fraction` of the components are `val`.
    """
    members: dict[int, list[str]] = {}
    for name, number in component_of.items():
        members.setdefault(number, []).append(name)
    split = {}
    for names in members.values():
        if any(name in kept_out for name in names):
            decided = KEPT_OUT
        else:
            decided = VAL if _fraction(f"{seed} {min(names)}") < val_fraction else TRAIN
        split |= dict.fromkeys(names, decided)
    return split


def _fraction(text: str) -> float:
    """A number in [0, 1) that depends on `text` alone."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64

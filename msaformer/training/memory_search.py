"""What would fit: the longest protein at a number of sequences, the most sequences at a length, and other ways out.

Peaks grow with N and with L, so that the largest that fits is found between one that does and one that does not; as a
peak is near to a power of either, a few plans are enough.

Dimension key: N sequences, L residues.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final, NamedTuple

from msaformer.sizes import show_size
from msaformer.training.memory_plan import MemoryPlan, Setting, frugal_plan

MOST: Final = 2**17
"""No search goes beyond; the longest protein known (titin) has some 35,000 residues."""
_STEPS: Final = {"depth": 4, "length": 8}
"""Sizes are searched in steps of so many, or of 1 % where that is more."""
_MOST_RANKS: Final = 64


def largest_length(setting: Setting) -> int:
    """Most residues that fit with the sequences of `setting` and the most frugal policy; 0 if none do."""
    return _largest("length", setting)


def largest_depth(setting: Setting) -> int:
    """Most sequences that fit with the residues of `setting` and the most frugal policy; 0 if none do."""
    return _largest("depth", setting)


def explain_misfit(plan: MemoryPlan) -> str:
    """One sentence: what a run that does not fit needs, what there is, and what would fit."""
    setting = plan.setting
    depth, length = largest_depth(setting), largest_length(setting)
    training = setting.training is not None
    keys = ("data.crop_length", "data.max_depth") if training else ("length", "--max-depth")
    ways = [f"{keys[0]} {length}" if training else f"L {length}"] if length else []
    ways += [f"{keys[1]} {depth}"] if depth else []
    axial = _axial_that_fits(setting)
    if axial:
        ways.append(f"{'parallel.axial' if training else '--axial'} {axial}, with as many ranks")
    instead = ", or ".join(ways) if ways else "neither a smaller size nor more ranks"
    if plan.features > setting.usable_bytes and setting.device_type == "cpu":
        instead += f"; of it, {show_size(plan.features)} to make co-evolution, --no-coevolution does without"
    return (
        f"N={setting.depth}, L={setting.length} needs {show_size(plan.peak)} a rank, with all that saves memory, of "
        f"{show_size(setting.memory_bytes)}; what fits: {instead}"
    )


def _axial_that_fits(setting: Setting) -> int:
    """The fewest ranks a sample with which it fits, by doubling; 0 if none up to 64 do."""
    axial = 2 * setting.axial
    while axial <= _MOST_RANKS:
        if frugal_plan(replace(setting, axial=axial, ranks=max(axial, setting.ranks))).fits:
            return axial
        axial *= 2
    return 0


def _largest(axis: str, setting: Setting) -> int:
    """Largest size along `axis` that fits, less than a step or 1 % below the largest there is."""
    multiple = math.lcm(_STEPS[axis], setting.axial)
    limit = setting.usable_bytes

    def point(size: int) -> _Point:
        changed = replace(setting, depth=size) if axis == "depth" else replace(setting, length=size)
        return _Point(size, frugal_plan(changed).peak)

    points = [point(multiple), point(max(2 * multiple, getattr(setting, axis) // multiple * multiple))]
    while True:
        low = max((p for p in points if p.peak <= limit), default=_Point(0, 0))
        high = min((p for p in points if p.peak > limit), default=_Point(MOST + multiple, 0))
        room = high.size - low.size
        if room <= max(multiple, low.size // 100) or low.size >= MOST:
            return low.size
        size = _where_met(sorted(points), limit, power=2 if axis == "length" else 1)
        size = max(low.size + multiple, min(size // multiple * multiple, high.size - multiple))
        points.append(point(size))


class _Point(NamedTuple):
    size: int
    peak: int


def _where_met(points: list[_Point], limit: int, *, power: int) -> int:
    """The size at which peak = a + b · size**power meets the limit, by the two points nearest to it."""
    above = next((k for k, p in enumerate(points) if p.peak > limit), len(points) - 1)
    one, other = points[max(0, above - 1)], points[max(1, above)]
    slope = max(1, other.peak - one.peak) / (other.size**power - one.size**power)
    reached = other.size**power + (limit - other.peak) / slope
    return int(min(max(reached, 0.0) ** (1 / power), 16 * other.size))

"""The course of a training run: its losses, or the precision on whole proteins that it was validated on."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final, Literal, get_args

import numpy as np
from matplotlib.axes import Axes

from msaformer.errors import LogError
from msaformer.report.colours import FALSE_COLOUR, HELIX_COLOUR, STRAND_COLOUR, TRUE_COLOUR
from msaformer.report.plots.axes import new_axes
from msaformer.report.training_log import Record, read_training_log, series

SMOOTHING: Final = 10  # records of the training loss that are averaged; single crops differ much
Quantity = Literal["loss", "precision"]
_CUTS: Final = (
    ("long_p_at_l", "P@L", TRUE_COLOUR, "o"),
    ("long_p_at_l2", "P@L/2", STRAND_COLOUR, "s"),
    ("long_p_at_l5", "P@L/5", HELIX_COLOUR, "^"),
)


def plot_training(
    log: str | Path | Iterable[Record],
    *,
    show: Quantity = "loss",
    smoothing: int = SMOOTHING,
    ax: Axes | None = None,
) -> Axes:
    """Draw `show` against the step, from the path of a `log.jsonl` or from its records.

    "loss": the contact loss of training, pale as it is and strong averaged over `smoothing` records, and that of
    validation. "precision": long-range P@L, P@L/2 and P@L/5 of validation. The log of a run that is still going on
    may be given. Raises LogError when the log cannot be read or holds nothing of it.
    """
    if show not in get_args(Quantity):
        raise LogError(f"show={show!r}: choose one of {', '.join(map(repr, get_args(Quantity)))}")
    records = read_training_log(log) if isinstance(log, str | Path) else list(log)
    ax = new_axes(ax, 5.0, 3.4)
    drawn = _draw_loss(ax, records, smoothing) if show == "loss" else _draw_precision(ax, records)
    if not drawn:
        what = "a contact_loss" if show == "loss" else "a validation (training.validate_every)"
        raise LogError(f"{log if isinstance(log, str | Path) else 'the log'}: no record holds {what}")
    ax.set(xlabel="step", xlim=(0, None))
    ax.margins(x=0.02)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False)
    return ax


def _draw_loss(ax: Axes, records: list[Record], smoothing: int) -> int:
    steps, values = series(records, "train", "contact_loss")
    if steps:
        ax.plot(steps, values, color=TRUE_COLOUR, alpha=0.25, lw=0.8, label="_each")
        places, smooth = running_mean(steps, values, smoothing)
        ax.plot(places, smooth, color=TRUE_COLOUR, lw=1.6, label="training")
    at, validation = series(records, "validation", "contact_loss")
    if at:
        ax.plot(at, validation, "o-", color=FALSE_COLOUR, ms=4, lw=1.4, label="validation")
    ax.set(ylabel="contact loss (nats)", ylim=(0, None))
    return len(steps) + len(at)


def _draw_precision(ax: Axes, records: list[Record]) -> int:
    count = 0
    for name, label, colour, marker in _CUTS:
        at, values = series(records, "validation", name)
        if at:
            ax.plot(at, values, f"{marker}-", color=colour, ms=4, lw=1.4, label=label)
        count += len(at)
    ax.set(ylabel="long-range precision", ylim=(0, 1))
    return count


def running_mean(steps: list[int], values: list[float], width: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean of each value and the `width` - 1 before it, `width` being at most a quarter of all."""
    width = max(min(width, len(values) // 4), 1)
    smooth = np.convolve(np.array(values, dtype=np.float64), np.ones(width) / width, mode="valid")
    return np.array(steps)[width - 1 :], smooth

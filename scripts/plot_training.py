#!/usr/bin/env python
"""Draw the log of a training run, losses and precision side by side, or of runs that went on from each other:

scripts/plot_training.py runs/tiny/log.jsonl msaformer/pretrained/tiny-curve.png
scripts/plot_training.py runs/small/first/log.jsonl runs/small/train/log.jsonl msaformer/pretrained/small-curve.png
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt

from msaformer.errors import MSAFormerError
from msaformer.report import plot_training, save_figure
from msaformer.report.training_log import Record, read_training_log

DPI = 120


def main(words: Sequence[str] | None = None) -> int:
    """Do what `words` say, those of the command line if None; return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("logs", type=Path, nargs="+", metavar="LOG", help="the first run's first")
    parser.add_argument("picture", type=Path)
    arguments = parser.parse_args(words)
    figure, axes = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
    try:
        records, starts = joined(arguments.logs)
        plot_training(records, ax=axes[0])
        plot_training(records, show="precision", ax=axes[1])
        for start in starts[1:]:
            for ax in axes:
                ax.axvline(start, color="0.6", lw=0.8, ls=":")
        save_figure(figure, arguments.picture, dpi=DPI)
    except (MSAFormerError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    finally:
        plt.close(figure)
    return 0


def joined(logs: Sequence[Path]) -> tuple[list[Record], list[int]]:
    """All records, each run's steps counted on from the end of the one before, and the steps at which runs begin."""
    records: list[Record] = []
    starts = []
    for log in logs:
        start = max((int(record["step"]) for record in records), default=0)
        records += [{**record, "step": record["step"] + start} for record in read_training_log(log)]
        starts.append(start)
    return records, starts


if __name__ == "__main__":
    raise SystemExit(main())

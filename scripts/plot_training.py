#!/usr/bin/env python
"""Draw the log of a training run, losses and precision side by side: the curve in the model card is made with

scripts/plot_training.py runs/tiny/log.jsonl msaformer/pretrained/tiny-curve.png
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import matplotlib.pyplot as plt

from msaformer.errors import MSAFormerError
from msaformer.report import plot_training, save_figure

DPI = 120


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("log", type=Path)
    parser.add_argument("picture", type=Path)
    arguments = parser.parse_args()
    figure, (loss, precision) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
    try:
        plot_training(arguments.log, ax=loss)
        plot_training(arguments.log, show="precision", ax=precision)
        save_figure(figure, arguments.picture, dpi=DPI)
    except (MSAFormerError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

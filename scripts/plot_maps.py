#!/usr/bin/env python
"""Draw the contact maps of several proteins side by side, predicted above the diagonal and true below:

    scripts/plot_maps.py PREDICTIONS STRUCTURES NAME... -o maps.png

from PREDICTIONS/NAME.npz, as `msaformer predict` writes it, and STRUCTURES/NAME.pdb.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import matplotlib.pyplot as plt

from data_tools.errors import DataToolsError
from msaformer.errors import MSAFormerError
from msaformer.prediction import load_prediction
from msaformer.report import plot_contact_map, read_truth, save_figure

DPI: Final = 90
COLUMNS: Final = 3
WIDTH, HEIGHT = 4.0, 2.8  # inches a map


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("predictions", type=Path)
    parser.add_argument("structures", type=Path)
    parser.add_argument("names", nargs="+", metavar="NAME")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="PNG")
    arguments = parser.parse_args(words)
    rows = -(-len(arguments.names) // COLUMNS)
    columns = min(COLUMNS, len(arguments.names))
    size = (WIDTH * columns, HEIGHT * rows)
    figure, grid = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False)
    for ax in grid.flat[len(arguments.names) :]:
        ax.set_axis_off()
    try:
        for name, ax in zip(arguments.names, grid.flat, strict=False):
            prediction = load_prediction(arguments.predictions / f"{name}.npz")
            truth = read_truth(prediction, arguments.structures / f"{name}.pdb")
            plot_contact_map(prediction, truth, ax=ax)
        save_figure(figure, arguments.output, dpi=DPI)
    except (DataToolsError, MSAFormerError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    finally:
        plt.close(figure)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

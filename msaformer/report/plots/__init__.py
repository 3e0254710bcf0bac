"""Figures for papers and notebooks: each function draws on the Axes it is given, or on new ones, and returns them.

What is drawn is a record (`Prediction`, `PairScores`; `Truth`) or its bare array (scores `[L, L]`; distances `[L, L]`
in Å, NaN = unknown): a record brings its name, numbering, chains and secondary structure into the figure, an array is
counted from 1. No function shows a window or chooses a backend; settings are changed in a context only.

    from msaformer.report import plot_contact_map, save_figure
    axes = plot_contact_map(prediction, read_truth(prediction, "my.pdb"))
    save_figure(axes, "map.pdf")
"""

from msaformer.report.plots.attention import plot_attention
from msaformer.report.plots.calibration import plot_calibration
from msaformer.report.plots.contact_map import plot_contact_map
from msaformer.report.plots.coverage import plot_coverage
from msaformer.report.plots.distance_map import plot_distance_map
from msaformer.report.plots.save import save_figure
from msaformer.report.plots.training import plot_training

__all__ = [
    "plot_attention",
    "plot_calibration",
    "plot_contact_map",
    "plot_coverage",
    "plot_distance_map",
    "plot_training",
    "save_figure",
]

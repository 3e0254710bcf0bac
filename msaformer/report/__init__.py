"""Predictions to look at and to hand on: the HTML page, tables, contact files, figures and notebooks (no torch).

Figures (`plot_…`, `save_figure`) need matplotlib, the structure in a notebook (`view_structure`, `init_notebook`)
py3Dmol; each is imported when it is first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from msaformer.report.exports import write_casp_rr, write_csv
from msaformer.report.page import write_report
from msaformer.report.score_files import read_pair_scores
from msaformer.report.truth import Truth, read_truth

if TYPE_CHECKING:
    from msaformer.report.plots import (
        plot_attention,
        plot_calibration,
        plot_contact_map,
        plot_coverage,
        plot_distance_map,
        plot_training,
        save_figure,
    )
    from msaformer.report.viewer import init_notebook, view_structure

_FIGURES: Final = (
    *("plot_attention", "plot_calibration", "plot_contact_map", "plot_coverage", "plot_distance_map"),
    *("plot_training", "save_figure"),
)
_VIEWS: Final = ("init_notebook", "view_structure")
_LATER: Final = dict.fromkeys(_FIGURES, "msaformer.report.plots") | dict.fromkeys(
    _VIEWS, "msaformer.report.viewer"
)
"""Name → the module that has it and is heavy to import."""

__all__ = [
    "Truth",
    "init_notebook",
    "plot_attention",
    "plot_calibration",
    "plot_contact_map",
    "plot_coverage",
    "plot_distance_map",
    "plot_training",
    "read_pair_scores",
    "read_truth",
    "save_figure",
    "view_structure",
    "write_casp_rr",
    "write_csv",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_LATER[name]), name)

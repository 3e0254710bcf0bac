"""Figures as files fit for a paper: text stays text, maps are pictures of bounded size, equal figures equal bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from data_tools.atomic import atomic_path
from msaformer.errors import PredictionError

DPI: Final = 300  # of pictures, and of the maps within vector figures; what journals ask for
_RC: Final[dict[Any, Any]] = {
    "pdf.fonttype": 42,  # TrueType, which editors keep as text; the default 3 becomes outlines
    "svg.fonttype": "none",
    "svg.hashsalt": "msaformer",  # ids are random otherwise
}
_NO_DATE: Final[dict[str, dict[str, Any]]] = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}


def save_figure(ax: Axes | Figure, path: str | Path, *, dpi: int = DPI) -> None:
    """Write the figure of `ax` to `path`, whole or not at all, in the format of its suffix (.pdf, .svg, .png, …).

    The figure is cut to what is drawn. Raises PredictionError for a suffix that matplotlib does not write, OSError
    when the folder is missing or not writable.
    """
    figure = ax if isinstance(ax, Figure) else ax.figure.figure  # of a SubFigure the whole
    path = Path(path)
    kind = path.suffix.lower().removeprefix(".")
    known = figure.canvas.get_supported_filetypes()
    if kind not in known:
        raise PredictionError(f"{path}: a figure is written as one of .{', .'.join(sorted(known))}")
    with mpl.rc_context(_RC), atomic_path(path) as temporary:
        figure.savefig(temporary, format=kind, dpi=dpi, bbox_inches="tight", metadata=_NO_DATE.get(kind))

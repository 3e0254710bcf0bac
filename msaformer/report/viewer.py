"""The structure with its predicted contacts in a notebook, as a py3Dmol view that needs no network.

py3Dmol by itself loads 3Dmol.js from a server, and stays blank and silent where it cannot. Here `init_notebook` puts
the vendored library into the notebook once, and a view waits for it, saying so. What a structure file holds is
escaped: in a script element `json.dumps` alone lets `</script>` through.

    init_notebook()
    view_structure(prediction, "my.pdb")
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import py3Dmol

from msaformer.errors import PredictionError
from msaformer.metrics import CONTACT_ANGSTROM, top_pairs
from msaformer.prediction import Prediction
from msaformer.report.colours import FALSE_COLOUR, TRUE_COLOUR
from msaformer.report.packing import to_json
from msaformer.report.programs import VIEWER, asset
from msaformer.report.structure_text import structure_text
from msaformer.report.top import number_of_pairs
from msaformer.report.truth import Truth, read_truth

RADIUS_ANGSTROM: Final = 0.15  # of a contact, thin enough for a few hundred
CARTOON_COLOUR: Final = "#c8ccd4"

# py3Dmol writes a number for UNIQUEID. Its views wait for window.$3Dmolpromise, and load from a server without one.
_WAIT: Final = """<p id="msaformer_note_UNIQUEID" style="color: #a33">3Dmol.js is not in this notebook yet: run
msaformer.report.init_notebook() in a cell. Nothing is loaded from a network.</p>
<script>
if (typeof window.$3Dmolpromise === "undefined") {
  window.$3Dmolpromise = new Promise(function (done) { window.msaformer3DmolLoaded = done; });
}
window.$3Dmolpromise.then(function () {
  document.getElementById("msaformer_note_UNIQUEID").remove();
});
</script>
"""

# Loaders of modules that a notebook's page may hold (require.js) would swallow the library, so they are hidden.
_LIBRARY: Final = """<script>
(function (define, exports, module) {
%s
}).call(window);
if (window.msaformer3DmolLoaded) {
  window.msaformer3DmolLoaded();
} else {
  window.$3Dmolpromise = Promise.resolve();
}
</script>
"""

_MODEL: Final = 'viewer_UNIQUEID.addModel(%s.pdb, "pdb");\n'

_CYLINDERS: Final = """(function (viewer) {
  const shape = viewer.addShape({color: %s});
  const point = (p) => ({x: p[0], y: p[1], z: p[2]});
  for (const [start, end] of %s) {
    shape.addCylinder({start: point(start), end: point(end), radius: %s, fromCap: 2, toCap: 2});
  }
})(viewer_UNIQUEID);
"""


def init_notebook() -> None:
    """Put 3Dmol.js (0.5 MB) into the output of this cell; once a notebook, in any cell.

    Raises PredictionError outside IPython.
    """
    try:
        from IPython.display import display_html
    except ImportError as error:
        raise PredictionError("init_notebook needs IPython: call it in a notebook") from error
    display_html(library_html(), raw=True)  # type: ignore[no-untyped-call]


def library_html() -> str:
    """The vendored 3Dmol.js as a script element, for a page that holds views."""
    return _LIBRARY % asset(VIEWER)


def view_structure(
    prediction: Prediction,
    structure: str | Path,
    *,
    chain: str | None = None,
    top: str | int = "L",
    min_separation: int = 6,
    width: int = 640,
    height: int = 480,
) -> Any:
    """Show the structure file `structure` with the `top` best pairs of known distance as cylinders.

    Blue where true (Cβ–Cβ closer than 8 Å), vermilion where false, between contact atoms. `chain` is the author's id,
    for a complex one each with commas ("A,B"), the best match if None; `top` a number, "L", "L/2" or "1.5L". Returns
    the `py3Dmol.view`, which can be styled further; it draws where `init_notebook` was called. Raises StructureError,
    ChainNotFoundError, ChainMismatchError or PredictionError when they do not fit.
    """
    count = number_of_pairs(top, prediction.length)
    truth = read_truth(prediction, structure, chain)
    view = py3Dmol.view(width=width, height=height)
    view.startjs = _WAIT + view.startjs
    _run(view, _MODEL % to_json({"pdb": structure_text(structure, truth).text}))
    view.setStyle({"cartoon": {"color": CARTOON_COLOUR}})
    for colour, ends in contact_ends(prediction, truth, count, min_separation).items():
        _run(view, _CYLINDERS % (json.dumps(colour), json.dumps(ends), RADIUS_ANGSTROM))
    view.zoomTo()
    return view


def contact_ends(
    prediction: Prediction, truth: Truth, count: int, min_separation: int
) -> dict[str, list[list[list[float]]]]:
    """Colour → the two ends (Å) of each of the `count` best pairs of known distance that have it."""
    first, second = top_pairs(
        prediction.contact_probs,
        min_separation=min_separation,
        known=~np.isnan(truth.distances),
        chain_lengths=prediction.chain_lengths,
    )
    first, second = first[:count], second[:count]
    is_contact = truth.distances[first, second] < CONTACT_ANGSTROM
    ends = np.stack([truth.contact_atoms[first], truth.contact_atoms[second]], axis=1).astype(np.float64)
    parts = {TRUE_COLOUR: ends[is_contact], FALSE_COLOUR: ends[~is_contact]}
    return {colour: part.round(3).tolist() for colour, part in parts.items() if len(part)}


def _run(view: Any, program: str) -> None:
    """Add a program to what the view does when it is drawn, as py3Dmol adds a call of its methods.

    Its methods give one shape to each cylinder and write texts unescaped.
    """
    view.startjs += program
    view.updatejs += program

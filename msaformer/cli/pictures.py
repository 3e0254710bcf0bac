"""What `predict`, `evaluate` and `inspect` draw on a terminal: where none is to be drawn, nothing is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msaformer.cli.messages import print_picture
from msaformer.cli.terminal import Terminal, picture_terminal

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from data_tools.alignment import Alignment
    from msaformer.pair_scores import PairScores
    from msaformer.prediction import Prediction


def draw_prediction(prediction: Prediction, draw: bool | None) -> None:
    """The map of a prediction."""
    terminal = picture_terminal(draw)
    if terminal is not None:
        _print_map(prediction, None, terminal)


def draw_evaluation(
    predicted: Prediction | PairScores, distances: npt.NDArray[np.floating[Any]], draw: bool | None
) -> None:
    """The map with what the structure says of it, `distances` `[L, L]` Å, below the diagonal."""
    terminal = picture_terminal(draw)
    if terminal is not None:
        print_picture("")
        _print_map(predicted, distances, terminal)


def draw_alignment(alignment: Alignment, weights: npt.NDArray[np.floating[Any]], draw: bool | None) -> None:
    """The share of sequences with a residue, and Neff, along the columns; `weights` `[N]`."""
    terminal = picture_terminal(draw)
    if terminal is None:
        return
    from data_tools.alphabet import GAP
    from data_tools.neff import column_neff
    from msaformer.cli.strip import Track, draw_strips

    of_columns = column_neff(alignment.tokens, weights)
    highest = float(of_columns.max())
    tracks = [
        Track("occupancy", "0 to 1", (alignment.tokens != GAP).mean(axis=0)),
        Track("Neff", f"0 to {highest:,.0f}", of_columns / highest),
    ]
    print_picture("\n" + draw_strips(tracks, terminal))


def _print_map(
    predicted: Prediction | PairScores, distances: npt.NDArray[np.floating[Any]] | None, terminal: Terminal
) -> None:
    import numpy as np

    from msaformer.cli.map_cells import map_data
    from msaformer.cli.terminal_map import draw_map
    from msaformer.pair_scores import PairScores

    if isinstance(predicted, PairScores):
        data = map_data(
            predicted.scores,
            np.arange(1, predicted.length + 1),
            distances,
            are_probabilities=predicted.are_probabilities,
            is_listed=predicted.is_listed,
            chain_lengths=predicted.chain_lengths,
        )
    else:
        data = map_data(
            predicted.contact_probs,
            predicted.residue_numbers,
            distances,
            chain_lengths=predicted.chain_lengths,
        )
    print_picture(draw_map(data, terminal))

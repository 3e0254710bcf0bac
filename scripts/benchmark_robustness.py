#!/usr/bin/env python
"""Measure what is lost when an alignment is shallower or worse than it could be.

    benchmark_robustness.py STORE|DATA_DIR [--weights NAME|FILE] [--min-depth 1000] [-o robustness.csv]

Takes the proteins of an example store, or of a folder that scripts/build_store.py reads, with enough sequences, and
predicts each from all of them and from alignments made out of them, featurized anew:

    N sequences      the query and others drawn at random
    M samples        of the sequences drawn, as `msaformer predict --ensembles M` averages them
    no co-evolution  as `msaformer predict --no-coevolution`
    gaps             three in ten cells, at random, of all sequences but the query
    fragments        each sequence but the query cut down to half of the columns, side by side, at random
    two chains       beside the next protein of the set and its sequences, unpaired; precision within the first
                     chain alone

Prints means over proteins as Markdown, with the difference from as many whole sequences and its 95 % interval
(proteins drawn with replacement); -o writes every protein as CSV.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from time import process_time
from typing import Any, Final

import numpy as np
import pandas as pd
from benchmark_accuracy_summary import Bootstrap
from benchmark_accuracy_targets import Target, TargetSet, read_targets
from tqdm import tqdm

from data_tools.alignment import Alignment
from data_tools.alphabet import GAP
from data_tools.annotations import Annotations, ChainSegment
from data_tools.atomic import atomic_path
from data_tools.errors import DataToolsError
from data_tools.features import featurize
from msaformer.errors import MSAFormerError
from msaformer.given import Given
from msaformer.metrics import precision_table
from msaformer.predict import predict_features
from msaformer.pretrained import LoadedModel, load_model

INTERRUPTED: Final = 130
SIZES: Final = (1, 10, 100, 1000, 10_000)
WHOLE: Final = 1000  # sequences that are damaged
SAMPLES: Final = 4
GAP_SHARE: Final = 0.3
ALL: Final = "all sequences"
CONFIDENT: Final = 0.5  # probability from which a contact is counted between chains


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One alignment of a protein, and how it is predicted."""

    name: str
    beside: str
    """The case that it is compared with; empty for none."""
    alignment: Alignment
    given: Given = field(default_factory=Given)


def main(words: Sequence[str] | None = None) -> int:
    """Do what `words` say, those of the command line if None; return the exit code."""
    arguments = parse_arguments(words)
    try:
        model = load_model(arguments.weights)
        frame = measure(arguments, model)
        if arguments.output is not None:
            with atomic_path(arguments.output) as temporary:
                frame.to_csv(temporary, index=False, float_format="%.6g")
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except (DataToolsError, MSAFormerError, OSError, ValueError, KeyError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(markdown(frame))
    return 0


def parse_arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("data", type=Path, metavar="STORE|DATA_DIR")
    parser.add_argument("--alignments", type=Path, metavar="DIR", help="of a DATA_DIR, unpacked")
    parser.add_argument("--weights", type=Path, metavar="NAME|FILE", help="default: the released weights")
    parser.add_argument(
        "--min-depth",
        type=int,
        default=WHOLE,
        metavar="N",
        help=f"proteins of more sequences than so many  [default: {WHOLE}]",
    )
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N proteins of the set")
    parser.add_argument("-o", "--output", type=Path, metavar="CSV")
    arguments = parser.parse_args(words)
    if arguments.min_depth < WHOLE:
        parser.error(
            f"--min-depth must be at least {WHOLE}, the sequences that are damaged, not {arguments.min_depth}"
        )
    if arguments.limit is not None and arguments.limit < 1:
        parser.error(f"--limit must be at least 1, not {arguments.limit}")
    return arguments


def measure(arguments: argparse.Namespace, model: LoadedModel) -> pd.DataFrame:
    """One row a protein and case. Raises ValueError when no protein has enough sequences."""
    rows = []
    with ExitStack() as stack:
        chosen = TargetSet("set", arguments.data, arguments.alignments, "all", arguments.limit)
        count, targets = read_targets(chosen, stack)
        deep = [target for target in targets if target.example.features.depth > arguments.min_depth]
        if not deep:
            raise ValueError(
                f"{arguments.data}: none of {count} proteins has more than {arguments.min_depth} sequences"
            )
        for place, target in enumerate(tqdm(deep, unit="protein", disable=not sys.stderr.isatty())):
            partner = deep[(place + 1) % len(deep)]
            rows += [score(case, target, model) for case in cases(target, partner)]
    return pd.DataFrame(rows)


def cases(target: Target, partner: Target) -> Iterator[Case]:
    """All alignments that are made of one; drawn alike in every run.

    `partner` is the second chain; the protein itself makes a homodimer, if it is alone.
    """
    features = target.example.features
    every = alignment_of(features.tokens, features.deletion_matrix)
    order = drawn_rows(every.depth)
    for size in SIZES:
        if size < every.depth:
            yield Case(sequences(size), sequences(WHOLE), every.take_rows(order[:size]))
    yield Case(ALL, sequences(WHOLE), every)
    yield Case(f"{ALL}, {SAMPLES} samples", ALL, every, Given(ensembles=SAMPLES))
    whole = every.take_rows(order[:WHOLE])
    title = sequences(WHOLE)
    yield Case(f"{title}, {SAMPLES} samples", title, whole, Given(ensembles=SAMPLES))
    yield Case(f"{title}, no co-evolution", title, whole, Given(coevolution=False))
    yield Case(f"{title}, {GAP_SHARE:.0%} gaps", title, with_gaps(whole))
    yield Case(f"{title}, fragments of half the length", title, fragments(whole))
    other = partner.example.features
    second = alignment_of(other.tokens, other.deletion_matrix)
    second = second.take_rows(drawn_rows(second.depth)[:WHOLE])
    yield Case(f"{title}, two chains", title, two_chains(whole, second))


def sequences(number: int) -> str:
    """The name of the case of so many."""
    return f"{number:,} sequence{'s' * (number > 1)}"


def drawn_rows(depth: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The query, and the others in an order drawn at random: the first n are n sequences."""
    return np.concatenate([[0], 1 + np.random.default_rng(0).permutation(depth - 1)])


def alignment_of(tokens: np.ndarray[Any, Any], deletions: np.ndarray[Any, Any]) -> Alignment:
    return Alignment(tuple(f"s{row}" for row in range(len(tokens))), tokens, deletions)


def with_gaps(alignment: Alignment) -> Alignment:
    """`GAP_SHARE` of the cells below the query become gaps."""
    hidden = np.random.default_rng(0).random(alignment.tokens.shape) < GAP_SHARE
    return hide(alignment, hidden)


def fragments(alignment: Alignment) -> Alignment:
    """Each sequence below the query keeps half of the columns, side by side, from a place drawn at random."""
    length = alignment.length
    kept = -(-length // 2)
    start = np.random.default_rng(0).integers(0, length - kept, alignment.depth, endpoint=True)
    distance = np.arange(length) - start[:, None]
    hidden = (distance < 0) | (distance >= kept)
    return hide(alignment, hidden)


def hide(alignment: Alignment, hidden: np.ndarray[Any, np.dtype[np.bool_]]) -> Alignment:
    """Gaps instead of the cells that are True in `hidden` `[N, L]`, except in the query."""
    hidden[0] = False
    tokens = np.where(hidden, np.uint8(GAP), alignment.tokens)
    return alignment_of(tokens, np.where(hidden, np.uint16(0), alignment.deletion_matrix))


def two_chains(first: Alignment, second: Alignment) -> Alignment:
    """Both side by side, the queries joined and no other sequence paired, with the break said."""
    depth, length = first.depth + second.depth - 1, first.length + second.length
    tokens = np.full((depth, length), GAP, np.uint8)
    deletions = np.zeros((depth, length), np.uint16)
    tokens[: first.depth, : first.length] = first.tokens
    deletions[: first.depth, : first.length] = first.deletion_matrix
    rows = np.concatenate([[0], np.arange(first.depth, depth)])
    tokens[rows, first.length :] = second.tokens
    deletions[rows, first.length :] = second.deletion_matrix
    chains = (ChainSegment(first.length, 1), ChainSegment(second.length, 1))
    names = tuple(f"s{row}" for row in range(depth))
    return Alignment(names, tokens, deletions, annotations=Annotations(chains=chains))


def score(case: Case, target: Target, model: LoadedModel) -> dict[str, Any]:
    """Precision of long range, and CPU time; of two chains, within the first."""
    start = process_time()
    features = featurize(case.alignment, with_coevolution=case.given.coevolution)
    featurized = process_time()
    lengths = tuple(chain.length for chain in case.alignment.annotations.chains)
    prediction = predict_features(
        features, case.alignment.query, model, name=target.example.id, given=case.given, chain_lengths=lengths
    )
    predicted = process_time()
    length = target.example.features.length
    probs = prediction.contact_probs
    (long_range,) = [
        row for row in precision_table(probs[:length, :length], target.distances) if row.range == "long"
    ]
    return {
        "id": target.example.id,
        "case": case.name,
        "beside": case.beside,
        "depth": case.alignment.depth,
        "neff": features.neff,
        "p_at_l": long_range.p_at_l if long_range.num_contacts else float("nan"),
        "p_at_l5": long_range.p_at_l5 if long_range.num_contacts else float("nan"),
        "contacts_between_chains": int((probs[:length, length:] >= CONFIDENT).sum()) if lengths else np.nan,
        "features_seconds": featurized - start,
        "network_seconds": predicted - featurized,
    }


def markdown(frame: pd.DataFrame) -> str:
    """Means over proteins, a row a case; sizes first."""
    scores = ("P@L", "P@L/5", "P@L from whole [95 %]")
    head = ("alignment", "proteins", "median Neff", *scores, "features, s", "network, s")
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    by_case = {str(name): rows.set_index("id") for name, rows in frame.groupby("case", sort=False)}
    bootstrap = Bootstrap()
    for name in dict.fromkeys([*map(sequences, SIZES), *by_case]):
        if name not in by_case:
            continue
        rows = by_case[name]
        others = by_case.get(rows["beside"].iloc[0])
        cells = [
            *(name, f"{len(rows)}", f"{rows['neff'].median():.0f}"),
            *(f"{rows['p_at_l'].mean():.2f}", f"{rows['p_at_l5'].mean():.2f}"),
            "" if others is None or others is rows else difference(rows, others, bootstrap),
            *(f"{rows['features_seconds'].mean():.1f}", f"{rows['network_seconds'].mean():.1f}"),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    found = frame["contacts_between_chains"].mean()
    last = f"Contacts of p >= {CONFIDENT} between two unrelated chains: {found:.1f} a pair of proteins."
    return "\n".join([*lines, "", last])


def difference(rows: pd.DataFrame, others: pd.DataFrame, bootstrap: Bootstrap) -> str:
    """In P@L, of the same proteins, with its interval; empty where none has a long-range contact."""
    values = (rows["p_at_l"] - others["p_at_l"]).dropna().to_numpy()
    if len(values) == 0:
        return ""
    low, high = bootstrap.interval(values)
    return f"{values.mean():+.2f} [{low:+.2f}, {high:+.2f}]"


if __name__ == "__main__":
    raise SystemExit(main())

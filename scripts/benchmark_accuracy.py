#!/usr/bin/env python
"""Score the network beside mean-field DCA and APC-corrected mutual information on the same proteins, in one run.

    benchmark_accuracy.py DATA_DIR [--alignments DIR] [--weights FILE] [--split all|val] [--csv FILE] [--json]

DATA_DIR has the layout of scripts/build_store.py. All three methods are given the same alignment; a range in which
a protein has no native contact does not count for that protein. Prints the mean precision of the top L, L/2 and L/5
pairs by range of separation, then the long-range one by Neff band; `--csv` writes every protein's figures.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pandas as pd
from build_store import Protein, alignments_folder, make_example, read_proteins, wanted_ids
from tqdm import tqdm

from data_tools.alphabet import decode
from data_tools.atomic import atomic_path
from data_tools.errors import DataToolsError
from data_tools.features import COEVOLUTION_MAPS
from data_tools.store import Example
from msaformer.errors import MSAFormerError
from msaformer.metrics import precision_table
from msaformer.predict import predict_features
from msaformer.pretrained import LoadedModel, load_model

NEFF_BANDS: Final = (0.0, 30.0, 100.0, 300.0, 1000.0, float("inf"))
MEASURES: Final = ["p_at_l", "p_at_l2", "p_at_l5"]


def main() -> int:
    arguments = parse_arguments()
    try:
        with ExitStack() as stack:
            folder = alignments_folder(arguments.data, arguments.alignments, stack)
            ids = wanted_ids(arguments.data / "index.csv", arguments.split, None)[: arguments.limit]
            proteins = list(read_proteins(arguments.data / "coords.npz", ids, folder))
            table = pd.DataFrame(score(proteins, load_model(arguments.weights)))
    except (DataToolsError, MSAFormerError, OSError, ValueError, KeyError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if arguments.csv is not None:
        with atomic_path(arguments.csv) as temporary:
            table.to_csv(temporary, index=False, float_format="%.4f")
    show(table, as_json=arguments.json)
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("data", type=Path, metavar="DATA_DIR")
    parser.add_argument("--alignments", type=Path, metavar="DIR", help="folder of ID.a3m, unpacked")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="default: the released weights")
    parser.add_argument("--split", choices=("train", "val", "all"), default="all")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N proteins")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="figures of every protein")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def score(proteins: list[Protein], model: LoadedModel) -> Iterator[dict[str, Any]]:
    """One row for each protein, method and range."""
    for protein in tqdm(proteins, unit="protein", file=sys.stderr, disable=not sys.stderr.isatty()):
        example = make_example(protein, None)
        features = example.features
        maps = score_maps(example, model)
        for method, scores in maps.items():
            for row in precision_table(scores, example.distances):
                yield {
                    "id": example.id,
                    "length": features.length,
                    "depth": features.depth,
                    "neff": features.neff,
                    "method": method,
                    "range": row.range,
                    "num_contacts": row.num_contacts,
                    **{measure: getattr(row, measure) for measure in MEASURES},
                }


def score_maps(example: Example, model: LoadedModel) -> dict[str, Any]:
    """Scores `[L, L]` by method."""
    features = example.features
    prediction = predict_features(features, decode(features.tokens[0]), model, name=example.id)
    maps: dict[str, Any] = {f"msaformer-{model.name}": prediction.contact_probs}
    return maps | {name: features.coevolution[:, :, k] for k, name in enumerate(COEVOLUTION_MAPS)}


def show(table: pd.DataFrame, *, as_json: bool) -> None:
    """Print the means: by range, then long range by Neff band."""
    counted = table[table["num_contacts"] > 0]
    by_range = counted.groupby(["range", "method"], sort=False)[MEASURES].mean()
    by_range["proteins"] = counted.groupby(["range", "method"], sort=False).size()
    long_range = counted[counted["range"] == "long"]
    bands = pd.cut(long_range["neff"], list(NEFF_BANDS), right=False).astype(str).rename("neff_band")
    by_neff = long_range.groupby([bands, "method"], sort=False)[MEASURES].mean()
    by_neff["proteins"] = long_range.groupby([bands, "method"], sort=False).size()
    by_neff = by_neff.sort_index(
        key=lambda level: level.map(_band_start) if level.name == "neff_band" else level
    )
    if as_json:
        records = {"by_range": by_range.reset_index(), "long_range_by_neff": by_neff.reset_index()}
        print(json.dumps({name: frame.to_dict("records") for name, frame in records.items()}, indent=1))
        return
    for title, frame in (("Mean precision by range", by_range), ("Long range by Neff", by_neff)):
        print(f"{title}\n{frame.round(3).to_string()}\n")


def _band_start(band: str) -> float:
    return float(band.lstrip("[").split(",")[0])


if __name__ == "__main__":
    raise SystemExit(main())

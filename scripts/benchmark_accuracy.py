#!/usr/bin/env python
"""Score our networks beside co-evolution statistics and published networks on the same proteins, in one run.

    benchmark_accuracy.py DATA_DIR [--alignments DIR] [--split all|val]
    benchmark_accuracy.py deep=STORE shallow=STORE val=STORE --plmdca --output tables/ --cache cache/

A data set is an example store (`data_tools.store`), which holds features and distances, or a folder that
scripts/build_store.py reads; NAME= names it. All methods are given the same alignment; a range in which a protein has
no native contact does not count for that protein.

Methods: networks of this package (--weights, repeatable), mean-field DCA, APC-MI; on request plmDCA (--plmdca),
trRosetta and DEEPCON with the weights that their packages on PyPI ship (--trrosetta, --deepcon; how to install them
stands in scripts/benchmark_accuracy_packages.py), and whatever else wrote score files (--scores). What took long is
kept in --cache, so that a run that was interrupted goes on.

Prints mean precision by range, then of long range by Neff band, then distances; --output writes all tables (CSV, and
Markdown for a model card) and figures: precision with 95 % intervals by Neff, length and secondary structure, paired
differences, calibration, and protein against protein.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pandas as pd
from benchmark_accuracy_methods import NETWORK, Method, coevolution_maps, our_model, plmdca, score_files
from benchmark_accuracy_results import Measured, measure_all, write_tables
from benchmark_accuracy_summary import ALL
from benchmark_accuracy_targets import TargetSet, parse_set
from benchmark_accuracy_text import Report, short_text

from data_tools.errors import DataToolsError
from msaformer.errors import MSAFormerError
from msaformer.given import Given
from msaformer.pretrained import load_model

INTERRUPTED: Final = 130
ALL_NETWORKS: Final = 5  # that trRosetta averages


def main() -> int:
    arguments = parse_arguments()
    try:
        report, measured = run(arguments)
    except KeyboardInterrupt:
        kept = f"; what was measured is in {arguments.cache}" if arguments.cache else ""
        print(f"interrupted{kept}", file=sys.stderr)
        return INTERRUPTED
    except (DataToolsError, MSAFormerError, OSError, ValueError, KeyError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(json.dumps(to_tree(report, measured), indent=1) if arguments.json else short_text(report))
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("data", nargs="+", metavar="[NAME=]STORE|DATA_DIR", help="data sets to score")
    folder = parser.add_argument_group("of a DATA_DIR")
    folder.add_argument("--alignments", type=Path, metavar="DIR", help="folder of ID.a3m, unpacked")
    folder.add_argument("--split", choices=("train", "val", "all"), default="all")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N proteins of each set")
    methods = parser.add_argument_group("methods")
    methods.add_argument(
        "--weights",
        type=Path,
        action="append",
        metavar="NAME|FILE",
        help="repeatable; default: the released weights",
    )
    methods.add_argument(
        "--max-depth", type=int, metavar="N", help="most sequences given to a network at once"
    )
    methods.add_argument(
        "--ensembles", type=int, default=1, metavar="K", help="samples of the sequences averaged"
    )
    methods.add_argument(
        "--no-coevolution", dest="coevolution", action="store_false", help="give the networks no co-evolution"
    )
    methods.add_argument("--plmdca", action="store_true", help="fit a Potts model to each alignment (slow)")
    methods.add_argument(
        "--plmdca-rows", type=int, default=5000, metavar="N", help="most sequences  [default: 5000]"
    )
    methods.add_argument("--plmdca-iterations", type=int, default=100, metavar="N", help="[default: 100]")
    methods.add_argument(
        "--trrosetta",
        nargs="?",
        type=int,
        const=ALL_NETWORKS,
        metavar="NETWORKS",
        help="1 to 5  [default: 5]",
    )
    methods.add_argument("--deepcon", action="store_true")
    methods.add_argument(
        "--scores",
        action="append",
        default=[],
        metavar="NAME=FOLDER",
        help="ID.rr, ID.npz, ...; of several sets in FOLDER/SET/",
    )
    methods.add_argument(
        "--published",
        action="append",
        default=[],
        metavar="SET=CSV",
        help="long-range P@L: id and one column a method",
    )
    parser.add_argument(
        "--cache", type=Path, metavar="DIR", help="keep what was measured, and go on from there"
    )
    parser.add_argument(
        "--cached-only",
        action="store_true",
        help="of plmDCA, trRosetta and DEEPCON, only what an earlier run has kept",
    )
    parser.add_argument("--output", type=Path, metavar="DIR", help="tables and figures")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="precision of every protein")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    check(parser, arguments)
    return arguments


def check(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """Refuse what cannot be meant, before anything is loaded."""
    for option in ("limit", "max_depth", "ensembles", "plmdca_rows", "plmdca_iterations"):
        value = getattr(arguments, option)
        if value is not None and value < 1:
            parser.error(f"--{option.replace('_', '-')} must be at least 1, not {value}")
    if arguments.trrosetta is not None and not 1 <= arguments.trrosetta <= ALL_NETWORKS:
        parser.error(f"--trrosetta takes 1 to {ALL_NETWORKS} networks, not {arguments.trrosetta}")
    if arguments.cached_only and arguments.cache is None:
        parser.error("--cached-only needs the --cache of the earlier run")
    names = [parse_set(text)[0] for text in arguments.data]
    if len(set(names)) < len(names):
        parser.error(f"two data sets are named {Counter(names).most_common(1)[0][0]!r}; give NAME=PATH")
    if arguments.alignments is not None and len(names) > 1:
        parser.error("--alignments belongs to one DATA_DIR; make stores of several (scripts/build_store.py)")
    for text in (*arguments.scores, *arguments.published):
        if "=" not in text:
            parser.error(f"{text!r} has no name: give NAME=PATH")
    for text in arguments.published:
        if text.partition("=")[0] not in names:
            parser.error(f"--published {text}: there is no data set {text.partition('=')[0]!r}")


def run(arguments: argparse.Namespace) -> tuple[Report, Measured]:
    """Measure everything, write what was asked for, and return what is printed."""
    sets = [
        TargetSet(name, path, arguments.alignments, arguments.split, arguments.limit)
        for name, path in map(parse_set, arguments.data)
    ]
    methods = wanted_methods(arguments, several_sets=len(sets) > 1)
    slow = {method.name for method in methods if method.name == "plmdca" or method.kind == NETWORK}
    cached_only = slow if arguments.cached_only else set()
    with ExitStack() as stack:
        measured = measure_all(sets, methods, arguments.cache, cached_only, stack)
    published = {}
    for text in arguments.published:
        name, _, path = text.partition("=")
        published[name] = pd.read_csv(path)
    report = measured.report(published)
    write_tables(report, measured, output=arguments.output, csv=arguments.csv)
    return report, measured


def wanted_methods(arguments: argparse.Namespace, *, several_sets: bool) -> list[Method]:
    """The methods of the command line, ours first; a package that is not installed is said and left out."""
    given = Given(arguments.max_depth, arguments.ensembles, arguments.coevolution)
    methods = our_models(arguments.weights or [None], given)
    methods += coevolution_maps()
    if arguments.plmdca:
        methods.append(plmdca(arguments.plmdca_rows, arguments.plmdca_iterations))
    if arguments.trrosetta or arguments.deepcon:
        import benchmark_accuracy_packages as packages

        makers = [lambda: packages.trrosetta(arguments.trrosetta)] if arguments.trrosetta else []
        makers += [packages.deepcon] if arguments.deepcon else []
        for make in makers:
            try:
                methods.append(make())
            except ModuleNotFoundError as error:
                print(f"left out: {error}", file=sys.stderr)
    for text in arguments.scores:
        name, _, folder = text.partition("=")
        methods.append(score_files(name, Path(folder), by_set=several_sets))
    names = Counter(method.name for method in methods)
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise ValueError(f"two methods are named {twice[0]!r}; give score files another name")
    return methods


def our_models(paths: list[Path | None], given: Given) -> list[Method]:
    """One method a file; equal names are told apart by the file's name."""
    models = [load_model(path) for path in paths]
    names = Counter(model.name for model in models)
    methods = []
    for path, model in zip(paths, models, strict=True):
        stem = "" if names[model.name] == 1 or path is None else f"-{path.stem}"
        methods.append(our_model(model, f"msaformer-{model.name}{stem}", given))
    return methods


def to_tree(report: Report, measured: Measured) -> dict[str, Any]:
    """What `--json` prints; what is not a number is null."""
    long_range = report.precision[report.precision["range"] == "long"]
    frames = {
        "by_range": report.precision[report.precision["grouping"] == ALL],
        "long_range_by_neff": long_range[long_range["grouping"] == "neff_band"],
        "distances": report.distances,
        "ahead": report.ahead,
        "seconds": measured.seconds(),
    }
    trees = {name: json.loads(frame.to_json(orient="records")) for name, frame in frames.items()}
    errors = [
        dict(zip(("method", "set", "range", "neff_band"), key, strict=True)) | {"error": found.expected_error}
        for key, found in report.calibration.items()
    ]
    return {"best": report.best, **trees, "calibration": errors, "notes": list(report.notes)}


if __name__ == "__main__":
    raise SystemExit(main())

#!/usr/bin/env python
"""Build a training set of protein families: alignments, structures, homology components, a split, and two stores.

    build_training_set -o DIR                                   everything from Debian's packages (hours to days)
    build_training_set -o DIR --limit-chains 40 --limit-sequences 50000       a slice, in minutes
    build_training_set -o DIR --structures MINE --sequences uniref.fasta      from other sources
    build_training_set -o DIR ... --keep-out held_out.fasta     nothing homologous to these sequences is used

On Debian 12: apt-get install mmseqs2 ncbi-blast+ promod3-data python3-promod3 metastudent-data

    DIR/chains.fasta            chains of --min-length to --max-length residues
    DIR/sequences.fasta         the sequences that are searched, each once
    DIR/families.fasta          representatives of the chains at --identity
    DIR/alignments/ID.a3m       3 rounds of mmseqs, filtered by coverage, at most --max-depth rows
    DIR/structures/             a structure a family
    DIR/homology.tsv            pairs of families whose profile and sequence match (E < 1e-3)
    DIR/index.csv               id, L, N, Neff80, component, split (train, val, kept-out, shallow)
    DIR/train.tsv, val.tsv      tables for `msaformer featurize`
    DIR/train, DIR/val          the stores

Each file appears whole or not at all, and what is there is not made again: run the same command to go on after an
interruption. Other parameters need another folder. Families whose component (connected by homology) holds anything of
--keep-out are used nowhere; the others go to `train` or `val` by whole components.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Final

from training_set_search import MMseqs
from training_set_stages import (
    make_chains,
    make_families,
    make_index,
    make_sequences,
    make_stores,
    make_tables,
    search,
)

from data_tools.atomic import atomic_path
from data_tools.errors import DataToolsError, PipelineError

STEP_TIMEOUT_S: Final = 24 * 3600.0  # of one run of mmseqs
CHANGE_NO_RESULT: Final = ("output", "threads", "workers", "chunk", "stop_after")
STAGES: Final = {
    "chains": make_chains,
    "sequences": make_sequences,
    "families": make_families,
    "search": search,
    "index": make_index,
    "tables": make_tables,
    "stores": make_stores,
}


def main() -> int:
    arguments = parse_arguments()
    try:
        build(arguments)
    except DataToolsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("error: interrupted; run the same command to go on", file=sys.stderr)
        return 130
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add = parser.add_argument
    add("-o", "--output", type=Path, required=True, metavar="DIR")
    add("--structures", type=Path, metavar="DIR", help="mmCIF and PDB files; default: promod3-data")
    add(
        "--sequences",
        type=Path,
        action="append",
        default=[],
        metavar="FASTA",
        help="default: metastudent-data",
    )
    add("--keep-out", type=Path, metavar="FILE", help="FASTA of sequences, or ids of families, one a line")
    add("--min-length", type=int, default=40, metavar="L")
    add("--max-length", type=int, default=400, metavar="L")
    add("--identity", type=float, default=0.4, metavar="F", help="between representatives (default: 0.4)")
    add("--min-depth", type=int, default=16, metavar="N", help="rows that a family needs (default: 16)")
    add("--max-depth", type=int, default=1024, metavar="N", help="rows that are kept (default: 1024)")
    add("--val-fraction", type=float, default=0.05, metavar="F", help="of the components (default: 0.05)")
    add("--seed", type=int, default=0, metavar="N", help="of the split")
    add("--limit-chains", type=int, metavar="N", help="only the first N chains")
    add("--limit-sequences", type=int, metavar="N", help="only the first N sequences")
    add("--threads", type=int, default=2, metavar="N", help="of mmseqs")
    add("--workers", type=int, default=2, metavar="N", help="processes that featurize")
    add(
        "--chunk", type=int, default=200, metavar="N", help="families a search; what an interruption can cost"
    )
    add("--stop-after", choices=tuple(STAGES), default="stores", metavar="STAGE", help=", ".join(STAGES))
    arguments = parser.parse_args()
    for name in ("min_length", "max_length", "min_depth", "max_depth", "threads", "workers", "chunk"):
        if getattr(arguments, name) < 1:
            parser.error(f"--{name.replace('_', '-')} must be at least 1, not {getattr(arguments, name)}")
    for name in ("identity", "val_fraction"):
        if not 0 < getattr(arguments, name) < 1:
            parser.error(
                f"--{name.replace('_', '-')} must lie between 0 and 1, not {getattr(arguments, name)}"
            )
    for path in [arguments.structures, arguments.keep_out, *arguments.sequences]:
        if path is not None and not path.exists():
            parser.error(f"{path}: there is no such file or folder")
    return arguments


def build(arguments: argparse.Namespace) -> None:
    """Do the stages that are not done, up to --stop-after."""
    output: Path = arguments.output
    output.mkdir(parents=True, exist_ok=True)
    pin_parameters(arguments, output / "parameters.json")
    mmseqs = MMseqs(arguments.threads, STEP_TIMEOUT_S)
    with tempfile.TemporaryDirectory(prefix=".unfinished-", dir=output) as scratch:
        for name, stage in STAGES.items():
            stage(arguments, output, Path(scratch), mmseqs)
            if name == arguments.stop_after:
                return


def pin_parameters(arguments: argparse.Namespace, path: Path) -> None:
    """Write down what decides the result; raise PipelineError when the folder was begun with something else."""
    chosen = {key: value for key, value in vars(arguments).items() if key not in CHANGE_NO_RESULT}
    chosen = json.loads(json.dumps(chosen, default=lambda value: str(value.resolve())))
    if path.exists():
        before = json.loads(path.read_text(encoding="utf-8"))
        changed = sorted(key for key in {*chosen, *before} if chosen.get(key) != before.get(key))
        if changed:
            key = changed[0]
            raise PipelineError(
                f"{path.parent}: begun with {before.get(key)} for --{key.replace('_', '-')}, now it is "
                f"{chosen.get(key)}; give the same parameters or another folder"
            )
        return
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(chosen, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main())

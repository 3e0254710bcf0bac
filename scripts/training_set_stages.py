"""The stages of `build_training_set.py`, in their order; each leaves finished files alone."""

from __future__ import annotations

import argparse
import csv
import hashlib
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from tqdm import tqdm
from training_set_homology import KEPT_OUT, SHALLOW, TRAIN, VAL, components, split_by_component
from training_set_search import MMseqs
from training_set_sources import read_fasta, write_chains, write_fasta, write_sequences, write_structures

from data_tools.alignment import Alignment
from data_tools.atomic import atomic_path
from data_tools.errors import PipelineError
from data_tools.filtering import rows_by_coverage
from data_tools.formats import read_alignment, write_alignment
from data_tools.search.mmseqs_database import MMseqsDatabase
from data_tools.weights import effective_sequences, sequence_weights
from msaformer.cli import main as msaformer

MIN_COVERAGE: Final = 0.5  # of the query by a row of its alignment
KEPT_OUT_PREFIX: Final = "kept-out."  # in the id of a sequence of --keep-out, so that it is no family's
TABLE_COLUMNS: Final = ("id", "alignment", "structure", "chain")


def make_chains(arguments: argparse.Namespace, output: Path, scratch: Path, mmseqs: MMseqs) -> None:
    """Write chains.fasta."""
    target = output / "chains.fasta"
    if not target.exists():
        lengths = (arguments.min_length, arguments.max_length)
        write_chains(target, arguments.structures, lengths, arguments.limit_chains)
    say(target, "chains")


def make_sequences(arguments: argparse.Namespace, output: Path, scratch: Path, mmseqs: MMseqs) -> None:
    """Write sequences.fasta."""
    target = output / "sequences.fasta"
    if not target.exists():
        write_sequences(target, arguments.sequences, arguments.limit_sequences, scratch)
    say(target, "sequences to search")


def make_families(arguments: argparse.Namespace, output: Path, scratch: Path, mmseqs: MMseqs) -> None:
    """Write families.fasta."""
    target = output / "families.fasta"
    if not target.exists():
        sequences = read_fasta(output / "chains.fasta")
        chosen = mmseqs.representatives(output / "chains.fasta", arguments.identity, scratch)
        write_fasta({name: sequences[name] for name in chosen}, target)
    say(target, f"families of less than {arguments.identity:.0%} identity")


def search(arguments: argparse.Namespace, output: Path, scratch: Path, mmseqs: MMseqs) -> None:
    """Search the families chunk by chunk; DIR/homology/ has a file for each finished chunk."""
    families = read_fasta(output / "families.fasta")
    alignments, homology = output / "alignments", output / "homology"
    for folder in (alignments, homology):
        folder.mkdir(exist_ok=True)
    missing = [
        names for names in chunks(list(families), arguments.chunk) if not done(names, homology).exists()
    ]
    if missing:
        targets = sequence_database(output, scratch, mmseqs)
        known = families | kept_out_sequences(arguments.keep_out)
        mmseqs.make_database(write_fasta(known, scratch / "known.fasta"), scratch / "known")
    for names in tqdm(missing, unit="chunk", disable=not sys.stderr.isatty()):
        found = scratch / "found"
        found.mkdir()
        queries = write_fasta({name: families[name] for name in names}, scratch / "queries.fasta")
        pairs = mmseqs.search(queries, targets, scratch / "known", found)
        for name in names:
            alignment = read_alignment(found / f"{name}.a3m")
            if alignment.query != families[name]:
                raise PipelineError(f"{name}: mmseqs returned an alignment of another sequence")
            write_alignment(filtered(alignment, arguments.max_depth), alignments / f"{name}.a3m")
        write_pairs(pairs, done(names, homology))
        shutil.rmtree(found)
    print(f"{alignments}: {len(families):,} alignments")


def make_index(arguments: argparse.Namespace, output: Path, scratch: Path, mmseqs: MMseqs) -> None:
    """Write homology.tsv and index.csv."""
    target = output / "index.csv"
    if target.exists():
        return
    families = read_fasta(output / "families.fasta")
    pairs = {
        tuple(line.split("\t")) for file in sorted((output / "homology").iterdir()) for line in lines_of(file)
    }
    write_pairs(sorted(pairs), output / "homology.tsv")
    sequences = kept_out_sequences(arguments.keep_out)
    kept_out = {*sequences, *kept_out_ids(arguments.keep_out, families)}
    component = components([*families, *sequences], pairs)
    split = split_by_component(component, kept_out, val_fraction=arguments.val_fraction, seed=arguments.seed)
    rows = []
    for name in tqdm(families, unit="family", disable=not sys.stderr.isatty()):
        alignment = read_alignment(output / "alignments" / f"{name}.a3m")
        is_shallow = split[name] != KEPT_OUT and alignment.depth < arguments.min_depth
        rows.append(
            {
                "id": name,
                "L": alignment.length,
                "N": alignment.depth,
                "Neff80": f"{effective_sequences(sequence_weights(alignment.tokens)):.1f}",
                "component": component[name],
                "split": SHALLOW if is_shallow else split[name],
            }
        )
    write_rows(rows, target, ",")


def make_tables(arguments: argparse.Namespace, output: Path, scratch: Path, mmseqs: MMseqs) -> None:
    """Write the structures, train.tsv and val.tsv."""
    with (output / "index.csv").open(newline="", encoding="utf-8") as opened:
        split = {row["id"]: row["split"] for row in csv.DictReader(opened)}
    for wanted in (TRAIN, VAL):
        names = [name for name, chosen in split.items() if chosen == wanted]
        paths = write_structures(names, output / "structures", arguments.structures, scratch)
        rows = [(name, f"alignments/{name}.a3m", paths[name], name.rpartition("_")[2]) for name in names]
        write_rows(
            [dict(zip(TABLE_COLUMNS, row, strict=True)) for row in rows], output / f"{wanted}.tsv", "\t"
        )
    counts = (f"{list(split.values()).count(kind):,} {kind}" for kind in (TRAIN, VAL, KEPT_OUT, SHALLOW))
    print(f"{output / 'index.csv'}: {', '.join(counts)}")


def make_stores(arguments: argparse.Namespace, output: Path, scratch: Path, mmseqs: MMseqs) -> None:
    """Featurize both tables with the project's own command."""
    for wanted in (TRAIN, VAL):
        table, store = output / f"{wanted}.tsv", output / wanted
        if len(lines_of(table)) < 2 or (store / "manifest.json").exists():
            continue
        code = msaformer(["featurize", str(table), "-o", str(store), "--workers", str(arguments.workers)])
        if code not in (0, 3):
            raise PipelineError(
                f"{store}: featurizing {table} ended with exit code {code}; see the errors above"
            )


def filtered(alignment: Alignment, max_depth: int) -> Alignment:
    """The rows that cover half of the query, the best `max_depth` of them: mmseqs lists the best first."""
    rows = rows_by_coverage(alignment.tokens, MIN_COVERAGE)
    return alignment.take_rows(rows[:max_depth])


def sequence_database(output: Path, scratch: Path, mmseqs: MMseqs) -> Path:
    """The database of sequences.fasta, made once and kept."""
    target = output / "search" / "sequences"
    if not target.parent.exists():
        unfinished = scratch / "search"
        unfinished.mkdir()
        mmseqs.make_database(output / "sequences.fasta", unfinished / target.name)
        unfinished.replace(target.parent)
    return MMseqsDatabase.open(target).prefix


def kept_out_sequences(path: Path | None) -> dict[str, str]:
    """Sequences of --keep-out when it is FASTA, under names of their own."""
    if path is None or not is_fasta(path):
        return {}
    named = read_fasta(path)
    return {f"{KEPT_OUT_PREFIX}{number}": sequence for number, sequence in enumerate(named.values())}


def kept_out_ids(path: Path | None, families: Mapping[str, str]) -> list[str]:
    """Ids of --keep-out when it is a list; one that is no family (any more) keeps nothing out."""
    if path is None or is_fasta(path):
        return []
    listed = [line.partition("#")[0].strip() for line in lines_of(path)]
    unknown = [name for name in listed if name and name not in families]
    if unknown:
        print(
            f"warning: {path}: {len(unknown)} ids are no family here, such as {unknown[0]!r}", file=sys.stderr
        )
    return [name for name in listed if name in families]


def is_fasta(path: Path) -> bool:
    return path.read_text(encoding="utf-8").lstrip().startswith(">")


def chunks(names: Sequence[str], size: int) -> list[Sequence[str]]:
    return [names[start : start + size] for start in range(0, len(names), size)]


def done(names: Sequence[str], homology: Path) -> Path:
    """The file that a chunk of these families leaves when it is finished."""
    return homology / f"{hashlib.sha256(' '.join(names).encode()).hexdigest()[:16]}.tsv"


def write_pairs(pairs: Iterable[tuple[str, ...]], path: Path) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text("".join("\t".join(pair) + "\n" for pair in pairs), encoding="utf-8")


def write_rows(rows: Sequence[Mapping[str, object]], path: Path, delimiter: str) -> None:
    """Write a table with a header, which for an empty one is that of train.tsv."""
    columns = list(rows[0]) if rows else list(TABLE_COLUMNS)
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.DictWriter(opened, columns, delimiter=delimiter, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def lines_of(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def say(fasta: Path, what: str) -> None:
    with fasta.open("rb") as opened:
        print(f"{fasta}: {sum(line.startswith(b'>') for line in opened):,} {what}")

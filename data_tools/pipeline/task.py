"""One input, one task: `run_task` featurizes it and leaves its part; what the workers of any pool call."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pyarrow as pa

from data_tools.errors import DataToolsError, PipelineError
from data_tools.features import featurize
from data_tools.formats import read_alignment
from data_tools.labels import label_distances
from data_tools.pipeline.inputs import Input
from data_tools.pipeline.messages import one_line
from data_tools.pipeline.parts import Provenance, failure_path, part_path, write_failure, write_part
from data_tools.store_rows import ROW_SCHEMA, Example, to_row
from data_tools.structure import read_chains, select_chain


@dataclass(frozen=True, slots=True)
class Options:
    """What applies to all inputs of a job."""

    repair: bool = False
    """Mend or drop what is documented as repairable in an alignment, instead of failing."""
    max_depth: int | None = None
    """Keep the first rows of each alignment, at most so many; None keeps all."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a worker needs; small, and the same on every machine that sees the files."""

    index: int
    """Place of the input in the job."""
    given: Input
    """With the paths as the user gave them, for messages."""
    input: Input
    """The same with absolute paths."""
    options: Options
    parts: str
    """Absolute path of the folder for part files."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a task."""

    index: int
    state: Literal["done", "failed", "unwritable"]
    """`unwritable`: nothing is wrong with the input, its part could not be written."""
    message: str = ""
    """One line for what is not done."""


def run_task(task: Task) -> Outcome:
    """Featurize one input and write its part; a failure of the input is written too, never raised."""
    provenance = Provenance.of(task.input)
    try:
        example, chain, notes = make_example(task.input, task.options)
        table = pa.Table.from_pylist([to_row(example)], schema=ROW_SCHEMA)
    except (DataToolsError, OSError) as error:
        return record_failure(task, one_line(error), provenance)
    except MemoryError as error:
        message = f"{task.input.alignment}: not enough memory ({one_line(error)})"
        return record_failure(task, message, provenance)
    try:
        write_part(table, replace(provenance, chain=chain, notes=notes), part_path(task.parts, task.index))
    except OSError as error:
        return Outcome(task.index, "unwritable", one_line(error))
    return Outcome(task.index, "done")


def make_example(one: Input, options: Options) -> tuple[Example, str, str]:
    """The example of an input, the chain that gave its labels, and what the reader noted.

    Raises DataToolsError or OSError when a file cannot be read or used.
    """
    for path in filter(None, (one.alignment, one.structure)):
        if os.path.exists(path) and not os.path.isfile(path):
            raise PipelineError(
                f"{path}: no regular file; a job reads files that stay, so that it can go on later"
            )
    alignment = read_alignment(one.alignment, on_error="repair" if options.repair else "raise")
    notes = ", ".join(f"{action} {count}" for action, count in sorted(alignment.report.counts.items()))
    if options.max_depth is not None and alignment.depth > options.max_depth:
        alignment = alignment.take_rows(np.arange(options.max_depth))
    distances, backbone, chain_name = None, None, ""
    if one.structure is not None:
        chains = read_chains(one.structure)
        chain = select_chain(chains, alignment.query, one.chain, source=one.structure)
        labels = label_distances(
            alignment.query,
            chain,
            source=one.structure,
            present=chains,
            residue_index=alignment.residue_index,
        )
        distances, backbone, chain_name = labels.distances, labels.backbone, chain.author_name
    return Example(one.id, featurize(alignment), distances, backbone), chain_name, notes


def record_failure(task: Task, message: str, provenance: Provenance | None = None) -> Outcome:
    """Write down that the input of `task` failed."""
    provenance = provenance or Provenance.of(task.input)
    for path, given in (
        (task.input.alignment, task.given.alignment),
        (task.input.structure, task.given.structure),
    ):
        message = message.replace(str(path), str(given))
    try:
        write_failure(message, provenance, failure_path(task.parts, task.index))
    except OSError as error:
        return Outcome(task.index, "unwritable", one_line(error))
    return Outcome(task.index, "failed", message)

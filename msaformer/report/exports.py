"""Tables and contact files that other programs read: CSV, Parquet and CASP RR.

L residues of the query; residues are counted from 1 in every file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from data_tools.atomic import atomic_path
from msaformer.chains import chain_letter, chain_of_residue, chain_slices
from msaformer.errors import PredictionError
from msaformer.prediction import Prediction
from msaformer.report.contact_list import MIN_SEPARATION, ContactList, Selection, contact_list
from msaformer.report.truth import Truth

RR_MIN_PROB: Final = 0.01  # a pair that is not listed counts as not predicted
RR_PAIRS_PER_RESIDUE: Final = 5  # times L pairs are listed whatever they are, so rankings stay whole
RR_SEQUENCE_WIDTH: Final = 50
PROB_DECIMALS: Final = 6
_SCORE_FORMAT: Final = ".9g"  # digits that give back every float32
_ANGSTROM_FORMAT: Final = "%.3f"
_FORMULA_START: Final = ("=", "+", "-", "@", "\t", "\r")  # OWASP, CSV injection
_RESIDUE_NUMBER: Final = re.compile(r"-?[0-9]+[A-Za-z]?")


def write_csv(prediction: Prediction, path: str | Path, truth: Truth | None = None) -> None:
    """Write all pairs of a prediction, the most probable first, as `save_csv` does."""
    save_csv(contact_list(prediction, truth), path)


def write_casp_rr(prediction: Prediction, path: str | Path) -> None:
    """Write a CASP RR file as `save_casp_rr` does, of all pairs at least 6 apart or of different chains."""
    listed = contact_list(prediction, selection=Selection(min_separation=MIN_SEPARATION))
    save_casp_rr(listed, path, is_whole=True)


def save_csv(contacts: ContactList, path: str | Path) -> None:
    """Write the table as CSV (columns: `msaformer.report.contact_list.contact_table`); whole or not at all.

    Probabilities have 6 decimals, distances 3. A text that a spreadsheet would take for a formula gets an apostrophe
    before it, which the spreadsheet does not show.
    """
    table = contacts.table.copy()
    digits = f".{PROB_DECIMALS}f" if contacts.are_probabilities else _SCORE_FORMAT
    table[contacts.score_column] = [f"{score:{digits}}" for score in table[contacts.score_column]]
    for column in table.columns.intersection(["res_i", "res_j", "chain_i", "chain_j", "auth_i", "auth_j"]):
        table[column] = table[column].map(safe_cell)
    with atomic_path(path) as temporary:
        table.to_csv(
            temporary, index=False, float_format=_ANGSTROM_FORMAT, lineterminator="\n", encoding="utf-8"
        )


def save_parquet(contacts: ContactList, path: str | Path) -> None:
    """Write the same table as Parquet, numbers in full and texts as they are; whole or not at all."""
    with atomic_path(path) as temporary:
        contacts.table.to_parquet(temporary, engine="pyarrow", index=False)


def save_casp_rr(contacts: ContactList, path: str | Path, *, is_whole: bool = False) -> None:
    """Write a CASP RR file (`i j 0 8 p`, by falling p); whole or not at all.

    With `is_whole`, `contacts` are all pairs, and listed are those with p ≥ 0.01, never fewer than the 5·L best: to
    CASP a pair that is not listed is not predicted. In a complex residues are counted within their chain, whose letter
    precedes them ("A15"), and the lengths of the chains stand in `REMARK chains A:120 B:80`.

    Raises PredictionError for scores that are no probabilities, and without a sequence.
    """
    if not contacts.are_probabilities or contacts.sequence is None:
        lacking = "a sequence" if contacts.sequence is None else f"probabilities; scores of {contacts.method}"
        raise PredictionError(f"{contacts.name}: CASP RR needs {lacking}; write CSV or Parquet instead")
    probs = contacts.table["prob"].to_numpy()
    is_listed = np.ones(len(probs), dtype=bool)
    if is_whole:
        is_listed = (probs >= RR_MIN_PROB) | (np.arange(len(probs)) < RR_PAIRS_PER_RESIDUE * contacts.length)
    lines = [*_rr_header(contacts, contacts.sequence), *_rr_rows(contacts, contacts.table[is_listed]), "END"]
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="ascii", newline="\n")


def safe_cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula; numbers of residues ("-5A") stay as they are.

    >>> safe_cell("=1+1"), safe_cell("-5A"), safe_cell("A")
    ("'=1+1", '-5A', 'A')
    """
    return f"'{text}" if text.startswith(_FORMULA_START) and not _RESIDUE_NUMBER.fullmatch(text) else text


def word(text: str) -> str:
    """One ASCII word: a header line of a file must not become two."""
    return "".join(letter if "!" <= letter <= "~" else "_" for letter in text)[:200]


def _rr_header(contacts: ContactList, sequence: str) -> Iterator[str]:
    yield "PFRMAT RR"
    yield f"TARGET {word(contacts.name)}"
    yield "AUTHOR msaformer"
    if len(contacts.chain_lengths) > 1:
        lengths = (f"{chain_letter(k)}:{length}" for k, length in enumerate(contacts.chain_lengths))
        yield f"REMARK chains {' '.join(lengths)}"
    identity = (f"{key}={value}" for key, value in contacts.model.items())
    yield f"METHOD {' '.join(map(word, identity)) or word(contacts.method)}"
    yield "MODEL 1"
    for start in range(0, len(sequence), RR_SEQUENCE_WIDTH):
        yield sequence[start : start + RR_SEQUENCE_WIDTH]


def _rr_rows(contacts: ContactList, table: pd.DataFrame) -> Iterator[str]:
    names = _residue_names(contacts)
    for i, j, prob in zip(table["i"], table["j"], table["prob"].clip(0, 1), strict=True):
        yield f"{names[i - 1]} {names[j - 1]} 0 8 {prob:.{PROB_DECIMALS}f}"


def _residue_names(contacts: ContactList) -> list[str]:
    """`[L]`: "15", in a complex "B15"; counted over the sequence that the file states."""
    if len(contacts.chain_lengths) == 1:
        return [str(number + 1) for number in range(contacts.length)]
    starts = [chain.start for chain in chain_slices(contacts.chain_lengths)]
    chains = chain_of_residue(contacts.chain_lengths).tolist()
    return [f"{chain_letter(chain)}{place - starts[chain] + 1}" for place, chain in enumerate(chains)]

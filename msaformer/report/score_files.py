"""Read scores of residue pairs that any program wrote: `read_pair_scores`, which knows a format by its content.

The formats stand in `msaformer.report.score_formats`. A file that is compressed is read as well. A pair that a file
does not list is not predicted: it is `False` in `PairScores.is_listed`, and no ranking may count it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from data_tools.compression import STANDARD_INPUT, read_bytes
from data_tools.errors import DataToolsError
from msaformer.errors import ScoreFileError
from msaformer.pair_scores import PairScores
from msaformer.prediction import Prediction, load_prediction
from msaformer.report.score_formats.casp_rr import KEYWORDS, is_pair, read_casp_rr
from msaformer.report.score_formats.coupling_rows import is_coupling, read_couplings
from msaformer.report.score_formats.distance_arrays import is_prediction, read_arrays
from msaformer.report.score_formats.named_columns import is_header, read_table
from msaformer.report.score_formats.pair_rows import PairRows, Query, known_sequence, place
from msaformer.report.score_formats.score_matrix import is_row_of_numbers, read_matrix

MAX_BYTES: Final = 2**29  # of text: CCMpred's matrix of 4,400 residues, 27 bytes a number
_ZIP: Final = b"PK\x03\x04"
_MSGPACK_OF_CCMPRED: Final = re.compile(rb"[\x80-\x8f]\xa6format")  # a map whose first key is "format"
_NO_TEXT: Final = re.compile(rb"[\x00-\x08\x0e-\x1f]")
_SEQUENCE: Final = re.compile(r"[A-Za-z-]+")
_FORMATS: Final = "CASP RR, CCMpred, plmc, freecontact, EVcouplings, PSICOV, GREMLIN, trRosetta and our own"


def read_pair_scores(
    path: str | Path,
    sequence: str | None = None,
    *,
    chain_lengths: Sequence[int] = (),
    numbers: Sequence[int] = (),
    column: str | None = None,
    model: str | None = None,
) -> PairScores:
    """Read the scores of residue pairs in the file at `path`, of any format of `msaformer.report.score_formats`.

    `sequence` is the query, L residues, which most formats do not state; where one does, both must agree.
    `chain_lengths` are those of a complex, for files that count within chains ("B15"). `numbers` `[L]` is what the
    file calls each residue, 1 to L if left out. `column` chooses among several scores (freecontact `cn`, `mi`;
    EVcouplings `cn`, `probability`; GREMLIN `s_sco`, `prob`; trRosetta's order of bins `dist`, `dist-last`), `model`
    among the models of a CASP file. `PairScores.method` says what was read.

    Raises ScoreFileError, with file, line, value seen and expected, for a file that cannot be read, is of no known
    format, or is not of this query.
    """
    source = Path(path)
    query = Query(sequence, tuple(chain_lengths), tuple(numbers))
    if _is_archive(source):
        return read_arrays(source, query, column)
    try:
        data = read_bytes(source, limit=MAX_BYTES, unreadable=DataToolsError, damaged=DataToolsError)
    except DataToolsError as error:
        raise ScoreFileError(str(error)) from error
    lines = _lines(source, data)
    words = lines[0][1].split()
    if is_header(lines[0][1]):
        return place(read_table(source, lines, column), query)
    if is_coupling(lines[0][1]):
        return place(read_couplings(source, lines, column), query)
    if column is not None:
        raise ScoreFileError(f"{source}: the file has one column of scores; leave out --column {column}")
    if words[0] in KEYWORDS or is_pair(lines[0][1]) or _SEQUENCE.fullmatch(lines[0][1]):
        return place(_read_rr(source, lines, model), query)
    if is_row_of_numbers(words):
        return read_matrix(source, lines, query)
    raise ScoreFileError(
        f"{source}:{lines[0][0]}: {lines[0][1][:60]!r} begins no format of scores that is known ({_FORMATS})"
    )


def _read_rr(source: Path, lines: list[tuple[int, str]], model: str | None) -> PairRows:
    rows = read_casp_rr(source, lines, model)
    if not rows.scores and (rows.sequence is None or lines[0][1].split()[0] not in KEYWORDS):
        raise ScoreFileError(f"{source}: the file lists no pair of residues; is it cut short?")
    return rows


def _is_archive(source: Path) -> bool:
    if str(source) == STANDARD_INPUT:
        return False
    if source.suffix == ".npz":
        return True
    try:
        with source.open("rb") as file:
            return file.read(4) == _ZIP
    except (OSError, ValueError):  # the same is met, and said, when the file is read
        return False


def _lines(source: Path, data: bytes) -> list[tuple[int, str]]:
    """Number and text of the lines that are neither blank nor comments; ScoreFileError for what is no text."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ScoreFileError(f"{source}: the file is UTF-16; save it as plain text (ASCII or UTF-8)")
    if _MSGPACK_OF_CCMPRED.match(data):
        raise ScoreFileError(
            f"{source}: this is CCMpred's raw model (-b), which holds couplings and no scores; give the matrix that it "
            "writes as its last argument"
        )
    found = _NO_TEXT.search(data)
    if found:
        line = data.count(b"\n", 0, found.start()) + 1
        raise ScoreFileError(
            f"{source}:{line}: the byte 0x{found[0][0]:02x} is no text; scores of pairs are text or .npz ({_FORMATS})"
        )
    text = data.decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\r", "\n")
    stripped = ((number, line.strip()) for number, line in enumerate(text.split("\n"), start=1))
    lines = [(number, line) for number, line in stripped if line and not line.startswith("#")]
    if not lines:
        raise ScoreFileError(f"{source}: the file is empty; scores of pairs are expected")
    return lines


def read_predicted(
    path: str | Path,
    sequence: str | None = None,
    *,
    chain_lengths: Sequence[int] = (),
    numbers: Sequence[int] = (),
    column: str | None = None,
    model: str | None = None,
) -> Prediction | PairScores:
    """Read a prediction of this package, whole, or the scores of any other file as `read_pair_scores` does.

    Raises ScoreFileError as that does, and PredictionError when a prediction is damaged.
    """
    source = Path(path)
    if _is_archive(source) and is_prediction(source):
        prediction = load_prediction(source)
        known_sequence(source, prediction.sequence, Query(sequence))
        return prediction
    return read_pair_scores(
        path, sequence, chain_lengths=chain_lengths, numbers=numbers, column=column, model=model
    )

"""The log of a run is read as it stands, also while it is being written."""

import json
import math

import pytest

from msaformer.errors import LogError
from msaformer.report.training_log import read_training_log, series

LINES = [
    '{"kind": "train", "step": 1, "contact_loss": 0.5, "skipped": 0}',
    '{"kind": "validation", "step": 2, "contact_loss": null}',
]


def write(tmp_path, text):
    path = tmp_path / "log.jsonl"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize(
    "cut", ["", '{"kind": "train", "st', '{"kind": "train"}', '{"kind": "train", "step": 3']
)
def test_a_line_that_is_being_written_is_left_out(tmp_path, cut):
    records = read_training_log(write(tmp_path, "\n".join([*LINES, cut])))
    assert records == [json.loads(line) for line in LINES]


def test_a_whole_last_line_counts_with_or_without_its_end(tmp_path):
    assert len(read_training_log(write(tmp_path, "\n".join(LINES)))) == 2
    assert len(read_training_log(write(tmp_path, "\n".join(LINES) + "\n"))) == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no record yet"),
        ("\n\n", "holds no record yet"),
        ("step 1\n", r"log\.jsonl:1: not a line of JSON"),
        (b"\xff\xfe\n", r"log\.jsonl:1: not a line of JSON"),
        ("\n".join([LINES[0], "[1]", LINES[1], ""]), r"log\.jsonl:2: not a record"),
        ('{"kind": "test", "step": 1}\n', r"log\.jsonl:1: not a record"),
        ('{"kind": "train", "step": 1, "loss": "x"}\n', r"log\.jsonl:1: not a record"),
        ('{"kind": "train", "step": null}\n', r"log\.jsonl:1: not a record"),
    ],
)
def test_what_is_no_log_is_refused_with_its_line(tmp_path, text, words):
    with pytest.raises(LogError, match=words) as error:
        read_training_log(write(tmp_path, text))
    assert "\n" not in str(error.value)


def test_a_missing_log_is_refused(tmp_path):
    with pytest.raises(LogError, match="absent: cannot be read"):
        read_training_log(tmp_path / "absent")


def test_a_series_is_of_one_kind_and_null_is_not_a_number():
    records = [json.loads(line) for line in LINES]
    assert series(records, "train", "contact_loss") == ([1], [0.5])
    steps, values = series(records, "validation", "contact_loss")
    assert steps == [2]
    assert math.isnan(values[0])
    assert series(records, "validation", "long_p_at_l") == ([], [])

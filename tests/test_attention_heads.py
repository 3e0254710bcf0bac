"""Heads of row attention by name."""

from __future__ import annotations

import doctest

import pytest

from msaformer import attention_heads
from msaformer.attention_heads import parse_heads
from msaformer.config import ModelConfig
from msaformer.errors import ConfigError

CONFIG = ModelConfig(num_blocks=3, msa_heads=2)


def test_the_example_is_right() -> None:
    assert doctest.testmod(attention_heads).failed == 0


@pytest.mark.parametrize(
    ("texts", "heads"),
    [
        ([], ()),
        (["1:0"], ((1, 0),)),
        (["2", "0:1", "2:1"], ((0, 1), (2, 0), (2, 1))),
        (["all"], ((2, 0), (2, 1))),
        ([" all ", "01:1"], ((1, 1), (2, 0), (2, 1))),
    ],
)
def test_heads_are_sorted_and_none_is_twice(texts: list[str], heads: tuple[tuple[int, int], ...]) -> None:
    assert parse_heads(texts, CONFIG, "--attention") == heads


@pytest.mark.parametrize("text", ["", "first", "1:", ":1", "-1", "1:2:0", "1.0", "٣", "9" * 30])
def test_what_names_no_head_is_refused(text: str) -> None:
    with pytest.raises(
        ConfigError, match=r"--attention: expected a block \(3\), a block and a head \(3:1\) or all"
    ):
        parse_heads([text], CONFIG, "--attention")


@pytest.mark.parametrize(("text", "absent"), [("3", "head 0 of block 3"), ("1:2", "head 2 of block 1")])
def test_a_head_that_is_not_there_is_refused_with_those_that_are(text: str, absent: str) -> None:
    with pytest.raises(ConfigError, match=f"there is no {absent}; .* blocks 0 to 2 with the heads 0 to 1"):
        parse_heads([text], CONFIG, "--attention")

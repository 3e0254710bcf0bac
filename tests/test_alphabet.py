"""The alphabet: every byte has one meaning."""

import string

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_tools.alphabet import (
    AMINO_ACIDS,
    BYTE_TO_TOKEN,
    GAP,
    MASK,
    NOT_A_SYMBOL,
    NUM_AMINO_ACIDS,
    NUM_SYMBOLS,
    NUM_TOKENS,
    SUBSTITUTED,
    SYMBOLS,
    UNKNOWN,
    decode,
    encode,
)


def test_sizes_and_special_tokens_agree_with_the_symbols() -> None:
    assert len(set(AMINO_ACIDS)) == NUM_AMINO_ACIDS == 20
    assert list(AMINO_ACIDS) == sorted(AMINO_ACIDS)
    assert len(SYMBOLS) == NUM_SYMBOLS
    assert (SYMBOLS[UNKNOWN], SYMBOLS[GAP]) == ("X", "-")
    assert MASK == NUM_SYMBOLS == NUM_TOKENS - 1


def test_every_upper_case_letter_is_a_symbol_and_nothing_else_but_the_gap() -> None:
    symbols = {chr(byte) for byte in range(256) if BYTE_TO_TOKEN[byte] != NOT_A_SYMBOL}
    assert symbols == set(string.ascii_uppercase) | {"-"}


def test_rare_letters_stand_for_what_the_documentation_says() -> None:
    assert set(SUBSTITUTED) == set(string.ascii_uppercase) - set(SYMBOLS)
    assert decode(encode("BZUJO")) == "DECXX"


@settings(deadline=None)
@given(st.text(SYMBOLS))
def test_decoding_undoes_encoding(sequence: str) -> None:
    assert decode(encode(sequence)) == sequence


def test_the_mask_token_decodes_to_a_hash_and_cannot_be_encoded() -> None:
    assert decode(np.array([0, MASK], dtype=np.uint8)) == "A#"
    with pytest.raises(ValueError, match="'#' at position 1"):
        encode("#")


@pytest.mark.parametrize(
    ("sequence", "symbol", "position"), [("ACa", "a", 3), ("A.C", ".", 2), ("ΩC1", "Ω", 1)]
)
def test_the_first_symbol_outside_the_alphabet_is_named(sequence: str, symbol: str, position: int) -> None:
    with pytest.raises(ValueError, match=f"symbol '{symbol}' at position {position} is no amino acid"):
        encode(sequence)


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        BYTE_TO_TOKEN[65] = 3

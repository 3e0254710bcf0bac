"""Amounts of memory as people write them."""

from __future__ import annotations

import pytest

from msaformer.errors import ConfigError
from msaformer.sizes import parse_size, show_size


@pytest.mark.parametrize(
    ("text", "num_bytes"),
    [
        ("80GB", 80 * 10**9),
        ("8GiB", 8 * 2**30),
        ("24000MB", 24 * 10**9),
        (" 1.5 gib ", 3 * 2**29),
        ("512kb", 512_000),
        ("100", 100),
        ("7B", 7),
        ("2TB", 2 * 10**12),
    ],
)
def test_a_size_has_a_decimal_or_a_binary_unit(text: str, num_bytes: int) -> None:
    assert parse_size(text, "--memory") == num_bytes


@pytest.mark.parametrize(
    "text", ["", "GB", "-1GB", "8 GX", "1e3GB", "1.2.3MB", "8GB of it", "0GB", "nan", "9" * 400]
)
def test_what_is_no_size_is_named_with_what_is_expected(text: str) -> None:
    with pytest.raises(ConfigError, match="--memory: expected a size") as caught:
        parse_size(text, "--memory")
    assert len(str(caught.value)) < 120


def test_a_size_is_shown_with_three_figures() -> None:
    shown = {
        0: "0 B",
        999: "999 B",
        1000: "1.00 kB",
        12_345_678: "12.3 MB",
        999_400_000: "999 MB",
        80 * 10**9: "80.0 GB",
    }
    assert {size: show_size(size) for size in shown} == shown

"""Sizes as people write them."""

from __future__ import annotations

import pytest

from heapscope.units import parse_bytes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("1500", 1500),
        ("1500B", 1500),
        ("64m", 64 << 20),
        ("4G", 4 << 30),
        ("4GiB", 4 << 30),
        ("4GB", 4_000_000_000),
        ("1.5 kB", 1500),
        ("0.5T", 1 << 39),
    ],
)
def test_sizes(text: str, expected: int) -> None:
    assert parse_bytes(text) == expected


@pytest.mark.parametrize("text", ["", "G", "-1", "4X", "4 G B", "1e9", "4GBB", "٤G"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="is no size; write 512M"):
        parse_bytes(text)

"""Needles are found wherever they lie, and nothing else is."""

from __future__ import annotations

import random

import pytest

from heapscope.analysis.logs.catalogue import log_kinds
from heapscope.parser.texts.needles import Needles


def naive(texts: list[bytes], block: bytes) -> list[int]:
    return sorted({at for text in texts for at in range(len(block)) if block.startswith(text, at)})


def test_the_same_as_looking_everywhere() -> None:
    draw = random.Random(17)
    texts = [bytes(draw.choices(b"abc ", k=draw.randint(7, 14))) for _ in range(30)]
    needles = Needles(texts)
    for _ in range(40):
        block = bytes(draw.choices(b"abc ", k=draw.randint(0, 400)))
        for text in draw.sample(texts, 5):
            at = draw.randint(0, len(block))
            block = block[:at] + text + block[at:]
        assert needles.places(block) == naive(texts, block)


def test_every_needle_of_the_catalogue_at_every_alignment() -> None:
    texts = sorted({needle.encode() for kind in log_kinds().values() for needle in kind.needles})
    needles = Needles(texts)
    for text in texts:
        for shift in range(4):
            block = b"-" * shift + text
            assert shift in needles.places(block), text


def test_a_short_needle_is_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        Needles([b"OOM"])

"""Every kind of event in logs has a title and a meaning."""

from __future__ import annotations

from typing import get_args

import pytest

from heapscope.parser.texts.logs import Kind
from heapscope.reporter.log_meanings import meaning_of, reason_of, title_of


@pytest.mark.parametrize("kind", get_args(Kind))
def test_every_kind_has_words(kind: Kind) -> None:
    assert title_of(kind) != meaning_of(kind)


def test_reasons_of_errors() -> None:
    assert reason_of("Java heap space (pool 3)")
    assert reason_of("Metaspace") == reason_of("Compressed class space")
    assert reason_of("something new") == ""

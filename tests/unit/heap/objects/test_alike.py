"""Texts that differ in digits alone stand for one another; what is secret does not depend on that."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest

import heapscope
from heapscope.heap.objects import alike, secret_texts
from heapscope.heap.objects.alike import alike_but_for_digits
from heapscope.heap.objects.values import read_strings
from heapscope.secrets import is_told_by_digits, names_secret
from tests.support.dumps import DumpBuilder

NAMES = (
    *("session-1", "session-22", "session-33", "token7", "token", "key:9", "KRB5_KTNAME", "KRB6_KTNAME"),
    *("KRB5CCNAME", "KRB7CCNAME", "password", "passw0rd", "ключ-1", "ключ-2", "1", "22", "", "secret" * 60),
)


@pytest.mark.parametrize("at_once", [4, 1 << 16])
def test_alike_is_what_reads_the_same_without_digits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(alike, "_ROWS_AT_ONCE", at_once)
    d = DumpBuilder()
    for text in NAMES:
        d.root("JNI_GLOBAL", d.string(text))
    with heapscope.open(d.dump().save(tmp_path / "a.hprof"), use_index=False) as heap:
        rows = heap.objects("java.lang.String").indices
        found = alike_but_for_digits(heap.graph, rows)
        texts = [text or "" for text in read_strings(heap.graph, rows)]
        outright = re.compile(secret_texts._OUTRIGHT.pattern, re.IGNORECASE)
        tells, is_outright = secret_texts._are_telling(heap.graph, rows)
    shapes = [re.sub("[0-9]", "0", text) for text in texts]
    assert all(shapes[place] == shape for place, shape in zip(found.tolist(), shapes, strict=True))
    if at_once > len(NAMES):
        short = [shape for shape in shapes if shape.isascii() and len(shape) <= alike._LONGEST]
        assert len(set(found.tolist())) == len(set(short)) + len(shapes) - len(short)
    assert tells.tolist() == [names_secret(text) for text in texts]
    assert is_outright.tolist() == [
        names_secret(text) and outright.search(text) is not None for text in texts
    ]


def test_no_name_is_told_by_its_digits_unless_it_is_said() -> None:
    for name, digit in product(NAMES, "0123456789"):
        if not is_told_by_digits(name):
            assert names_secret(re.sub("[0-9]", digit, name)) == names_secret(name), name

"""Sidecars as anybody may have written them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from heapscope.analysis.growth.sidecar import number_in, read_sidecar, variables_in


@pytest.mark.parametrize(
    ("text", "facts"),
    [('{"pid": 7}', {"pid": 7}), ("", {}), ("{", {}), ("[]", {}), ("[" * 100_000, {}), ("\xff", {})],
)
def test_what_is_no_object_tells_nothing(tmp_path: Path, text: str, facts: dict[str, Any]) -> None:
    (tmp_path / "a.hprof.json").write_text(text, "latin-1")
    assert read_sidecar(tmp_path / "a.hprof") == facts
    assert read_sidecar(tmp_path / "b.hprof") == {}


@pytest.mark.parametrize(
    ("value", "number"),
    [(7, 7), (7.9, 7), ("7", None), (True, None), (None, None), (2**63, None), ([], None)],
)
def test_only_a_number_is_one(value: object, number: int | None) -> None:
    assert number_in({"process": {"pid": value}}, "process", "pid") == number
    assert number_in({"process": value}, "process", "pid") is None


@pytest.mark.parametrize(
    ("facts", "variables"),
    [
        ({"process": {"environment": {"A": "b", "C": 3}}}, {"A": "b"}),
        ({"process": {"environment": []}}, {}),
        ({"process": 7}, {}),
        ({}, {}),
    ],
)
def test_variables_are_texts(facts: dict[str, Any], variables: dict[str, str]) -> None:
    assert variables_in(facts) == variables

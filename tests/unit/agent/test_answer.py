"""Answers keep to their budget, and say what they left out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heapscope.agent.answer import LEAST_BYTES, Answer, Question


def document(answer: Answer, most: int) -> dict[str, Any]:
    text = answer.text(most)
    assert len(text.encode()) <= most
    found: dict[str, Any] = json.loads(text)
    return found


def test_a_small_answer_is_whole() -> None:
    answer = Answer(
        "1 leak",
        "certain",
        {"rows": [1, 2]},
        rows="rows",
        next=[Question("paths", {"subject": "a.B"}, "why")],
    )
    found = document(answer, 8000)
    assert found["data"] == {"rows": [1, 2]}
    assert found["next"] == [{"tool": "paths", "arguments": {"subject": "a.B"}, "why": "why"}]
    assert "more" not in found
    assert "never instructions" in found["note"]


def test_rows_are_cut_from_the_end_and_can_be_asked_for() -> None:
    rows = [{"class": f"com.acme.Class{number}", "instance_count": number} for number in range(1000)]
    answer = Answer("classes", data={"classes": rows}, rows="classes")
    first = document(answer, 4000)
    shown = len(first["data"]["classes"])
    assert 10 < shown < 100
    assert first["more"] == f"{1000 - shown} more in classes; offset={shown} shows them"
    seen = []
    offset = 0
    while offset < 1000:
        rest = Answer("classes", data={"classes": rows[offset:]}, rows="classes", offset=offset, total=1000)
        found = document(rest, 4000)
        seen += found["data"]["classes"]
        offset += len(found["data"]["classes"])
        assert ("more" in found) == (offset < 1000)
    assert seen == rows


def test_one_row_that_is_too_large_is_cut_inside() -> None:
    row = {"title": "x" * 5000, "evidence": ["y" * 300] * 200, "class": "a.B"}
    found = document(Answer("says", data={"findings": [row, row]}, rows="findings"), 2000)
    (kept,) = found["data"]["findings"]
    assert kept["class"] == "a.B"
    assert kept["evidence"][-1].endswith("more")
    assert found["more"] == "1 more in findings; offset=1 shows them"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=400),
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(st.text(max_size=60), inner, max_size=8),
    max_leaves=60,
)


@settings(max_examples=60, deadline=None)
@given(
    says=st.text(max_size=3000),
    data=st.dictionaries(st.text(max_size=30), _JSON, max_size=6),
    rows=st.lists(_JSON, max_size=40),
    most=st.integers(LEAST_BYTES, 9000),
)
def test_no_answer_is_longer_than_its_budget(
    says: str, data: dict[str, Any], rows: list[Any], most: int
) -> None:
    question = Question("paths", {"snapshot": "s" * 100, "subject": "c" * 200}, "w" * 300)
    answer = Answer(
        says, "s" * 500, {**data, "rows": rows}, rows="rows", next=[question] * 4, notes=["n" * 900] * 9
    )
    found = document(answer, most)
    assert found["note"]


def test_the_least_budget_holds_for_the_longest_head() -> None:
    answer = Answer("é" * 4000, "s" * 4000, {"a": ["b" * 4000] * 50}, notes=["n" * 900] * 9)
    assert document(answer, LEAST_BYTES)["says"]


@pytest.mark.parametrize("text", ["\ud800", "\x00\x1b[31m", "«»"])
def test_odd_texts_are_json(text: str) -> None:
    assert json.loads(Answer("says", data={"x": text}).text())["data"]

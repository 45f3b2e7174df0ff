"""Verdicts are texts, each once, and every short name is one of them."""

from __future__ import annotations

import json

import pytest

from heapscope.analysis import verdicts
from heapscope.analysis.verdicts import Confidence, CureVerdict, Outcome, Status, Verdict

KINDS = (Verdict, Outcome, CureVerdict, Status, Confidence)


@pytest.mark.parametrize("kind", KINDS)
def test_a_verdict_is_its_text(kind: type[Verdict]) -> None:
    for one in kind:
        assert f"{one}" == one.value
        assert json.loads(json.dumps({"verdict": one})) == {"verdict": one.value}
        by_text: dict[str, int] = {one.value: 1}
        assert by_text[one] == 1


@pytest.mark.parametrize("kind", KINDS)
def test_short_names_are_those_of_the_members(kind: type[Verdict]) -> None:
    for one in kind:
        assert getattr(verdicts, one.name) is one

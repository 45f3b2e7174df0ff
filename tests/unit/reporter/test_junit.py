"""JUnit XML: valid, escaped, counted."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from heapscope.reporter.junit import Case, junit_xml

CASES = [
    Case("a.B+ <= 3", "passed", "3 at most"),
    Case('c.D & "E" <= 3', "failed", "5 in <leak>\x1b[31m"),
    Case("the leak is fixed", "skipped", "too early to tell"),
]


def test_counts_and_cases() -> None:
    text = junit_xml("heapscope check", CASES)
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<testsuites ')
    root = ElementTree.fromstring(text.encode())
    (suite,) = root
    for element in (root, suite):
        assert {key: element.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
            "tests": "3",
            "failures": "1",
            "errors": "0",
            "skipped": "1",
        }
    passed, failed, skipped = suite
    assert [case.get("name") for case in suite] == ["a.B+ <= 3", 'c.D & "E" <= 3', "the leak is fixed"]
    assert [child.tag for child in passed] == ["system-out"]
    (failure,) = failed
    assert failure.tag == "failure"
    assert failure.get("message") == failure.text
    assert "<leak>" in (failure.text or "")
    assert "\x1b" not in text
    assert [child.tag for child in skipped] == ["skipped"]


@pytest.mark.parametrize("text", ["\x00", "\ufffe", "\ud800", "]]>", "\u202e", "日本", "\x85"])
def test_hostile_text_is_legal_xml(text: str) -> None:
    root = ElementTree.fromstring(junit_xml(text, [Case(text, "failed", text)]).encode())
    assert root[0][0].get("name")

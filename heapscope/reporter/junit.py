"""JUnit XML, as CI servers read it (the schema of Jenkins' xUnit plugin, which all others follow)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from xml.etree import ElementTree

from heapscope.reporter.text import printable

# What XML 1.0 (section 2.2) does not allow, even escaped.
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Case:
    """One line of a CI server's list.

    Attributes
    ----------
    name : str
    outcome : {"passed", "failed", "skipped"}
    message : str
    """

    name: str
    outcome: Literal["passed", "failed", "skipped"]
    message: str


def junit_xml(suite: str, cases: Sequence[Case]) -> str:
    """A document with one suite."""
    counts = {
        "tests": len(cases),
        "failures": sum(case.outcome == "failed" for case in cases),
        "errors": 0,
        "skipped": sum(case.outcome == "skipped" for case in cases),
    }
    figures = {name: str(count) for name, count in counts.items()}
    root = ElementTree.Element("testsuites", figures)
    within = ElementTree.SubElement(root, "testsuite", {"name": _legal(suite), **figures})
    for case in cases:
        one = ElementTree.SubElement(
            within, "testcase", {"classname": _legal(suite), "name": _legal(case.name)}
        )
        message = _legal(case.message)
        if case.outcome == "failed":
            ElementTree.SubElement(one, "failure", {"message": message, "type": "heapscope"}).text = message
        elif case.outcome == "skipped":
            ElementTree.SubElement(one, "skipped", {"message": message})
        else:
            ElementTree.SubElement(one, "system-out").text = message
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _legal(text: str) -> str:
    return _ILLEGAL.sub("?", printable(text))

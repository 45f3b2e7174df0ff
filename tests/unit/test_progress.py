"""How work says how far it is: nothing where nobody looks."""

from __future__ import annotations

import sys

import pytest

from heapscope.progress import default_progress, no_progress, notebook_bar


def test_without_a_notebook_there_is_no_bar(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert notebook_bar() is None
    default_progress("counting", 1, 2)
    no_progress("counting", 1, 2)
    assert capsys.readouterr() == ("", "")


def test_in_a_notebook_its_bar_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, int, int]] = []
    monkeypatch.setattr("heapscope.progress.notebook_bar", lambda: lambda *step: told.append(step))
    default_progress("counting", 1, 2)
    assert told == [("counting", 1, 2)]

"""Numpy starts no threads of its own in a command, and a user's command does not learn of that."""

from __future__ import annotations

import os

import pytest

from heapscope.cli import main
from heapscope.cli.common import blas_threads

NAME = "OPENBLAS_NUM_THREADS"


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blas_threads, "_set_here", [])
    monkeypatch.delenv(NAME, raising=False)


def test_a_user_s_command_gets_the_environment_as_it_was() -> None:
    before = dict(os.environ)
    blas_threads.start_none()
    assert os.environ[NAME] == "1"
    assert blas_threads.environment_for_others() == before


def test_what_the_user_asked_for_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, "7")
    blas_threads.start_none()
    assert os.environ[NAME] == "7"
    assert blas_threads.environment_for_others()[NAME] == "7"


def test_a_line_in_a_notebook_changes_nothing() -> None:
    assert main(["--help"]) == 0
    assert NAME not in os.environ

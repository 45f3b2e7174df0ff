"""What a watchdog says is heard, however late heapscope comes to listen."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from heapscope.collector import watched_dump
from tests.unit.collector.test_watchdog import JOB

TWO_LINES = r"import sys; sys.stdout.write('ready\n{}\n'); sys.stdout.flush(); sys.stdin.read()"


def test_two_lines_that_were_said_at_once_are_both_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when heapscope was stopped until the watchdog had given the dump up."""
    monkeypatch.setattr(watched_dump, "WATCHDOG", [sys.executable, "-c", TWO_LINES])
    root = os.open(tmp_path, os.O_RDONLY)
    output = os.open(tmp_path / "x.part", os.O_CREAT | os.O_WRONLY)
    try:
        with watched_dump._watchdog(
            replace(JOB, root=root, output_fd=output, output_folder_fd=root)
        ) as watchdog:
            assert watched_dump._line(watchdog.stdout, 60) == "ready"
            assert watched_dump._line(watchdog.stdout, 60) == "{}"
    finally:
        os.close(output)
        os.close(root)

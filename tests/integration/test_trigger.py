"""Snapshots that memory calls for, of a real JVM that grows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from heapscope.cli import main
from heapscope.collector import attach, processes
from tests.support.jvm import Jvm, find_jdks, java

pytestmark = pytest.mark.jvm


def test_a_trigger_takes_a_histogram_then_dumps_and_stops(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with java(
        find_jdks()[min(find_jdks())], "Growth", "-XX:+StartAttachListener", arguments=["heap"], heap="256m"
    ) as jvm:
        folder = tmp_path / "out"
        words = ["collect", str(jvm.pid), "-o", str(folder), "--every", "0.2s"]
        assert main([*words, "--trigger", "rss>900G", "--for", "0.5s"]) == 0
        assert not folder.exists()
        for _ in range(8):
            grow(jvm)
        assert main([*words, "--trigger", "rss>80M", "--count", "3"]) == 0
        names = sorted(path.name for path in folder.glob("jvm.*") if path.suffix != ".json")
        assert [name.partition("Z.")[2] for name in names] == ["histogram.txt", "hprof.zst", "hprof.zst"]
        out = capsys.readouterr().out
        assert re.search(r"process \d+: rss [\d.]+ MB \(rss>80M\): a class histogram\n", out)
        assert "version" in attach.jcmd(processes.get(jvm.pid), "VM.version")


def grow(jvm: Jvm) -> None:
    """By 10 MB."""
    assert jvm.process.stdin is not None
    assert jvm.process.stdout is not None
    jvm.process.stdin.write("\n")
    jvm.process.stdin.flush()
    assert jvm.process.stdout.readline() == "grown\n"


def test_a_trigger_that_is_none_is_said_before_anything_is_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["collect", "1", "-o", str(tmp_path / "out")]
    assert main([*words, "--trigger", "ram>8G"]) == 2
    assert "metrics: rss" in capsys.readouterr().err
    assert main([*words, "--for", "1h"]) == 2
    assert list(tmp_path.iterdir()) == []

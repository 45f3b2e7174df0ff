"""The JVM's words, and those for the JDK's tools."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from heapscope.collector import channel
from heapscope.collector.channel import created_seconds, release_of
from tests.unit.collector.living import jvm_process


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("Dumping heap to /x ...\nHeap dump file created [123 bytes in 1.234 secs]\n", 1.234),
        ("Heap dump file created", 0.0),
        ("Dumping heap to /x ...\nDump file is incomplete: No space left on device\n", None),
        ("Dumping heap to /x ...\nUnable to create /x: File exists\n", None),
        ("", None),
    ],
)
def test_only_the_jvms_own_words_mean_success(said: str, seconds: float | None) -> None:
    assert created_seconds(said) == seconds


@pytest.mark.parametrize(
    ("said", "release"),
    [
        ("OpenJDK 64-Bit Server VM version 17.0.15+6-Debian\nJDK 17.0.15\n", 17),
        ("OpenJDK 64-Bit Server VM version 25.412-b08\nJDK 8.0_412\n", 8),
        ("JDK 25\n", 25),
        ("JDK 1.8.0_412", 8),
        ("Eclipse OpenJ9 VM", 0),
    ],
)
def test_releases(said: str, release: int) -> None:
    assert release_of(said) == release


def test_a_program_beside_the_jvm_is_run_only_where_no_link_leads_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link of the target's user may lead to any program of root's."""
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    program = tmp_path / "jdk/bin/jcmd"
    program.parent.mkdir(parents=True)
    program.touch(0o755)
    process = replace(jvm_process(), libjvm=str(tmp_path / "jdk/lib/server/libjvm.so"))
    assert channel._program("jcmd", process) == str(program)
    program.rename(tmp_path / "other")
    program.symlink_to(tmp_path / "other")
    assert channel._program("jcmd", process) is None

"""The JVM's words, and those for the JDK's tools."""

from __future__ import annotations

import pytest

from heapscope.collector.channel import created_seconds, release_of


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

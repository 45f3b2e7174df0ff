"""``heapscope redact``: a copy without values, and keys that cannot be guessed."""

from __future__ import annotations

from pathlib import Path

import heapscope
from tests.unit.cli.conftest import Run


def test_the_copy_has_the_graph_and_no_values(run: Run, dump: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.hprof"
    assert b"hunter2" in dump.read_bytes()
    assert run("redact", dump, copy).code == 0
    assert b"hunter2" not in copy.read_bytes()
    with heapscope.open(dump, use_index=False) as heap, heapscope.open(copy, use_index=False) as redacted:
        assert redacted.object_count == heap.object_count
        assert redacted.shallow_bytes == heap.shallow_bytes
    assert run("redact", dump, copy).code == 3  # it is there


def test_a_key_is_long_and_for_names(run: Run, dump: Path, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("short")
    assert run("redact", dump, tmp_path / "a.hprof", "--names", "--key", key).code == 2
    key.write_text("long enough to be no guess")
    assert run("redact", dump, tmp_path / "a.hprof", "--key", key).code == 2
    assert run("redact", dump, tmp_path / "a.hprof", "--names", "--key", key).code == 0

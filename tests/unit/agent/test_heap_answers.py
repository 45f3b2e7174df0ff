"""Answers about one heap."""

from __future__ import annotations

from pathlib import Path

from heapscope.agent.disclosure import Disclosure
from heapscope.agent.heap_answers import suspects
from heapscope.agent.scope import Scope
from heapscope.agent.workspace import Workspace
from heapscope.progress import no_progress
from tests.support.dumps import DumpBuilder
from tests.unit.off_heap_dumps import declare_buffers, direct_buffer, held_by_static


def test_a_suspect_outside_of_the_heap_says_so(tmp_path: Path) -> None:
    d = DumpBuilder()
    declare_buffers(d)
    held_by_static(d, "com.acme.Camera", frames=[direct_buffer(d, 1 << 20) for _ in range(20)])
    d.dump().save(tmp_path / "a.hprof")
    found = suspects(Workspace(Scope([tmp_path]), Disclosure()), no_progress)
    assert found.says.startswith("21.0 MB outside of the Java heap, ")
    assert found.says.endswith("20 java.nio.DirectByteBuffer in com.acme.Camera.frames")
    assert found.data["suspects"][0]["outside_of_heap_bytes"] == 20 << 20

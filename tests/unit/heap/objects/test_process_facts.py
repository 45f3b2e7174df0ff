"""Strings, environment, system properties and threads, as each JDK has them."""

from __future__ import annotations

from pathlib import Path

import pytest

import heapscope
from tests.support.dumps import DumpBuilder, build


@pytest.mark.parametrize("jdk", [8, 17, 25])
def test_strings_environment_properties_and_threads_of_every_jdk(tmp_path: Path, jdk: int) -> None:
    environment = {"KRB5CCNAME": "/tmp/krb", "LANG": "de_DE.UTF-8", "EMPTY": "", "NAME": "Zoë €"}
    properties = {f"p{number}": f"v{number}" for number in range(30)} | {"java.version": str(jdk)}

    def heap(d: DumpBuilder) -> None:
        d.process_environment(environment)
        d.system_properties(properties)
        d.cls("a.Work")
        d.thread("worker-1", frames=[("a.Work", "run", 7), ("a.Work", "<init>", -3)], daemon=True)

    path = build(heap, jdk=jdk).save(tmp_path / "d.hprof")
    with heapscope.open(path) as opened:
        assert opened.environment() == environment
        assert opened.system_properties() == properties
        (thread,) = opened.threads()
        assert (thread.name, thread.is_daemon, thread.priority) == ("worker-1", True, 5)
        assert [(frame.method, frame.line) for frame in thread.frames] == [("run", 7), ("<init>", -3)]
        assert "a.Work" in str(thread)


def test_two_strings_share_one_value(tmp_path: Path) -> None:
    def heap(d: DumpBuilder) -> None:
        array = d.primitive_array("byte", b"twice")
        d.string("twice", value=array)
        d.string("twice", value=array)

    with heapscope.open(build(heap).save(tmp_path / "d.hprof")) as opened:
        assert [each.text() for each in opened.objects("java.lang.String")] == ["twice", "twice"]
        assert len(opened.objects("byte[]")) == 1

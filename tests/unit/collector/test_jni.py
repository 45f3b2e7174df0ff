"""JNI without a JVM: where it would be, and what is called by which name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from heapscope.collector import jni
from heapscope.errors import JvmNotFound


def test_libraries_are_found_in_maps() -> None:
    maps = (
        "7f00-7f01 r-xp 00000000 fe:01 12  /usr/lib/my jdk/lib/server/libjvm.so\n"
        "7f02-7f03 r--p 00000000 fe:01 12  /usr/lib/my jdk/lib/server/libjvm.so\n"
        "7f04-7f05 r-xp 00000000 fe:01 13  /old/libjvm.so (deleted)\n"
        "7f06-7f07 r-xp 00000000 fe:01 14  /lib/libjvm.so.debug\n"
    )
    assert jni.libjvms(maps) == ["/usr/lib/my jdk/lib/server/libjvm.so", "/old/libjvm.so"]


def test_a_process_without_a_jvm_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(JvmNotFound, match="no libjvm is mapped"):
        jni.created_vm()
    monkeypatch.setattr(jni, "libjvms", lambda: ["/no/libjvm.so"])
    with pytest.raises(JvmNotFound, match="no JVM was created yet"):
        jni.created_vm()


class FakeEnv:
    """Notes the calls of `heapscope.collector.jni`; Java strings are the texts themselves."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def string(self, text: str) -> str:
        return text

    def text(self, string: str) -> str:
        return f"text of {string}"

    def find_class(self, name: str) -> str:
        return name

    def array(self, class_name: str, items: list[Any]) -> tuple[str, ...]:
        return (class_name, *items)

    def new(self, class_name: str, signature: str, *arguments: Any) -> tuple[Any, ...]:
        return (class_name, *arguments)

    def invoke_static(self, class_name: str, method: str, signature: str, *arguments: Any) -> str:
        return method

    def invoke(self, target: Any, method: str, signature: str, *arguments: Any) -> str:
        self.calls.append((target, method, *arguments))
        return "answer"


@pytest.fixture
def java(monkeypatch: pytest.MonkeyPatch) -> FakeEnv:
    env = FakeEnv()

    @contextmanager
    def attached(vm: int) -> Iterator[FakeEnv]:
        yield env

    monkeypatch.setattr(jni, "attached", attached)
    monkeypatch.setattr(jni, "reference", lambda value: value)
    return env


@pytest.mark.parametrize(
    ("command", "operation", "options"),
    [
        ("VM.version", "vmVersion", []),
        ("GC.class_histogram -all", "gcClassHistogram", ["-all"]),
        ("VM.command_line", "vmCommandLine", []),
        ("Thread.print -l -e", "threadPrint", ["-l", "-e"]),
    ],
)
def test_a_diagnostic_command_is_an_operation_of_its_bean(
    java: FakeEnv, command: str, operation: str, options: list[str]
) -> None:
    assert jni.diagnostic_command(1, command) == "text of answer"
    ((target, method, _, name, given, _),) = java.calls
    assert (target, method, name) == ("getPlatformMBeanServer", "invoke", operation)
    assert given == ("java/lang/Object", ("java/lang/String", *options))


@pytest.mark.parametrize("live", [True, False])
def test_a_dump_is_asked_for_with_its_path(java: FakeEnv, live: bool) -> None:
    jni.dump_heap(1, "/x.hprof", live=live)
    ((target, method, path, flag),) = java.calls
    assert (target, method, path) == ("getPlatformMXBean", "dumpHeap", "/x.hprof")
    assert flag.z == live

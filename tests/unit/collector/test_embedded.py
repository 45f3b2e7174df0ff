"""Which way a JVM inside this process is asked, as far as that is told without one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import heapscope
from heapscope.collector import attach, embedded, jni, processes
from heapscope.errors import DumpFailed, JvmNotFound
from tests.unit.collector.living import jvm_process

PROCESS = jvm_process()


@pytest.fixture(autouse=True)
def _answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jni, "diagnostic_command", lambda vm, command: f"JDK 17.0.15\n{command} by JNI")
    monkeypatch.setattr(attach, "jcmd", lambda process, command, **options: f"{command} by socket {options}")
    monkeypatch.setattr(embedded, "owns_sigquit", lambda: True)


def test_a_process_without_a_jvm_is_told_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(JvmNotFound, match=r"hosts no JVM.*heapscope collect PID"):
        heapscope.collect_self(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_forked_child_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jni, "created_vm", lambda: 1)
    monkeypatch.setattr(processes, "get", lambda pid: replace(PROCESS, is_started=False))
    with pytest.raises(JvmNotFound, match="was forked"):
        heapscope.collect_self(tmp_path)


@pytest.mark.parametrize("state", ["yes", "signal"])
def test_a_dump_that_flows_takes_the_socket_and_all_else_jni(state: str) -> None:
    channel = embedded._channel(1, replace(PROCESS, attach=state), is_streamed=True)  # type: ignore[arg-type]
    assert (channel.method, channel.release, channel.why_no_stream) == ("embedded", 17, "")
    assert channel.ask("VM.flags", 1.0).endswith("VM.flags by JNI")
    assert "by socket {'allow_sigquit': True, 'seconds': 9.0}" in channel.ask("GC.heap_dump /x.hprof", 9.0)


def test_where_attaching_is_disabled_a_file_is_written_by_jni(monkeypatch: pytest.MonkeyPatch) -> None:
    dumped: list[tuple[str, bool]] = []
    monkeypatch.setattr(jni, "dump_heap", lambda vm, path, live: dumped.append((path, live)))
    process = replace(PROCESS, attach="no", attach_reason="it runs with -XX:+DisableAttachMechanism")
    channel = embedded._channel(1, process, is_streamed=True)
    assert channel.why_no_stream == process.attach_reason
    assert channel.ask("GC.heap_dump -all /x.hprof", 9.0) == "Heap dump file created"
    assert channel.ask("GC.heap_dump /y.hprof", 9.0) == "Heap dump file created"
    assert dumped == [("/x.hprof", False), ("/y.hprof", True)]


def test_no_signal_goes_to_a_handler_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "owns_sigquit", lambda: False)
    channel = embedded._channel(1, replace(PROCESS, attach="signal"), is_streamed=True)
    assert "SIGQUIT" in channel.why_no_stream


def test_a_refusal_is_a_failed_dump(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(vm: int, path: str, live: bool) -> None:
        raise jni.JavaError("java.io.IOException: No such file or directory")

    monkeypatch.setattr(jni, "dump_heap", refuse)
    channel = embedded._channel(1, PROCESS, is_streamed=False)
    with pytest.raises(DumpFailed, match=r"No such file.*no snapshot was kept"):
        channel.ask("GC.heap_dump /no/x.hprof", 9.0)


def test_python_does_not_own_sigquit_as_a_jvm_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert not embedded.owns_sigquit()

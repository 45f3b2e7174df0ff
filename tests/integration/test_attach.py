"""Real JVMs: found, judged, asked, and alive afterwards."""

from __future__ import annotations

import json
import signal
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from heapscope.cli import main
from heapscope.collector import attach, processes
from heapscope.errors import AttachRefused, AttachTimeout, JvmNotFound
from tests.support.jvm import Jvm, find_jdks, java, stop, wait_until

pytestmark = pytest.mark.jvm
RELEASES = sorted(find_jdks())


def is_alive(jvm: Jvm) -> bool:
    return jvm.process.poll() is None


@pytest.mark.parametrize("release", RELEASES)
def test_a_jvm_with_a_listener_is_asked_without_any_signal(release: int) -> None:
    with java(find_jdks()[release], "Zoo", "-XX:+StartAttachListener") as jvm:
        process = processes.get(jvm.pid)
        assert process.attach == "yes"
        assert not process.is_embedded
        assert process.is_started
        text = attach.jcmd(process, "GC.class_histogram")
        assert "java.lang.String" in text
        assert is_alive(jvm)


@pytest.mark.parametrize("release", RELEASES)
def test_a_signal_is_sent_only_when_allowed(release: int) -> None:
    with java(find_jdks()[release], "Zoo") as jvm:
        process = processes.get(jvm.pid)
        assert process.attach == "signal"
        with pytest.raises(AttachRefused, match=r"--allow-sigquit.*StartAttachListener"):
            attach.jcmd(process, "VM.version")
        assert processes.get(jvm.pid).attach == "signal"
        assert "version" in attach.jcmd(process, "VM.version", allow_sigquit=True)
        assert not Path(f"/tmp/.attach_pid{jvm.pid}").exists()
        assert processes.get(jvm.pid).attach == "yes"
        assert "version" in attach.jcmd(process, "VM.version")


@pytest.mark.parametrize("release", RELEASES)
def test_where_attaching_is_disabled_no_signal_is_sent(release: int) -> None:
    with java(find_jdks()[release], "Zoo", "-XX:+DisableAttachMechanism") as jvm:
        process = processes.get(jvm.pid)
        assert process.attach == "no"
        with pytest.raises(AttachRefused, match="DisableAttachMechanism"):
            attach.jcmd(process, "VM.version", allow_sigquit=True)
        assert is_alive(jvm)


@pytest.mark.parametrize("release", RELEASES)
def test_xrs_opens_the_socket_itself_and_without_it_a_signal_would_kill(
    release: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    signals: list[object] = []
    monkeypatch.setattr(signal, "pidfd_send_signal", lambda *sent: signals.append(sent))
    with java(find_jdks()[release], "Zoo", "-Xrs") as jvm:
        assert "version" in attach.jcmd(processes.get(jvm.pid), "VM.version")
        Path(f"/tmp/.java_pid{jvm.pid}").unlink()
        with pytest.raises(AttachRefused, match="-Xrs"):
            attach.jcmd(processes.get(jvm.pid), "VM.version", allow_sigquit=True)
        assert signals == []
        assert is_alive(jvm)


@pytest.mark.parametrize("release", RELEASES)
def test_without_perf_data_all_but_the_heap_is_known(release: int) -> None:
    with java(find_jdks()[release], "Zoo", "-XX:-UsePerfData") as jvm:
        process = processes.get(jvm.pid)
        assert process.heap is None
        assert process.rss_bytes > 1 << 20
        assert "version" in attach.jcmd(process, "VM.version", allow_sigquit=True)


def test_a_stopped_process_is_left_alone() -> None:
    with java(find_jdks()[RELEASES[0]], "Zoo") as jvm:
        stop(jvm.process)
        process = processes.get(jvm.pid)
        assert process.attach == "no"
        assert "stopped" in process.attach_reason
        jvm.process.send_signal(signal.SIGCONT)
        wait_until(lambda: processes.get(jvm.pid).attach == "signal", "it goes on")


def test_a_jvm_that_stops_answering_ends_in_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    with java(find_jdks()[RELEASES[0]], "Zoo", "-XX:+StartAttachListener") as jvm:
        process = processes.get(jvm.pid)
        stop(jvm.process)
        monkeypatch.setattr(attach, "_same", lambda process: process)  # it stops just after the checks
        with pytest.raises(AttachTimeout, match="no answer"):
            attach.jcmd(process, "GC.class_histogram", seconds=0.3)
        monkeypatch.undo()
        jvm.process.send_signal(signal.SIGCONT)
        assert "version" in attach.jcmd(process, "VM.version")


def test_a_pid_that_is_anothers_now_is_refused() -> None:
    with java(find_jdks()[RELEASES[0]], "Zoo", "-XX:+StartAttachListener") as jvm:
        process = replace(processes.get(jvm.pid), start_ticks=1)
        with pytest.raises(AttachRefused, match="has ended"):
            attach.jcmd(process, "VM.version")


def test_the_socket_of_another_process_is_refused_and_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    with java(find_jdks()[RELEASES[0]], "Zoo") as jvm:
        path = Path(f"/tmp/.java_pid{jvm.pid}")
        with socket.socket(socket.AF_UNIX) as ours:
            ours.bind(str(path))
            ours.listen()
            try:
                process = processes.get(jvm.pid)
                with pytest.raises(AttachRefused, match="nobody listens at its attach socket"):
                    attach.jcmd(process, "VM.version")
                with monkeypatch.context() as patch:
                    patch.setattr(attach, "_same", lambda process: replace(process, attach="yes"))
                    with pytest.raises(AttachRefused, match="left behind"):
                        attach.jcmd(process, "VM.version")
                # The JVM takes the name for a socket of its own.
                assert "version" in attach.jcmd(process, "VM.version", allow_sigquit=True)
            finally:
                path.unlink()
        assert is_alive(jvm)


def test_an_unknown_command_is_the_jvms_own_words() -> None:
    with java(find_jdks()[RELEASES[0]], "Zoo", "-XX:+StartAttachListener") as jvm:
        with pytest.raises(AttachRefused, match="Unknown diagnostic command"):
            attach.jcmd(processes.get(jvm.pid), "No.such_thing")
        assert is_alive(jvm)


def test_no_jvm_is_one_clear_line() -> None:
    with pytest.raises(JvmNotFound, match="heapscope ps"):
        processes.get(2**22 + 1)


def test_ps_lists_it_with_what_matters_and_no_other_variable(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERB_TICKET_CACHE_PATH", "/tmp/krb5cc_7")
    monkeypatch.setenv("SOME_PASSWORD", "hunter2")
    monkeypatch.setenv("LIBHDFS_OPTS", "-Xmx64m -Djavax.net.ssl.trustStorePassword=hunter2")
    with java(
        find_jdks()[RELEASES[0]],
        "Zoo",
        arguments=["--job_name=worker", "--task_index=4", "--password=hunter2"],
    ) as jvm:
        assert main(["ps", "--role", "worker", "--json"]) == 0
        text = capsys.readouterr().out
        (row,) = [row for row in json.loads(text)["processes"] if row["pid"] == jvm.pid]
        assert (row["role"], row["task_index"]) == ("worker", 4)
        assert row["environment"]["KERB_TICKET_CACHE_PATH"] == "/tmp/krb5cc_7"
        assert not row["is_suspect"]  # libhdfs is not mapped
        assert "hunter2" not in text
        assert row["heap"]["max_bytes"] == pytest.approx(64 << 20, abs=64)  # G1 adds a word a generation
        assert main(["ps"]) == 0
        table = capsys.readouterr().out
        assert "worker:4" in table
        assert "LIBHDFS_OPTS=-Xmx64m -Djavax.net.ssl.trustStorePassword=(masked)" in table
        assert "hunter2" not in table

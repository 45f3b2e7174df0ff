"""The attach protocol against a listener of this process: what is sent, what every answer means."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from heapscope.collector import attach, target_user
from heapscope.collector.processes import NO_SOCKET, NOBODY_LISTENS
from heapscope.collector.target_user import Owner
from heapscope.errors import AttachRefused, AttachTimeout, CollectError
from tests.unit.collector.living import jvm_process

PROCESS = jvm_process()


@contextmanager
def listener(answer: Callable[[socket.socket], None]) -> Iterator[None]:
    """An attach socket of this process; ``answer`` serves its one connection."""
    path = Path(f"/tmp/.java_pid{os.getpid()}")
    path.unlink(missing_ok=True)  # a killed JVM that had this pid before leaves its socket
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                answer(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            path.unlink()
            thread.join()


@pytest.fixture(autouse=True)
def _itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process hosts no JVM: it is taken for the one that was looked at."""
    monkeypatch.setattr(attach, "_same", lambda process: process)


def test_a_request_has_version_command_and_three_arguments() -> None:
    sent: list[bytes] = []

    def answer(connection: socket.socket) -> None:
        sent.append(connection.recv(1000))
        connection.sendall(b"0\n17.0.15\n")

    with listener(answer):
        assert attach.jcmd(PROCESS, "VM.version") == "17.0.15\n"
    assert sent == [b"1\0jcmd\0VM.version\0\0\0"]


@pytest.mark.parametrize(
    ("reply", "words", "is_understood"),
    [
        (b"1\nUnknown diagnostic command\n", "status 1: Unknown diagnostic command", True),
        (b"101\n", "status 101: no text", False),
        (b"", "closed the connection without an answer", True),
    ],
)
def test_a_rejection_has_the_words_of_the_jvm(reply: bytes, words: str, is_understood: bool) -> None:
    def answer(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(reply)

    with listener(answer), pytest.raises(AttachRefused, match=words) as caught:
        attach.jcmd(PROCESS, "No.such_thing")
    assert caught.value.is_understood == is_understood


def test_no_answer_ends_in_a_timeout() -> None:
    is_over = threading.Event()

    def keep_silent(_: socket.socket) -> None:
        is_over.wait()

    with listener(keep_silent):
        try:
            with pytest.raises(AttachTimeout, match="no answer"):
                attach.jcmd(PROCESS, "VM.version", seconds=0.01)
        finally:
            is_over.set()


def test_an_answer_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attach, "_MAX_REPLY_BYTES", 1000)

    def answer(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(b"0" * 2000)

    with listener(answer), pytest.raises(AttachRefused, match="does not end"):
        attach.jcmd(PROCESS, "VM.version")


@pytest.mark.parametrize(
    ("state", "reason", "words"),
    [
        ("no", "it is stopped", "it is stopped"),
        ("signal", NO_SOCKET, r"--allow-sigquit.*StartAttachListener"),
        ("signal", NOBODY_LISTENS, "nobody listens at its attach socket"),
    ],
)
def test_nothing_is_sent_where_it_could_harm(
    state: str, reason: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signal, "pidfd_send_signal", lambda *sent: pytest.fail(f"sent {sent}"))
    process = replace(PROCESS, attach=state, attach_reason=reason)  # type: ignore[arg-type]
    with pytest.raises(AttachRefused, match=words):
        attach.jcmd(process, "VM.version")


def test_one_signal_opens_the_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []
    asked: list[int] = []
    Path(f"/tmp/.java_pid{os.getpid()}").unlink(missing_ok=True)  # of a killed JVM that had this pid
    with socket.socket(socket.AF_UNIX) as server:

        def listens_at_last(pid: int) -> bool:
            """A socket that was left behind is there before anybody listens."""
            asked.append(pid)
            return len(asked) == 3

        def open_socket(fd: int, number: int) -> None:
            sent.append(number)
            assert Path(f"/tmp/.attach_pid{os.getpid()}").exists()
            server.bind(f"/tmp/.java_pid{os.getpid()}")
            server.listen()

        monkeypatch.setattr(signal, "pidfd_send_signal", open_socket)
        monkeypatch.setattr(attach, "is_listening", listens_at_last)
        try:
            attach.connect(replace(PROCESS, attach="signal"), allow_sigquit=True).close()
        finally:
            Path(f"/tmp/.java_pid{os.getpid()}").unlink(missing_ok=True)
    assert sent == [signal.SIGQUIT]
    assert asked == [os.getpid()] * 3
    assert not Path(f"/tmp/.attach_pid{os.getpid()}").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root to give a file away")
@pytest.mark.parametrize("is_here", [False, True])
def test_a_file_that_the_jvm_would_not_believe_keeps_the_signal_back(
    is_here: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HotSpot takes a SIGQUIT beside another user's file for one that asks for its threads.

    A file in its current directory counts before the one in ``/tmp``.
    """
    monkeypatch.setattr(signal, "pidfd_send_signal", lambda *sent: pytest.fail(f"sent {sent}"))
    monkeypatch.chdir(tmp_path)
    path = (tmp_path if is_here else Path("/tmp")) / f".attach_pid{os.getpid()}"
    path.touch()
    os.chown(path, 65534, 65534)
    try:
        with pytest.raises(
            AttachRefused, match=r"belongs to user nobody, .*nobody or root can remove it \(rm "
        ):
            attach.connect(replace(PROCESS, attach="signal"), allow_sigquit=True)
        assert path.exists()
        assert is_here or not Path(path.name).exists()
    finally:
        path.unlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root to give a file to root")
@pytest.mark.parametrize(("version", "is_believed"), [("17.0.15+6", True), ("25.412-b08", False)])
def test_roots_file_is_believed_since_jdk_11(
    version: str, is_believed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The JVM is nobody's."""
    monkeypatch.setattr(target_user, "owner_of", lambda pid: Owner(65534, 65534, is_foreign=False))
    name = ".attach_pid4711"
    (tmp_path / name).touch()
    folder = os.open(tmp_path, os.O_RDONLY)
    process = replace(PROCESS, jvm_version=version)
    try:
        if is_believed:
            attach._create_trigger(process, folder, name)
        else:
            with pytest.raises(AttachRefused, match=r"belongs to user root, .*; root can remove it"):
                attach._create_trigger(process, folder, name)
    finally:
        os.close(folder)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # it is left behind
def test_a_current_directory_that_hangs_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who looks into it waits as long as its disk does."""
    monkeypatch.setattr(signal, "pidfd_send_signal", lambda *sent: pytest.fail(f"sent {sent}"))
    monkeypatch.setattr(attach, "_CONNECT_SECONDS", 0.1)
    os.mkfifo(tmp_path / "disk")
    waits = f"open({str(tmp_path / 'disk')!r}).read()"
    monkeypatch.setattr(attach, "_ASK_OWNER", [sys.executable, "-c", waits])
    with pytest.raises(AttachTimeout, match=r"its current directory does not answer .* nothing was sent"):
        attach.connect(replace(PROCESS, attach="signal"), allow_sigquit=True)
    assert not Path(f"/tmp/.attach_pid{os.getpid()}").exists()


def test_a_jvm_without_descriptors_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its listener would end."""
    monkeypatch.setattr(attach, "without_descriptors", lambda home: f"{home} has none left")
    with pytest.raises(AttachRefused, match=f"/proc/{os.getpid()} has none left"):
        attach.jcmd(PROCESS, "VM.version")


def test_without_a_socket_it_is_refused() -> None:
    with pytest.raises(AttachRefused, match="does not answer"):
        attach.connect(PROCESS)


@pytest.mark.parametrize(
    ("command", "arguments"),
    [("x" * 17, ()), ("jcmd", ("a", "b", "c", "d")), ("jcmd", ("a\0b",)), ("jcmd", ("x" * 1025,))],
)
def test_what_the_protocol_cannot_say_is_not_sent(command: str, arguments: tuple[str, ...]) -> None:
    with pytest.raises(CollectError, match=r"no attach request|longer than 1,024 bytes"):
        attach.request(PROCESS, command, *arguments)


@pytest.mark.parametrize(("command", "is_long"), [("VM.version", False), ("GC.class_histogram -all", True)])
def test_only_a_class_histogram_may_be_long(command: str, is_long: bool) -> None:
    def answer(connection: socket.socket) -> None:
        connection.recv(1000)
        with suppress(OSError):
            connection.sendall(b"0\n" + b"x" * (3 << 20))

    with listener(answer):
        if is_long:
            assert len(attach.jcmd(PROCESS, command)) == 3 << 20
        else:
            with pytest.raises(AttachRefused, match="does not end"):
                attach.jcmd(PROCESS, command)

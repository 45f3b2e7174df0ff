"""The process that holds the FIFO: whole streams through bounded memory, and an end whatever happens."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from heapscope.collector import reader
from heapscope.collector.buffer import SLOT_BYTES, SlotBuffer, default_buffer_bytes
from heapscope.collector.reader import Status, open_fifos, open_held, read_fifos

MANY = 3 * SLOT_BYTES + 12_345


@dataclass
class Reading:
    """A reader in a thread of this process, with its FIFOs, the watchdog's end and the writer's."""

    folder: Path
    names: tuple[str, ...]
    buffer: SlotBuffer = field(default_factory=lambda: SlotBuffer(0))
    status: Status = field(default_factory=Status)
    codes: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.paths = [self.folder / name for name in self.names]
        for path in self.paths:
            os.mkfifo(path)
        guards = [os.open(path, os.O_PATH) for path in self.paths]
        fifos = open_fifos(guards)
        held = open_held(guards[1]) if len(guards) > 1 else -1
        self.control, self.theirs = socket.socketpair()
        self.thread = threading.Thread(
            target=lambda: self.codes.append(read_fifos(fifos, held, self.buffer, self.status, self.theirs))
        )
        self.thread.start()

    def end(self) -> int:
        """Wait until the reader has ended; how."""
        self.thread.join()
        self.control.close()
        self.theirs.close()
        os.close(self.buffer.filled_in)
        return self.codes[0]

    def written(self) -> dict[int, bytes]:
        """What a writer gets, by stream; it frees each slot."""
        found: dict[int, bytes] = {0: b"", 1: b""}
        for slot, stream, size in self.buffer.filled():
            found[stream] += bytes(self.buffer.slot(slot)[:size])
            self.buffer.give_back(slot)
        return found


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Reading]:
    found = Reading(tmp_path, ("dump",))
    yield found
    assert not found.thread.is_alive()


def test_a_dump_longer_than_memory_goes_through(one: Reading) -> None:
    data = os.urandom(SLOT_BYTES) * (one.buffer.count + 3) + b"rest"
    found: list[dict[int, bytes]] = []
    writer = threading.Thread(target=lambda: found.append(one.written()))
    writer.start()
    one.paths[0].write_bytes(data)
    assert one.end() == reader.DONE
    writer.join()
    assert found == [{0: data, 1: b""}]
    assert one.status.read_bytes == len(data)


def test_a_stuck_writer_fills_memory_and_no_more_and_time_ends_it(one: Reading) -> None:
    pipe = os.open(one.paths[0], os.O_WRONLY | os.O_NONBLOCK)
    sent, block = 0, bytes(SLOT_BYTES)
    while not one.status.is_full:
        try:
            sent += os.write(pipe, block)
        except BlockingIOError:
            time.sleep(0.001)
    assert one.status.read_bytes == one.buffer.count * SLOT_BYTES
    assert one.thread.is_alive()
    one.status.deadline_milliseconds = 1  # long past
    os.write(one.control.fileno(), b"")
    one.buffer.give_back(0)  # it looks at the clock when it wakes
    assert one.end() == reader.TIME_IS_UP
    os.close(pipe)


def test_a_writer_that_has_ended_ends_the_reader(one: Reading) -> None:
    os.close(one.buffer.freed_in)
    assert one.end() == reader.NO_WRITER


def test_names_come_before_the_part_and_an_empty_file_before_its_bytes(tmp_path: Path) -> None:
    """As JDK 22 and later write: the part while the first stream is open."""
    reading = Reading(tmp_path, ("dump", "dump.p0"))
    with open(reading.paths[0], "wb", buffering=0) as main:
        main.write(b"header and names")
        with open(reading.paths[1], "wb", buffering=0) as part:
            part.write(b"x" * 1000)
            assert reading.control.recv(1) == reader.PART_BEGINS
            assert reading.status.read_bytes == len(b"header and names")
            reading.control.send(reader.PART_IS_EMPTY)
            part.write(b"x" * (MANY - 1000))
        main.write(b"late")
    assert reading.end() == reader.DONE
    order = [(stream, size) for _, stream, size in reading.buffer.filled()]
    assert order[:2] == [(0, len(b"header and names")), (1, SLOT_BYTES)]
    assert sum(size for stream, size in order if stream) == MANY
    assert sum(size for stream, size in order if not stream) == len(b"header and names") + len(b"late")


def test_a_short_part_is_not_lost_when_all_ends_at_once(tmp_path: Path) -> None:
    reading = Reading(tmp_path, ("dump", "dump.p0"))
    with open(reading.paths[0], "wb", buffering=0) as main, open(reading.paths[1], "wb", buffering=0) as part:
        part.write(b"objects")
        assert reading.control.recv(1) == reader.PART_BEGINS  # and is never answered
        main.write(b"names")
    assert reading.end() == reader.DONE
    assert reading.written() == {0: b"names", 1: b"objects"}


@pytest.mark.parametrize("names", [("dump",), ("dump", "dump.p0")])
def test_a_fifo_that_a_forked_child_holds_ends_when_the_jvm_is_done(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    """A child of the program that hosts the JVM has all that was open when it was forked."""
    reading = Reading(tmp_path, names)
    data = os.urandom(MANY)
    pipes = [os.open(path, os.O_WRONLY) for path in reading.paths]
    inherited = [os.dup(pipe) for pipe in pipes]
    if len(pipes) > 1:
        os.write(pipes[1], b"objects")
        assert reading.control.recv(1) == reader.PART_BEGINS
        reading.control.send(reader.PART_IS_EMPTY)
    with open(pipes[0], "wb", buffering=0) as main:
        view = memoryview(data)
        while view:
            view = view[main.write(view) :]
    assert reading.thread.is_alive()
    reading.control.send(reader.JVM_IS_DONE)
    assert reading.end() == reader.DONE
    assert reading.written() == {0: data, 1: b"objects" if len(names) > 1 else b""}
    for fd in (*inherited, *pipes[1:]):
        os.close(fd)


def test_only_fifos_are_opened_to_let_a_jvm_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its folder is the JVM's user's, who may put a link there: opening a device may do harm."""
    opened: list[str] = []
    real = os.open

    def watched(path: str | Path, flags: int, *words: int) -> int:
        fd = real(path, flags, *words)
        if not flags & os.O_PATH:
            opened.append(os.readlink(f"/proc/self/fd/{fd}"))
        return fd

    os.mkfifo(tmp_path / "dump.hprof")
    (tmp_path / "device").touch()
    (tmp_path / "dump.hprof.p0").symlink_to("device")
    (tmp_path / "dump.hprof.p1").symlink_to("dump.hprof")
    monkeypatch.setattr(os, "open", watched)
    reader.release_openers_of([*sorted(tmp_path.glob("dump.*")), tmp_path / "missing"])
    assert opened == [str(tmp_path / "dump.hprof")]


def test_without_an_empty_file_nothing_is_read_twice(tmp_path: Path) -> None:
    reading = Reading(tmp_path, ("dump", "dump.p0"))
    with open(reading.paths[0], "wb"), open(reading.paths[1], "wb", buffering=0) as part:
        part.write(b"objects")
        assert reading.control.recv(1) == reader.PART_BEGINS
        reading.control.send(b"!")
        assert reading.end() == reader.NO_EMPTY_FILE


def test_memory_is_an_eighth_of_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {"machine_bytes": 8 << 30, "machine_used_bytes": 0}
    monkeypatch.setattr("heapscope.collector.buffer.memory_limits", lambda pid: limits)
    assert default_buffer_bytes() == 1 << 30
    limits |= {"container_bytes": 1 << 30, "container_used_bytes": 512 << 20}
    assert default_buffer_bytes() == 64 << 20
    limits["container_used_bytes"] = 1 << 30
    assert default_buffer_bytes() == 8 << 20

"""Links to FIFOs that lead nowhere when nobody is left."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from heapscope.collector.holder import Holder, can_link
from heapscope.collector.target_user import act_as
from tests.support.jvm import wait_until

NOBODY = (65534, 65534)


@pytest.fixture
def fifos() -> Iterator[list[Path]]:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o777)
        yield [Path(folder, name) for name in ("dump.hprof", "dump.hprof.p0")]


def guarded(fifos: list[Path]) -> list[int]:
    for path in fifos:
        os.mkfifo(path, 0o600)
    return [os.open(path, os.O_PATH | os.O_NOFOLLOW) for path in fifos]


def test_what_is_opened_is_the_fifo_and_nothing_when_the_holder_is_gone(fifos: list[Path]) -> None:
    guards = guarded(fifos)
    holder = Holder(fifos, guards, None)
    readers = [os.open(f"/proc/self/fd/{guard}", os.O_RDONLY | os.O_NONBLOCK) for guard in guards]
    for path, reader in zip(fifos, readers, strict=True):
        assert path.is_symlink()
        assert stat.S_ISFIFO(path.stat().st_mode)
        with path.open("wb", buffering=0) as writer:
            writer.write(b"dump")
        assert os.read(reader, 10) == b"dump"
    holder.end()
    for path in fifos:
        # As a JVM opens it; a FIFO without a reader would hold it for ever.
        with pytest.raises(FileNotFoundError):
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for fd in (*guards, *readers):
        os.close(fd)


def test_it_is_no_reader(fifos: list[Path]) -> None:
    """A JVM whose reader has ended gets EPIPE, whether or not the holder is still there."""
    guards = guarded(fifos)
    holder = Holder(fifos, guards, None)
    with pytest.raises(OSError, match="No such device"):  # ENXIO: no reader
        os.open(fifos[0], os.O_WRONLY | os.O_NONBLOCK)
    holder.end()
    for fd in guards:
        os.close(fd)


def test_it_ends_with_its_watchdog(fifos: list[Path]) -> None:
    code = (
        "import os, sys; from pathlib import Path; from heapscope.collector.holder import Holder\n"
        "paths = [Path(each) for each in sys.argv[1:]]\n"
        "guards = [os.open(path, os.O_PATH | os.O_NOFOLLOW) for path in paths]\n"
        "holder = Holder(paths, guards, None)\n"
        "print('held', flush=True); sys.stdin.read()"
    )
    for guard in guarded(fifos):
        os.close(guard)
    watchdog = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, fifos)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert watchdog.stdout is not None
    assert watchdog.stdout.readline() == b"held\n"
    assert fifos[0].exists()
    watchdog.kill()
    watchdog.communicate()
    wait_until(lambda: not fifos[0].exists(), "the link leads nowhere")


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root to be another user")
def test_a_jvm_of_another_user_can_follow_the_link(fifos: list[Path]) -> None:
    """And the holder has nothing of root that this user could look at."""
    try:
        act_as(NOBODY)
        guards = guarded(fifos)
        holder = Holder(fifos, guards, NOBODY)
    finally:
        act_as(None)
    pid = os.readlink(fifos[0]).split("/")[2]
    assert Path(f"/proc/{pid}/status").read_text().count("\t65534\t65534\t65534\t65534\n") == 2
    assert Path(f"/proc/{pid}/environ").read_bytes() == b""
    look = (
        "import os, sys; os.setgroups([]); os.setgid(65534); os.setuid(65534); "
        "os.open(sys.argv[1], os.O_PATH)"
    )
    done = subprocess.run([sys.executable, "-c", look, str(fifos[0])], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    holder.end()
    for fd in guards:
        os.close(fd)


def test_a_process_with_less_power_or_another_label_could_not_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel refuses it then, and the JVM would have no dump at all."""
    with monkeypatch.context() as patch:
        patch.setattr("heapscope.collector.holder._powers", lambda status, name: int(name == "CapPrm"))
        assert not can_link(os.getpid())
    with monkeypatch.context() as patch:
        patch.setattr("heapscope.collector.holder._label", lambda home: home)
        assert not can_link(os.getpid())


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root to have power to lose")
def test_root_without_powers_is_told_from_root() -> None:
    words = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "sleep", "60"]
    weak = subprocess.Popen(words)
    try:
        status = Path(f"/proc/{weak.pid}/status")
        wait_until(lambda: "CapEff:\t0000000000000000" in status.read_text(), "it has no power")
        assert not can_link(weak.pid)
    finally:
        weak.kill()
        weak.wait()


def test_only_processes_that_see_the_same_proc_can_follow() -> None:
    assert can_link(os.getpid())
    assert not can_link(1 << 30)

"""The folder of the target that a dump goes to: its /tmp for a FIFO, one with enough room for a file."""

from __future__ import annotations

import fcntl
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from heapscope.collector.attach_reasons import as_whom
from heapscope.collector.disk import Disk
from heapscope.collector.expectation import expected_dump_bytes
from heapscope.collector.processes import JvmProcess, start_ticks
from heapscope.collector.reader import release_openers_of
from heapscope.errors import CollectError
from heapscope.units import format_bytes

PREFIX = "heapscope-"
_FOLDERS = ("/tmp", "/var/tmp")
# File systems in memory: files there count against the limit of the container.
_MEMORY_FILE_SYSTEMS = {"tmpfs", "ramfs"}
# JDK 22 and later write a part file and append it to the dump before they remove it: both exist for a while.
_FIRST_RELEASE_WITH_PARTS = 22
_COPIES_WITH_PARTS = 2


def folder_name(token: str) -> str:
    """The name of our folder: it has our pid and start time, so that `sweep` knows when we have ended."""
    return f"{PREFIX}{os.getpid()}-{start_ticks(os.getpid())}-{token}"


def open_root(process: JvmProcess, folder: str = "/tmp") -> int:
    """Open a directory of the target.

    The path ``/proc/PID/root`` ends with the process; an open directory can be cleaned up after that.

    Raises
    ------
    CollectError
        Our user may not open it, or it is a link.
    """
    # Step by step and never through a link: an absolute one would lead into our own file system.
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    try:
        fd = os.open(f"/proc/{process.pid}/root/", flags)
        for step in folder.strip("/").split("/"):
            above = fd
            try:
                fd = os.open(step, flags | os.O_NOFOLLOW, dir_fd=above)
            finally:
                os.close(above)
    except OSError as error:
        raise CollectError(f"process {process.pid}: its {folder}: {error.strerror}; {as_whom()}") from None
    return fd


def room_for_file(process: JvmProcess, release: int, min_free_bytes: int | None = None) -> tuple[str, int]:
    """A folder of the target with room for a dump that is written as a file.

    Parameters
    ----------
    process : JvmProcess
    release : int
        Feature release of its JVM; 0 where it is not known.
    min_free_bytes : int or None
        What has to stay free; None for the default of `Disk`.

    Returns
    -------
    (str, int)
        The folder's name in the target, and the open directory.

    Raises
    ------
    CollectError
        No folder has enough free space on a disk.
    """
    # Where the release is not known it may be a new one.
    copies = 1 if 0 < release < _FIRST_RELEASE_WITH_PARTS else _COPIES_WITH_PARTS
    need = copies * expected_dump_bytes(process)
    seen = []
    for name in _FOLDERS:
        with suppress(CollectError):
            fd = open_root(process, name)
            free = Disk(Path(name), fd, min_free_bytes).left_bytes()
            if _is_memory(process, fd):
                seen.append(f"{name} is memory")
            elif free < need:
                seen.append(f"{name} has {format_bytes(max(0, free))} to spare")
            else:
                return name, fd
            os.close(fd)
    raise CollectError(
        f"process {process.pid}: a dump written as a file may need {format_bytes(need)} there: "
        f"{', '.join(seen) or 'its /tmp is out of reach'}; make room, or use --kind histogram"
    )


def _is_memory(process: JvmProcess, fd: int) -> bool:
    """Whether a directory lies in memory, by the mount its device belongs to."""
    device = os.fstat(fd).st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    try:
        lines = Path(f"/proc/{process.pid}/mountinfo").read_text(errors="surrogateescape").splitlines()
    except OSError:
        return False
    kinds = {line.partition(" - ")[2].split(" ")[0] for line in lines if line.split(" ")[2] == wanted}
    return bool(kinds & _MEMORY_FILE_SYSTEMS)


def lock(folder: Path) -> int:
    """Lock a folder of ours for as long as the descriptor that is returned stays open; -1 where none can be.

    Whoever sweeps in another pid namespace does not know our pid.
    """
    fd = -1
    with suppress(OSError):
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return fd


def sweep(processes: Iterable[JvmProcess]) -> list[int]:
    """Remove the folders that a killed heapscope left in the temporary folders of targets.

    A JVM may wait at a FIFO there: it goes on.

    Parameters
    ----------
    processes : iterable of JvmProcess
        Those that share a folder are swept once.

    Returns
    -------
    list of int
        The pid of a process whose temporary folder had one, for each.
    """
    return [process.pid for process, path in _left(processes) if _release(path)]


def left_in(processes: Iterable[JvmProcess]) -> list[int]:
    """As `sweep`, of folders with a FIFO, where a JVM may wait; nothing is changed."""
    return [process.pid for process, path in _left(processes) if any(_fifos(path))]


def _left(processes: Iterable[JvmProcess]) -> Iterator[tuple[JvmProcess, Path]]:
    """Folders of heapscopes that have ended; they can be reached as long as the generator is not resumed."""
    seen = set()
    for process in processes:
        for name in _FOLDERS:
            with suppress(CollectError, OSError):
                fd = open_root(process, name)
                try:
                    facts = os.fstat(fd)
                    if (facts.st_dev, facts.st_ino) in seen:
                        continue
                    seen.add((facts.st_dev, facts.st_ino))
                    names = [each for each in os.listdir(fd) if each.startswith(PREFIX)]
                    for path in (Path(f"/proc/self/fd/{fd}/{each}") for each in names):
                        if _is_of_the_dead(path):
                            yield process, path
                finally:
                    os.close(fd)


def _is_of_the_dead(path: Path) -> bool:
    match = re.fullmatch(rf"{PREFIX}(\d+)-(\d+)-[0-9a-f]{{8}}", path.name)
    if match is None or start_ticks(int(match[1])) == int(match[2]):
        return False
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False  # of a heapscope that is in another pid namespace
    except OSError:
        pass  # a file system without locks
    finally:
        os.close(fd)
    return True


def _release(path: Path) -> bool:
    """Let a JVM go on that waits there, and remove the folder; whether it could be."""
    release_openers_of(_fifos(path))
    try:
        _remove(path)
    except OSError:
        return False
    return True


def _remove(path: Path) -> None:
    """Remove one of our folders: files, FIFOs and no folder in it; what a stranger named alike stays."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        for name in os.listdir(fd):
            os.unlink(name, dir_fd=fd)
    finally:
        os.close(fd)
    os.rmdir(path)


def _fifos(path: Path) -> Iterator[Path]:
    return (each for each in path.glob("dump.hprof*") if _is_fifo(each))


def _is_fifo(path: Path) -> bool:
    try:
        return stat.S_ISFIFO(path.lstat().st_mode)
    except OSError:
        return False

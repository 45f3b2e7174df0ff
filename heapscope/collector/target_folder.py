"""The folder of the target that a dump goes to: its /tmp for a FIFO, one with enough room for a file."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from heapscope.collector.processes import JvmProcess, start_ticks
from heapscope.errors import CollectError, DumpFailed
from heapscope.units import format_bytes

PREFIX = "heapscope-"
_FOLDERS = ("/tmp", "/var/tmp")
# File systems in memory: files there count against the limit of the container.
_MEMORY_FILE_SYSTEMS = {"tmpfs", "ramfs"}
# A dump takes up to 1.45 bytes for each byte of the live heap (measured).
_DUMP_PER_HEAP = 2
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
        raise CollectError(
            f"process {process.pid}: its {folder}: {error.strerror}; run as its user, or as root on the host"
        ) from None
    return fd


def room_for_file(process: JvmProcess, release: int) -> tuple[str, int]:
    """A folder of the target with room for a dump that is written as a file.

    Parameters
    ----------
    process : JvmProcess
    release : int
        Feature release of its JVM; 0 where it is not known.

    Returns
    -------
    (str, int)
        The folder's name in the target, and the open directory.

    Raises
    ------
    DumpFailed
        No folder has enough free space on a disk.
    """
    # The committed heap, because some collectors update the used size only at a collection; and no more than
    # the resident size, because memory that is in use is resident.
    heap_bytes = process.rss_bytes
    if process.heap is not None:
        heap_bytes = min(heap_bytes, process.heap.committed_bytes or heap_bytes)
    # Where the release is not known it may be a new one.
    copies = 1 if 0 < release < _FIRST_RELEASE_WITH_PARTS else _COPIES_WITH_PARTS
    need = _DUMP_PER_HEAP * copies * heap_bytes
    seen = []
    for name in _FOLDERS:
        with suppress(CollectError):
            fd = open_root(process, name)
            free = _free_bytes(fd)
            if _is_memory(process, fd):
                seen.append(f"{name} is memory")
            elif free < need:
                seen.append(f"{name} has {format_bytes(free)} free")
            else:
                return name, fd
            os.close(fd)
    raise DumpFailed(
        f"process {process.pid}: a dump written as a file may need {format_bytes(need)} there: "
        f"{', '.join(seen) or 'its /tmp is out of reach'}; make room, or use --kind histogram"
    )


def _free_bytes(fd: int) -> int:
    facts = os.fstatvfs(fd)
    return facts.f_bavail * facts.f_frsize


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


def sweep(process: JvmProcess) -> None:
    """Remove the folders that a killed heapscope left in the target's temporary folders."""
    for name in _FOLDERS:
        with suppress(CollectError, OSError):
            fd = open_root(process, name)
            try:
                _sweep(Path(f"/proc/self/fd/{fd}"))
            finally:
                os.close(fd)


def _sweep(folder: Path) -> None:
    for path in folder.glob(f"{PREFIX}*-*-*"):
        match = re.fullmatch(rf"{PREFIX}(\d+)-(\d+)-[0-9a-f]{{8}}", path.name)
        if match is not None and start_ticks(int(match[1])) != int(match[2]):
            with suppress(OSError):
                _remove(path)


def _remove(path: Path) -> None:
    """Remove one of our folders: files, FIFOs and no folder in it; what a stranger named alike stays."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        for name in os.listdir(fd):
            os.unlink(name, dir_fd=fd)
    finally:
        os.close(fd)
    os.rmdir(path)

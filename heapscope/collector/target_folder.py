"""Where in the target's file system a dump goes: a FIFO into its /tmp, a file where there is room for it."""

from __future__ import annotations

import os
import re
import shutil
from contextlib import suppress
from pathlib import Path

from heapscope.collector.processes import JvmProcess, start_ticks
from heapscope.errors import CollectError, DumpFailed
from heapscope.units import format_bytes

PREFIX = "heapscope-"
_FOLDERS = ("/tmp", "/var/tmp")
# Files there are memory, and count against the limit of the container: TMPFS_MAGIC, RAMFS_MAGIC (statfs(2)).
_MEMORY = {"tmpfs", "ramfs"}
# A dump has up to 1.45 bytes for each of the live heap; 2 are never too few.
_DUMP_PER_HEAP = 2
# JDK 22 and later write a part and append it to the file before they remove it.
_PEAK_SINCE_22 = 2


def folder_name(token: str) -> str:
    """The name of our folder: says who made it, so that `sweep` knows when it was left behind."""
    return f"{PREFIX}{os.getpid()}-{start_ticks(os.getpid())}-{token}"


def open_root(process: JvmProcess, folder: str = "/tmp") -> int:
    """A directory of the target, opened: ``/proc/PID/root`` is gone with the process, what lies in it is not.

    Raises
    ------
    CollectError
        It is out of reach.
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
    """A folder of the target with room for a dump written as a file: its name there, and opened.

    Raises
    ------
    DumpFailed
        There is none: too little is free, or it is memory, not disk.
    """
    # Not the heap in use: some collectors tell it only after a collection.  What is used was touched.
    heap_bytes = process.rss_bytes
    if process.heap is not None:
        heap_bytes = min(heap_bytes, process.heap.committed_bytes or heap_bytes)
    # Where the release is not known it may be a new one.
    peak = 1 if 0 < release < 22 else _PEAK_SINCE_22
    need = _DUMP_PER_HEAP * peak * heap_bytes
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
    return bool(kinds & _MEMORY)


def sweep(process: JvmProcess) -> None:
    """Remove what a heapscope that was killed left in the target's temporary folders."""
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
            shutil.rmtree(path, ignore_errors=True)

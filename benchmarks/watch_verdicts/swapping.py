"""Has a process's memory swapped out, as a machine that is short of memory does."""

from __future__ import annotations

import ctypes
import os
import re
from pathlib import Path

_PROCESS_MADVISE = 440  # the same number on every architecture
_MADV_PAGEOUT = 21
_MAX_VECTORS = 1024  # UIO_MAXIOV
_PRIVATE = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) rw.p [0-9a-f]+ 00:00 0 ", re.MULTILINE)
_libc = ctypes.CDLL(None, use_errno=True)


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_size_t), ("length", ctypes.c_size_t))


def is_possible() -> bool:
    """Whether there is swap space, and this user may use it for others."""
    return os.geteuid() == 0 and len(Path("/proc/swaps").read_text().splitlines()) > 1


def page_out(pid: int) -> None:
    """Ask the kernel to swap out all private memory of a process; it comes back page by page when touched.

    Raises
    ------
    OSError
        The kernel refuses.
    """
    found = [
        (int(start, 16), int(end, 16))
        for start, end in _PRIVATE.findall(Path(f"/proc/{pid}/maps").read_text())
    ]
    fd = os.pidfd_open(pid)
    try:
        for at in range(0, len(found), _MAX_VECTORS):
            part = found[at : at + _MAX_VECTORS]
            vectors = (_Vector * len(part))(*(_Vector(start, end - start) for start, end in part))
            if _libc.syscall(_PROCESS_MADVISE, fd, vectors, len(part), _MADV_PAGEOUT, 0) < 0:
                raise OSError(ctypes.get_errno(), "process_madvise")
    finally:
        os.close(fd)

"""Which process compiles a kernel, where several need it: who holds the lock of a file beside it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def claim(path: Path) -> Iterator[bool]:
    """Whether no other process compiles this kernel; the claim ends with the block, or with the process.

    Where the folder cannot be written to, or knows no locks, everybody compiles for himself.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        handle = os.open(path.with_suffix(".lock"), flags, 0o600)
    except OSError:
        yield True
        return
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        except OSError:
            pass  # NFS without its lock daemon, Lustre: nobody can claim anything there
        try:
            yield True
        finally:
            with suppress(OSError):
                path.with_suffix(".lock").unlink()
    finally:
        os.close(handle)

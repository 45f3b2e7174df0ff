"""The file that becomes a snapshot: hidden and locked while it is filled, renamed when it is whole.

`heapscope.files.new_file` would do for one process.  Here the watchdog fills the file, and whoever takes the
next snapshot removes what was left by a heapscope that was killed together with its watchdog: the lock tells
which files somebody still fills.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from heapscope.errors import DumpFailed


@dataclass(slots=True)
class PartFile:
    """A file that is open and locked.

    Attributes
    ----------
    part, path : Path
        Its hidden name, and the name that it gets when it is whole.
    fd : int
        The file descriptor; it holds the lock.
    """

    part: Path
    path: Path
    fd: int
    _is_left: bool = False

    def leave(self) -> None:
        """Do not remove it at the end: its disk hangs, and somebody else removes it when it works again."""
        self._is_left = True

    def keep(self) -> None:
        """Give the file its name: it is whole.

        Raises
        ------
        DumpFailed
            Somebody removed it, or its folder.
        """
        try:
            self.part.rename(self.path)
        except FileNotFoundError:
            raise DumpFailed(
                f"{self.part.parent}: it was removed while the snapshot was taken; nothing was kept"
            ) from None
        except OSError as error:
            raise DumpFailed(f"{self.part.parent}: {error.strerror}; no snapshot was kept") from None


@contextmanager
def open_part(path: Path) -> Iterator[PartFile]:
    """A `PartFile` for ``path``; what was not kept when the block ends is removed.

    Raises
    ------
    OSError
        The file cannot be made.
    """
    part = path.with_name(f".{path.name}.part")
    fd = _create_locked(part)
    file = PartFile(part, path, fd)
    try:
        yield file
    finally:
        if not file._is_left:
            part.unlink(missing_ok=True)
        os.close(fd)


def _create_locked(part: Path) -> int:
    """A new file, locked; made anew where another heapscope removed it before it was locked."""
    while True:
        fd = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        with suppress(OSError):  # a file system without locks
            fcntl.flock(fd, fcntl.LOCK_EX)
        if os.fstat(fd).st_nlink:
            return fd
        os.close(fd)


def sweep_parts(folder: Path, suffixes: Sequence[str]) -> None:
    """Remove the part files of a folder that nobody has locked.

    Parameters
    ----------
    folder : Path
    suffixes : sequence of str
        Endings of snapshots, ``hprof.zst``: a watch may fill a file of another kind in the same folder.
    """
    for part in (part for suffix in suffixes for part in folder.glob(f".*.{suffix}.part")):
        with suppress(OSError):
            fd = os.open(part, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                part.unlink(missing_ok=True)
            finally:
                os.close(fd)

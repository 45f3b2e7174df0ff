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
    folder_fd : int
        Its folder, which may get another name, or have its name taken by another.
    """

    part: Path
    path: Path
    fd: int
    folder_fd: int
    _is_left: bool = False

    def leave(self) -> None:
        """Do not remove it at the end: its disk hangs, and somebody else removes it when it works again."""
        self._is_left = True

    def keep(self) -> None:
        """Give the file its name: it is whole.

        Raises
        ------
        DumpFailed
            Somebody removed it, or its folder, or moved that away.
        """
        try:
            if not os.path.samestat(os.stat(self.path.parent), os.fstat(self.folder_fd)):
                raise FileNotFoundError
            os.rename(self.part.name, self.path.name, src_dir_fd=self.folder_fd, dst_dir_fd=self.folder_fd)
        except FileNotFoundError:
            raise DumpFailed(
                f"{self.part.parent}: it was removed or moved while the snapshot was taken; nothing was kept"
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
    folder_fd = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        file = PartFile(part, path, _create_locked(part.name, folder_fd), folder_fd)
        try:
            yield file
        finally:
            if not file._is_left:
                unlink_in(folder_fd, part.name)
            os.close(file.fd)
    finally:
        os.close(folder_fd)


def unlink_in(folder_fd: int, name: str) -> None:
    """Remove a file of an open folder, wherever that is by now; one that is not there is no error."""
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder_fd)


def _create_locked(name: str, folder_fd: int) -> int:
    """A new file, locked; made anew where another heapscope removed it before it was locked."""
    while True:
        fd = os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600, dir_fd=folder_fd)
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

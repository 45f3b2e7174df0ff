"""A disk that snapshots are written to, on which other programs need room as well."""

from __future__ import annotations

import os
from pathlib import Path

from heapscope.errors import DumpFailed
from heapscope.units import format_bytes

_MAX_DEFAULT_BYTES = 1 << 30
_SHARE = 10
_LOOK_BYTES = 16 << 20  # written between two looks at what is free, at most


class Disk:
    """The file system of a folder, and how much of it stays free.

    Parameters
    ----------
    folder : Path
    fd : int
        Something open on it: the folder may be closed to the user that a process acts as.
    min_free_bytes : int or None
        By default a tenth of the file system, 1 GiB at most.
    """

    def __init__(self, folder: Path, fd: int, min_free_bytes: int | None = None) -> None:
        self.folder, self._fd = folder, fd
        facts = os.statvfs(fd)
        default = min(_MAX_DEFAULT_BYTES, facts.f_blocks * facts.f_frsize // _SHARE)
        self.min_free_bytes = default if min_free_bytes is None else min_free_bytes
        self._allowance = 0

    def left_bytes(self) -> int:
        """Bytes that may be written now; negative where too little is free already."""
        facts = os.statvfs(self._fd)
        return facts.f_bavail * facts.f_frsize - self.min_free_bytes

    def has_room(self, byte_count: int) -> bool:
        """Whether so many bytes may be written."""
        return self.left_bytes() >= byte_count

    def check(self, byte_count: int) -> None:
        """See that so many bytes may be written.

        Raises
        ------
        DumpFailed
            Too little would be left.
        """
        if self.min_free_bytes and byte_count > self._allowance:
            # Half: other programs write meanwhile.
            self._allowance = min(_LOOK_BYTES, self.left_bytes() // 2)
            if byte_count > self._allowance and not self.has_room(byte_count):
                raise DumpFailed(
                    f"{self.folder}: less than {format_bytes(self.min_free_bytes)} would be left free on its "
                    "disk; make room, or pass --min-free"
                )
        self._allowance -= byte_count

    def write(self, fd: int, data: bytes | memoryview) -> None:
        """Write all of ``data``.

        Raises
        ------
        DumpFailed
            Too little would be left.
        OSError
            The disk refuses.
        """
        self.check(len(data))
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]

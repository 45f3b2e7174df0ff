"""The index of a dump: what analysis computed of it, kept in the user's cache folder.

One file for each dump and set of options::

    0      16 bytes  b"heapscope index\\0"
    16     u4        format version
    20     u4        CRC-32 of the table of contents
    24     u8, u8    offset and length of the table of contents (JSON)
    4096   arrays, each from the beginning of a page on

The table of contents has the identity of the dump, the options, and of each array dtype, shape,
offset and CRC-32.  Whatever does not fit (another dump under the same name, another version, a
wrong checksum) is no index, and is made anew.  Arrays are checked when they are first
used.  Nothing in the file is executed.

A writer fills a file without a name, which vanishes with it, and names it when it is whole.
"""

from __future__ import annotations

import errno
import hashlib
import json
import mmap
import os
import struct
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from heapscope.heap.graph.index_file import (
    FORMAT,
    HEAD,
    MAGIC,
    MAX_CONTENTS_BYTES,
    SUFFIX,
    status_of,
)
from heapscope.parser.source import crc32

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

_PAGE = max(4096, mmap.ALLOCATIONGRANULARITY)
_SAMPLE_BYTES = 1 << 16
_LEFT_BYTES = 1 << 30  # of the disk, free for others beside temporary arrays: chosen
_SPILLED_BYTES = 1 << 25  # arrays that go into a temporary file where there is no index
# Of the cache folder: what was used longest ago goes first.  A dump's index takes half its size.
LIMIT_BYTES = 20 << 30


class BrokenIndexError(Exception):
    """An array of an index has another checksum than when it was written."""


def identity_of(path: Path) -> dict[str, Any]:
    """What tells a dump from another one under its name, and from itself before it was written to."""
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        head = file.read(_SAMPLE_BYTES)
        file.seek(max(0, status.st_size - _SAMPLE_BYTES))
        tail = file.read(_SAMPLE_BYTES)
    return {
        **status_of(status),
        "ends": hashlib.sha256(head + tail).hexdigest(),
    }


class Index:
    """An index that fits its dump; `open_index` makes it."""

    def __init__(self, data: NDArray[np.uint8], toc: dict[str, Any]) -> None:
        self._data = data
        self._arrays: dict[str, dict[str, Any]] = toc["arrays"]
        self.values: dict[str, Any] = toc["values"]
        self._checked: set[str] = set()

    @property
    def names(self) -> list[str]:
        """Names of its arrays."""
        return list(self._arrays)

    def array(self, name: str) -> NDArray[Any]:
        """An array, mapped and read-only.

        Raises
        ------
        BrokenIndexError
            The bytes are not those that were written.
        """
        entry = self._arrays[name]
        raw = self._data[entry["offset"] : entry["offset"] + entry["bytes"]]
        if name not in self._checked:
            if raw.size != entry["bytes"] or crc32(raw) != entry["crc32"]:
                raise BrokenIndexError(name)
            self._checked.add(name)
        found: NDArray[Any] = raw.view(np.dtype(entry["dtype"])).reshape(entry["shape"])
        return found


def open_index(path: Path, identity: dict[str, Any], options: dict[str, str]) -> Index | None:
    """The index at a path, None where it is missing, damaged, of another version, dump or options."""
    try:
        with path.open("rb") as file:
            magic, version, checksum, offset, length = HEAD.unpack(file.read(HEAD.size))
            if magic != MAGIC or version != FORMAT or length > MAX_CONTENTS_BYTES:
                return None
            file.seek(offset)
            raw = file.read(length)
            if len(raw) != length or crc32(np.frombuffer(raw, np.uint8)) != checksum:
                return None
            toc = json.loads(raw)
            if toc["identity"] != identity or toc["options"] != options or toc["byteorder"] != sys.byteorder:
                return None
            data = np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)
        with suppress(OSError):
            os.utime(path)  # used just now
        return Index(data, toc)
    except (OSError, ValueError, KeyError, TypeError, struct.error):
        return None


class Store:
    """Makes the arrays that an index will have: in its file, where that is possible, else in memory.

    Parameters
    ----------
    path : Path, optional
        The index to write; with None there will be no index.
    spills : bool
        Whether without an index large arrays lie in a temporary file without a name: memory that the system
        can take back.
    """

    def __init__(self, path: Path | None, *, spills: bool = False) -> None:
        self._path = path
        self._lock = Lock()
        self._fd = -1
        self._end = _PAGE
        self._arrays: dict[str, tuple[int, NDArray[Any]]] = {}
        self._least = 1 if path is not None else _SPILLED_BYTES
        if not hasattr(os, "posix_fallocate"):
            # macOS: without room claimed beforehand a full disk would end the process.
            self._path = None
            return
        folder = path.parent if path is not None else Path(tempfile.gettempdir()) if spills else None
        if folder is not None:
            try:
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                self._fd = _nameless(folder)
                if path is None and self._fd in _NAMES:
                    _NAMES.pop(self._fd).unlink()  # nobody will ask for it
            except OSError:
                self._path = None  # no room, no right: the answer does not depend on the index

    def __del__(self) -> None:
        self.abandon()  # the file of an index that was never finished goes with it

    def array(self, name: str, shape: int | tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """A new array of zeros that becomes part of the index."""
        with self._lock:
            return self._array(name, shape, np.dtype(dtype))

    def _array(self, name: str, shape: int | tuple[int, ...], kind: np.dtype[Any]) -> NDArray[Any]:
        whole = (shape,) if isinstance(shape, int) else shape
        size = int(np.prod(whole, dtype=object)) * kind.itemsize
        if self._fd >= 0 and size >= self._least:
            try:
                if self._path is None:
                    _leave_room(self._fd, size)
                # Room is claimed now: a write to a mapping without room on disk ends the process.
                os.posix_fallocate(self._fd, self._end, size)
                mapped = mmap.mmap(self._fd, size, offset=self._end)
            except OSError:
                self.abandon()
            else:
                made = np.frombuffer(mapped, np.uint8).view(kind).reshape(whole)
                self._arrays[name] = self._end, made
                self._end += -(-size // _PAGE) * _PAGE
                return made
        made = np.zeros(whole, kind)
        self._arrays[name] = 0, made
        return made

    def shorten(self, name: str, length: int) -> NDArray[Any]:
        """Cut an array of one dimension."""
        offset, made = self._arrays[name]
        self._arrays[name] = offset, made[:length]
        return made[:length]

    def has(self, name: str) -> bool:
        """Whether an array was made here."""
        return name in self._arrays

    def add(self, name: str, values: NDArray[Any]) -> None:
        """Copy an array into the index."""
        self.array(name, values.shape, values.dtype)[...] = values

    def commit(
        self,
        identity: dict[str, Any],
        options: dict[str, str],
        values: dict[str, Any],
        limit: int = LIMIT_BYTES,
    ) -> bool:
        """Name the file; whether there is an index now.  All arrays are as they will stay."""
        if self._path is None:
            return False
        toc = {
            "identity": identity,
            "options": options,
            "byteorder": sys.byteorder,
            "values": values,
            "arrays": {
                name: {
                    "dtype": made.dtype.str,
                    "shape": list(made.shape),
                    "offset": offset,
                    "bytes": made.nbytes,
                    "crc32": crc32(made.reshape(-1).view(np.uint8)),
                }
                for name, (offset, made) in self._arrays.items()
            },
        }
        raw = json.dumps(toc).encode()
        temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            os.posix_fallocate(self._fd, self._end, len(raw))
            os.pwrite(self._fd, raw, self._end)
            checksum = crc32(np.frombuffer(raw, np.uint8))
            os.pwrite(self._fd, HEAD.pack(MAGIC, FORMAT, checksum, self._end, len(raw)), 0)
            _name(self._fd, temporary)
            temporary.replace(self._path)
            _evict(self._path, limit)
        except OSError:
            with suppress(OSError):
                temporary.unlink()
            return False
        finally:
            self.abandon()
        return True

    def abandon(self) -> None:
        """No index after all; arrays made so far stay valid."""
        self._path = None
        fd, self._fd = self._fd, -1
        if fd >= 0:
            # Before it is closed: then it may be the number of another thread's file.
            name = _NAMES.pop(fd, None)
            os.close(fd)
            if name is not None:
                with suppress(OSError):
                    name.unlink()


def array_beside(index_file: Path | None, shape: int, dtype: DTypeLike) -> NDArray[Any]:
    """A new array of zeros in a file without a name beside the index, whose pages the system may take back.

    For what is large and not part of the index; in memory where there is no index.
    """
    store = Store(index_file)
    made = store.array("", shape, dtype)
    store.abandon()
    return made


def _leave_room(fd: int, size: int) -> None:
    """Refuse a temporary array that would leave too little of the disk to others: a JVM may log there."""
    facts = os.fstatvfs(fd)
    if facts.f_bavail * facts.f_frsize < size + _LEFT_BYTES:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _nameless(folder: Path) -> int:
    """A file that vanishes unless it is named."""
    if hasattr(os, "O_TMPFILE"):
        with suppress(OSError):
            return os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    # File systems without that (NFS, macOS): named at once, and a killed writer leaves it behind.
    fd, name = tempfile.mkstemp(dir=folder, prefix=".new-")
    _NAMES[fd] = Path(name)
    return fd


_NAMES: dict[int, Path] = {}


def _name(fd: int, path: Path) -> None:
    """Give a file of `_nameless` a name."""
    if fd in _NAMES:
        _NAMES.pop(fd).replace(path)
        return
    with suppress(FileNotFoundError):
        path.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.link(f"/proc/self/fd/{fd}", path.name, dst_dir_fd=folder, follow_symlinks=True)
    finally:
        os.close(folder)


def _evict(keep: Path, limit: int) -> None:
    """Remove indexes of the folder, the longest unused first, until they take no more than a limit."""
    found = []
    for path in keep.parent.glob(f"*{SUFFIX}"):
        with suppress(OSError):
            status = path.stat()
            found.append((status.st_mtime_ns, status.st_size, path))
    whole = sum(size for _, size, _ in found)
    for _, size, path in sorted(found):
        if whole <= limit:
            break
        if path != keep:
            with suppress(OSError):
                path.unlink()
                whole -= size

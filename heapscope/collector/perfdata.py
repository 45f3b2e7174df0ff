"""hsperfdata: the counters a HotSpot JVM keeps in a mapped file, read without any contact.

``/tmp/hsperfdata_USER/PID`` is a prologue of 32 bytes and a list of entries, in the byte order that
the prologue names (``PerfDataPrologue`` and ``PerfDataEntry`` of HotSpot's ``perfMemory.hpp``).
A JVM with ``-XX:-UsePerfData``, or of a user without a passwd entry, has no such file.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from heapscope.errors import CollectError

_MAGIC = b"\xca\xfe\xc0\xc0"
_PROLOGUE_BYTES = 32
_ENTRY_BYTES = 20
_MAX_SPACES = 8  # eden and two survivors are most
_MAX_FILE_BYTES = 16 << 20  # HotSpot's own default is 32 kB
# Device and inode of what is mapped under such a name, in the text of maps, and its folder and name.
_MAPPED = re.compile(
    r"^\S+ \S+ \S+ ([0-9a-f]+):([0-9a-f]+) (\d+) +\S*/(hsperfdata_[^/\n]*)/(\d+)$", re.MULTILINE
)
# Folders of that name in a /tmp that are looked into for what was forged: anybody can make thousands.
_MAX_FOLDERS = 100

Counters = dict[str, int | str]


def parse(data: bytes) -> Counters:
    """Counters by name: longs as int, strings as str.

    Raises
    ------
    CollectError
        The bytes are no hsperfdata of version 2, or an entry leads outside of them.
    """
    return {name: value for name, value, _ in _entries(data)}


def _entries(data: bytes) -> Iterator[tuple[str, int | str, int]]:
    """Name, value, and the byte offset of the value, of every entry whose type is known."""
    if len(data) < _PROLOGUE_BYTES or data[:4] != _MAGIC:
        raise CollectError("no hsperfdata: it should begin with ca fe c0 c0")
    order = "<" if data[4] == 1 else ">"
    if data[5] != 2:
        raise CollectError(f"hsperfdata of version {data[5]}, only version 2 is known")
    offset, count = struct.unpack_from(f"{order}ii", data, 24)
    for _ in range(count):
        if not _PROLOGUE_BYTES <= offset <= len(data) - _ENTRY_BYTES:
            raise CollectError(f"hsperfdata: an entry at byte {offset:,} lies outside of {len(data):,} bytes")
        length, name_at, size, kind, _, _, _, data_at = struct.unpack_from(f"{order}iii4Bi", data, offset)
        # An entry is the least that holds its header: zero or less would never end.
        if length < _ENTRY_BYTES or not (
            _ENTRY_BYTES <= name_at <= length and _ENTRY_BYTES <= data_at <= length and 0 <= size <= length
        ):
            raise CollectError(f"hsperfdata: the entry at byte {offset:,} contradicts itself")
        entry = data[offset : offset + length]
        name = entry[name_at:].split(b"\0", 1)[0].decode("ascii", "replace")
        if kind == ord("J") and size == 0 and data_at + 8 <= len(entry):
            yield name, struct.unpack_from(f"{order}q", entry, data_at)[0], offset + data_at
        elif kind == ord("B"):
            text = entry[data_at : data_at + size].split(b"\0", 1)[0].decode("utf-8", "replace")
            yield name, text, offset + data_at
        offset += length


def open_counters(
    tmp: Path, namespace_pid: int, maps: str, uids: Collection[int]
) -> tuple[CounterFile | None, str]:
    """The counters of one JVM, opened; others may write to its ``/tmp`` and put a file of their own there.

    A JVM maps its file, so the device and inode in ``maps`` say which one is its own.  Some file systems
    (overlayfs, btrfs) show another device there than ``stat`` does: then file and folder must belong to the
    user of the process.  A file that the process does not map was left behind, or forged.

    Parameters
    ----------
    tmp : Path
        The process's own ``/tmp``, through ``/proc/PID/root``: links in it would lead into ours, none is
        followed.
    namespace_pid : int
        The pid inside the container, which is the file's name.
    maps : str
        Text of ``/proc/PID/maps``.
    uids : collection of int
        Users of the process: real, effective, saved.

    Returns
    -------
    (CounterFile or None, str)
        And why a file with its name is not believed, in words; empty where there is none of that kind.
    """
    named = [found for found in _MAPPED.finditer(maps) if found[5] == str(namespace_pid)]
    mapped = {(int(found[1], 16), int(found[2], 16)): int(found[3]) for found in named}
    refused = ""
    own = [found[4] for found in named]
    # The other folders tell only of files that are not the JVM's.
    for folder in chain(own, _Folders(tmp)):
        try:
            file, owners = _open_beneath(tmp, folder, str(namespace_pid))
        except OSError:
            continue  # no such file, a link, or closed to us: it is not this JVM's, or does not help
        facts = os.fstat(file.fd)
        inode = mapped.get((os.major(facts.st_dev), os.minor(facts.st_dev)))
        if inode == facts.st_ino or (inode is None and mapped and owners <= set(uids)):
            return file, refused
        file.close()
        refused = (
            f"/tmp/{folder}/{namespace_pid} is not believed: this JVM does not map it "
            f"(it belongs to user {facts.st_uid})"
        )
    return None, refused


class _Folders:
    """Folders of counters in a ``/tmp``, listed only where they are asked for, and once for each ``/tmp``.

    Two thousand processes share one with thousands of names: listing it for each took 14 seconds.
    """

    _last: tuple[tuple[int, int, int], list[str]] | None = None

    def __init__(self, tmp: Path) -> None:
        self._tmp = tmp

    def __iter__(self) -> Iterator[str]:
        try:
            facts = os.stat(self._tmp)
            key = (facts.st_dev, facts.st_ino, facts.st_mtime_ns)
            last = _Folders._last
            if last is None or last[0] != key:
                names = sorted(name for name in os.listdir(self._tmp) if name.startswith("hsperfdata_"))
                last = _Folders._last = (key, names[:_MAX_FOLDERS])
        except OSError:
            return
        yield from last[1]


def _open_beneath(tmp: Path, folder: str, name: str) -> tuple[CounterFile, set[int]]:
    """A counter file in a folder, both no links, and the users that own the two."""
    above = os.open(tmp / folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        file = CounterFile(name, above)
        return file, {os.fstat(above).st_uid, os.fstat(file.fd).st_uid}
    finally:
        os.close(above)


class CounterFile:
    """An open hsperfdata file, read again and again for a tenth of the cost of `parse`.

    The offset of each counter is looked up once, and anew when the JVM has added some.

    Parameters
    ----------
    path : str or Path
    folder : int, optional
        The open directory that ``path`` begins in.

    Raises
    ------
    OSError
        The file cannot be opened or is no regular file: others may write to its folder, and put a link or a
        FIFO there.
    """

    def __init__(self, path: str | Path, folder: int | None = None) -> None:
        self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW, dir_fd=folder)
        if not stat.S_ISREG(os.fstat(self.fd).st_mode):
            os.close(self.fd)
            raise OSError(errno.EINVAL, "no regular file", os.fspath(path))
        self._offsets: dict[str, int] = {}
        self._texts: dict[str, str] = {}
        self._prologue: bytes | None = None
        self._long = struct.Struct("<q")

    def read(self) -> Counters | None:
        """Counters by name; None while the JVM is just writing its first."""
        data = os.pread(self.fd, _MAX_FILE_BYTES, 0)
        # Used bytes, and number of entries: bytes 8 to 12 and 28 to 32 of the prologue.
        prologue = data[:12] + data[24:_PROLOGUE_BYTES]
        try:
            if prologue != self._prologue:
                entries = list(_entries(data))
                self._offsets = {name: at for name, value, at in entries if isinstance(value, int)}
                self._texts = {name: value for name, value, _ in entries if isinstance(value, str)}
                self._long = struct.Struct("<q" if data[4] == 1 else ">q")
                self._prologue = prologue
            unpack = self._long.unpack_from
            return {**self._texts, **{name: unpack(data, at)[0] for name, at in self._offsets.items()}}
        except (CollectError, struct.error):
            return None

    def close(self) -> None:
        """Close the file."""
        os.close(self.fd)


@dataclass(frozen=True, slots=True)
class HeapUse:
    """Bytes of the Java heap by the JVM's own counters; ZGC's lag behind."""

    used_bytes: int
    committed_bytes: int
    max_bytes: int
    old_used_bytes: int
    metaspace_used_bytes: int
    metaspace_committed_bytes: int


def number(counters: Counters, name: str) -> int:
    """A counter that is a number; 0 where it is missing."""
    value = counters.get(name, 0)
    return value if isinstance(value, int) else 0


def heap_use(counters: Counters) -> HeapUse:
    """Heap figures: the sum over the spaces of all generations."""
    used = committed = old = 0
    limits = []
    for generation in range(2):  # of all collectors; what a file says may be anything
        prefix = f"sun.gc.generation.{generation}"
        limits.append(number(counters, f"{prefix}.maxCapacity"))
        for space in range(min(_MAX_SPACES, number(counters, f"{prefix}.spaces"))):
            bytes_used = number(counters, f"{prefix}.space.{space}.used")
            used += bytes_used
            committed += number(counters, f"{prefix}.space.{space}.capacity")
            if generation == 1:
                old += bytes_used
    # Serial and Parallel ("Copy:MSC", "ParScav:MSC") give each generation its share of the heap, the
    # others each the whole of it.
    is_shared_out = ":" in str(counters.get("sun.gc.policy.name", ""))
    return HeapUse(
        used_bytes=used,
        committed_bytes=committed,
        max_bytes=sum(limits) if is_shared_out else max(limits),
        old_used_bytes=old,
        metaspace_used_bytes=number(counters, "sun.gc.metaspace.used"),
        metaspace_committed_bytes=number(counters, "sun.gc.metaspace.capacity"),
    )

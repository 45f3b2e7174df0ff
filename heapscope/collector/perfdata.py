"""hsperfdata: the counters a HotSpot JVM keeps in a mapped file, read without any contact.

``/tmp/hsperfdata_USER/PID`` is a prologue of 32 bytes and a list of entries, in the byte order that
the prologue names (``PerfDataPrologue`` and ``PerfDataEntry`` of HotSpot's ``perfMemory.hpp``).
A JVM with ``-XX:-UsePerfData``, or of a user without a passwd entry, has no such file.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from heapscope.errors import CollectError

_MAGIC = b"\xca\xfe\xc0\xc0"
_PROLOGUE_BYTES = 32
_ENTRY_BYTES = 20
_MAX_FILE_BYTES = 16 << 20  # HotSpot's own default is 32 kB

Counters = dict[str, int | str]


def parse(data: bytes) -> Counters:
    """Counters by name: longs as int, strings as str.

    Raises
    ------
    CollectError
        The bytes are no hsperfdata of version 2, or an entry leads outside of them.
    """
    if len(data) < _PROLOGUE_BYTES or data[:4] != _MAGIC:
        raise CollectError("no hsperfdata: it should begin with ca fe c0 c0")
    order = "<" if data[4] == 1 else ">"
    if data[5] != 2:
        raise CollectError(f"hsperfdata of version {data[5]}, only version 2 is known")
    offset, count = struct.unpack_from(f"{order}ii", data, 24)
    counters: Counters = {}
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
            counters[name] = struct.unpack_from(f"{order}q", entry, data_at)[0]
        elif kind == ord("B"):
            counters[name] = entry[data_at : data_at + size].split(b"\0", 1)[0].decode("utf-8", "replace")
        offset += length
    return counters


def read(path: Path) -> Counters | None:
    """Counters of one file; None where there is none or a JVM is just writing its first."""
    try:
        with path.open("rb") as file:
            return parse(file.read(_MAX_FILE_BYTES))
    except (OSError, CollectError):
        return None


@dataclass(frozen=True, slots=True)
class HeapUse:
    """Bytes of the Java heap by the JVM's own counters; ZGC's lag behind."""

    used_bytes: int
    committed_bytes: int
    max_bytes: int
    old_used_bytes: int
    metaspace_used_bytes: int


def _number(counters: Counters, name: str) -> int:
    value = counters.get(name, 0)
    return value if isinstance(value, int) else 0


def heap_use(counters: Counters) -> HeapUse:
    """Heap figures: the sum over the spaces of all generations."""
    used = committed = limit = old = 0
    for generation in range(_number(counters, "sun.gc.policy.generations") or 2):
        prefix = f"sun.gc.generation.{generation}"
        # G1 gives every generation the whole heap as its limit, the others their share of it.
        limit += _number(counters, f"{prefix}.maxCapacity")
        for space in range(_number(counters, f"{prefix}.spaces")):
            bytes_used = _number(counters, f"{prefix}.space.{space}.used")
            used += bytes_used
            committed += _number(counters, f"{prefix}.space.{space}.capacity")
            if generation == 1:
                old += bytes_used
    if (
        "G1" in str(counters.get("sun.gc.policy.name", ""))
        or "g1" in str(counters.get("sun.gc.collector.0.name", "")).lower()
    ):
        limit = max(_number(counters, f"sun.gc.generation.{g}.maxCapacity") for g in (0, 1))
    return HeapUse(used, committed, limit, old, _number(counters, "sun.gc.metaspace.used"))

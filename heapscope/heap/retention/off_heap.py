"""Memory outside of the Java heap that objects in the heap stand for, by the field that owns them.

Sources: OpenJDK ``java/nio/Direct-X-Buffer.java.template``, ``java/nio/Bits.java``,
``jdk/internal/misc/VM.java``, ``java/util/zip/Inflater.java``; Netty ``io/netty/buffer/PoolChunk.java``,
``io/netty/util/internal/PlatformDependent.java``; zlib's ``doc/algorithm.txt`` and ``zconf.h`` for what one
of its streams takes.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from heapscope.heap.graph.class_origin import ClassOrigin, class_origin
from heapscope.heap.graph.references import NO_OBJECT, VIRTUAL_ROOT
from heapscope.heap.objects.fields import class_fields, read_field
from heapscope.heap.objects.java_collections import static_reference
from heapscope.heap.objects.java_object import JavaObject, object_or_none
from heapscope.heap.objects.thread_stacks import is_virtual_class
from heapscope.heap.objects.threads import threads_of
from heapscope.heap.retention.owner_paths import extends, owner_of
from heapscope.parser.tags import BasicType

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from heapscope.heap.graph.heap_graph import HeapGraph

DIRECT, WRAPPED, MAPPED = "direct buffer", "buffer of native memory", "mapped file"
NETTY, INFLATER, DEFLATER, HANDLE = "Netty chunk", "inflater", "deflater", "native handle"
UNREACHABLE = "nothing: the next collections free them"

# zconf.h: a deflater takes (1 << (windowBits + 2)) + (1 << (memLevel + 9)) bytes, with java.util.zip's
# windowBits 15 and memLevel 8; an inflater (1 << windowBits) and about 7 kB (algorithm.txt).
_ZLIB_BYTES = {INFLATER: (1 << 15) + 7168, DEFLATER: (1 << 17) + (1 << 17)}
# Fields of a class in which libraries keep the address of an object of native code: SWIG, JavaCPP, JNA,
# RocksDB, TensorFlow, OpenCV, Android.
_HANDLE_FIELD = re.compile(
    r"_?(native)?_?(address|addr|handle|ptr|peer|pointer|object|obj)_?|swigCPtr|cPtr|\w*Ptr|\w*[nN]ativeHandle_?"
)
# Less is nothing to look at: one chunk of a Netty arena up to 4.1.74.
LEAST_OFF_HEAP_BYTES = 16 << 20
_LEAST_HANDLES = 100  # fewer are no pile
_SAMPLED_HANDLES = 200
# What malloc gives is a multiple of 8 in the lower half of the address space, and never in its first pages;
# a number that only has such a name (a street address, a file handle) is not.
_LEAST_ADDRESS, _MOST_ADDRESS = 1 << 16, 1 << 48
_ADDRESS_SHARE = 0.95
_LARGE = 0.1  # part of the heap's objects from which on it is worth following all references
# Owners that are looked up for one class: of objects that are reached over the same classes, and in all, but
# one for each such way.
_LOOKUPS_OF_WAY, _MAX_LOOKUPS = 24, 300
_CLIMBED = 64  # steps of a preferred path by which objects are grouped before that


@dataclass(frozen=True, slots=True)
class OffHeapUse:
    """Memory outside of the heap that objects of one class stand for, under one field.

    Attributes
    ----------
    kind : str
        ``"direct buffer"``, ``"buffer of native memory"`` (made by native code, which may own the memory),
        ``"mapped file"``, ``"Netty chunk"``, ``"inflater"``, ``"deflater"`` or ``"native handle"``.
    class_name : str
        Of the objects.
    object_count : int
    byte_count : int or None
        None where the heap does not tell it.
    is_estimate : bool
        Whether the bytes are what the library's documentation says, not what was counted.
    owner : str
        The field that owns them (`heapscope.heap.retention.owner_paths.owner_of`); empty where that was not
        asked for.
    owner_kind : str
        ``"static"``, ``"field"`` and so on; ``"unreachable"`` for what nothing holds any more.
    way : tuple of str
        Steps from the GC root to it, ``Class.field`` each.
    """

    kind: str
    class_name: str
    object_count: int
    byte_count: int | None
    is_estimate: bool
    owner: str = ""
    owner_kind: str = ""
    way: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class OffHeap:
    """All memory outside of the heap that a dump tells of.

    Attributes
    ----------
    uses : tuple of OffHeapUse
        The largest first; unknown sizes last.
    reserved_bytes, reserved_count : int or None
        The JVM's own counters of direct buffers: ``java.nio.Bits.RESERVED_MEMORY`` and ``COUNT``.
    limit_bytes : int or None
        Of direct buffers: ``-XX:MaxDirectMemorySize``, else the heap's limit.
    netty_bytes, netty_limit_bytes : int or None
        Netty's counter of direct memory that the JVM does not count, and its limit.
    thread_count : int
        Platform threads, each with a stack of its own.
    """

    uses: tuple[OffHeapUse, ...]
    reserved_bytes: int | None
    reserved_count: int | None
    limit_bytes: int | None
    netty_bytes: int | None
    netty_limit_bytes: int | None
    thread_count: int

    def __repr__(self) -> str:
        return f"<outside of the heap: {len(self.uses)} uses, {self.known_bytes:,} bytes known>"

    def __str__(self) -> str:
        lines = [repr(self)]
        for use in self.uses:
            size = "of unknown size" if use.byte_count is None else f"{use.byte_count:,} bytes"
            where = f", in {use.owner}" if use.owner else ""
            lines.append(f"{use.object_count:,} x {use.class_name} ({use.kind}), {size}{where}")
        return "\n".join(lines)

    def bytes_of(self, *kinds: str) -> int:
        """Known bytes of some kinds."""
        return sum(use.byte_count or 0 for use in self.uses if use.kind in kinds)

    def count_of(self, *kinds: str) -> int:
        """Objects of some kinds."""
        return sum(use.object_count for use in self.uses if use.kind in kinds)

    @property
    def direct_bytes(self) -> int:
        """What direct buffers and Netty's chunks hold, by the larger of the buffers and the counters."""
        counted = self.bytes_of(DIRECT, NETTY)
        return max(counted, (self.reserved_bytes or 0) + (self.netty_bytes or 0))

    @property
    def known_bytes(self) -> int:
        """All bytes that are known, mapped files left out: those the system can drop at any time."""
        return self.direct_bytes + self.bytes_of(WRAPPED, INFLATER, DEFLATER)


@dataclass(frozen=True, slots=True)
class _Holder:
    """A field that owns objects; of the ways to several of them one."""

    field: str
    kind: str
    way: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Objects:
    """Objects of one kind, with their bytes; arrays of shape (k,)."""

    kind: str
    rows: NDArray[np.int64]
    sizes: NDArray[np.int64] | None


def off_heap_totals(graph: HeapGraph) -> OffHeap:
    """What lies outside of the heap, by kind and class; quick, for owners are not looked for."""
    return graph.kept("off heap totals", lambda: _off_heap(graph, with_owners=False))


def find_off_heap(graph: HeapGraph) -> OffHeap:
    """What lies outside of the heap, by kind, class and the field that owns it.

    Follows references: of a large heap that takes a while.
    """
    return graph.kept("off heap", lambda: _off_heap(graph, with_owners=True))


def off_heap_if_large(graph: HeapGraph) -> OffHeap:
    """`find_off_heap` where it is a tenth of the heap's objects or more, else `off_heap_totals`."""
    totals = off_heap_totals(graph)
    heap_bytes = int(graph.class_totals[1].sum()) * graph.columns.unit_bytes
    is_large = totals.known_bytes >= _LARGE * heap_bytes or totals.count_of(HANDLE)
    return find_off_heap(graph) if is_large else totals


def _off_heap(graph: HeapGraph, *, with_owners: bool) -> OffHeap:
    found = graph.kept("off heap objects", lambda: _find_objects(graph))
    uses: list[OffHeapUse] = []
    for objects in found:
        classes = graph.columns.class_index[objects.rows]
        for class_index in np.unique(classes).tolist():
            mine = np.nonzero(classes == class_index)[0]
            name = graph.classes[class_index].name
            parts = (
                _by_owner(graph, objects.rows[mine])
                if with_owners
                else [(_Holder("", "", ()), np.arange(mine.size, dtype=np.int64))]
            )
            for holder, members in parts:
                sizes = None if objects.sizes is None else int(objects.sizes[mine[members]].sum())
                uses.append(
                    OffHeapUse(
                        kind=objects.kind,
                        class_name=name,
                        object_count=int(members.size),
                        byte_count=sizes,
                        is_estimate=objects.kind in _ZLIB_BYTES,
                        owner=holder.field,
                        owner_kind=holder.kind,
                        way=holder.way,
                    )
                )
    uses.sort(key=lambda use: (use.byte_count is None, -(use.byte_count or 0), -use.object_count, use.owner))
    bits, netty = "java.nio.Bits", _class_ending(graph, "netty.util.internal.PlatformDependent")
    limit = _number(graph, bits, "MAX_MEMORY", "maxMemory") or next(
        (
            size
            for name in ("jdk.internal.misc.VM", "sun.misc.VM")
            if (size := _number(graph, name, "directMemory"))
        ),
        None,
    )
    netty_limit = _number(graph, netty, "DIRECT_MEMORY_LIMIT")
    return OffHeap(
        uses=tuple(uses),
        reserved_bytes=_number(graph, bits, "RESERVED_MEMORY", "reservedMemory"),
        reserved_count=_number(graph, bits, "COUNT", "count"),
        limit_bytes=limit if limit and limit > 0 else None,
        netty_bytes=_number(graph, netty, "DIRECT_MEMORY_COUNTER"),
        netty_limit_bytes=netty_limit if netty_limit and netty_limit > 0 else None,
        thread_count=_platform_thread_count(graph),
    )


def _platform_thread_count(graph: HeapGraph) -> int:
    indices = [graph.index_of(each.object_id) for each in threads_of(graph) if each.object_id]
    is_virtual = is_virtual_class(graph)
    return sum(each < 0 or not is_virtual[int(graph.columns.class_index[each])] for each in indices)


# --- which objects stand for memory outside ---


def _find_objects(graph: HeapGraph) -> list[_Objects]:
    chunks = _netty_chunks(graph)
    # A chunk's memory is a direct buffer, which would count twice.
    memory = graph.indices_of(read_field(graph, chunks.rows, "memory", is_optional=True).references())
    found = [chunks, *_buffers(graph, memory), *_zlib(graph), *_handles(graph)]
    return [each for each in found if each.rows.size]


def _instances(graph: HeapGraph, is_it: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Object indices of instances of the classes that a mask of shape (c,) names."""
    return graph.instances_of(is_it)


def _numbers(graph: HeapGraph, rows: NDArray[np.int64], name: str) -> NDArray[np.int64]:
    """A field that is a whole number, or a reference, of each object; 0 where it has none."""
    column = read_field(graph, rows, name, is_optional=True)
    numbers = column.bits.astype(np.int64)
    is_int = column.types == BasicType.INT
    numbers[is_int] = column.bits[is_int].astype(np.uint32).view(np.int32)
    return numbers


def _buffers(graph: HeapGraph, of_chunks: NDArray[np.int64]) -> list[_Objects]:
    """Buffers that own their memory: slices, duplicates and views refer to another one (``att``)."""
    is_direct = np.array([c.name.startswith("java.nio.Direct") for c in graph.classes], bool)
    rows = _instances(graph, is_direct | extends(graph, "java.nio.DirectByteBuffer"))
    rows = np.setdiff1d(rows, of_chunks)
    sizes = _numbers(graph, rows, "capacity")
    owns = (_numbers(graph, rows, "att") == 0) & (sizes > 0)
    # Only ByteBuffers own memory; `Deallocator`, whose name begins alike, has no limit.
    owns &= read_field(graph, rows, "limit", is_optional=True).types != 0
    has_cleaner = _numbers(graph, rows, "cleaner") != 0
    has_file = _numbers(graph, rows, "fd") != 0
    # The JDK's own classes (lib/modules), which native code maps: a read-only view of that buffer is kept.
    readers = _instances(graph, extends(graph, "jdk.internal.jimage.BasicImageReader"))
    views = graph.indices_of(read_field(graph, readers, "memoryMap", is_optional=True).references())
    images = graph.indices_of(read_field(graph, views, "att", is_optional=True).references())
    is_image = np.isin(rows, np.concatenate([views, images]))
    kinds = (
        (DIRECT, owns & has_cleaner & ~has_file),
        (MAPPED, owns & ((has_cleaner & has_file) | is_image)),
        (WRAPPED, owns & ~has_cleaner & ~is_image),
    )
    return [_Objects(kind, rows[chosen], sizes[chosen]) for kind, chosen in kinds]


def _netty_chunks(graph: HeapGraph) -> _Objects:
    """Chunks of Netty's direct arenas, also of a shaded Netty."""
    names = [c.name for c in graph.classes]
    is_chunk = np.array([name.endswith("netty.buffer.PoolChunk") for name in names], bool)
    rows = _instances(graph, is_chunk)
    arenas = graph.indices_of(read_field(graph, rows, "arena", is_optional=True).references())
    is_direct = np.array([name.endswith("PoolArena$DirectArena") for name in names] or [False], bool)
    chosen = np.zeros(rows.size, bool)
    chosen[arenas >= 0] = is_direct[graph.columns.class_index[arenas[arenas >= 0]]]
    return _Objects(NETTY, rows[chosen], _numbers(graph, rows[chosen], "chunkSize"))


def _zlib(graph: HeapGraph) -> list[_Objects]:
    """Streams of zlib that nobody has ended."""
    found = []
    for kind, name in ((INFLATER, "java.util.zip.Inflater"), (DEFLATER, "java.util.zip.Deflater")):
        rows = _instances(graph, extends(graph, name))
        streams = graph.indices_of(read_field(graph, rows, "zsRef", is_optional=True).references())
        rows = rows[_numbers(graph, streams, "address") != 0]
        found.append(_Objects(kind, rows, np.full(rows.size, _ZLIB_BYTES[kind], np.int64)))
    return found


def _handles(graph: HeapGraph) -> list[_Objects]:
    """Many objects of one class of a program or a library that each keep an address."""
    class_index = graph.columns.class_index
    counts, _ = graph.class_totals
    fields = {
        place: names
        for place in np.nonzero(counts >= _LEAST_HANDLES)[0].tolist()
        if (names := _handle_fields(graph, place))
    }
    is_candidate = np.zeros(len(graph.classes), bool)
    is_candidate[list(fields)] = True
    candidates = _instances(graph, is_candidate)
    of_class = class_index[candidates]
    found = []
    for place, names in fields.items():
        rows = candidates[of_class == place]
        some = rows[:: max(1, rows.size // _SAMPLED_HANDLES)]
        for name in names:
            # Nearly all have an address, or the field is something else: some of them tell at once.
            if _address_share(_numbers(graph, some, name)) < _ADDRESS_SHARE / 2:
                continue
            values = _numbers(graph, rows, name)
            held = values != 0
            if np.count_nonzero(held) >= _LEAST_HANDLES and _address_share(values) >= _ADDRESS_SHARE:
                found.append(_Objects(HANDLE, rows[held], None))
                break
    return found


def _handle_fields(graph: HeapGraph, place: int) -> list[str]:
    """Fields of a class of a program or a library that are called as handles are."""
    name = graph.classes[place].name
    if class_origin(name) == ClassOrigin.JDK or name.endswith("[]") or "netty.buffer." in name:
        return []
    return [
        each.name
        for each in class_fields(graph, place).places
        if each.type == BasicType.LONG
        and class_origin(each.declared_in) > ClassOrigin.JDK
        and _HANDLE_FIELD.fullmatch(each.name)
    ]


def _address_share(values: NDArray[np.int64]) -> float:
    """Which part of the numbers that are not 0 can be addresses; 1 where there are none."""
    known = values[values != 0]
    if not known.size:
        return 1.0
    fits = (known % 8 == 0) & (known >= _LEAST_ADDRESS) & (known < _MOST_ADDRESS)
    return float(fits.mean())


# --- who owns them ---


def _by_owner(graph: HeapGraph, rows: NDArray[np.int64]) -> list[tuple[_Holder, NDArray[np.int64]]]:
    """Objects of one kind and class by the field that owns them.

    Objects that the same array or collection holds in the same way have one owner: it is looked up for one
    of them.  Where there are too many such groups, those that are reached through the same classes share the
    owners of some of them.

    Returns
    -------
    list of (_Holder, int64 array)
        Who owns them, and which of ``rows``.
    """
    is_held = graph.immediate_dominators[rows] != NO_OBJECT
    gone, held = np.nonzero(~is_held)[0], np.nonzero(is_held)[0]
    found = [(_Holder(UNREACHABLE, "unreachable", ()), gone)] if gone.size else []
    fine, coarse = _ways(graph, rows[held])
    _, first, group_of, sizes = np.unique(fine, return_index=True, return_inverse=True, return_counts=True)
    holders: dict[tuple[str, str], tuple[int, _Holder]] = {}
    holder_of = np.full(sizes.size, -1, np.int64)
    ways = coarse[first]
    by_size = np.argsort(-sizes, kind="stable")
    looked_up = 0
    for way in dict.fromkeys(ways[by_size].tolist()):
        groups = by_size[ways[by_size] == np.uint64(way)]
        most = _LOOKUPS_OF_WAY if looked_up < _MAX_LOOKUPS else 1
        counts: Counter[int] = Counter()
        for group in groups[:most].tolist():
            owner = owner_of(graph, int(rows[held[first[group]]]), is_one_of_many=held.size > 1)
            holder = _Holder(owner.field, owner.kind, owner.way)
            number, _ = holders.setdefault((owner.field, owner.kind), (len(holders), holder))
            holder_of[group] = number
            counts[number] += int(sizes[group])
            looked_up += 1
        holder_of[groups[most:]] = counts.most_common(1)[0][0]
    of_row = holder_of[group_of]
    return [*found, *((holder, held[of_row == number]) for number, holder in holders.values())]


def _ways(graph: HeapGraph, rows: NDArray[np.int64]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """How objects are reached, as numbers.

    Returns
    -------
    fine : uint64 array
        Equal for objects that the same array holds over the same classes.
    coarse : uint64 array
        Equal for objects that are reached over the same classes.
    """
    parents, class_index = graph.owner_parents, graph.columns.class_index
    is_array = np.array([c.name.endswith("[]") for c in graph.classes] or [False], bool)
    fine, coarse = np.zeros(rows.size, np.uint64), np.zeros(rows.size, np.uint64)
    has_array = np.zeros(rows.size, bool)
    left, at = np.arange(rows.size), rows.astype(np.int64)
    factor = np.uint64(0x9E3779B97F4A7C15)
    last = class_index[at].astype(np.int64)
    for _ in range(_CLIMBED):
        above = parents[at]
        goes_on = above < VIRTUAL_ROOT
        left, at, last = left[goes_on], above[goes_on].astype(np.int64), last[goes_on]
        if not left.size:
            break
        classes = class_index[at].astype(np.int64)
        # Nodes of a list count once.
        new = classes != last
        step = classes.astype(np.uint64) + np.uint64(1)
        coarse[left[new]] = (coarse[left[new]] ^ step[new]) * factor
        in_array = is_array[classes] & ~has_array[left]
        fine[left[in_array]] = (coarse[left[in_array]] ^ at[in_array].astype(np.uint64)) * factor
        has_array[left[in_array]] = True
        last = classes
    # Without an array each object that is not in a list is by itself.
    alone = ~has_array
    fine[alone] = (coarse[alone] ^ parents[rows[alone]].astype(np.uint64)) * factor
    return fine, coarse


# --- counters of the JVM and of Netty ---


def _class_ending(graph: HeapGraph, ending: str) -> str:
    return next((c.name for c in graph.classes if c.name.endswith(ending)), "")


def _number(graph: HeapGraph, class_name: str, *fields: str) -> int | None:
    """A static field that is a number, or an object with one (``AtomicLong``); the first that is there."""
    for java_class in graph.classes:
        if java_class.name != class_name:
            continue
        for static in java_class.statics:
            if static.name not in fields:
                continue
            if static.type != BasicType.OBJECT:
                return int(static.value)
            boxed = object_or_none(graph, static_reference(graph, class_name, static.name))
            if boxed is not None and (value := _value_of(boxed)) is not None:
                return value
    return None


def _value_of(boxed: JavaObject) -> int | None:
    value = boxed.get("value")
    return int(value) if isinstance(value, (int, float)) else None

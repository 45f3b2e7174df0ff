"""What lies outside of the Java heap, in plain words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heapscope.analysis.leaks.off_heap import UNITS
from heapscope.analysis.leaks.resident import ResidentMemory
from heapscope.heap.retention.off_heap import DIRECT, HANDLE, UNREACHABLE, OffHeap, OffHeapUse
from heapscope.reporter.text import plural, printable
from heapscope.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

# A use that is shown has so many bytes or, where those are not known, so many objects: every JVM has some
# buffers of a few bytes.
_LEAST_BYTES = 1 << 20
_LEAST_COUNT = 100
_SHOWN = 8


def off_heap_lines(off_heap: OffHeap, resident: ResidentMemory | None = None) -> list[str]:
    """A line for each field that owns much outside of the heap, the JVM's counters, and what is left of RSS.

    Parameters
    ----------
    resident : ResidentMemory, optional
        From the sidecar of the dump.
    """
    large = [use for use in off_heap.uses if is_large(use)]
    lines = [use_line(use) for use in large[:_SHOWN]]
    rest = large[_SHOWN:]
    if rest:
        lines.append(
            f"and {plural(len(rest), 'smaller one')}, {format_bytes(sum(u.byte_count or 0 for u in rest))}"
        )
    lines += _counters(off_heap)
    threads = plural(off_heap.thread_count, "thread")
    if resident is not None and resident.stack_bytes is not None:
        lines.append(f"stacks of {threads}: at most {format_bytes(resident.stack_bytes)}")
    else:
        lines.append(f"stacks of {threads}; the dump does not tell how large they are")
    return lines if resident is None else [*lines, *resident_lines(resident)]


def is_large(use: OffHeapUse) -> bool:
    """Whether it is worth a line."""
    size = use.byte_count
    return use.object_count >= _LEAST_COUNT if size is None else size >= _LEAST_BYTES


def use_line(use: OffHeapUse) -> str:
    """``258 direct buffers, 25.4 MB, in com.acme.Camera.frames (static)``."""
    if use.kind == HANDLE:
        what = f"{use.object_count:,} {use.class_name} with an object of native code each"
    else:
        what = plural(use.object_count, *UNITS[use.kind])
    size = "size unknown"
    if use.byte_count is not None:
        size = f"{'about ' if use.is_estimate else ''}{format_bytes(use.byte_count)}"
    where = ""
    if use.owner == UNREACHABLE:
        where = ", held by nothing any more: freed after the next collections"
    elif use.owner:
        where = f", in {use.owner}{' (static)' if use.owner_kind == 'static' else ''}"
    return printable(f"{what}, {size}{where}")


def _counters(off_heap: OffHeap) -> list[str]:
    """What the JVM and Netty count themselves."""
    lines = []
    if off_heap.reserved_bytes:
        limit = "" if off_heap.limit_bytes is None else f" of at most {format_bytes(off_heap.limit_bytes)}"
        line = f"the JVM counts {format_bytes(off_heap.reserved_bytes)} of direct buffers{limit}"
        missing = off_heap.reserved_bytes - off_heap.bytes_of(DIRECT)
        if missing > off_heap.reserved_bytes / 10 and missing > _LEAST_BYTES:
            line += f"; {format_bytes(missing)} of them have no buffer in this dump"
        lines.append(line)
    if off_heap.netty_bytes:
        most = off_heap.netty_limit_bytes
        lines.append(
            f"Netty counts {format_bytes(off_heap.netty_bytes)} of direct memory of its own"
            + (f" of at most {format_bytes(most)}" if most else "")
        )
    return lines


def resident_lines(resident: ResidentMemory) -> list[str]:
    """What the resident memory of the process consists of, and what is left."""
    parts: Sequence[tuple[str, int]] = (
        ("the committed heap", resident.heap_bytes),
        ("metaspace", resident.metaspace_bytes),
        ("direct memory", resident.direct_bytes),
        ("other memory that objects stand for", resident.other_bytes),
    )
    sums = ", ".join(f"{format_bytes(size)} {name}" for name, size in parts if size)
    left = resident.unexplained_bytes
    if left > 0:
        end = f"{format_bytes(left)} are not explained by the heap (threads, code, malloc, native libraries)"
    else:
        end = f"nothing is left to explain ({format_bytes(-left)} of that are not resident)"
    return [f"resident (RSS) {format_bytes(resident.rss_bytes)}, less {sums}: {end}"]

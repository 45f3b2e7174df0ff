"""What the resident memory of a process consists of, by its heap dump and its sidecar."""

from __future__ import annotations

import re
from dataclasses import dataclass

from heapscope.analysis.growth.sidecar import number_in, options_in
from heapscope.analysis.growth.snapshot import Snapshot
from heapscope.heap.retention.off_heap import OffHeap
from heapscope.units import parse_bytes

_STACK_SIZE = re.compile(r"-XX:ThreadStackSize=(\d+)|-Xss(\d+[kKmMgG]?)")


@dataclass(frozen=True, slots=True)
class ResidentMemory:
    """What a process's resident memory consists of, as far as its snapshot and sidecar tell; bytes.

    Attributes
    ----------
    rss_bytes : int
        Of the process before the snapshot was taken.
    heap_bytes, metaspace_bytes : int
        Committed.
    direct_bytes : int
        Direct buffers and Netty's chunks.
    other_bytes : int
        Other memory outside of the heap that objects stand for.
    stack_bytes : int or None
        Reserved for the stacks of threads; None where their size is not known.
    unexplained_bytes : int
        The rest; below 0 where less is resident than was committed.
    """

    rss_bytes: int
    heap_bytes: int
    metaspace_bytes: int
    direct_bytes: int
    other_bytes: int
    stack_bytes: int | None
    unexplained_bytes: int


def resident_memory(snapshot: Snapshot, off_heap: OffHeap) -> ResidentMemory | None:
    """Where the resident memory of a process goes; None without a sidecar that tells of it."""
    rss = number_in(snapshot.sidecar, "process", "rss_bytes")
    heap = number_in(snapshot.sidecar, "process", "heap", "committed_bytes")
    metaspace = number_in(snapshot.sidecar, "process", "heap", "metaspace_committed_bytes")
    if rss is None or heap is None:
        return None
    direct = off_heap.direct_bytes
    other = off_heap.known_bytes - direct
    stack = _stack_bytes(snapshot)
    return ResidentMemory(
        rss_bytes=rss,
        heap_bytes=heap,
        metaspace_bytes=metaspace or 0,
        direct_bytes=direct,
        other_bytes=other,
        stack_bytes=None if stack is None else stack * off_heap.thread_count,
        unexplained_bytes=rss - heap - (metaspace or 0) - direct - other,
    )


def _stack_bytes(snapshot: Snapshot) -> int | None:
    """Size of a thread's stack by the JVM's options, the last of which counts; None where they do not say."""
    size = None
    for option in options_in(snapshot.sidecar):
        found = _STACK_SIZE.fullmatch(option)
        if found is not None:
            size = int(found[1]) << 10 if found[1] else parse_bytes(found[2])
    return size

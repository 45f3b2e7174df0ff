"""What a dump will cost, before the JVM is contacted: bytes, and seconds of pause."""

from __future__ import annotations

from heapscope.collector.processes import JvmProcess

# A dump takes up to 1.45 bytes for each byte of the live heap (measured).
_DUMP_PER_HEAP = 1.45


def expected_dump_bytes(process: JvmProcess) -> int:
    """About how long a dump may get at most.

    From the committed heap, because some collectors update the used size only at a collection; and no more
    than the resident size, because memory that is in use is resident.
    """
    heap_bytes = process.rss_bytes
    if process.heap is not None:
        heap_bytes = min(heap_bytes, process.heap.committed_bytes or heap_bytes)
    return int(_DUMP_PER_HEAP * heap_bytes)

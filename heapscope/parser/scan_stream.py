"""The first pass over a dump that nobody keeps: counted as it comes, in memory that does not grow with it.

A file is counted again where its layout turns out to be another than was guessed.  A stream cannot be.  Up to
JDK 21 classes and their names come first, so the beginning tells the layout.  Since JDK 22 names come last:
the stream is then counted for all layouts that HotSpot has, and the one that proves right is taken.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import chain

from heapscope.errors import TruncatedDump
from heapscope.parser.count_stream import count_blocks
from heapscope.parser.layout.layout import infer_layout, possible_layouts
from heapscope.parser.scan import DumpClasses, HeapScan, geometry_of, layout_of, scan_of
from heapscope.parser.segment_counts import DumpCounts
from heapscope.parser.tags import RecordTag

_PROBE_BYTES = 12 << 20
_END = struct.pack(">BII", RecordTag.HEAP_DUMP_END, 0, 0)
_GUESS = infer_layout({}, identifier_bytes=8, address_bits=0, object_count=0, format_version="1.0.2")


def scan_stream(path: str, blocks: Iterator[memoryview]) -> tuple[HeapScan, bool]:
    """Count a dump that comes in blocks.

    Parameters
    ----------
    path : str
        For errors.
    blocks : iterator of memoryview
        The dump from its beginning; each is done with when the next is asked for.

    Returns
    -------
    (HeapScan, bool)
        What was counted, and whether sizes of arrays are exact: they follow a layout that was counted with.

    Raises
    ------
    NeedsWholeFile
        No HotSpot writes such a dump.
    NotHprof, UnsupportedFormat, CorruptRecord, TruncatedDump
    """
    held = bytearray()
    for block in blocks:
        held += block
        if len(held) > _PROBE_BYTES:
            break
    beginning = _beginning(path, held)
    layout = layout_of(beginning, DumpClasses().of(beginning)[0])
    layouts = [layout] if layout.release and not layout.is_width_guessed else possible_layouts(layout)
    counted = count_blocks(path, chain([memoryview(held)], blocks), layouts)
    classes, names = DumpClasses().of(counted[0])
    final = layout_of(counted[0], classes)
    place = next(
        (n for n, each in enumerate(layouts) if geometry_of(each) == geometry_of(final)),
        None,
    )
    return scan_of(path, counted[place or 0], classes, names, final), place is not None


def _beginning(path: str, held: bytearray) -> DumpCounts:
    """What the beginning of a dump holds, up to a record that goes on behind it."""
    try:
        return count_blocks(path, iter([memoryview(held)]), [_GUESS])[0]
    except TruncatedDump as error:
        if not error.offset:
            raise
        return count_blocks(path, iter([memoryview(held)[: error.offset], memoryview(_END)]), [_GUESS])[0]

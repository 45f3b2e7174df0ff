"""Everything that can be read of a dump that is cut short or damaged.

Where the records of a dump come to an end that is no end, the file was cut: what is whole before it
is kept.  Where a record contradicts the format, its neighbours or its class, the next whole record is
looked for.  A place is believed to be one only if several records follow it without a gap, each of a
class that is known and as long as its class says: bytes of an array do not pass for objects.

Two rounds: the first finds the classes, the second knows how long their instances are.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from heapscope.parser import kernels
from heapscope.parser.broken.coverage import Gap, describe_share
from heapscope.parser.broken.kernels import MAX_UTF8_BYTES, drop_records, find_record, find_top_level
from heapscope.parser.hash_table import hash_table
from heapscope.parser.instance_data import field_bytes, own_bytes
from heapscope.parser.layout.kernel_constants import kernel_constants
from heapscope.parser.layout.layout import MIN_OBJECTS_FOR_ALIGNMENT
from heapscope.parser.records import (
    ClassReader,
    Header,
    JavaClass,
    RecordList,
    parse_header,
    read_class_names,
    read_record_head,
)
from heapscope.parser.segment_counts import SegmentCounts, problem_of
from heapscope.parser.source import Piece, Source
from heapscope.parser.tags import (
    FRAME_BODY,
    HEADER_BYTES,
    LOAD_CLASS_BODY,
    RECORD_BODIES,
    RECORD_HEADER_BYTES,
    TRACE_HEAD_BYTES,
    RecordTag,
    can_begin_heap,
    record_body_bytes,
)
from heapscope.parser.top_level import TopLevel, chosen_heap
from heapscope.progress import Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from heapscope.parser.layout.layout import Layout

_HEAP = (RecordTag.HEAP_DUMP, RecordTag.HEAP_DUMP_SEGMENT)
# Of a body: plain bytes, identifiers.
_LEAST_BYTES = {
    RecordTag.UTF8: (0, 1),
    RecordTag.LOAD_CLASS: LOAD_CLASS_BODY,
    RecordTag.FRAME: FRAME_BODY,
    RecordTag.TRACE: (TRACE_HEAD_BYTES, 0),
    RecordTag.START_THREAD: RECORD_BODIES[RecordTag.START_THREAD],
}
_TAGS = frozenset(int(tag) for tag in RecordTag)
DUPLICATE = "an earlier object has this address"


@dataclass(frozen=True)
class Salvage:
    """What was found: the records as if they were whole, and what lies between them."""

    top_level: TopLevel
    gaps: list[Gap]
    expected_bytes: int
    is_end_known: bool
    object_count: int  # those at the address of another one included

    def __str__(self) -> str:
        read_bytes = self.top_level.dump_bytes - sum(gap.length for gap in self.gaps)
        return describe_share(read_bytes, self.expected_bytes, self.is_end_known, self.object_count)


def salvage(source: Source, layout: Layout, progress: Progress) -> Salvage:
    """Find what can be read of a broken dump.

    Parameters
    ----------
    source : Source
    layout : Layout
        A guess will do: no size is taken from it.
    progress : Progress

    Raises
    ------
    NotHprof, UnsupportedFormat, CorruptRecord, TruncatedDump
        Not even the header can be read.
    """
    path = str(source.path)
    data = source.mapping(progress)
    header = parse_header(data[:HEADER_BYTES].tobytes(), path)
    first = _Round(data, path, header, layout, {}, frozenset())
    first.run(source.pieces, progress)
    classes, loaded = first.classes()
    second = _Round(data, path, header, layout, classes, loaded)
    second.run(source.pieces, progress)
    records = second.records()
    top_level = _of_heap(TopLevel(header, records, second.ranges, False, int(data.size)), path, source.heap)
    known, expected = second.end(source.pieces)
    return Salvage(
        top_level, sorted(second.gaps, key=lambda gap: gap.offset), expected, known, second.object_count
    )


def _of_heap(found: TopLevel, path: str, heap: int | None) -> TopLevel:
    """Of a file with several heaps the one that is meant; see `heapscope.parser.top_level.heap_numbers`.

    Only HEAP_DUMP records are believed to begin another heap: noise can look like an end of segments.
    """
    is_heap = np.isin(found.records.tags, _HEAP)
    if not (found.records.tags[is_heap] == RecordTag.HEAP_DUMP).all() or not found.segments:
        chosen_heap(path, 1, heap)
        return found
    begins = np.sort(found.records.starts[is_heap])
    of_range = np.searchsorted(begins, [start for start, _ in found.segments], side="right")
    used, numbers = np.unique(of_range, return_inverse=True)
    number = chosen_heap(path, used.size, heap)
    mine = [one for one, each in zip(found.segments, (numbers + 1).tolist(), strict=True) if each == number]
    return replace(found, segments=mine, heap_number=number, heap_count=int(used.size))


@dataclass
class _Round:
    data: NDArray[np.uint8]
    path: str
    header: Header
    layout: Layout
    known: dict[int, JavaClass]
    loaded: frozenset[int]
    ranges: list[tuple[int, int]] = field(default_factory=list)  # of whole sub-records
    gaps: list[Gap] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._width = self.header.identifier_bytes
        self._constants = kernel_constants(self._width, self.layout)
        self._counts = SegmentCounts(self.path, self._width, self.layout)
        self._tags: list[NDArray[np.uint8]] = []
        self._starts: list[NDArray[np.int64]] = []
        self._lengths: list[NDArray[np.int64]] = []
        self._state = np.zeros(kernels.STATE, np.int64)
        self._room = np.empty(1 << 14, np.uint8), np.empty(1 << 14, np.int64), np.empty(1 << 14, np.int64)
        self._heap_stop = 0  # where the heap record that a hole interrupted says that it ends
        self._claimed_end = 0
        self._has_heap_dump = False
        self._limits = np.array([np.iinfo(np.uint64).max, 0], np.uint64)
        self._table = hash_table([])
        self._learn()

    def _learn(self) -> None:
        """Tables of the classes that are known, for what passes for a record."""
        ids = sorted(({*self.known} | self.loaded) - {0})
        if not ids:
            return
        rows = []
        own = own_bytes(self.known, self._width)
        for class_id in ids:
            found = self.known.get(class_id)
            size, is_whole = field_bytes(self.known, own, class_id)
            # Nothing but its name tells the class of an array: it has no fields.
            is_exact = found is not None and found.is_dumped and is_whole and (found.is_named or size > 0)
            if found is not None and found.is_array:
                rows.append((class_id, 0, 0, kernels.KIND_ARRAY))
            else:
                rows.append((class_id, 0, size, kernels.KIND_INSTANCE if is_exact else 0))
        self._table = hash_table(rows)
        self._counts.learn(np.ascontiguousarray(self._table[self._table[:, kernels.KIND] != 0]))
        keys = np.array(ids, np.uint64)
        low = int(np.bitwise_or.reduce(keys))
        alignment = low & -low
        if len(ids) < MIN_OBJECTS_FOR_ALIGNMENT:
            alignment = min(alignment, 8)  # that few identifiers are all multiples of more can be chance
        self._limits = np.array([min(2 * ids[-1], 2**64 - 1), alignment - 1], np.uint64)

    def run(self, pieces: list[Piece], progress: Progress) -> None:
        """Read all pieces."""
        for piece in pieces:
            position = max(piece.start, HEADER_BYTES)
            if not piece.starts_record:
                position = self._resume(piece.start, piece.stop)
            self._read(position, piece.stop)
            progress("looking for whole records", piece.stop, int(self.data.size))
        for piece, after in zip(pieces, [*(each.start for each in pieces[1:]), pieces[-1].stop], strict=True):
            if piece.problem:
                self.gaps.append(Gap(piece.stop, after - piece.stop, piece.problem))
        if not self.gaps and not self._has_end():
            self.gaps.append(Gap(int(self.data.size), 0, "HEAP_DUMP_END is missing"))

    def _read(self, position: int, end: int) -> None:
        """Top-level records from ``position`` to ``end``."""
        view = self.data[:end]
        tags, starts, lengths = self._room
        while position < end:
            self._state[kernels.POSITION], self._state[kernels.LISTED] = position, 0
            status = kernels.list_records(view, 1, tags, starts, lengths, self._state)
            used = int(self._state[kernels.LISTED])
            self._list(tags[:used].copy(), starts[:used].copy(), lengths[:used].copy())
            position = int(self._state[kernels.POSITION])
            if status == kernels.HEAP_RECORD:
                position = self._heap(position, end)
            elif status not in (kernels.OK, kernels.NEED_TABLE):
                position = self._skip(position, end, status)

    def _list(self, tags: NDArray[np.uint8], starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> None:
        self._tags.append(tags)
        self._starts.append(starts)
        self._lengths.append(lengths)

    def _skip(self, position: int, end: int, status: int) -> int:
        """Where top-level records go on behind one that is cut or wrong."""
        tag, length = self._head(position, end)
        if status == kernels.NEED_BYTES and self._is_possible(tag, length):
            self._miss(position, end, f"the file ends inside this record (0x{tag:02x})")
            return end
        find_top_level(self.data[:end], position + 1, self._width, self._state)
        found = int(self._state[kernels.POSITION])
        problem = (
            f"record tag 0x{tag:02x} is unknown" if tag not in _TAGS else f"record 0x{tag:02x} is damaged"
        )
        self._miss(position, found, problem)
        return found

    def _head(self, position: int, end: int) -> tuple[int, int]:
        """Tag and length of a top-level record; length -1 where its head is cut."""
        if position + RECORD_HEADER_BYTES > end:
            return int(self.data[position]), -1
        return read_record_head(self.data[position : position + RECORD_HEADER_BYTES].tobytes())

    def _is_possible(self, tag: int, length: int) -> bool:
        """Whether a record of that kind can be so long, or its head is cut."""
        if length < 0:
            return tag in _TAGS
        if tag == RecordTag.UTF8:
            return self._width <= length <= MAX_UTF8_BYTES + self._width
        if tag in (RecordTag.LOAD_CLASS, RecordTag.FRAME):
            return length == record_body_bytes(RecordTag(tag), self._width)
        return length == 0 if tag == RecordTag.HEAP_DUMP_END else tag in _TAGS

    def _begins(self, position: int, end: int) -> bool:
        """Whether a top-level record can begin at ``position``, or the file ends there."""
        if position >= end:
            return position == end
        tag, length = self._head(position, end)
        if not self._is_possible(tag, length):
            return False
        body = position + RECORD_HEADER_BYTES
        if tag in _HEAP and length > 0 and body < end:
            return can_begin_heap(int(self.data[body]))
        return True

    def _heap(self, position: int, end: int) -> int:
        """Read the heap record at ``position``; where the next top-level record begins."""
        body = position + RECORD_HEADER_BYTES
        tag, length = self._head(position, end)
        if length < 0:
            self._miss(position, end, "the file ends inside the head of a heap record")
            return end
        one = np.array([tag], np.uint8), np.array([body], np.int64), np.array([0], np.int64)
        self._list(*one)
        remaining = end - body
        is_last = tag == RecordTag.HEAP_DUMP and remaining >= length and (remaining - length) % (1 << 32) == 0
        if length == 0 and (body == end or int(self.data[body]) in (*_HEAP, RecordTag.HEAP_DUMP_END)):
            return body
        self._heap_stop = body + length if length else 0
        if tag == RecordTag.HEAP_DUMP and length:
            self._has_heap_dump = True
        if end == self.data.size:  # before a hole it may be what is left of anything
            self._claimed_end = max(self._claimed_end, self._heap_stop)
        if length == 0 or length > remaining:
            return self._chain(body, end, end, is_known=False, is_cut=True)
        if is_last:
            return self._chain(body, end, end, is_known=True, is_cut=False)
        if self._begins(body + length, end):
            return self._chain(body, body + length, end, is_known=True, is_cut=False)
        return self._chain(body, end, end, is_known=False, is_cut=False)

    def _resume(self, begin: int, end: int) -> int:
        """Behind a hole: where top-level records go on."""
        stop = self._heap_stop
        is_known = begin < stop <= end and self._begins(stop, end)
        until = stop if is_known else end
        if not self.ranges and not stop:
            find_top_level(self.data[:end], begin, self._width, self._state)
            found = int(self._state[kernels.POSITION])
            self._miss(begin, found, "not the beginning of a record")
            return found
        position, is_heap = self._search(begin, until, end, is_known)
        self._miss(begin, position, "not the beginning of a record")
        if is_heap or position >= until:
            return position
        return self._chain(position, until, end, is_known=is_known, is_cut=not is_known)

    def _chain(self, position: int, stop: int, end: int, *, is_known: bool, is_cut: bool) -> int:
        """Sub-records up to ``stop``; where the next top-level record begins.

        ``is_known``: a record ends at ``stop`` for sure; ``is_cut``: the file ends there, and it should not.
        """
        view = self.data[:end]
        while position < stop:
            reached, status = self._counts.follow(view, position, stop, 0)
            if reached > position:
                self.ranges.append((position, min(reached, stop)))
            if status == kernels.OK:
                return stop
            tag = int(view[reached]) if reached < end else 0
            if not is_known and tag in (*_HEAP, RecordTag.HEAP_DUMP_END) and self._begins(reached, end):
                return reached
            if is_cut and status in (kernels.OVERRUN, kernels.NEED_BYTES):
                self._miss(reached, stop, "the file ends inside this record")
                return stop
            found, is_heap = self._search(reached + 1, stop, end, is_known)
            self._miss(reached, found, problem_of(status, tag))
            if is_heap:
                return found
            position = found
        return stop

    def _search(self, position: int, stop: int, end: int, is_known: bool) -> tuple[int, bool]:
        """The next whole record, ``stop`` where there is none; and whether it is a top-level one."""
        status = find_record(
            self.data[:end], position, stop, int(is_known),
            self._constants, self._table, self._limits, self._state,
        )  # fmt: skip
        return int(self._state[kernels.POSITION]), status == kernels.HEAP_RECORD

    def _miss(self, start: int, stop: int, problem: str) -> None:
        if stop > start:
            self.gaps.append(Gap(start, stop - start, problem))

    @property
    def object_count(self) -> int:
        """Objects in all ranges."""
        return self._counts.objects

    def records(self) -> RecordList:
        """The top-level records that were found."""
        tags = np.concatenate([np.empty(0, np.uint8), *self._tags])
        starts = np.concatenate([np.empty(0, np.int64), *self._starts])
        lengths = np.concatenate([np.empty(0, np.int64), *self._lengths])
        least = np.zeros(256, np.int64)
        for tag, (plain, identifiers) in _LEAST_BYTES.items():
            least[tag] = plain + identifiers * self._width
        whole = lengths >= least[tags]
        for start, tag in zip(starts[~whole].tolist(), tags[~whole].tolist(), strict=True):
            self._miss(start - RECORD_HEADER_BYTES, start, f"record 0x{tag:02x} is too short")
        return RecordList(self.data, tags[whole], starts[whole], lengths[whole], self._width, self.path)

    def classes(self) -> tuple[dict[int, JavaClass], frozenset[int]]:
        """Classes by identifier, and all identifiers that LOAD_CLASS names."""
        records = self.records()
        names = read_class_names(records, self._width)
        reader = ClassReader(self._width, records, names)
        found: dict[int, JavaClass] = {}
        spans = self._counts.class_spans[: self._counts.classes].tolist()
        for start, stop in spans:
            read = reader.read(self.data[start:stop].tobytes(), start)
            found.setdefault(read.class_id, read)
        return found, frozenset(names.by_id)

    def _has_end(self) -> bool:
        return any(bool((tags == RecordTag.HEAP_DUMP_END).any()) for tags in self._tags)

    def end(self, pieces: list[Piece]) -> tuple[bool, int]:
        """Whether the end of the dump is known, and how long it was to be at least."""
        size = int(self.data.size)
        ends = [*(each.start for each in pieces[1:]), size]
        is_lost = any(
            piece.problem and piece.stop == after for piece, after in zip(pieces, ends, strict=True)
        )
        known = (self._has_end() and not is_lost) or (self._has_heap_dump and self._claimed_end >= size)
        return known, max(size, self._claimed_end)


def without_duplicates(
    source: Source,
    identifier_bytes: int,
    layout: Layout,
    segments: list[tuple[int, int, int, int]],
) -> tuple[list[tuple[int, int]], list[Gap]] | None:
    """Leave out objects at an address that an earlier one has.

    Parameters
    ----------
    source : Source
    identifier_bytes : int
        Of the dump's header, 4 or 8.
    layout : Layout
    segments : list of (start, stop, objects, roots)
        Whole sub-records.

    Returns
    -------
    (ranges, gaps) or None
        Ranges of sub-records that stay, and what lies between them; None where all stay.
    """
    data = source.mapping()
    constants = kernel_constants(identifier_bytes, layout)
    ids = np.empty(sum(objects for _, _, objects, _ in segments), np.uint64)
    state = np.zeros(kernels.STATE, np.int64)
    for start, stop, _, _ in segments:
        kernels.collect_ids(data, start, stop, constants, ids, state)
    order = np.argsort(ids, kind="stable")
    ids = ids[order]
    later = order[1:][ids[1:] == ids[:-1]]
    if not later.size:
        return None
    drop = np.zeros(ids.size, np.uint8)
    drop[later] = 1
    ranges: list[tuple[int, int]] = []
    gaps: list[Gap] = []
    row = 0
    for start, stop, objects, _ in segments:
        left = np.zeros((int(drop[row : row + objects].sum()) + 1, 2), np.int64)
        state[kernels.OBJECTS] = row
        used = drop_records(data, start, stop, constants, drop, left, state)
        kept = [(int(a), int(b)) for a, b in left[: max(used, 0)].tolist()]
        ranges += kept
        places = [start, *(place for pair in kept for place in pair), stop]
        for begin, end in zip(places[::2], places[1::2], strict=True):
            if end > begin:
                gaps.append(Gap(begin, end - begin, DUPLICATE))
        row += objects
    return ranges, gaps

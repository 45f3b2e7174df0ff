"""The top-level records of a dump: where each is, and how long it really is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from heapscope.errors import CorruptRecord, NoSuchHeap, TruncatedDump
from heapscope.parser import kernels
from heapscope.parser.numbered import no_such
from heapscope.parser.records import Header, RecordList, parse_header, read_record_head
from heapscope.parser.tags import HEADER_BYTES, RECORD_HEADER_BYTES, RecordTag

if TYPE_CHECKING:
    from numpy.typing import NDArray


_HEAP = (RecordTag.HEAP_DUMP, RecordTag.HEAP_DUMP_SEGMENT)
_CLOCK_JITTER = 60_000_000  # threads write records out of order, but not by a minute


@dataclass(frozen=True)
class TopLevel:
    """The top-level records of a dump.

    Attributes
    ----------
    header : Header
    records : RecordList
    segments : list of (start, stop)
        The sub-records of each heap record, as offsets in the inflated dump.
    is_open_ended : bool
        Whether the last segment's length was left at 0.
    dump_bytes : int
    heap_number, heap_count : int
        Which heap of the file the segments are of, counted from 1, and how many the file has.
    heap_ticks : int or None
        Microseconds from the header's time to that heap, by the clock of the records; None where the
        file has one heap, or its records have no clock.
    """

    header: Header
    records: RecordList
    segments: list[tuple[int, int]]
    is_open_ended: bool
    dump_bytes: int
    heap_number: int = 1
    heap_count: int = 1
    heap_ticks: int | None = None


def read_top_level(data: NDArray[np.uint8], path: str, heap: int | None = None) -> TopLevel:
    """Find the top-level records of a whole dump, uint8, shape (n,).

    Parameters
    ----------
    data : uint8 array, shape (n,)
    path : str
        The file, for errors.
    heap : int or None
        Which heap the segments are to be of, where the file has several; None: the last.

    Raises
    ------
    NotHprof, UnsupportedFormat
        It does not begin as a dump does.
    CorruptRecord
        A record's tag is unknown.
    TruncatedDump
        The last record is not whole, or the heap is missing or without its end.
    HprofError
        The file has no such heap.
    """
    header = parse_header(data[:HEADER_BYTES].tobytes(), path)
    tags = np.empty(1 << 16, np.uint8)
    starts = np.empty(1 << 16, np.int64)
    lengths = np.empty(1 << 16, np.int64)
    state = np.zeros(kernels.STATE, np.int64)
    state[kernels.POSITION] = HEADER_BYTES
    open_ended = False
    while True:
        status = kernels.list_records(data, 0, tags, starts, lengths, state)
        position, used = int(state[kernels.POSITION]), int(state[kernels.LISTED])
        if status == kernels.OK:
            break
        if status == kernels.NEED_TABLE:
            tags, starts, lengths = (np.concatenate([a, np.empty_like(a)]) for a in (tags, starts, lengths))
        elif status == kernels.HEAP_RECORD:
            length, open_ended = _heap_length(data, position, path)
            tags[used], starts[used], lengths[used] = data[position], position + RECORD_HEADER_BYTES, length
            state[kernels.LISTED] += 1
            state[kernels.POSITION] += RECORD_HEADER_BYTES + length
        else:
            raise_top_level(
                path, position, data[position : position + RECORD_HEADER_BYTES].tobytes(), data.size, status
            )
    tags, starts, lengths = tags[:used].copy(), starts[:used].copy(), lengths[:used].copy()
    is_heap = np.isin(tags, _HEAP)
    records = RecordList(data, tags, starts, lengths, header.identifier_bytes, path)
    numbers = heap_numbers(tags, lengths)
    count = max(1, int(numbers.max(initial=0)))
    number = chosen_heap(path, count, heap)
    check_end(path, int(data.size), tags if count == 1 else tags[numbers == number])
    is_mine = is_heap if count == 1 else is_heap & (numbers == number)
    segments = list(zip(starts[is_mine].tolist(), (starts[is_mine] + lengths[is_mine]).tolist(), strict=True))
    return TopLevel(
        header,
        records,
        segments,
        open_ended,
        int(data.size),
        number,
        count,
        _ticks(data, starts, is_mine) if count > 1 else None,
    )


def heap_numbers(tags: NDArray[np.uint8], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Which heap each heap record and each HEAP_DUMP_END belongs to, counted from 1; int64, shape (n,).

    The agent ``hprof`` of JDK 5 to 8 appends a heap to its file at each SIGQUIT, and one at exit.  A
    HEAP_DUMP is a whole heap; heap dump segments are one up to their HEAP_DUMP_END (so says the manual of
    hprof).  Empty heap records are none, and other records have 0.

    Parameters
    ----------
    tags : uint8 array, shape (n,)
    lengths : int64 array, shape (n,)
    """
    numbers = np.zeros(tags.size, np.int64)
    number, is_open = 0, False
    for row in np.nonzero(np.isin(tags, (*_HEAP, RecordTag.HEAP_DUMP_END)))[0].tolist():
        if tags[row] == RecordTag.HEAP_DUMP_END:
            is_open = False
        elif lengths[row]:
            number += tags[row] == RecordTag.HEAP_DUMP or not is_open
            is_open = bool(tags[row] == RecordTag.HEAP_DUMP_SEGMENT)
        numbers[row] = number
    return numbers


def ranges_of_heap(data: NDArray[np.uint8], path: str, heap: int) -> list[tuple[int, int]]:
    """The bytes of a file without its other heaps, as (start, stop) of what stays.

    Errors are those of `read_top_level`.

    Parameters
    ----------
    data : uint8 array, shape (n,)
        The inflated file.
    path : str
        The file, for errors.
    heap : int
        The heap that stays, counted from 1.
    """
    records = read_top_level(data, path, heap).records
    numbers = heap_numbers(records.tags, records.lengths)
    starts = records.starts - RECORD_HEADER_BYTES
    stops = records.starts + records.lengths
    found: list[tuple[int, int]] = []
    at = 0
    for row in np.nonzero((numbers != 0) & (numbers != heap))[0].tolist():
        found.append((at, int(starts[row])))
        at = int(stops[row])
    return [*found, (at, int(data.size))]


def chosen_heap(path: str, count: int, heap: int | None) -> int:
    """The number of the heap that is meant: the last one where none is named.

    Raises
    ------
    NoSuchHeap
        The file has fewer heaps.
    """
    if heap is not None and heap > count:
        raise NoSuchHeap(path, None, no_such("heap", "heaps", count, heap))
    return heap or count


def _ticks(data: NDArray[np.uint8], starts: NDArray[np.int64], is_mine: NDArray[np.bool_]) -> int | None:
    """Microseconds up to the first of some records; None where all clocks stand still.

    The clock has four bytes and begins anew after 71 minutes: each time it falls, it has.
    """
    places = starts[:, None] - RECORD_HEADER_BYTES + 1 + np.arange(4)
    clock = np.ascontiguousarray(data[places]).view(">u4").reshape(-1).astype(np.int64)
    if not clock.any():
        return None
    turns = np.concatenate([[0], np.cumsum(np.diff(clock) < -_CLOCK_JITTER)])
    return int((clock + (turns << 32))[is_mine][0])


def check_end(path: str, size: int, tags: NDArray[np.uint8]) -> None:
    """Check that a dump has a heap, and that one in segments ends with HEAP_DUMP_END.

    Parameters
    ----------
    path : str
        The file, for errors.
    size : int
        Bytes of the inflated dump.
    tags : uint8 array
        Of all top-level records.

    Raises
    ------
    TruncatedDump
    """
    if RecordTag.HEAP_DUMP_SEGMENT in tags and RecordTag.HEAP_DUMP_END not in tags:
        raise TruncatedDump(
            path,
            size,
            "the last segment is there, HEAP_DUMP_END is not; the dump was cut short, take it again",
        )
    if not {RecordTag.HEAP_DUMP, RecordTag.HEAP_DUMP_SEGMENT, RecordTag.HEAP_DUMP_END} & set(tags.tolist()):
        raise TruncatedDump(path, size, "no heap in it; the dump was cut short, take it again")


def _heap_length(data: NDArray[np.uint8], position: int, path: str) -> tuple[int, bool]:
    """True body length of the heap record at ``position``, and whether it is open-ended.

    Length 0 is left by a writer that could not seek back: the heap goes on to the end.  A
    HEAP_DUMP over 4 GiB has its length modulo 2**32: it is the last record.
    """
    body = position + RECORD_HEADER_BYTES
    if body > data.size:
        raise_top_level(path, position, data[position:].tobytes(), data.size, kernels.NEED_BYTES)
    tag, length = read_record_head(data[position:body].tobytes())
    remaining = data.size - body
    if length == 0:
        followers = (RecordTag.HEAP_DUMP, RecordTag.HEAP_DUMP_SEGMENT, RecordTag.HEAP_DUMP_END)
        is_empty = remaining == 0 or int(data[body]) in followers
        return (0, False) if is_empty else (remaining, True)
    if tag == RecordTag.HEAP_DUMP and remaining >= length and (remaining - length) % (1 << 32) == 0:
        return remaining, False
    if length > remaining:
        raise_top_level(path, position, data[position:body].tobytes(), data.size, kernels.NEED_BYTES)
    return length, False


def raise_top_level(path: str, position: int, head: bytes, size: int, status: int) -> NoReturn:
    """Turn the status of a kernel at a top-level record into the error it stands for.

    Parameters
    ----------
    path : str
        The file.
    position : int
        Of the record in the inflated dump.
    head : bytes
        The record's header, as far as it is there.
    size : int
        Bytes of the inflated dump.
    status : int
        Why the kernel stopped there.

    Raises
    ------
    CorruptRecord, TruncatedDump
        Always one of them.
    """
    if status == kernels.BAD_TAG:
        raise CorruptRecord(path, position, f"record tag 0x{head[0]:02x} is unknown; the dump is damaged")
    if len(head) < RECORD_HEADER_BYTES:
        claim = f"a record header takes {RECORD_HEADER_BYTES} bytes, {size - position:,} remain"
    else:
        _, length = read_record_head(head)
        claim = (
            f"record 0x{head[0]:02x} claims {length:,} bytes, "
            f"{size - position - RECORD_HEADER_BYTES:,} remain"
        )
    raise TruncatedDump(path, position, f"{claim}; the dump was cut short, take it again")

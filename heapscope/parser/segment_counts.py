"""What heap segments hold, counted: the arrays that `kernels.scan_heap` adds to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from heapscope.errors import CorruptRecord
from heapscope.parser import kernels
from heapscope.parser.address_marks import AddressMarks, MarkPages
from heapscope.parser.kernels import (
    ADDRESS_MAX,
    ADDRESS_MIN,
    ADDRESS_OR,
    ARRAY_COUNTS,
    ARRAY_MEMORY,
    ROOT_COUNTS,
)
from heapscope.parser.layout.kernel_constants import kernel_constants
from heapscope.parser.layout.layout import Layout
from heapscope.parser.records import Header, RecordList
from heapscope.parser.tags import RECORD_HEADER_BYTES, TYPE_CODES, RecordTag

if TYPE_CHECKING:
    from numpy.typing import NDArray


class SegmentCounts:
    """Counts of one thread; its tables grow as the kernel asks for room.

    Parameters
    ----------
    path : str
        The file, for errors.
    identifier_bytes : int
        Of the dump's header, 4 or 8.
    layout : Layout
        What the sizes of arrays in memory follow from.
    grid : uint64 array, shape (3,), optional
        On which the addresses of objects are marked; see `heapscope.parser.address_marks`.

    Attributes
    ----------
    table : uint64 array, shape (2**k, 4)
        Class table that counts; see `heapscope.parser.kernels`.
    class_spans : int64 array, shape (c, 2)
        Where each class dump begins and ends; the first `classes` rows count.
    totals : int64 array, shape (TOTALS,)
    addresses : uint64 array, shape (3,)
        All addresses or-ed, the lowest, the highest.
    marks : MarkPages
        Bits of the objects' addresses.
    has_met_end : bool
        Whether a HEAP_DUMP_END was met inside a heap without a length.
    """

    def __init__(
        self, path: str, identifier_bytes: int, layout: Layout, grid: NDArray[np.uint64] | None = None
    ) -> None:
        self._path = path
        self.has_met_end = False
        self._constants = kernel_constants(identifier_bytes, layout)
        self.table = np.zeros((1 << 13, kernels.COLUMNS), np.uint64)
        self.class_spans = np.zeros((1 << 10, 2), np.int64)
        self.totals = np.zeros(kernels.TOTALS, np.int64)
        self.addresses = _no_addresses()
        self.marks = MarkPages(grid)

    def _grow_table(self) -> None:
        larger = np.zeros((2 * self.table.shape[0], kernels.COLUMNS), np.uint64)
        kernels.merge_tables(self.table, larger)
        self.table = larger

    @property
    def primitive_counts(self) -> NDArray[np.int64]:
        """Primitive arrays by type code, shape (12,)."""
        return self.totals[ARRAY_COUNTS : ARRAY_COUNTS + TYPE_CODES]

    @property
    def primitive_bytes(self) -> NDArray[np.int64]:
        """Their bytes in memory by type code, shape (12,)."""
        return self.totals[ARRAY_MEMORY : ARRAY_MEMORY + TYPE_CODES]

    @property
    def root_counts(self) -> NDArray[np.int64]:
        """Root records by tag, shape (256,)."""
        return self.totals[ROOT_COUNTS : ROOT_COUNTS + 256]

    @property
    def objects(self) -> int:
        """Objects with a record of their own: instances, arrays and dumped classes."""
        return int(self.totals[kernels.OBJECTS])

    @property
    def roots(self) -> int:
        """Root records."""
        return int(self.totals[kernels.ROOTS])

    @property
    def classes(self) -> int:
        """Class dumps."""
        return int(self.totals[kernels.CLASSES])

    def scan(
        self, window: NDArray[np.uint8], position: int, stop: int, base: int, open_ended: bool = False
    ) -> int:
        """Count sub-records.

        Parameters
        ----------
        window : uint8 array
            A part of the dump.
        position, stop : int
            From where to where, in ``window``; ``stop`` may lie behind it.
        base : int
            Where ``window`` begins in the dump.
        open_ended : bool
            Whether the heap has no length, so that its HEAP_DUMP_END lies in front of ``stop``.

        Returns
        -------
        int
            ``stop``, or the position of the first sub-record that the window cuts, or, behind the
            window, of the next one to read.

        Raises
        ------
        CorruptRecord
            A sub-record contradicts the format or an earlier one.
        """
        position, status = self.follow(window, position, stop, base)
        if status in (kernels.OK, kernels.NEED_BYTES):
            return position
        tag = int(window[position]) if position < window.size else 0
        # An open-ended heap may still have its HEAP_DUMP_END, the file's last record.
        if open_ended and tag == RecordTag.HEAP_DUMP_END and stop - position == RECORD_HEADER_BYTES:
            self.has_met_end = True
            return stop
        raise_corrupt(self._path, base + position, status, tag)

    def follow(self, window: NDArray[np.uint8], position: int, stop: int, base: int) -> tuple[int, int]:
        """As `scan`, with the same Parameters (window, position, stop, base), but without an error.

        Returns
        -------
        position : int
            What was reached.
        status : int
            Why the kernel stopped there.
        """
        while True:
            status = kernels.scan_heap(
                window, position, stop, base,
                self._constants, self.table, self.class_spans, self.totals, self.addresses,
                self.marks.grid, self.marks.pages, self.marks.words,
            )  # fmt: skip
            position = int(self.totals[kernels.POSITION])
            if status == kernels.NEED_TABLE:
                self._grow_table()
            elif status == kernels.NEED_PAGE:
                self.totals[kernels.UNMARKED] = not self.marks.grow(self.objects)
            elif status == kernels.NEED_CLASS_SLOTS:
                self.class_spans = np.concatenate([self.class_spans, np.zeros_like(self.class_spans)])
            else:
                return position, status

    def learn(self, rows: NDArray[np.uint64]) -> None:
        """Take in classes that were counted before, uint64, shape (c, 4); their COUNT is 0.

        An instance that is longer or shorter than they say is then a contradiction.
        """
        while 2 * rows.shape[0] > self.table.shape[0] // 2:
            self._grow_table()
        kernels.merge_tables(rows, self.table)
        self.totals[kernels.TABLE_USED] = np.count_nonzero(self.table[:, kernels.KEY])

    def add(self, other: SegmentCounts) -> None:
        """Take in the counts of another thread.

        Raises
        ------
        CorruptRecord
            The two contradict each other.
        """
        while self.totals[kernels.TABLE_USED] + other.totals[kernels.TABLE_USED] > self.table.shape[0] // 2:
            self._grow_table()
        if kernels.merge_tables(other.table, self.table) != kernels.OK:
            raise CorruptRecord(
                self._path,
                None,
                "instances of one class differ in length between segments; the dump is damaged",
            )
        self.class_spans = np.concatenate(
            [self.class_spans[: self.classes], other.class_spans[: other.classes]]
        )
        self.has_met_end |= other.has_met_end
        self.totals += other.totals
        self.totals[kernels.TABLE_USED] = np.count_nonzero(self.table[:, kernels.KEY])
        self.add_addresses(other.addresses)

    def take_addresses(self) -> NDArray[np.uint64]:
        """`addresses` so far; what follows begins anew."""
        before, self.addresses = self.addresses, _no_addresses()
        return before

    def add_addresses(self, others: NDArray[np.uint64]) -> None:
        """Take in the `addresses` of other objects."""
        self.addresses[ADDRESS_OR] |= others[ADDRESS_OR]
        self.addresses[ADDRESS_MIN] = min(self.addresses[ADDRESS_MIN], others[ADDRESS_MIN])
        self.addresses[ADDRESS_MAX] = max(self.addresses[ADDRESS_MAX], others[ADDRESS_MAX])


def _no_addresses() -> NDArray[np.uint64]:
    return np.array([0, np.iinfo(np.uint64).max, 0], np.uint64)


def raise_corrupt(path: str, offset: int, status: int, tag: int) -> NoReturn:
    """Turn the status of a kernel into the error it stands for.

    Parameters
    ----------
    path : str
        The file.
    offset : int
        Of the sub-record in the inflated dump.
    status : int
        Why the kernel stopped there.
    tag : int
        The sub-record's first byte.

    Raises
    ------
    CorruptRecord
        Always.
    """
    raise CorruptRecord(path, offset, f"{problem_of(status, tag)}; the dump is damaged, take it again")


def problem_of(status: int, tag: int) -> str:
    """What the status of a kernel at a sub-record says."""
    return {
        kernels.BAD_TAG: f"sub-record tag 0x{tag:02x} is unknown",
        kernels.OVERRUN: f"sub-record 0x{tag:02x} is longer than the heap record around it",
        kernels.BAD_TYPE: f"sub-record 0x{tag:02x} has a value of an unknown type",
        kernels.BAD_CLASS: f"sub-record 0x{tag:02x} names no class",
        kernels.BAD_ROOT: "bytes 0xff where a sub-record should begin",
        kernels.LENGTH_CHANGED: "this instance and an earlier one of its class differ in length",
        kernels.KIND_CHANGED: "its class has instances as well as arrays",
        kernels.COUNT_CHANGED: "the file changed while it was read",
    }.get(status, f"cannot be read (status {status})")


@dataclass(frozen=True)
class DumpCounts:
    """What was counted in a whole dump, or in its beginning.

    Attributes
    ----------
    records : RecordList
    header : Header
    counts : SegmentCounts
        Of all segments together.
    class_dumps : list of (offset, sub-record)
    segments : list of (start, stop, objects, roots)
        Offsets in the inflated dump.
    dump_bytes : int
        Of the inflated dump, as far as it was read.
    heap_number, heap_count, heap_ticks
        See `heapscope.parser.top_level.TopLevel`.
    marks : AddressMarks or None
        Which addresses have an object, where that was asked for and all of them could be marked.
    """

    records: RecordList
    header: Header
    counts: SegmentCounts
    class_dumps: list[tuple[int, bytes]]
    segments: list[tuple[int, int, int, int]]
    dump_bytes: int
    heap_number: int = 1
    heap_count: int = 1
    heap_ticks: int | None = None
    marks: AddressMarks | None = None


def class_dumps_of(
    counts: SegmentCounts, already: int, window: NDArray[np.uint8], base: int
) -> list[tuple[int, bytes]]:
    """Copies of the class dumps in a window, with their offsets.

    Parameters
    ----------
    counts : SegmentCounts
        What counted them.
    already : int
        So many class dumps came before; they are left out.
    window : uint8 array
    base : int
        Where ``window`` begins in the dump.
    """
    return [
        (start, window[start - base : stop - base].tobytes())
        for start, stop in counts.class_spans[already : counts.classes].tolist()
    ]

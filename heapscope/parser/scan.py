"""First pass over a dump: what is in it, counted; no object gets a row.

A plain file is split at its heap segments and counted on all cores; gzip is inflated on all
cores and counted as it comes.  Either way a few megabytes are held, whatever the dump's size.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np

from heapscope.errors import CorruptRecord, HprofError, TruncatedDump, UnsupportedFormat
from heapscope.parser.address_marks import AddressMarks, grid_around
from heapscope.parser.broken.coverage import Coverage, Gap
from heapscope.parser.broken.salvage import DUPLICATE, salvage, without_duplicates
from heapscope.parser.broken.tolerant import part_paths
from heapscope.parser.count_file import count_file
from heapscope.parser.count_stream import NeedsWholeFile, count_stream
from heapscope.parser.foreign_files import name_damage
from heapscope.parser.instance_data import field_bytes, is_circle, own_bytes
from heapscope.parser.kernels import (
    ADDRESS_MAX,
    ADDRESS_MIN,
    ADDRESS_OR,
    COUNT,
    DATA_BYTES,
    KEY,
    KIND,
    KIND_ARRAY,
    KIND_INSTANCE,
    MEMORY_BYTES,
)
from heapscope.parser.layout.array_gaps import ArrayGaps, measure_array_gaps
from heapscope.parser.layout.kernel_constants import kernel_constants
from heapscope.parser.layout.layout import Layout, infer_layout, instance_bytes
from heapscope.parser.records import (
    ClassNames,
    ClassReader,
    Header,
    JavaClass,
    RecordList,
    loaded_class,
    read_class_names,
)
from heapscope.parser.segment_counts import DumpCounts
from heapscope.parser.source import Source
from heapscope.parser.tags import MAGIC_PREFIX, RecordTag
from heapscope.parser.top_level import TopLevel, chosen_heap, read_top_level
from heapscope.parser.unpacking import PackingError, Unpacked
from heapscope.progress import Progress, no_progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The layout statics and enough addresses are this near the start in every dump a JDK writes;
# where they are not, the guess made from this much is corrected by a second count.
_PROBE_BYTES = 12 << 20
_GUESS = infer_layout({}, identifier_bytes=8, address_bits=0, object_count=0, format_version="1.0.2")


@dataclass(frozen=True)
class HeapScan:
    """What one pass over a dump tells.

    Attributes
    ----------
    segment_starts, segment_stops : int64 arrays, shape (s,)
        Sub-records of each heap segment, as offsets in the inflated dump.
    segment_objects, segment_roots : int64 arrays, shape (s,)
        Objects (with class objects) and root records in each.
    instance_counts : dict
        Instances, or object arrays, by class identifier.
    array_bytes : dict
        Bytes in memory of the object arrays, by the identifier of the array class.
    primitive_counts, primitive_bytes : int64 arrays, shape (12,)
        Primitive arrays by type code.
    root_counts : int64 array, shape (256,)
        Root records by sub-record tag.
    """

    header: Header
    records: RecordList
    names: ClassNames
    classes: dict[int, JavaClass]
    layout: Layout
    segment_starts: NDArray[np.int64]
    segment_stops: NDArray[np.int64]
    segment_objects: NDArray[np.int64]
    segment_roots: NDArray[np.int64]
    instance_counts: dict[int, int]
    array_bytes: dict[int, int]
    primitive_counts: NDArray[np.int64]
    primitive_bytes: NDArray[np.int64]
    root_counts: NDArray[np.int64]
    address_min: int
    address_max: int
    address_bits: int  # all addresses, or-ed
    dump_bytes: int
    coverage: Coverage | None = None  # None: all of the dump was read
    heap_number: int = 1  # of the heaps in the file
    heap_count: int = 1
    heap_ticks: int | None = None  # microseconds from the header's time to this heap, where the file tells
    marks: AddressMarks | None = None  # which addresses have an object, where that was asked for

    @cached_property
    def instance_bytes(self) -> dict[int, int]:
        """Shallow bytes of an instance of each class, by its identifier, in the dump's own layout."""
        return instance_bytes(self.layout, self.classes)

    @property
    def segment_bytes(self) -> list[int]:
        """Length of each heap segment."""
        found: list[int] = (self.segment_stops - self.segment_starts).tolist()
        return found

    @property
    def object_count(self) -> int:
        """Objects with a record of their own: instances, arrays and dumped classes."""
        return int(self.segment_objects.sum())


def scan(source: Source, progress: Progress = no_progress, *, marks_addresses: bool = False) -> HeapScan:
    """Count a dump; of a source that is `Source.is_partial`, what can be read of it.

    Parameters
    ----------
    source : Source
    progress : Progress
    marks_addresses : bool
        Whether an address map will be made: then its bits are set meanwhile, where that can be.

    Raises
    ------
    NotHprof, UnsupportedFormat, CorruptRecord, TruncatedDump
    HprofError
        The file has no heap of the number that the source names.
    """
    if not source.is_partial:
        return _scan(source, None, progress, marks_addresses=marks_addresses)
    source.mapping(progress)
    try:
        if len(source.pieces) == 1 and not source.pieces[0].problem:
            found = _scan(source, None, progress, marks_addresses=marks_addresses)
            segments = _segments(found)
            if without_duplicates(source, found.header.identifier_bytes, found.layout, segments) is None:
                return found
    except (CorruptRecord, TruncatedDump):
        pass  # broken, as expected: read what can be read
    return _scan_partial(source, progress)


def scan_or_close(
    source: Source, progress: Progress, *, follows: bool = False, marks_addresses: bool = False
) -> HeapScan:
    """Count a dump that was opened for that; what fails closes it, and says what could be read all the same.

    Parameters
    ----------
    source : Source
    progress : Progress
    follows : bool
        Whether more than counts will be asked for: what is compressed is then inflated first, and only once.
    marks_addresses : bool
        See `scan`.

    Raises
    ------
    HprofError
        As for `scan`.
    """
    try:
        if follows and not source.is_mapped and not source.is_partial:
            with suppress(HprofError):  # broken, or no room: counting says that as it always does
                source.mapping(progress)
        return scan(source, progress, marks_addresses=marks_addresses)
    except HprofError as error:
        way_out = with_way_out(source, error)
        source.close()
        raise way_out from None
    except BaseException:
        source.close()
        raise


def with_way_out(source: Source, error: HprofError) -> HprofError:
    """The error of a broken dump, with what could be read of it; other errors as they are."""
    if source.is_partial or type(error) not in (HprofError, CorruptRecord, TruncatedDump, UnsupportedFormat):
        return error
    if type(error) is not HprofError and (named := _named_damage(source, error.offset)) is not None:
        return type(error)(error.path, error.offset, named)
    if type(error) is UnsupportedFormat:
        return error
    way = "--partial (partial=True) reads what is there"
    parts = len(part_paths(source.path))
    if parts:
        way += f", with its {parts:,} unmerged part{'s' * (parts != 1)}"
    elif not source.is_compressed:  # else all of it would have to be inflated to tell
        try:
            way += f": {salvage(source, _GUESS, no_progress)}"
        except HprofError:
            return error  # not even the header
    elif error.objects_before is not None:
        way += f": {error.objects_before:,} objects and more"
    problem = error.problem.removesuffix(", take it again").removesuffix("; the dump is damaged")
    return type(error)(error.path, error.offset, f"{problem}; {way}")


def _named_damage(source: Source, at: int | None) -> str | None:
    """What was done to a dump on its way here, by its first bytes and those where reading it failed."""
    try:
        if source.is_mapped:
            data = source.mapping()
            return name_damage(
                str(source.path), data.size, lambda start, count: data[start : start + count].tobytes(), at
            )
        with Unpacked(source.path, lambda head: head.startswith(MAGIC_PREFIX)) as inside:
            first = inside.read(1 << 20)
        path = str(source.path)
        return name_damage(path, len(first), lambda start, count: first[start : start + count], None)
    except (PackingError, HprofError, OSError):
        return None


def _segments(found: HeapScan) -> list[tuple[int, int, int, int]]:
    rows = zip(
        found.segment_starts.tolist(),
        found.segment_stops.tolist(),
        found.segment_objects.tolist(),
        found.segment_roots.tolist(),
        strict=True,
    )
    return list(rows)


def _scan_partial(source: Source, progress: Progress) -> HeapScan:
    """Count what can be read of a broken dump."""
    saved = salvage(source, _GUESS, progress)
    gaps = list(saved.gaps)
    found = _scan(source, saved.top_level, progress)
    unique = without_duplicates(source, found.header.identifier_bytes, found.layout, _segments(found))
    if unique is not None:
        gaps = sorted([*gaps, *unique[1]], key=lambda gap: gap.offset)
        found = _scan(source, replace(saved.top_level, segments=unique[0]), progress)
    return replace(found, coverage=_coverage(source, found, gaps, saved.expected_bytes, saved.is_end_known))


def _coverage(
    source: Source, found: HeapScan, gaps: list[Gap], expected_bytes: int, is_end_known: bool
) -> Coverage:
    classes = found.classes
    own = own_bytes(classes, found.header.identifier_bytes)
    unknown = {
        class_id
        for class_id in found.instance_counts
        if class_id not in classes or (not classes[class_id].is_dumped and not classes[class_id].is_array)
    }
    return Coverage(
        read_bytes=found.dump_bytes - sum(gap.length for gap in gaps),
        expected_bytes=expected_bytes,
        is_end_known=is_end_known,
        gaps=tuple(gaps),
        parts=len(source.parts),
        object_count=found.object_count,
        unknown_class_objects=sum(found.instance_counts[class_id] for class_id in unknown),
        unnamed_classes=sum(c.is_dumped and not c.is_named for c in classes.values()),
        broken_chain_classes=sum(
            c.is_dumped and not field_bytes(classes, own, class_id)[1] for class_id, c in classes.items()
        ),
        duplicate_objects=sum(gap.problem == DUPLICATE for gap in gaps),
        has_roots=bool(found.segment_roots.sum()),
    )


class DumpClasses:
    """The classes of a dump that is counted again and again: what was decoded once serves all counts."""

    def __init__(self) -> None:
        self._known: dict[int, JavaClass] = {}
        self._reader: ClassReader | None = None

    def of(self, done: DumpCounts) -> tuple[dict[int, JavaClass], ClassNames]:
        """Classes by identifier, as far as they were met, and their names."""
        reader, known = self._reader, self._known
        # What a probe decoded serves the whole count, unless more names came after it in a stream.
        if reader is None or not _names_the_same(reader.records, done.records):
            known.clear()
            names = read_class_names(done.records, done.header.identifier_bytes)
            self._reader = reader = ClassReader(done.header.identifier_bytes, done.records, names)
        names = reader.names
        classes: dict[int, JavaClass] = {}
        for offset, data in done.class_dumps:
            if offset not in known:
                known[offset] = reader.read(data, offset)
            classes.setdefault(known[offset].class_id, known[offset])
        for class_id, name in names.by_id.items():
            classes.setdefault(class_id, loaded_class(class_id, name))
        return classes, names


def _names_the_same(before: RecordList, after: RecordList) -> bool:
    """Whether records of a longer part of the same dump have no more texts and classes."""
    if before is after:
        return True
    count = before.tags.size
    end = int((before.starts + before.lengths).max(initial=0))
    return (
        not np.isin(after.tags[count:], (RecordTag.UTF8, RecordTag.LOAD_CLASS)).any()
        and np.array_equal(before.tags, after.tags[:count])
        and np.array_equal(before.starts, after.starts[:count])
        and np.array_equal(before.lengths, after.lengths[:count])
        and np.array_equal(before.blob[:end], after.blob[:end])
    )


def layout_of(done: DumpCounts, classes: dict[int, JavaClass], gaps: ArrayGaps | None = None) -> Layout:
    """The layout of a dump by what was counted of it."""
    return infer_layout(
        classes,
        identifier_bytes=done.header.identifier_bytes,
        address_bits=int(done.counts.addresses[ADDRESS_OR]),
        object_count=done.counts.objects,
        format_version=done.header.version,
        gaps=gaps,
    )


def _scan(
    source: Source, saved: TopLevel | None, progress: Progress, *, marks_addresses: bool = False
) -> HeapScan:
    """Count a dump, or the records that were saved of it."""
    path = str(source.path)
    known = DumpClasses()
    gaps: ArrayGaps | None = None

    count: Callable[[Layout, int | None, Progress], DumpCounts]
    if saved is not None:
        count = partial(count_file, source, saved)
    elif source.is_mapped:
        count = partial(count_file, source, read_top_level(source.mapping(), path, source.heap))
    else:
        count = partial(count_stream, source)
        marks_addresses = False
    try:
        done = count(_GUESS, _PROBE_BYTES, no_progress)
    except NeedsWholeFile:
        count = partial(count_file, source, read_top_level(source.mapping(progress), path, source.heap))
        done = count(_GUESS, _PROBE_BYTES, no_progress)
    if marks_addresses:
        known_addresses = done.counts.addresses
        low, bits = int(known_addresses[ADDRESS_MIN]), int(known_addresses[ADDRESS_OR])
        count = partial(count, grid=grid_around(low, bits))
    while True:
        classes, names = known.of(done)
        layout = layout_of(done, classes, gaps)
        done = count(layout, None, progress)
        classes, names = known.of(done)
        final = layout_of(done, classes, gaps)
        if final.is_width_guessed:
            gaps = _array_gaps(source, done, final, progress)
            final = layout_of(done, classes, gaps)
        if geometry_of(final) == geometry_of(layout):
            break
    chosen_heap(path, done.heap_count, source.heap)
    return scan_of(path, done, classes, names, final, is_partial=saved is not None)


def scan_of(
    path: str,
    done: DumpCounts,
    classes: dict[int, JavaClass],
    names: ClassNames,
    layout: Layout,
    *,
    is_partial: bool = False,
) -> HeapScan:
    """What was counted, as a `HeapScan`.

    Parameters
    ----------
    path : str
        For errors.
    done : DumpCounts
        Counted with ``layout``.
    classes, names
        From `DumpClasses`.
    layout : Layout
    is_partial : bool
        Whether instances that contradict their classes are kept, without their fields.

    Raises
    ------
    CorruptRecord
        Instances contradict their classes.
    """
    counts = done.counts
    rows = counts.table[counts.table[:, KEY] != 0]
    segments = np.array(done.segments, np.int64).reshape(-1, 4)
    has_objects = counts.objects > 0
    wrong = _wrong_classes(path, rows, classes, done.header.identifier_bytes)
    if wrong and not is_partial:
        raise next(iter(wrong.values()))
    if is_partial:
        for row in rows[rows[:, KIND] == KIND_ARRAY]:
            found = classes.get(int(row[KEY]))
            if found is not None and not found.is_array and not found.is_named:
                classes[found.class_id] = replace(found, name=f"{found.name}[]")
    for class_id in wrong:
        # Its fields are unknown, but its objects are there.
        classes[class_id] = replace(classes[class_id], fields=(), super_id=0)
    return HeapScan(
        header=done.header,
        records=done.records,
        names=names,
        classes=classes,
        layout=layout,
        segment_starts=segments[:, 0].copy(),
        segment_stops=segments[:, 1].copy(),
        segment_objects=segments[:, 2].copy(),
        segment_roots=segments[:, 3].copy(),
        instance_counts={int(row[KEY]): int(row[COUNT]) for row in rows},
        array_bytes={int(row[KEY]): int(row[MEMORY_BYTES]) for row in rows if row[KIND] == KIND_ARRAY},
        primitive_counts=counts.primitive_counts,
        primitive_bytes=counts.primitive_bytes,
        root_counts=counts.root_counts,
        address_min=int(counts.addresses[ADDRESS_MIN]) if has_objects else 0,
        address_max=int(counts.addresses[ADDRESS_MAX]) if has_objects else 0,
        address_bits=int(counts.addresses[ADDRESS_OR]),
        dump_bytes=done.dump_bytes,
        heap_number=done.heap_number,
        heap_count=done.heap_count,
        heap_ticks=done.heap_ticks,
        marks=done.marks,
    )


def _array_gaps(source: Source, done: DumpCounts, layout: Layout, progress: Progress) -> ArrayGaps:
    """What lies behind the arrays of references of which there are most."""
    table = done.counts.table
    arrays = table[(table[:, KEY] != 0) & (table[:, KIND] == KIND_ARRAY)]
    if not arrays.size:
        return ArrayGaps()
    array_class = int(arrays[arrays[:, COUNT].argmax(), KEY])
    width = done.header.identifier_bytes
    constants = kernel_constants(width, layout)
    return measure_array_gaps(source.mapping(progress), done.segments, constants, array_class, width)


def geometry_of(layout: Layout) -> tuple[object, ...]:
    """What the sizes of arrays follow from, so that a count made with it stands."""
    return layout.array_bases, layout.reference_bytes, layout.alignment_bytes


def _wrong_classes(
    path: str, rows: NDArray[np.uint64], classes: dict[int, JavaClass], identifier_bytes: int
) -> dict[int, CorruptRecord]:
    """Classes whose instances are not as long as their fields and those of the superclasses.

    Where the chain of superclasses leaves the dump (tolerated) they may be longer.
    """
    wrong: dict[int, CorruptRecord] = {}
    own = own_bytes(classes, identifier_bytes)
    for row in rows[rows[:, KIND] == KIND_INSTANCE]:
        class_id, length = int(row[KEY]), int(row[DATA_BYTES])
        java_class = classes.get(class_id)
        if java_class is None or not java_class.is_dumped:
            continue
        total, is_whole = field_bytes(classes, own, class_id)
        if not is_whole and is_circle(classes, class_id):
            problem = f"class {java_class.name} is its own superclass; the dump is damaged"
        elif total != length if is_whole else total > length:
            problem = (
                f"instances of {java_class.name} have {length:,} bytes of fields, its class declares "
                f"{total:,}; the dump is damaged, take it again"
            )
        else:
            continue
        wrong[class_id] = CorruptRecord(path, java_class.offset, problem)
    return wrong

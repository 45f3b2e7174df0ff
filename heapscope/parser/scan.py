"""First pass over a dump: what is in it, counted; no object gets a row.

A plain file is split at its heap segments and counted on all cores; gzip is inflated on all
cores and counted as it comes.  Either way a few megabytes are held, whatever the dump's size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from heapscope.errors import CorruptRecord
from heapscope.parser.count_file import count_file
from heapscope.parser.count_stream import NeedsWholeFile, count_stream
from heapscope.parser.counter import Pass
from heapscope.parser.kernels import (
    ADDRESS_MAX,
    ADDRESS_MIN,
    ADDRESS_OR,
    AMOUNT,
    COUNT,
    KEY,
    KIND,
    KIND_ARRAY,
    KIND_INSTANCE,
)
from heapscope.parser.layout import Layout, infer_layout
from heapscope.parser.records import (
    ClassNames,
    ClassReader,
    Header,
    JavaClass,
    RecordList,
    loaded_class,
    read_class_names,
)
from heapscope.parser.source import Source
from heapscope.parser.tags import VALUE_BYTES, BasicType
from heapscope.parser.walk import walk_file
from heapscope.progress import Progress, silent

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

    @property
    def object_count(self) -> int:
        """Objects with a record of their own: instances, arrays and dumped classes."""
        return int(self.segment_objects.sum())


def scan(source: Source, progress: Progress = silent) -> HeapScan:
    """Count a dump.

    Raises
    ------
    NotHprof, UnsupportedFormat, CorruptRecord, TruncatedDump
    """
    path = str(source.path)
    known: dict[int, JavaClass] = {}
    reader: ClassReader | None = None

    def classes_of(done: Pass) -> tuple[dict[int, JavaClass], ClassNames]:
        nonlocal reader
        # What the probe of a file decoded serves the whole count; a stream's had fewer names.
        if reader is None or reader.records is not done.records:
            known.clear()
            names = read_class_names(done.records, done.header.identifier_bytes)
            reader = ClassReader(done.header.identifier_bytes, done.records, names)
        names = reader.names
        classes: dict[int, JavaClass] = {}
        for offset, data in done.class_dumps:
            if offset not in known:
                known[offset] = reader.read(data, offset)
            classes.setdefault(known[offset].class_id, known[offset])
        for class_id, name in names.by_id.items():
            classes.setdefault(class_id, loaded_class(class_id, name))
        return classes, names

    def layout_of(done: Pass, classes: dict[int, JavaClass]) -> Layout:
        return infer_layout(
            classes,
            identifier_bytes=done.header.identifier_bytes,
            address_bits=int(done.counter.addresses[ADDRESS_OR]),
            object_count=done.counter.objects,
            format_version=done.header.version,
        )

    count: Callable[[Layout, int | None, Progress], Pass]
    if source.is_mapped:
        count = partial(count_file, source, walk_file(source.mapping(), path))
    else:
        count = partial(count_stream, source)
    try:
        done = count(_GUESS, _PROBE_BYTES, silent)
    except NeedsWholeFile:
        count = partial(count_file, source, walk_file(source.mapping(progress), path))
        done = count(_GUESS, _PROBE_BYTES, silent)
    while True:
        classes, names = classes_of(done)
        layout = layout_of(done, classes)
        done = count(layout, None, progress)
        classes, names = classes_of(done)
        final = layout_of(done, classes)
        if _geometry(final) == _geometry(layout):
            break
    counter = done.counter
    rows = counter.table[counter.table[:, KEY] != 0]
    segments = np.array(done.segments, np.int64).reshape(-1, 4)
    has_objects = counter.objects > 0
    _check_lengths(path, rows, classes, done.header.identifier_bytes)
    return HeapScan(
        header=done.header,
        records=done.records,
        names=names,
        classes=classes,
        layout=final,
        segment_starts=segments[:, 0].copy(),
        segment_stops=segments[:, 1].copy(),
        segment_objects=segments[:, 2].copy(),
        segment_roots=segments[:, 3].copy(),
        instance_counts={int(row[KEY]): int(row[COUNT]) for row in rows},
        array_bytes={int(row[KEY]): int(row[AMOUNT]) for row in rows if row[KIND] == KIND_ARRAY},
        primitive_counts=counter.primitive_counts,
        primitive_bytes=counter.primitive_bytes,
        root_counts=counter.root_counts,
        address_min=int(counter.addresses[ADDRESS_MIN]) if has_objects else 0,
        address_max=int(counter.addresses[ADDRESS_MAX]) if has_objects else 0,
        address_bits=int(counter.addresses[ADDRESS_OR]),
        dump_bytes=done.dump_bytes,
    )


def _geometry(layout: Layout) -> tuple[object, ...]:
    """What the sizes of arrays follow from, so that a count made with it stands."""
    return layout.array_bases, layout.reference_bytes, layout.alignment_bytes


def _check_lengths(
    path: str, rows: NDArray[np.uint64], classes: dict[int, JavaClass], identifier_bytes: int
) -> None:
    """Instances must be as long as the fields of their class and its superclasses.

    A class whose super chain leaves the dump (tolerated) is not checked.
    """
    value_bytes = {**VALUE_BYTES, BasicType.OBJECT: identifier_bytes}
    own = {
        class_id: sum([value_bytes[f.type] for f in found.fields])
        for class_id, found in classes.items()
        if found.is_dumped
    }
    for row in rows[rows[:, KIND] == KIND_INSTANCE]:
        total, class_id, steps = 0, int(row[KEY]), 0
        while class_id in own and steps <= len(own):
            total += own[class_id]
            class_id = classes[class_id].super_id
            steps += 1
        name = classes[int(row[KEY])].name if int(row[KEY]) in classes else "?"
        if steps > len(own):
            raise CorruptRecord(path, None, f"class {name} is its own superclass; the dump is damaged")
        if steps and class_id == 0 and total != int(row[AMOUNT]):
            raise CorruptRecord(
                path,
                classes[int(row[KEY])].offset,
                f"instances of {name} have {int(row[AMOUNT]):,} bytes of fields, its class declares "
                f"{total:,}; the dump is damaged, take it again",
            )

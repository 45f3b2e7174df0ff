"""Who refers to whom: the reference graph of a heap as CSR, its GC roots, its weak referents.

What counts as a reference: fields, elements of arrays, from an object to the class object of its
class, from a class object to its superclass, loader, signers, protection domain, statics and constants, and,
where roots hang on their threads, from a thread to what lies on its stack.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from heapscope.heap.graph import kernels
from heapscope.heap.graph.index_sets import distinct
from heapscope.heap.graph.options import Options, ReferentKind
from heapscope.heap.graph.roots import RootTable
from heapscope.parser.segments import NO_OBJECT, Allocate, fill_references, in_memory
from heapscope.parser.tags import BasicType
from heapscope.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from heapscope.parser.class_tables import ClassTables
    from heapscope.parser.records import JavaClass
    from heapscope.parser.scan import HeapScan
    from heapscope.parser.segments import Columns
    from heapscope.parser.source import Source

    Starts = NDArray[np.uint32] | NDArray[np.int64]

VIRTUAL_ROOT = 0xFFFFFFFE  # immediate dominator of top-level objects, parent of GC roots
MAX_OBJECT_INDEX = VIRTUAL_ROOT - 1
# References to some objects that one pass finds.
_FIRST_ROOM = 1 << 23
_BLOCK = 1 << 24  # references that are compared at once
__all__ = ["NO_OBJECT", "VIRTUAL_ROOT", "Options", "References", "ReferentKind", "Referents", "RootTable"]

_REFERENCE = "java.lang.ref.Reference"
_REFERENCE_CLASSES = {
    "java.lang.ref.SoftReference": ReferentKind.SOFT,
    "java.lang.ref.WeakReference": ReferentKind.WEAK,
    "java.lang.ref.PhantomReference": ReferentKind.PHANTOM,
    "java.lang.ref.FinalReference": ReferentKind.FINAL,
    "java.lang.ref.FinalizerReference": ReferentKind.FINAL,  # Android's
}


@dataclass(frozen=True)
class Referents:
    """Non-null referents of all ``java.lang.ref.Reference`` objects; arrays of shape (r,), by source.

    Attributes
    ----------
    sources, targets : uint32
        Object indices.
    kinds : uint8
        `ReferentKind`.
    is_followed : bool
        Whether the graph has the reference, as the last one of its source.
    """

    sources: NDArray[np.uint32]
    targets: NDArray[np.uint32]
    kinds: NDArray[np.uint8]
    is_followed: NDArray[np.bool_]

    @property
    def pairs(self) -> NDArray[np.uint64]:
        """Source << 32 | target, as an index keeps them."""
        shifted: NDArray[np.uint64] = self.sources.astype(np.uint64) << np.uint64(32)
        return shifted | self.targets


class References:
    """The reference graph: what is followed from each object.

    Attributes
    ----------
    indptr : uint32 or int64 array, shape (n + 1,)
    indices : uint32 array, shape (e,)
        Object ``i`` refers to ``indices[indptr[i]:indptr[i + 1]]``, in the order of its record,
        one entry for each reference.  Reference objects have a followed referent last.
        The reference from an object to its class object comes first, and only
        if that is no GC root itself: what is one needs nobody to hold it.
    class_targets : uint32 array, shape (c,)
        By class: the class object that its instances list, `NO_OBJECT` where they do not.
    class_objects : int64 array, shape (c,)
        By class: index of its class object, -1 where it has none.
    class_index : uint16 or int32 array, shape (n,)
    lost_count : int
        References that lead to no object of the dump; the graph leaves them out.
    """

    def __init__(
        self,
        indptr: Starts,
        indices: NDArray[np.uint32],
        class_targets: NDArray[np.uint32],
        class_objects: NDArray[np.int64],
        class_index: NDArray[np.uint16] | NDArray[np.int32],
        referents: Referents,
        lost_count: int,
    ) -> None:
        self.indptr = indptr
        self.indices = indices
        self.class_targets = class_targets
        self.class_objects = class_objects
        self.referents = referents
        self.lost_count = lost_count
        self.class_index = class_index

    @property
    def width(self) -> str:
        """dtype of ``indptr``, as kernels are keyed by it."""
        return "u4" if self.indptr.dtype == np.uint32 else "i8"

    @property
    def object_count(self) -> int:
        """Objects, n."""
        return int(self.indptr.size) - 1

    @cached_property
    def leaves(self) -> NDArray[np.uint64]:
        """A bit for each object that refers to nothing, uint64, shape (n // 64 + 1,)."""
        flags = np.zeros((self.object_count // 64 + 1, kernels.PLANES), np.uint64)
        kernels.mark_leaves[self.width](self.indptr, flags)
        return flags[:, kernels.LEAF].copy()

    def outgoing(self, index: int) -> NDArray[np.uint32]:
        """What an object refers to, uint32: its class object, then the others in record order."""
        row = self.indices[int(self.indptr[index]) : int(self.indptr[index + 1])]
        class_index = int(self.class_index[index])
        class_object = int(self.class_objects[class_index])
        if class_object < 0 or self.class_targets[class_index] != NO_OBJECT:
            return np.array(row, np.uint32)
        return np.concatenate([np.array([class_object], np.uint32), row])

    def referrers_of(self, index: int) -> NDArray[np.int64]:
        """Objects that refer to one object, int64, ascending, each once; to a class object its instances do.

        A pass over the references: 0.05 s for 77 million.
        """
        places = [
            first + np.nonzero(self.indices[first : first + _BLOCK] == np.uint32(index))[0]
            for first in range(0, int(self.indptr[-1]), _BLOCK)
        ]
        at = np.concatenate(places) if places else np.empty(0, np.int64)
        found = distinct(np.searchsorted(self.indptr, at.astype(self.indptr.dtype), side="right") - 1)
        mine = np.nonzero((self.class_objects == index) & (self.class_targets == NO_OBJECT))[0]
        if mine.size:
            is_referrer = np.zeros(self.object_count, bool)
            is_referrer[found] = True
            for class_index in mine.tolist():  # one, but where class objects are the same
                is_referrer |= self.class_index == class_index
            found = np.nonzero(is_referrer)[0]
        return found.astype(np.int64, copy=False)

    def incoming(
        self, members: NDArray[np.int64] | NDArray[np.uint32]
    ) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
        """All references that lead to one of some objects, as (sources, targets), by source.

        One pass over the graph, whatever the number of objects; references from instances to their
        class object included.
        """
        flags = np.zeros((self.object_count // 64 + 1, kernels.PLANES), np.uint64)
        kernels.mark(np.ascontiguousarray(members, np.uint32), flags, kernels.VISITED)
        state = np.zeros(kernels.STATE, np.int64)
        room = min(_FIRST_ROOM, self.indices.size)
        while True:
            sources, targets = np.empty(room, np.uint32), np.empty(room, np.uint32)
            kernels.incoming[self.width](self.indptr, self.indices, flags, sources, targets, state)
            found = int(state[kernels.PAIRS])
            if found <= room:
                break
            room = found
        sources, targets = sources[:found], targets[:found]
        if found < room // 16:  # so that a few do not keep a large array alive
            sources, targets = sources.copy(), targets.copy()
        words = flags[self.class_objects >> 6, kernels.VISITED]
        is_member = (words >> (self.class_objects & 63).astype(np.uint64)) & np.uint64(1) != 0
        implied = is_member & (self.class_objects >= 0) & (self.class_targets == NO_OBJECT)
        if implied.any():
            instances = np.nonzero(implied[self.class_index])[0]
            sources = np.concatenate([sources, instances.astype(np.uint32)])
            targets = np.concatenate([targets, self.class_objects[self.class_index[instances]]])
            order = np.argsort(sources, kind="stable")
            sources, targets = sources[order], targets[order].astype(np.uint32)
        return sources, targets


def reference_classes(classes: Sequence[JavaClass]) -> dict[int, tuple[ReferentKind, int]]:
    """Class index -> how its instances hold their referent, and the class that declares that field."""
    by_id = {c.class_id: c for c in classes if c.class_id}
    # How instances of a class hold a referent, as far as its superclasses tell, and who declares the field;
    # None for what extends no Reference, and meanwhile, for superclasses may go round in a circle.
    known: dict[int, tuple[ReferentKind | None, int] | None] = {}
    found: dict[int, tuple[ReferentKind, int]] = {}
    for i, java_class in enumerate(classes):
        chain: list[JavaClass] = []
        current: JavaClass | None = java_class
        while current is not None and id(current) not in known:
            known[id(current)] = None
            chain.append(current)
            current = by_id.get(current.super_id) if current.super_id else None
        above = None if current is None else known[id(current)]
        for each in reversed(chain):
            if each.name == _REFERENCE:
                above = None, each.class_id
            elif above is not None:
                above = _REFERENCE_CLASSES.get(each.name, above[0]), above[1]
            known[id(each)] = above
        mine = known[id(java_class)]
        if mine is not None and mine[0] is not None:
            found[i] = mine[0], mine[1]
    return found


def build(
    source: Source,
    scan: HeapScan,
    classes: Sequence[JavaClass],
    columns: Columns,
    degrees: Starts,
    tables: ClassTables,
    roots: RootTable,
    options: Options,
    progress: Progress,
    allocate: Allocate = in_memory,
) -> References:
    """Read the reference graph; ``degrees``, as `heapscope.parser.segments.fill` has them, is written to.

    Raises
    ------
    CorruptRecord
        The file changed since it was scanned.
    """
    class_objects, class_targets = class_columns(classes, columns, roots)
    sources, targets = _extras(classes, columns, class_objects, roots, options)
    lost = int(np.count_nonzero(targets < 0))
    sources, targets = sources[targets >= 0], targets[targets >= 0]
    order = np.argsort(sources, kind="stable")
    sources, targets = sources[order], targets[order]
    rows, first, counts = np.unique(sources, return_index=True, return_counts=True)
    # Class objects have no references yet, threads those of their fields.
    degrees[rows] += counts.astype(degrees.dtype)
    kinds = _kinds_by_class(classes)
    has_referent = np.nonzero(kinds)[0].tolist()
    reference_objects = sum(scan.instance_counts.get(classes[i].class_id, 0) for i in has_referent)
    edges = fill_references(
        source, scan, columns, tables, class_targets, degrees, reference_objects, progress, allocate
    )
    indptr, indices, lost = edges.indptr, edges.indices, lost + edges.lost_count
    referents = _referents(edges.referents, kinds, columns, options)
    if rows.size:
        places = np.arange(sources.size) - np.repeat(first, counts)
        ends = indptr[rows + 1].astype(np.int64) - counts
        indices[np.repeat(ends, counts) + places] = targets
        if int(class_targets[tables.class_class]) != NO_OBJECT:
            own = class_objects[class_objects >= 0]
            indices[indptr[own]] = class_targets[tables.class_class]
        _put_referents_last(indptr, indices, rows, counts, referents)
    width = "u4" if indptr.dtype == np.uint32 else "i8"
    if lost:
        indices = indices[: kernels.drop_lost[width](indptr, indices)]
    return References(indptr, indices, class_targets, class_objects, columns.class_index, referents, lost)


def class_columns(
    classes: Sequence[JavaClass], columns: Columns, roots: RootTable
) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """``class_objects`` and ``class_targets`` of `References`."""
    class_objects = columns.addresses.indices_of(np.array([c.class_id for c in classes], np.uint64))
    class_objects[[not c.is_dumped for c in classes]] = -1
    is_listed = (class_objects >= 0) & ~np.isin(class_objects, roots.members())
    return class_objects, np.where(is_listed, class_objects, NO_OBJECT).astype(np.uint32)


def _put_referents_last(
    indptr: Starts,
    indices: NDArray[np.uint32],
    rows: NDArray[np.int64],
    counts: NDArray[np.int64],
    referents: Referents,
) -> None:
    """A reference object that is a thread too (no JVM has one) got what lies on its stack last."""
    strange = np.isin(rows, referents.sources[referents.is_followed])
    for row, count in zip(rows[strange].tolist(), counts[strange].tolist(), strict=True):
        end = int(indptr[row + 1])
        indices[end - count - 1 : end] = np.roll(indices[end - count - 1 : end], -1)


def _extras(
    classes: Sequence[JavaClass],
    columns: Columns,
    class_objects: NDArray[np.int64],
    roots: RootTable,
    options: Options,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """References that are not in the records of instances and arrays, as (sources, targets or -1)."""
    sources: list[int] = []
    ids: list[int] = []
    for class_object, java_class in zip(class_objects.tolist(), classes, strict=True):
        if class_object < 0:
            continue
        held = [
            java_class.super_id,
            java_class.loader_id,
            # MAT leaves these two and constants out (its preference "additional class references" is off).
            java_class.signers_id if options.semantics == "jvm" else 0,
            java_class.protection_domain_id if options.semantics == "jvm" else 0,
            *(int(static.value) for static in java_class.statics if static.type == BasicType.OBJECT),
            *(java_class.constant_ids if options.semantics == "jvm" else ()),
        ]
        held = [object_id for object_id in held if object_id]
        sources += [class_object] * len(held)
        ids += held
    of_classes = columns.addresses.indices_of(np.array(ids, np.uint64))
    hung = (roots.hangs_on >= 0) & (roots.object_index >= 0)
    return (
        np.concatenate([np.array(sources, np.int64), roots.hangs_on[hung]]),
        np.concatenate([of_classes, roots.object_index[hung]]),
    )


def _kinds_by_class(classes: Sequence[JavaClass]) -> NDArray[np.uint8]:
    """`ReferentKind` by class, uint8, shape (c,); 0 for classes that are no references."""
    kinds = np.zeros(len(classes), np.uint8)
    for i, (kind, _) in reference_classes(classes).items():
        kinds[i] = kind
    return kinds


def _referents(
    pairs: NDArray[np.uint64], kinds: NDArray[np.uint8], columns: Columns, options: Options
) -> Referents:
    sources = (pairs >> np.uint64(32)).astype(np.uint32)
    targets = (pairs & np.uint64(0xFFFFFFFF)).astype(np.uint32)
    of_rows = kinds[columns.class_index[sources]]
    follows = np.array([False, *(options.follows(kind) for kind in ReferentKind)])
    return Referents(sources, targets, of_rows, follows[of_rows])


def restore(
    indptr: Starts,
    indices: NDArray[np.uint32],
    pairs: NDArray[np.uint64],
    classes: Sequence[JavaClass],
    columns: Columns,
    roots: RootTable,
    options: Options,
    lost_count: int,
) -> References:
    """The reference graph from what an index kept of it."""
    class_objects, class_targets = class_columns(classes, columns, roots)
    referents = _referents(pairs, _kinds_by_class(classes), columns, options)
    return References(
        indptr, indices, class_targets, class_objects, columns.class_index, referents, lost_count
    )

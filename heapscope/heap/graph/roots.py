"""GC roots: the records of the dump, and what the reference graph makes of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from heapscope.heap.graph.options import Options
from heapscope.parser.tags import ROOT_KIND_NAMES, SubRecordTag

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from heapscope.parser.records import JavaClass
    from heapscope.parser.segments import Columns

# What `ClassValue` keeps for a class lies in a field of its class object, and a dump shows no field of those.
CLASS_VALUE_MAP = "java.lang.ClassValue$ClassValueMap"
# What a path that begins there is called, as kinds of roots are.
CLASS_VALUE = "class value"
# Kinds of roots that name a thread, on whose stack the object lies.
_ON_STACK = (
    SubRecordTag.ROOT_JNI_LOCAL,
    SubRecordTag.ROOT_JAVA_FRAME,
    SubRecordTag.ROOT_NATIVE_STACK,
    SubRecordTag.ROOT_THREAD_BLOCK,
)


@dataclass(frozen=True)
class RootTable:
    """GC roots as the graph sees them, a row for each root record; arrays of shape (r,).

    Attributes
    ----------
    object_index : int64
        -1 where the dump has no such object.
    kinds : uint8
        `SubRecordTag`.
    hangs_on : int64
        The thread that refers to the object, -1 where the object is a root itself.
    implied : int64 array
        Roots without a record: class objects of the boot loader, which lives as long as the JVM, in a dump
        that names no system class at all (the serviceability agent's: ``jhsdb``, ``jmap -F``).
    class_values : int64 array
        Maps of `java.lang.ClassValue`: class objects hold them by a field that no dump shows.  Empty where
        the graph is to be that of Eclipse MAT.
    """

    object_index: NDArray[np.int64]
    kinds: NDArray[np.uint8]
    hangs_on: NDArray[np.int64]
    implied: NDArray[np.int64]
    class_values: NDArray[np.int64]

    @property
    def implied_count(self) -> int:
        """How many roots have no record."""
        return int(self.implied.size)

    def members(self, without: Sequence[str] = ()) -> NDArray[np.uint32]:
        """Objects that are roots, uint32, ascending; without root records of some kinds.

        Raises
        ------
        ValueError
            There is no such kind; they are those of `heapscope.parser.tags.ROOT_KIND_NAMES`.
        """
        kinds = {name: tag for tag, name in ROOT_KIND_NAMES.items()}
        for name in without:
            if name not in kinds:
                raise ValueError(f"no GC root is of kind {name!r}; the kinds are: {', '.join(kinds)}")
        is_root = (self.object_index >= 0) & (self.hangs_on < 0) & (self.kinds != SubRecordTag.UNREACHABLE)
        is_root &= ~np.isin(self.kinds, [kinds[name] for name in without])
        recorded = self.object_index[is_root]
        return np.unique(np.concatenate([recorded, self.implied, self.class_values])).astype(np.uint32)


def resolve_roots(columns: Columns, classes: Sequence[JavaClass], options: Options) -> RootTable:
    """Root records with the objects they name, and the threads those hang on."""
    roots = columns.roots
    at = columns.addresses.indices_of(roots.object_ids)
    hangs_on = np.full(at.size, -1, np.int64)
    if options.roots == "mat":
        threads: dict[int, int] = {}
        is_thread = (roots.kinds == SubRecordTag.ROOT_THREAD_OBJECT) & (at >= 0)
        for row in np.nonzero(is_thread)[0].tolist():
            threads.setdefault(int(roots.thread_serials[row]), int(at[row]))
        for row in np.nonzero(np.isin(roots.kinds, _ON_STACK))[0].tolist():
            hangs_on[row] = threads.get(int(roots.thread_serials[row]), -1)
    implied: list[int] = []
    if SubRecordTag.ROOT_STICKY_CLASS not in roots.kinds:
        # So does Eclipse MAT.
        implied = [
            c.class_id for c in classes if c.is_dumped and c.loader_id == 0 and not c.name.endswith("[]")
        ]
    class_values = np.empty(0, np.int64)
    if options.semantics == "jvm":
        rows = [row for row, each in enumerate(classes) if each.name == CLASS_VALUE_MAP]
        class_values = np.concatenate(
            [class_values, *(np.nonzero(columns.class_index == r)[0] for r in rows)]
        )
    return RootTable(
        object_index=at,
        kinds=roots.kinds,
        hangs_on=hangs_on,
        implied=columns.addresses.indices_of(np.array(implied, np.uint64)),
        class_values=class_values,
    )


def roots_frame(columns: Columns, table: RootTable, classes: Sequence[JavaClass]) -> pd.DataFrame:
    """GC roots as a DataFrame; see `heapscope.heap.heap.Heap.gc_roots`."""
    import pandas as pd

    roots = columns.roots
    at = table.object_index
    found = at >= 0
    names = np.array([c.name for c in classes] or [""], object)
    class_names = np.full(at.size, "", object)
    class_names[found] = names[columns.class_index[at[found]]]
    kinds = sorted(ROOT_KIND_NAMES)
    codes = np.searchsorted(kinds, roots.kinds)
    return pd.DataFrame(
        {
            "kind": pd.Categorical.from_codes(codes, categories=[ROOT_KIND_NAMES[tag] for tag in kinds]),
            "object_id": roots.object_ids,
            "object_index": np.where(found, at, -1),
            "class_name": class_names,
            "thread_serial": roots.thread_serials,
            "frame_number": roots.frame_numbers,
        }
    )

"""`Heap`: one dump, opened; what `heapscope.open` returns."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, overload

import numpy as np

from heapscope.analysis.census import WATCHED_CLASSES, matching_classes
from heapscope.analysis.table import Table
from heapscope.errors import HprofError, ObjectNotFound
from heapscope.parser.layout import Layout, instance_bytes, mirror_bytes, stack_chunk_classes
from heapscope.parser.records import JavaClass, RecordList, StackTraces, unnamed_class
from heapscope.parser.scan import scan
from heapscope.parser.source import Source
from heapscope.parser.tags import ROOT_KIND_NAMES, BasicType
from heapscope.progress import Progress, silent

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from heapscope.analysis.objects import JavaObject, ObjectSet
    from heapscope.analysis.process import JavaThread
    from heapscope.parser.segments import Columns
    from heapscope.parser.vm_objects import VmObjects

CLASS = "java.lang.Class"


def sorted_histogram(rows: Iterable[tuple[str, int, int]]) -> Table:
    """Histogram table from (class name, instances, bytes); the largest first, then by name."""
    ordered = sorted(rows, key=lambda row: (-row[2], row[0]))
    return Table(
        {
            "class_name": [row[0] for row in ordered],
            "instance_count": np.array([row[1] for row in ordered], np.int64),
            "shallow_bytes": np.array([row[2] for row in ordered], np.int64),
        }
    )


class Heap:
    """One heap dump.  Use as a context manager.

    Opening counts the dump (a fraction of a second per gigabyte); columns of all objects are
    made when something first asks for them.

    Parameters
    ----------
    path : str or path-like
        A dump, plain or gzip.
    progress : Progress
        Told how far long work is.

    Raises
    ------
    NotHprof, UnsupportedFormat, CorruptRecord, TruncatedDump, HprofError
        See `heapscope.errors`.
    """

    def __init__(self, path: str | os.PathLike[str], progress: Progress = silent) -> None:
        self._progress = progress
        self._source = Source(path)
        try:
            self._scan = scan(self._source, progress)
        except BaseException:
            self._source.close()
            raise

    # --- the file ---

    @property
    def path(self) -> Path:
        """The file."""
        return self._source.path

    @property
    def captured_at(self) -> datetime:
        """When the dump was begun, UTC, from its header."""
        try:
            return datetime.fromtimestamp(self._scan.header.timestamp_ms / 1000, UTC)
        except (ValueError, OverflowError, OSError):
            return datetime.fromtimestamp(0, UTC)

    @property
    def format_version(self) -> str:
        """``"1.0.1"``, ``"1.0.2"`` or ``"1.0.3"`` (Android)."""
        return self._scan.header.version

    @property
    def identifier_bytes(self) -> int:
        """Bytes of an identifier in the dump, 4 or 8."""
        return self._scan.header.identifier_bytes

    @property
    def dump_bytes(self) -> int:
        """Bytes of the dump, inflated."""
        return self._scan.dump_bytes

    @property
    def layout(self) -> Layout:
        """How the VM laid objects out, by which rule that was found, and how sure it is."""
        return self._scan.layout

    # --- counts, from the first pass ---

    @cached_property
    def _instance_bytes(self) -> dict[int, int]:
        return instance_bytes(self.layout, self._scan.classes)

    @cached_property
    def _histogram(self) -> Table:
        counts: dict[str, int] = defaultdict(int)
        sizes: dict[str, int] = defaultdict(int)
        classes = self._scan.classes
        varying = {i for i in stack_chunk_classes(classes) if self._scan.instance_counts.get(i)}
        for class_id, count in self._scan.instance_counts.items():
            if class_id in classes:
                name = classes[class_id].name
            else:
                name = unnamed_class(class_id) + ("[]" if class_id in self._scan.array_bytes else "")
            counts[name] += count
            if class_id in self._scan.array_bytes:
                sizes[name] += self._scan.array_bytes[class_id]
            elif class_id in varying:
                sizes[name] += self._rows_bytes(self._rows_of_class_id(class_id))
            else:
                sizes[name] += count * self._instance_bytes.get(class_id, 0)
        for code in np.nonzero(self._scan.primitive_counts)[0].tolist():
            name = f"{BasicType(code).java_name}[]"
            counts[name] += int(self._scan.primitive_counts[code])
            sizes[name] += int(self._scan.primitive_bytes[code])
        mirrors = mirror_bytes(self.layout, classes)
        dumped = [mirrors[class_id] for class_id, c in classes.items() if c.is_dumped]
        if dumped:
            counts[CLASS] += len(dumped)
            sizes[CLASS] += sum(dumped)
        return sorted_histogram((name, counts[name], sizes[name]) for name in counts)

    @cached_property
    def vm_objects(self) -> VmObjects:
        """What the JVM's own class histogram counts and the dump has no rows for.

        Class objects of archived classes that were never loaded, and arrays that fill dead space,
        which the dump shows as ``int[]``; see `heapscope.parser.vm_objects`.  Reads the dump
        once or twice more.
        """
        from heapscope.parser.vm_objects import find_vm_objects

        return find_vm_objects(str(self.path), self._source.mapping(self._progress), self._scan)

    def histogram(self, *, as_jvm: bool = False) -> Table:
        """The class histogram: ``class_name, instance_count, shallow_bytes``, the largest first.

        Every object of the dump counts, reachable or not; classes of one name (from several
        loaders) are one row.

        Parameters
        ----------
        as_jvm : bool
            Count `vm_objects` as well, as ``jcmd PID GC.class_histogram`` does.  Only
            ``java.lang.Class``, ``int[]`` and the JVM's filler arrays can differ by that.
        """
        if not as_jvm:
            return self._histogram
        found = self.vm_objects
        rows = {
            name: (count, size) for name, count, size in zip(*self._histogram.columns.values(), strict=True)
        }
        for name, count, size in (
            (CLASS, found.unloaded_count, found.unloaded_bytes),
            ("int[]", -found.filler_count, -found.filler_bytes),
            (found.filler_name, found.filler_count, found.filler_bytes),
        ):
            if count:
                before = rows.get(name, (0, 0))
                rows[name] = before[0] + count, before[1] + size
        return sorted_histogram((name, int(c), int(b)) for name, (c, b) in rows.items() if c)

    def class_histogram(self, *, as_jvm: bool = False) -> pd.DataFrame:
        """`histogram` as a DataFrame: ``class_name, instance_count, shallow_bytes``."""
        return self.histogram(as_jvm=as_jvm).to_frame()

    @property
    def object_count(self) -> int:
        """Objects in the dump, class objects included."""
        return sum(self._histogram.column("instance_count"))

    @property
    def shallow_bytes(self) -> int:
        """Shallow size of all objects together."""
        return sum(self._histogram.column("shallow_bytes"))

    @cached_property
    def superclasses(self) -> dict[str, str]:
        """Class name to the name of its superclass."""
        classes = self._scan.classes
        return {c.name: classes[c.super_id].name for c in classes.values() if c.super_id in classes}

    def census(self, patterns: Sequence[str] = WATCHED_CLASSES, *, subclasses: bool = True) -> Table:
        """Instances of watched classes: ``class_name, instance_count, shallow_bytes, class_count``.

        Parameters
        ----------
        patterns : sequence of str
            See `heapscope.analysis.census.matching_classes`; a row each.
        """
        return census_of(self._histogram, self.superclasses, patterns, subclasses=subclasses)

    def root_counts(self) -> dict[str, int]:
        """Root records by kind, the most frequent first."""
        counts = {
            name: int(self._scan.root_counts[tag])
            for tag, name in ROOT_KIND_NAMES.items()
            if self._scan.root_counts[tag]
        }
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

    @cached_property
    def classes(self) -> Classes:
        """All classes of the dump, a sequence of `JavaClass`; also by name: ``classes["a.B"]``."""
        from heapscope.parser.segments import class_list

        return Classes(class_list(self._scan), str(self.path))

    # --- objects, from the second pass ---

    @cached_property
    def columns(self) -> Columns:
        """Columns of all objects in address order, and of all root records."""
        from heapscope.parser.segments import fill

        if self._source.is_closed:
            raise HprofError(self.path, None, "the heap is closed; ask inside the with block")
        self._buffer = self._source.mapping(self._progress)
        columns = fill(self._source, self._scan, list(self.classes), self._progress)
        chunks = {i for i in stack_chunk_classes(self._scan.classes) if self._scan.instance_counts.get(i)}
        for class_index, java_class in enumerate(self.classes):
            if java_class.class_id in chunks:
                self._size_stack_chunks(columns, class_index)
        return columns

    def _size_stack_chunks(self, columns: Columns, class_index: int) -> None:
        """A stack chunk carries a piece of a stack; how much, its field ``size`` tells."""
        from heapscope.analysis.objects import JavaObject

        fixed = self._instance_bytes[self.classes[class_index].class_id]
        for row in np.nonzero(columns.class_index == class_index)[0].tolist():
            words = JavaObject(self, row, columns).get("size")
            if isinstance(words, int):
                whole = self.layout.stack_chunk_bytes(fixed, words)
                columns.size_units[row] = whole // columns.unit_bytes

    @property
    def buffer(self) -> NDArray[np.uint8]:
        """The bytes of the inflated dump, mapped; valid once `columns` were made."""
        return self._buffer

    def _rows_of_class_id(self, class_id: int) -> NDArray[np.int64]:
        wanted = [i for i, c in enumerate(self.classes) if c.class_id == class_id]
        return np.nonzero(np.isin(self.columns.class_index, wanted))[0]

    def _rows_bytes(self, rows: NDArray[np.int64]) -> int:
        return int(self.columns.size_units[rows].sum(dtype=np.uint64)) * self.columns.unit_bytes

    def objects(self, class_name: str = "*", subclasses: bool = True) -> ObjectSet:
        """The instances of a class.

        Parameters
        ----------
        class_name : str
            A class name, a simple name or a glob (`heapscope.analysis.census`).
        subclasses : bool
            Whether instances of subclasses belong to the set.

        Raises
        ------
        ObjectNotFound
            The dump has no such class; the message names the nearest.
        """
        from heapscope.analysis.objects import ObjectSet

        names = {c.name for c in self.classes}
        picked = set(matching_classes(class_name, names, self.superclasses, subclasses=subclasses))
        if not picked:
            raise ObjectNotFound(class_name, str(self.path), names)
        is_picked = np.array([c.name in picked for c in self.classes], bool)
        return ObjectSet(self, np.nonzero(is_picked[self.columns.class_index])[0])

    def index_of(self, object_id: int) -> int:
        """Row of the object with an identifier, -1 where the dump has none."""
        ids = self.columns.object_ids
        row = int(np.searchsorted(ids, np.uint64(object_id))) if 0 <= object_id < 2**64 else ids.size
        return row if row < ids.size and int(ids[row]) == object_id else -1

    def object_at(self, object_id: int) -> JavaObject:
        """The object with an identifier.

        Raises
        ------
        ObjectNotFound
        """
        from heapscope.analysis.objects import JavaObject

        row = self.index_of(object_id)
        if row < 0:
            raise ObjectNotFound(f"0x{object_id:x}", str(self.path))
        return JavaObject(self, row, self.columns)

    @cached_property
    def gc_roots(self) -> pd.DataFrame:
        """GC roots, a row for each root record of the dump, never merged.

        Columns: ``kind`` (the words of `heapscope.parser.tags.ROOT_KIND_NAMES`), ``object_id``,
        ``object_index`` (-1 where the dump has no such object), ``class_name`` (empty then),
        ``thread_serial`` (0: none), ``frame_number`` (-1: none).
        """
        import pandas as pd

        columns = self.columns
        roots = columns.roots
        at = np.searchsorted(columns.object_ids, roots.object_ids)
        at = np.minimum(at, max(columns.object_ids.size - 1, 0))
        found = np.zeros(at.size, bool)
        if columns.object_ids.size:
            found = columns.object_ids[at] == roots.object_ids
        names = np.array([c.name for c in self.classes] or [""], object)
        class_names = np.full(at.size, "", object)
        class_names[found] = names[columns.class_index[at[found]]]
        kinds = list(ROOT_KIND_NAMES)
        codes = np.searchsorted(np.sort(kinds), roots.kinds)
        return pd.DataFrame(
            {
                "kind": pd.Categorical.from_codes(
                    codes, categories=[ROOT_KIND_NAMES[tag] for tag in sorted(kinds)]
                ),
                "object_id": roots.object_ids,
                "object_index": np.where(found, at, -1),
                "class_name": class_names,
                "thread_serial": roots.thread_serials,
                "frame_number": roots.frame_numbers,
            }
        )

    # --- the process ---

    def environment(self) -> dict[str, str]:
        """The process environment as ``java.lang.ProcessEnvironment`` holds it.

        Empty where no code of the process ever asked for it (``System.getenv``).
        """
        from heapscope.analysis.process import read_environment

        return read_environment(self)

    def system_properties(self) -> dict[str, str]:
        """The system properties, from ``java.lang.System.props``; empty where the dump has none."""
        from heapscope.analysis.process import read_system_properties

        return read_system_properties(self)

    def threads(self) -> list[JavaThread]:
        """Threads in the dump's order, with their stacks."""
        from heapscope.analysis.process import read_threads

        return read_threads(self)

    @cached_property
    def stack_traces(self) -> StackTraces:
        """Stack traces by serial."""
        return StackTraces(self._scan.records, self._scan.names, self.identifier_bytes)

    @property
    def records(self) -> RecordList:
        """The dump's top-level records but the heap's."""
        return self._scan.records

    def close(self) -> None:
        """Release the file and the columns."""
        self.__dict__.pop("columns", None)
        self._buffer = np.empty(0, np.uint8)
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return (
            f"<Heap {self.path.name}: {self.object_count:,} objects, {self.shallow_bytes:,} bytes, "
            f"captured {self.captured_at:%Y-%m-%d %H:%M:%S} UTC>"
        )


def census_of(
    histogram: Table, superclasses: dict[str, str], patterns: Sequence[str], *, subclasses: bool = True
) -> Table:
    """Instances of watched classes in a histogram; see `Heap.census`."""
    rows = {row["class_name"]: row for row in histogram.rows()}
    picked = [matching_classes(p, rows, superclasses, subclasses=subclasses) for p in patterns]
    return Table(
        {
            "class_name": list(patterns),
            "instance_count": [sum(rows[name]["instance_count"] for name in names) for names in picked],
            "shallow_bytes": [sum(rows[name]["shallow_bytes"] for name in names) for names in picked],
            "class_count": [len(names) for names in picked],
        }
    )


class Classes(Sequence[JavaClass]):
    """The classes of a dump: a sequence, and a mapping from names."""

    def __init__(self, classes: list[JavaClass], where: str) -> None:
        self._classes = classes
        self._where = where
        self._by_name: dict[str, JavaClass] = {}
        self._by_id: dict[int, JavaClass] = {}
        for java_class in classes:
            # Of several with one name the boot loader's is meant, or the first.
            if java_class.name not in self._by_name or (
                java_class.loader_id == 0 and self._by_name[java_class.name].loader_id
            ):
                self._by_name[java_class.name] = java_class
            self._by_id.setdefault(java_class.class_id, java_class)

    def __len__(self) -> int:
        return len(self._classes)

    @overload
    def __getitem__(self, key: int | str) -> JavaClass: ...
    @overload
    def __getitem__(self, key: slice) -> list[JavaClass]: ...
    def __getitem__(self, key: int | slice | str) -> JavaClass | list[JavaClass]:
        if isinstance(key, str):
            if key not in self._by_name:
                raise ObjectNotFound(key, self._where, self._by_name)
            return self._by_name[key]
        return self._classes[key]

    def __contains__(self, key: object) -> bool:
        return key in self._by_name if isinstance(key, str) else key in self._classes

    def named(self, name: str) -> JavaClass | None:
        """The class of a name, None where the dump has none."""
        return self._by_name.get(name)

    def with_id(self, class_id: int) -> JavaClass | None:
        """The class of an identifier, None where the dump has none."""
        return self._by_id.get(class_id)

    def to_frame(self) -> pd.DataFrame:
        """``class_id, class_name, super_name, loader_id, field_count, static_count``."""
        import pandas as pd

        def name_of(class_id: int) -> str:
            found = self._by_id.get(class_id)
            return found.name if found else ""

        return pd.DataFrame(
            {
                "class_id": np.array([c.class_id for c in self._classes], np.uint64),
                "class_name": [c.name for c in self._classes],
                "super_name": [name_of(c.super_id) if c.super_id else "" for c in self._classes],
                "loader_id": np.array([c.loader_id for c in self._classes], np.uint64),
                "field_count": [len(c.fields) for c in self._classes],
                "static_count": [len(c.statics) for c in self._classes],
            }
        )

    def __repr__(self) -> str:
        return f"<{len(self):,} classes of {self._where}>"


def open(path: str | os.PathLike[str], progress: Progress = silent) -> Heap:
    """Open a heap dump: ``with heapscope.open("worker-3.hprof.gz") as heap: ...``.

    Parameters and errors as `Heap` has them.
    """
    return Heap(path, progress)

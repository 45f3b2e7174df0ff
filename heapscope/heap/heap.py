"""`Heap`: one dump, opened; what `heapscope.open` returns."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from heapscope.errors import HprofError, ObjectNotFound
from heapscope.explorable import Explorable
from heapscope.heap.graph.classes import Classes
from heapscope.heap.graph.index_file import has_index, index_path, partial_key
from heapscope.heap.histogram import census_of, jvm_histogram, mat_histogram, scan_histogram
from heapscope.heap.vm_facts import VmFacts, read_vm_facts
from heapscope.heap.watched_classes import WATCHED_CLASSES
from heapscope.parser.layout.layout import Layout, instance_bytes
from heapscope.parser.records import RecordList, StackTraces
from heapscope.parser.scan import scan_or_close
from heapscope.parser.source import Source
from heapscope.parser.tags import ROOT_KIND_NAMES
from heapscope.progress import Progress, no_progress
from heapscope.queryable import Queryable
from heapscope.rich_repr import RichRepr
from heapscope.table import Table

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from heapscope.heap.graph.dominators import Dominators
    from heapscope.heap.graph.heap_graph import HeapGraph
    from heapscope.heap.graph.options import Options
    from heapscope.heap.graph.reachability import Reachability
    from heapscope.heap.graph.references import References
    from heapscope.heap.graph.roots import RootTable
    from heapscope.heap.object_set import JavaObject, ObjectSet
    from heapscope.heap.objects.threads import Threads
    from heapscope.heap.retention.by_group import Consumers
    from heapscope.heap.retention.off_heap import OffHeap
    from heapscope.heap.retention.suspects import Suspects
    from heapscope.parser.broken.coverage import Coverage
    from heapscope.parser.layout.vm_objects import VmObjects
    from heapscope.parser.segments import Columns


class Heap(RichRepr, Queryable, Explorable):
    """One heap dump.  Use as a context manager.

    Opening counts the dump (a fraction of a second per gigabyte); columns of all objects are
    made when something first asks for them.

    Parameters
    ----------
    path : str or path-like
        A dump, plain, compressed, or alone in an archive.
    progress : Progress
        Told how far long work is.
    options : Options
        What is followed, what is a root.
    index_dir : path-like, optional
        Where indexes are kept; the user's cache folder by default.
    use_index : bool
        Whether what was computed is kept, and found again by the next who opens this dump.
    partial : bool
        Whether what can be read of a broken dump is taken for it; `coverage` says how much that is.
    heap : int, optional
        Which heap of a file that holds several, counted from 1: the last by default.
    follows : bool
        Whether references or values will be asked for: a compressed dump is then inflated once, into a
        temporary file, instead of once to be counted and once more when they are.

    Raises
    ------
    NotHprof, UnsupportedFormat, CorruptRecord, TruncatedDump, HprofError
        See `heapscope.errors`.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        progress: Progress = no_progress,
        options: Options | None = None,
        *,
        index_dir: str | os.PathLike[str] | None = None,
        use_index: bool = True,
        partial: bool = False,
        heap: int | None = None,
        follows: bool = False,
    ) -> None:
        from heapscope.heap.graph.options import Options

        self.options = options or Options()
        self.index_dir = Path(index_dir) if index_dir is not None else None
        self.uses_index = use_index
        self._progress = progress
        self._graph: HeapGraph | None = None
        self._source = Source(path, partial=partial, heap=heap)
        is_indexed = use_index and has_index(self.path, asdict(self.options), self.index_dir)
        self._scan = scan_or_close(
            self._source, progress, follows=follows, marks_addresses=follows and not is_indexed
        )

    # --- the file ---

    @property
    def coverage(self) -> Coverage | None:
        """How much of a broken dump was read, and what is uncertain; None for a whole one."""
        found = self._scan.coverage
        lost_count = None if self._graph is None else self._graph.lost_count
        return (
            found if found is None or lost_count is None else replace(found, dangling_references=lost_count)
        )

    @property
    def path(self) -> Path:
        """The file."""
        return self._source.path

    @property
    def heap_number(self) -> int:
        """Which heap of the file this is, counted from 1."""
        return self._scan.heap_number

    @property
    def heap_count(self) -> int:
        """How many heaps the file holds: an agent appends one at each request, all others write one."""
        return self._scan.heap_count

    @property
    def is_dated(self) -> bool:
        """Whether `captured_at` is its own time, and not when the file was begun that holds several heaps."""
        return self._scan.heap_count == 1 or self._scan.heap_ticks is not None

    @property
    def captured_at(self) -> datetime:
        """When the dump was begun, UTC, from its header; of several in a file also from its record."""
        milliseconds = self._scan.header.timestamp_ms + (self._scan.heap_ticks or 0) // 1000
        try:
            return datetime.fromtimestamp(milliseconds / 1000, UTC)
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
        return self.graph.layout if self.options.semantics == "mat" else self._scan.layout

    # --- counts, from the first pass ---

    @cached_property
    def _instance_bytes(self) -> dict[int, int]:
        layout, scan = self.layout, self._scan
        return scan.instance_bytes if layout is scan.layout else instance_bytes(layout, scan.classes)

    @cached_property
    def _histogram(self) -> Table:
        return scan_histogram(self._scan, self._instance_bytes, self._bytes_of_class_id)

    @cached_property
    def vm_objects(self) -> VmObjects:
        """What the JVM's own class histogram counts and the dump has no rows for.

        Class objects of archived classes that were never loaded, and arrays that fill dead space,
        which the dump shows as ``int[]``; see `heapscope.parser.layout.vm_objects`.  Reads the dump
        once or twice more.
        """
        from heapscope.parser.layout.vm_objects import find_vm_objects

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
        if self.options.semantics == "mat":
            return mat_histogram(self.graph)
        return jvm_histogram(self._histogram, self.vm_objects) if as_jvm else self._histogram

    def retained_histogram(self) -> Table:
        """`histogram` with a column ``retained_bytes``, by which it is sorted.

        Summed over the instances of a class that have no ancestor of the class in the dominator
        tree, as Eclipse MAT does; `ObjectSet.retained_bytes` is exact.
        """
        from heapscope.heap.retention.by_group import with_retained

        return with_retained(self.histogram(), self.consumers.by_class)

    def class_histogram(self, *, as_jvm: bool = False, retained: bool = False) -> pd.DataFrame:
        """`histogram` as a DataFrame: ``class_name, instance_count, shallow_bytes``.

        Parameters
        ----------
        as_jvm : bool
            As `histogram` has it.
        retained : bool
            With a column ``retained_bytes``: `retained_histogram`.
        """
        frame = (self.retained_histogram() if retained else self.histogram(as_jvm=as_jvm)).to_frame()
        if self.coverage is not None:
            frame.attrs["partial"] = self.coverage.to_dict()
        return frame

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

    @cached_property
    def vm_facts(self) -> VmFacts:
        """What static fields tell of the JVM: which process it is, the limit of its heap."""
        return read_vm_facts(self._scan.classes.values())

    def census(self, patterns: Sequence[str] = WATCHED_CLASSES, *, subclasses: bool = True) -> Table:
        """Instances of watched classes: ``class_name, instance_count, shallow_bytes, class_count``.

        Parameters
        ----------
        patterns : sequence of str
            See `heapscope.heap.graph.class_patterns.matching_classes`; a row each.
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

    # --- objects and the reference graph, from the passes that follow ---

    @property
    def graph(self) -> HeapGraph:
        """What functions over a heap take: columns, references, dominators, each made when first asked for.

        Raises
        ------
        HprofError
            The heap is closed.
        """
        from heapscope.heap.graph.heap_graph import HeapGraph

        if self._source.is_closed:
            raise HprofError(self.path, None, "the heap is closed; ask inside the with block")
        if self._graph is None:
            key = asdict(self.options) | (partial_key(self._source.parts) if self._scan.coverage else {})
            key |= {"heap": str(self.heap_number)} if self.heap_count > 1 else {}
            self._graph = HeapGraph(
                self._source,
                self._scan,
                self.classes,
                self.options,
                self._progress,
                index_file=index_path(self.path, key, self.index_dir) if self.uses_index else None,
                index_key=key,
            )
        return self._graph

    @property
    def columns(self) -> Columns:
        """Columns of all objects in address order, and of all root records."""
        return self.graph.columns

    @property
    def buffer(self) -> NDArray[np.uint8]:
        """The bytes of the inflated dump, mapped."""
        return self._source.mapping(self._progress)

    @property
    def references(self) -> References:
        """Who refers to whom."""
        return self.graph.references

    @property
    def roots(self) -> RootTable:
        """Root records with the objects they name and the threads those hang on."""
        return self.graph.roots

    @property
    def class_objects(self) -> NDArray[np.int64]:
        """Object index of the class object of each class, int64, shape (c,); -1 where it has none."""
        return self.graph.class_objects

    @property
    def shallow_sizes(self) -> NDArray[np.int64]:
        """Shallow size of each object in bytes, int64, shape (n,)."""
        sizes: NDArray[np.int64] = self.columns.size_units.astype(np.int64) * self.columns.unit_bytes
        return sizes

    @property
    def nearest(self) -> Reachability:
        """Shortest paths from the GC roots: ``nearest.parents``."""
        return self.graph.reachability

    @property
    def categories(self) -> NDArray[np.uint8]:
        """How each object is reached, uint8, shape (n,): 0 strong, 1 soft, 2 weak, 3 unreachable.

        2 is "only over weak, phantom or final references".
        """
        return self.graph.reachability.categories

    def reachability(self) -> Table:
        """Objects and bytes by strength: ``category, object_count, shallow_bytes``; four rows.

        Strong; soft; weak, phantom and final only (``weak``); unreachable.  Together they are all
        objects of the dump.
        """
        return self.graph.reachability_table

    @property
    def consumers(self) -> Consumers:
        """Classes, packages and class loaders with what they retain."""
        from heapscope.heap.retention.by_group import find_consumers

        return find_consumers(self.graph)

    def suspects(self, share: float = 0.1) -> Suspects:
        """What retains at least a share of the reachable heap; see `heapscope.heap.retention.suspects`."""
        from heapscope.heap.retention.suspects import find_suspects

        return find_suspects(self.graph, share)

    def off_heap(self) -> OffHeap:
        """Memory outside of the Java heap that objects stand for, by the field that owns them."""
        from heapscope.heap.retention.off_heap import find_off_heap

        return find_off_heap(self.graph)

    def dominators(self) -> Dominators:
        """The dominator tree, with the retained size of every object."""
        return self.graph.dominators

    def _bytes_of_class_id(self, class_id: int) -> int:
        wanted = [i for i, c in enumerate(self.classes) if c.class_id == class_id]
        units = self.columns.size_units[np.isin(self.columns.class_index, wanted)]
        return int(units.sum(dtype=np.uint64)) * self.columns.unit_bytes

    def objects(
        self, class_name: str = "*", subclasses: bool = True, *, class_objects: bool = False
    ) -> ObjectSet:
        """The instances of a class.

        Parameters
        ----------
        class_name : str
            A class name, a simple name or a glob (`heapscope.heap.graph.class_patterns`); + as in guards.
        subclasses : bool
            Whether instances of subclasses belong to the set.
        class_objects : bool
            Whether the class objects belong to it as well, as in the retained sizes of Eclipse MAT's
            class histogram.

        Raises
        ------
        ObjectNotFound
            The dump has no such class; the message names the nearest.
        """
        from heapscope.heap.object_set import instances_of

        return instances_of(self.graph, class_name, subclasses=subclasses, class_objects=class_objects)

    def indices_of(self, object_ids: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Object indices of identifiers, int64, -1 where the dump has none."""
        return self.graph.indices_of(object_ids)

    def index_of(self, object_id: int) -> int:
        """Object index of one identifier, -1 where the dump has none."""
        return self.graph.index_of(object_id)

    def object_at(self, object_id: int) -> JavaObject:
        """The object with an identifier.

        Raises
        ------
        ObjectNotFound
        """
        from heapscope.heap.object_set import JavaObject

        row = self.index_of(object_id)
        if row < 0:
            raise ObjectNotFound(f"0x{object_id:x}", str(self.path))
        return JavaObject(self.graph, row)

    @cached_property
    def gc_roots(self) -> pd.DataFrame:
        """GC roots, a row for each root record of the dump, never merged.

        Columns: ``kind`` (the words of `heapscope.parser.tags.ROOT_KIND_NAMES`), ``object_id``,
        ``object_index`` (-1 where the dump has no such object), ``class_name`` (empty then),
        ``thread_serial`` (0: none), ``frame_number`` (-1: none).
        """
        from heapscope.heap.graph.roots import roots_frame

        return roots_frame(self.columns, self.roots, self.classes)

    # --- the process ---

    def environment(self) -> dict[str, str]:
        """The process environment as ``java.lang.ProcessEnvironment`` holds it.

        Empty where no code of the process ever asked for it (``System.getenv``).
        """
        from heapscope.heap.objects.environment import NamedTexts, environment_of

        return NamedTexts(environment_of(self.graph), f"the environment in {self.path}")

    def system_properties(self) -> dict[str, str]:
        """The system properties, from ``java.lang.System.props``; empty where the dump has none."""
        from heapscope.heap.objects.environment import NamedTexts, system_properties_of

        return NamedTexts(system_properties_of(self.graph), f"the system properties in {self.path}")

    def threads(self) -> Threads:
        """Threads in the dump's order, with their stacks; a list with ``to_frame()``."""
        from heapscope.heap.objects.threads import Threads, threads_of

        return Threads(threads_of(self.graph))

    @property
    def stack_traces(self) -> StackTraces:
        """Stack traces by serial."""
        return self.graph.stack_traces

    @property
    def records(self) -> RecordList:
        """The dump's top-level records but the heap's."""
        return self._scan.records

    def __dir__(self) -> list[str]:
        return sorted(name for name in super().__dir__() if not name.startswith("_"))

    def close(self) -> None:
        """Release the file and the columns."""
        self._graph = None
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return (
            f"<Heap {self.path.name}: {self.object_count:,} objects, {self.shallow_bytes:,} bytes, "
            f"{'' if self.coverage is None else self.coverage.summary + ', '}"
            f"captured {self.captured_at:%Y-%m-%d %H:%M:%S} UTC>"
        )

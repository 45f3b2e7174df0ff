"""Paths that tell a developer most: over the program's own fields, where there are any.

See `heapscope.heap.retention.owner_paths`, which reads them.  In this order: from static fields of the
program's classes, of libraries' classes, of the JDK's classes; from threads; from other GC roots.  Within one
of these the shortest path is taken.  No path leads through a class loader or a class object while there is
another one: they connect everything with everything.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from heapscope.heap.graph import kernels
from heapscope.heap.graph.class_origin import ClassOrigin, class_origin
from heapscope.heap.graph.index_sets import distinct
from heapscope.heap.graph.reachability import BreadthFirst
from heapscope.heap.graph.references import NO_OBJECT, VIRTUAL_ROOT
from heapscope.heap.graph.subclasses import extending, instances_of, superclass_rows
from heapscope.parser.names import CLASS
from heapscope.progress import Progress, no_progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from heapscope.heap.graph.references import References
    from heapscope.parser.records import JavaClass

COPIES = 4  # a class that so many loaders have loaded is deployed anew again and again
_CLASS_LOADER = "java.lang.ClassLoader"
_THREAD = "java.lang.Thread"
# Lists of the JVM that every object with a cleaner or a finalizer hangs on, whoever owns it.
_CLEANERS = (
    *("jdk.internal.ref.PhantomCleanable", "jdk.internal.ref.Cleaner", "sun.misc.Cleaner"),
    *("jdk.internal.ref.CleanerImpl", "java.lang.ref.Finalizer", "java.lang.ref.ReferenceQueue"),
)


def class_origins(classes: Sequence[JavaClass]) -> NDArray[np.uint8]:
    """`ClassOrigin` of each class, uint8, shape (c,)."""
    return np.array([class_origin(c.name) for c in classes], np.uint8)


def names_of_copies(classes: Sequence[JavaClass]) -> frozenset[str]:
    """Names that several classes have, each loaded by another class loader."""
    loaders: dict[str, set[int]] = defaultdict(set)
    for each in classes:
        loaders[each.name].add(each.loader_id)
    return frozenset(name for name, of in loaders.items() if len(of) >= COPIES)


def preferred_parents(
    references: References,
    classes: Sequence[JavaClass],
    counts: NDArray[np.int64],
    root_members: NDArray[np.uint32],
    held: NDArray[np.uint64],
    progress: Progress = no_progress,
    parents: NDArray[np.uint32] | None = None,
    queue: NDArray[np.uint32] | None = None,
) -> NDArray[np.uint32]:
    """The object before on the preferred path to each object.

    Parameters
    ----------
    references : References
    classes : sequence of JavaClass
        In the order of ``references.class_index``.
    counts : int64 array, shape (c,)
        Objects of each class.
    root_members : uint32 array
        Objects that are GC roots, distinct.
    held : uint64 array, shape (n // 64 + 1,)
        A bit for each object that the roots reach over what is followed.
    progress : Progress
    parents : uint32 array, shape (n,), optional
        Is written over and returned.
    queue : uint32 array, optional
        Room for as many objects as there are, and one more.

    Returns
    -------
    uint32 array, shape (n,)
        `VIRTUAL_ROOT` where a path begins, `NO_OBJECT` for what the roots do not reach.
    """
    class_index, n = references.class_index, references.object_count
    parents = np.empty(n, np.uint32) if parents is None else parents
    parents[:] = NO_OBJECT
    walk = BreadthFirst(references, parents, queue, lambda done: progress("finding owners", done, n))
    class_objects = references.class_objects
    has_object = np.nonzero(class_objects >= 0)[0]
    has_object = has_object[_are_in(held, class_objects[has_object])]
    above = superclass_rows(classes)
    threads = instances_of(class_index, extending(classes, above, _THREAD), counts)
    # Class objects also of int and void.
    is_connecting = extending(classes, above, CLASS, _CLASS_LOADER, *_CLEANERS)
    connecting = instances_of(class_index, is_connecting, counts)
    blocked = np.union1d(connecting, threads).astype(np.uint32)
    kernels.mark(blocked, walk.flags, kernels.VISITED)

    def begin(seeds: NDArray[np.int64]) -> None:
        new = seeds[parents[seeds] == NO_OBJECT].astype(np.uint32)
        parents[new] = VIRTUAL_ROOT
        walk.visit(new)

    # What holds the loader of an application that is deployed anew owns its static fields as well.
    copied = names_of_copies(classes)
    has_object = has_object[[classes[row].name not in copied for row in has_object.tolist()]]
    origins = class_origins(classes)
    for origin in (ClassOrigin.PROGRAM, ClassOrigin.LIBRARY, ClassOrigin.JDK):
        begin(class_objects[has_object[origins[has_object] == origin]])
    members = root_members.astype(np.int64)
    running = np.intersect1d(threads, members)
    parents[running] = VIRTUAL_ROOT
    # What threads refer to by a field or from their stack: first what is the program's, for a queue is owned
    # by the service in a local variable of main, not by the worker that waits for it.
    for origin in (ClassOrigin.PROGRAM, ClassOrigin.LIBRARY):
        for thread in running.tolist():
            at = references.outgoing(thread).astype(np.int64)
            at = at[(parents[at] == NO_OBJECT) & (origins[class_index[at]] == origin)]
            # An object that is on no path yet is marked as visited only if it is blocked.
            at = distinct(at[~_are_in(walk.flags[:, kernels.VISITED], at)])
            if at.size:
                parents[at] = thread
                walk.visit(at.astype(np.uint32))
    walk.visit(running.astype(np.uint32))
    # Now also through class loaders, class objects and threads that something known refers to.
    left = connecting[(parents[connecting] == NO_OBJECT) & _are_in(held, connecting)]
    left = np.union1d(left, threads[(parents[threads] == NO_OBJECT) & _are_in(held, threads)])
    unblocked = ~(np.uint64(1) << (left & 63).astype(np.uint64))
    np.bitwise_and.at(walk.flags[:, kernels.VISITED], left >> 6, unblocked)
    sources, targets = references.incoming(left)
    known = parents[sources] != NO_OBJECT
    found, first = np.unique(targets[known], return_index=True)
    parents[found] = sources[known][first]
    walk.visit(found.astype(np.uint32))
    begin(members)
    return parents


def _are_in(words: NDArray[np.uint64], members: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of some objects have their bit set."""
    found: NDArray[np.bool_] = (words[members >> 6] >> (members & 63).astype(np.uint64)) & np.uint64(1) != 0
    return found

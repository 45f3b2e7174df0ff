"""The field that a developer would open: paths to objects that prefer the program's own fields.

A shortest path is an accident: the stack frame that holds a map for a moment is nearer than the static field
that owns it.  Here each object gets the path that tells a developer most.  In this order: from static fields
of the program's classes, of libraries' classes, of the JDK's classes; from threads (their fields, thread
locals and local variables); from other GC roots.  Within one of these the shortest path is taken.  No path
leads through a class loader or a class object while there is another one: they connect everything with
everything.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from heapscope.heap.graph.class_origin import ClassOrigin, class_origin
from heapscope.heap.graph.index_sets import distinct
from heapscope.heap.graph.preferred_paths import class_origins, names_of_copies
from heapscope.heap.graph.references import NO_OBJECT, VIRTUAL_ROOT
from heapscope.heap.graph.roots import CLASS_VALUE
from heapscope.heap.graph.subclasses import extending, superclass_rows
from heapscope.heap.objects.fields import class_fields
from heapscope.heap.objects.java_object import JavaObject, object_or_none
from heapscope.heap.objects.threads import threads_of
from heapscope.heap.retention.edge_names import CLASS, names, simple_name
from heapscope.parser.tags import ROOT_KIND_NAMES
from heapscope.secrets import mask_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from heapscope.heap.graph.heap_graph import HeapGraph

_CLASS_LOADER = "java.lang.ClassLoader"
_THREAD = "java.lang.Thread"
_THREAD_LOCAL_ENTRY = "java.lang.ThreadLocal$ThreadLocalMap$Entry"
_CLASS_VALUE_ENTRY = "java.lang.ClassValue$Entry"
_MAX_STEPS = 200  # a path is cut above; nodes of one list are one step and do not count
_RUN = 256  # nodes of a list between two that are remembered

STATIC, FIELD, ELEMENT, STACK, OTHER = "static", "field", "element", "stack", "other"
THREAD_LOCAL, LOADER = "thread local", "class loader"
NATIVE_CODE = "native code"  # begins the text for what JNI references alone hold


@dataclass(frozen=True, slots=True)
class OwnerStep:
    """One step of a path: an object, and how it holds the next one.

    Attributes
    ----------
    object_index : int
    class_name : str
        Class that declares the field; of an array its class, of a stack frame ``java.lang.Thread``.
    name : str
        Field name; ``[]`` for an element; ``<Java frame>`` and the like for other ways.
    kind : str
        ``"static"``, ``"field"``, ``"element"``, ``"stack"`` or ``"other"``.
    """

    object_index: int
    class_name: str
    name: str
    kind: str

    @property
    def label(self) -> str:
        """``SessionRegistry.sessions``, with ``(static)`` where it is; ``HashMap$Node[]`` for an element."""
        name = simple_name(self.class_name)
        if self.kind == ELEMENT:
            return name
        return f"{name}.{self.name} (static)" if self.kind == STATIC else f"{name}.{self.name}"


@dataclass(frozen=True, slots=True)
class Owner:
    """The field that owns an object.

    Attributes
    ----------
    field : str
        ``com.acme.SessionRegistry.sessions``; for what only a stack, a GC root or a loader holds a text
        that says so.
    kind : str
        ``"static"``, ``"field"``, ``"thread local"``, ``"class value"``, ``"class loader"``, ``"stack"`` or
        ``"other"``.
    origin : ClassOrigin
        Whose field it is.
    place : int
        Which of the steps is that field; -1 where no field is the owner.
    held_index : int
        The object that the field refers to.
    steps : tuple of OwnerStep
        The whole path, from the GC root on.
    thread_name : str
        Of a thread local, a stack, or a field that only a thread leads to; else empty.
    """

    field: str
    kind: str
    origin: ClassOrigin
    place: int
    held_index: int
    steps: tuple[OwnerStep, ...]
    thread_name: str = ""

    @property
    def is_native(self) -> bool:
        """Whether only native code holds it, by JNI references."""
        return self.kind == OTHER and self.field.startswith(NATIVE_CODE)

    @property
    def way(self) -> tuple[str, ...]:
        """The path as labels, from its first field on, repeated ones once.

        It ends inside the collection that the owner's field refers to: an element of it is one of many.
        """
        elements = (i for i, step in enumerate(self.steps) if step.kind == ELEMENT and i > self.place)
        end = next(elements, len(self.steps)) if self.place >= 0 else len(self.steps)
        labels = [step.label for step in self.steps[:end] if step.kind in (STATIC, FIELD, ELEMENT)]
        return tuple(label for place, label in enumerate(labels) if not place or labels[place - 1] != label)


def origins_of(graph: HeapGraph) -> NDArray[np.uint8]:
    """`ClassOrigin` of each class, uint8, shape (c,)."""
    return graph.kept("class origins", lambda: class_origins(graph.classes))


def extends(graph: HeapGraph, class_name: str) -> NDArray[np.bool_]:
    """Which classes are, or extend, a class; bool, shape (c,)."""
    above = graph.kept("superclass rows", lambda: superclass_rows(graph.classes))
    return graph.kept(f"extends {class_name}", lambda: extending(graph.classes, above, class_name))


def copied_names(graph: HeapGraph) -> frozenset[str]:
    """See `heapscope.heap.graph.preferred_paths.names_of_copies`."""
    return graph.kept("names of copied classes", lambda: names_of_copies(graph.classes))


def path_steps(graph: HeapGraph, index: int, parents: NDArray[np.uint32] | None = None) -> list[OwnerStep]:
    """The steps of the preferred path to an object, from the GC root on; empty where nothing holds it.

    Nodes of one list follow each other without a step of their own.

    Parameters
    ----------
    parents : uint32 array, optional
        `owner_parents` by default.
    """
    parents = graph.owner_parents if parents is None else parents
    class_index = graph.columns.class_index
    found: list[OwnerStep] = []
    at = index
    while len(found) < _MAX_STEPS and int(parents[at]) < VIRTUAL_ROOT:
        before = int(parents[at])
        if class_index[before] != class_index[at]:
            found.append(_step(graph, before, at))
            at = before
            continue
        if found and found[-1].kind == FIELD:
            # A list's nodes hold as an array's slots do: one for each element.
            found[-1] = replace(found[-1], kind=ELEMENT)
        at = _first_of_run(graph, before, parents)
    return found[::-1]


def _first_of_run(graph: HeapGraph, index: int, parents: NDArray[np.uint32]) -> int:
    """From a node of a list up to the first of its class in a row.

    The first node is remembered at some places of a list: paths to its other nodes are short then.
    """
    known: dict[int, int] = {}
    if parents is graph.owner_parents:
        known = graph.kept("first nodes of lists", dict)
    # Of the ways to read one element the fastest: a list may have millions of nodes.
    class_of, parent_of = graph.columns.class_index.data, parents.data
    own_class = class_of[index]
    passed: list[int] = []
    at = index
    while True:
        if at % _RUN == 0:  # by object index: all paths meet the same places
            if at in known:
                at = known[at]
                break
            passed.append(at)
        before = parent_of[at]
        if before >= VIRTUAL_ROOT or class_of[before] != own_class:
            break
        at = before
    known.update(dict.fromkeys(passed, at))
    return at


def _step(graph: HeapGraph, source: int, target: int) -> OwnerStep:
    holder = JavaObject(graph, source)
    represented = holder.represented_class
    first = names(graph, source, target)[0]
    if represented is not None:
        if first.startswith("static "):
            return OwnerStep(source, represented.name, first[7:], STATIC)
        return OwnerStep(source, represented.name, first, OTHER)
    if first.startswith("["):
        return OwnerStep(source, holder.class_name, "[]", ELEMENT)
    if first == CLASS:
        return OwnerStep(source, holder.class_name, first, OTHER)
    if first.startswith("<"):
        return OwnerStep(source, holder.class_name, first, STACK)
    declared_in = next(
        place.declared_in for place in class_fields(graph, holder.class_index).places if place.name == first
    )
    return OwnerStep(source, declared_in, first, FIELD)


def owner_of(graph: HeapGraph, index: int, *, is_one_of_many: bool = False) -> Owner:
    """The field that owns an object: the last field of the program on its preferred path.

    Without one the last field of a library; else the thread local, the static field of the JDK, the class
    loader, the local variable or the GC root that holds it.

    Parameters
    ----------
    index : int
        Object index.
    is_one_of_many : bool
        Whether the object is one of many of its kind: then it is the field with the collection that is
        looked for, not the field by which an element of it holds the object.
    """
    steps = tuple(path_steps(graph, index))
    targets = [step.object_index for step in steps[1:]] + [index]
    thread_name = _thread_name(graph, steps[0].object_index if steps else index)

    def owner(place: int, kind: str, origin: ClassOrigin, text: str = "") -> Owner:
        name = text or f"{steps[place].class_name}.{steps[place].name}"
        return Owner(name, kind, origin, place, targets[place], steps, thread_name)

    keyed = _keyed(graph, steps)
    elements = [place for place, step in enumerate(steps) if step.kind == ELEMENT]
    for origin in (ClassOrigin.PROGRAM, ClassOrigin.LIBRARY):
        named = [
            place
            for place, step in enumerate(steps)
            if step.kind in (STATIC, FIELD)
            and class_origin(step.class_name) == origin
            and not (step.kind == FIELD and _is_link(graph, step, targets[place]))
        ]
        if is_one_of_many and elements:
            named = [place for place in named if place < elements[-1]]
        if named:
            return owner(named[-1], steps[named[-1]].kind, origin)
        if keyed is not None and keyed.origin == origin:
            return owner(keyed.place, keyed.kind, origin, keyed.field)
    if keyed is not None:
        return owner(keyed.place, keyed.kind, keyed.origin, keyed.field)
    loader = next((place for place, step in enumerate(steps) if _is_loader(graph, step.object_index)), None)
    if loader is not None:
        name = f"class loader {JavaObject(graph, steps[loader].object_index).class_name}"
        return owner(loader, LOADER, ClassOrigin.JDK, name)
    for kind in (STATIC, STACK, FIELD):
        place_of_kind = next((place for place, step in enumerate(steps) if step.kind == kind), None)
        if place_of_kind is not None:
            text = ""
            if kind == STACK:
                text = f"a local variable of thread {thread_name!r}" if thread_name else "a local variable"
            return owner(place_of_kind, kind, ClassOrigin.JDK, text)
    first = steps[0].object_index if steps else index
    return Owner(_root_text(graph, first), OTHER, ClassOrigin.JDK, -1, index, steps, thread_name)


def owner_of_loader(graph: HeapGraph, owner: Owner) -> Owner | None:
    """Of a field that a class has in each of many loaders: what holds the loaders; None without one."""
    copied = copied_names(graph)
    for step in owner.steps[1:]:
        represented = JavaObject(graph, step.object_index).represented_class
        if (represented is not None and represented.name in copied) or _is_loader(graph, step.object_index):
            return owner_of(graph, step.object_index, is_one_of_many=True)
    return None


def _is_loader(graph: HeapGraph, index: int) -> bool:
    return bool(extends(graph, _CLASS_LOADER)[int(graph.columns.class_index[index])])


def other_holders(graph: HeapGraph, index: int, most: int = 5) -> tuple[str, ...]:
    """Who else refers to an object, beside the last object on its preferred path and what it holds itself.

    Parameters
    ----------
    index : int
        Object index.
    most : int
        No more than so many.

    Returns
    -------
    tuple of str
        ``"OrderBook.open (static)"``, ``"a local variable of thread 'matching'"``.
    """
    before = int(graph.owner_parents[index])
    sources, _ = graph.references.incoming(np.array([index]))
    immediate = graph.immediate_dominators
    found: dict[str, None] = {}
    for source in distinct(sources).tolist():
        if source in (before, index) or len(found) >= most:
            continue
        if int(immediate[source]) == NO_OBJECT or _is_dominated_by(graph, source, index):
            continue
        thread_name = _thread_name(graph, source)
        step = _step(graph, source, index)
        found[f"a local variable of thread {thread_name!r}" if thread_name else step.label] = None
    roots = graph.roots
    kinds = roots.kinds[(roots.object_index == index) & (roots.hangs_on < 0)]
    for kind in np.unique(kinds).tolist():
        found[_root_kind_text(ROOT_KIND_NAMES[kind])] = None
    return tuple(found)[:most]


def _is_dominated_by(graph: HeapGraph, index: int, above: int) -> bool:
    immediate = graph.immediate_dominators
    at = index
    for _ in range(_MAX_STEPS):
        at = int(immediate[at])
        if at == above:
            return True
        if at >= VIRTUAL_ROOT:
            return False
    return False


def _is_link(graph: HeapGraph, step: OwnerStep, target: int) -> bool:
    """Whether a field leads from an object to another one of its class, as ``next`` does."""
    class_index = graph.columns.class_index
    return bool(class_index[step.object_index] == class_index[target])


@dataclass(frozen=True, slots=True)
class _Keyed:
    """A value that a thread keeps for a ThreadLocal, or a class for a ClassValue, and under which field."""

    place: int  # of the step to the value
    field: str
    origin: ClassOrigin
    kind: str


def _keyed(graph: HeapGraph, steps: tuple[OwnerStep, ...]) -> _Keyed | None:
    """The static field with the ThreadLocal or ClassValue under which a value is kept; None without one."""
    for place, step in enumerate(steps):
        if step.class_name not in (_THREAD_LOCAL_ENTRY, _CLASS_VALUE_ENTRY) or step.name != "value":
            continue
        is_local = step.class_name == _THREAD_LOCAL_ENTRY
        kind, what = (THREAD_LOCAL, "ThreadLocal") if is_local else (CLASS_VALUE, "ClassValue")
        key = object_or_none(graph, JavaObject(graph, step.object_index).reference_ids("referent")[0])
        if key is not None and not is_local:  # the entry refers to the version of the ClassValue
            key = object_or_none(graph, key.reference_ids("classValue")[0])
        if key is None:
            return _Keyed(place, f"a {what} that is gone", ClassOrigin.JDK, kind)
        above = [each for each in path_steps(graph, key.index) if each.kind in (STATIC, FIELD)]
        # The table refers to the key as well; only what owns the key tells its name.
        internal = ("java.lang.ThreadLocal", "java.lang.ClassValue", "java.lang.ref.")
        if above and not above[-1].class_name.startswith(internal):
            name = f"{above[-1].class_name}.{above[-1].name}"
            return _Keyed(place, name, class_origin(above[-1].class_name), kind)
        return _Keyed(place, f"a {what} of class {key.class_name}", class_origin(key.class_name), kind)
    return None


def _thread_name(graph: HeapGraph, index: int) -> str:
    """Name of the thread that an object is; empty where it is none."""
    if not extends(graph, _THREAD)[int(graph.columns.class_index[index])]:
        return ""
    object_id = JavaObject(graph, index).object_id
    name = next((thread.name for thread in threads_of(graph) if thread.object_id == object_id), "")
    return mask_text(name)


def _root_text(graph: HeapGraph, index: int) -> str:
    roots = graph.roots
    kinds = Counter(ROOT_KIND_NAMES[kind] for kind in roots.kinds[roots.object_index == index].tolist())
    if not kinds and index in roots.class_values:
        return "values of a ClassValue"
    return _root_kind_text(kinds.most_common(1)[0][0]) if kinds else "no field"


def _root_kind_text(kind: str) -> str:
    return f"{NATIVE_CODE} ({kind} references)" if kind.startswith("JNI") else f"a GC root ({kind})"

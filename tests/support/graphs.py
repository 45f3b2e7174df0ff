"""Random heap graphs for property tests: chains, cycles, shared and lost parts, roots of every kind."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from heapscope.parser.writer import HeapLayout
from tests.support.dumps import DumpBuilder
from tests.support.model import Dump

DANGLING = 0x1230  # below every address given out
REFERENCES = {
    "java.lang.ref.SoftReference": "java.lang.ref.Reference",
    "java.lang.ref.WeakReference": "java.lang.ref.Reference",
    "java.lang.ref.PhantomReference": "java.lang.ref.Reference",
    "java.lang.ref.FinalReference": "java.lang.ref.Reference",
    "a.SoftValue": "java.lang.ref.SoftReference",
}
ROOTS = ["JNI_GLOBAL", "JNI_LOCAL", "JAVA_FRAME", "NATIVE_STACK", "STICKY_CLASS", "THREAD_BLOCK"]
ROOTS += ["MONITOR_USED", "UNKNOWN"]


@st.composite
def heap_graphs(draw: st.DrawFn, *, max_objects: int = 24) -> Dump:
    """A heap whose objects refer to each other at random, in one of several shapes."""
    identifier_bytes = draw(st.sampled_from([4, 8]))
    builder = DumpBuilder(
        identifier_bytes=identifier_bytes,
        layout=draw(st.sampled_from(list(HeapLayout))),
        segment_bytes=draw(st.sampled_from([60, 500, 1 << 20])),
        order=draw(st.sampled_from(["classes-first", "roots-first", "instances-first", "shuffled"])),
        base=draw(st.sampled_from([0x10000, 0xE000_0000] + [0x7F00_1234_0000] * (identifier_bytes == 8))),
        alignment=draw(st.sampled_from([8, 16])),
        seed=draw(st.integers(0, 99)),
    )
    loader = builder.instance("java.lang.Object") if draw(st.booleans()) else 0
    builder.cls("a.Node", fields={"left": "Object", "count": "int", "right": "Object"}, loader_id=loader)
    builder.cls("a.Sub", "a.Node", fields={"flag": "boolean", "third": "Object"}, loader_id=loader)
    builder.cls("java.lang.ref.Reference", fields={"referent": "Object", "next": "Object"})
    for name, parent in REFERENCES.items():
        # A field of the same name in a subclass is an ordinary one.
        builder.cls(name, parent, fields={"extra": "Object"} if name == "a.SoftValue" else {})
    kinds = st.sampled_from(["a.Node", "a.Node", "a.Sub", "array", "ints", "thread", *REFERENCES])
    made = [(kind, _make(builder, kind)) for kind in draw(st.lists(kinds, min_size=1, max_size=max_objects))]
    ids = [object_id for _, object_id in made]
    shape = draw(st.sampled_from(["any", "any", "near", "chain"]))
    for place, (kind, object_id) in enumerate(made):
        near = ids[max(0, place - 2) : place + 3] if shape == "near" else ids
        choices = st.sampled_from([*near, 0, DANGLING])
        if kind == "array":
            row = builder._objects[object_id]
            row.elements = draw(st.lists(choices, max_size=5))
        elif kind not in ("ints", "thread"):
            fields = [name for name, type_ in builder.fields_of(kind).items() if type_.name == "OBJECT"]
            values: dict[str, Any] = {name: draw(choices) for name in fields}
            if shape == "chain" and place + 1 < len(ids):
                values[fields[0]] = ids[place + 1]
            builder.set(object_id, **values)
    for class_name in ("a.Node", "a.Sub"):
        builder.static(class_name, "held", "Object", draw(st.sampled_from([*ids, 0, DANGLING])))
    for _ in range(draw(st.integers(0, 5))):
        builder.root(
            draw(st.sampled_from(ROOTS)),
            draw(st.sampled_from([*ids, builder.class_id("a.Node"), DANGLING])),
            thread_serial=draw(st.integers(0, 3)),
            frame=0,
            reference_id=0x999,
        )
    return builder.dump()


def _make(builder: DumpBuilder, kind: str) -> int:
    if kind == "array":
        return builder.object_array("a.Node[]", [])
    if kind == "ints":
        return builder.primitive_array("int", [1, 2, 3])
    if kind == "thread":
        return builder.thread("worker").object_id
    return builder.instance(kind)

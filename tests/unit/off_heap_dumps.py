"""Dumps with buffers outside of the heap, for tests."""

from __future__ import annotations

from collections.abc import Sequence

from tests.support.dumps import DumpBuilder

BUFFER = "java.nio.DirectByteBuffer"


def declare_buffers(d: DumpBuilder) -> None:
    """The classes of direct buffers, as JDK 17 has them."""
    d.cls("java.nio.Buffer", fields={"limit": "int", "capacity": "int", "address": "long"})
    d.cls("java.nio.MappedByteBuffer", "java.nio.Buffer", fields={"fd": "java.io.FileDescriptor"})
    d.cls(BUFFER, "java.nio.MappedByteBuffer", fields={"cleaner": "Cleaner", "att": "Object"})
    d.cls("java.nio.DirectIntBufferU", "java.nio.Buffer", fields={"att": "Object"})
    d.cls("jdk.internal.ref.Cleaner")


def direct_buffer(d: DumpBuilder, size: int, *, cleaner: int | None = None, fd: int = 0) -> int:
    """A buffer with memory of its own; ``cleaner=0``: over memory of native code."""
    cleaner = d.instance("jdk.internal.ref.Cleaner") if cleaner is None else cleaner
    return d.instance(BUFFER, capacity=size, limit=size, cleaner=cleaner, fd=fd)


def held_by_static(d: DumpBuilder, class_name: str, **fields: Sequence[int]) -> None:
    """A class whose static fields have arrays of these objects."""
    d.cls(class_name)
    for name, elements in fields.items():
        d.static(class_name, name, "Object", d.object_array("java.lang.Object[]", elements))
    d.root("STICKY_CLASS", d.class_id(class_name))

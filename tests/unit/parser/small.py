"""Small dumps for the tests of the parser, and what must be counted in them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import heapscope
from heapscope.parser.scan import HeapScan, scan
from heapscope.parser.source import Source
from tests.support.dumps import DumpBuilder
from tests.support.model import Dump


def nodes(d: DumpBuilder) -> None:
    """A ring of two nodes, held by a root, and a few arrays."""
    d.cls("a.Node", fields={"next": "Node", "x": "int"}, statics={"S": ("int", 3)})
    first = d.instance("a.Node", x=1)
    d.set(first, next=d.instance("a.Node", x=2, next=first))
    d.object_array("a.Node[]", [first, None])
    d.primitive_array("int", [1, 2])
    d.root("JNI_GLOBAL", first)
    d.thread("main", frames=[("a.Node", "run", 3)], local_ids=[(first, 0)])


def counts(path: Path) -> dict[str, int]:
    with heapscope.open(path) as heap:
        frame = heap.class_histogram()
        assert len(heap.columns.object_ids) == heap.object_count
    return dict(zip(frame["class_name"], frame["instance_count"].tolist(), strict=True))


def expected_counts(dump: Dump) -> dict[str, int]:
    expected = dict(dump.truth.instance_counts)
    return expected | {"java.lang.Class": len(dump.truth.classes)}


@contextmanager
def scanned(path: Path) -> Iterator[tuple[Source, HeapScan]]:
    """A file that was counted, mapped."""
    with Source(path) as source:
        source.mapping()
        yield source, scan(source)

"""Whose a class is, by its name."""

from __future__ import annotations

import pytest

from heapscope.heap.graph.class_origin import ClassOrigin, class_origin


@pytest.mark.parametrize(
    ("name", "origin"),
    [
        ("java.util.HashMap$Node[]", ClassOrigin.JDK),
        ("int[][]", ClassOrigin.JDK),
        ("sun.nio.ch.Util", ClassOrigin.JDK),
        ("org.apache.hadoop.fs.FileSystem", ClassOrigin.LIBRARY),
        ("org.springframework.beans.Bean$$Lambda/0x01", ClassOrigin.LIBRARY),
        ("com.acme.Session", ClassOrigin.PROGRAM),
        ("Main", ClassOrigin.PROGRAM),
        ("javazoom.Player", ClassOrigin.PROGRAM),
        ("com.acme.java.util.List[]", ClassOrigin.PROGRAM),
    ],
)
def test_origin(name: str, origin: ClassOrigin) -> None:
    assert class_origin(name) is origin

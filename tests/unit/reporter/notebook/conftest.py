"""A heap with hostile names, snapshots in time, and a card read as a page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import heapscope
from heapscope.analysis.snapshots import Snapshots
from tests.support.dumps import DumpBuilder, build
from tests.unit.cli.conftest import write_histogram
from tests.unit.reporter.test_render import HOSTILE, Page

# A class name that has no slash, which is what the format puts between packages.
BAD = '"><img src=x onerror=alert(1)><script>alert(1)\u202e'


@pytest.fixture(scope="module")
def heap(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A cache whose entries have hostile names, a string, and what only native code holds."""

    def write(d: DumpBuilder) -> None:
        d.cls("app.Cache", fields={"table": "Object"})
        d.cls(f"app.{BAD}", fields={"name": "Object", "count": "int"})
        text = d.string(HOSTILE)
        entries = [d.instance(f"app.{BAD}", name=text, count=i) for i in range(40)]
        array = d.object_array("java.lang.Object[]", entries)
        d.root("STICKY_CLASS", d.instance("app.Cache", table=array))
        for _ in range(3):
            d.root("JNI_GLOBAL", d.instance("app.Cache"))

    path = tmp_path_factory.mktemp("heap") / "<b>x.hprof"
    path.write_bytes(build(write).data)
    with heapscope.open(path, use_index=False) as heap:
        yield heap


def page(thing: Any) -> Page:
    html = thing._repr_html_()
    assert html is not None
    found = Page(html)
    assert not found.named("script")
    assert not found.named("img")
    assert not found.named("b") or "<b>x" not in html
    assert not [key for _, attributes in found.elements for key in attributes if key.startswith("on")]
    assert not re.search(r"https?://|@import|url\(", html)
    return found


@pytest.fixture
def series(tmp_path: Path) -> Snapshots:
    files = [
        write_histogram(
            tmp_path / f"<i>{i}.txt", [(BAD.replace(" ", "_"), 10 * i, 160 * i), ("[B", 5, 80)], 60 * i
        )
        for i in range(1, 41)
    ]
    return heapscope.snapshots(files)

"""The dumps that a server has open."""

from __future__ import annotations

from datetime import datetime
from mmap import mmap
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from heapscope.explorer import session as module
from heapscope.explorer.server import Server
from heapscope.explorer.session import OpenedDump, Session
from heapscope.heap.graph.heap_graph import HeapGraph
from heapscope.heap.objects.secret_texts import SecretTexts, secret_texts
from tests.support.dumps import DumpBuilder
from tests.unit.explorer.serving import SAMPLES, Client, Links, serving


def test_pages_find_all_dumps_while_these_are_put_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session([tmp_path / "a.hprof", tmp_path / "b.hprof"])
    when = module._when
    seen: list[str] = []

    def looked(dump: OpenedDump) -> datetime:
        found = session.dump()
        assert found is not None
        seen.append(found.name)
        return when(dump)

    monkeypatch.setattr(module, "_when", looked)
    session._prepare()
    assert seen == ["b.hprof", "b.hprof"]


def test_dominators_do_not_wait_for_the_search_for_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, may_end = Event(), Event()

    def search(graph: HeapGraph) -> SecretTexts:
        begun.set()
        may_end.wait(60)
        return secret_texts(graph)

    monkeypatch.setattr(module, "secret_texts", search)
    session = Session([SAMPLES / "leak-4.hprof.gz"], {"index_dir": tmp_path})
    server = Server(session)
    stop = server.start()
    client = Client(server)
    try:
        assert begun.wait(60)
        assert client.page("/dominators").status == 200
        waiting = client.ask("/strings?q=KERB_TICKET_CACHE_PATH").text
        assert 'class="working"' in waiting
        may_end.set()
        assert "KERB_TICKET_CACHE_PATH" in client.page("/strings?q=KERB_TICKET_CACHE_PATH").text
    finally:
        may_end.set()
        stop()
        session.close()


def test_large_columns_lie_in_files(tmp_path: Path) -> None:
    """Of an index just made as well as of one that was there: such memory is not the server's own."""
    for _ in range(2):
        dump = OpenedDump(SAMPLES / "leak-4.hprof.gz", "a")
        dump.count({"index_dir": tmp_path})
        dump.prepare()
        assert dump.heap is not None
        for column in (dump.graph.columns.offsets, dump.graph.reachability.parents):
            while isinstance(column.base, np.ndarray):
                column = column.base
            assert isinstance(column.base, memoryview | mmap), type(column.base)
        dump.heap.close()


def test_an_address_is_not_carried_over_into_another_dump(tmp_path: Path) -> None:
    paths = [SAMPLES / "leak-3.hprof.gz", SAMPLES / "leak-4.hprof.gz"]
    with serving(paths, index_dir=tmp_path) as client:
        for place in ("of=0xfd8cf318", "node=3"):
            page = client.page(f"/icicle?{place}&dump=leak-4.hprof.gz")
            assert page.status == 200
            assert "/icicle?dump=leak-3.hprof.gz" in Links(page.text).found


def test_a_class_that_another_dump_lacks_is_no_dead_end(tmp_path: Path) -> None:
    d = DumpBuilder()
    d.cls("com.acme.What?#%41")
    d.root("JNI_GLOBAL", d.instance("com.acme.What?#%41"))
    path = tmp_path / "own.hprof"
    path.write_bytes(d.dump().data)
    with serving([path, SAMPLES / "leak-4.hprof.gz"], index_dir=tmp_path / "index") as client:
        page = client.page("/classes/com.acme.What%3F%23%2541?dump=own.hprof")
        assert page.status == 200
        leads = Links(page.text).found
        assert "/classes?dump=leak-4.hprof.gz" in leads or "/classes" in leads
        page = client.page("/classes/java.lang.String?dump=leak-4.hprof.gz")
        assert any(each.startswith("/classes/java.lang.String") for each in Links(page.text).found)
        assert client.page("/roots?kind=finalizing&dump=leak-4.hprof.gz").status == 200


def test_a_dump_alone_has_nothing_to_compare_and_that_is_no_error(tmp_path: Path) -> None:
    with serving([SAMPLES / "leak-4.hprof.gz"], index_dir=tmp_path) as client:
        page = client.page("/compare")
    assert page.status == 200
    assert "heapscope explore DUMP DUMP ..." in page.text

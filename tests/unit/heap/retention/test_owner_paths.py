"""The field that owns an object: the program's before libraries', fields before stacks and GC roots."""

from __future__ import annotations

from pathlib import Path

import pytest

import heapscope
from heapscope.heap.graph.class_origin import ClassOrigin
from heapscope.heap.graph.references import NO_OBJECT
from heapscope.heap.retention.owner_paths import Owner, other_holders, owner_of
from tests.support.dumps import DumpBuilder

REGISTRY = "com.acme.SessionRegistry"


def owner(d: DumpBuilder, object_id: int, folder: Path, *, is_one_of_many: bool = False) -> Owner:
    """The owner of an object of the dump that was built."""
    path = d.dump().save(folder / "a.hprof")
    with heapscope.open(path, use_index=False) as heap:
        return owner_of(heap.graph, heap.index_of(object_id), is_one_of_many=is_one_of_many)


def sessions_builder() -> tuple[DumpBuilder, int, list[int]]:
    """Sessions in a map that a static field of the program holds; the map and the sessions."""
    d = DumpBuilder()
    d.cls("com.acme.Session", fields={"user": "Object"})
    d.cls(REGISTRY)
    sessions = [d.instance("com.acme.Session") for _ in range(12)]
    sessions_map = d.hash_map({f"key-{i}": each for i, each in enumerate(sessions)}, buckets=4)
    d.static(REGISTRY, "sessions", "Map", sessions_map)
    d.root("STICKY_CLASS", d.class_id(REGISTRY))
    return d, sessions_map, sessions


def thread_local_classes(d: DumpBuilder) -> None:
    """The classes of thread locals, and threads that have them."""
    d.cls("java.lang.ref.Reference", fields={"referent": "Object"})
    d.cls("java.lang.ref.WeakReference", "java.lang.ref.Reference")
    d.cls(
        "java.lang.ThreadLocal$ThreadLocalMap$Entry",
        "java.lang.ref.WeakReference",
        fields={"value": "Object"},
    )
    d.cls("java.lang.ThreadLocal$ThreadLocalMap", fields={"table": "Object", "size": "int"})
    d.cls("java.lang.PoolThread", "java.lang.Thread", fields={"threadLocals": "Object"})


def pool_thread(d: DumpBuilder, name: str, serial: int, thread_locals: int) -> None:
    """A running thread with a table of thread locals."""
    thread = d.instance("java.lang.PoolThread", name=name, threadLocals=thread_locals)
    d.root("THREAD_OBJECT", thread, thread_serial=serial, frame=1)


def test_a_static_field_wins_over_the_stack_that_is_nearer(tmp_path: Path) -> None:
    d, sessions_map, _ = sessions_builder()
    d.thread("main", frames=[("java.lang.Object", "wait", -3)], local_ids=[(sessions_map, 0)])
    found = owner(d, sessions_map, tmp_path)
    assert (found.field, found.kind, found.origin) == (f"{REGISTRY}.sessions", "static", ClassOrigin.PROGRAM)
    with heapscope.open(tmp_path / "a.hprof", use_index=False) as heap:
        assert other_holders(heap.graph, heap.index_of(sessions_map)) == (
            "a local variable of thread 'main'",
        )


def test_the_way_has_fields_only_and_each_once(tmp_path: Path) -> None:
    d, _, sessions = sessions_builder()
    found = owner(d, sessions[0], tmp_path, is_one_of_many=True)
    assert found.field == f"{REGISTRY}.sessions"
    assert found.way[:2] == ("SessionRegistry.sessions (static)", "HashMap.table")


def test_a_programs_field_wins_over_a_librarys_and_the_jdks(tmp_path: Path) -> None:
    d = DumpBuilder()
    shared = d.primitive_array("byte", b"x" * 100)
    for name in ("org.apache.Cache", "java.util.Registry", "com.acme.Store"):
        d.cls(name)
        d.static(name, "data", "Object", shared)
        d.root("STICKY_CLASS", d.class_id(name))
    assert owner(d, shared, tmp_path).field == "com.acme.Store.data"


def test_two_fields_of_one_object_are_told_apart(tmp_path: Path) -> None:
    d = DumpBuilder()
    d.cls("com.acme.Collector", fields={"recent": "Object", "history": "Object"})
    recent, history = d.object_array("java.lang.Object[]", []), d.object_array("java.lang.Object[]", [])
    d.root("JNI_GLOBAL", d.instance("com.acme.Collector", recent=recent, history=history))
    assert owner(d, history, tmp_path).field == "com.acme.Collector.history"
    assert owner(d, recent, tmp_path).field == "com.acme.Collector.recent"


def test_a_field_of_a_superclass_is_named_by_the_class_that_declares_it(tmp_path: Path) -> None:
    d = DumpBuilder()
    d.cls("com.acme.Base", fields={"rows": "Object"})
    d.cls("com.acme.Table", "com.acme.Base")
    rows = d.object_array("java.lang.Object[]", [])
    d.root("JNI_GLOBAL", d.instance("com.acme.Table", rows=rows))
    assert owner(d, rows, tmp_path).field == "com.acme.Base.rows"


def test_many_objects_of_an_element_are_owned_by_the_collection(tmp_path: Path) -> None:
    d, _, sessions = sessions_builder()
    payload = d.primitive_array("byte", b"x" * 1000)
    d.set(sessions[3], user=payload)
    assert owner(d, payload, tmp_path).field == "com.acme.Session.user"
    assert owner(d, payload, tmp_path, is_one_of_many=True).field == f"{REGISTRY}.sessions"


def test_nodes_of_a_list_are_one_step_and_no_owner(tmp_path: Path) -> None:
    d = DumpBuilder()
    d.cls("com.acme.Node", fields={"next": "com.acme.Node"})
    d.cls("com.acme.Journal", fields={"first": "com.acme.Node"})
    last = node = d.instance("com.acme.Node", next=0)
    for _ in range(400):
        node = d.instance("com.acme.Node", next=node)
    d.root("JNI_GLOBAL", d.instance("com.acme.Journal", first=node))
    found = owner(d, last, tmp_path)
    assert found.field == "com.acme.Journal.first"
    assert found.way == ("Journal.first",)


@pytest.mark.parametrize("has_key", [True, False])
def test_a_thread_local_is_named_by_the_field_with_its_key(tmp_path: Path, has_key: bool) -> None:
    d = DumpBuilder()
    thread_local_classes(d)
    key = d.instance("java.lang.ThreadLocal")
    value = d.object_array("java.lang.Object[]", [])
    entry = d.instance(
        "java.lang.ThreadLocal$ThreadLocalMap$Entry", referent=key if has_key else 0, value=value
    )
    table = d.object_array("java.lang.ThreadLocal$ThreadLocalMap$Entry[]", [None, entry])
    local_map = d.instance("java.lang.ThreadLocal$ThreadLocalMap", table=table, size=1)
    pool_thread(d, "http-1", 9, local_map)
    d.cls("com.acme.RequestContext")
    d.static("com.acme.RequestContext", "CURRENT", "Object", key)
    d.root("STICKY_CLASS", d.class_id("com.acme.RequestContext"))
    found = owner(d, value, tmp_path)
    assert (found.kind, found.thread_name) == ("thread local", "http-1")
    assert found.field == ("com.acme.RequestContext.CURRENT" if has_key else "a ThreadLocal that is gone")


def test_a_service_in_a_local_variable_wins_over_the_worker_that_waits(tmp_path: Path) -> None:
    d = DumpBuilder()
    d.cls("com.acme.Service", fields={"queue": "Object"})
    queue = d.object_array("java.lang.Object[]", [])
    service = d.instance("com.acme.Service", queue=queue)
    d.thread("worker", frames=[("java.lang.Object", "wait", -3)], local_ids=[(queue, 0)])
    d.thread("main", frames=[("java.lang.Object", "wait", -3)], local_ids=[(service, 0)])
    found = owner(d, queue, tmp_path)
    assert (found.field, found.thread_name) == ("com.acme.Service.queue", "main")


def test_without_a_field_the_stack_or_the_root_is_said(tmp_path: Path) -> None:
    d = DumpBuilder()
    local, handle = d.object_array("java.lang.Object[]", []), d.object_array("java.lang.Object[]", [])
    d.thread("main", frames=[("java.lang.Object", "wait", -3)], local_ids=[(local, 0)])
    d.root("JNI_GLOBAL", handle)
    assert owner(d, local, tmp_path).field == "a local variable of thread 'main'"
    found = owner(d, handle, tmp_path)
    assert (found.kind, found.field) == ("other", "native code (JNI global references)")


def test_all_that_is_held_has_a_path_and_only_that(tmp_path: Path) -> None:
    d, _, _ = sessions_builder()
    d.instance("com.acme.Session")  # nobody holds it
    with heapscope.open(d.dump().save(tmp_path / "a.hprof"), use_index=False) as heap:
        has_path = heap.graph.owner_parents != NO_OBJECT
        assert has_path.tolist() == (heap.graph.immediate_dominators != NO_OBJECT).tolist()
        assert not has_path.all()

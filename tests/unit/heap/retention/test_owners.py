"""What each field owns, on heaps whose figures can be added up by hand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import heapscope
from heapscope.heap.graph.references import VIRTUAL_ROOT
from heapscope.heap.retention.owner_content import are_below, content_class, content_members
from heapscope.heap.retention.owners import find_owned, held_loaders
from tests.support.dumps import DumpBuilder
from tests.unit.heap.retention.test_owner_paths import (
    REGISTRY,
    pool_thread,
    sessions_builder,
    thread_local_classes,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray


def large_sessions_builder(payload: int = 2000) -> tuple[DumpBuilder, int, list[int]]:
    """Sessions with a payload each, in a map of the program."""
    d, sessions_map, sessions = sessions_builder()
    for each in sessions:
        d.set(each, user=d.primitive_array("byte", b"x" * payload))
    return d, sessions_map, sessions


def test_what_piles_up_is_credited_to_the_field(tmp_path: Path) -> None:
    d, sessions_map, sessions = large_sessions_builder()
    with heapscope.open(d.dump().save(tmp_path / "a.hprof"), use_index=False) as heap:
        (owned,) = find_owned(heap.graph)
        assert owned.owner.field == f"{REGISTRY}.sessions"
        assert owned.content_class == "com.acme.Session"
        assert owned.held_indices.tolist() == [heap.index_of(sessions_map)]
        members = content_members(heap.graph, owned.held_indices, owned.content_class)
        assert heap.columns.addresses.ids_of(members).tolist() == sorted(sessions)
        assert 0 < owned.dominated_units <= int(heap.graph.retained_units.max())


def test_pieces_of_one_field_in_many_threads_come_together(tmp_path: Path) -> None:
    d = DumpBuilder()
    thread_local_classes(d)
    key = d.instance("java.lang.ThreadLocal")
    d.cls("com.acme.Trace", fields={"data": "Object"})
    d.cls("com.acme.Context")
    d.static("com.acme.Context", "CURRENT", "Object", key)
    d.root("STICKY_CLASS", d.class_id("com.acme.Context"))
    for number in range(6):
        traces = [d.instance("com.acme.Trace", data=d.primitive_array("byte", b"x" * 500)) for _ in range(5)]
        value = d.object_array("java.lang.Object[]", traces)
        entry = d.instance("java.lang.ThreadLocal$ThreadLocalMap$Entry", referent=key, value=value)
        table = d.object_array("java.lang.ThreadLocal$ThreadLocalMap$Entry[]", [entry])
        local_map = d.instance("java.lang.ThreadLocal$ThreadLocalMap", table=table, size=1)
        pool_thread(d, f"http-{number}", number + 1, local_map)
    with heapscope.open(d.dump().save(tmp_path / "a.hprof"), use_index=False) as heap:
        owned = find_owned(heap.graph)[0]
        assert (owned.owner.field, owned.content_class) == ("com.acme.Context.CURRENT", "com.acme.Trace")
        assert len(owned.thread_names) == len(owned.held_indices) == 6
        assert content_members(heap.graph, owned.held_indices, "com.acme.Trace").size == 30


def test_a_long_list_counts_all_of_its_elements(tmp_path: Path) -> None:
    d = DumpBuilder()
    d.cls("com.acme.Mail")
    d.cls("com.acme.Outbox", fields={"pending": "Object"})
    d.cls("java.util.LinkedList$Node", fields={"item": "Object", "next": "Object"})
    d.cls("java.util.LinkedList", fields={"first": "Object", "size": "int"})
    node = 0
    for _ in range(700):
        node = d.instance("java.util.LinkedList$Node", item=d.instance("com.acme.Mail"), next=node)
    mails = d.instance("java.util.LinkedList", first=node, size=700)
    d.root("JNI_GLOBAL", d.instance("com.acme.Outbox", pending=mails))
    with heapscope.open(d.dump().save(tmp_path / "a.hprof"), use_index=False) as heap:
        owned = find_owned(heap.graph)[0]
        assert (owned.owner.field, owned.content_class) == ("com.acme.Outbox.pending", "com.acme.Mail")
        assert content_members(heap.graph, owned.held_indices, "com.acme.Mail").size == 700


def test_pieces_are_disjoint(tmp_path: Path) -> None:
    """No byte is credited to two fields: all that is owned together is no more than the heap."""
    d, _, _ = large_sessions_builder()
    d.cls("com.acme.Catalogue", fields={"rows": "Object"})
    rows = [d.primitive_array("byte", b"y" * 800) for _ in range(20)]
    catalogue = d.instance("com.acme.Catalogue", rows=d.object_array("java.lang.Object[]", rows))
    d.static(REGISTRY, "catalogue", "Object", catalogue)
    with heapscope.open(d.dump().save(tmp_path / "a.hprof"), use_index=False) as heap:
        owned = find_owned(heap.graph, 0.01)
        assert {each.owner.field for each in owned} >= {f"{REGISTRY}.sessions", "com.acme.Catalogue.rows"}
        whole = int(heap.graph.retained_units[heap.graph.dominators.top_level].sum())
        assert sum(each.dominated_units for each in owned) <= whole


@pytest.mark.parametrize(
    ("class_name", "expected"), [("com.acme.Row", "com.acme.Row"), ("java.lang.Integer", "java.lang.Integer")]
)
def test_strings_count_only_where_there_is_nothing_else(
    tmp_path: Path, class_name: str, expected: str
) -> None:
    d = DumpBuilder()
    if class_name.startswith("com."):
        d.cls(class_name)
    entries: dict[int | str, int | str | None] = {f"name-{i}": d.instance(class_name) for i in range(5)}
    rows = d.hash_map(entries)
    d.root("JNI_GLOBAL", rows)
    with heapscope.open(d.dump().save(tmp_path / "a.hprof"), use_index=False) as heap:
        found = content_class(heap.graph, np.array([heap.index_of(rows)]))
    assert found in {expected, "java.lang.String"}
    assert found == expected or expected.startswith("java.")


def test_two_collections_of_one_object_that_share_elements_are_named_by_their_field(tmp_path: Path) -> None:
    d = DumpBuilder()
    d.cls("com.acme.Cache", fields={"data": "Object", "order": "Object"})
    d.cls("com.acme.Rate", fields={"history": "Object"})
    d.cls("com.acme.Server")
    rates = [d.instance("com.acme.Rate", history=d.primitive_array("long", [0] * 50)) for _ in range(100)]
    data, order = (d.object_array("java.lang.Object[]", rates) for _ in range(2))
    d.static("com.acme.Server", "CACHE", "Object", d.instance("com.acme.Cache", data=data, order=order))
    d.root("STICKY_CLASS", d.class_id("com.acme.Server"))
    with heapscope.open(d.dump().save(tmp_path / "a.hprof"), use_index=False) as heap:
        (found,) = find_owned(heap.graph)
    assert found.owner.field in ("com.acme.Cache.data", "com.acme.Cache.order")
    assert found.content_class == "com.acme.Rate"


@pytest.mark.parametrize("seed", range(6))
def test_what_is_below_an_object_is_found_as_defined(seed: int) -> None:
    random = np.random.default_rng(seed)
    n = 3000
    # Each object hangs on one before it: mostly on the last one, so that there are long chains.
    above = np.maximum(np.arange(n) - 1 - random.integers(0, 2, n) * random.integers(0, 40, n), 0)
    order = random.permutation(n)
    tree = np.full(n, VIRTUAL_ROOT, np.uint32)
    tree[order[1:]] = order[above[1:]]
    marked = np.sort(random.choice(n, 5, replace=False)).astype(np.int64)
    below = are_below(tree, np.arange(n), marked)
    wanted = set(marked.tolist())
    assert below.tolist() == [naive_is_below(tree, each, wanted) for each in range(n)]
    assert 0 < below.sum() < n


def naive_is_below(tree: NDArray[np.uint32], at: int, marked: set[int]) -> bool:
    while (at := int(tree[at])) < VIRTUAL_ROOT:
        if at in marked:
            return True
    return False


def test_values_of_a_class_value_are_held_though_no_dump_shows_by_what(tmp_path: Path) -> None:
    d = DumpBuilder()
    d.cls("java.lang.ref.Reference", fields={"referent": "Object"})
    d.cls("java.lang.ref.WeakReference", "java.lang.ref.Reference")
    d.cls("java.lang.ClassValue")
    d.cls("java.lang.ClassValue$Version", fields={"classValue": "Object"})
    d.cls("java.lang.ClassValue$Entry", "java.lang.ref.WeakReference", fields={"value": "Object"})
    d.cls("java.lang.ClassValue$ClassValueMap", fields={"cacheArray": "Object"})
    d.cls("com.acme.Writer", fields={"buffer": "Object"})
    d.cls("com.acme.Json")
    key = d.instance("java.lang.ClassValue")
    d.static("com.acme.Json", "WRITERS", "Object", key)
    d.root("STICKY_CLASS", d.class_id("com.acme.Json"))
    version = d.instance("java.lang.ClassValue$Version", classValue=key)
    writers = [d.instance("com.acme.Writer", buffer=d.primitive_array("byte", b"x" * 500)) for _ in range(30)]
    value = d.object_array("java.lang.Object[]", writers)
    entry = d.instance("java.lang.ClassValue$Entry", referent=version, value=value)
    d.instance(
        "java.lang.ClassValue$ClassValueMap",
        cacheArray=d.object_array("java.lang.ClassValue$Entry[]", [entry]),
    )
    path = d.dump().save(tmp_path / "a.hprof")
    with heapscope.open(path, use_index=False) as heap:
        owned = find_owned(heap.graph)[0]
        assert (owned.owner.field, owned.owner.kind) == ("com.acme.Json.WRITERS", "class value")
        assert owned.content_class == "com.acme.Writer"
        (suspect,) = heap.suspects()
        assert "30 com.acme.Writer in class value com.acme.Json.WRITERS" in str(heap.suspects())
        assert suspect.content_count == 30
    with heapscope.open(path, use_index=False, semantics="mat") as heap:  # as Eclipse MAT has it
        assert (heap.categories[heap.objects("com.acme.Writer").indices] == 3).all()


def test_threads_that_pile_up_are_one_owner(tmp_path: Path) -> None:
    d = DumpBuilder()
    d.cls("com.acme.Job", fields={"page": "Object"})
    d.cls("com.acme.Other", fields={"page": "Object"})
    for number in range(6):
        job = d.instance("com.acme.Job", page=d.primitive_array("byte", b"x" * 3000))
        d.thread(f"fax-{number}", local_ids=[(job, 0)])
    page = d.primitive_array("byte", b"y" * 9000)
    d.thread("main", local_ids=[(d.instance("com.acme.Other", page=page), 0)])
    with heapscope.open(d.dump().save(tmp_path / "a.hprof"), use_index=False) as heap:
        jobs, other = find_owned(heap.graph)
        assert (jobs.owner.field, jobs.owner.kind) == ("local variables of threads 'fax-*'", "stack")
        assert jobs.content_class == "com.acme.Job"
        assert other.owner.field == "com.acme.Other.page"  # one thread is no crowd


@pytest.mark.parametrize("is_shared", [False, True])
def test_lambdas_stand_for_what_each_of_them_holds(tmp_path: Path, is_shared: bool) -> None:
    d = DumpBuilder()
    name = "com.acme.Bus$$Lambda$14/0x00007f1000000a08"
    d.cls("com.acme.View", fields={"pixels": "Object"})
    d.cls(name, fields={"arg$1": "Object"})
    d.cls("com.acme.Bus")

    def view() -> int:
        return d.instance("com.acme.View", pixels=d.primitive_array("byte", b"x" * 500))

    one = view()
    listeners = [d.instance(name, **{"arg$1": one if is_shared else view()}) for _ in range(20)]
    d.static("com.acme.Bus", "listeners", "Object", d.object_array("java.lang.Object[]", listeners))
    d.root("STICKY_CLASS", d.class_id("com.acme.Bus"))
    with heapscope.open(d.dump().save(tmp_path / "a.hprof"), use_index=False) as heap:
        held = np.array([heap.index_of(int(heap.classes["com.acme.Bus"].statics[0].value))])
        assert content_class(heap.graph, held) == (name if is_shared else "com.acme.View")


@pytest.mark.parametrize("largest", [40, 4000])
def test_class_loaders_that_pile_up_are_owned_by_what_holds_them(tmp_path: Path, largest: int) -> None:
    """Where one of many applications has most of it, its own field leaks."""
    d = DumpBuilder()
    d.cls("com.acme.Server")
    d.cls("java.lang.ClassLoader", fields={"classes": "Object"})
    d.cls("com.acme.WebappLoader", "java.lang.ClassLoader")
    apps = []
    for number in range(8):
        loader = d.instance("com.acme.WebappLoader")
        made = d.cls(f"com.acme.Webapp{number}", loader_id=loader)
        rows = largest if number == 5 else 40
        pages = [d.primitive_array("byte", b"x" * 500) for _ in range(rows)]
        held = d.object_array("java.lang.Object[]", pages)
        d.static(f"com.acme.Webapp{number}", "pages", "Object", held)
        d.set(loader, classes=d.object_array("java.lang.Object[]", [made]))
        apps.append(d.instance(f"com.acme.Webapp{number}"))
    for number in range(8):  # one name, loaded by eight loaders
        d.rename_class(f"com.acme.Webapp{number}", "com.acme.Webapp")
    d.static("com.acme.Server", "gauges", "Object", d.object_array("java.lang.Object[]", apps))
    d.root("STICKY_CLASS", d.class_id("com.acme.Server"))
    with heapscope.open(d.dump().save(tmp_path / "a.hprof"), use_index=False) as heap:
        owned = find_owned(heap.graph)[0]
        is_one = largest > 40
        assert owned.owner.field == ("com.acme.Webapp.pages" if is_one else "com.acme.Server.gauges")
        if not is_one:
            assert held_loaders(heap.graph, owned) == ("com.acme.WebappLoader", 8)
            assert "8 com.acme.WebappLoader hang on it" in str(heap.suspects())


def test_a_chain_of_two_classes_is_one_pile(tmp_path: Path) -> None:
    """A page, the visit that led to it, the page before: each retains all that follow."""
    d = DumpBuilder()
    d.cls("com.acme.Page", fields={"text": "Object", "cameFrom": "Object"})
    d.cls("com.acme.Visit", fields={"page": "Object"})
    d.cls("com.acme.Browser")
    page = 0
    for _ in range(600):
        text = d.primitive_array("byte", b"x" * 50)
        page = d.instance("com.acme.Page", text=text, cameFrom=d.instance("com.acme.Visit", page=page))
    d.static("com.acme.Browser", "CURRENT", "Object", page)
    d.root("STICKY_CLASS", d.class_id("com.acme.Browser"))
    with heapscope.open(d.dump().save(tmp_path / "a.hprof"), use_index=False) as heap:
        (owned,) = find_owned(heap.graph)
        assert owned.owner.field == "com.acme.Browser.CURRENT"
        assert owned.content_class in ("com.acme.Page", "com.acme.Visit")
        assert owned.dominated_units >= 0.9 * int(heap.graph.retained_units.max())
        suspect = heap.suspects()[0]
        assert suspect.content_count >= 599


@pytest.mark.parametrize(
    ("tenants", "sessions", "expected"),
    [(3, 60, "com.acme.Session"), (30, 2, "com.acme.Tenant")],
    ids=["maps of many", "objects that are maps"],
)
def test_a_collection_of_the_program_is_opened_where_it_is_full(
    tmp_path: Path, tenants: int, sessions: int, expected: str
) -> None:
    d = DumpBuilder()
    d.cls("java.util.AbstractMap")
    d.cls("com.acme.Tenant", "java.util.AbstractMap", fields={"table": "Object"})
    d.cls("com.acme.Session", fields={"data": "Object"})

    def tenant() -> int:
        held = [
            d.instance("com.acme.Session", data=d.primitive_array("byte", b"x" * 100))
            for _ in range(sessions)
        ]
        return d.instance("com.acme.Tenant", table=d.object_array("java.lang.Object[]", held))

    directory = d.object_array("java.lang.Object[]", [tenant() for _ in range(tenants)])
    d.root("JNI_GLOBAL", directory)
    with heapscope.open(d.dump().save(tmp_path / "a.hprof"), use_index=False) as heap:
        assert content_class(heap.graph, np.array([heap.index_of(directory)])) == expected


def content_of(d: DumpBuilder, root: int, folder: Path) -> str:
    d.root("JNI_GLOBAL", root)
    with heapscope.open(d.dump().save(folder / "a.hprof"), use_index=False) as heap:
        return content_class(heap.graph, np.array([heap.index_of(root)]))


@pytest.mark.parametrize("is_shared", [False, True])
def test_nodes_of_a_librarys_cache_stand_for_the_programs_elements(tmp_path: Path, is_shared: bool) -> None:
    d = DumpBuilder()
    d.cls("com.google.common.cache.Node", fields={"value": "Object"})
    d.cls("com.acme.User", fields={"data": "Object"})

    def user() -> int:
        return d.instance("com.acme.User", data=d.primitive_array("byte", b"x" * 100))

    one = user()
    nodes = [
        d.instance("com.google.common.cache.Node", value=one if is_shared else user()) for _ in range(30)
    ]
    cache = d.object_array("java.lang.Object[]", nodes)
    # What all of them share is no element.
    expected = "com.google.common.cache.Node" if is_shared else "com.acme.User"
    assert content_of(d, cache, tmp_path) == expected


def test_tasks_pile_up_themselves_where_nothing_of_the_program_is_in_them(tmp_path: Path) -> None:
    """All of them share the executor and what hangs on it, which is large and no element."""
    d = DumpBuilder()
    d.cls("java.lang.ThreadGroup", fields={"threads": "Object"})
    d.cls("java.util.concurrent.FutureTask", fields={"outer": "Object"})
    group = d.instance("java.lang.ThreadGroup", threads=d.primitive_array("byte", b"x" * 9000))
    tasks = [d.instance("java.util.concurrent.FutureTask", outer=group) for _ in range(30)]
    assert (
        content_of(d, d.object_array("java.lang.Object[]", tasks), tmp_path)
        == "java.util.concurrent.FutureTask"
    )


def test_tasks_of_threads_without_end_are_one_owner(tmp_path: Path) -> None:
    d = DumpBuilder()
    d.cls("com.acme.Waiter", fields={"answer": "Object"})
    d.cls("java.lang.Thread", fields={"name": "Object", "target": "Object"})
    for number in range(6):
        waiter = d.instance("com.acme.Waiter", answer=d.primitive_array("byte", b"x" * 3000))
        thread = d.instance("java.lang.Thread", name=f"payment-{number}", target=waiter)
        d.root("THREAD_OBJECT", thread, thread_serial=number + 1, frame=1)
    with heapscope.open(d.dump().save(tmp_path / "a.hprof"), use_index=False) as heap:
        owned = find_owned(heap.graph)[0]
        assert owned.owner.field == "threads 'payment-*'"
        assert (owned.content_class, owned.pile_indices.size) == ("com.acme.Waiter", 6)


def test_loaders_that_threads_of_one_name_keep_are_the_threads(tmp_path: Path) -> None:
    d = DumpBuilder()
    d.cls("java.lang.ClassLoader", fields={"classes": "Object"})
    d.cls("com.acme.WidgetLoader", "java.lang.ClassLoader")
    d.cls("java.lang.Thread", fields={"name": "Object", "inherited": "Object"})
    for number in range(8):
        loader = d.instance("com.acme.WidgetLoader")
        made = d.cls(f"com.acme.Widget{number}", loader_id=loader)
        pages = [d.primitive_array("byte", b"x" * 500) for _ in range(20)]
        d.static(f"com.acme.Widget{number}", "THEME", "Object", d.object_array("java.lang.Object[]", pages))
        d.set(loader, classes=d.object_array("java.lang.Object[]", [made]))
        thread = d.instance("java.lang.Thread", name="heartbeat", inherited=loader)
        d.root("THREAD_OBJECT", thread, thread_serial=number + 1, frame=1)
    for number in range(8):
        d.rename_class(f"com.acme.Widget{number}", "com.acme.Widget")
    with heapscope.open(d.dump().save(tmp_path / "a.hprof"), use_index=False) as heap:
        owned = find_owned(heap.graph)[0]
        assert (owned.owner.field, owned.content_class) == ("threads 'heartbeat'", "com.acme.WidgetLoader")
        assert owned.held_indices.size == 8


def test_loaders_pile_up_where_a_map_of_classes_holds_them(tmp_path: Path) -> None:
    d = DumpBuilder()
    d.cls("java.lang.ClassLoader")
    d.cls("com.acme.ScriptLoader", "java.lang.ClassLoader")
    held = []
    for number in range(6):
        loader = d.instance("com.acme.ScriptLoader")
        held.append(d.cls(f"com.acme.Rule{number}", loader_id=loader))
        d.static(f"com.acme.Rule{number}", "TABLE", "Object", d.primitive_array("byte", b"x" * 3000))
    for number in range(6):
        d.rename_class(f"com.acme.Rule{number}", "com.acme.Rule")
    d.cls("com.acme.Cache")
    d.static("com.acme.Cache", "COMPILED", "Object", d.object_array("java.lang.Object[]", held))
    d.root("STICKY_CLASS", d.class_id("com.acme.Cache"))
    with heapscope.open(d.dump().save(tmp_path / "a.hprof"), use_index=False) as heap:
        owned = find_owned(heap.graph)[0]
        assert owned.owner.field == "com.acme.Cache.COMPILED"
        assert owned.content_class == "com.acme.ScriptLoader"

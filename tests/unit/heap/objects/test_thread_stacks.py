"""Threads with what they retain, and virtual threads by their stacks."""

from __future__ import annotations

from pathlib import Path

import heapscope
from heapscope.heap.objects.thread_stacks import find_thread_stacks, stack_objects
from tests.support.dumps import DumpBuilder

PARK = [("java.lang.Object", "park", -3), ("com.acme.Worker", "run", 12)]
SLEEP = [("java.lang.Object", "sleep", -3)]


def virtual_thread(d: DumpBuilder, name: str, frames: list[tuple[str, str, int]], size: int) -> None:
    """A virtual thread as JDK 25 dumps it, with an array on its stack."""
    array = d.primitive_array("byte", b"x" * size)
    d.thread(name, frames=frames, local_ids=[(array, len(frames) - 1)], is_virtual=True)


def test_virtual_threads_with_equal_stacks_stand_together(tmp_path: Path) -> None:
    d = DumpBuilder(jdk=25)
    names = [f"worker-{i}" for i in range(12)]
    for place, name in enumerate(names):
        virtual_thread(d, name, PARK, 100 + 100 * place)
    virtual_thread(d, "sleeper", SLEEP, 10)
    d.thread("main", frames=SLEEP)
    path = d.dump().save(tmp_path / "a.hprof")
    with heapscope.open(path, use_index=False) as heap:
        found = find_thread_stacks(heap.graph)
        (together,) = (each for each in found if each.thread_count > 1)
        assert (together.thread_count, together.is_virtual, together.is_daemon) == (12, True, None)
        assert together.names[0] == "worker-11"  # it retains most
        assert len(together.names) == 10
        assert [frame.method for frame in together.frames] == ["park", "run"]
        assert 12 * together.largest_bytes > together.retained_bytes > sum(range(100, 1300, 100))
        assert {(each.names[0], each.is_virtual) for each in found} == {
            ("worker-11", True),
            ("sleeper", True),
            ("main", False),
        }
        (array,) = stack_objects(heap.graph, together.serial)
        assert (array.class_name, array.text, array.frame_number) == ("byte[]", "[1,200]", 1)
        assert array.retained_bytes >= 1200


def test_virtual_threads_without_a_root_have_no_stack(tmp_path: Path) -> None:
    d = DumpBuilder(jdk=25)
    threads = [d.instance("java.lang.VirtualThread", name=f"v{i}") for i in range(3)]
    d.root("JNI_GLOBAL", d.object_array("java.lang.Thread[]", threads))
    d.instance("java.lang.VirtualThread", name="ended")  # nothing holds it
    path = d.dump().save(tmp_path / "a.hprof")
    with heapscope.open(path, use_index=False) as heap:
        (found,) = find_thread_stacks(heap.graph)
    assert (found.thread_count, found.frames, set(found.names)) == (3, (), {"v0", "v1", "v2"})


def test_a_thread_retains_what_only_its_stack_holds(tmp_path: Path) -> None:
    d = DumpBuilder()
    shared, own = d.primitive_array("byte", b"x" * 5000), d.primitive_array("byte", b"x" * 3000)
    text = d.string("a local text")
    d.cls("com.acme.Cache", statics={"data": ("Object", shared)})
    d.root("STICKY_CLASS", d.class_id("com.acme.Cache"))
    d.thread("first", frames=SLEEP, local_ids=[(shared, 0), (own, 0), (text, 0)], daemon=True)
    d.thread("second", frames=SLEEP)
    d.thread("", is_system=True)
    path = d.dump().save(tmp_path / "a.hprof")
    with heapscope.open(path, use_index=False) as heap:
        found = find_thread_stacks(heap.graph)
        on_stack = stack_objects(heap.graph, found[0].serial)
        largest = stack_objects(heap.graph, found[0].serial, 1)
    assert [each.names[0] for each in found][:2] == ["first", "second"]
    assert (found[0].is_daemon, found[0].priority, found[0].object_count) == (True, 5, 3)
    assert 3000 <= found[0].retained_bytes < 5000
    assert [each.text for each in on_stack] == ["[5,000]", "[3,000]", "'a local text'"]
    assert [each.object_id for each in largest] == [shared]


def test_a_copy_of_a_password_on_a_stack_is_masked(tmp_path: Path) -> None:
    """It equals the password before it is cut and put in quotes, and not after."""
    d = DumpBuilder()
    d.cls("a.Login", fields={"password": "java.lang.String"})
    d.root("JNI_GLOBAL", d.instance("a.Login", password=d.string("hunter2-hunter2")))
    d.thread("main", frames=[("a.Main", "run", 1)], local_ids=[(d.string("hunter2-hunter2"), 0)])
    path = d.dump().save(tmp_path / "a.hprof")
    with heapscope.open(path, use_index=False) as heap:
        (thread,) = find_thread_stacks(heap.graph)
        (masked,) = stack_objects(heap.graph, thread.serial)
        (shown,) = stack_objects(heap.graph, thread.serial, show_secrets=True)
    assert "hunter" not in masked.text
    assert shown.text == "'hunter2-hunter2'"


def test_a_long_text_with_a_secret_in_it_is_cut_as_any_other(tmp_path: Path) -> None:
    d = DumpBuilder()
    text = "GET /login\npassword=hunter2 " + "and so on " * 1000
    d.thread("main", frames=[("a.Main", "run", 1)], local_ids=[(d.string(text), 0)])
    path = d.dump().save(tmp_path / "a.hprof")
    with heapscope.open(path, use_index=False) as heap:
        (thread,) = find_thread_stacks(heap.graph)
        (masked,) = stack_objects(heap.graph, thread.serial)
    assert masked.text == repr("GET /login\npassword=(masked) and so on and so on and so on a") + "..."

"""The index gives the same answers as the dump, or is made anew; it is whole or not there."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import heapscope
from heapscope.heap.graph import arrays as graph_module
from heapscope.heap.graph import index as index_module
from heapscope.heap.graph import index_file
from tests.support.dumps import DumpBuilder

Answer = list[Any]


def holder_dump(payload: int = 7) -> bytes:
    """A root that holds a list of three and, weakly, one more."""
    d = DumpBuilder()
    d.cls("a.Node", fields={"next": "a.Node", "data": "Object"})
    d.cls("java.lang.ref.Reference", fields={"referent": "Object"})
    d.cls("java.lang.ref.WeakReference", "java.lang.ref.Reference")
    last = d.instance("a.Node", data=d.primitive_array("int", [payload] * 10))
    middle = d.instance("a.Node", next=last)
    first = d.instance("a.Node", next=middle, data=last)
    weak = d.instance("java.lang.ref.WeakReference", referent=d.instance("a.Node"))
    d.root("JNI_GLOBAL", first)
    d.root("STICKY_CLASS", d.class_id("a.Node"))
    d.root("UNKNOWN", weak)
    return d.dump().data


def answer(path: Path, folder: Path | None, **options: Any) -> Answer:
    """All that an index keeps, as plain values."""
    with heapscope.open(path, index_dir=folder, **options) as heap:
        dominators = heap.dominators()
        columns = heap.columns
        return [
            dominators.immediate.tolist(),
            dominators.retained_bytes.tolist(),
            heap.references.indptr.tolist(),
            heap.references.indices.tolist(),
            heap.references.referents.pairs.tolist(),
            heap.references.lost_count,
            heap.categories.tolist(),
            heap.nearest.parents.tolist(),
            columns.object_ids.tolist(),
            columns.class_index.tolist(),
            columns.size_units.tolist(),
            columns.offsets.tolist(),
            heap.gc_roots.to_dict("list"),
            heap.objects("a.Node").retained_bytes(),
        ]


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    path = tmp_path / "a.hprof"
    path.write_bytes(holder_dump())
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "indexes"


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the passes over the dump that were made."""
    made: list[str] = []
    for name in ("fill", "map_addresses", "number"):
        original = getattr(graph_module, name)

        def spy(*arguments: Any, _original: Callable[..., Any] = original, _name: str = name) -> Any:
            made.append(_name)
            return _original(*arguments)

        monkeypatch.setattr(graph_module, name, spy)
    return made


def only(folder: Path) -> Path:
    (found,) = folder.iterdir()
    return found


def test_answers_of_the_index_are_those_of_the_dump(dump: Path, folder: Path, passes: list[str]) -> None:
    expected = answer(dump, None, use_index=False)
    assert answer(dump, folder) == expected
    passes.clear()
    assert answer(dump, folder) == expected
    assert passes == []
    assert os.stat(only(folder)).st_mode & 0o777 == 0o600


def test_without_an_index_none_is_written(dump: Path, folder: Path) -> None:
    answer(dump, folder, use_index=False)
    assert not folder.exists()
    assert sorted(path.name for path in dump.parent.iterdir()) == ["a.hprof"]


def test_each_set_of_options_has_its_own(dump: Path, folder: Path) -> None:
    strong, weak = answer(dump, folder), answer(dump, folder, semantics="mat")
    assert strong != weak
    assert len(list(folder.iterdir())) == 2
    assert answer(dump, folder) == strong
    assert answer(dump, folder, semantics="mat") == weak


def test_objects_alone_write_no_index(dump: Path, folder: Path) -> None:
    with heapscope.open(dump, index_dir=folder) as heap:
        assert len(heap.objects("a.Node")) == 4
    assert list(folder.iterdir()) == []


def test_a_dump_that_changed_gets_a_new_one(dump: Path, folder: Path, passes: list[str]) -> None:
    before = os.stat(dump)
    answer(dump, folder)
    passes.clear()
    changed = holder_dump().replace(b"\0\0\0\x07" * 10, b"\0\0\0\x08" * 10)
    assert len(changed) == before.st_size
    dump.write_bytes(changed)
    os.utime(dump, ns=(before.st_atime_ns, before.st_mtime_ns))  # as a careless tool would
    answer(dump, folder)
    assert "fill" in passes


def test_another_dump_under_the_same_name(dump: Path, folder: Path) -> None:
    answer(dump, folder)
    d = DumpBuilder()
    d.cls("a.Node", fields={"next": "a.Node"})
    d.root("JNI_GLOBAL", d.instance("a.Node"))
    other = dump.with_name("other")
    other.write_bytes(d.dump().data)
    other.replace(dump)
    assert answer(dump, folder) == answer(dump, None, use_index=False)


@pytest.mark.parametrize("name", ["immediate", "indptr", "class_index", "parents", "root_ids", "weak"])
def test_a_damaged_array_is_noticed(dump: Path, folder: Path, name: str) -> None:
    expected = answer(dump, folder)
    path = only(folder)
    data = bytearray(path.read_bytes())
    index = index_module.open_index(path, index_module.identity_of(dump), options_of(dump))
    assert index is not None
    data[index._arrays[name]["offset"]] ^= 1
    path.write_bytes(bytes(data))
    assert answer(dump, folder) == expected
    assert answer(dump, folder) == expected  # the one that replaced it
    assert only(folder).read_bytes() != bytes(data)


def options_of(dump: Path) -> dict[str, str]:
    from dataclasses import asdict

    from heapscope.heap.graph.options import Options

    return asdict(Options())


@pytest.mark.parametrize("keep", [0, 10, 40, 4096, 5000, -1])
def test_a_cut_index_is_noticed(dump: Path, folder: Path, keep: int) -> None:
    expected = answer(dump, folder)
    path = only(folder)
    path.write_bytes(path.read_bytes()[:keep])
    assert answer(dump, folder) == expected


def test_another_version_is_made_anew(
    dump: Path, folder: Path, passes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(dump, folder)
    passes.clear()
    monkeypatch.setattr(index_module, "FORMAT", index_file.FORMAT + 1)
    answer(dump, folder)
    assert "fill" in passes


@pytest.mark.parametrize("after", range(0, 12, 2))
def test_a_full_disk_costs_the_index_only(
    dump: Path, folder: Path, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = after
    allocate = os.posix_fallocate

    def full(fd: int, offset: int, length: int) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        allocate(fd, offset, length)

    monkeypatch.setattr(os, "posix_fallocate", full)
    assert answer(dump, folder) == answer(dump, None, use_index=False)
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_made(dump: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert answer(dump, tmp_path / "file" / "indexes") == answer(dump, None, use_index=False)


def test_file_systems_without_nameless_files(
    dump: Path, folder: Path, passes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    expected = answer(dump, folder)
    passes.clear()
    assert answer(dump, folder) == expected
    assert passes == []
    only(folder)


def test_the_file_of_another_thread_stays(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose number is that of a file that was just closed."""
    other, close = folder / "other", os.close
    folder.mkdir(exist_ok=True)
    other.touch()
    monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    store = index_module.Store(folder / "a.index")
    fd = store._fd

    def closing(number: int) -> None:
        close(number)
        monkeypatch.setitem(index_module._NAMES, number, other)

    monkeypatch.setattr(os, "close", closing)
    store.abandon()
    assert list(folder.iterdir()) == [other]
    assert index_module._NAMES[fd] == other


def test_systems_that_cannot_claim_room_keep_no_index(
    dump: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "posix_fallocate")
    assert answer(dump, folder) == answer(dump, None, use_index=False)
    assert not folder.exists()


def test_an_interrupt_leaves_nothing(dump: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(graph_module, "dominate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        answer(dump, folder)
    assert list(folder.iterdir()) == []


_ASK = """
import sys, heapscope
with heapscope.open(sys.argv[1], index_dir=sys.argv[2]) as heap:
    print(heap.dominators().retained_bytes.sum())
"""


def test_two_writers_at_once(dump: Path, folder: Path) -> None:
    expected = sum(answer(dump, None, use_index=False)[1])
    both = [
        subprocess.Popen(
            [sys.executable, "-c", _ASK, str(dump), str(folder)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    assert [int(process.communicate(timeout=120)[0]) for process in both] == [expected, expected]
    assert sum(answer(dump, folder)[1]) == expected
    only(folder)


_HANG = """
import sys, time, heapscope
from heapscope.heap.graph import arrays as graph
def dominate(*arguments):
    print("half way", flush=True)
    time.sleep(600)
graph.dominate = dominate
with heapscope.open(sys.argv[1], index_dir=sys.argv[2]) as heap:
    heap.dominators()
"""


def test_a_killed_writer_leaves_nothing(dump: Path, folder: Path) -> None:
    command = [sys.executable, "-c", _HANG, str(dump), str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "half way\n"
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=60)
    assert list(folder.iterdir()) == []
    assert answer(dump, folder) == answer(dump, None, use_index=False)


def test_the_longest_unused_go_first(tmp_path: Path, folder: Path) -> None:
    for age, name in enumerate(("old.hprof", "new.hprof")):
        path = tmp_path / name
        path.write_bytes(holder_dump())
        answer(path, folder)
        for index in folder.glob(f"{name}*"):
            then = time.time() - 1000 + age
            os.utime(index, (then, then))
    kept = next(folder.glob("new*"))
    store = index_module.Store(folder / f"third{index_file.SUFFIX}")
    store.add("numbers", np.arange(10))
    assert store.commit({}, {}, {}, limit=kept.stat().st_size + 10_000)
    assert sorted(path.name[:3] for path in folder.iterdir()) == ["new", "thi"]


def test_a_dump_written_to_meanwhile_gets_none(
    dump: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = graph_module.__dict__["dominate"]

    def touched(*arguments: Any) -> Any:
        with dump.open("r+b") as file:
            file.write(b"J")
        return original(*arguments)

    monkeypatch.setattr(graph_module, "dominate", touched)
    answer(dump, folder)
    assert list(folder.iterdir()) == []


def test_without_an_index_large_arrays_are_no_memory_of_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_module, "_SPILLED_BYTES", 1 << 12)
    monkeypatch.setattr(index_module, "_LEFT_BYTES", 0)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    store = index_module.Store(None, spills=True)
    small, large = store.array("small", 10, np.uint32), store.array("large", 1 << 20, np.uint32)
    assert isinstance(small.base, type(None))
    assert not isinstance(large.base, type(None))
    large[:] = 7
    store.abandon()
    assert int(large.sum()) == 7 << 20
    assert not list(tmp_path.iterdir())
    assert not store.commit({}, {}, {})


def test_temporary_arrays_leave_room_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "_SPILLED_BYTES", 1)
    monkeypatch.setattr(index_module, "_LEFT_BYTES", 1 << 60)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    made = index_module.Store(None, spills=True).array("large", 100, np.uint32)
    assert isinstance(made.base, type(None))
    assert made.tolist() == [0] * 100


def test_a_full_temporary_folder_is_no_reason_to_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(index_module, "_SPILLED_BYTES", 1)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    store = index_module.Store(None, spills=True)
    assert store.array("large", 100, np.uint32).tolist() == [0] * 100


def test_a_long_name_that_is_not_ascii_has_an_index(dump: Path, folder: Path, passes: list[str]) -> None:
    long = dump.rename(dump.with_name("\u5806" * 80 + ".hprof"))
    expected = answer(long, folder)
    passes.clear()
    assert answer(long, folder) == expected
    assert not passes


def test_a_folder_that_nobody_may_look_into_is_no_error(
    dump: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.stat

    def stat(path: Any, *args: Any, **options: Any) -> os.stat_result:
        if str(path).startswith(str(folder)):
            raise PermissionError(errno.EACCES, "no", str(path))
        return real(path, *args, **options)

    monkeypatch.setattr(os, "stat", stat)
    assert not index_file.has_index(dump, {}, folder)
    with heapscope.open(dump, follows=True, index_dir=folder) as heap:
        assert len(heap.dominators().top(1)) == 1

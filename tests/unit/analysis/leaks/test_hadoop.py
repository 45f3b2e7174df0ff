"""File systems of a heap by cluster, user and login."""

from __future__ import annotations

from pathlib import Path

import heapscope
from heapscope.analysis.growth.snapshot import snapshot_of
from heapscope.analysis.leaks.evidence import SnapshotEvidence
from heapscope.analysis.leaks.hadoop import FileSystemGroup, file_system_groups
from tests.support.dumps import DumpBuilder
from tests.unit.analysis.leak import DISTRIBUTED, leak_builder


def groups_of(builder: DumpBuilder, folder: Path) -> tuple[FileSystemGroup, ...]:
    with heapscope.open(builder.dump().save(folder / "a.hprof")) as heap:
        return file_system_groups(SnapshotEvidence(snapshot_of(heap), heap.graph, heap.superclasses))


def test_how_many_and_who_holds_them(tmp_path: Path) -> None:
    (group,) = groups_of(leak_builder(6), tmp_path)
    assert (group.class_name, group.file_system_count, group.cached_count) == (DISTRIBUTED, 6, 6)
    assert (group.handle_count, group.handle_record_count) == (6, 12)
    assert (group.scheme, group.user, group.subject_count) == ("", "", 0)  # this heap does not tell
    assert group.bytes_each >= 4000


def test_what_nothing_holds_is_not_counted(tmp_path: Path) -> None:
    d = leak_builder(2, has_globals=False)
    d.instance(DISTRIBUTED)
    (group,) = groups_of(d, tmp_path)
    assert (group.file_system_count, group.handle_count) == (2, 0)


def test_a_heap_without_hadoop_has_none(tmp_path: Path) -> None:
    d = DumpBuilder()
    d.root("JNI_GLOBAL", d.instance("java.lang.Object"))
    assert groups_of(d, tmp_path) == ()


def test_users_are_kept_apart_and_the_largest_group_comes_first(tmp_path: Path) -> None:
    d = DumpBuilder()
    d.cls("a.Key", fields={"scheme": "String", "authority": "String"})
    d.cls("org.apache.hadoop.fs.FileSystem", fields={"key": "Object"})
    for authority in ("b:1", "a:1", "a:1"):
        key = d.instance("a.Key", scheme="hdfs", authority=authority)
        d.root("JNI_GLOBAL", d.instance("org.apache.hadoop.fs.FileSystem", key=key))
    found = groups_of(d, tmp_path)
    assert [(each.authority, each.file_system_count, each.scheme) for each in found] == [
        ("a:1", 2, "hdfs"),
        ("b:1", 1, "hdfs"),
    ]

"""The sample dumps against what the JVM that wrote them counted at that moment."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

import heapscope
from heapscope.parser.texts.class_histogram import read_histogram
from heapscope.reporter.diagnosis import describe_diagnosis

SAMPLES = Path(__file__).parents[2] / "sample_dumps"
EXPECTED: dict[str, Any] = json.loads((SAMPLES / "expected.json").read_text(encoding="utf-8"))
DUMPS = sorted(SAMPLES.glob("*.hprof.gz"))
LEAK = [path for path in DUMPS if path.name.startswith("leak-")]
HEALTHY = [path for path in DUMPS if path.name.startswith("healthy-")]


def test_there_are_enough() -> None:
    assert len(LEAK) >= 4
    assert len(HEALTHY) >= 2
    assert sum(path.stat().st_size for path in SAMPLES.iterdir() if path.is_file()) < 30e6


@pytest.mark.parametrize("path", DUMPS, ids=lambda path: path.name)
def test_every_class_is_what_the_jvm_counted(path: Path) -> None:
    truth = read_histogram(path.with_name(path.name.replace(".hprof.gz", ".histogram.txt")))
    with heapscope.open(path) as heap:
        frame = heap.class_histogram()
    found = {
        name: (count, size)
        for name, count, size in zip(
            frame["class_name"], frame["instance_count"], frame["shallow_bytes"], strict=True
        )
    }
    assert len(found) > 1000
    assert found == {
        name: (count, size)
        for name, count, size in zip(
            truth.class_names, truth.instance_counts, truth.shallow_bytes, strict=True
        )
    }


@pytest.mark.parametrize("path", DUMPS, ids=lambda path: path.name)
def test_files_are_the_ones_described(path: Path) -> None:
    text = json.dumps(EXPECTED)
    assert hashlib.sha256(path.read_bytes()).hexdigest() in text


def test_each_connect_leaks_one_file_system_held_by_a_jni_global() -> None:
    with heapscope.open(LEAK[-1]) as heap:
        leaked = heap.objects("org.apache.hadoop.fs.FileSystem")
        roots = heap.gc_roots
        held = roots[roots["class_name"] == "org.apache.hadoop.hdfs.DistributedFileSystem"]
        assert len(leaked) == 50
        assert set(held["kind"]) == {"JNI global"}
        assert set(held["object_id"]) == set(leaked.object_ids.tolist())


def test_only_the_leak_grows() -> None:
    assert all(one.is_growing for one in heapscope.snapshots(LEAK).watched())
    assert not any(one.is_growing for one in heapscope.snapshots(HEALTHY).watched())


def test_texts_and_dumps_mix() -> None:
    texts = [path.with_name(path.name.replace(".hprof.gz", ".histogram.txt")) for path in LEAK]
    mixed = heapscope.snapshots([LEAK[0], texts[0]])
    (both,) = mixed.watched(["org.apache.hadoop.fs.FileSystem"])
    assert both.instance_counts == (5, 5)
    assert {snapshot.kind for snapshot in mixed} == {"heap dump", "class histogram"}


def test_the_process_is_read_from_the_heap() -> None:
    with heapscope.open(LEAK[0]) as heap:
        assert heap.environment()["KERB_TICKET_CACHE_PATH"].endswith("krb5cc_1000")
        assert heap.system_properties()["java.version"].startswith("17.")
        threads = {thread.name: thread for thread in heap.threads()}
        assert {"main", "Reference Handler", "Finalizer"} <= set(threads)
        assert threads["Reference Handler"].frames[-1].method == "run"
        assert threads["Reference Handler"].is_daemon
    with heapscope.open(HEALTHY[0]) as heap:
        assert "KERB_TICKET_CACHE_PATH" not in heap.environment()


def test_sizes_are_of_the_last_heap_dump_where_a_class_histogram_is_newer() -> None:
    older = [SAMPLES / "leak-1.hprof.gz", SAMPLES / "leak-2.hprof.gz"]
    newer = SAMPLES / "leak-4.histogram.txt"
    (finding,) = describe_diagnosis(heapscope.diagnose([*older, newer])).findings
    (alone,) = describe_diagnosis(heapscope.diagnose(older)).findings
    assert (finding.counts, finding.instance_count) == ((5, 20, 50), 20)
    assert (finding.retained_bytes, finding.bytes_each) == (alone.retained_bytes, alone.bytes_each)
    assert finding.what.startswith("20 Hadoop file systems in the last heap dump, 1.38 MB together")

"""What public answers do outside of Jupyter: a short ``repr``, a readable ``str``, tables, plain values."""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import heapscope
from heapscope.plain import plain
from heapscope.progress import no_progress
from heapscope.query.sources import heap_session
from heapscope.rich_repr import RichRepr

SAMPLES = Path(heapscope.__file__).parent.parent / "sample_dumps"
# What has rows has to_frame(), what the command line writes as JSON has to_dict().
PROMISED = {
    "Checks": {"to_frame", "to_dict"},
    "Comparison": {"to_frame", "to_dict"},
    "Diagnosis": {"to_frame", "to_dict"},
    "Finding": {"to_dict"},
    "Growth": {"to_frame", "to_dict"},
    "Heap": set(),
    "JavaObject": set(),
    "MemoryVerdict": {"to_dict"},
    "MergedPaths": {"to_frame", "to_dict"},
    "ObjectSet": {"to_frame"},
    "Path": {"to_dict"},
    "Proof": {"to_frame", "to_dict"},
    "QueryAnswer": {"to_frame", "to_dict"},
    "Snapshot": {"to_frame", "to_dict"},
    "Snapshots": set(),
    "Suspect": {"to_dict"},
    "Suspects": {"to_frame", "to_dict"},
    "Table": {"to_frame", "to_dict"},
    "WatchedProcess": {"to_frame"},
}
# Answers that notebooks have no card for.
OTHERS = {
    "Classes": {"to_frame"},
    "Dominators": {"to_frame"},
    "Inspection": {"to_dict"},
    "Threads": {"to_frame"},
}


def test_no_answer_is_forgotten() -> None:
    for module in pkgutil.walk_packages(heapscope.__path__, "heapscope."):
        if module.name.split(".")[1] in ("analysis", "fleet", "heap", "query", "reporter", "table"):
            importlib.import_module(module.name)
    assert {each.__name__ for each in RichRepr.__subclasses__()} == PROMISED.keys()
    assert {"to_frame", "sql"} & set(dir(heapscope.Fleet))


@pytest.fixture(scope="module")
def answers() -> dict[str, Any]:
    """One of each kind, of real dumps of a leak."""
    leak = heapscope.snapshots([SAMPLES / f"leak-{number}.hprof.gz" for number in (1, 2, 3, 4)])
    cured = heapscope.snapshots([SAMPLES / f"healthy-{number}.hprof.gz" for number in (1, 2)])
    growth = leak.growth()
    process = heapscope.watched_processes(heapscope.read_samples([SAMPLES / "watch.csv"]))[0]
    diagnosis = heapscope.diagnose(leak)
    heap = heapscope.open(SAMPLES / "leak-4.hprof.gz", no_progress)
    systems = heap.objects("org.apache.hadoop.fs.FileSystem")
    suspects = heap.suspects()
    (path, *_) = systems[0].paths_to_gc_roots()
    found = [
        leak.check(["org.apache.hadoop.fs.FileSystem+ <= 3"]), leak.compare(cured), diagnosis, diagnosis[0],
        growth, heap, systems[0], process.verdict(), systems.paths_to_gc_roots(), systems, path,
        leak.prove(cured), heap_session(heap).run("SELECT class_name, address FROM objects LIMIT 3"), leak[0],
        leak, suspects[0], suspects, growth.to_table(), process, heap.classes, heap.dominators(),
        systems[0].describe(), heap.threads(),
    ]  # fmt: skip
    return {type(each).__name__: each for each in found}


@pytest.mark.parametrize("name", [*PROMISED, *OTHERS])
def test_an_answer_reads_well_and_has_what_is_promised(name: str, answers: dict[str, Any]) -> None:
    answer = answers[name]
    assert len(repr(answer)) <= 400 or name in ("Inspection", "Snapshots")
    assert "\n" not in repr(answer)
    assert " object at 0x" not in repr(answer)
    assert len(str(answer)) > 20 or name == "Proof"
    for method in PROMISED.get(name, set()) | OTHERS.get(name, set()):
        found = getattr(answer, method)()
        if method == "to_frame":
            assert isinstance(found, pd.DataFrame)
            assert len(found) > 0
        else:
            assert json.loads(json.dumps(found, allow_nan=False))


def test_suspects_say_what_lies_outside_of_the_heap(answers: dict[str, Any]) -> None:
    assert "off_heap_bytes" in answers["Suspects"].to_frame()


def test_plain_values_have_no_secrets() -> None:
    found = plain({"command": ["server", "jdbc:postgresql://u:hunter2@db/x"], "since": datetime(2026, 1, 2)})
    assert found["since"] == "2026-01-02T00:00:00"
    assert "hunter2" not in json.dumps(found)


def test_a_diagnosis_has_the_plain_form_of_the_growth_in_it() -> None:
    diagnosis = heapscope.diagnose([SAMPLES / f"leak-{number}.histogram.txt" for number in (1, 2, 3, 4)])
    assert diagnosis.growth is not None
    assert diagnosis.to_dict()["growth"] == diagnosis.growth.to_dict()


def test_a_name_that_is_not_there_is_refused_with_the_nearest(answers: dict[str, Any]) -> None:
    heap, growth = answers["Heap"], answers["Growth"]
    environment, properties = heap.environment(), heap.system_properties()
    asked: list[tuple[Callable[[str], Any], str, str]] = [
        (environment.__getitem__, "KERB_TICKET_CACHE_PAT", "KERB_TICKET_CACHE_PATH"),
        (properties.__getitem__, "java.versin", "java.version"),
        (heap.objects, "org.apache.hadoop.fs.FileSystm+", "org.apache.hadoop.fs.FileSystem"),
        (growth.__getitem__, "DistributedFileSystm", "org.apache.hadoop.hdfs.DistributedFileSystem"),
    ]
    for ask, name, nearest in asked:
        with pytest.raises(heapscope.ObjectNotFound) as caught:
            ask(name)
        assert caught.value.nearest[0] == nearest
        assert f"nearest: {nearest}" in str(caught.value)
    name = "org.apache.hadoop.fs.FileSystem"
    assert len(heap.objects(f"{name}+", subclasses=False)) == len(heap.objects(name)) > 0

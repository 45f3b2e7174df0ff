"""Which snapshots are of one process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import heapscope
from heapscope.analysis.growth.notes import Note, NoteKind
from heapscope.analysis.growth.same_process import find_processes
from heapscope.errors import DifferentProcesses
from tests.support.dumps import DumpBuilder
from tests.unit.analysis.growth.series_of_dumps import HOUR_MS, leak_series
from tests.unit.cli.conftest import write_histogram


def test_dumps_of_two_processes_are_no_series(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    paths = leak_series(one, [1, 2], seed=1) + leak_series(two, [1, 2], seed=2)
    found = heapscope.snapshots(paths)
    with pytest.raises(
        DifferentProcesses, match=r"snapshots of 2 processes are no series: .* --force-series"
    ):
        found.growth()
    forced = found.growth(force_series=True)
    assert Note(NoteKind.SEVERAL_PROCESSES, counts=(2,)) in forced.notes
    assert len(found.processes()) == 2


def test_old_jvms_are_told_apart_by_their_threads(tmp_path: Path) -> None:
    def build(name: str, address: int, hour: int) -> Path:
        d = DumpBuilder(jdk=8, timestamp_ms=1_480_000_000_000 + hour * HOUR_MS)
        d.cls("java.lang.Thread", fields={"name": "Object", "eetop": "long"})
        for i, kind in enumerate(("ref.Reference$ReferenceHandler", "ref.Finalizer$FinalizerThread")):
            d.cls(f"java.lang.{kind}", "java.lang.Thread")
            d.root("JNI_GLOBAL", d.instance(f"java.lang.{kind}", eetop=address + i))
        return d.dump().save(tmp_path / name)

    same = heapscope.snapshots([build("a.hprof", 0x7F00, 0), build("b.hprof", 0x7F00, 1)])
    (process,) = same.processes()
    assert process.is_certain
    other = heapscope.snapshots([tmp_path / "a.hprof", build("c.hprof", 0x8F00, 2)])
    assert [one.members for one in other.processes()] == [(0,), (1,)]


def test_sidecars_tell_processes_apart(series: list[Path]) -> None:
    for path, pid in zip(series, (10, 10, 11), strict=True):
        sidecar = {"host": "w1", "process": {"pid": pid, "start_ticks": 5}}
        path.with_name(path.name + ".json").write_text(json.dumps(sidecar))
    with pytest.raises(
        DifferentProcesses, match=r"leak-1, leak-2 of process 10 on w1; leak-3 of process 11 on w1"
    ):
        heapscope.snapshots(series).growth()
    assert len(heapscope.snapshots(series[:2]).growth().snapshots) == 2


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"process": 7}', '{"process": {"pid": "x"}}', "[" * 100_000]
)
def test_a_sidecar_that_is_none_tells_nothing(series: list[Path], text: str) -> None:
    series[0].with_name(series[0].name + ".json").write_text(text)
    (process,) = heapscope.snapshots(series).processes()
    assert not process.is_certain


@pytest.mark.parametrize(
    ("counts", "is_told"), [((900, 905, 700), True), ((900, 905, 890), False), ((0, 0, 0), False)]
)
def test_a_restart_that_only_the_classes_show_is_a_note(
    tmp_path: Path, counts: tuple[int, ...], is_told: bool
) -> None:
    paths = [
        write_histogram(
            tmp_path / f"r{i}.txt", [("java.lang.Class", count, 100 * count), ("a.B", 9, 9)], 60 * i
        )
        for i, count in enumerate(counts)
    ]
    notes = heapscope.snapshots(paths).growth().notes
    told = Note(NoteKind.FEWER_CLASSES, ("r1", "r2"), (905, 700))
    assert (told in notes) == is_told


def test_evidence_is_put_together() -> None:
    both = {"sidecar": ("h", 1, 2), "seed": 3}
    assert [p.members for p in find_processes([both, {"seed": 3}, {}, {"sidecar": ("h", 1, 2)}])] == [
        (0, 1, 2, 3)
    ]
    assert [p.members for p in find_processes([{"seed": 1}, {"seed": 2}, {"seed": 1}])] == [(0, 2), (1,)]
    # One seed, two sidecars: an AOT cache gave both the seed.
    aot = [{"seed": 1, "sidecar": ("h", 1, 1)}, {"seed": 1, "sidecar": ("h", 2, 1)}]
    assert [p.members for p in find_processes(aot)] == [(0,), (1,)]

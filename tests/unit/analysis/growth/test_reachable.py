"""Garbage in heap dumps: neither a leak that goes on, nor a reason to name a date."""

from __future__ import annotations

from pathlib import Path

import heapscope
from heapscope.analysis.growth.notes import NoteKind
from heapscope.analysis.growth.reachable import reachable_series
from tests.support.dumps import DumpBuilder

HOUR_MS = 3_600_000
SESSION = "com.acme.Session"


def dump(folder: Path, hour: int, *, kept: int, garbage: int, has_root: bool = True) -> None:
    """A heap with sessions in a static array, and with others that nothing reaches."""
    builder = DumpBuilder(timestamp_ms=1_700_000_000_000 + hour * HOUR_MS)
    builder.cls(SESSION, fields={"data": "Object"})
    # A class of the boot loader is a root even where the dump has no root of any class.
    loader = 0 if has_root else builder.primitive_array("byte", [0] * 64)
    builder.cls("com.acme.Registry", loader_id=loader)
    sessions = [
        builder.instance(SESSION, data=builder.primitive_array("byte", [0] * 64)) for _ in range(kept)
    ]
    builder.static(
        "com.acme.Registry", "sessions", "Object", builder.object_array("java.lang.Object[]", sessions)
    )
    if has_root:
        builder.root("STICKY_CLASS", builder.class_id("com.acme.Registry"))
    else:
        builder.root("JNI_GLOBAL", builder.primitive_array("byte", [0] * 64))
    for _ in range(garbage):
        builder.instance(SESSION, data=builder.primitive_array("byte", [0] * 64))
    folder.mkdir(exist_ok=True)
    (folder / f"{hour}.hprof").write_bytes(builder.dump().data)


def run(folder: Path, kept: list[int], garbage: list[int], *, has_root: bool = True) -> heapscope.Snapshots:
    for hour, (held, lost) in enumerate(zip(kept, garbage, strict=True)):
        dump(folder, hour, kept=held, garbage=lost, has_root=has_root)
    return heapscope.snapshots(sorted(folder.iterdir()))


def test_garbage_is_not_counted(tmp_path: Path) -> None:
    series = run(tmp_path / "a", [50, 50, 50, 50], [0, 100, 200, 300])
    assert series.by_class[SESSION][0] == [50, 150, 250, 350]
    kept = reachable_series(series)
    assert kept is not None
    assert kept.by_class[SESSION][0] == [50, 50, 50, 50]
    assert [one.name for one in kept] == [one.name for one in series]


def test_what_cannot_be_opened_tells_nothing(tmp_path: Path) -> None:
    series = run(tmp_path / "a", [50, 50, 50], [0, 0, 0])
    (tmp_path / "a" / "1.hprof").unlink()
    assert reachable_series(series) is None


def test_a_cure_is_judged_by_what_is_reached(tmp_path: Path) -> None:
    before = run(tmp_path / "before", [100, 200, 300, 400], [0, 0, 0, 0])
    cured = run(tmp_path / "cured", [50, 50, 50, 50], [0, 100, 200, 300])
    leaking = run(tmp_path / "leaking", [50, 150, 250, 350], [0, 10, 0, 10])
    assert before.prove(cured).verdict == "fixed"
    assert before.prove(leaking).verdict == "not fixed"


def test_without_the_roots_of_classes_nothing_is_taken_for_garbage(tmp_path: Path) -> None:
    before = run(tmp_path / "before", [100, 200, 300, 400], [0] * 4)
    leaking = run(tmp_path / "leaking", [50, 150, 250, 350], [0] * 4, has_root=False)
    assert reachable_series(leaking) is None
    assert before.prove(leaking).verdict == "not fixed"


def test_garbage_has_no_date(tmp_path: Path) -> None:
    limit = 10_000_000
    garbage = run(tmp_path / "garbage", [50, 50, 50, 50], [0, 100, 200, 300]).growth(limit_bytes=limit)
    assert not garbage.forecasts
    assert NoteKind.GARBAGE_GROWS in {note.kind for note in garbage.notes}
    leak = run(tmp_path / "leak", [50, 150, 250, 350], [0, 0, 0, 0]).growth(limit_bytes=limit)
    assert [one.limit.limit_bytes for one in leak.forecasts] == [limit]

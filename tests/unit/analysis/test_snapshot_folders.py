"""A directory stands for the snapshots in it."""

from __future__ import annotations

from pathlib import Path

import pytest

import heapscope
from heapscope.analysis.growth.notes import NoteKind
from heapscope.errors import HeapscopeError, NotHprof
from tests.support.dumps import DumpBuilder


def test_a_directory_stands_for_its_snapshots(tmp_path: Path) -> None:
    samples = Path(__file__).parents[3] / "sample_dumps"
    for name in ("leak-1.histogram.txt", "leak-2.histogram.txt"):
        (tmp_path / name).write_bytes((samples / name).read_bytes())
    (tmp_path / ".hidden.hprof").write_bytes(b"")
    (tmp_path / "leak-1.histogram.txt.json").write_text("{}")
    assert len(heapscope.snapshots([tmp_path])) == 2
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotHprof, match=r"no name ends in \.hprof"):
        heapscope.snapshots([tmp_path / "empty"])


def test_a_text_of_the_moment_of_a_dump_is_no_evidence_of_its_own(tmp_path: Path) -> None:
    samples = Path(__file__).parents[3] / "sample_dumps"
    for number in (1, 2, 3, 4):
        for ending in ("hprof.gz", "histogram.txt"):
            (tmp_path / f"leak-{number}.{ending}").symlink_to(samples / f"leak-{number}.{ending}")
    both, dumps = heapscope.snapshots(tmp_path), heapscope.snapshots(f"{tmp_path}/*.hprof.gz")
    assert len(both) == 8
    assert [both[place].name for place in both.distinct] == ["leak-1", "leak-2", "leak-3", "leak-4"]
    assert len(dumps.distinct) == 4
    assert len(heapscope.snapshots(tmp_path, order="name").distinct) == 4
    told, alone = both.growth(), dumps.growth()
    assert told.whole.shallow.per_hour == alone.whole.shallow.per_hour
    assert told.forecasts == alone.forecasts
    assert NoteKind.SAME_MOMENT in {note.kind for note in told.notes}
    (finding,) = heapscope.diagnose(both).findings
    assert finding.counts == (5, 20, 35, 50)
    with pytest.raises(HeapscopeError, match="1 snapshot given"):
        both[:2].growth()
    assert heapscope.diagnose(both[:2]).findings[0].counts == (5,)


def test_a_dump_read_in_part_has_the_counts_of_the_text_of_its_moment(tmp_path: Path) -> None:
    counts = [100, 200, 300, 400]
    for hour, count in enumerate(counts):
        d = DumpBuilder(timestamp_ms=1_767_225_600_000 + hour * 3_600_000)
        d.cls("com.acme.Order", fields={"number": "int"})
        for number in range(count):
            d.instance("com.acme.Order", number=number)
        d.root("STICKY_CLASS", d.class_id("com.acme.Order"))
        data = d.dump().data
        (tmp_path / f"leak-{hour}.hprof").write_bytes(data[:-2000] if hour == 1 else data)
        head = " num     #instances         #bytes  class name\n" + "-" * 46
        text = f"{head}\n   1: {count} {16 * count} com.acme.Order\n"
        (tmp_path / f"leak-{hour}.histogram.txt").write_text(f"{text}Total {count} {16 * count}\n")
    both = heapscope.snapshots(tmp_path, partial=True)
    (part,) = (one for one in both if not one.is_whole)
    assert part.object_count < 200
    once = both.each_moment_once()
    assert [(one.kind, one.is_whole, one.counted_by) for one in once] == [
        ("heap dump", True, "leak-1.histogram.txt" if one.name == "leak-1" else "") for one in once
    ]
    told = both.growth()
    assert told["com.acme.Order"].instance_counts == tuple(counts)
    assert (NoteKind.COUNTED_BY_TEXTS, ("leak-1",)) in [(note.kind, note.names) for note in told.notes]
    assert NoteKind.PARTIAL_LEFT_OUT not in {note.kind for note in told.notes}
    assert heapscope.diagnose(both).snapshot_names == ("leak-0", "leak-1", "leak-2", "leak-3")
    (tmp_path / "leak-1.histogram.txt").write_text(text)  # without its Total line
    cut = heapscope.snapshots(tmp_path, partial=True).growth()
    assert (NoteKind.PARTIAL_LEFT_OUT, ("leak-1",)) in [(note.kind, note.names) for note in cut.notes]

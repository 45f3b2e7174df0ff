"""A command opens each dump once, inflates it once and analyses it once, whatever it is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from heapscope.heap.graph.arrays import HeapArrays
from heapscope.heap.heap import Heap
from heapscope.parser.source import Source
from heapscope.progress import Progress, no_progress
from tests.support.gz import plain_gzip
from tests.unit.analysis.growth.series_of_dumps import leak_series
from tests.unit.cli.conftest import Run

COUNTS = (20, 40, 60, 80)


@pytest.fixture(scope="module")
def dumps(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Compressed dumps of a process that leaks, of a JVM that says no more than that in each."""
    folder = tmp_path_factory.mktemp("opened-once")
    paths = []
    for plain in leak_series(folder, COUNTS, seed=None):
        path = plain.with_name(f"{plain.name}.gz")
        path.write_bytes(plain_gzip(plain.read_bytes()))
        plain.unlink()
        paths.append(path)
    return paths


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> Counter[tuple[str, str]]:
    """How often each file was opened, inflated and analysed."""
    seen: Counter[tuple[str, str]] = Counter()
    init, blocks, save = Heap.__init__, Source.blocks, HeapArrays._save

    def opened(self: Heap, path: Path, *rest: Any, **named: Any) -> None:
        seen["opened", Path(path).name] += 1
        init(self, path, *rest, **named)

    def inflated(
        self: Source, progress: Progress = no_progress, phase: str = "reading"
    ) -> Iterator[memoryview]:
        seen["inflated", self.path.name] += 1
        return blocks(self, progress, phase)

    def analysed(self: HeapArrays, *rest: Any) -> None:
        seen["analysed", self._source.path.name] += 1
        save(self, *rest)

    monkeypatch.setattr(Heap, "__init__", opened)
    monkeypatch.setattr(Source, "blocks", inflated)
    monkeypatch.setattr(HeapArrays, "_save", analysed)
    return seen


@pytest.mark.parametrize(
    ("words", "has_index"),
    [
        (["diagnose", "--limit", "1M"], True),
        (["diagnose", "--limit", "1M"], False),
        (["growth", "--retained", "--limit", "1M"], False),
        (["growth", "--by", "path"], True),
        (["report", "-o", "report.json", "--limit", "1M", "--jobs", "2"], True),
    ],
    ids=lambda value: " ".join(value[:3]) if isinstance(value, list) else "index" if value else "no index",
)
def test_each_of_several_dumps(
    run: Run,
    dumps: list[Path],
    done: Counter[tuple[str, str]],
    words: list[str],
    has_index: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    index = ["--index-dir", str(tmp_path / "index")] if has_index else ["--no-index"]
    ran = run(*words, *dumps, *index)
    assert ran.code == 0, ran.err
    names = [path.name for path in dumps]
    assert {name: done["opened", name] for name in names} == dict.fromkeys(names, 1)
    assert {name: done["inflated", name] for name in names} == dict.fromkeys(names, 1)
    assert {name: done["analysed", name] for name in names} == dict.fromkeys(names, 1)


@pytest.mark.parametrize("command", ["trend", "census", "diff"])
def test_what_class_counts_answer_is_not_analysed(
    run: Run, dumps: list[Path], done: Counter[tuple[str, str]], command: str
) -> None:
    ran = run(command, *(dumps[:2] if command == "diff" else dumps))
    assert ran.code == 0, ran.err
    assert not any(count for (what, _), count in done.items() if what == "analysed")
    assert {count for (what, _), count in done.items() if what == "opened"} == {1}


@pytest.mark.parametrize("command", ["info", "suspects", "dominators", "threads"])
def test_one_dump(
    run: Run, dumps: list[Path], done: Counter[tuple[str, str]], command: str, tmp_path: Path
) -> None:
    ran = run(command, dumps[-1], "--index-dir", str(tmp_path))
    assert ran.code == 0, ran.err
    assert done["opened", dumps[-1].name] == 1
    assert done["inflated", dumps[-1].name] == 1


def test_a_broken_dump_among_several_is_one_line(run: Run, dumps: list[Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken.hprof.gz"
    broken.write_bytes(dumps[1].read_bytes()[:-200])
    lines = {run("diagnose", dumps[0], broken, *dumps[2:], "--jobs", jobs).err for jobs in ("1", "2", "4")}
    assert len(lines) == 1
    (line,) = lines
    assert line.startswith(f"heapscope: {broken}: ")
    assert line.count("\n") == 1
    assert run("diagnose", dumps[0], broken, *dumps[2:], "--jobs", "2").code == 3


@pytest.mark.parametrize(
    "words", [["diagnose"], ["growth", "--retained", "--json"]], ids=["diagnose", "growth"]
)
def test_the_answer_is_the_same_side_by_side(run: Run, dumps: list[Path], words: list[str]) -> None:
    one = run(*words, *dumps, "--no-index", "--jobs", "1")
    several = run(*words, *dumps, "--no-index", "--jobs", "4")
    assert one.code == 0
    assert several.out == one.out

"""Cards in notebooks: totals, the largest, nothing object by object, and hostile text that stays text."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import heapscope
from heapscope.analysis.memory.verdict import judge
from heapscope.analysis.snapshots import Snapshots
from heapscope.heap.retention.paths import paths
from heapscope.reporter.notebook.cards import html_of
from heapscope.rich_repr import RichRepr
from heapscope.table import Table
from tests.support.dumps import DumpBuilder, build
from tests.unit.cli.conftest import write_histogram
from tests.unit.reporter.test_render import HOSTILE, Page

# A class name that has no slash, which is what the format puts between packages.
BAD = '"><img src=x onerror=alert(1)><script>alert(1)\u202e'
ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="module")
def heap(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A cache whose entries have hostile names, a string, and what only native code holds."""

    def write(d: DumpBuilder) -> None:
        d.cls("app.Cache", fields={"table": "Object"})
        d.cls(f"app.{BAD}", fields={"name": "Object", "count": "int"})
        text = d.string(HOSTILE)
        entries = [d.instance(f"app.{BAD}", name=text, count=i) for i in range(40)]
        array = d.object_array("java.lang.Object[]", entries)
        d.root("STICKY_CLASS", d.instance("app.Cache", table=array))
        for _ in range(3):
            d.root("JNI_GLOBAL", d.instance("app.Cache"))

    path = tmp_path_factory.mktemp("heap") / "<b>x.hprof"
    path.write_bytes(build(write).data)
    with heapscope.open(path, use_index=False) as heap:
        yield heap


def page(thing: Any) -> Page:
    html = thing._repr_html_()
    assert html is not None
    found = Page(html)
    assert not found.named("script")
    assert not found.named("img")
    assert not found.named("b") or "<b>x" not in html
    assert not [key for _, attributes in found.elements for key in attributes if key.startswith("on")]
    assert not re.search(r"https?://|@import|url\(", html)
    return found


def test_a_heap_is_its_totals_and_its_largest_classes(heap: Any) -> None:
    text = page(heap).text
    assert "<b>x.hprof" in text
    assert f"{heap.object_count} objects" in text
    assert f"{len(heap.classes)} classes" in text
    assert "4 GC root records" in text
    assert "<script>alert(1)\\u202e 40 " in text


def test_a_card_of_a_heap_makes_no_index_and_follows_no_reference(heap: Any) -> None:
    with heapscope.open(heap.path, use_index=False) as fresh:
        assert fresh._repr_html_()
        assert "graph" not in vars(fresh)
    assert fresh._repr_html_() is not None  # counted before it was closed


def test_a_set_of_objects_is_its_classes(heap: Any) -> None:
    everything = heap.objects("*")
    assert page(everything).text.startswith(f"Objects of {len(everything.class_counts())} classes")
    caches = heap.objects("app.Cache")
    text = page(caches).text
    assert "Objects of app.Cache" in text
    assert "4 objects" in text
    assert "retained together" not in text  # not computed for a look
    size = caches.retained_bytes()
    assert f"{heapscope.units.format_bytes(size)} retained together" in page(caches).text
    assert "No objects" in page(caches - caches).text


def test_nothing_is_printed_object_by_object(heap: Any) -> None:
    assert len(heap.objects("*")._repr_html_()) < 10_000
    assert f"0x{heap.objects('app.Cache')[0].object_id:x}" not in heap.objects("app.Cache")._repr_html_()


def test_an_object_is_its_fields_and_a_string_its_text(heap: Any) -> None:
    one = heap.objects(f"app.{BAD}")[3]
    found = page(one).text
    assert "count int 3" in found
    assert "<script>alert(1)</script>" in found  # as text
    assert "characters" in page(one.follow("name")).text
    array = heap.objects("java.lang.Object[]")[0]
    text = page(array).text
    assert "40 elements" in text
    assert "and 32 more" in text


def test_paths_are_a_tree_with_counts(heap: Any) -> None:
    members = heap.objects(f"app.{BAD}")
    text = page(members.paths_to_gc_roots()).text
    assert text.startswith("What holds 40 instances of")
    assert "40 x Cache.table → Object[] →" in text
    (path,) = paths(heap.graph, int(members.indices[0]), 1)
    text = page(path).text
    assert "GC root: system class" in text
    assert ".table" in text


def test_suspects_are_folded_but_for_the_first(heap: Any) -> None:
    suspects = heap.suspects(0.01)
    found = page(suspects)
    assert len(found.named("details")) >= len(suspects) > 0
    assert "open" in found.named("details")[0]
    for suspect in suspects:
        assert f"{suspect.share:.1%}" in found.text
        assert f"{suspect.share:.1%}" in page(suspect).text


@pytest.fixture
def series(tmp_path: Path) -> Snapshots:
    files = [
        write_histogram(
            tmp_path / f"<i>{i}.txt", [(BAD.replace(" ", "_"), 10 * i, 160 * i), ("[B", 5, 80)], 60 * i
        )
        for i in range(1, 41)
    ]
    return heapscope.snapshots(files)


def test_snapshots_show_both_ends_and_what_grew(series: Snapshots) -> None:
    found = page(series)
    text = found.text
    assert text.startswith("40 snapshots from 2026-01-01 00:01:00 UTC, over 39 min")
    assert "<i>1" in text
    assert "<i>40" in text
    assert "20 more between them" in text
    assert "10 → 400 +10 +6.24 kB" in text
    assert len(found.named("svg")) == 2
    assert page(series[0]).text.startswith("<i>1 class histogram")
    assert page(series[:1]).text.startswith("1 snapshot from")
    assert "Grew" not in page(series[:1]).text
    assert page(Snapshots([])).text.startswith("No snapshots")


def test_a_part_of_a_dump_is_told_apart(heap: Any, tmp_path: Path) -> None:
    cut = tmp_path / "cut.hprof"
    cut.write_bytes(heap.path.read_bytes()[:-200])
    with heapscope.open(cut, partial=True, use_index=False) as part:
        assert "partial dump: " in page(part).text
    found = heapscope.snapshots([heap.path, cut], partial=True)
    assert "heap dump, partial" in page(found).text


def test_a_diagnosis_is_cause_and_cure_without_secrets() -> None:
    diagnosis = heapscope.diagnose(sorted((ROOT / "sample_dumps").glob("leak-*.hprof.gz")))
    text = page(diagnosis).text
    assert text.startswith("Leak found: Every HDFS connect logs in anew")
    assert "50 Hadoop file systems" in text
    assert "What to do" in text
    assert "Remove KERB_TICKET_CACHE_PATH" in text
    assert "held by 50 x JNI global" in text
    assert "not-a-real-password" not in text
    assert "How we know" in page(diagnosis.findings[0]).text
    healthy = heapscope.diagnose(sorted((ROOT / "sample_dumps").glob("healthy-*.hprof.gz")))
    assert "No known leak found" in page(healthy).text


def test_growth_proof_and_guards_are_cards(series: Snapshots) -> None:
    growth = series.growth(force_series=True)
    text = page(growth).text
    assert text.startswith("What grows 40 snapshots · the whole heap grows")
    assert "10 → 400" in text
    proof = series[:20].prove(series[20:], force_series=True)
    assert page(proof).text.startswith("The cure: not fixed A: ")
    both = series[:20].compare(series[20:], force_series=True)
    assert page(both).text.startswith("Two runs: what grows A: ")
    checks = series.check(["byte[] <= 5", "byte[] <= 4"])
    text = page(checks).text
    assert text.startswith("1 guard of 2 did not hold")
    assert "✓ byte[] <= 5" in text
    assert "✗ byte[] <= 4" in text


def test_a_table_is_short_and_its_figures_read_well() -> None:
    table = Table(
        {
            "class_name": [HOSTILE] * 30,
            "instance_count": [1_234_567] * 30,
            "is_growing": [True] * 30,
            "object_id": [255] * 30,
            "share": [0.25] * 30,
            "value": [None] * 30,
        }
    )
    text = page(table).text
    assert "1,234,567 yes 0xff" in text
    assert text.count("1,234,567") == 20
    assert "and 10 more rows" in text
    assert page(Table({})).text == ""


def test_a_watched_process_is_its_verdict() -> None:
    watched = heapscope.watched_processes(heapscope.read_samples(ROOT / "sample_dumps" / "watch.csv"))
    assert [process.verdict().cause for process in watched] == ["java heap", "native malloc", "steady"]
    found = page(watched[0])
    assert found.text.startswith("worker:0 (pid ")
    assert "the Java heap grows" in found.text
    assert len(found.named("svg")) == 3
    verdict = judge(7, [0.0, 1.0], {"rss_bytes": [1.0, 2.0]})
    assert "pid 7: too early to tell" in page(verdict).text


def test_what_has_no_card_is_left_to_repr() -> None:
    class Heap:
        """Of somebody else."""

    assert html_of(Heap()) is None
    assert html_of(pd.DataFrame()) is None

    class Mine(RichRepr):
        __slots__ = ()

    assert Mine()._repr_html_() is None


def test_reading_samples_takes_one_path_or_many() -> None:
    path = ROOT / "sample_dumps" / "watch.csv"
    assert len(heapscope.read_samples(str(path))) == len(heapscope.read_samples([path, path])) == 99


def test_importing_analysis_imports_no_reporter() -> None:
    program = (
        "import sys, heapscope.heap.heap, heapscope.analysis.snapshots\n"
        "print([name for name in sys.modules if name.startswith('heapscope.reporter')])"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout == "[]\n"

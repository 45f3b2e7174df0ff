"""Every command takes --partial, and whatever it answers says that it is of a part."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import click
import jsonschema
import pytest

import heapscope
from heapscope.analysis.snapshots import Snapshots
from heapscope.cli import cli, main
from heapscope.cli.commands import COMMANDS
from heapscope.reporter.charts import plots
from heapscope.reporter.incident import build_incident
from tests.support.dumps import DumpBuilder

# They open none; and a proof or a guard that rests on half a dump is worth nothing.
NO_DUMPS = {"ps", "watch", "plot", "collect", "explain-log", "demo", "completion", "check"}


SCHEMA = Path(heapscope.__file__).parent / "reporter" / "schema" / "incident-1.schema.json"


def cut(path: Path, count: int, hours: int, *, keep: int | None = None) -> Path:
    d = DumpBuilder(timestamp_ms=1_700_000_000_000 + hours * 3_600_000)
    d.unsafe()
    d.cls("org.apache.hadoop.fs.FileSystem", fields={"next": "Object"})
    last = 0
    for _ in range(count):
        last = d.instance("org.apache.hadoop.fs.FileSystem", next=last)
    d.root("JNI_GLOBAL", last, reference_id=1)
    data = d.dump().data
    path.write_bytes(data[:keep] if keep is not None else data)
    return path


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("HEAPSCOPE_INDEX_DIR", str(tmp_path / "i"))
    return str(cut(tmp_path / "broken.hprof", 20, 1, keep=-60))


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(list(arguments)) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def test_every_command_that_opens_dumps_has_the_option() -> None:
    context = cli.make_context("heapscope", [], resilient_parsing=True)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        # Commands of a group have options of their own; agents are told of broken dumps one by one.
        if isinstance(command, click.Group) or name == "mcp":
            continue
        has_it = any("--partial" in option.opts for option in command.params)
        if name not in NO_DUMPS:
            assert has_it, name


CALLS = {
    "histogram": ["histogram", "{}"],
    "retained histogram": ["histogram", "{}", "--retained"],
    "census": ["census", "{}"],
    "diff": ["diff", "{}", "{}"],
    "trend": ["trend", "{}", "{}"],
    "suspects": ["suspects", "{}"],
    "retained": ["retained", "{}", "FileSystem"],
    "paths": ["paths", "{}", "FileSystem"],
    "dominators": ["dominators", "{}"],
    "info": ["info", "{}"],
}


@pytest.mark.parametrize("name", CALLS)
def test_text_and_json_say_so(name: str, broken: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [each.format(broken) for each in CALLS[name]]
    assert main(arguments) == 3
    error = capsys.readouterr().err
    assert "--partial" in error
    assert "% of it read" in error
    assert len(error.splitlines()) == 1
    text = run(capsys, *arguments, "--partial")
    assert "partial dump: at most" in text
    assert "uncertain: counts and sizes are lower bounds" in text
    document = json.loads(run(capsys, *arguments, "--partial", "--json"))
    for snapshot in document.get("snapshots") or [document["snapshot"]]:
        assert 0.5 < snapshot["partial"]["read_share"] < 1
        assert snapshot["partial"]["uncertainties"]
        assert snapshot["partial"]["gaps"][0]["bytes"] > 0


def test_an_object_and_a_table_as_csv_say_so(broken: str, capsys: pytest.CaptureFixture[str]) -> None:
    rows = list(csv.DictReader(io.StringIO(run(capsys, "histogram", broken, "--partial", "--csv"))))
    assert rows
    assert all(0.5 < float(row["read_share_at_most"]) < 1 for row in rows)
    with heapscope.open(broken, partial=True) as heap:
        address = f"0x{int(heap.objects('FileSystem').object_ids[0]):x}"
        frame = heap.class_histogram()
        assert frame.attrs["partial"]["read_share"] < 1
    assert "partial dump" in run(capsys, "inspect", broken, address, "--partial")
    assert json.loads(run(capsys, "inspect", broken, address, "--partial", "--json"))["partial"]


def test_a_whole_dump_stays_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(cut(tmp_path / "whole.hprof", 3, 0))
    assert run(capsys, "histogram", path, "--partial") == run(capsys, "histogram", path)
    assert "partial" not in run(capsys, "histogram", path, "--partial", "--json")


def series(tmp_path: Path) -> Snapshots:
    """10, 20, a part of 30, and 40 file systems."""
    paths = [
        cut(tmp_path / "a.hprof", 10, 0),
        cut(tmp_path / "b.hprof", 20, 1),
        cut(tmp_path / "c.hprof", 30, 2, keep=-900),
        cut(tmp_path / "d.hprof", 40, 3),
    ]
    return heapscope.snapshots(paths, partial=True)


def test_a_report_says_so_everywhere(tmp_path: Path) -> None:
    found = series(tmp_path)
    counts = found.watched(["FileSystem"])[0].instance_counts
    assert counts[0] == 10
    assert counts[2] < 20
    for ending in ("html", "md", "json"):
        heapscope.report(found, tmp_path / f"r.{ending}", patterns=["FileSystem"])
    page = (tmp_path / "r.html").read_text()
    assert "c is a part of a heap dump" in page
    assert "<strong>partial</strong>" in page
    assert "hollow: of a partial dump, at least so much" in page
    ticket = (tmp_path / "r.md").read_text()
    assert "**partial**" in ticket
    assert "c is a part of a heap dump" in ticket
    document = json.loads((tmp_path / "r.json").read_text())
    jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    assert [snapshot.get("read_share", 1) < 1 for snapshot in document["snapshots"]] == [
        False,
        False,
        True,
        False,
    ]
    assert any("partial dump" in line for line in document["verdict"])


def test_a_trend_goes_by_whole_snapshots(tmp_path: Path) -> None:
    """A part has fewer objects, and that is no fall."""
    found = series(tmp_path)
    assert found.comparable == (0, 1, 3)
    assert found.watched(["FileSystem"])[0].is_growing
    trend = found.trend_table()
    growing = dict(zip(trend.column("class_name"), trend.column("is_growing"), strict=True))
    assert growing["org.apache.hadoop.fs.FileSystem"]
    incident = build_incident(found, patterns=["FileSystem"])
    assert incident.watched_classes[0].trend == "grew every time"
    assert plots.timeline(incident.snapshots).partial == (2,)
    assert "c (partial)" in repr(found)
    for frame in (found.trend(), found.diff(), found.census(["FileSystem"])):
        assert list(frame.attrs["partial"]) == ["c"]
    with found[2].open() as heap:  # type: ignore[union-attr]
        assert "partial dump: at most" in repr(heap)
    only_parts = Snapshots([found[2], found[0]])
    assert only_parts.comparable == (0, 1)

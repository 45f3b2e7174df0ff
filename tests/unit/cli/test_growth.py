"""``heapscope growth``: what grows, how fast, and until when."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tests.unit.analysis.growth.series_of_dumps import leak_series
from tests.unit.cli.conftest import SYSTEM, Run, histograms


def test_growth_says_what_how_fast_and_until_when(run: Run, leak: list[Path]) -> None:
    ran = run("growth", *leak, "--limit", "10MB")
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert "whole heap, grows: 601 kB -> 2.04 MB, +2.88 MB (+2.88 MB to +2.88 MB, 92% sure) per hour" in lines
    reached = "reached 2026-01-01 03:15:49 UTC, in 2 h 45 min (2 h 45 min to 2 h 45 min, 92% sure)"
    assert f"stated limit 10.0 MB: {reached}" in lines
    (row,) = [line for line in lines if line.endswith(SYSTEM)]
    assert row.startswith("grows ")
    assert "+6,000" in row
    assert "java.lang.String" not in ran.out
    assert "1 class that grows" in lines


def test_all_classes_on_demand_and_in_csv(run: Run, leak: list[Path]) -> None:
    ran = run("growth", *leak, "--all", "--csv", "--sort", "name")
    rows = list(csv.DictReader(io.StringIO(ran.out)))
    assert [(row["name"], row["verdict"]) for row in rows] == [
        ("java.lang.String", "steady"),
        (SYSTEM, "grows"),
        ("org.app.Pool", "steady"),
    ]
    assert float(rows[1]["instance_count_per_hour"]) == pytest.approx(6000)
    assert rows[1]["since"] == "2026-01-01T00:00:00Z"
    assert rows[0]["since"] == ""


def test_json_has_series_forecasts_and_intervals(run: Run, leak: list[Path]) -> None:
    ran = run("growth", *leak, "--limit", "1G", "--json", "--work", "10,20,30,40")
    data = json.loads(ran.out)
    assert (data["kind"], data["by"], data["warm_up"], data["growing_count"]) == ("growth", "class", 0, 1)
    (row,) = data["rows"]
    assert row["instance_counts"] == [1000, 2000, 3000, 4000]
    assert row["instance_count_per_operation"] == pytest.approx(100)
    (forecast,) = data["forecasts"]
    assert forecast["limit"]["limit_bytes"] == 1 << 30
    assert forecast["at"].endswith("Z")
    assert data["whole_heap"]["shallow_bytes_rate"]["per_hour"]["low"] == pytest.approx(2_880_000)


def test_a_leak_that_began_late_is_dated(run: Run, tmp_path: Path) -> None:
    counts = [1000, 1001, 999, 1000, 1000, 3000, 5000, 7000, 9000, 11_000]
    lines = run("growth", *histograms(tmp_path / "late", counts, step=300)).out.splitlines()
    assert any(line.startswith("so since 2026-01-01 00:20:00 UTC") for line in lines)
    (rate,) = [line for line in lines if line.startswith("whole heap, grows")]
    assert "+11.5 MB" in rate  # 2,000 of 480 bytes in five minutes


def test_two_snapshots_show_a_difference_only(run: Run, leak: list[Path]) -> None:
    ran = run("growth", *leak[:2])
    assert "whole heap, seen twice" in ran.out
    assert "1 class that changed" in ran.out
    assert "two snapshots show a difference" in ran.out


def test_paths_are_told_from_their_beginning(run: Run, tmp_path: Path) -> None:
    ran = run("growth", *leak_series(tmp_path, [5, 10, 15, 20]), "--by", "path", "--top", "1")
    assert ran.code == 0
    lines = ran.out.splitlines()
    at = lines.index("    JNI global -> org.apache.hadoop.hdfs.DistributedFileSystem")
    assert lines[at - 1].startswith("grows: 5 -> 20 instances retain ")
    assert "1 of " in lines[-1]
    data = json.loads(run("growth", *sorted(tmp_path.glob("*.hprof")), "--by", "path", "--json").out)
    assert data["rows"][0]["name"] == "JNI global -> org.apache.hadoop.hdfs.DistributedFileSystem"
    assert data["rows"][0]["retained_bytes_last"] > 20 * 4000


def test_of_several_processes_the_one_with_most_is_taken(run: Run, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    paths = leak_series(one, [1, 2, 3], seed=5) + leak_series(two, [9, 9], seed=6)
    for command in ("growth", "trend"):
        ran = run(command, *paths)
        assert "2 snapshots of 1 other process left out; these are of the JVM with seed 5" in ran.out
        assert "left out" not in run(command, *paths, "--force-series").out
    assert run("growth", paths[0], paths[3]).code == 3  # one of each: nothing to compare


def test_what_a_sidecar_says_steers_no_terminal(run: Run, leak: list[Path], cured: list[Path]) -> None:
    for path, pid in zip([*leak, cured[0]], (1, 1, 1, 1, 2), strict=True):
        facts = {"host": "\x1b[31mevil\n", "process": {"pid": pid, "start_ticks": 1}}
        path.with_name(f"{path.name}.json").write_text(json.dumps(facts))
    for words in (
        ["growth"],
        ["growth", "--json"],
        ["trend"],
        ["check", "--no-growth", "*"],
        ["diff", "--vs", leak[0]],
    ):
        ran = run(words[0], *leak, cured[0], *words[1:])
        assert "evil" in ran.out + ran.err or words[0] == "trend"
        assert "\x1b" not in ran.out + ran.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--limit", "lots"], "is no size"),
        (["--work", "1,x"], "is no list of numbers"),
        (["--by", "colour"], "class+"),
        (["--sort", "retained_bytes_per_hour"], "no such column"),
    ],
)
def test_wrong_usage(run: Run, leak: list[Path], words: list[str], says: str) -> None:
    ran = run("growth", *leak, *words)
    assert (ran.code, ran.out) == (2, "")
    assert says in ran.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--work", "1,2"], "2 work counts for 4 snapshots"),
        (["--retained"], "a class histogram has no references"),
        (["--warm-up", "9"], "2 at least have to stay"),
    ],
)
def test_what_the_dumps_do_not_have_is_an_error(
    run: Run, leak: list[Path], words: list[str], says: str
) -> None:
    ran = run("growth", *leak, *words)
    assert (ran.code, ran.out) == (3, "")
    assert says in ran.err
    assert len(ran.err.splitlines()) == 1


# --- check ---

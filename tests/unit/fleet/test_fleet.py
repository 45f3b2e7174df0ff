"""From sketches to tables, processes, causes and cohorts."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.local import LocalFileSystem

import heapscope
from heapscope.cli import main
from heapscope.errors import HeapscopeError, QueryError
from heapscope.fleet import task
from heapscope.fleet.attributes import attributes_of
from heapscope.fleet.cohorts import Attribute, compare_cohorts
from heapscope.fleet.fleet import Fleet
from heapscope.fleet.folder import Failure, FleetFolder
from heapscope.fleet.processes import find_fleet_processes
from heapscope.fleet.schema import MEANINGS, SCHEMA_VERSION, TABLES
from heapscope.fleet.selection import parse_selection
from heapscope.fleet.sketch import make_sketch
from heapscope.fleet.sources import NamePattern, find_sources
from heapscope.fleet.task import Work, sketch_of
from heapscope.fleet.verdict import FleetVerdict, compare_fleet, judge_fleet
from heapscope.reporter.fleet import (
    comparison_text,
    render_fleet_json,
    render_fleet_markdown,
    write_fleet_report,
)
from heapscope.reporter.fleet_words import Sides, difference_words
from heapscope.reporter.text import markdown_text
from tests.support.fleet import (
    AUDIT,
    LINE,
    NAME,
    REGISTRY,
    SESSION,
    TICKET,
    Worker,
    dump_of,
    make_sketches,
    write_fleet,
    write_sidecar,
)


@pytest.fixture(scope="module")
def verdict(fleet: Fleet) -> FleetVerdict:
    return judge_fleet(fleet)


# --- sketches ---


def test_every_file_has_the_columns_and_the_version_of_the_schema(fleet: Fleet) -> None:
    folders = [each for each in fleet.path.iterdir() if each.is_dir() and not each.name.startswith(".")]
    assert len(folders) == len(fleet) == 41
    assert MEANINGS.keys() == TABLES.keys()
    for name, columns in TABLES.items():
        schema = pq.read_schema(folders[0] / f"{name}.parquet")
        assert schema.names == ["snapshot", *columns]
        assert schema.metadata[b"heapscope.schema_version"] == str(SCHEMA_VERSION).encode()
        assert schema.metadata[b"heapscope.table"] == name.encode()


def test_the_same_dump_gives_the_same_bytes(fleet_files: Path, fleet: Fleet) -> None:
    source = find_sources([str(fleet_files)], NamePattern(NAME))[4]
    made = sketch_of(Work(source, False, "1.0"))
    assert isinstance(made, dict)
    for name, data in made.items():
        assert (fleet.path / source.identity / f"{name}.parquet").read_bytes() == data


def test_a_sketch_tells_what_the_dump_does(fleet: Fleet, fleet_files: Path) -> None:
    where = f"source LIKE '%/{fleet_files.name}/host0/100-2.hprof'"
    (row,) = fleet.sql(f"SELECT * FROM snapshots WHERE {where}").to_dict("records")
    assert (row["host"], row["pid"], row["java_version"], row["kind"]) == (
        "host0",
        100,
        "17.0.15",
        "heap dump",
    )
    sessions = fleet.sql(
        f"SELECT instance_count, retained_bytes, super_name FROM classes JOIN snapshots USING (snapshot) "
        f"WHERE class_name = '{SESSION}' AND {where}"
    )
    with heapscope.open(fleet_files / "host0/100-2.hprof", use_index=False) as heap:
        objects = heap.objects(SESSION)
        assert sessions.instance_count[0] == len(objects) == 90
        assert sessions.retained_bytes[0] == objects.dominated_bytes
        assert row["object_count"] == heap.object_count
        assert row["shallow_bytes"] == heap.shallow_bytes
    jars = fleet.sql(
        f"SELECT jars.name, version FROM jars JOIN snapshots USING (snapshot) WHERE {where} ORDER BY ALL"
    )
    assert jars.to_numpy().tolist() == [["acme-server", "3.1"], ["codec", "1.0"]]
    owner = fleet.sql(f"SELECT owner FROM owners JOIN snapshots USING (snapshot) WHERE {where} LIMIT 1")
    assert owner.owner[0] == f"{REGISTRY}.BY_USER"
    assert fleet.sql(
        "SELECT role, task_index, pod FROM snapshots WHERE pod IS NOT NULL"
    ).to_numpy().tolist() == [["worker", 3, "trainer-0"]]


def test_role_host_and_pod_come_from_the_heap_where_no_sidecar_tells(tmp_path: Path) -> None:
    variables = {
        "TF_CONFIG": '{"task": {"type": "worker", "index": 7}}',
        "HOSTNAME": "trainer-7",
        "KUBERNETES_SERVICE_HOST": "10.0.0.1",
    }
    write_fleet(tmp_path / "north", [Worker("a", 1, environment=variables, dump_count=1)])
    fleet = make_sketches(tmp_path / "north", tmp_path / "fleet", "{number}.hprof")
    (row,) = fleet.snapshots.to_dict("records")
    told = [row[name] for name in ("role", "task_index", "host", "pod")]
    assert told == ["worker", 7, "trainer-7", "trainer-7"]


def test_a_host_name_that_is_masked_names_no_process(tmp_path: Path) -> None:
    """Cloud Foundry gives each container a UUID: all would be called (masked)."""
    names = ["0b8a2c1e-9d3f-4e57-8a61-2f7c3d4e5f60", "5c1d7e2f-1a2b-4c3d-9e8f-7a6b5c4d3e2f"]
    workers = [
        Worker(f"d{n}", n, dump_count=2, environment={"HOSTNAME": each}) for n, each in enumerate(names)
    ]
    write_fleet(tmp_path / "north", workers)
    found = find_fleet_processes(make_sketches(tmp_path / "north", tmp_path / "fleet", "{number}.hprof"))
    assert [(each.host, len(each.snapshots)) for each in found] == [("", 2), ("", 2)]
    assert len({each.label for each in found}) == 2


def test_dumps_without_a_sidecar_join_the_one_that_has_it(tmp_path: Path) -> None:
    """Their heap tells the host and no pid; the JVM is the same by what it drew when it started."""
    north = tmp_path / "north"
    workers = [Worker(f"d{n}", n, dump_count=3, environment={"HOSTNAME": "node1"}) for n in (7, 8)]
    first, *_ = write_fleet(north, workers)
    facts = {"host": "node1", "process": {"pid": 7, "start_ticks": 5}}
    first.with_name(f"{first.name}.json").write_text(json.dumps(facts))
    found = find_fleet_processes(make_sketches(north, tmp_path / "fleet", "{number}.hprof"))
    assert [(each.label, len(each.snapshots)) for each in found] == [("node1", 3), ("node1:7", 3)]


def test_secrets_are_masked_in_every_file(fleet: Fleet) -> None:
    values = fleet.environment
    assert set(values[values.name == "ACME_TOKEN"].value) == {
        "(masked, 23 characters; --show-secrets shows it)"
    }
    assert "/tmp/krb5cc_1000" in set(values.value)
    for path in fleet.path.rglob("*.parquet"):
        assert "s3cr3t-value" not in str(pq.read_table(path).to_pylist())


def test_what_is_broken_is_listed_and_read_in_part_if_asked(fleet: Fleet, fleet_files: Path) -> None:
    (failure,) = fleet.failures
    assert failure.source.endswith("999-0.hprof")
    assert "--partial" in failure.problem
    assert "\n" not in failure.problem
    (source,) = find_sources([failure.source])
    found = sketch_of(Work(source, True, "1.0"))
    assert isinstance(found, dict)


def test_a_file_that_grew_meanwhile_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.hprof"
    path.write_bytes(b"x")
    (source,) = find_sources([str(path)])
    path.write_bytes(b"xyz")
    assert sketch_of(Work(source, False, "1.0")) == "it had 1 bytes and has 3 now; run again when it is whole"


@pytest.mark.parametrize("protocol", ["", "copied"])
@pytest.mark.parametrize("grows", [False, True])
def test_a_file_that_is_written_while_it_is_read_has_no_sketch(
    fleet_files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: str, grows: bool
) -> None:
    """Of its old length and anew, and longer: here while it is analysed, or while it is copied."""
    path = tmp_path / "a.hprof"
    path.write_bytes((fleet_files / "host1" / "101-0.hprof").read_bytes())
    fsspec.register_implementation("copied", Copied, clobber=True)
    (source,) = find_sources([f"{protocol}://{path}" if protocol else str(path)])

    def written(method: Any) -> Any:
        def meanwhile(*arguments: Any, **named: Any) -> Any:
            found = method(*arguments, **named)
            with path.open("ab" if grows else "r+b") as file:
                file.write(b"x" if grows else path.read_bytes())
            os.utime(path, (1, 1))  # the clock of a file system may be slower than this
            return found

        return meanwhile

    if protocol:
        monkeypatch.setattr(Copied, "get_file", written(Copied.get_file))
    else:
        monkeypatch.setattr(task, "make_sketch", written(make_sketch))
    size = source.byte_count
    expected = (
        f"it had {size:,} bytes and has {size + (not protocol):,} now"
        if grows and not protocol
        else "it was written while it was read"
    )
    assert sketch_of(Work(source, False, "1.0")) == f"{expected}; run again when it is whole"


class Copied(LocalFileSystem):  # type: ignore[misc]
    """The disk as a store that must be copied from."""

    protocol = "copied"
    local_file = False


def test_a_scratch_folder_that_is_not_there_is_named(fleet_files: Path, tmp_path: Path) -> None:
    fsspec.register_implementation("copied", Copied, clobber=True)
    (source,) = find_sources([f"copied://{fleet_files}/host1/101-0.hprof"])
    nowhere = str(tmp_path / "nowhere")
    problem = f"the scratch folder {nowhere}: No such file or directory; --scratch names another"
    assert sketch_of(Work(source, False, "1.0", nowhere)) == problem


# --- the folder ---


def test_a_folder_that_is_no_fleet_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HeapscopeError, match="no folder of a fleet"):
        heapscope.open_fleet(tmp_path)
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(HeapscopeError, match="not empty"):
        FleetFolder(tmp_path, create=True)
    assert [each.name for each in tmp_path.iterdir()] == ["mine"]
    for version in (SCHEMA_VERSION - 1, 99):
        (tmp_path / "fleet.json").write_text(f'{{"schema_version": {version}}}')
        with pytest.raises(HeapscopeError, match=f"version {version}.*make them anew"):
            heapscope.open_fleet(tmp_path)
        with pytest.raises(HeapscopeError, match=f"version {version}"):
            FleetFolder(tmp_path, create=True)


def test_other_columns_are_another_version() -> None:
    # A query names every column: a sketch of other columns ends in an error of the engine.
    digest = hashlib.sha256(json.dumps(TABLES).encode()).hexdigest()[:8]
    assert (SCHEMA_VERSION, digest) == (2, "9945a155")


def test_a_sketch_is_whole_or_absent(tmp_path: Path) -> None:
    folder = FleetFolder(tmp_path / "f", create=True)
    left = tmp_path / "f" / ".unfinished" / "x"
    left.mkdir(parents=True)
    (left / "snapshots.parquet").write_bytes(b"half")
    assert folder.identities() == set()
    assert len(heapscope.open_fleet(tmp_path / "f").snapshots) == 0
    folder.add("0" * 32, {"snapshots": b"1"})
    folder.add("0" * 32, {"snapshots": b"2"})  # another run was faster
    assert (tmp_path / "f" / ("0" * 32) / "snapshots.parquet").read_bytes() == b"1"
    with folder.writing():
        assert not left.exists()


def test_two_runs_may_write_at_once(tmp_path: Path) -> None:
    """The second leaves alone what the first is writing; what killed runs left goes with the next alone."""
    first, second = (FleetFolder(tmp_path / "f", create=True) for _ in range(2))
    half = tmp_path / "f" / ".unfinished" / "x"
    with first.writing():
        half.mkdir(parents=True)
        with second.writing():
            assert half.exists()
            second.add("0" * 32, {"snapshots": b"1"})
        first.add_failure(Failure("0" * 32, "a.hprof", "it was away"))  # the other has read it
        assert first.failures() == []
    with second.writing():
        assert not half.exists()


# --- SQL ---


def test_queries_over_all_sketches(fleet: Fleet) -> None:
    found = fleet.sql("SELECT host, count(*) AS n FROM snapshots GROUP BY ALL ORDER BY ALL")
    assert found.to_numpy().tolist() == [["host0", 15], ["host1", 14], ["host2", 12]]
    assert fleet.sql("SELECT 1 AS one", to="arrow").to_pylist() == [{"one": 1}]
    assert len(fleet.threads) == 41
    bar = fleet.sql("SELECT current_setting('enable_progress_bar') AS is_drawn")
    assert not bar.is_drawn[0]  # it would be drawn on standard output
    assert "classes" in dir(fleet)
    with pytest.raises(AttributeError, match="has no table 'clases'"):
        _ = fleet.clases


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("SELECT * FROM clases", "did you mean classes"),
        ("SELECT hst FROM snapshots", "did you mean host"),
        ("SELECT * FROM read_text('/etc/hostname')", "no file"),
        ("COPY snapshots TO '/tmp/x'", "is not a query"),
        ("SELECT 1; SELECT 2", "2 statements"),
    ],
)
def test_what_a_query_may_not_is_said(fleet: Fleet, query: str, problem: str) -> None:
    with pytest.raises(QueryError, match=problem):
        fleet.sql(query)


# --- verdicts ---


def test_processes_and_why_they_leak(verdict: FleetVerdict) -> None:
    assert len(verdict.processes) == 14
    assert [str(each.status) for each in verdict.processes].count("leak") == 5
    assert [str(each.status) for each in verdict.processes].count("no leak found") == 8
    (group,) = verdict.groups
    assert (group.cause.key, group.cause.kind) == (f"{REGISTRY}.BY_USER", "owner field")
    assert sorted(each.pid or 0 for each in verdict.leaking) == [100, 101, 102, 103, 104]
    assert all(each.bytes_per_hour is not None for each in verdict.processes)
    assert verdict.host_count == 3


def test_what_tells_the_leaking_from_the_healthy(verdict: FleetVerdict) -> None:
    (group,) = verdict.groups
    assert group.is_against_healthy
    assert (group.cohorts.a_size, group.cohorts.b_size) == (5, 8)
    (only,) = group.cohorts.significant
    assert only.name == f"{TICKET} is set"
    assert (only.a_count, only.b_count) == (5, 0)
    assert only.also == (f"environment variable {TICKET} = /tmp/krb5cc_1000",)


def test_copies_of_a_dump_count_once(fleet_files: Path, fleet: Fleet, tmp_path: Path) -> None:
    copy = tmp_path / "copy.hprof"
    copy.write_bytes((fleet_files / "host0/100-2.hprof").read_bytes())
    folder = FleetFolder(tmp_path / "f", create=True)
    for source in find_sources([str(copy), str(fleet_files / "host0/100-*.hprof")]):
        found = sketch_of(Work(source, False, "1.0"))
        assert isinstance(found, dict)
        folder.add(source.identity, found)
    processes = judge_fleet(Fleet(tmp_path / "f")).processes
    assert sorted(len(each.snapshots) for each in processes) in ([3], [1, 2])


@pytest.mark.parametrize(
    ("a", "b", "is_worse"),
    [
        (f"env.{TICKET} is set", None, True),
        (f"env.{TICKET} is not set and not pid=113", f"env.{TICKET} is set", False),
        ("jar.codec=1.* and not pid=113", "jar.codec=2.0", False),
    ],
)
def test_cohorts_named_by_hand(fleet: Fleet, a: str, b: str | None, is_worse: bool) -> None:
    assert compare_fleet(fleet, a, b).is_worse is is_worse


def test_processes_with_too_few_snapshots_do_not_count_as_healthy(fleet: Fleet) -> None:
    found = compare_fleet(fleet, "status='too few snapshots'")
    assert (found.a_judged, found.b_judged) == (0, 13)
    assert not found.can_tell
    text = comparison_text(found)
    assert text.startswith("Too few to tell: 0 of 1 process of A and 13 of 13 of B have enough snapshots")
    assert "Which processes leak is known of no A process" in text


def test_single_dumps_do_not_prove_that_neither_side_leaks(fleet: Fleet) -> None:
    found = compare_fleet(fleet, f"env.{TICKET} is not set", f"env.{TICKET} is set")
    assert found.can_tell
    assert not replace(found, b_judged=0).can_tell


FACTS = {
    "host": frozenset({"h1"}),
    "env.X": frozenset({"1"}),
    "heap_bytes": frozenset({"900"}),
    "time": frozenset({"2026-05-31T10:00:00+00:00"}),
}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("host=h1", True),
        ("host = 'h1'", True),
        ("host=h*", True),
        ("host!=h1", False),
        ("pod!=x", True),
        ("pod=x", False),
        ("env.X is set", True),
        ("env.Y is not set", True),
        ("not env.X is set", False),
        ("host=h2 or host=h1 and env.X=1", True),
        ("(host=h2 or host=h1) and env.X=2", False),
        ("heap_bytes < 1000", True),
        ("heap_bytes >= 1000", False),
        ("heap_bytes < 1kB", True),
        ("heap_bytes = 900", True),
        ("time >= 2026-05-31", True),
        ("time < 2026-05-31T11:30+02:00", False),
        ("env.X < 10", True),
    ],
)
def test_expressions(text: str, holds: bool) -> None:
    assert parse_selection(text)(FACTS) is holds


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "at the end: expected a name"),
        ("host", "expected 'is set' or one of"),
        ("host=", "at the end: expected a value"),
        ("host==h1", "at '=h1': expected a value"),
        ("hst=1", "there is no 'hst'; near to it: host"),
        ("evn.X is set", "there is no 'evn.X'; near to it: env.X"),
        ("environment.X is set", "there is no 'environment.X'; near to it: env.X"),
        ("env is set", "expected a name behind env, as in env.X"),
        ("zzz=1", "there is no 'zzz'; there are host, pod"),
        ("env.X is", "expected 'set'"),
        ("(host=h1", "expected ')'"),
        ("host=h1 host=h2", "expected 'and', 'or' or the end"),
        ("host is on", "expected 'set'"),
        ("status=leaking", "there is no such status; there are 'leak', 'no leak found', 'too few snapshots'"),
        ("heap_bytes > much", "heap_bytes is compared with a size"),
        ("snapshots > 2GB", "snapshots is compared with a number"),
        ("time > yesterday", "time is compared with a date or a time"),
    ],
)
def test_expressions_that_are_none(text: str, problem: str) -> None:
    with pytest.raises(HeapscopeError, match="cohort") as caught:
        parse_selection(text)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("a", "problem"),
    [
        (
            "env.KERB_TICKET_CACHE_PAHT is set",
            f"no process has env.KERB_TICKET_CACHE_PAHT; near to it: env.{TICKET}",
        ),
        ("role=wroker", "no process has role=wroker; near to it: worker"),
        ("host=nowhere", "it names none of 14 processes: no process has host=nowhere"),
    ],
)
def test_a_cohort_of_nobody_names_what_is_near(fleet: Fleet, a: str, problem: str) -> None:
    with pytest.raises(HeapscopeError) as caught:
        compare_fleet(fleet, a)
    assert problem in str(caught.value)


def test_a_name_that_nobody_has_is_said_where_the_cohort_is_not_empty(fleet: Fleet) -> None:
    found = compare_fleet(fleet, "host=host0 and env.EVENS is not set")
    assert "No process has env.EVENS; near to it: env.EVEN" in comparison_text(found)


# --- what people see ---


def test_the_report_says_it_in_words(verdict: FleetVerdict) -> None:
    text = render_fleet_markdown(verdict)
    assert text.startswith("# 5 of 14 processes on 3 hosts leak, for 1 cause\n")
    assert f"All 5 leaking processes have {markdown_text(TICKET)} set, none of the 8 healthy ones" in text
    assert "library versions" in text
    assert "1 process has too few snapshots to be called leaking or healthy" in text
    assert "class counts and findings in the sketches" in text
    assert "counted nowhere: 1 file" in text
    assert "5 processes, grouped by owner field. Each grows by 6.96 kB/h; when memory runs out" in text


def test_what_could_not_be_told_from_chance_is_no_attribute_that_was_compared() -> None:
    """A host that one process has, among eight: it differs, and is no test."""
    is_a = np.arange(8) < 4
    own = [Attribute("host", f"h{number}", (np.arange(8) == number) * 1.0) for number in range(3)]
    words = difference_words(compare_cohorts(own, is_a), Sides("leaking", "healthy"))
    assert words == [
        "Nothing that is known tells them apart: 4 leaking against 4 healthy. They differ in hosts, but too "
        "few share any of these to tell it from chance."
    ]
    words = difference_words(compare_cohorts([], is_a), Sides("leaking", "healthy"))
    assert words == ["Nothing that is known of them differs: 4 leaking against 4 healthy."]


def test_too_few_name_what_is_worth_a_look() -> None:
    resident = Attribute("load", "resident memory", np.array([3.0, 4.0, 1.0, 2.0]), is_number=True)
    zone = Attribute("label", "zone a", np.array([1.0, 1.0, 0.0, 0.0]))
    found = compare_cohorts([resident, zone], np.arange(4) < 2)
    words = difference_words(found, Sides("leaking", "healthy"))
    assert words[1] == "Worth a look, no more: label zone a, resident memory tell all of them apart."


def test_the_report_for_programs(verdict: FleetVerdict) -> None:
    document = json.loads(render_fleet_json(verdict))
    assert document["counts"] == {"leak": 5, "no leak found": 8, "too few snapshots": 1}
    (cause,) = document["causes"]
    assert cause["differences"][0]["name"] == f"{TICKET} is set"
    assert len(document["processes"]) == 14


def test_the_page_is_whole_and_hostile_text_is_text(
    fleet: Fleet, verdict: FleetVerdict, tmp_path: Path
) -> None:
    write_fleet_report(verdict, tmp_path / "fleet.html")
    page = (tmp_path / "fleet.html").read_text()
    assert page.count("<svg") == 14
    assert "5 of 14 processes on 3 hosts leak" in page
    assert "https://" not in page
    with pytest.raises(heapscope.OutputExists):
        write_fleet_report(verdict, tmp_path / "fleet.html")


@pytest.mark.pdf
def test_heaps_and_hosts_stand_beside_each_other_on_paper(verdict: FleetVerdict, tmp_path: Path) -> None:
    """One below the other, 500 processes took 60 pages."""
    pypdf = pytest.importorskip("pypdf")
    write_fleet_report(verdict, tmp_path / "f.pdf", force=False)
    seen: dict[str, set[int]] = {}  # where each text begins, in points from the left

    def note(text: str, _: object, matrix: Sequence[float], *others: object) -> None:
        seen.setdefault(text.strip(), set()).add(round(matrix[4]))

    for page in pypdf.PdfReader(tmp_path / "f.pdf").pages:
        page.extract_text(visitor_text=note)
    labels = [each.label for each in verdict.processes]
    assert len({place for text, places in seen.items() if text in labels for place in places}) >= 5


def test_commands(fleet: Fleet, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*arguments: Any) -> int:
        return main(["fleet", *map(str, arguments)])

    assert run("report", fleet.path) == 0
    assert "5 of 14 processes" in capsys.readouterr().out
    assert run("report", fleet.path, "--json", "-o", tmp_path / "both.html") == 2
    assert "both.html ask for different formats" in capsys.readouterr().err
    assert not (tmp_path / "both.html").exists()
    assert run("report", fleet.path, "-o", tmp_path / "r.txt") == 3
    assert "ends in .html" in capsys.readouterr().err
    assert run("compare", fleet.path, "--a", f"env.{TICKET} is set") == 1
    assert "A leaks or grows more than B." in capsys.readouterr().out
    assert run("compare", fleet.path, "--a", "pid=100", "--b", "pid=105", "--json") == 4
    assert json.loads(capsys.readouterr().out)["is_worse"] is False
    assert run("compare", fleet.path, "--a", "pid=") == 3
    assert run("run", tmp_path, "-o", tmp_path / "out") == 3
    assert run("report", tmp_path) == 3


def test_the_page_has_every_table_and_column() -> None:
    page = (Path(heapscope.__file__).parents[1] / "docs/how-to/fleet.md").read_text()
    for name, columns in TABLES.items():
        assert f"| `{name}` | {MEANINGS[name]} | `{', '.join(columns)}` |" in page


# --- what is not in the shared fleet ---


def test_garbage_that_grows_is_no_leak(tmp_path: Path) -> None:
    """The collector's own fillers between objects, which the next full compaction takes away."""
    workers = [
        Worker("h1", 1, dump_count=4, session_count=30, garbage_per_dump=200),
        Worker("h2", 2, dump_count=4, session_count=30, garbage_per_dump=200, leaks=True, per_dump=30),
    ]
    write_fleet(tmp_path / "north", workers)
    fleet = make_sketches(tmp_path / "north", tmp_path / "fleet")
    counts = fleet.sql(
        "SELECT max(instance_count) AS counted, max(reachable_count) AS reachable FROM classes "
        "WHERE class_name = 'int[]'"
    )
    assert (counts.counted[0], counts.reachable[0]) == (600, 0)
    healthy, leaking = judge_fleet(fleet).processes
    assert (str(healthy.status), healthy.causes) == ("no leak found", ())
    assert len(set(healthy.heap_bytes)) == 1
    assert [each.cause.key for each in leaking.causes] == [f"{REGISTRY}.BY_USER"]


def test_dumps_that_are_cut_are_left_out_of_verdicts(tmp_path: Path) -> None:
    """Of a cut dump nothing tells what is garbage: all dumps of the process were counted with theirs."""
    workers = [
        Worker("h1", 1, dump_count=4, session_count=30, garbage_per_dump=200),
        Worker("h2", 2, dump_count=4, session_count=30, leaks=True, per_dump=30),
        Worker("h3", 3, dump_count=1, session_count=30),
    ]
    for path in write_fleet(tmp_path / "north", workers):
        if path.name in ("1-3.hprof", "2-3.hprof", "3-0.hprof"):
            path.write_bytes(path.read_bytes()[: path.stat().st_size * 9 // 10])
    verdict = judge_fleet(make_sketches(tmp_path / "north", tmp_path / "fleet", partial=True))
    assert [str(each.status) for each in verdict.processes] == ["no leak found", "leak", "too few snapshots"]
    assert [len(each.snapshots) for each in verdict.processes] == [3, 3, 1]
    assert [each.cause.key for each in verdict.processes[1].causes] == [f"{REGISTRY}.BY_USER"]
    text = render_fleet_markdown(verdict)
    assert "Left out: 2 snapshots read in part, of processes that have two whole ones." in text
    assert "Read in part: 1 snapshot, whose counts are lower bounds." in text


def as_histogram(fleet: Fleet, path: Path) -> Path:
    """The class histogram of a dump in its place."""
    rows = fleet.sql(
        "SELECT class_name, reachable_count, reachable_bytes "
        f"FROM classes JOIN snapshots USING (snapshot) WHERE source = '{path}' AND reachable_count > 0"
    )
    lines = [f"{n}: {count} {size} {name}" for n, (name, count, size) in enumerate(rows.to_numpy(), 1)]
    total = f"Total {rows.reachable_count.sum()} {rows.reachable_bytes.sum()}"
    text = "\n".join(("num #instances #bytes class name", "-" * 20, *lines, total))
    path.unlink()
    path = path.with_suffix(".histogram.txt")
    path.write_text(f"{text}\n")
    return path


def test_the_only_dump_beside_class_histograms_is_looked_at_though_it_is_cut(tmp_path: Path) -> None:
    """Its counts are lower bounds and left out; its variables and known leaks no histogram tells."""
    paths = write_fleet(tmp_path / "north", [Worker("h1", 1, dump_count=4, leaks=True, session_count=30)])
    fleet = make_sketches(tmp_path / "north", tmp_path / "dumps alone")
    for place, path in enumerate(paths[:3]):
        histogram = as_histogram(fleet, path)
        moment = f"2026-05-31T1{place}:00:00Z"
        histogram.with_name(f"{histogram.name}.json").write_text(json.dumps({"captured_at": moment}))
    paths[3].write_bytes(paths[3].read_bytes()[: paths[3].stat().st_size * 9 // 10])
    mixed = make_sketches(tmp_path / "north", tmp_path / "mixed", "{host}/{pid}-{number}.*", partial=True)
    (found,) = judge_fleet(mixed).processes
    assert (len(found.snapshots), found.left_out_count) == (3, 1)
    cut = mixed.sql("SELECT snapshot FROM snapshots WHERE NOT is_whole").snapshot[0]
    assert found.last_dump == cut


def test_class_histograms_join_the_dumps_of_the_same_class(tmp_path: Path) -> None:
    """They tell what grows; what holds it the dumps of other processes tell, where all say the same."""
    workers = [
        Worker("h1", 1, leaks=True, session_count=30, per_dump=30),
        Worker("h2", 2, leaks=True, session_count=30, per_dump=30),
        Worker("h3", 3, leaks=True, session_count=30, per_dump=30),
    ]
    paths = write_fleet(tmp_path / "north", workers)
    fleet = make_sketches(tmp_path / "north", tmp_path / "dumps alone")
    for place, path in enumerate(path for path in paths if path.parent.name != "h1"):
        path = as_histogram(fleet, path)
        if path.parent.name == "h2":
            moment = f"2026-05-31T1{place}:00:00Z"
            path.with_name(f"{path.name}.json").write_text(json.dumps({"captured_at": moment}))
    mixed = make_sketches(tmp_path / "north", tmp_path / "mixed", "{host}/{pid}-{number}.*")
    found = judge_fleet(mixed)
    (group,) = found.groups
    assert group.cause.key == f"{REGISTRY}.BY_USER"
    assert [(each.label, each.causes[0].is_by_class) for each in group.members] == [
        ("h1:1", False),
        ("h2:2", True),
    ]
    text = render_fleet_markdown(found)
    assert "In 1 process of these only the growing class is known" in text
    # Class histograms whose order nothing tells are not compared, and the report says so.
    assert [each.label for each in found.processes if each.problem] == ["h3:3"]
    assert "The snapshots of 1 process could not be compared; h3:3: " in text
    assert "--order" not in text


def test_a_process_may_leak_for_two_causes(tmp_path: Path) -> None:
    both = Worker("h1", 1, leaks=True, session_count=30, per_dump=30, lines_per_dump=30)
    write_fleet(tmp_path / "north", [both])
    fleet = make_sketches(tmp_path / "north", tmp_path / "fleet")
    (found,) = find_fleet_processes(fleet)
    causes = {each.cause.key: (each.class_name, each.instance_count) for each in found.causes}
    assert causes == {f"{REGISTRY}.BY_USER": (SESSION, 120), f"{AUDIT}.LINES": (LINE, 120)}


def test_growth_over_few_snapshots_without_a_cause_is_not_healthy(tmp_path: Path) -> None:
    """The heap rises, and falls a little: neither leaking nor healthy, until there are six of them."""
    fleet = make_sketches(write_uneven(tmp_path / "north", (30, 60, 90, 80)), tmp_path / "few")
    (found,) = find_fleet_processes(fleet)
    assert (str(found.status), found.causes) == ("too few snapshots", ())


@pytest.mark.parametrize(
    ("counts", "status"),
    [
        ((30, 90, 135, 165, 190, 205, 216), "too few snapshots"),
        ((30, 90, 135, 165, 190, 205, 205, 205, 205), "no leak found"),
    ],
)
def test_growth_that_slows_down_is_healthy_when_it_has_ended(
    tmp_path: Path, counts: Sequence[int], status: str
) -> None:
    """A cache that fills, or a leak under less load: as long as it rises nothing tells which."""
    fleet = make_sketches(write_uneven(tmp_path / "north", counts), tmp_path / "fleet")
    (found,) = find_fleet_processes(fleet)
    assert (str(found.status), found.causes) == (status, ())


def write_uneven(folder: Path, counts: Sequence[int]) -> Path:
    for number, count in enumerate(counts):
        path = folder / "h1" / f"1-{number}.hprof"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(dump_of(Worker("h1", 1, session_count=count), number))
    return folder


def test_age_and_load_are_attributes(tmp_path: Path) -> None:
    workers = [Worker("h1", number, dump_count=2, session_count=3) for number in range(3)]
    paths = write_fleet(tmp_path / "north", workers)
    for path, number, dump in zip(paths, (0, 0, 1, 1), (0, 1, 0, 1), strict=False):
        write_sidecar(
            path,
            "h1",
            number,
            work_count=1000 * number + 500 * dump,
            age_seconds=3600 * (dump + 1),
            rss_bytes=7,
        )
    fleet = make_sketches(tmp_path / "north", tmp_path / "fleet")
    found = {each.name: each.values for each in attributes_of(fleet, find_fleet_processes(fleet))}
    np.testing.assert_array_equal(found["age of the process"], [7200, 7200, np.nan])
    np.testing.assert_array_equal(found["resident memory"], [7, 7, np.nan])
    np.testing.assert_array_equal(found["work units per hour"], [500, 500, np.nan])
    np.testing.assert_array_equal(found["number of threads"], [1, 1, 1])


def test_masked_values_are_compared_by_their_length(tmp_path: Path) -> None:
    """A setting that goes with the leak is found, though masked; values of one length tell nothing."""
    for pid, close in enumerate(("late", "early", "early"), 1):
        values = {"CLOSE": close, "ZONE": "abc"[pid - 1], "CACHED": "true" if pid == 1 else "off"}
        write_fleet(
            tmp_path / "north", [Worker("h1", pid, dump_count=1, session_count=3, environment=values)]
        )
    fleet = make_sketches(tmp_path / "north", tmp_path / "fleet")
    found = {each.name: list(each.values) for each in attributes_of(fleet, find_fleet_processes(fleet))}
    assert found["CLOSE = (masked, 4 characters)"] == [1, 0, 0]
    assert found["CLOSE = (masked, 5 characters)"] == [0, 1, 1]
    assert found["CACHED = true"] == [1, 0, 0]  # a switch is no secret
    assert [name for name in found if name.startswith("ZONE")] == ["ZONE is set"]


# --- one process ---


def test_the_dumps_of_one_process_are_opened_where_they_are(
    fleet: Fleet, fleet_files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fleet", "open", str(fleet.path), "host0:100"]) == 0
    first, *commands = capsys.readouterr().out.splitlines()
    assert first == "trainer-0:100 (worker 3): leak, 3 files"
    dumps = [str(fleet_files / "host0" / f"100-{number}.hprof") for number in range(3)]
    assert [shlex.split(each) for each in commands] == [
        ["heapscope", "explore", dumps[-1]],
        ["heapscope", "diagnose", *dumps],
        ["heapscope", "report", *dumps, "-o", "trainer-0-100-worker-3.html"],
    ]
    assert main(shlex.split(commands[1])[1:]) == 0
    assert "BY_USER" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("process", "problem"),
    [("host1:10", "may be one of 3 processes"), ("hst0:100", "near to it: host0:10")],
)
def test_a_process_that_is_not_named_clearly(
    fleet: Fleet, process: str, problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fleet", "open", str(fleet.path), process]) == 3
    assert problem in capsys.readouterr().err


def test_a_dump_that_has_gone_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (path,) = write_fleet(tmp_path / "north", [Worker("h1", 1, dump_count=1, session_count=3)])
    fleet = make_sketches(tmp_path / "north", tmp_path / "fleet")
    path.unlink()
    assert main(["fleet", "open", str(fleet.path), "h1:1"]) == 3
    assert f"{path}: the dump is not there any more" in capsys.readouterr().err

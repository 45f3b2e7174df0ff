"""``heapscope threads``."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tests.support.dumps import DumpBuilder
from tests.unit.cli.conftest import Run
from tests.unit.heap.objects.test_thread_stacks import PARK, SLEEP, virtual_thread

SECRET = "password=hunter2secret"


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    d = DumpBuilder(jdk=25)
    for place in range(7):
        virtual_thread(d, f"worker-{place}", PARK, 100)
    text, number = d.string(SECRET), d.primitive_array("int", [1, 2, 3])
    d.thread("main", frames=SLEEP, local_ids=[(text, 0), (number, 0), (number, 0)], daemon=True)
    return d.dump().save(tmp_path / "a.hprof")


def test_text_has_stacks_with_what_lies_on_them(run: Run, dump: Path) -> None:
    ran = run("threads", dump)
    assert ran.code == 0
    assert "1 platform thread; 7 virtual threads with 1 stack" in ran.out
    assert "and 2 more" in ran.out  # names
    assert ran.out.count("    at com.acme.Worker.run(Worker.java:12)") == 1
    assert '"main" 0x' in ran.out
    assert "daemon, priority 5" in ran.out
    assert ran.out.count("int[] 0x") == 1
    assert max(map(len, ran.out.splitlines())) <= 80


def test_secrets_on_stacks_are_masked(run: Run, dump: Path) -> None:
    assert "hunter2secret" not in run("threads", dump).out
    assert "hunter2secret" not in run("threads", dump, "--json").out
    assert "hunter2secret" in run("threads", dump, "--show-secrets").out


def test_json_has_every_frame_and_object(run: Run, dump: Path) -> None:
    document = json.loads(run("threads", dump, "--json").out)
    rows = {row["name"]: row for row in document["rows"]}
    assert document["row_count"] == 2
    assert (rows["main"]["thread_count"], rows["main"]["is_daemon"]) == (1, True)
    assert {each["class_name"] for each in rows["main"]["objects"]} == {"java.lang.String", "int[]"}
    (workers,) = (row for row in document["rows"] if row["is_virtual"])
    assert (workers["thread_count"], len(workers["names"])) == (7, 7)
    assert workers["frames"][1] == "com.acme.Worker.run(Worker.java:12)"


def test_csv_order_and_limit(run: Run, dump: Path, tmp_path: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(run("threads", dump, "--csv").out)))
    assert int(rows[0]["retained_bytes"]) >= int(rows[1]["retained_bytes"])
    output = tmp_path / "threads.csv"
    assert run("threads", dump, "--sort", "name", "--top", "1", "-o", output).code == 0
    (row,) = csv.DictReader(io.StringIO(output.read_text()))
    assert row["name"] == "main"
    assert "1 of 2 stacks; --top 0 shows all" in run("threads", dump, "--top", "1").out

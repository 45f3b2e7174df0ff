"""``heapscope ps``: a line for each process, and what matters below it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from heapscope.collector import processes
from heapscope.collector.perfdata import HeapUse
from heapscope.collector.processes import JvmProcess
from tests.unit.cli.conftest import Run
from tests.unit.collector.living import jvm_process

HEAP = HeapUse(
    used_bytes=10_000_000,
    committed_bytes=20_000_000,
    max_bytes=64_000_000,
    old_used_bytes=0,
    metaspace_used_bytes=0,
    metaspace_committed_bytes=0,
)
WORKER = replace(
    jvm_process(),
    pid=4711,
    namespace_pid=1,
    role="worker",
    task_index=3,
    jvm_version="17.0.15+6-Debian",
    heap=HEAP,
    environment={"KERB_TICKET_CACHE_PATH": "/tmp/krb5cc_7"},
    is_suspect=True,
    attach="signal",
    attach_reason="needs a SIGQUIT",
)
PLAIN = replace(jvm_process(), pid=8, namespace_pid=8, user="ev\x1bil", unreadable=("environment",))


@pytest.fixture(autouse=True)
def found(monkeypatch: pytest.MonkeyPatch) -> list[JvmProcess]:
    listed = [WORKER, PLAIN]
    monkeypatch.setattr(processes, "find", lambda: listed)
    monkeypatch.setattr(processes, "hidden", lambda: 0)
    return listed


def test_the_table_has_a_line_for_each_and_what_matters_below(run: Run) -> None:
    ran = run("ps")
    assert ran.code == 0
    heading, worker, *below = ran.out.splitlines()
    assert heading.split()[:4] == ["pid", "user", "task", "jvm"]
    assert worker.split()[:6] == ["4711", "(1)", "me", "worker:3", "17.0.15+6", "10.0MB/20.0MB/64.0MB"]
    assert below[0] == "    attach: needs a SIGQUIT"
    assert below[1] == "    KERB_TICKET_CACHE_PATH=/tmp/krb5cc_7"
    assert below[2].startswith("    ! HDFS with KERB_TICKET_CACHE_PATH")
    assert below[3].split()[1:5] == ["ev\\x1bil", "java", "?", "-"]
    assert below[4] == "    not readable: environment"


def test_a_role_leaves_the_others_out(run: Run) -> None:
    rows = json.loads(run("ps", "--role", "worker", "--json").out)["processes"]
    assert [row["pid"] for row in rows] == [4711]
    assert rows[0]["heap"]["used_bytes"] == 10_000_000
    assert run("ps", "--role", "chief").out == "no process with a JVM\n"


def test_what_may_not_be_looked_into_is_counted(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "hidden", lambda: 2)
    assert run("ps").out.splitlines()[-1] == "2 processes could not be looked into"

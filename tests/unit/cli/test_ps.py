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
    heading, worker, plain, _, count, *below = ran.out.splitlines()
    assert heading.split()[:6] == ["pid", "user", "task", "jvm", "used", "MB"]
    assert worker.split()[:7] == ["4711", "(1)", "me", "worker:3", "17.0.15+6", "10.0", "20.0"]
    assert plain.split()[1:4] == ["ev\\x1bil", "java", "?"]
    assert count == "2 processes"
    assert below[:3] == ["", "4711:", "    attach: needs a SIGQUIT"]
    assert below[3] == "    KERB_TICKET_CACHE_PATH=/tmp/krb5cc_7"
    assert below[4].startswith("    ! HDFS with KERB_TICKET_CACHE_PATH")
    assert below[5:] == ["", "8:", "    not readable: environment"]


def test_main_class_or_script_without_its_arguments(run: Run, found: list[JvmProcess]) -> None:
    found[:] = [
        replace(WORKER, command=("/usr/bin/python3", "/srv/train.py", "--token=hunter2")),
        replace(PLAIN, command=("/jdk/bin/java", "-cp", "a:b", "com.acme.Main", "hunter2")),
    ]
    out = run("ps").out
    assert "hunter2" not in out
    assert [line.split()[-1] for line in out.splitlines()[1:3]] == ["train.py", "com.acme.Main"]


def test_what_several_have_in_common_is_said_once(run: Run, found: list[JvmProcess]) -> None:
    found[:] = [replace(PLAIN, pid=pid, namespace_pid=pid) for pid in (8, 9)]
    out = run("ps").out
    assert out.count("not readable: environment") == 1
    assert "\n8, 9:\n" in out


def test_a_column_has_one_unit_and_sorts(run: Run, found: list[JvmProcess]) -> None:
    found[:] = [replace(PLAIN, pid=pid, namespace_pid=pid, rss_bytes=pid * 400_000_000) for pid in (2, 9)]
    out = run("ps", "--sort", "RSS").out
    end = out.splitlines()[0].index("rss MB") + len("rss MB")
    assert [line[:end].split()[-1] for line in out.splitlines()[1:3]] == ["3,600.0", "800.0"]
    rows = json.loads(run("ps", "--sort", "rss", "--json", "--top", "1").out)["processes"]
    assert [row["pid"] for row in rows] == [9]
    lines = run("ps", "--csv").out.splitlines()
    assert lines[0].split(",")[7:10] == ["vsz_bytes", "rss_bytes", "age"]


def test_pids_and_ages_sort_as_numbers(run: Run, found: list[JvmProcess]) -> None:
    found[:] = [
        replace(PLAIN, pid=pid, namespace_pid=pid, age_seconds=3600.0 * hours)
        for pid, hours in ((90, 2), (1000, 10), (800, 1))
    ]
    for column, pids in (("pid", ["90", "800", "1000"]), ("age", ["1000", "90", "800"])):
        lines = run("ps", "--sort", column, "--csv").out.splitlines()
        assert [line.split(",")[0] for line in lines[1:]] == pids


def test_secrets_are_masked_unless_asked_for(run: Run, found: list[JvmProcess]) -> None:
    options = {"LIBHDFS_OPTS": "-Xmx1g -Djavax.net.ssl.trustStorePassword=hunter2-hunter2"}
    found[:] = [replace(WORKER, environment=options)]
    for option in ("--json", "--csv"):
        assert "hunter2" not in run("ps").out + run("ps", option).out
    assert "hunter2-hunter2" in run("ps", "--show-secrets").out
    assert "hunter2-hunter2" in run("ps", "--show-secrets", "--json").out


def test_a_role_leaves_the_others_out(run: Run) -> None:
    rows = json.loads(run("ps", "--role", "worker", "--json").out)["processes"]
    assert [row["pid"] for row in rows] == [4711]
    assert rows[0]["heap"]["used_bytes"] == 10_000_000
    assert run("ps", "--role", "chief").out == "no process with a JVM\n"


def test_what_may_not_be_looked_into_is_counted(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "hidden", lambda: 2)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert run("ps").out.splitlines()[-1] == "2 processes could not be looked into"
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert run("ps").out.splitlines()[-1].endswith("into; root can look into those of other users")

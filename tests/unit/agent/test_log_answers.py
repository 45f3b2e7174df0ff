"""The answer about logs: who was ended, at which limit, what next; no message unless that is asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from heapscope.agent.answer import Answer
from heapscope.agent.disclosure import Disclosure
from heapscope.agent.log_answers import explain_log
from heapscope.agent.scope import Scope
from heapscope.agent.workspace import Workspace
from heapscope.errors import HeapscopeError
from heapscope.progress import no_progress
from tests.support.dumps import build
from tests.unit.parser.small import nodes

YARN = (
    "2026-01-01 10:00:0{0},000 WARN Monitor: Container [pid=1{0},containerID=container_e1_{0}] is "
    "running beyond physical memory limits. Current usage: 2.1 GB of 2 GB physical memory used; 5.1 GB of "
    "6.3 GB virtual memory used. Killing container.\n"
)
DUMPED = (
    "java.lang.OutOfMemoryError: Java heap space\n\tat a.B.c(B.java:1)\n"
    "Dumping heap to /srv/zanzibar/java_pid7.hprof ...\n"
    "Heap dump file created [1234567 bytes in 1.234 secs]\n"
)


def workspace(folder: Path, text: str, *, values: bool = False) -> Workspace:
    (folder / "worker.log").write_text(text)
    return Workspace(Scope([folder]), Disclosure(values=values))


def asked(work: Workspace, **arguments: Any) -> Answer:
    return explain_log(work, no_progress, **arguments)


def test_kills_are_counted_with_who_ended_them_at_which_limit(tmp_path: Path) -> None:
    found = asked(workspace(tmp_path, YARN.format(1) + YARN.format(2)))
    assert "processes were ended because of memory (2 events" in found.says
    assert "by the YARN NodeManager" in found.says
    assert (found.data["kills"], found.data["least_limit_bytes"]) == (2, 2 << 30)
    (group,) = found.data["events"]
    assert (group["kind"], group["count"], group["is_kill"]) == ("yarn memory kill", 2, True)
    assert group["by"] == "the YARN NodeManager"
    assert group["change"]
    assert [each["line"] for each in group["each"]] == [1, 2]
    assert {each["limit_bytes"] for each in group["each"]} == {2 << 30}
    commands = [each["command"] for each in found.data["steps"]]
    assert "heapscope collect PID --trigger 'rss>1843M' -o dumps" in commands
    assert found.next == []  # there is no snapshot that could be asked about


def test_who_was_ended_and_where_dumps_were_written_are_values(tmp_path: Path) -> None:
    text = YARN.format(1).replace("e1_1", "e1_zanzibar") + DUMPED
    text += "memory: Killed process 7 (zanzibar) total-vm:1kB, anon-rss:2097152kB, file-rss:0kB\n"
    text += "java.lang.OutOfMemoryError: zanzibar password=hunter2\n"
    hidden = asked(workspace(tmp_path, text)).text()
    assert "zanzibar" not in hidden
    assert '"command": "heapscope diagnose (withheld)"' in hidden
    said = asked(workspace(tmp_path, text, values=True)).text(20_000)
    assert "«container_e1_zanzibar»" in said
    assert "«/srv/zanzibar/java_pid7.hprof»" in said
    assert "hunter2" not in said


def test_a_dump_that_the_log_names_is_the_next_question_where_it_may_be_read(tmp_path: Path) -> None:
    (tmp_path / "java_pid7.hprof").write_bytes(build(nodes).data)
    (tmp_path / "other.hprof").write_bytes(build(nodes).data)
    found = asked(workspace(tmp_path, DUMPED))
    assert [(each.tool, each.arguments) for each in found.next] == [
        ("diagnose", {"snapshots": ["java_pid7.hprof"]})
    ]
    assert found.data["steps"][0]["command"] == "heapscope diagnose java_pid7.hprof"
    found = asked(workspace(tmp_path, YARN.format(1)))
    assert [(each.tool, each.arguments) for each in found.next] == [("diagnose", {})]


def test_nothing_found_is_no_proof_that_memory_was_enough(tmp_path: Path) -> None:
    found = asked(workspace(tmp_path, "all is well\n"))
    assert "none of the " in found.says
    assert "does not say that memory was enough" in found.says
    assert found.data["kills"] == 0
    assert found.data["events"] == []


def test_kinds_that_do_not_fit_can_be_asked_for(tmp_path: Path) -> None:
    work = workspace(tmp_path, YARN.format(1) + DUMPED)
    kinds: list[str] = []
    more = True
    while more:
        document = json.loads(asked(work, offset=len(kinds)).text(2500))
        kinds += [each["kind"] for each in document["data"]["events"]]
        more = "more" in document
    assert kinds == ["yarn memory kill", "out of memory error", "heap dump written"]


def test_logs_that_are_left_out_are_told(tmp_path: Path) -> None:
    for number in range(25):
        (tmp_path / f"{number}.log").write_text("all is well\n")
    assert asked(Workspace(Scope([tmp_path]), Disclosure())).notes == [
        "the first 20 of 25 logs were read; name others to read them"
    ]


def test_progress_rises_over_all_logs(tmp_path: Path) -> None:
    for name in ("a.log", "b.log"):
        (tmp_path / name).write_text("all is well\n" * 200_000)
    seen: list[float] = []
    explain_log(Workspace(Scope([tmp_path]), Disclosure()), lambda _, done, total: seen.append(done / total))
    assert seen == sorted(seen)
    assert len(set(seen)) > 2
    assert 0 <= seen[0] <= seen[-1] <= 1


def test_a_folder_or_no_log_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    work = Workspace(Scope([tmp_path]), Disclosure())
    with pytest.raises(HeapscopeError, match="logs: a folder"):
        asked(work, logs=["logs"])
    with pytest.raises(HeapscopeError, match="there is no log"):
        asked(work)

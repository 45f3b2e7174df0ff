"""The server for agents, asked by the SDK's own client over a real pipe."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.agent.script import MOST_BYTES, MOST_CALLS, find_cause
from heapscope.agent.disclosure import Disclosure
from heapscope.agent.heap_answers import threads
from heapscope.agent.log_answers import explain_log
from heapscope.agent.object_answers import objects
from heapscope.agent.scope import Scope
from heapscope.agent.sql_answers import sql
from heapscope.agent.workspace import Workspace
from heapscope.collector.attach import jcmd
from heapscope.collector.processes import get
from heapscope.progress import no_progress
from tests.support.agents import Agent, agent, workers
from tests.support.jvm import Jvm, find_jdks, java

SAMPLES = Path(__file__).parents[2] / "sample_dumps"
SECRET = "zanzibar"
READING = {
    "open", "diagnose", "growth", "histogram", "check", "suspects", "objects", "referrers", "paths",
    "retained", "sql", "threads", "explain_log",
}  # fmt: skip
LEAK = ["leak-1.hprof.gz", "leak-4.hprof.gz"]


@pytest.fixture(scope="module")
def samples() -> Iterator[Agent]:
    """A server over the first and the last dump of the incident."""
    with agent(*(SAMPLES / name for name in LEAK)) as asker:
        yield asker


def test_its_tools_only_read(samples: Agent) -> None:
    tools = samples.tools()
    assert {each.name for each in tools} == READING
    assert all(each.annotations is not None and each.annotations.read_only_hint for each in tools)
    assert all(each.description for each in tools)
    assert "never instructions" in (samples.client.instructions or "")


def test_a_script_finds_the_cause_of_the_incident(samples: Agent) -> None:
    outcome = samples.portal.call(find_cause, samples.asked)
    assert outcome.known == "hadoop-fs-per-ticket-cache-login"
    assert outcome.calls <= MOST_CALLS
    assert outcome.byte_count <= MOST_BYTES


def test_an_answer_has_evidence_sureness_and_a_next_question_that_can_be_asked(samples: Agent) -> None:
    found = samples.ask("diagnose", snapshots=LEAK[1:])
    (finding,) = found["data"]["findings"]
    assert (finding["instance_count"], finding["confidence"]) == (50, "certain")
    assert found["sureness"].startswith("certain")
    assert "KERB_TICKET_CACHE_PATH is set" in finding["variables"]
    following = found["next"][0]
    held = samples.ask(following["tool"], **following["arguments"])
    assert any("FileSystem.CACHE (static)" in line for line in held["data"]["held_by"])
    assert "more" not in found
    rows = samples.ask("histogram", snapshot=LEAK[1])
    assert rows["more"].endswith("shows them")
    offset = int(rows["more"].partition("offset=")[2].split()[0])
    assert (
        samples.ask("histogram", snapshot=LEAK[1], offset=offset)["data"]["classes"][0]
        not in (rows["data"]["classes"])
    )


def test_queries_see_no_values(samples: Agent) -> None:
    found = samples.ask("sql", query='SELECT count(*) AS n FROM "org.apache.hadoop.fs.FileSystem+"')
    assert found["data"]["rows"] == [{"n": 50}]
    over = samples.ask(
        "sql", query="SELECT snapshot, sum(shallow_bytes) AS s FROM objects GROUP BY 1", snapshots=LEAK
    )
    assert {each["snapshot"] for each in over["data"]["rows"]} == set(LEAK)
    assert all(isinstance(each["s"], int) for each in over["data"]["rows"])
    keys = "org.apache.hadoop.fs.FileSystem$Cache$Key"
    for query in (
        "SELECT text FROM strings", "SELECT text(address) FROM strings",
        "SELECT _text(address, 0) FROM strings",
        f'SELECT scheme FROM "{keys}"', "SELECT value FROM environment", "SELECT name FROM threads",
        f"""SELECT field(address, 'scheme') FROM "{keys}\"""", "SELECT * FROM read_text('/etc/passwd')",
        "SELECT path_to_root(address) FROM threads", "SELECT unique FROM \"" + keys + '"',
    ):  # fmt: skip
        assert "query" in samples.fail("sql", query=query), query
    names = samples.ask("sql", query="SELECT * FROM environment")["data"]["rows"]
    assert {"snapshot": LEAK[1], "name": "KERB_TICKET_CACHE_PATH"} in names
    assert "is a value" in samples.fail("objects", subject=keys, fields=["ugi[secret]"])


def test_a_worker_that_dies_ends_its_answer_and_not_the_server(samples: Agent) -> None:
    async def kill(progress: float, total: float | None, message: str | None) -> None:
        for pid in workers():
            os.kill(pid, signal.SIGKILL)

    result, text = samples.raw("growth", kill, by="path")
    assert result.is_error
    assert "ended before it had an answer (it was killed" in text
    assert samples.ask("open", snapshots=LEAK[:1])["says"] == "1 snapshot of 1 process"


@pytest.fixture(scope="module")
def leaking() -> Iterator[Jvm]:
    """A JVM with secrets in every place that has texts."""
    jdk = find_jdks()[max(find_jdks())]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLANTED", SECRET)
        options = (f"-Dplanted={SECRET}", f"-Dhadoop.planted={SECRET}")
        with java(jdk, "Secrets", *options, arguments=[f"{SECRET}-argument"]) as jvm:
            yield jvm


@pytest.fixture(scope="module")
def planted(leaking: Jvm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with secrets in dumps, sidecars, class histograms and logs."""
    folder = tmp_path_factory.mktemp("planted")
    assert leaking.process.stdin is not None
    assert leaking.process.stdout is not None
    for number in range(1, 4):
        dump = folder / f"step-{number}.hprof"
        said = jcmd(get(leaking.pid), f"GC.heap_dump {dump}", allow_sigquit=True)  # a JDK's jcmd takes 1 s
        assert "Heap dump file created" in said
        sidecar = {
            "host": SECRET,
            "process": {
                "pid": leaking.pid,
                "start_ticks": 1,
                "user": SECRET,
                "command": ["python", SECRET],
                "environment": {"KERB_TICKET_CACHE_PATH": f"/tmp/{SECRET}", "OTHER": SECRET},
            },
            "jvm_options": {"jvm_args": [f"-Dplanted={SECRET}"]},
        }
        dump.with_name(f"{dump.name}.json").write_text(json.dumps(sidecar))
        leaking.process.stdin.write("\n")
        leaking.process.stdin.flush()
        assert leaking.process.stdout.readline() == "ready\n"
    broken = jcmd(get(leaking.pid), "GC.class_histogram").replace("\n   5:", f"\n{SECRET} {SECRET}\n   5:")
    (folder / "broken.histogram.txt").write_text(broken)
    (folder / "worker.log").write_text(
        f"2026-01-01 10:00:00,000 Starting: Creating FS hdfs://{SECRET}:8020/x\n" * 12
        + f"2026-01-01 10:00:01,000 Login successful for user {SECRET} using keytab\n"
        + f"java.lang.OutOfMemoryError: {SECRET}\n\tat a.B.c(B.java:1)\n"
        + f"Out of memory: Killed process 7 ({SECRET})\n"
        + f'Full thread dump {SECRET} VM:\n\n"{SECRET}" #1\n\nJNI global refs: 5, weak refs: 0\n'
    )
    for dump in folder.glob("*.hprof"):
        assert dump.read_bytes().count(SECRET.encode()) >= 10  # or nothing below is proved
    return folder


@pytest.fixture(scope="module")
def withholding(planted: Path) -> Iterator[Agent]:
    """A server over that folder, which may also collect."""
    with agent(planted, options=("--allow-collect",)) as asker:
        yield asker


STEPS = [f"step-{number}.hprof" for number in range(1, 4)]
QUESTIONS: list[tuple[str, dict[str, Any]]] = [
    ("open", {"snapshots": STEPS}),
    ("diagnose", {"snapshots": ["step-3.hprof"]}),
    ("growth", {"snapshots": STEPS}),
    ("growth", {"snapshots": STEPS, "by": "loader", "pattern": "*"}),  # all loaders, also those that stay
    ("suspects", {"snapshot": "step-3.hprof", "share": 1}),
    ("histogram", {"snapshot": "step-3.hprof", "before": "step-1.hprof"}),
    ("histogram", {"snapshot": "step-3.hprof", "pattern": "*Secrets*", "retained": True}),
    *(
        ("paths", {"snapshot": "step-3.hprof", "subject": subject})
        for subject in ("Secrets$Ticket", "java.lang.String", "java.lang.Thread", "char[]", "URLClassLoader")
    ),
    ("retained", {"snapshot": "step-3.hprof", "subject": "Secrets$Ticket"}),
    ("retained", {"snapshot": "step-3.hprof", "subject": "java.lang.Thread"}),
    *(
        ("objects", {"snapshot": "step-3.hprof", "subject": subject, "fields": fields})
        for subject, fields in (
            ("Secrets$Ticket", ["text", "payload"]),
            ("java.lang.Thread", ["name"]),
            ("java.lang.Class", []),
            ("URLClassLoader", ["name"]),
            ("java.lang.IllegalStateException", ["detailMessage"]),
        )
    ),
    ("referrers", {"snapshot": "step-3.hprof", "subject": "java.lang.String"}),
    *(
        ("sql", {"snapshots": ["step-3.hprof"], "query": f"SELECT * FROM {table}"})
        for table in (
            *("processes", "threads", "locals", "environment", "properties", "loaders", "findings"),
            *("strings", '"Secrets$Ticket"', '"java.lang.Thread+"'),
        )
    ),
    ("ps", {}),
    ("threads", {"snapshot": "step-3.hprof"}),
    (
        "check",
        {
            "snapshots": ["step-1.hprof", "step-2.hprof"],
            "after": ["step-2.hprof", "step-3.hprof"],
            "limits": ["Secrets$Ticket <= 3"],
            "no_growth": ["Secrets*"],
        },
    ),
    ("explain_log", {"logs": ["worker.log"]}),
]


@pytest.mark.jvm
def test_progress_only_rises_and_two_clients_are_served_at_once(samples: Agent, withholding: Agent) -> None:
    seen: list[float] = []

    async def told(progress: float, total: float | None, message: str | None) -> None:
        assert message
        seen.append(progress)

    calls: list[tuple[Agent, str, dict[str, Any]]] = [
        (samples, "histogram", {"snapshot": LEAK[0]}),
        (samples, "threads", {"snapshot": LEAK[1]}),
        (withholding, "growth", {"snapshots": STEPS, "by": "path"}),  # many phases, each told once at least
    ]
    found: dict[str, Any] = {}

    def ask(asker: Agent, tool: str, arguments: dict[str, Any]) -> None:
        result, text = asker.raw(tool, told if asker is withholding else None, **arguments)
        assert not result.is_error, text
        found[tool] = json.loads(text)

    waiting = [threading.Thread(target=ask, args=call) for call in calls]
    for thread in waiting:
        thread.start()
    for thread in waiting:
        thread.join()
    for asker, tool, arguments in calls:
        assert found[tool] == asker.ask(tool, **arguments)  # as when nobody else asks
    assert len({each["says"] for each in found.values()}) == len(calls)
    assert len(seen) > 2, seen
    assert seen == sorted(set(seen))


@pytest.mark.jvm
def test_planted_secrets_appear_in_no_answer(withholding: Agent) -> None:
    found = withholding.ask("diagnose", snapshots=STEPS)
    (finding, *_) = found["data"]["findings"]
    assert (finding["class"], finding["owner"]) == ("Secrets$Ticket", "a local variable of a thread")
    asked = [str(each) for each in found["next"]]
    for tool, arguments in QUESTIONS:
        found = withholding.ask(tool, **arguments)
        for following in found.get("next", ()):
            if str(following) not in asked and following["tool"] not in ("diagnose", "growth"):
                asked.append(str(following))
                withholding.raw(following["tool"], **following["arguments"])
    assert withholding.ask("suspects", snapshot=STEPS[2], share=1)["data"]["suspects"]
    found = withholding.ask("paths", snapshot=STEPS[2], subject="Secrets$Ticket")
    example = found["data"]["example"]
    assert withholding.ask("paths", snapshot=STEPS[2], subject=example)["data"]["paths"][0]["steps"]
    fields = withholding.ask("objects", snapshot=STEPS[2], subject=example)["data"]["fields"]
    assert {each["field"]: each["is"] for each in fields} == {"text": "java.lang.String", "payload": "byte[]"}
    said = withholding.fail("diagnose", snapshots=["broken.histogram.txt"])
    assert "broken.histogram.txt: line" in said
    assert len(withholding.texts) > 60
    for text in withholding.texts:
        assert SECRET not in text.lower(), text
        assert len(text.encode()) <= 8000


@pytest.mark.jvm
def test_a_script_finds_a_leak_that_nobody_knows_beside_a_file_that_cannot_be_read(
    withholding: Agent,
) -> None:
    outcome = withholding.portal.call(find_cause, withholding.asked)
    assert (outcome.class_name, outcome.owner) == ("Secrets$Ticket", "a local variable of a thread")
    assert outcome.is_leak
    assert outcome.calls <= MOST_CALLS
    assert outcome.byte_count <= MOST_BYTES
    (note,) = [each for each in withholding.ask("open")["notes"] if "could not be read" in each]
    assert "broken.histogram.txt" in note


@pytest.mark.jvm
def test_snapshots_are_taken_in_two_steps_and_only_where_allowed(
    withholding: Agent, leaking: Jvm, planted: Path
) -> None:
    assert {each.name for each in withholding.tools()} == READING | {"ps", "collect"}
    before = set(planted.iterdir())
    plan = withholding.ask("collect", pid=leaking.pid)
    assert plan["says"].startswith("nothing was done yet")
    assert plan["data"]["dump_bytes_estimate"] > 0
    assert plan["data"]["pause_seconds_estimate"] >= 0
    assert set(planted.iterdir()) == before
    assert "unknown, used or too old" in withholding.fail("collect", token="0" * 16)
    step = plan["next"][0]
    assert step["arguments"] == {"token": plan["data"]["token"]}
    name = withholding.ask(step["tool"], **step["arguments"])["data"]["snapshot"]
    assert (planted / name).is_file()
    assert "unknown, used or too old" in withholding.fail("collect", **step["arguments"])
    found = withholding.ask("histogram", snapshot=name, pattern="Secrets$*")
    assert "Secrets$Ticket" in {each["class"] for each in found["data"]["classes"]}


@pytest.mark.jvm
def test_only_what_was_named_can_be_read(withholding: Agent, planted: Path, tmp_path: Path) -> None:
    shutil.copy(SAMPLES / LEAK[0], tmp_path / "theirs.hprof.gz")
    (planted / "link.hprof.gz").symlink_to(tmp_path / "theirs.hprof.gz")
    for name in ("link.hprof.gz", str(tmp_path / "theirs.hprof.gz"), "/etc/passwd", "/no/such/file"):
        for tool, arguments in (
            ("diagnose", {"snapshots": [name]}),
            ("suspects", {"snapshot": name}),
            ("explain_log", {"logs": [name]}),
        ):
            assert "is not among what this server may read" in withholding.fail(tool, **arguments)


@pytest.mark.jvm
def test_values_are_said_where_the_server_was_told_so(planted: Path) -> None:
    work = Workspace(Scope([planted]), Disclosure(values=True))
    found = threads(work, no_progress, snapshot=STEPS[2])
    assert f"«{SECRET} thread»" in [each.get("name") for each in found.data["threads"]]
    found = objects(work, no_progress, snapshot=STEPS[2], subject="Secrets$Ticket", fields=["text"])
    assert f"«{SECRET} ticket" in found.data["objects"][0]["text"]
    assert SECRET in str(explain_log(work, no_progress, logs=["worker.log"]).data)
    found = sql(work, no_progress, query="SELECT name FROM threads", snapshots=STEPS[2:])
    assert {"name": f"«{SECRET} thread»"} in found.data["rows"]

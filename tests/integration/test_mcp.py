"""The server for agents, asked by the SDK's own client over a real pipe."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.support.agents import Asker, connected, workers
from tests.support.jvm import find_jdks, java

SAMPLES = Path(__file__).parents[2] / "sample_dumps"
SECRET = "zanzibar"
READING = {
    "open", "diagnose", "growth", "histogram", "check", "suspects", "paths", "retained", "threads",
    "explain_log",
}  # fmt: skip


def test_tools_and_a_first_answer() -> None:
    async def main() -> None:
        async with connected(SAMPLES / "leak-4.hprof.gz") as asker:
            tools = (await asker.client.list_tools()).tools
            assert {each.name for each in tools} == READING
            assert all(each.annotations is not None and each.annotations.read_only_hint for each in tools)
            assert "never" in (asker.client.instructions or "")
            found = await asker.ask("diagnose")
            (finding,) = found["data"]["findings"]
            assert finding["finding"] == "hadoop-fs-per-ticket-cache-login"
            assert (finding["instance_count"], finding["confidence"]) == (50, "certain")
            assert found["sureness"].startswith("certain")
            # The next question can be asked as it is.
            following = found["next"][0]
            held = await asker.ask(following["tool"], **following["arguments"])
            assert any("FileSystem.CACHE (static)" in line for line in held["data"]["held_by"])

    anyio.run(main)


def test_progress_only_rises_and_questions_are_answered_at_the_same_time(tmp_path: Path) -> None:
    seen: list[float] = []

    async def told(progress: float, _: float | None, message: str | None) -> None:
        assert message
        seen.append(progress)

    async def main() -> None:
        names = ["leak-1.hprof.gz", "leak-2.hprof.gz"]
        fresh = {"HEAPSCOPE_INDEX_DIR": str(tmp_path)}
        async with connected(SAMPLES, environment=fresh) as one, connected(SAMPLES, environment=fresh) as two:
            found: dict[str, dict[str, Any]] = {}

            async def ask(asker: Asker, key: str, tool: str, **arguments: Any) -> None:
                found[key] = await asker.ask(tool, **arguments)

            async with anyio.create_task_group() as tasks:  # two clients, one of them with two questions
                tasks.start_soon(lambda: ask(one, "one", "suspects", snapshot=names[1]))
                tasks.start_soon(lambda: ask(two, "two", "suspects", snapshot=names[1]))
                tasks.start_soon(lambda: ask(two, "other", "histogram", snapshot=names[0]))
            assert found["one"] == found["two"]
            assert found["other"]["data"]["classes"][0]["class"] == "byte[]"
            result, text = await one.raw("diagnose", told, snapshots=["leak-3.hprof.gz"])
            assert not result.is_error, text

    anyio.run(main)
    assert len(seen) > 3
    assert seen == sorted(seen)
    assert len(set(seen)) == len(seen)


def test_a_worker_that_dies_ends_its_answer_and_not_the_server() -> None:
    async def kill(_: float, __: float | None, ___: str | None) -> None:
        for pid in workers():
            os.kill(pid, signal.SIGKILL)

    async def main() -> None:
        async with connected(SAMPLES) as asker:
            result, text = await asker.raw("diagnose", kill)
            assert result.is_error
            assert "ended before it had an answer (it was killed" in text
            found = await asker.ask("open", snapshots=["leak-1.hprof.gz"])
            assert found["says"] == "1 snapshot of 1 process"

    anyio.run(main)


def test_only_what_was_named_can_be_read(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    shutil.copy(SAMPLES / "leak-1.hprof.gz", inside / "mine.hprof.gz")
    shutil.copy(SAMPLES / "leak-2.hprof.gz", outside / "theirs.hprof.gz")
    (outside / "worker.log").write_text("java.lang.OutOfMemoryError: Java heap space\n")
    (inside / "link.hprof.gz").symlink_to(outside / "theirs.hprof.gz")
    (inside / "link.log").symlink_to(outside / "worker.log")
    (inside / "folder").symlink_to(outside)

    async def main() -> None:
        async with connected(inside) as asker:
            found = await asker.ask("open")
            assert [each["snapshot"] for each in found["data"]["snapshots"]] == ["mine.hprof.gz"]
            assert found["data"]["logs"] == []
            for name in (
                "link.hprof.gz", "folder", "folder/theirs.hprof.gz", "../outside/theirs.hprof.gz",
                str(outside / "theirs.hprof.gz"), "/etc/passwd", "/no/such/file",
            ):  # fmt: skip
                for tool, arguments in (
                    ("diagnose", {"snapshots": [name]}),
                    ("suspects", {"snapshot": name}),
                    ("explain_log", {"logs": [name]}),
                ):
                    said = await asker.fail(tool, **arguments)
                    assert "is not among what this server may read" in said, (tool, name, said)
            assert "theirs" not in (await asker.fail("diagnose", snapshots=["nothing"]))

    anyio.run(main)


@pytest.mark.jvm
def test_snapshots_are_taken_in_two_steps_and_only_where_allowed(tmp_path: Path) -> None:
    async def main(pid: int) -> None:
        async with connected(tmp_path, options=("--allow-collect",)) as asker:
            assert {each.name for each in (await asker.client.list_tools()).tools} == READING | {
                "ps",
                "collect",
            }
            found = await asker.ask("ps")
            assert pid in [each["pid"] for each in found["data"]["processes"]]
            plan = await asker.ask("collect", pid=pid)
            assert plan["says"].startswith("nothing was done yet")
            assert plan["data"]["dump_bytes_estimate"] > 0
            assert plan["data"]["pause_seconds_estimate"] >= 0
            assert list(tmp_path.iterdir()) == []
            assert "unknown, used or too old" in await asker.fail("collect", token="0" * 16)
            step = plan["next"][0]
            assert step["arguments"] == {"token": plan["data"]["token"]}
            taken = await asker.ask(step["tool"], **step["arguments"])
            name = taken["data"]["snapshot"]
            assert (tmp_path / name).is_file()
            assert "unknown, used or too old" in await asker.fail("collect", **step["arguments"])
            classes = await asker.ask("histogram", snapshot=name, pattern="Grower$*")
            assert "Grower$Registry" in {each["class"] for each in classes["data"]["classes"]}

    with java(find_jdks()[max(find_jdks())], "Grower", arguments=["1"]) as jvm:
        anyio.run(main, jvm.pid)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with secrets in dumps, sidecars, class histograms and logs."""
    folder = tmp_path_factory.mktemp("planted")
    jdk = find_jdks()[max(find_jdks())]
    os.environ["PLANTED"] = SECRET
    try:
        options = (f"-Dplanted={SECRET}", f"-Dhadoop.planted={SECRET}")
        with java(jdk, "Secrets", *options, arguments=[f"{SECRET}-argument"]) as jvm:
            assert jvm.process.stdin is not None
            assert jvm.process.stdout is not None
            for number in range(1, 5):
                dump = jvm.dump(folder / f"step-{number}.hprof")
                sidecar = {
                    "host": SECRET,
                    "process": {
                        "pid": jvm.pid,
                        "start_ticks": 1,
                        "user": SECRET,
                        "command": ["python", SECRET],
                        "environment": {"KERB_TICKET_CACHE_PATH": f"/tmp/{SECRET}", "OTHER": SECRET},
                    },
                    "jvm_options": {"jvm_args": [f"-Dplanted={SECRET}"]},
                }
                dump.with_name(f"{dump.name}.json").write_text(json.dumps(sidecar))
                jvm.process.stdin.write("\n")
                jvm.process.stdin.flush()
                assert jvm.process.stdout.readline() == "ready\n"
            text = jvm.class_histogram()
    finally:
        del os.environ["PLANTED"]
    broken = text.replace("\n   5:", f"\n{SECRET} {SECRET}\n   5:")
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


QUESTIONS: list[tuple[str, dict[str, Any]]] = [
    ("open", {"snapshots": [f"step-{n}.hprof" for n in range(1, 5)]}),
    ("diagnose", {"snapshots": [f"step-{n}.hprof" for n in range(1, 5)]}),
    ("diagnose", {"snapshots": ["step-4.hprof"]}),
    *(
        ("growth", {"snapshots": [f"step-{n}.hprof" for n in range(1, 5)], "by": by})
        for by in ("class", "loader", "path")
    ),
    ("suspects", {"snapshot": "step-4.hprof", "share": 1}),
    ("histogram", {"snapshot": "step-4.hprof", "before": "step-1.hprof"}),
    ("histogram", {"snapshot": "step-4.hprof", "pattern": "*Secrets*", "retained": True}),
    *(
        ("paths", {"snapshot": "step-4.hprof", "subject": subject})
        for subject in ("Secrets$Ticket", "java.lang.String", "java.lang.Thread", "char[]", "URLClassLoader")
    ),
    ("retained", {"snapshot": "step-4.hprof", "subject": "Secrets$Ticket"}),
    ("retained", {"snapshot": "step-4.hprof", "subject": "java.lang.Thread"}),
    ("threads", {"snapshot": "step-4.hprof"}),
    (
        "check",
        {
            "snapshots": ["step-1.hprof", "step-2.hprof"],
            "after": ["step-3.hprof", "step-4.hprof"],
            "limits": ["Secrets$Ticket <= 3"],
            "no_growth": ["Secrets*"],
        },
    ),
    ("explain_log", {"logs": ["worker.log"]}),
]


@pytest.mark.jvm
def test_planted_secrets_appear_in_no_answer(planted: Path) -> None:
    async def main() -> None:
        async with connected(planted) as asker:
            for tool, arguments in QUESTIONS:
                found = await asker.ask(tool, **arguments)
                for following in found.get("next", ()):
                    await asker.raw(following["tool"], **following["arguments"])
            found = await asker.ask("paths", snapshot="step-4.hprof", subject="Secrets$Ticket")
            steps = await asker.ask("paths", snapshot="step-4.hprof", subject=found["data"]["example"])
            assert steps["data"]["paths"][0]["steps"]
            diagnosed = await asker.ask("diagnose", snapshots=QUESTIONS[1][1]["snapshots"])
            (finding, *_) = diagnosed["data"]["findings"]
            assert finding["class"] == "Secrets$Ticket"
            assert finding["owner"] == "a local variable of a thread"
            said = await asker.fail("diagnose", snapshots=["broken.histogram.txt"])
            assert "broken.histogram.txt: line" in said
            assert len(asker.texts) > 40
            for text in asker.texts:
                assert SECRET not in text.lower(), text
                assert len(text.encode()) <= 8000

    anyio.run(main)


@pytest.mark.jvm
def test_values_are_said_where_the_server_was_told_so(planted: Path) -> None:
    async def main() -> None:
        async with connected(planted, options=("--show-values", "--answer-bytes", "30000")) as asker:
            threads = await asker.ask("threads", snapshot="step-4.hprof")
            assert f"«{SECRET} thread»" in [each.get("name") for each in threads["data"]["threads"]]
            logs = await asker.ask("explain_log", logs=["worker.log"])
            assert SECRET in json.dumps(logs)

    anyio.run(main)

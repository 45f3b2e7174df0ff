"""Processes that were ended for their memory, as those who ended them write it; texts that only speak of it.

``kills.toml`` beside this file has the texts.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import heapscope
from heapscope.analysis.logs.reading import read_log
from heapscope.analysis.logs.summary import LogSummary, summarise

CASES: dict[str, Any] = tomllib.loads(Path(__file__).with_name("kills.toml").read_text("utf-8"))
KINDS = Path(heapscope.__file__).parent / "analysis" / "logs" / "kinds"
KILLS = {case["name"]: case for case in CASES["kill"]}


def read(folder: Path, text: str) -> LogSummary:
    path = folder / "a.log"
    path.write_text(text, "utf-8")
    return summarise([path], [])


@pytest.mark.parametrize("name", KILLS)
def test_a_kill_is_one_event_with_who_and_how_much(tmp_path: Path, name: str) -> None:
    case = KILLS[name]
    found = read(tmp_path, case["text"])
    assert {group.kind.id: group.count for group in found.groups} == case["kinds"]
    kind = next(iter(case["kinds"]))
    first = next(group.events[0] for group in found.groups if group.kind.id == kind)
    assert (first.victim, first.usage, first.limit) == (case["victim"], case["usage"], case["limit"])
    assert bool(found.kill_count) == ("yarn container ended" not in case["kinds"])


@pytest.mark.parametrize("case", CASES["line"], ids=lambda case: case["text"][:40])
def test_one_line(tmp_path: Path, case: dict[str, str]) -> None:
    path = tmp_path / "a.log"
    path.write_text(case["text"] + "\n", "utf-8")
    (event,) = read_log(path)
    assert event.kind == case["kind"]
    assert event.detail == case["detail"] or not case["detail"]


def test_every_pattern_has_a_line_that_it_finds() -> None:
    files = [path for path in Path(__file__).parent.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    lines = {line for path in files for line in path.read_text("utf-8", "replace").splitlines()}
    lines |= {line for case in CASES["kill"] + CASES["line"] for line in case["text"].splitlines()}
    kinds = [kind for path in KINDS.glob("*.toml") for kind in tomllib.loads(path.read_text("utf-8"))["kind"]]
    patterns = [(kind["id"], each) for kind in kinds for each in kind.get("patterns", [])]
    assert len(patterns) > 90
    lost = [each for each in patterns if not any(re.search(each[1], line) for line in lines)]
    assert lost == []


@pytest.mark.parametrize("line", CASES["prose"]["lines"])
def test_prose_is_no_event(tmp_path: Path, line: str) -> None:
    text = f"2026-11-02 03:00:00 INFO before\n{line}\n2026-11-02 03:00:01 INFO after\n"
    assert read(tmp_path, text).groups == ()


def test_a_kill_counts_again_when_it_is_another_one(tmp_path: Path) -> None:
    text = KILLS["yarn 28"]["text"]
    later = text.replace("10:00:00", "14:00:00")
    (group,) = read(tmp_path, text + later).groups
    assert (group.kind.id, group.count) == ("yarn memory kill", 2)
    other = text.replace("000002", "000003").replace("4711", "4712")
    assert read(tmp_path, text + other).kill_count == 2


def test_a_container_that_its_application_master_stopped_is_no_sign_of_memory(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(
        "2026-11-02 03:14:17,022 INFO Container killed by the ApplicationMaster. "
        "Container killed on request. Exit code is 143\n"
    )
    assert list(read_log(tmp_path / "log")) == []

"""``heapscope check``: proofs, guards and exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.unit.cli.conftest import SYSTEM, Run, histograms


@pytest.fixture
def leak(tmp_path: Path) -> list[Path]:
    """The requests that come and go are as many as after the cure."""
    return histograms(tmp_path / "leak", [1000, 2000, 3000, 4000], requests=(35, 80, 25, 70))


def test_fixed_not_fixed_and_too_early(run: Run, leak: list[Path], cured: list[Path]) -> None:
    fixed = run("check", *leak, "--against", *cured)
    assert fixed.code == 0
    assert (
        f"fixed: {SYSTEM} grew before, and now does not: +0 instances where the rate of before gives +3,000"
        in fixed.out
    )
    still = run("check", *leak, "--against", *leak)
    assert still.code == 1
    assert f"not fixed: {SYSTEM} still grows" in still.out
    early = run("check", *leak, "--against", *cured[:2])
    assert early.code == 4
    assert "too early to tell: 2 snapshots after the cure" in early.out


def test_texts_that_name_no_process_prove_no_cure(run: Run, leak: list[Path], tmp_path: Path) -> None:
    """A program that is restarted between them begins with an empty collection each time."""
    quiet = histograms(tmp_path / "quiet", [1, 1, 1, 1], requests=(40, 90, 30, 60))
    work = ("--work", "10,20,30,40", "--work-after", "10,20,30,40")
    for options in ((), work):
        said = run("check", *leak, "--against", *quiet, *options)
        assert said.code == 4
        assert "too early to tell: s0, s1, s2 ...: class histograms that name no process" in said.out
    named = histograms(tmp_path / "named", [1, 1, 1, 1], pid=4711)
    assert run("check", *leak, "--against", *named, *work).code == 0


def test_options_may_stand_anywhere(run: Run, leak: list[Path], cured: list[Path]) -> None:
    data = json.loads(run("check", "--json", *leak, "--against", *cured, "--class", SYSTEM).out)
    assert (data["verdict"], len(data["snapshots"]), len(data["after"])) == ("fixed", 4, 4)
    assert data["classes"][0]["instance_count_b_expected"] == pytest.approx(3000)
    assert run("check", "--against", *cured, "--json", *leak).code == 0


def test_guards_and_junit(run: Run, leak: list[Path], tmp_path: Path) -> None:
    junit = tmp_path / "heap.xml"
    ran = run(
        "check", *leak, "--max", "org.apache.hadoop.fs.FileSystem+ <= 3", "--max", "org.app.Pool <= 7",
        "--no-growth", "org.app.*", "--junit", junit,
    )  # fmt: skip
    assert ran.code == 1
    assert "failed: org.apache.hadoop.fs.FileSystem+ <= 3: 1,000 in s0, 2,000 in s1, 3,000 in s2" in ran.out
    assert "passed: org.app.Pool <= 7: 7 at most" in ran.out
    root = ElementTree.parse(junit).getroot()
    assert (root.get("tests"), root.get("failures")) == ("3", "1")
    again = run("check", *leak, "--max", "org.app.Pool <= 7", "--junit", junit)
    assert (again.code, again.out) == (3, "")
    assert "exists already" in again.err
    assert run("check", *leak, "--max", "org.app.Pool <= 7", "--junit", junit, "--force").code == 0


def test_guards_outweigh_too_early(run: Run, leak: list[Path], cured: list[Path], tmp_path: Path) -> None:
    words = ["check", *leak, "--against", *cured[:2], "--junit", tmp_path / "j.xml"]
    assert run(*words, "--max", "org.app.Pool <= 1").code == 1
    root = ElementTree.parse(tmp_path / "j.xml").getroot()
    assert (root.get("tests"), root.get("failures"), root.get("skipped")) == ("2", "1", "1")


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ([], 2, "Nothing to check"),
        (["--against"], 2, "needs at least one DUMP"),
        (["--against", "--json"], 2, "needs at least one DUMP"),
        (["--class", "a.B", "--max", "a.B <= 1"], 2, "--class needs --against"),
        (["--max", "a.B"], 2, "is no limit"),
        (["--max", "a.B <= -1"], 2, "is no number of instances"),
    ],
)
def test_what_cannot_be_checked(run: Run, leak: list[Path], words: list[str], code: int, says: str) -> None:
    ran = run("check", *leak, *words)
    assert (ran.code, ran.out) == (code, "")
    assert says in ran.err


# --- diff --vs ---

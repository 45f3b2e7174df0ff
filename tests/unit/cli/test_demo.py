"""``heapscope demo``: commands are printed and run; one that fails ends the story."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from heapscope.cli import demo
from heapscope.errors import NoDemo
from heapscope.extras import missing as missing_library
from heapscope.isolated_python import isolated_python
from tests.unit.cli.conftest import Run


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What was run, without running it."""
    ran: list[list[str]] = []

    def run(words: list[str], **options: object) -> SimpleNamespace:
        ran.append(words[len(isolated_python("heapscope")) :])
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(subprocess, "run", run)
    return ran


def test_patterns_are_printed_as_typed_and_run_as_a_shell_would(
    commands: list[list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("b.hprof", "a.hprof"):
        (tmp_path / name).touch()
    demo._Story().run("diff", tmp_path / "*.hprof", "--top", "10")
    assert capsys.readouterr().out == f"$ heapscope diff {tmp_path}/*.hprof --top 10\n"
    assert commands == [["diff", f"{tmp_path}/a.hprof", f"{tmp_path}/b.hprof", "--top", "10"]]


def test_a_command_that_fails_ends_the_story(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: SimpleNamespace(returncode=3))
    with pytest.raises(NoDemo, match="'heapscope ps' ended with 3"):
        demo._Story().run("ps")


def test_without_hadoop_the_sample_dumps_tell_it(
    run: Run, commands: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise missing_library("jpype1", "The demo's worker", "demo")

    monkeypatch.setattr("heapscope.demo.hadoop.find_hadoop", missing)
    assert run("demo", "-o", tmp_path / "out").code == 0
    assert [words[0] for words in commands] == ["diagnose", "check", "report"]
    assert commands[1][-4:] == ["--work", "5,20,35,50", "--work-after", "5,50"]
    assert run("demo", "--from-samples", "-o", tmp_path / "asked").code == 0
    assert [words[0] for words in commands[3:]] == ["diagnose", "check", "report"]
    monkeypatch.setattr(demo, "_samples", lambda: None)
    assert run("demo", "-o", tmp_path / "other").code == 3
    assert "sample_dumps/" in run("demo", "--from-samples", "-o", tmp_path / "other").err


def test_a_folder_that_has_something_is_left_alone(
    run: Run, commands: list[list[str]], tmp_path: Path
) -> None:
    (tmp_path / "mine").touch()
    assert run("demo", "-o", tmp_path).code == 3
    assert commands == []
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]

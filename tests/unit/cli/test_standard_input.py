"""A dump that is piped in: ``heapscope suspects -``."""

from __future__ import annotations

import io
import json
import os
import tempfile
from pathlib import Path

import pytest

from tests.support.gz import plain_gzip
from tests.unit.cli.conftest import Run, histogram_text


class Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def pipe(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(data))))


@pytest.mark.parametrize("command", ["histogram", "suspects", "info", "diagnose"])
@pytest.mark.parametrize("is_packed", [False, True])
def test_every_command_takes_it(
    run: Run, dump: Path, monkeypatch: pytest.MonkeyPatch, temporary: Path, command: str, is_packed: bool
) -> None:
    data = dump.read_bytes()
    pipe(monkeypatch, plain_gzip(data) if is_packed else data)
    piped = run(command, "-", "--json")
    assert piped.code == 0, piped.err
    document = json.loads(piped.out)
    named = json.loads(run(command, dump, "--json").out)
    for one in (document, named):
        for name in ("snapshot", "snapshots", "processes"):
            one.pop(name, None)
    assert document == named
    assert not os.listdir(temporary), "what was saved is gone"


def test_it_is_guessed_as_a_file_is(run: Run, dump: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe(monkeypatch, dump.read_bytes())
    ran = run("-")
    assert ran.code == 0
    assert ran.err.startswith("heapscope: no command is named; this is: heapscope diagnose -\n")
    pipe(monkeypatch, histogram_text([("a.B", 1, 16)]).encode())
    ran = run("-")
    assert "heapscope histogram -" in ran.err
    assert "a.B" in ran.out
    pipe(monkeypatch, b"java.lang.OutOfMemoryError: Java heap space\n")
    ran = run("-")
    assert "heapscope explain-log -" in ran.err
    assert "Java heap space" in ran.out


def test_no_index_is_kept_of_it(
    run: Run, dump: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for words in (["suspects", "-"], ["diagnose", "-"]):
        pipe(monkeypatch, dump.read_bytes())
        assert run(*words, "--index-dir", tmp_path / "index").code == 0
    assert not (tmp_path / "index").exists()


def test_what_is_empty_or_a_terminal_is_said_in_a_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe(monkeypatch, b"")
    ran = run("diagnose", "-")
    assert ran.code == 3
    assert ran.err == "heapscope: standard input: line 1, byte 0: is empty; nothing was piped into it\n"
    monkeypatch.setattr("sys.stdin", Terminal(io.BytesIO()))
    for words in (["diagnose", "-"], ["-"]):
        ran = run(*words)
        assert ran.code == 2
        assert "Nothing is piped into standard input" in ran.err


def test_a_broken_one_is_told_and_nothing_stays(
    run: Run, dump: Path, monkeypatch: pytest.MonkeyPatch, temporary: Path
) -> None:
    pipe(monkeypatch, dump.read_bytes()[:-40])
    ran = run("suspects", "-")
    assert ran.code == 3
    assert ran.err.count("\n") == 1
    assert not os.listdir(temporary)


def test_without_room_it_is_said_where(run: Run, dump: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    pipe(monkeypatch, dump.read_bytes())
    monkeypatch.setattr("shutil.copyfileobj", full)
    ran = run("suspects", "-")
    assert ran.code == 3
    assert ran.err.startswith("heapscope: standard input: cannot be saved in ")
    assert "No space left on device; set TMPDIR" in ran.err

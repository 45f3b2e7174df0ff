"""``-o``, ``--force`` and ``--index-dir`` do the same wherever they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.analysis.leak import leak_dump
from tests.unit.cli.conftest import Run

ADDRESS = "0xADDRESS"
TEXTS = {
    "info": [],
    "inspect": [ADDRESS],
    "suspects": [],
    "paths": ["FileSystem"],
    "diagnose": [],
    "check": ["--max", "org.apache.hadoop.fs.FileSystem+ <= 1000"],
}
INDEXED = {
    "inspect": [ADDRESS],
    "diagnose": [],
    "check": ["--max", "retained(org.apache.hadoop.fs.FileSystem+) <= 10MB"],
    "dominators": [],
    "growth": ["--retained"],
}


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    return leak_dump(tmp_path)


def words(run: Run, dump: Path, command: str, more: list[str]) -> list[str | Path]:
    rows = run("dominators", dump, "--no-index", "--csv", "--top", "1").out.splitlines()
    address = rows[1].split(",")[0]
    filled = [each.replace(ADDRESS, address) for each in more]
    dumps: list[str | Path] = [dump]
    if command == "growth":
        second = dump.with_name("second.hprof")
        second.write_bytes(dump.read_bytes())
        dumps.append(second)
    return [command, *dumps, *filled]


@pytest.mark.parametrize("command", TEXTS)
def test_a_text_or_json_in_a_file(run: Run, dump: Path, tmp_path: Path, command: str) -> None:
    line = [*words(run, dump, command, TEXTS[command]), "--no-index"]
    for name, options in (("a.txt", []), ("a.json", ["--json"])):
        shown = run(*line, *options)
        assert shown.out
        wrote = run(*line, "-o", tmp_path / name)
        assert (wrote.code, wrote.out) == (shown.code, "")
        assert (tmp_path / name).read_text(encoding="utf-8") == shown.out
    (tmp_path / "a.txt").write_text("mine")
    assert run(*line, "-o", tmp_path / "a.txt").code == 3
    assert (tmp_path / "a.txt").read_text() == "mine"
    assert run(*line, "-o", tmp_path / "a.txt", "--force").code == 0
    assert (tmp_path / "a.txt").read_text() == run(*line).out


@pytest.mark.parametrize("command", INDEXED)
def test_an_index_lies_where_it_is_wanted_or_nowhere(
    run: Run, dump: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    usual = tmp_path / "usual"
    monkeypatch.setenv("HEAPSCOPE_INDEX_DIR", str(usual))
    line = words(run, dump, command, INDEXED[command])
    first = run(*line, "--no-index")
    assert first.code == 0, first.err
    assert not usual.exists()
    named = tmp_path / "named"
    second = run(*line, "--index-dir", named)
    assert second.code == 0, second.err
    assert not usual.exists()
    assert any(named.iterdir())
    assert second.out == first.out


def test_secrets_of_strings_that_occur_often_are_masked(run: Run, tmp_path: Path) -> None:
    from tests.support.dumps import DumpBuilder, build

    def write(d: DumpBuilder) -> None:
        d.process_environment({"DB_PASSWORD": "hunter2-hunter2"})
        d.cls("a.Holder", fields={"text": "String"})
        for _ in range(3):
            d.root("JNI_GLOBAL", d.instance("a.Holder", text=d.string("hunter2-hunter2")))

    path = build(write).save(tmp_path / "secret.hprof")
    assert "hunter2" not in run("suspects", path, "--waste").out
    assert "hunter2" not in run("suspects", path, "--waste", "--json").out
    assert "hunter2-hunter2" in run("suspects", path, "--waste", "--show-secrets").out


def test_names_of_threads_that_keep_thread_locals_are_masked(run: Run, tmp_path: Path) -> None:
    from tests.support.dumps import DumpBuilder
    from tests.unit.heap.retention.test_owner_paths import pool_thread, thread_local_classes

    d = DumpBuilder()
    thread_local_classes(d)
    entry = d.instance("java.lang.ThreadLocal$ThreadLocalMap$Entry", value=d.string("kept"))
    table = d.object_array("java.lang.ThreadLocal$ThreadLocalMap$Entry[]", [entry])
    local_map = d.instance("java.lang.ThreadLocal$ThreadLocalMap", table=table, size=1)
    pool_thread(d, "fetch https://me:hunter2@db", 1, local_map)
    path = d.dump().save(tmp_path / "secret.hprof")
    assert "fetch https://(masked)@db" in run("suspects", path, "--waste").out
    assert "hunter2" not in run("suspects", path, "--waste", "--json").out
    assert "hunter2" in run("suspects", path, "--waste", "--show-secrets").out

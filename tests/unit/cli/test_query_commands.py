"""``heapscope objects``, ``referrers``, ``sql`` and ``export``."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest

import heapscope
from heapscope.cli.sql_prompt import Completion, run_prompt
from heapscope.heap.retention.class_paths import find_class_paths
from heapscope.query.profiles import write_profile
from heapscope.query.sources import heap_session
from tests.support.documents import ROOT
from tests.support.dumps import build
from tests.unit.cli.conftest import Run
from tests.unit.query.heaps import typed

SESSION = "com.acme.Session"


@pytest.fixture(scope="module")
def dumps(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("sessions")
    return [
        build(lambda d, n=n: typed(d, n), timestamp_ms=n * 1000).save(folder / f"s{n}.hprof")  # type: ignore[misc]
        for n in (3, 5)
    ]


def test_objects_with_fields_and_conditions(run: Run, dumps: list[Path]) -> None:
    ran = run("objects", dumps[0], SESSION, "--fields", "name,id", "--where", "id>=1", "--json", "--no-index")
    assert ran.code == 0, ran.err
    document = json.loads(ran.out)
    assert sorted((row["name"], row["id"]) for row in document["rows"]) == [("s1", 1), ("s2", 2)]
    ran = run(
        "objects", dumps[0], "Session", "--top", "1", "--sort", "address", "--no-subclasses", "--no-index"
    )
    assert "3 objects in all" in ran.out
    assert "letter" in ran.out
    ran = run("objects", dumps[0], SESSION, "--where", "id", "--no-index")
    assert (ran.code, ran.out) == (3, "")
    assert "is no condition" in ran.err
    ran = run("objects", dumps[0], SESSION, "--fields", "nmae", "--no-index")
    assert ran.code == 3
    assert "nearest: name" in ran.err


def test_objects_are_of_one_class_only_where_those_that_are_not_shown_are_too(run: Run) -> None:
    dump = ROOT / "sample_dumps" / "leak-4.hprof.gz"
    ran = run("objects", dump, "java.util.AbstractMap", "--fields", "keySet", "--top", "1")
    assert "all are" not in ran.out
    assert "java.util.concurrent.ConcurrentHashMap" in ran.out


def test_referrers_level_by_level(run: Run, dumps: list[Path]) -> None:
    ran = run("referrers", dumps[0], "java.lang.String", "--levels", "2", "--json", "--no-index")
    assert ran.code == 0, ran.err
    rows = json.loads(ran.out)["rows"]
    assert {(row["level"], row["reference"]) for row in rows} >= {(1, "Session.name"), (1, "Late.name")}
    first = next(row for row in rows if row["reference"] == "Session.name")
    assert (first["referrer_count"], first["target_count"], first["class_name"]) == (3, 3, SESSION)
    ran = run("referrers", dumps[0], first["example"], "--no-index")
    assert "Session.next" in ran.out or "Late.next" in ran.out


def test_sql_in_all_formats(run: Run, dumps: list[Path], tmp_path: Path) -> None:
    query = f'SELECT id, name, address FROM "{SESSION}" ORDER BY id LIMIT 2'
    text = run("sql", dumps[0], query, "--no-index").out.splitlines()
    assert text[0].split() == ["id", "name", "address"]
    assert text[1].split()[:2] == ["0", "s0"]
    assert text[1].split()[2].startswith("0x")
    rows = json.loads(run("sql", dumps[0], query, "--json", "--no-index").out)["rows"]
    assert [row["name"] for row in rows] == ["s0", "s1"]
    csv = run("sql", dumps[0], query, "--csv", "--no-index").out.splitlines()
    assert csv[0] == "id,name,address"
    out = tmp_path / "answer.parquet"
    assert run("sql", dumps[0], query, "--parquet", out, "--no-index").code == 0
    parquet = pytest.importorskip("pyarrow.parquet")
    assert parquet.read_table(out)["name"].to_pylist() == ["s0", "s1"]
    ran = run("sql", dumps[0], query, "--parquet", out, "--no-index")
    assert ran.code == 3
    assert "exists already" in ran.err


def test_sql_over_several_dumps_from_a_file_and_from_standard_input(
    run: Run, dumps: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = f'SELECT snapshot, count(*) AS n FROM "{SESSION}" GROUP BY 1 ORDER BY 1'
    expected = [{"snapshot": "s3", "n": 3}, {"snapshot": "s5", "n": 5}]
    file = tmp_path / "query.sql"
    file.write_text(query)
    ran = run("sql", *dumps, "-f", file, "--json", "--no-index")
    assert json.loads(ran.out)["rows"] == expected
    monkeypatch.setattr("sys.stdin", io.StringIO(query))
    ran = run("sql", *dumps, "--json", "--no-index")
    assert json.loads(ran.out)["rows"] == expected


def test_a_bad_query_is_one_line(run: Run, dumps: list[Path]) -> None:
    ran = run("sql", dumps[0], "SELECT nothing FROM objects", "--no-index")
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith("heapscope: query, line 1, column 8: there is no column 'nothing'")
    assert ran.err.count("\n") == 1
    ran = run("sql", "missing.hprof", "SELECT 1")
    assert ran.code == 3
    assert "missing.hprof" in ran.err


def test_the_prompt_goes_on_after_an_error(dumps: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    lines = iter(["SELECT count(*) AS n", f'FROM "{SESSION}";', "", "SELECT x FROM objects;", "SELECT 1;"])
    prompts: list[str] = []
    answers: list[Any] = []

    def read(prompt: str) -> str:
        prompts.append(prompt)
        try:
            return next(lines)
        except StopIteration:
            raise EOFError from None

    with heapscope.open(dumps[0], use_index=False) as heap:
        session = heap_session(heap)
        run_prompt(session, answers.append, read)
        completion = Completion(session)
    assert [next(iter(answer.to_table().rows())) for answer in answers] == [{"n": 3}, {"1": 1}]
    assert prompts[:2] == ["sql> ", "...> "]
    assert "there is no column 'x'" in capsys.readouterr().err
    assert completion.matches('"com.acme.S') == [f'"{SESSION}"']
    assert completion.matches('"Sess') == [f'"{SESSION}"']
    assert completion.matches("retained_s") == ["retained_set(", "retained_set_bytes("]
    assert completion.matches("gc_") == ["gc_roots"]
    assert "SELECT" in completion.matches("sel")


@pytest.mark.parametrize("to", ["parquet", "arrow"])
def test_tables_for_other_programs(run: Run, dumps: list[Path], tmp_path: Path, to: str) -> None:
    pytest.importorskip("pyarrow")
    import pyarrow as pa
    import pyarrow.parquet

    folder = tmp_path / "out"
    ran = run("export", dumps[0], "-o", folder, "--to", to, "--no-index")
    assert ran.code == 0, ran.err
    path = folder / f"objects.{to}"
    table = pyarrow.parquet.read_table(path) if to == "parquet" else pa.ipc.open_file(path).read_all()
    assert table.schema.metadata[b"heapscope.schema_version"] == b"1"
    assert table.schema.metadata[b"heapscope.table"] == b"objects"
    with heapscope.open(dumps[0], use_index=False) as heap:
        frame = heap.sql("SELECT * FROM objects ORDER BY address")
    assert table.column("address").to_pylist() == frame["address"].tolist()
    assert table.column("retained_bytes").to_pylist() == frame["retained_bytes"].tolist()
    assert table.column("class_name").to_pylist() == frame["class_name"].tolist()
    assert table.column("snapshot").to_pylist() == ["s3"] * len(frame)
    ran = run("export", dumps[0], "-o", folder, "--to", to, "--no-index")
    assert ran.code == 3
    assert "exists already" in ran.err
    assert sorted(each.name for each in tmp_path.iterdir()) == ["out"]


@pytest.mark.parametrize("library", ["polars", "pandas", "duckdb"])
def test_others_open_the_files(run: Run, dumps: list[Path], tmp_path: Path, library: str) -> None:
    module = pytest.importorskip(library)
    assert run("export", dumps[0], "-o", tmp_path / "out", "--no-index").code == 0
    path = str(tmp_path / "out" / "objects.parquet")
    if library == "duckdb":
        found = dict(module.sql(f"SELECT class_name, count(*) FROM '{path}' GROUP BY 1").fetchall())
    else:
        names = module.read_parquet(path)["class_name"]
        found = {str(name): int((names == name).sum()) for name in set(names.to_list())}
    with heapscope.open(dumps[0], use_index=False) as heap:
        assert found == {
            row["class_name"]: row["instance_count"]
            for row in heap.histogram().rows()
            if row["instance_count"]
        }


def test_class_paths_add_up_to_the_reachable_heap(dumps: list[Path]) -> None:
    with heapscope.open(dumps[0], use_index=False) as heap:
        found = find_class_paths(heap.graph)
        weights = found.weights()
        tree = heap.dominators()
        whole = int(tree.retained_bytes[tree.top_level].sum())
        assert sum(weights.values()) == whole
        late = heap.objects("com.acme.Late")[0]
        below = sum(size for path, size in weights.items() if path[0] == "com.acme.Late")
        assert below == late.retained_bytes
        # A list is one node, however long.
        assert ("com.acme.Late", SESSION) in weights
        assert max(map(len, weights)) < 5
        coarse = found.weights(0.9)
        assert sum(coarse.values()) == whole
        assert len(coarse) < len(weights)


def test_flame_graphs(run: Run, dumps: list[Path], tmp_path: Path) -> None:
    folded = tmp_path / "x.folded"
    assert run("export", dumps[1], "--to", "folded", "-o", folded, "--no-index").code == 0
    lines = dict(line.rsplit(" ", 1) for line in folded.read_text().splitlines())
    with heapscope.open(dumps[1], use_index=False) as heap:
        weights = find_class_paths(heap.graph).weights()
    assert {tuple(path.split(";")): int(size) for path, size in lines.items()} == weights
    difference = tmp_path / "d.folded"
    ran = run("export", dumps[1], "--to", "folded", "--before", dumps[0], "-o", difference, "--no-index")
    assert ran.code == 0
    changed = [line.rsplit(" ", 2) for line in difference.read_text().splitlines()]
    grown = {path: int(after) - int(before) for path, before, after in changed if before != after}
    assert grown
    assert all(size > 0 for size in grown.values())
    scope = tmp_path / "x.json"
    assert run("export", dumps[1], "--to", "speedscope", "-o", scope, "--no-index").code == 0
    document = json.loads(scope.read_text())
    (profile,) = document["profiles"]
    assert profile["endValue"] == sum(profile["weights"]) == sum(weights.values())
    names = [frame["name"] for frame in document["shared"]["frames"]]
    assert {tuple(names[i] for i in sample) for sample in profile["samples"]} == set(weights)
    assert run("export", dumps[0], "--before", dumps[1], "-o", tmp_path / "q").code == 2


def test_pprof_is_what_its_schema_says() -> None:
    weights = {("a", "b"): 300, ("a",): 5}
    data = gzip.decompress(write_profile("pprof", "x", weights, {("a",): 8, ("c",): 4}))
    fields: dict[int, list[int | bytes]] = {}
    for number, value in protobuf(data):
        fields.setdefault(number, []).append(value)
    texts = [bytes(each).decode() for each in fields[6] if isinstance(each, bytes)]
    assert texts[0] == ""
    functions = {}
    for each in fields[5]:
        assert isinstance(each, bytes)
        entry = dict(protobuf(each))
        functions[entry[1]] = texts[int(entry[2])]
    found = {}
    for each in fields[2]:
        assert isinstance(each, bytes)
        entry = dict(protobuf(each))
        assert isinstance(entry[1], bytes)
        assert isinstance(entry[2], bytes)
        path = tuple(functions[number] for number in varints(entry[1]))[::-1]
        (value,) = varints(entry[2])
        found[path] = value - (1 << 64) if value >> 63 else value
    assert found == {("a", "b"): 300, ("a",): -3, ("c",): -4}


def varints(data: bytes) -> list[int]:
    found, value, shift = [], 0, 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            found.append(value)
            value = shift = 0
    return found


def protobuf(data: bytes) -> list[tuple[int, int | bytes]]:
    """Fields of a message, in order, read by the format's own rules."""
    found: list[tuple[int, int | bytes]] = []
    at = 0

    def number() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return value

    while at < len(data):
        key = number()
        if key & 7 == 0:
            found.append((key >> 3, number()))
        else:
            assert key & 7 == 2
            size = number()
            found.append((key >> 3, data[at : at + size]))
            at += size
    return found

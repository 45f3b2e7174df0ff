"""Queries: what they read, what they answer, what they refuse."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import heapscope
from heapscope.errors import MissingDependency, QueryError
from heapscope.heap.heap import Heap
from heapscope.query import session as sessions_module
from heapscope.query.catalogue import MEANINGS, TABLES
from heapscope.query.export import export_tables
from heapscope.query.session import Part, Session
from heapscope.query.sources import heap_session, opened_session
from tests.support.dumps import build
from tests.unit.query.conftest import SAMPLES
from tests.unit.query.heaps import typed

KEY = "org.apache.hadoop.fs.FileSystem$Cache$Key"


def rows(heap: Heap, query: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in heap_session(heap).run(query).to_table().rows()]


def test_objects_are_the_heaps(leak: Heap) -> None:
    histogram = {
        row["class_name"]: (row["instance_count"], row["shallow_bytes"]) for row in leak.histogram().rows()
    }
    found = rows(leak, "SELECT class_name, count(*), sum(shallow_bytes) FROM objects GROUP BY 1")
    assert {name: (count, size) for name, count, size in found} == histogram
    graph = leak.graph
    frame = leak.sql("SELECT * FROM objects ORDER BY address")
    assert frame["address"].to_numpy().tolist() == graph.columns.object_ids.tolist()
    assert frame["retained_bytes"].tolist() == graph.dominators.retained_bytes.tolist()
    assert frame["reachability"].value_counts().to_dict() == {
        row["category"]: row["object_count"] for row in leak.reachability().rows() if row["object_count"]
    }
    up = graph.immediate_dominators
    at = int(np.nonzero(up < up.size)[0][1000])
    assert frame["dominator"][at] == graph.columns.object_ids[up[at]]
    assert frame["dominator"].isna().sum() == np.count_nonzero(up >= up.size)


def test_references_have_the_names_that_paths_give_them(leak: Heap) -> None:
    from heapscope.heap.retention.edge_names import names
    from heapscope.heap.retention.reference_names import name_references

    graph = leak.graph
    codes, texts = name_references(graph)
    references = graph.references
    assert codes.size == references.indices.size > 300_000
    picked = np.random.default_rng(1).choice(codes.size, 3000, replace=False)
    # And all of class objects and threads, which the kernel leaves to Python.
    for place in picked.tolist():
        source = int(np.searchsorted(references.indptr, place, side="right")) - 1
        expected = names(graph, source, int(references.indices[place]))
        name = texts[codes[place]]
        assert name in expected or (name == "[]" and expected[0].startswith("[")), (place, name, expected)
    assert "<unknown>" not in {texts[code] for code in np.unique(codes).tolist()}
    assert {"static CACHE", "<class>", "referent", "<Java frame>"} <= set(texts)


def test_an_object_has_as_many_references_as_the_graph(leak: Heap) -> None:
    ((count, sources, targets),) = rows(
        leak, "SELECT count(*), count(DISTINCT source), count(DISTINCT target) FROM refs"
    )
    references = leak.references
    assert count == references.indices.size
    assert sources == np.count_nonzero(np.diff(references.indptr))
    assert targets == np.unique(references.indices).size


@pytest.mark.parametrize("name", TABLES)
def test_a_table_has_the_columns_that_it_is_said_to_have(leak: Heap, name: str) -> None:
    answer = heap_session(leak).run(f"SELECT * FROM {name}")
    types = {"TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ"}
    found = {column: types.get(kind, kind) for column, kind in zip(answer.names, answer.types, strict=True)}
    assert found == {"snapshot": "VARCHAR", **TABLES[name]}
    assert len(answer) > 0 or name == "growth"  # which needs two snapshots
    assert MEANINGS.keys() == TABLES.keys()


def test_only_what_a_query_reads_is_made(leak: Heap, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    whole = Session._made

    def spy(self: Session, name: str, number: int, table: Any, column: str) -> Any:
        made.append(f"{name}.{column}")
        return whole(self, name, number, table, column)

    monkeypatch.setattr(Session, "_made", spy)
    for query, expected in (
        ("SELECT count(*) FROM strings", {"strings.shallow_bytes"}),
        ("SELECT sum(shallow_bytes) FROM strings WHERE retained_bytes > 0", {"strings.shallow_bytes", "strings.retained_bytes"}),  # noqa: E501
        ("SELECT a.source FROM refs a JOIN gc_roots b ON a.source = b.address LIMIT 1", {"refs.source", "gc_roots.address"}),  # noqa: E501
        ("SELECT x FROM (SELECT address AS x, text FROM strings) WHERE x > 5", {"strings.address"}),
        (f'SELECT scheme FROM "{KEY}"', {f"{KEY}.scheme"}),
        ("SELECT 1", set()),
        ("DESCRIBE refs", set()),
    ):  # fmt: skip
        made.clear()
        leak.sql(query)
        assert set(made) == expected, query


@pytest.mark.parametrize(
    "query",
    [
        "SELECT class_name, max(retained_bytes) FROM objects WHERE reachability = 'strong' GROUP BY 1",
        "SELECT o.class_name, count(*) FROM refs r JOIN objects o ON r.target = o.address GROUP BY 1",
        "SELECT source_class, field, count(*) FROM refs GROUP BY ALL HAVING count(*) > 100",
        "SELECT c.class_name FROM classes c WHERE instance_count = (SELECT max(instance_count) FROM classes)",
        "WITH k AS (SELECT address FROM strings WHERE length > 100) "
        "SELECT class_of(address), count(*) FROM k GROUP BY 1",
        f'SELECT * EXCLUDE (snapshot) FROM "{KEY}" ORDER BY address',
        "SELECT COLUMNS('.*_bytes') FROM strings ORDER BY ALL LIMIT 50",
        "SELECT class_name, row_number() OVER (ORDER BY retained_bytes DESC, address) AS n FROM objects "
        "QUALIFY n < 20 ORDER BY n",
        "FROM threads JOIN frames USING (snapshot) WHERE frames.thread = threads.address",
    ],
)
def test_what_is_left_out_changes_no_answer(leak: Heap, query: str, monkeypatch: pytest.MonkeyPatch) -> None:
    session = heap_session(leak)
    found = sorted(map(str, session.run(query).to_table().rows()))
    plan = Session._plan

    def everything(self: Session, query: str) -> Any:
        names, _ = plan(self, query)
        wide = {
            (place, number, at)
            for place, name in enumerate(names)
            for number, table in enumerate(self._tables_of(name))
            for at in range(len(table.columns))
        }
        return names, wide

    monkeypatch.setattr(Session, "_plan", everything)
    assert len(found) > 0
    assert sorted(map(str, session.run(query).to_table().rows())) == found


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT clas_name FROM objects", "line 1, column 8: there is no column 'clas_name'; did you mean class_name?"),  # noqa: E501
        ("SELECT address\nFROM objects\nWHERE addres = 1", "line 3, column 7: there is no column 'addres'; did you mean address?"),  # noqa: E501
        ("SELECT * FROM object", "line 1, column 15: there is no table and no class 'object'; did you mean objects?"),  # noqa: E501
        ('SELECT * FROM "org.apache.hadoop.FileSystem$Cache$Key"', f'did you mean "{KEY}"?'),
        ('SELECT * FROM "FileSystem$Cache$Kex"', "there is no table and no class"),
        ("SELECT retaind(1)", "line 1, column 8: Scalar Function with name retaind does not exist; did you mean retained?"),  # noqa: E501
        ("SELEC 1", 'line 1, column 1: syntax error at or near "SELEC"'),
        (f"SELECT field(address, 'ugx') FROM \"{KEY}\"", "nearest: ugi"),
        ("SELECT 1; SELECT 2", "these are 2 statements; write one SELECT"),
        ("  ", "there is no query; write one SELECT"),
        ("SELECT " + "address, " * 40 + "adress FROM objects", "line 1, column 368: there is no column 'adress'"),  # noqa: E501
    ],
)  # fmt: skip
def test_a_bad_query_is_one_line_with_place_and_nearest_name(leak: Heap, query: str, said: str) -> None:
    with pytest.raises(QueryError) as caught:
        leak.sql(query)
    text = str(caught.value)
    assert said in text
    assert "\n" not in text
    assert text.startswith("query")


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_csv('{file}')",
        "SELECT * FROM '{file}'",
        "SELECT content FROM read_text('{file}')",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM sniff_csv('{file}')",
        "SELECT * FROM read_parquet('https://example.com/x.parquet')",
        "SELECT * FROM read_blob('{file}')",
        "COPY (SELECT 1) TO '{out}'",
        "COPY objects FROM '{file}'",
        "ATTACH '{out}' AS other",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "PRAGMA enable_profiling",
        "EXPORT DATABASE '{out}'",
        "CREATE TABLE t AS SELECT 1",
        "DROP VIEW objects",
        "CALL pragma_version()",
        "SELECT * FROM query('SELECT * FROM read_text(''{file}'')')",
        "SELECT getenv('HOME')",
        "SELECT * FROM leak",  # a variable of the caller
    ],
)
def test_queries_read_heaps_only(leak: Heap, query: str, tmp_path: Path) -> None:
    file, out = tmp_path / "in.csv", tmp_path / "out"
    file.write_text("a,b\n1,2\n")
    with pytest.raises(QueryError):
        leak.sql(query.format(file=file, out=out))
    assert not out.exists()
    assert os.listdir(tmp_path) == ["in.csv"]


def test_settings_are_locked_also_inside_a_select(leak: Heap) -> None:
    query = "SELECT current_setting('enable_external_access'), current_setting('lock_configuration')"
    assert rows(leak, query) == [(False, True)]
    with pytest.raises(QueryError):
        leak.sql("SELECT set_config('threads', '1')")


def test_fields_have_their_types(sessions: Heap) -> None:
    answer = heap_session(sessions).run('SELECT * FROM "com.acme.Session" ORDER BY id')
    assert dict(zip(answer.names, answer.types, strict=True)) == {
        "snapshot": "VARCHAR", "address": "UBIGINT", "class_name": "VARCHAR", "shallow_bytes": "BIGINT",
        "retained_bytes": "BIGINT", "name": "VARCHAR", "id": "INTEGER", "ID_2": "BIGINT", "ratio": "DOUBLE",
        "share": "FLOAT", "open": "BOOLEAN", "letter": "VARCHAR", "small": "SMALLINT", "tiny": "TINYINT",
        "next": "UBIGINT", "any": "UBIGINT", "address_field": "BIGINT",
    }  # fmt: skip
    first, second, _ = answer.to_table().rows()
    assert first["next"] is None
    assert second["next"] == first["address"]
    assert (second["name"], second["id"], second["ID_2"], second["ratio"]) == ("s1", 1, -1, 0.5)
    assert (second["open"], second["letter"], second["small"], second["tiny"]) == (False, "b", -3, -1)
    assert second["address_field"] == 77


def test_subclasses_bring_their_fields(sessions: Heap) -> None:
    found = rows(sessions, 'SELECT class_name, name, extra FROM "com.acme.Session+" ORDER BY name')
    assert found[0] == ("com.acme.Late", "late", "é\u4e2d")
    assert [row[2] for row in found[1:]] == [None, None, None]
    assert rows(sessions, 'SELECT count(*) FROM "Session"') == [(3,)]
    assert rows(sessions, 'SELECT count(*) FROM "com.acme.S*"') == [(3,)]


def test_a_field_of_mixed_objects_is_an_address(sessions: Heap) -> None:
    found = rows(sessions, 'SELECT text("any"), class_of("any") FROM "com.acme.Session" ORDER BY id')
    assert found == [("text", "java.lang.String"), (None, "com.acme.Session"), (None, "com.acme.Session")]


def test_functions_over_addresses(leak: Heap) -> None:
    keys = leak.objects(KEY)
    one = keys[0]
    (found,) = rows(
        leak,
        f"SELECT class_of(a), retained(a), field(a, 'scheme'), field(a, 'ugi.user.fullName'), "
        f"field(a, 'unique'), path_to_root(a), text(a), retained(5), class_of(NULL) "
        f"FROM (SELECT {one.object_id}::UBIGINT AS a)",
    )
    path = one.paths_to_gc_roots(1)[0].lines()
    assert found == (
        KEY, one.retained_bytes, "hdfs", "trainer@EXAMPLE.COM", "0", path, None, None, None
    )  # fmt: skip
    systems = leak.objects("org.apache.hadoop.fs.FileSystem")
    ((size, members),) = rows(
        leak,
        "SELECT retained_set_bytes(list(address)), retained_set(list(address)) "
        'FROM "org.apache.hadoop.fs.FileSystem+"',
    )
    assert size == systems.retained_bytes()
    assert members == [f"0x{each:x}" for each in systems.retained().object_ids.tolist()]
    ((all_of_them,),) = rows(
        leak, "SELECT bool_and(dominates(dominator, address)) FROM objects WHERE dominator IS NOT NULL"
    )
    assert all_of_them is True
    top = leak.dominators().chain(systems[0].retained().indices.tolist()[-1])
    above = leak.graph.columns.object_ids[top[-1]]
    below = leak.graph.columns.object_ids[systems[0].retained().indices[-1]]
    assert rows(leak, f"SELECT dominates({above}, {below}), dominates({below}, {above})") == [(True, False)]


def test_addresses_are_not_rounded(tmp_path: Path) -> None:
    path = build(typed, base=0x7FFF_FFFF_F000_0000).save(tmp_path / "high.hprof")
    with heapscope.open(path, use_index=False) as heap:
        frame = heap.sql('SELECT address, next FROM "com.acme.Session" ORDER BY address')
        assert frame["address"].tolist() == heap.objects("com.acme.Session", False).object_ids.tolist()
        assert frame["next"].tolist()[1:] == frame["address"].tolist()[:-1]
        assert heap.sql('SELECT address FROM "com.acme.Session"', to="arrow").schema.field(0).type == "uint64"


def test_sums_are_whole_numbers(leak: Heap) -> None:
    frame = leak.sql("SELECT sum(shallow_bytes) AS s FROM objects")
    assert frame["s"].dtype == np.int64
    assert int(frame["s"][0]) == leak.shallow_bytes


def test_several_snapshots_are_one_table(tmp_path: Path) -> None:
    paths = [
        build(partial(typed, sessions=n), timestamp_ms=n * 1000).save(tmp_path / f"s{n}.hprof")
        for n in (4, 2)
    ]
    histogram = SAMPLES / "leak-1.histogram.txt"
    with opened_session([*paths, histogram], {"use_index": False}) as session:
        query = 'SELECT snapshot, count(*) FROM "com.acme.Session+" GROUP BY 1 ORDER BY 1'
        assert session.run(query).to_table().column("snapshot") == ["s2", "s4"]
        found = session.run(f"{query} LIMIT 1").to_table()
        assert next(found.rows())["count_star()"] == 3
        names = session.run("SELECT snapshot, kind FROM snapshots").to_table()
        assert names.column("snapshot") == ["s2", "s4", "leak-1"]
        counted = "SELECT snapshot, sum(instance_count) AS n FROM classes GROUP BY 1 ORDER BY 1"
        assert [row["snapshot"] for row in session.run(counted).to_table().rows()] == ["leak-1", "s2", "s4"]
        each = 'SELECT DISTINCT class_of(address, snapshot) AS c FROM "com.acme.Session"'
        assert session.run(each).to_table().column("c") == ["com.acme.Session"]
        with pytest.raises(QueryError, match=r"name the snapshot as its last argument: class_of"):
            session.run("SELECT class_of(address) FROM objects")
        with pytest.raises(QueryError, match="needs a heap dump"):
            session.run("SELECT class_of(1, 'leak-1')")
        with pytest.raises(QueryError, match="a snapshot that there is not"):
            session.run("SELECT class_of(1, 'leak-9')")


def test_snapshots_answer_growth_and_findings() -> None:
    series = heapscope.snapshots(str(SAMPLES / "leak-[14].histogram.txt"))
    frame = series.sql("SELECT class_name, instance_count_first, instance_count_last FROM growth")
    growth = series.growth()
    assert frame["class_name"].tolist() == [key.name for key in growth.keys]
    assert frame["instance_count_last"].tolist() == [key.instance_counts[-1] for key in growth.keys]


def test_the_memory_is_bounded(leak: Heap, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions_module, "_LEAST_MEMORY", 8 << 20)
    query = "SELECT a.address, b.address FROM objects a, (FROM objects LIMIT 300) b ORDER BY 2, 1"
    with pytest.raises(QueryError, match="memory") as caught:
        leak.sql(query, memory=8 << 20)
    assert "\n" not in str(caught.value)
    with pytest.raises(QueryError, match="takes more than"):
        leak.sql("SELECT a.address, b.address FROM objects a, (FROM objects LIMIT 300) b", memory=8 << 20)
    assert len(leak.sql("SELECT 1")) == 1


def test_a_missing_engine_names_the_pip_line(sessions: Heap, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(MissingDependency, match=r"pip install 'duckdb>="):
        sessions.sql("SELECT 1")


def test_a_heap_without_the_class_of_strings_has_none(tmp_path: Path) -> None:
    with heapscope.open(build(lambda d: d.cls("a.B")).save(tmp_path / "a.hprof"), use_index=False) as heap:
        assert "java.lang.String" not in {each.name for each in heap.graph.classes}
        assert len(heap.sql("SELECT text FROM strings")) == 0


def test_columns_count_as_memory(leak: Heap) -> None:
    session = Session(heap_session(leak).parts, TABLES, memory=64 << 20)
    assert session.run("SELECT count(*) AS n, max(source) FROM refs").to_table().column("n")[0] > 100_000
    # As many references as would not fit: that is said before any is read.
    many = 70 << 20
    table = session.parts[0].tables["refs"]
    session.parts[0].tables["refs"] = replace(table, row_count=lambda: many)
    try:
        with pytest.raises(QueryError, match=r"columns that the query reads take .* --memory"):
            session.run("SELECT max(source) FROM refs")
    finally:
        session.parts[0].tables["refs"] = table


def test_parts_of_a_table_are_the_whole(leak: Heap) -> None:
    (part,) = heap_session(leak).parts
    for name in ("objects", "refs", "strings"):
        table = part.tables[name]
        assert table.row_count is not None
        rows = table.row_count()
        bounds = [0, 1, rows // 3, rows // 3, rows - 1, rows]
        for column in (each for each in table.columns if not each.is_whole):
            whole = column.make().to_pylist()
            pieces = [column.make(slice(*pair)).to_pylist() for pair in pairwise(bounds)]
            assert [value for piece in pieces for value in piece] == whole, (name, column.name)


def test_threads_that_export_find_the_references_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From Python 3.12 on two threads may compute a cached property at once: these cannot be made twice."""
    made: list[bool] = []

    def write(part: Part, *others: object) -> None:
        assert part.heap is not None
        made.append({"columns", "references", "_analysed"} <= vars(part.heap.graph._arrays).keys())

    monkeypatch.setattr("heapscope.query.export._write", write)
    with heapscope.open(SAMPLES / "leak-1.hprof.gz", use_index=False) as heap:
        export_tables(heap_session(heap), tmp_path / "tables", "parquet", version="0")
    assert made
    assert all(made)

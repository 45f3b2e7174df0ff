"""SQL: a query, its answer as a table, and the objects in it as a set."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

import numpy as np

from heapscope.explorer.session import OpenedDump
from heapscope.explorer.site import Problem, Site, Ways, one_of, path_of, ways_of
from heapscope.heap.graph.index_sets import distinct
from heapscope.heap.object_set import ObjectSet
from heapscope.query.answer import QueryAnswer
from heapscope.query.catalogue import TABLES
from heapscope.query.session import default_memory
from heapscope.query.sources import heap_session, snapshots_session

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

_ROWS = 200  # that are shown; a query can have LIMIT and OFFSET
_MAX_TEXT = 300
_MEMORY = 4 << 30  # of a query, where the machine has so much
_KEPT = 64 << 20  # of columns for the next one: they are made anew in a second
_NAMES = 12  # that completion offers
_MAX_QUERY = 10_000
_EXAMPLES = (
    (
        "Classes by retained size",
        "SELECT class_name, count(*) AS instances, sum(shallow_bytes) AS shallow_bytes\n"
        "FROM objects GROUP BY ALL ORDER BY 3 DESC LIMIT 20",
    ),
    (
        "Longest strings",
        "SELECT address, length, text FROM strings ORDER BY length DESC LIMIT 20",
    ),
    (
        "What refers to threads",
        "SELECT source_class AS referrer, field, count(*) AS times\n"
        "FROM refs WHERE target_class = 'java.lang.Thread' GROUP BY ALL ORDER BY 3 DESC",
    ),
    ("Environment", "SELECT * FROM environment"),
)


def sql(site: Site, request: Request) -> Response:
    """The page of a query."""
    dump = site.ready_dump(request)
    query = request.query_params.get("q", "").strip()
    over = one_of(request, "over", ("this", "all"))
    answer: QueryAnswer | None = None
    problem = ""
    if query:
        try:
            answer = _answer(site, dump, query, over)
        except Problem as found:
            problem = str(found)
    rows, columns = ([], []) if answer is None else _table(site, dump, answer)
    return site.page(
        request,
        "sql.html.j2",
        "SQL",
        dump,
        query=query,
        over=over,
        problem=problem,
        columns=columns,
        rows=rows,
        total=0 if answer is None else len(answer),
        has_answer=answer is not None,
        set_url=site.url("/set", dump, q=query) if over == "this" and _address_column(answer) >= 0 else "",
        examples=[(title, site.url("/sql", dump, q=text)) for title, text in _EXAMPLES],
        tables=[(name, list(types.items())) for name, types in TABLES.items()],
        ways=_ways(site, dump, query, over) if query else None,
    )


def _ways(site: Site, dump: OpenedDump, query: str, over: str) -> Ways:
    if over == "this":
        return ways_of(dump, f"sql DUMP {shlex.quote(query)}", f"heap.sql({query!r})")
    paths = [path_of(each) for each in site.session.dumps if each.snapshot is not None]
    return Ways(
        f"heapscope sql {shlex.join(paths)} {shlex.quote(query)}",
        f"import heapscope\n\nheapscope.snapshots({paths!r}).sql({query!r})",
    )


def _answer(site: Site, dump: OpenedDump, query: str, over: str) -> QueryAnswer:
    if len(query) > _MAX_QUERY:
        raise Problem(f"a query has at most {_MAX_QUERY:,} characters", 400)
    show_secrets = site.session.show_secrets
    memory = min(_MEMORY, default_memory())

    def compute() -> QueryAnswer:
        if over == "all":
            with snapshots_session(
                site.session.snapshots(), memory=memory, show_secrets=show_secrets, progress=dump.progress
            ) as session:
                return session.run(query)
        assert dump.heap is not None
        session = heap_session(dump.heap, memory=memory, show_secrets=show_secrets)
        session.kept_bytes = _KEPT
        return session.run(query)

    found: QueryAnswer = site.computed(("sql", dump.name, over, query), "the query", compute)
    return found


def _address_column(answer: QueryAnswer | None) -> int:
    """The first column of addresses, -1 where there is none."""
    if answer is None:
        return -1
    return next((place for place, kind in enumerate(answer.types) if kind == "UBIGINT"), -1)


def _table(
    site: Site, dump: OpenedDump, answer: QueryAnswer
) -> tuple[list[list[dict[str, Any]]], list[dict[str, Any]]]:
    head = QueryAnswer(answer.raw.slice(0, _ROWS), answer.types).to_table()
    columns = [
        {"name": name, "is_number": kind not in ("VARCHAR", "UBIGINT", "BOOLEAN") and "[" not in kind}
        for name, kind in zip(head.names, answer.types, strict=True)
    ]
    rows = []
    for values in zip(*(head.column(name) for name in head.names), strict=True):
        cells = []
        for value, kind in zip(values, answer.types, strict=True):
            text = "" if value is None else _text(value)
            link = site.url(f"/objects/{value}", dump) if kind == "UBIGINT" and value else ""
            cells.append(
                {
                    "text": text[:_MAX_TEXT],
                    "is_cut": len(text) > _MAX_TEXT,
                    "link": link,
                    "is_null": value is None,
                }
            )
        rows.append(cells)
    return rows, columns


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.3f}".rstrip("0").rstrip(".")
    return value if isinstance(value, str) else json.dumps(value, default=str)


def set_of_query(site: Site, dump: OpenedDump, query: str) -> ObjectSet:
    """The objects whose addresses a query gives in its first column of addresses.

    Raises
    ------
    Problem, Wait
    """
    answer = _answer(site, dump, query, "this")
    place = _address_column(answer)
    if place < 0:
        raise Problem("the query gives no addresses; SELECT address FROM ... makes a set", 400)
    values = answer.raw.column(place).drop_null().to_numpy(zero_copy_only=False).astype(np.uint64)
    rows = distinct(dump.graph.indices_of(values))
    return ObjectSet(dump.graph, rows[rows >= 0])


def object_set(site: Site, request: Request) -> Response:
    """The objects of a query as a set: by class, who holds them, what they retain."""
    dump = site.ready_dump(request)
    query = request.query_params.get("q", "").strip()
    if not query:
        raise Problem("the address names no query: /set?q=SELECT address FROM ...", 400)
    members = set_of_query(site, dump, query)
    return site.page(
        request,
        "set.html.j2",
        "Set of objects",
        dump,
        query=query,
        members=members,
        rows=list(members.histogram().head(30).rows()),
        back=site.url("/sql", dump, q=query),
        part=lambda path: site.url(path, dump, q=query),
        ways=ways_of(dump, f"sql DUMP {shlex.quote(query)}", f"heap.sql({query!r})", query),
    )


def names_part(site: Site, request: Request) -> Response:
    """Names that begin as what somebody types, a line each, for completion."""
    dump = site.ready_dump(request)
    text = request.query_params.get("begin", "").lower()
    found: list[str] = []
    if text:
        known = [*TABLES, *dict.fromkeys(column for types in TABLES.values() for column in types)]
        found = [name for name in known if name.startswith(text)]
        classes = sorted({each.name for each in dump.graph.classes}, key=lambda name: (len(name), name))
        found += [f'"{name}"' for name in classes if name.lower().startswith(text)]
        found += [
            f'"{name}"'
            for name in classes
            if not name.lower().startswith(text) and name.lower().rpartition(".")[2].startswith(text)
        ]
    return site.fragment("names.html.j2", names=found[:_NAMES])

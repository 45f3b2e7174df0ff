"""Classes: the histogram, one class with its instances, and sets of objects that a filter picks."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import numpy as np

from heapscope.errors import HeapscopeError
from heapscope.explorer.session import OpenedDump
from heapscope.explorer.site import (
    ROWS,
    Site,
    Wait,
    Ways,
    as_problem,
    number_of,
    one_of,
    percent,
    ways_of,
)
from heapscope.heap.graph.dominators import largest
from heapscope.heap.graph.recent import Recent
from heapscope.heap.object_set import ObjectSet, instances_of, picked_classes
from heapscope.heap.objects.fields import class_fields
from heapscope.heap.objects.inspector import field_at
from heapscope.heap.objects.java_object import JavaObject
from heapscope.heap.retention.by_group import (
    find_consumers,
    largest_of_classes,
    package_of,
)
from heapscope.parser.tags import BasicType
from heapscope.query.quoting import sql_name, sql_text

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

_MOST_AT_ONCE = 10_000  # instances that are ranked in one pass; further pages need all of them
_KEPT_OBJECTS = 4_000_000  # of sets; 8 bytes each
_KEPT_ROWS = 100_000  # of pages
_FIELDS = 5  # columns where nobody chose any
_OWN_COLUMNS = ("snapshot", "address", "class_name", "shallow_bytes", "retained_bytes")  # of a class's table
_UNITS = {"retained": "retained_bytes", "shallow": "shallow_bytes", "instances": "instance_count"}


def classes(site: Site, request: Request) -> Response:
    """The class histogram: filtered, grouped, sorted; of several snapshots with a column for each."""
    dump = site.dump_of(request)
    by = one_of(request, "by", ("class", "package", "loader"))
    sort = one_of(request, "sort", ("retained", "shallow", "instances", "change", "name"))
    text, first = request.query_params.get("q", ""), number_of(request, "from")
    assert dump.snapshot is not None
    retained = _retained(site, dump, by)
    rows = _rows(dump, by, retained)
    if text:
        rows = [row for row in rows if _matches(text, row["name"])]
    series = _columns_of_snapshots(site, by) if len(site.session.dumps) > 1 else []
    for row in rows:
        row["counts"] = [counts.get(row["name"], 0) for _, counts in series]
        row["change"] = row["counts"][-1] - row["counts"][0] if row["counts"] else 0
    if sort == "name":
        rows.sort(key=lambda row: row["name"])
    elif sort == "change":
        rows.sort(key=lambda row: (-abs(row["change"]), row["name"]))
    else:
        column = _UNITS[sort] if sort != "retained" or retained is not None else "shallow_bytes"
        rows.sort(key=lambda row: (-row[column], row["name"]))
    shown = rows[first : first + ROWS]
    most = max((row["retained_bytes"] for row in rows), default=0)
    for row in shown:
        row["percent"] = percent(row["retained_bytes"], most)
        row["link"] = site.class_url(row["name"], dump) if by == "class" else ""
        if by == "package":
            row["link"] = site.url("/classes", dump, q=f"{row['name']}.")
        elif by == "loader" and "0x" in row["name"]:
            address = row["name"].partition(" 0x")[2].partition(" ")[0].rstrip(">")
            row["link"] = site.url(f"/objects/0x{address}", dump) if address else ""
    arguments = {"q": text, "by": by, "sort": sort}
    return site.page(
        request,
        "classes.html.j2",
        "Classes",
        dump,
        rows=shown,
        total=len(rows),
        first=first,
        by=by,
        sort=sort,
        text=text,
        has_retained=retained is not None,
        snapshots=[other for other, _ in series],
        link=lambda **change: site.url("/classes", dump, **{**arguments, **change}),
        ways=_ways_of_histogram(dump, text, sort)
        if by == "class"
        else ways_of(dump, f"dominators DUMP --by {by}", f"heap.consumers.by_{by}.to_frame()"),
    )


def _ways_of_histogram(dump: OpenedDump, text: str, sort: str) -> Ways:
    column = {"name": "class_name", "instances": "instance_count", "shallow": "shallow_bytes"}.get(
        sort, "retained_bytes"
    )
    pattern = text.lower()
    is_glob = "*" in text or "?" in text
    part = (
        f" AND lower(class_name) GLOB {sql_text(pattern)}"
        if is_glob
        else f" AND contains(lower(class_name), {sql_text(pattern)})"
    )
    sql = (
        "SELECT class_name, instance_count, shallow_bytes, retained_bytes\n"
        f"FROM classes WHERE instance_count > 0{part if text else ''}\n"
        f"ORDER BY {column}{'' if sort == 'name' else ' DESC'}, class_name"
    )
    if text:  # the command and the method have no filter
        return ways_of(dump, f"sql DUMP {shlex.quote(sql)}", f"heap.sql({sql!r})", sql)
    by = {"name": "class", "instances": "instances", "shallow": "'shallow bytes'"}.get(sort, "")
    command = "histogram DUMP --retained" + (f" --sort {by}" if by else "")
    return ways_of(dump, command, "heap.class_histogram(retained=True)", sql)


def _matches(text: str, name: str) -> bool:
    """By glob where the text has * or ?, else by any part; upper and lower case are one."""
    text, name = text.lower(), name.lower()
    return fnmatchcase(name, text) if "*" in text or "?" in text else text in name


def _retained(site: Site, dump: OpenedDump, by: str) -> dict[str, int] | None:
    """Retained bytes of each row; None as long as they are not there."""
    if not dump.is_ready:
        return None
    try:
        found = site.computed(
            ("consumers", dump.name), "retained sizes of all classes", lambda: find_consumers(dump.graph)
        )
    except Wait:
        return None
    table = getattr(found, f"by_{by}")
    return dict(zip(table.column("name"), table.column("retained_bytes"), strict=True))


def _rows(dump: OpenedDump, by: str, retained: dict[str, int] | None) -> list[dict[str, Any]]:
    assert dump.snapshot is not None
    if by == "loader" and dump.is_ready and retained is not None:
        table = find_consumers(dump.graph).by_loader
        return [dict(row) for row in table.rows()]
    found: dict[str, dict[str, Any]] = {}
    for row in dump.snapshot.histogram.rows():
        name = row["class_name"] if by != "package" else package_of(row["class_name"])
        into = found.setdefault(name, {"name": name, "instance_count": 0, "shallow_bytes": 0})
        into["instance_count"] += row["instance_count"]
        into["shallow_bytes"] += row["shallow_bytes"]
    for name, row in found.items():
        row["retained_bytes"] = (retained or {}).get(name, 0)
    return list(found.values())


def _columns_of_snapshots(site: Site, by: str) -> list[tuple[OpenedDump, dict[str, int]]]:
    if by == "loader":
        return []
    columns = []
    for other in site.session.dumps:
        if other.snapshot is None:
            continue
        counts: dict[str, int] = {}
        for row in other.snapshot.histogram.rows():
            name = row["class_name"] if by == "class" else package_of(row["class_name"])
            counts[name] = counts.get(name, 0) + row["instance_count"]
        columns.append((other, counts))
    return columns


def one_class(site: Site, request: Request) -> Response:
    """A class and its instances, which `fields` and `where` narrow."""
    dump = site.ready_dump(request)
    name = request.path_params["name"]
    subclasses = one_of(request, "subclasses", ("no", "yes")) == "yes"
    where, fields = request.query_params.get("where", ""), request.query_params.get("fields", "")
    sort = one_of(request, "sort", ("retained", "address"))
    first = number_of(request, "from")
    try:
        seen = _instances(site, dump, name, subclasses, where, sort, first)
    except HeapscopeError as error:
        raise as_problem(error) from None
    shown_fields = _split(fields) or _first_fields(dump, seen.class_index)
    rows = seen.rows
    table = [_row(dump, index, shown_fields) for index in rows]
    graph = dump.graph
    same = [each for each in graph.classes if each.name == name]
    arguments = {"subclasses": "yes" if subclasses else "", "where": where, "fields": fields, "sort": sort}
    return site.page(
        request,
        "class.html.j2",
        name,
        dump,
        name=name,
        instance_count=seen.count,
        shallow_bytes=seen.shallow_bytes,
        dominated_bytes=_dominated(site, dump, name) if not where and not subclasses else None,
        rows=table,
        first=first,
        fields=shown_fields,
        is_chosen=bool(fields),
        all_fields=_field_names(dump, seen.class_index),
        where=where,
        sort=sort,
        subclasses=subclasses,
        superclasses=_superclasses(dump, name),
        class_objects=[(each.class_id, each.loader_id) for each in same],
        most=max((row["retained_bytes"] for row in table), default=0),
        link=lambda **change: site.class_url(name, dump, **{**arguments, **change}),
        part=lambda path: site.url(
            path, dump, **{"class": name, "subclasses": arguments["subclasses"], "where": where}
        ),
        ways=_ways_of_instances(dump, name, subclasses, where, shown_fields, sort),
    )


def _ways_of_instances(
    dump: OpenedDump, name: str, subclasses: bool, where: str, fields: list[str], sort: str
) -> Ways:
    path, _, value = (part.strip() for part in where.partition("="))
    columns = [
        sql_name(field) if "." not in field and field not in _OWN_COLUMNS else _field_column(field)
        for field in fields
    ]
    sql = (
        f"SELECT {', '.join(['address', *columns, 'shallow_bytes', 'retained_bytes'])}\n"
        f"FROM {sql_name(name + ('+' if subclasses else ''))}\n"
        + (f"WHERE field(address, {sql_text(path)}) = {sql_text(value)}\n" if where else "")
        + ("ORDER BY retained_bytes DESC, address" if sort == "retained" else "ORDER BY address")
    )
    python = f"found = heap.objects({name!r}, subclasses={subclasses})\n"
    if where:
        text = "str(value).lower()" if value in ("true", "false") else "str(value)"
        python += f"found = found.where({path!r}, lambda value: {text} == {value!r})\n"
    python += f"found.to_frame({', '.join(map(repr, fields))})"
    command = f"paths DUMP {shlex.quote(name)}" + ("" if subclasses else " --no-subclasses")
    return ways_of(dump, f"sql DUMP {shlex.quote(sql)}" if where else command, python, sql)


def _field_column(field: str) -> str:
    return f"field(address, {sql_text(field)}) AS {sql_name(field)}"


def _dominated(site: Site, dump: OpenedDump, name: str) -> int | None:
    """What the instances of a class retain in the dominator tree; None as long as that is not there."""
    retained = _retained(site, dump, "class")
    return None if retained is None else retained.get(name, 0)


def picked(site: Site, dump: OpenedDump, name: str, subclasses: bool, where: str) -> ObjectSet:
    """The instances of a class, perhaps those alone that have a value in a field; kept for the next click.

    Parameters
    ----------
    where : str
        ``"scheme=hdfs"``, or empty; the text before the first ``=`` is a path of fields.

    Raises
    ------
    HeapscopeError
        There is no such class or field.
    """
    kept = dump.graph.kept("sets of the explorer", lambda: Recent[ObjectSet](_KEPT_OBJECTS))
    found = kept.get((name, subclasses), lambda: instances_of(dump.graph, name, subclasses=subclasses))
    if not where:
        return found
    path, has_value, value = where.partition("=")
    if not has_value:
        raise HeapscopeError(f"{where!r} is no filter; write field=value, as in scheme=hdfs")
    wanted = value.strip()
    key = ("where", dump.name, name, subclasses, where)

    def compute() -> ObjectSet:
        return found.where(path.strip(), lambda each: _shown(each) == wanted)

    picked_set: ObjectSet = site.computed(key, f"{name} with {where}", compute)
    return picked_set


def _shown(value: Any) -> str:
    """A value of a field as the page shows it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def set_of(site: Site, request: Request, dump: OpenedDump) -> tuple[ObjectSet, str]:
    """The set that the address of a part names, by class or by query, and its key.

    Raises
    ------
    Problem, Wait
    """
    name = request.query_params.get("class", "")
    query = request.query_params.get("q", "")
    subclasses = request.query_params.get("subclasses", "") == "yes"
    where = request.query_params.get("where", "")
    if query:
        from heapscope.explorer.sql import set_of_query

        return set_of_query(site, dump, query), f"sql {query}"
    try:
        return picked(site, dump, name, subclasses, where), f"{name}|{subclasses}|{where}"
    except HeapscopeError as error:
        raise as_problem(error) from None


def _split(fields: str) -> list[str]:
    return [each.strip() for each in fields.split(",") if each.strip()][:12]


def _field_names(dump: OpenedDump, class_index: int) -> list[str]:
    return list(class_fields(dump.graph, class_index).by_name) if class_index >= 0 else []


def _first_fields(dump: OpenedDump, class_index: int) -> list[str]:
    """The first fields of a class: its own, references and texts first."""
    if class_index < 0:
        return []
    places = class_fields(dump.graph, class_index).places
    names = [each.name for each in places if each.type == BasicType.OBJECT]
    names += [each.name for each in places if each.type != BasicType.OBJECT]
    return list(dict.fromkeys(names))[:_FIELDS]


@dataclass(frozen=True, slots=True)
class _Instances:
    """What the page of a class shows of its instances; the class that most are of, -1 where there is none."""

    count: int
    shallow_bytes: int
    class_index: int
    rows: list[int]

    def __len__(self) -> int:
        return len(self.rows)


def _instances(
    site: Site, dump: OpenedDump, name: str, subclasses: bool, where: str, sort: str, first: int
) -> _Instances:
    graph = dump.graph
    if not where and sort == "retained" and first < _MOST_AT_ONCE:

        def rank() -> _Instances:
            is_picked = picked_classes(graph, name, subclasses=subclasses)
            of_class, units = graph.class_totals
            mine = np.where(is_picked, of_class, 0)
            rows = largest_of_classes(graph, is_picked, ROWS, first)  # a pass over the heap
            shallow = int(units[is_picked].sum()) * graph.columns.unit_bytes
            most = int(mine.argmax()) if mine.any() else -1
            return _Instances(int(mine.sum()), shallow, most, rows.tolist())

        kept = graph.kept("instances of the explorer", lambda: Recent[_Instances](_KEPT_ROWS))
        return kept.get((name, subclasses, first), rank)
    members = picked(site, dump, name, subclasses, where)
    indices = members.indices
    classes = np.bincount(graph.columns.class_index[indices]) if members else np.empty(0)
    page = (
        indices[first : first + ROWS]
        if sort == "address"
        else largest(indices, graph.retained_units[indices], ROWS, first)
    )
    most = int(classes.argmax()) if classes.size else -1
    return _Instances(len(members), members.shallow_bytes, most, page.tolist())


def _row(dump: OpenedDump, index: int, fields: list[str]) -> dict[str, Any]:
    one = JavaObject(dump.graph, index)
    return {
        "object_id": one.object_id,
        "class_name": one.class_name,
        "shallow_bytes": one.shallow_bytes,
        "retained_bytes": dump.graph.dominators.retained_bytes_of(index),
        "values": [field_at(one, field) for field in fields],
    }


def _superclasses(dump: OpenedDump, name: str) -> list[str]:
    found: list[str] = []
    at = dump.graph.superclasses.get(name)
    while at is not None and at not in found:
        found.append(at)
        at = dump.graph.superclasses.get(at)
    return found

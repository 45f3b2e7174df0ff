"""The dominator tree: by object, or summed by class, package or loader; level by level."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from heapscope.explorer.objects import object_at
from heapscope.explorer.session import OpenedDump
from heapscope.explorer.site import ROWS, Problem, Site, hexadecimal, number_of, one_of, ways_of
from heapscope.heap.graph.dominators import largest
from heapscope.heap.objects.java_object import JavaObject, title_of
from heapscope.heap.retention.dominator_tree import GroupBy, tree_groups

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

_CHOICES = ("object", "class", "package", "loader")
_MAX_WAY_CHARACTERS = 20_000


def dominators(site: Site, request: Request) -> Response:
    """The top of the tree."""
    dump = site.ready_dump(request)
    by = one_of(request, "by", _CHOICES)
    return site.page(
        request,
        "dominators.html.j2",
        "Dominator tree",
        dump,
        by=by,
        choices=_CHOICES,
        reachability=dump.graph.reachability_table.rows(),
        level_url=site.url("/parts/level", dump, by=by),
        ways=ways_of(
            dump,
            "dominators DUMP" + ("" if by == "object" else f" --by {by}"),
            "heap.dominators().top(50).to_frame()"
            if by == "object"
            else f"heap.consumers.by_{by}.to_frame()",
            "SELECT address, class_name, retained_bytes FROM objects ORDER BY retained_bytes DESC LIMIT 50"
            if by == "object"
            else "",
        ),
    )


def level_part(site: Site, request: Request) -> Response:
    """What stands below a place of the tree; the top level where none is named."""
    dump = site.ready_dump(request)
    by = one_of(request, "by", _CHOICES)
    first = number_of(request, "from")
    whole = _whole(dump)
    rows = _objects(site, request, dump, first) if by == "object" else _groups(site, request, dump, by, first)
    return site.fragment("level.html.j2", whole=whole, dump=dump, **rows)


def dominated_part(site: Site, request: Request) -> Response:
    """What an object immediately dominates; the percent are of that object."""
    dump = site.ready_dump(request)
    one = object_at(dump, request.query_params.get("of", ""))
    whole = dump.graph.dominators.retained_bytes_of(one.index)
    rows = _objects(site, request, dump, number_of(request, "from"))
    return site.fragment("level.html.j2", whole=whole, dump=dump, **rows)


def _whole(dump: OpenedDump) -> int:
    """Retained bytes of all that the GC roots reach."""

    def compute() -> int:
        graph = dump.graph
        top = graph.dominators.top_level
        return int(graph.retained_units[top].sum(dtype="uint64")) * graph.columns.unit_bytes

    return dump.graph.kept("bytes below the virtual root", compute)


def _objects(site: Site, request: Request, dump: OpenedDump, first: int) -> dict[str, Any]:
    graph, of = dump.graph, request.query_params.get("of", "")
    tree = graph.dominators
    index_of = object_at(dump, of).index if of else -1

    def compute() -> tuple[list[int], int]:
        children = tree.children_of(index_of) if of else tree.top_level
        return largest(children, tree.retained_units[children], ROWS, first).tolist(), int(children.size)

    page, total = site.computed(("level", dump.name, index_of, first), "this level of the tree", compute)
    rows = []
    for index in page:
        one = JavaObject(graph, index)
        text = one.value(depth=0) if one.class_name == "java.lang.String" else None
        retained = tree.retained_bytes_of(index)
        facts = f"{hexadecimal(one.object_id)}"
        if isinstance(text, str):
            facts += f" “{site.text_of(dump, one.object_id, text)[:60]}”"
        rows.append(
            {
                "name": title_of(one),
                "link": site.object_url(one.object_id, dump),
                "retained_bytes": retained,
                "facts": facts,
                "level": site.url("/parts/level", dump, by="object", of=hexadecimal(one.object_id))
                if retained > one.shallow_bytes
                else "",
            }
        )
    return {
        "rows": rows,
        "left": total - first - len(rows),
        "more": site.url("/parts/level", dump, by="object", of=of, **{"from": first + len(rows)}),
    }


def _groups(site: Site, request: Request, dump: OpenedDump, by: str, first: int) -> dict[str, Any]:
    text = request.query_params.get("way", "[]")
    try:
        way = json.loads(text) if len(text) <= _MAX_WAY_CHARACTERS else None
    except ValueError:
        way = None
    if not isinstance(way, list) or not all(isinstance(step, str) for step in way):
        raise Problem("the address names no place of the tree", 400)
    groups = site.computed(
        ("tree", dump.name, by, *way),
        "this level of the tree",
        lambda: tree_groups(dump.graph, cast("GroupBy", by), way),
    )
    rows = []
    for group in groups[first : first + ROWS]:
        facts = f"{group.object_count:,} objects" if group.object_count > 1 else hexadecimal(group.example_id)
        link = (
            site.object_url(group.example_id, dump)
            if group.object_count == 1 or by != "class"
            else site.class_url(group.name, dump)
        )
        rows.append(
            {
                "name": group.name,
                "link": link,
                "retained_bytes": group.retained_bytes,
                "facts": facts,
                "level": site.url("/parts/level", dump, by=by, way=json.dumps([*way, group.name]))
                if group.retained_bytes > group.shallow_bytes
                else "",
            }
        )
    return {
        "rows": rows,
        "left": len(groups) - first - len(rows),
        "more": site.url("/parts/level", dump, by=by, way=text, **{"from": first + len(rows)}),
    }

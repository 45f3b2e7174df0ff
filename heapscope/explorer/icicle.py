"""The icicle: the dominator tree folded by class, as a picture in which a click goes deeper."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from heapscope.explorer.objects import object_at
from heapscope.explorer.session import OpenedDump
from heapscope.explorer.site import Problem, Site, number_of, percent, ways_of
from heapscope.heap.graph.class_origin import ClassOrigin, class_origin
from heapscope.heap.objects.java_object import JavaObject
from heapscope.heap.retention.class_paths import ClassPaths, find_class_paths, node_of
from heapscope.heap.retention.edge_names import simple_name
from heapscope.units import format_bytes

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

ROW_HEIGHT = 24
_ROWS = 14
# Percent of the picture's width: thinner blocks are not drawn, and thinner ones have no room for letters.
_LEAST_WIDTH, _LABEL_WIDTH = 0.25, 1.5


def icicle(site: Site, request: Request) -> Response:
    """The picture from a node of the tree on; of the object in the address, the node that it belongs to."""
    dump = site.ready_dump(request)
    paths: ClassPaths = site.computed(
        ("class paths", dump.name), "the dominator tree by class", lambda: find_class_paths(dump.graph)
    )
    node = number_of(request, "node")
    of = request.query_params.get("of", "")
    if of:
        node = node_of(dump.graph, object_at(dump, of).index)
        if node < 0:
            raise Problem(f"{of}: nothing retains this object, so it has no place in the tree", 400)
    if node >= len(paths):
        raise Problem(f"the tree has {len(paths):,} nodes", 404)
    blocks, deepest = _blocks(site, dump, paths, node)
    way = [{"name": "the heap", "link": site.url("/icicle", dump)}]
    way += [{"name": _name(paths, each), "link": _link(site, dump, each)} for each in paths.way(node)]
    children = paths.children(node)
    rows = [
        {
            "name": _name(paths, each),
            "link": _link(site, dump, each),
            "object_count": int(paths.object_counts[each]),
            "shallow_bytes": int(paths.shallow_bytes[each]),
            "retained_bytes": int(paths.retained_bytes[each]),
            "percent": percent(int(paths.retained_bytes[each]), int(paths.retained_bytes[node])),
        }
        for each in children[:30].tolist()
    ]
    return site.page(
        request,
        "icicle.html.j2",
        "Icicle",
        dump,
        blocks=blocks,
        height=(deepest + 1) * ROW_HEIGHT,
        row_height=ROW_HEIGHT,
        way=way,
        rows=rows,
        left=max(0, len(children) - len(rows)),
        node=node,
        name=_name(paths, node) if node else "",
        object_count=int(paths.object_counts[node]),
        retained_bytes=int(paths.retained_bytes[node]),
        example=JavaObject(dump.graph, int(paths.examples[node])) if node else None,
        ways=ways_of(dump, "dominators DUMP --by class", "heap.consumers.by_class.to_frame()"),
    )


def _link(site: Site, dump: OpenedDump, node: int) -> str:
    return site.url("/icicle", dump, node=node)


def _name(paths: ClassPaths, node: int) -> str:
    return paths.name(node) or "the heap"


def _blocks(site: Site, dump: OpenedDump, paths: ClassPaths, node: int) -> tuple[list[dict[str, Any]], int]:
    """What is drawn: level by level, the largest first, and nothing too thin to be seen; in percent."""
    whole = int(paths.retained_bytes[node])
    scale = 100 / whole if whole else 0.0
    is_wide = paths.retained_bytes * scale >= _LEAST_WIDTH
    is_wide[0] = False
    candidates = np.nonzero(is_wide)[0]
    by_parent: dict[int, list[int]] = {}
    for each in candidates[np.lexsort((candidates, -paths.retained_bytes[candidates]))].tolist():
        by_parent.setdefault(int(paths.parents[each]), []).append(each)
    blocks: list[dict[str, Any]] = []
    level, deepest = [(node, 0.0)], 0
    for row in range(_ROWS):
        below: list[tuple[int, float]] = []
        for each, x in level:
            width = int(paths.retained_bytes[each]) * scale
            name = _name(paths, each)
            size = format_bytes(int(paths.retained_bytes[each]))
            count = int(paths.object_counts[each])
            blocks.append(
                {
                    "x": x,
                    "y": row * ROW_HEIGHT,
                    "width": width,
                    # The browser cuts it where the block ends, however wide the window is.
                    "label": simple_name(name) if width >= _LABEL_WIDTH else "",
                    "size": size,
                    "name": name,
                    "title": f"{name}: {count:,} x, {size}" if each else f"the heap: {size}",
                    "link": _link(site, dump, each),
                    "is_own": class_origin(name.removeprefix("class ")) > ClassOrigin.JDK,
                }
            )
            deepest = row
            at = x
            for child in by_parent.get(each, []):
                below.append((child, at))
                at += int(paths.retained_bytes[child]) * scale
        level = below
    return blocks, deepest

"""Threads, GC roots, strings, class loaders; and the notes."""

from __future__ import annotations

import shlex
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from heapscope.errors import HeapscopeError
from heapscope.explorer.session import OpenedDump
from heapscope.explorer.site import ROWS, Problem, Site, Wait, Ways, number_of, percent, ways_of
from heapscope.heap.graph.dominators import largest
from heapscope.heap.graph.references import VIRTUAL_ROOT
from heapscope.heap.objects.java_object import JavaObject, title_of
from heapscope.heap.objects.text_search import strings_with
from heapscope.heap.objects.thread_stacks import find_thread_stacks, stack_objects
from heapscope.heap.retention.by_group import find_consumers
from heapscope.heap.retention.edge_names import names
from heapscope.heap.retention.waste import duplicate_strings
from heapscope.parser.tags import ROOT_KIND_NAMES
from heapscope.query.quoting import sql_text
from heapscope.reporter.notes import read_notes

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

_ON_STACK = 60  # objects of a stack, those that retain most
_FRAMES = 200
_DUPLICATES = 50
_MIN_CHARACTERS = 3  # a single letter is in every string


def threads(site: Site, request: Request) -> Response:
    """Threads, what retains most first; virtual ones with one stack together."""
    dump = site.ready_dump(request)
    found = site.computed(("threads", dump.name), "threads", lambda: find_thread_stacks(dump.graph))
    first = number_of(request, "from")
    page = found[first : first + ROWS]
    most = max((each.retained_bytes for each in found), default=0)
    return site.page(
        request,
        "threads.html.j2",
        "Threads",
        dump,
        rows=[(first + place, each, percent(each.retained_bytes, most)) for place, each in enumerate(page)],
        first=first,
        total=len(found),
        thread_count=sum(each.thread_count for each in found),
        link=lambda at: site.url("/threads", dump, **{"from": at}),
        part=lambda number: site.url(f"/parts/stack/{number}", dump),
        ways=ways_of(dump, "threads DUMP", "heap.threads()", "SELECT * FROM threads"),
    )


def stack_part(site: Site, request: Request) -> Response:
    """The stack of a thread with the objects that lie on it."""
    dump = site.ready_dump(request)
    found = site.computed(("threads", dump.name), "threads", lambda: find_thread_stacks(dump.graph))
    number = request.path_params["number"]
    if number >= len(found):
        raise Problem(f"there are {len(found):,} stacks")
    thread = found[number]
    show_secrets = site.session.show_secrets
    if thread.object_count and not (show_secrets or dump.has_secrets):
        raise Wait(dump=dump)
    objects = (
        stack_objects(dump.graph, thread.serial, _ON_STACK, show_secrets=show_secrets)
        if thread.object_count
        else ()
    )
    by_frame: dict[int, list[Any]] = {}
    told = {thread.object_id}
    for each in objects:
        if each.object_id not in told:
            told.add(each.object_id)
            by_frame.setdefault(each.frame_number, []).append(each)
    frames = [(frame, by_frame.pop(place, [])) for place, frame in enumerate(thread.frames[:_FRAMES])]
    return site.fragment(
        "stack.html.j2",
        frames=frames,
        left=max(0, len(thread.frames) - _FRAMES),
        rest=[each for rest in by_frame.values() for each in rest],
        dump=dump,
    )


def roots(site: Site, request: Request) -> Response:
    """GC roots by kind, and the objects of one kind."""
    dump = site.ready_dump(request)
    graph = dump.graph
    kind = request.query_params.get("kind", "")
    first = number_of(request, "from")
    kinds = graph.roots.kinds
    names = {int(tag): ROOT_KIND_NAMES.get(int(tag), "unknown") for tag in np.unique(kinds)}
    counts = sorted(((int((kinds == tag).sum()), name) for tag, name in names.items()), reverse=True)
    rows: list[dict[str, Any]] = []
    total = 0
    if kind:
        tag = next((tag for tag, name in names.items() if name == kind), -1)
        if tag < 0 and kind not in ROOT_KIND_NAMES.values():
            raise Problem(f"the dump has no GC roots of kind {kind!r}; it has: {', '.join(names.values())}")
        at = graph.roots.object_index[kinds == tag]
        objects, times = np.unique(at[at >= 0], return_counts=True)
        total = int(objects.size)
        page = largest(objects, graph.retained_units[objects], ROWS, first)
        for index in page.tolist():
            one = JavaObject(graph, index)
            rows.append(
                {
                    "object_id": one.object_id,
                    "class_name": title_of(one),
                    "times": int(times[np.searchsorted(objects, index)]),
                    "retained_bytes": graph.dominators.retained_bytes_of(index),
                }
            )
    return site.page(
        request,
        "roots.html.j2",
        "GC roots",
        dump,
        counts=counts,
        kind=kind,
        rows=rows,
        first=first,
        total=total,
        most=max((row["retained_bytes"] for row in rows), default=0),
        link=lambda at: site.url("/roots", dump, kind=kind, **{"from": at}),
        ways=_ways_of_roots(dump, kind),
    )


def _ways_of_roots(dump: OpenedDump, kind: str) -> Ways:
    if not kind:
        sql = "SELECT kind, count(*) AS records\nFROM gc_roots GROUP BY kind ORDER BY records DESC"
        return ways_of(dump, "info DUMP", "heap.gc_roots", sql)
    sql = (
        "SELECT r.address, r.class_name, count(*) AS records, any_value(o.retained_bytes) AS retained_bytes\n"
        f"FROM gc_roots r JOIN objects o USING (address) WHERE r.kind = {sql_text(kind)}\n"
        "GROUP BY ALL ORDER BY retained_bytes DESC, r.address"
    )
    return ways_of(dump, f"sql DUMP {shlex.quote(sql)}", f"heap.sql({sql!r})", sql)


def strings(site: Site, request: Request) -> Response:
    """Strings that contain a text; or those of which the heap has many copies."""
    dump = site.ready_dump(request)
    text = request.query_params.get("q", "")
    first = number_of(request, "from")
    rows: list[dict[str, Any]] = []
    total, is_all, problem = 0, True, ""
    duplicates: list[dict[str, Any]] = []
    if text and len(text) < _MIN_CHARACTERS:
        problem = f"give at least {_MIN_CHARACTERS} characters: shorter ones are in nearly every string"
    elif text:
        found, is_all = site.computed(
            ("strings", dump.name, text),
            f"strings with “{text}”",
            lambda: strings_with(dump.graph, text, progress=dump.progress),
        )
        site.find_paths(dump)
        total = int(found.size)
        rows = [_string_row(site, dump, index) for index in found[first : first + ROWS].tolist()]
    else:
        table = site.computed(
            ("duplicates", dump.name),
            "duplicate strings",
            lambda: duplicate_strings(dump.graph, _DUPLICATES, dump.progress),
        )
        for row in table.rows():
            shown = site.text_of(dump, 0, row["text"])
            # What is masked must not stand in an address either.
            is_link = shown == row["text"] and len(shown) >= _MIN_CHARACTERS
            duplicates.append(
                {**row, "shown": shown, "link": site.url("/strings", dump, q=shown) if is_link else ""}
            )
    query = f"SELECT * FROM strings WHERE contains(text, {sql_text(text)})"
    return site.page(
        request,
        "strings.html.j2",
        "Strings",
        dump,
        text=text,
        rows=rows,
        first=first,
        total=total,
        is_all=is_all,
        problem=problem,
        duplicates=duplicates,
        link=lambda at: site.url("/strings", dump, q=text, **{"from": at}),
        ways=ways_of(
            dump,
            f"sql DUMP {shlex.quote(query)}" if text else "suspects DUMP --waste",
            f"heap.sql({query!r})" if text else "",
            query if text else "",
        ),
    )


def _string_row(site: Site, dump: OpenedDump, index: int) -> dict[str, Any]:
    graph, one = dump.graph, JavaObject(dump.graph, index)
    parent = int(graph.reachability.parents[index])
    holder = JavaObject(graph, parent) if parent < VIRTUAL_ROOT else None
    held_by = ""
    if holder is not None:
        held_by = f"{title_of(holder)}.{names(graph, parent, index)[0]}"
    return {
        "object_id": one.object_id,
        "text": site.text_of(dump, one.object_id, one.text() or ""),
        "holder_id": 0 if holder is None else holder.object_id,
        "holder": held_by,
    }


def loaders(site: Site, request: Request) -> Response:
    """Class loaders with what they loaded and retain."""
    dump = site.ready_dump(request)
    graph = dump.graph
    table = site.computed(
        ("consumers", dump.name), "retained sizes by loader", lambda: find_consumers(graph)
    ).by_loader
    counts = graph.kept("classes of loaders", lambda: Counter(each.loader_id for each in graph.classes))
    first, most = number_of(request, "from"), max(table.column("retained_bytes"), default=0)
    rows = []
    for row in table.take(range(len(table))[first : first + ROWS]).rows():
        at = row["name"].partition(" 0x")[2].partition(" ")[0]
        object_id = int(at, 16) if at else 0
        rows.append(
            {
                **row,
                "class_count": counts[object_id],
                "percent": percent(row["retained_bytes"], most),
                "link": site.object_url(object_id, dump)
                if object_id and graph.index_of(object_id) >= 0
                else "",
            }
        )
    return site.page(
        request,
        "loaders.html.j2",
        "Class loaders",
        dump,
        rows=rows,
        first=first,
        total=len(table),
        link=lambda at: site.url("/loaders", dump, **{"from": at}),
        ways=ways_of(
            dump,
            "dominators DUMP --by loader",
            "heap.consumers.by_loader.to_frame()",
            "SELECT * FROM loaders ORDER BY retained_bytes DESC",
        ),
    )


def notes(site: Site, request: Request) -> Response:
    """The notes on a dump."""
    dump = site.dump_of(request)
    try:
        found = read_notes(dump.path, site.session.opening.get("index_dir"))
    except HeapscopeError as error:
        raise Problem(str(error), 500) from None
    return site.page(
        request,
        "notes.html.j2",
        "Notes",
        dump,
        rows=list(enumerate(found)),
        ways=ways_of(dump, "report DUMP --notes -o report.html", ""),
    )

"""One object: its fields and elements, who refers to it, how the GC roots reach it, what it retains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heapscope.errors import HeapscopeError
from heapscope.explorer.session import OpenedDump
from heapscope.explorer.site import ROWS, Problem, Site, as_problem, hexadecimal, number_of, ways_of
from heapscope.heap.graph.dominators import largest
from heapscope.heap.graph.references import NO_OBJECT, VIRTUAL_ROOT
from heapscope.heap.objects.inspector import find_object, inspect
from heapscope.heap.objects.java_object import JavaObject, title_of
from heapscope.heap.retention.edge_names import names
from heapscope.heap.retention.paths import Path, root_kinds, shortest_path
from heapscope.heap.retention.suspects import owner_path

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

_INCOMING = 20  # referrers of a level
_MAX_ITEMS = 20_000  # of a collection; behind that a query is the better way
_MAX_STEPS = 60  # of a path that is drawn; the middle of a longer one is left out


def object_at(dump: OpenedDump, text: str) -> JavaObject:
    try:
        if text[:2].lower() != "0x":
            raise ValueError
        address = int(text, 16)
    except ValueError:
        raise Problem(f"{text!r} is no address; write it as 0xfd8cf318", 400) from None
    try:
        return find_object(dump.graph, address)
    except HeapscopeError as error:
        raise as_problem(error) from None


def one_object(site: Site, request: Request) -> Response:
    """The page of an object."""
    dump = site.ready_dump(request)
    one = object_at(dump, request.path_params["address"])
    first = number_of(request, "from")
    if first > _MAX_ITEMS:
        raise Problem(f"a page begins at element {_MAX_ITEMS:,} at most; ask with SQL for more", 400)
    graph = dump.graph
    found = inspect(one, first + ROWS)
    dominator = int(graph.immediate_dominators[one.index])
    own_roots = root_kinds(graph, one.index)
    text = found.text
    if text is not None:
        text = (
            site.array_text(dump, one.index, text)
            if found.class_name in ("byte[]", "char[]")
            else site.text_of(dump, found.object_id, text)
        )
    return site.page(
        request,
        "object.html.j2",
        f"{found.class_name} {hexadecimal(found.object_id)}",
        dump,
        found=found,
        text=text,
        is_masked=text != found.text,
        title_class=f"class {found.represents}" if found.represents else found.class_name,
        items=found.items[first:],
        first=first,
        path_url=site.url(f"/parts/path/{hexadecimal(found.object_id)}", dump),
        own_roots=own_roots,
        dominator=JavaObject(graph, dominator) if dominator < VIRTUAL_ROOT else None,
        is_top_level=dominator == VIRTUAL_ROOT,
        is_retained=dominator != NO_OBJECT,
        incoming_url=site.url(f"/parts/incoming/{hexadecimal(found.object_id)}", dump),
        dominated_url=site.url("/parts/dominated", dump, of=hexadecimal(found.object_id)),
        icicle_url=site.url("/icicle", dump, of=hexadecimal(found.object_id)),
        link=lambda at: site.url(f"/objects/{hexadecimal(found.object_id)}", dump, **{"from": at}),
        ways=ways_of(
            dump,
            f"inspect DUMP {hexadecimal(found.object_id)}",
            f"heap.object_at({hexadecimal(found.object_id)}).describe()",
            f"SELECT * FROM objects WHERE address = '{hexadecimal(found.object_id)}'",
        ),
    )


def path_part(site: Site, request: Request) -> Response:
    """How the GC roots reach an object: over the field that owns it; the shortest way where that differs."""
    dump = site.ready_dump(request)
    one = object_at(dump, request.path_params["address"])
    graph = dump.graph
    site.find_paths(dump)
    found = {
        tuple(step.object_index for step in path.steps): path
        for path in (owner_path(graph, one.index), shortest_path(graph, one.index))
        if path is not None
    }
    return site.fragment("path.html.j2", paths=[_drawn(each) for each in found.values()], dump=dump)


def _drawn(path: Path) -> dict[str, Any]:
    """A path with what is known to live long marked."""
    steps = []
    for step in path.steps:
        static = next((each for each in step.references if each.startswith("static ")), "")
        why = ""
        if static:
            why = "a static field: it lives as long as its class"
        elif step.class_name == "java.lang.Thread" or step.class_name.endswith("Thread"):
            why = "a thread: it lives until it ends"
        elif step.class_name.endswith("ClassLoader"):
            why = "a class loader: it lives as long as one of its classes is in use"
        steps.append({"step": step, "why": why, "by": " = ".join(step.references[:3])})
    left_out = max(0, len(steps) - _MAX_STEPS)
    if left_out:
        half = _MAX_STEPS // 2
        steps = [*steps[:half], {"left_out": left_out}, *steps[-half:]]
    return {"path": path, "steps": steps}


def incoming_part(site: Site, request: Request) -> Response:
    """A level of incoming references: who refers to an object, what retains most first."""
    dump = site.ready_dump(request)
    one = object_at(dump, request.path_params["address"])
    first = number_of(request, "from")
    graph = dump.graph

    def compute() -> tuple[list[int], int]:
        sources = graph.references.referrers_of(one.index)
        return largest(sources, graph.retained_units[sources], _INCOMING, first).tolist(), int(sources.size)

    page, total = site.computed(("incoming", dump.name, one.index, first), "incoming references", compute)
    rows = []
    for index in page:
        source = JavaObject(graph, index)
        rows.append(
            {
                "object_id": source.object_id,
                "class_name": title_of(source),
                "by": " = ".join(names(graph, index, one.index)[:3]),
                "retained_bytes": graph.dominators.retained_bytes_of(index),
                "roots": ", ".join(root_kinds(graph, index)),
                "deeper": site.url(f"/parts/incoming/{hexadecimal(source.object_id)}", dump),
            }
        )
    return site.fragment(
        "incoming.html.j2",
        rows=rows,
        dump=dump,
        total=total,
        left=total - first - len(rows),
        roots=root_kinds(graph, one.index),
        more=site.url(
            f"/parts/incoming/{request.path_params['address']}", dump, **{"from": first + len(rows)}
        ),
    )


def go(site: Site, request: Request) -> str:
    """Where a text leads that somebody typed: an address, a class, or strings that contain it."""
    text = request.query_params.get("q", "").strip()
    dump = site.dump_of(request)
    if text[:2].lower() == "0x" and all(char in "0123456789abcdefABCDEF" for char in text[2:]) and text[2:]:
        return site.url(f"/objects/{text.lower()}", dump)
    assert dump.snapshot is not None
    class_names = dump.snapshot.histogram.column("class_name")
    if text in class_names:
        return site.class_url(text, dump)
    if any(text.lower() in name.lower() for name in class_names):
        return site.url("/classes", dump, q=text)
    return site.url("/strings", dump, q=text)

"""Parts about a set of objects: its holders, merged; its exact retained set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heapscope.explorer.classes import set_of
from heapscope.explorer.site import Site

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from heapscope.heap.retention.holders import Holder

_BRANCHES = 12
_ROWS = 15


def holders_part(site: Site, request: Request) -> Response:
    """All ways in which a set is held, as a tree with counts and bytes."""
    dump = site.ready_dump(request)
    members, key = set_of(site, request, dump)
    merged = site.computed(("holders", dump.name, key), "who holds them", members.paths_to_gc_roots)
    return site.fragment(
        "holders.html.j2",
        merged=merged,
        branches=[_branch(each) for each in merged.holders[:_BRANCHES]],
        left=len(merged.holders) - _BRANCHES,
        dump=dump,
    )


def _branch(holder: Holder) -> dict[str, Any]:
    """A run of steps without forks, and what forks at its end."""
    chain = holder.chain()
    end = chain[-1]
    return {
        "steps": [each.label for each in chain],
        "example_id": end.example_id,
        "member_count": holder.member_count,
        "retained_bytes": holder.retained_bytes,
        "branches": [_branch(each) for each in end.children[:_BRANCHES]],
        "left": max(0, len(end.children) - _BRANCHES),
    }


def retained_part(site: Site, request: Request) -> Response:
    """The exact retained set, by class."""
    dump = site.ready_dump(request)
    members, key = set_of(site, request, dump)

    def compute() -> Any:
        without = members.retained_bytes(["JNI global"]) if members.root_record_count("JNI global") else None
        return members.retained_bytes(), members.retained().histogram(), without

    size, histogram, without = site.computed(("retained", dump.name, key), "the retained set", compute)
    return site.fragment(
        "retained.html.j2",
        size=size,
        without=without,
        object_count=sum(histogram.column("instance_count")),
        rows=list(histogram.head(_ROWS).rows()),
        left=len(histogram) - _ROWS,
        dump=dump,
    )

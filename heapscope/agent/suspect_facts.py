"""A leak suspect as agents read it."""

from __future__ import annotations

from typing import Any

from heapscope.agent.answer import without_empty
from heapscope.agent.disclosure import Disclosure
from heapscope.heap.retention.suspects import Suspect

_PILES = 3
_WAYS = 3


def suspect_facts(suspect: Suspect, may: Disclosure) -> dict[str, Any]:
    """What a suspect says, without what is empty."""
    facts: dict[str, Any] = {
        "owner": may.owner(suspect.owner),
        "owner_kind": suspect.owner_kind,
        "piles_up": may.name(suspect.content_class) if suspect.content_class else "",
        "piles_up_count": suspect.content_count or None,
        "class": may.name(suspect.class_name),
        "instance_count": suspect.instance_count,
        "retained_bytes": suspect.retained_bytes,
        "outside_of_heap_bytes": suspect.off_heap_bytes,
        "share_of_reachable": round(suspect.share, 3),
        "objects": [f"0x{each:x}" for each in suspect.object_ids[:3]],
        "way": [may.steps(each) for each in suspect.way[:10]],
        "gc_roots": suspect.root_kinds,
        "threads": [may.value(each) for each in suspect.thread_names[:3]] if may.values else [],
        "also_held_by": [may.owner(each) for each in suspect.other_holders[:4]],
        "class_loaders_on_it": suspect.loader_count or None,
        "ordinary": suspect.ordinary,
    }
    point = suspect.accumulation
    if point is not None:
        facts["accumulated_in"] = f"{may.name(point.class_name)} 0x{point.object_id:x}"
        facts["there"] = [
            {
                "class": may.name(pile.class_name),
                "object_count": pile.object_count,
                "retained_bytes": pile.retained_bytes,
            }
            for pile in point.piles[:_PILES]
        ]
    elif suspect.holders is not None:
        facts["held_by"] = [may.steps(each) for each in suspect.holders.lines(_WAYS)[:8]]
    return without_empty(facts)

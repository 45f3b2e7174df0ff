"""The tables ``findings`` and ``growth``: what the diagnosis says of all snapshots together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heapscope.analysis.diagnosis import diagnose
from heapscope.query.catalogue import FINDINGS, GROWTH
from heapscope.query.columns import SqlTable, small_table
from heapscope.query.texts import storable
from heapscope.secrets import mask_text

if TYPE_CHECKING:
    from heapscope.analysis.snapshots import Snapshots
    from heapscope.heap.heap import Heap


def verdict_tables(
    snapshots: Snapshots, opened: Heap | None, *, show_secrets: bool = False
) -> dict[str, SqlTable]:
    """The tables ``findings`` and ``growth``; they belong to the last snapshot.

    Parameters
    ----------
    snapshots : Snapshots
    opened : Heap, optional
        The last of the dumps, where it is open already.
    show_secrets : bool
        Whether names of threads, which owners have, are shown as they are.
    """

    def shown(text: str) -> str:
        return storable(text if show_secrets else mask_text(text))

    def findings() -> list[tuple[Any, ...]]:
        return [
            (
                found.id,
                shown(found.title),
                storable(found.class_name),
                str(found.confidence),
                found.instance_count,
                found.retained_bytes,
                found.share,
                None if found.per_hour is None else found.per_hour.value,
                found.since,
                shown(found.owner) or None,
                shown(found.held_by[0]) if found.held_by else None,
                storable(found.why),
                found.example_id,
            )
            for found in diagnose(snapshots, opened=opened).findings
        ]

    def growth() -> list[tuple[Any, ...]]:
        if len(snapshots) < 2:
            return []
        rows = snapshots.growth().to_table().rows()
        # Without times there are rates for each snapshot only, and none for each hour.
        return [tuple(row.get("name" if name == "class_name" else name) for name in GROWTH) for row in rows]

    return {"findings": small_table(FINDINGS, findings), "growth": small_table(GROWTH, growth)}

"""Who refers to the objects of a set, grouped by class and field, as MAT's incoming references by class."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from heapscope.heap.graph.index_sets import are_among, distinct
from heapscope.heap.retention.by_group import dominated_bytes
from heapscope.heap.retention.edge_labels import labels
from heapscope.table import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from heapscope.heap.graph.heap_graph import HeapGraph


def referrers_of(graph: HeapGraph, members: NDArray[np.int64]) -> NDArray[np.int64]:
    """Objects that refer to one of some objects, ascending; members too where they do."""
    sources, _ = graph.references.incoming(members)
    return distinct(sources).astype(np.int64)


def referrers_by_field(graph: HeapGraph, members: NDArray[np.int64]) -> Table:
    """Referrers of a set grouped by class and field, those that refer to most members first.

    Parameters
    ----------
    members : int64 array
        Object indices, distinct.

    Returns
    -------
    Table
        ``reference`` (``HashMap$Node.value``), ``class_name``, ``referrer_count``, ``target_count`` (members
        that they refer to), ``shallow_bytes`` and ``dominated_bytes`` of the referrers (what they retain in
        the dominator tree, added up), ``example_id``.
    """
    sources, targets = graph.references.incoming(members)
    codes, texts = labels(graph, sources, targets)
    # Two classes of one simple name are two groups.
    class_count = len(graph.classes)
    pairs = codes * np.int64(class_count) + graph.columns.class_index[sources]
    keys = distinct(pairs)
    group_of = np.searchsorted(keys, pairs)
    rows = []
    order = np.argsort(group_of, kind="stable")
    ends = np.cumsum(np.bincount(group_of, minlength=keys.size))
    for group, places in enumerate(np.split(order, ends[:-1]) if keys.size else []):
        code, class_row = divmod(int(keys[group]), class_count)
        holders, held = distinct(sources[places]).astype(np.int64), distinct(targets[places])
        units = int(graph.columns.size_units[holders].sum(dtype=np.uint64))
        rows.append(
            (
                texts[code],
                graph.classes[class_row].name,
                holders.size,
                held.size,
                units * graph.columns.unit_bytes,
                dominated_bytes(graph, holders),
                int(graph.columns.addresses.ids_of(holders[:1])[0]),
            )
        )
    rows.sort(key=lambda row: (-row[3], -row[2], row[0], row[1]))
    names = (
        "reference", "class_name", "referrer_count", "target_count", "shallow_bytes", "dominated_bytes",
        "example_id",
    )  # fmt: skip
    return Table({name: [row[place] for row in rows] for place, name in enumerate(names)})


def referrers_by_level(graph: HeapGraph, members: NDArray[np.int64], levels: int) -> Table:
    """`referrers_by_field`, then the same of the referrers, and so on; an object occurs in its first level.

    Parameters
    ----------
    members : int64 array
        Object indices, distinct.
    levels : int
        How many steps.

    Returns
    -------
    Table
        As `referrers_by_field` has it, with ``level`` from 1, and ``example``, an address as text, for
        ``example_id``.
    """
    tables = []
    seen = at = distinct(members)
    for level in range(1, levels + 1):
        table = referrers_by_field(graph, at)
        examples = [f"0x{each:x}" for each in table.column("example_id")]
        columns = {name: table.column(name) for name in table.names if name != "example_id"}
        tables.append(Table({"level": [level] * len(table), **columns, "example": examples}))
        found = referrers_of(graph, at)
        at = found[~are_among(found, seen)]
        if not at.size:
            break
        seen = distinct(np.concatenate([seen, at]))
    return Table({name: [v for table in tables for v in table.column(name)] for name in tables[0].names})

"""Answers about objects: instances with their fields, and who refers to them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from heapscope.agent.answer import Answer, Question, without_empty
from heapscope.agent.disclosure import WITHHELD
from heapscope.agent.heap_answers import opened, subject_of
from heapscope.agent.workspace import Workspace
from heapscope.errors import HeapscopeError
from heapscope.heap.object_set import JavaObject, ObjectSet
from heapscope.heap.objects.field_paths import read_path, split_path
from heapscope.heap.objects.inspector import Held, Inspection, inspect
from heapscope.heap.objects.secret_texts import is_secret, masked_text
from heapscope.parser.tags import BasicType
from heapscope.progress import Progress
from heapscope.reporter.text import plural
from heapscope.units import format_bytes

if TYPE_CHECKING:
    from heapscope.heap.graph.heap_graph import HeapGraph

_ROWS = 60  # of one answer; there is no room for more
_ITEMS = 8
_FIELDS = 60
_KEY = re.compile(r"\[(?!\d+\])")


def objects(
    work: Workspace,
    progress: Progress,
    subject: str,
    snapshot: str = "",
    fields: Sequence[str] = (),
    subclasses: bool = True,
    offset: int = 0,
) -> Answer:
    """One object with its fields, or the instances of a class, what retains most first."""
    with opened(work, snapshot, progress) as (heap, name, notes):
        members = subject_of(heap, subject, subclasses=subclasses)
        if subject[:2].lower() == "0x":
            return _one(work, heap.graph, inspect(members[0], _ITEMS), name, notes)
        return _many(work, heap.graph, members, subject, name, fields, offset, notes)


def _one(work: Workspace, graph: HeapGraph, one: Inspection, snapshot: str, notes: list[str]) -> Answer:
    may = work.disclosure
    address = f"0x{one.object_id:x}"
    shown = one.fields or one.statics
    text = masked_text(graph, one.object_id, one.text or "")
    # The elements of a char[] would spell what is masked of its text.
    is_spelt = may.values and text == (one.text or "") and not is_secret(graph, one.object_id)
    data: dict[str, Any] = {
        "object": address,
        "class": may.name(one.class_name),
        "represents": may.name(one.represents) if one.represents else "",
        "superclasses": [may.name(each) for each in one.superclasses[:6]],
        "shallow_bytes": one.shallow_bytes,
        "retained_bytes": one.retained_bytes,
        "reachability": one.reachability,
        "gc_roots": one.roots,
        "text_length": one.text_length or None,
        "text": may.value(text) if may.values and text else "",
        "kind": one.shape,
        "item_count": one.item_count,
        "fields": [
            {
                "field": may.name(each.name),
                "declared_in": may.name(each.declared_in),
                **_held(work, graph, each.held, each.name),
            }
            for each in shown[:_FIELDS]
        ],
        "items": [
            {
                "position": each.position,
                **({} if each.key is None else {"key": _held(work, graph, each.key)}),
                **_held(work, graph, each.held, _text_of(each.key), is_said=is_spelt or one.shape != "array"),
            }
            for each in one.items
        ],
    }
    return Answer(
        f"{may.name(one.class_name)} {address}: {format_bytes(one.shallow_bytes)} shallow, "
        f"{format_bytes(one.retained_bytes)} retained, {one.reachability}ly reachable"
        if one.reachability != "unreachable"
        else f"{may.name(one.class_name)} {address}: {format_bytes(one.shallow_bytes)}, unreachable",
        data=without_empty(data),
        rows="items" if one.items else "fields",
        next=[
            Question("referrers", {"snapshot": snapshot, "subject": address}, "who refers to it"),
            Question("paths", {"snapshot": snapshot, "subject": address}, "what keeps it alive"),
        ],
        notes=notes,
    )


def _text_of(key: Held | None) -> str:
    return key.value if key is not None and isinstance(key.value, str) else ""


def _held(
    work: Workspace, graph: HeapGraph, held: Held, name: str = "", *, is_said: bool = True
) -> dict[str, Any]:
    """What a field holds: a reference with its class, a value only where values are said."""
    may = work.disclosure
    found: dict[str, Any] = {}
    if held.is_reference:
        if not held.object_id:
            return {"is": "null"}
        found = {"is": may.name(held.class_name) if held.class_name else "not in the dump"}
        found["object"] = f"0x{held.object_id:x}"
    else:
        found = {"is": held.type}
    if may.values and held.value is not None and (is_said or held.is_reference):
        text = str(held.value)
        found["value"] = may.value(
            masked_text(graph, held.object_id, text, name) if held.is_reference else text
        )
    return found


def _many(
    work: Workspace,
    graph: HeapGraph,
    members: ObjectSet,
    subject: str,
    snapshot: str,
    fields: Sequence[str],
    offset: int,
    notes: list[str],
) -> Answer:
    may = work.disclosure
    if not may.values and any(_KEY.search(path) for path in fields):
        raise HeapscopeError("fields: a key of a map is a value; --show-values of the server allows it")
    units = graph.retained_units[members.indices]
    order = members.indices[np.argsort(-units.astype(np.int64), kind="stable")]
    picked = order[offset : offset + _ROWS]
    columns = {path: _cells(work, graph, picked, path) for path in fields}
    rows = []
    for place, index in enumerate(picked.tolist()):
        one = JavaObject(graph, index)
        row: dict[str, Any] = {
            "object": f"0x{one.object_id:x}",
            "class": may.name(one.class_name),
            "shallow_bytes": one.shallow_bytes,
            "retained_bytes": one.retained_bytes,
        }
        if one.class_name.endswith("[]"):
            row["length"] = one.element_count
        rows.append(row | {path: cells[place] for path, cells in columns.items()})
    questions = []
    if rows:
        questions.append(
            Question(
                "objects", {"snapshot": snapshot, "subject": rows[0]["object"]}, "one with all its fields"
            )
        )
    questions.append(
        Question(
            "referrers", {"snapshot": snapshot, "subject": subject}, "who refers to them, by class and field"
        )
    )
    return Answer(
        f"{plural(len(members), 'instance')} of {may.name(subject)}, "
        f"{format_bytes(members.shallow_bytes)} shallow; those that retain most come first",
        data={"objects": rows},
        rows="objects",
        offset=offset,
        total=len(members),
        next=questions,
        notes=notes,
    )


def _cells(work: Workspace, graph: HeapGraph, rows: Any, path: str) -> list[str]:
    """What a path leads to, for each object."""
    may = work.disclosure
    column = read_path(graph, rows, path)
    name = split_path(path)[-1].strip("[]'\"") if path else ""
    targets = graph.indices_of(column.references())
    numbers = column.primitives() if may.values else None
    cells = []
    for place, code in enumerate(column.types.tolist()):
        target = int(targets[place])
        if code == 0:
            cells.append("")
        elif code != BasicType.OBJECT:
            cells.append(WITHHELD if numbers is None else may.value(str(numbers[place])))
        elif target < 0:
            cells.append("null")
        else:
            one = JavaObject(graph, target)
            text = one.value(0) if may.values else None
            said = f"{may.name(one.class_name)} 0x{one.object_id:x}"
            is_plain = isinstance(text, (str, int, float, bool))
            shown = masked_text(graph, one.object_id, str(text), name) if is_plain else ""
            cells.append(f"{said} {may.value(shown)}" if is_plain else said)
    return cells


def referrers(
    work: Workspace,
    progress: Progress,
    subject: str,
    snapshot: str = "",
    subclasses: bool = True,
    offset: int = 0,
) -> Answer:
    """Who refers to an object, or to the instances of a class, by class and field."""
    may = work.disclosure
    with opened(work, snapshot, progress) as (heap, name, notes):
        members = subject_of(heap, subject, subclasses=subclasses)
        table = members.referrers_by_field()
    rows = [
        {
            "reference": may.steps(row["reference"]),
            "class": may.name(row["class_name"]),
            "referrer_count": row["referrer_count"],
            "target_count": row["target_count"],
            "dominated_bytes": row["dominated_bytes"],
            "example": f"0x{row['example_id']:x}",
        }
        for row in table.rows()
    ]
    questions = []
    if rows:
        first = rows[0]
        arguments: dict[str, Any] = {"snapshot": name, "subject": first["example"]}
        if first["referrer_count"] > 1:
            arguments = {"snapshot": name, "subject": table.column("class_name")[0], "subclasses": False}
        questions.append(Question("referrers", arguments, "who refers to those: the next level"))
    questions.append(Question("paths", {"snapshot": name, "subject": subject}, "the whole way from GC roots"))
    most = f": most by {rows[0]['reference']}" if rows else ""
    return Answer(
        f"{plural(len(members), 'instance')} of {may.name(subject)}, referred to by "
        f"{plural(len(rows), 'kind')} of fields{most}",
        "references that the graph follows: not those of weak references",
        {"referrers": rows[offset:]},
        rows="referrers",
        offset=offset,
        total=len(rows),
        next=questions,
        notes=notes,
    )

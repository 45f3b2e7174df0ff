"""Cards of sets of objects and of one object with its fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heapscope.heap.objects.java_object import JavaObject
from heapscope.parser.tags import BasicType
from heapscope.reporter.notebook.html import (
    bar,
    card,
    escaped,
    figures,
    grid,
    hint,
    name_cell,
    number_cell,
    text_cell,
)
from heapscope.reporter.text import plural, shorten
from heapscope.units import format_bytes, format_count

if TYPE_CHECKING:
    from heapscope.heap.object_set import ObjectSet

_ROWS = 8
_FIELD_ROWS = 20
_MAX_CELL = 120
_MAX_TEXT = 400


def objects_card(found: ObjectSet) -> str:
    """A set of objects by class."""
    histogram = found.histogram()
    totals = [
        (format_count(len(found)), "object" if len(found) == 1 else "objects"),
        (format_bytes(found.shallow_bytes), "shallow size"),
    ]
    if found.is_retained_known:
        totals.append((format_bytes(found.retained_bytes()), "retained together"))
    rows = [
        (
            name_cell(row["class_name"]),
            number_cell(format_count(row["instance_count"])),
            number_cell(format_bytes(row["shallow_bytes"])),
            bar(row["instance_count"] / max(len(found), 1)),
        )
        for row in histogram.head(_ROWS).rows()
    ]
    rest = len(histogram) - len(rows)
    note = f"and {plural(rest, 'more class', 'more classes')}" if rest > 0 else ""
    body = figures(*totals)
    if rows:
        body += grid(("Class", "instances", "shallow size", "share"), rows, note)
    names = histogram.column("class_name")
    title = names[0] if len(names) == 1 else plural(len(names), "class", "classes")
    more = hint(
        ".retained_bytes()", ".paths_to_gc_roots()", ".to_frame('field.of.field')", ".group_by('field')"
    )
    return card(f"Objects of {title}" if names else "No objects", f"in {found.graph.path.name}", body + more)


def object_card(one: JavaObject) -> str:
    """An object and its fields. What it retains may take long to compute: see `JavaObject.describe`."""
    represented = one.represented_class
    totals = [(format_bytes(one.shallow_bytes), "shallow size")]
    rows: list[tuple[str, ...]]
    body = ""
    text = one.text()
    if text is not None:
        totals.append((format_count(len(text)), "characters"))
        body = f'<p class="hs-text">{escaped(shorten(text, _MAX_TEXT))}</p>'
    elif one.element_count:
        totals.append((format_count(one.element_count), "elements"))
        numbers = one.elements(_ROWS).tolist()
        first = [str(value) for value in numbers] or [
            _referred(one, object_id) for object_id in one.element_ids(_ROWS).tolist()
        ]
        rows = [(text_cell(f"[{place}]"), name_cell(value)) for place, value in enumerate(first)]
        rest = one.element_count - len(rows)
        body = grid(("", "element"), rows, f"and {rest:,} more" if rest > 0 else "")
    else:
        found = list(one.field_values().items())
        rows = [
            (
                name_cell(place.name),
                text_cell(place.type.java_name),
                name_cell(_referred(one, int(value)) if place.type == BasicType.OBJECT else str(value)),
            )
            for place, value in found[:_FIELD_ROWS]
        ]
        rest = len(found) - len(rows)
        body = (
            grid(("Field", "type", "value"), rows, f"and {rest:,} more" if rest > 0 else "") if rows else ""
        )
    title = one.class_name if represented is None else f"class {represented.name}"
    more = hint(".value()", ".describe()", ".follow('field')")
    return card(title, f"0x{one.object_id:x} in {one.graph.path.name}", figures(*totals) + body + more)


def _referred(one: JavaObject, object_id: int) -> str:
    """What a reference leads to: a text as such, another object by its class."""
    if not object_id:
        return "null"
    row = one.graph.index_of(object_id)
    if row < 0:
        return f"0x{object_id:x}, not in the dump"
    other = JavaObject(one.graph, row)
    text = other.text()
    if text is not None:
        return f'"{shorten(text, _MAX_CELL)}"'
    return f"{other.class_name} 0x{object_id:x}"

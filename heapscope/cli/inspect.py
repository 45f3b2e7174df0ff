"""``heapscope inspect``: one object with everything about it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from heapscope.cli.common.answer import SCHEMA_VERSION, Choice, encodes, shorten
from heapscope.cli.common.arguments import dump_argument, graph_options, secrets_option
from heapscope.cli.common.opened_heap import opened
from heapscope.cli.common.output import document_options, json_text, write
from heapscope.reporter.text import plural, printable
from heapscope.secrets import MASKED
from heapscope.units import format_bytes

if TYPE_CHECKING:
    from heapscope.heap.heap import Heap
    from heapscope.heap.objects.inspector import Held, InspectedField, Inspection, Item
    from heapscope.heap.objects.java_object import JavaObject

_MIN_WIDTH = 40
_NAME_WIDTH = 28
_BYTES_A_LINE = 16
_NUMBERS_A_LINE = 8


def _addresses(value: str) -> tuple[int, ...]:
    """What a text may mean, the likeliest first: digits alone are a decimal number or a hexadecimal one."""
    try:
        has_mark = value[:2].lower() == "0x"
        is_decimal = not has_mark and value.isascii() and value.isdigit()
        addresses = (int(value), int(value, 16)) if is_decimal else (int(value, 16),)
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is no address; write it as 'heapscope paths' shows it, 0x and hexadecimal digits.",
            param_hint="'0xADDRESS'",
        ) from None
    if not 0 <= addresses[0] < 2**64:
        raise click.BadParameter(f"{value} does not fit into 64 bits.", param_hint="'0xADDRESS'")
    return tuple(address for address in addresses if address < 2**64)


def _count(context: click.Context, parameter: click.Parameter, value: int) -> int:
    # click.IntRange would do it, and add "[x>=0]" to the help.
    if value < 0:
        raise click.BadParameter(f"{value} is below 0.", context, parameter)
    return value


@click.command()
@dump_argument
@click.argument("given", metavar="0xADDRESS")
@click.option(
    "--elements",
    type=int,
    callback=_count,
    default=32,
    metavar="N",
    help="At most N elements of an array or a collection.  [default: 32]",
)
@secrets_option
@graph_options
@document_options()
def inspect(
    dump: Path,
    given: str,
    elements: int,
    show_secrets: bool,
    following: dict[str, Any],
    choice: Choice,
) -> None:
    """Everything about the object of DUMP at an address: its fields and statics, shallow and
    retained size, how the GC roots reach it, and what a string, an array or a collection holds.

    What may be secret is masked.

    \b
    heapscope inspect worker-3.hprof 0xfd8cf318
    """
    from heapscope.heap.objects.masked_inspection import masked

    addresses = _addresses(given)
    with opened(dump, following) as heap:
        found = _find(heap, given, addresses).describe(elements=elements)
        found = found if show_secrets else masked(heap.graph, found)
        coverage = heap.coverage
    if choice.format == "json":
        document = {
            "schema_version": SCHEMA_VERSION,
            "kind": "object",
            "path": str(dump),
            "object": found.to_dict(),
            **({} if coverage is None else {"partial": coverage.to_dict()}),
        }
        write(json_text(document), choice)
        return
    width = None
    if choice.path is None and sys.stdout.isatty():
        import shutil

        width = max(shutil.get_terminal_size().columns, _MIN_WIDTH)
    ellipsis = "…" if encodes("…", sys.stdout) else "..."
    text = lines(found, width, ellipsis) + ([] if coverage is None else ["", *coverage.lines()])
    write("".join(f"{line}\n" for line in text), choice)


def _find(heap: Heap, given: str, addresses: tuple[int, ...]) -> JavaObject:
    """The object at the first of some addresses that has one; on stderr how a text without 0x was read."""
    from heapscope.errors import ObjectNotFound
    from heapscope.heap.objects.inspector import find_object

    chosen = addresses[0]
    for address in addresses[1:]:
        with suppress(ObjectNotFound):
            find_object(heap.graph, chosen)
            break
        with suppress(ObjectNotFound):
            find_object(heap.graph, address)
            chosen = address
    if given[:2].lower() != "0x":
        click.echo(f"heapscope: {given} is read as 0x{chosen:x}", err=True)
    return find_object(heap.graph, chosen)


def lines(found: Inspection, width: int | None = None, ellipsis: str = "…") -> list[str]:
    """The inspector as text.

    Parameters
    ----------
    found : Inspection
    ellipsis : str
        What stands for the part of a line that is cut.
    width : int, optional
        Longer lines are cut: class names from the left, texts from the right.
    """
    shown = _Text(width, ellipsis)
    text = [shown.named(found.class_name, found.object_id), "", *shown.facts(found)]
    for title, inspected in (("fields", found.fields), ("static fields", found.statics)):
        for declared_in, group in groupby(inspected, key=lambda each: each.declared_in):
            is_own = declared_in in (found.class_name, found.represents)
            of_class = "" if is_own else f" of {shown.name(declared_in, len(title) + 4)}"
            text += ["", f"{title}{of_class}", *shown.fields(list(group))]
    if found.shape:
        text += ["", _count_line(found), *shown.items(found)]
    return text


def _count_line(found: Inspection) -> str:
    of_them = {"array": ("element", None), "map": ("entry", "entries")}.get(found.shape, ("element", None))
    shown = len(found.items)
    if found.item_count and not shown:
        return f"{found.shape} of {plural(found.item_count, *of_them)}"
    if found.item_count is None:
        return f"{found.shape}: the first {plural(shown, *of_them)}"
    if found.item_count == shown:
        return f"{found.shape} of {plural(shown, *of_them)}"
    return f"{found.shape} of {plural(found.item_count, *of_them)}, the first {shown:,}"


class _Text:
    """Pieces of the text, each as wide as there is room."""

    def __init__(self, width: int | None, ellipsis: str) -> None:
        self._width = width
        self._ellipsis = ellipsis

    def facts(self, found: Inspection) -> Iterator[str]:
        """What the object is, a line each."""
        loader = found.loader
        # Reserved: the label and the gap beside it.
        room = 15
        roots = (f"{kind} ({count:,})" if count > 1 else kind for kind, count in found.roots.items())
        facts = [
            ("shallow size", _size(found.shallow_bytes)),
            ("retained size", _size(found.retained_bytes)),
            ("reachability", found.reachability),
            ("GC root", ", ".join(roots)),
            ("class object", found.represents and f"of {self.name(found.represents, room + 3)}"),
            (
                "class loader",
                self.held(loader, room) if loader.object_id else "none: the boot loader",
            ),
        ]
        facts += [
            ("" if place else "superclasses", self.name(name, room))
            for place, name in enumerate(found.superclasses)
        ]
        if found.text is not None:
            quoted = self._cut(_quoted(found.text), room)
            facts += [("text", quoted), ("", plural(found.text_length, "character"))]
        for label, value in facts:
            if value:
                yield f"{label:13}  {value}"

    def fields(self, inspected: list[InspectedField]) -> Iterator[str]:
        """Type, name and value of fields, a line each."""
        names = [self._cut_name(printable(field.name)) for field in inspected]
        width = max(map(len, names))
        for name, field in zip(names, inspected, strict=True):
            kind = "ref" if field.held.is_reference else field.held.type
            value = self.held(field.held, 2 + 7 + 2 + width + 2)
            yield f"  {kind:7}  {name:{width}}  {value}"

    def items(self, found: Inspection) -> Iterator[str]:
        """Elements of an array or of a collection."""
        items = found.items
        if items and not items[0].held.is_reference:
            yield from self._numbers(items)
            return
        places = len(f"{len(items) - 1:,}")
        for item in items:
            head = f"  [{item.position:{places},}]  "
            if item.key is None:
                yield head + self.held(item.held, len(head))
                continue
            room = None if self._width is None else (self._width + len(head) - 3) // 2
            key = self.held(item.key, room or 0)
            yield f"{head}{key} = {self.held(item.held, len(head) + len(key) + 3)}"

    def _numbers(self, items: tuple[Item, ...]) -> Iterator[str]:
        values = [item.held.value for item in items]
        if items[0].held.type == "byte":
            for start in range(0, len(values), _BYTES_A_LINE):
                raw = [int(value or 0) & 0xFF for value in values[start : start + _BYTES_A_LINE]]
                digits = " ".join(f"{byte:02x}" for byte in raw)
                chars = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in raw)
                yield f"  [{start:6,}]  {digits:{3 * _BYTES_A_LINE - 1}}  {chars}"
            return
        texts = [_plain(item.held) for item in items]
        width = max(map(len, texts))
        a_line = _NUMBERS_A_LINE
        while a_line > 1 and 12 + a_line * (width + 2) > (self._width or 80):
            a_line //= 2
        for start in range(0, len(texts), a_line):
            row = "  ".join(f"{text:>{width}}" for text in texts[start : start + a_line])
            yield f"  [{start:6,}]  {row}"

    def held(self, held: Held, taken: int) -> str:
        """A value, or what is referred to; ``taken`` columns of the line are used already."""
        if not held.is_reference:
            return _plain(held)
        if not held.object_id:
            return "null"
        address = f"0x{held.object_id:x}"
        if not held.class_name:
            return f"{address}, which is not in the dump"
        if held.value is None:
            return self.named(held.class_name, held.object_id, taken)
        if held.class_name == "java.lang.String":
            quoted = _quoted(str(held.value))
            return f"{self._cut(quoted, taken + len(address) + 1)} {address}"
        if held.class_name == "java.lang.Class":
            return f"class {self.named(str(held.value), held.object_id, taken + 6)}"
        value = self._cut(_plain(held), taken + len(address) + 2 + _NAME_WIDTH)
        return f"{value} {self.named(held.class_name, held.object_id, taken + len(value) + 1)}"

    def named(self, class_name: str, object_id: int, taken: int = 0) -> str:
        """Class and address; ``taken`` columns of the line are used already."""
        address = f"0x{object_id:x}"
        return f"{self.name(class_name, taken + len(address) + 1)} {address}"

    def name(self, class_name: str, taken: int) -> str:
        """A class name, its end where it does not fit."""
        name = printable(class_name)
        if self._width is None:
            return name
        return shorten(name, max(self._width - taken, 8), self._ellipsis)

    def _cut(self, text: str, taken: int) -> str:
        if self._width is None or len(text) <= self._width - taken:
            return text
        return text[: max(self._width - taken - len(self._ellipsis), 8)] + self._ellipsis

    def _cut_name(self, name: str) -> str:
        if self._width is None or len(name) <= _NAME_WIDTH:
            return name
        return name[: _NAME_WIDTH - len(self._ellipsis)] + self._ellipsis


def _size(count: int) -> str:
    exact = plural(count, "byte")
    return exact if count < 1000 else f"{format_bytes(count)} ({exact})"


def _quoted(text: str) -> str:
    """A text of the heap in quotes; what stands for one that is masked without."""
    return printable(text) if text.startswith(MASKED.removesuffix(")")) else f'"{printable(text)}"'


def _plain(held: Held) -> str:
    value = held.value
    if isinstance(value, bool):
        return "true" if value else "false"
    if held.type == "char":
        return f"'{printable(str(value))}'"
    return printable(str(value))

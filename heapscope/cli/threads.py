"""``heapscope threads``: threads with their stacks, what lies on these, and what each retains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from heapscope.cli.common.answer import Answer, Choice, Column, snapshot_lines
from heapscope.cli.common.arguments import dump_argument, graph_options, secrets_option
from heapscope.cli.common.notebook_output import remember
from heapscope.cli.common.opened_heap import opened
from heapscope.cli.common.output import show, table_options, write_lines
from heapscope.reporter.text import plural
from heapscope.secrets import mask_text
from heapscope.units import format_bytes

if TYPE_CHECKING:
    from heapscope.heap.objects.thread_stacks import StackObject, ThreadStack
    from heapscope.table import Table

_COLUMNS = (
    Column("retained_bytes", "retained bytes"),
    Column("thread_count", "threads"),
    Column("name", "name", is_text=True),
)
_DEFAULT_ROWS = 20
_FRAMES = 20  # of a stack in the text; JSON has all
_OBJECTS = 60  # of a stack, those that retain most
_OBJECTS_OF_FRAME = 3
_NAMES = 5


@click.command()
@dump_argument
@secrets_option
@graph_options
@table_options(*_COLUMNS)
def threads(dump: Path, show_secrets: bool, following: dict[str, Any], choice: Choice) -> None:
    """Threads of DUMP with their stacks, the objects that local variables refer to, and what each
    thread retains, the most first. Virtual threads whose stacks are equal stand together.

    \b
    heapscope threads worker-3.hprof --top 10
    """
    from heapscope.analysis.growth.snapshot import snapshot_of
    from heapscope.heap.objects.thread_stacks import find_thread_stacks, stack_objects

    count = choice.rows
    if count is None:
        count = _DEFAULT_ROWS if choice.format == "text" else 0
    with opened(dump, following) as heap:
        found = _sorted(find_thread_stacks(heap.graph), choice.sort)
        if not show_secrets:
            found = [replace(each, names=tuple(map(mask_text, each.names))) for each in found]
        shown = found[:count] if count else found
        objects = [
            stack_objects(heap.graph, thread.serial, _OBJECTS, show_secrets=show_secrets)
            if thread.object_count
            else ()
            for thread in shown
        ]
        snapshot = snapshot_of(heap)
    heading = [*snapshot_lines([snapshot]), _summary(found)]
    if choice.format == "text":
        lines = [*heading]
        for thread, on_stack in zip(shown, objects, strict=True):
            lines += ["", *_lines(thread, on_stack)]
        if len(shown) < len(found):
            lines += ["", f"{len(shown):,} of {plural(len(found), 'stack')}; --top 0 shows all"]
        write_lines(lines, choice)
        remember(_flat(found))
        return
    table = _nested(found, objects) if choice.format == "json" else _flat(found)
    answer = Answer("threads", table, _COLUMNS, [snapshot], rows_are=("stack", "stacks"), heading=heading)
    show(answer, replace(choice, sort=None))


def _sorted(found: Sequence[ThreadStack], column: str | None) -> list[ThreadStack]:
    if column == "name":
        return sorted(found, key=lambda thread: thread.names)
    if column == "thread_count":
        return sorted(found, key=lambda thread: -thread.thread_count)
    return list(found)


def _summary(found: Sequence[ThreadStack]) -> str:
    platform = sum(not thread.is_virtual for thread in found)
    virtual = [thread.thread_count for thread in found if thread.is_virtual]
    text = plural(platform, "platform thread")
    if virtual:
        text += f"; {plural(sum(virtual), 'virtual thread')} with {plural(len(virtual), 'stack')}"
    return text


def _lines(thread: ThreadStack, on_stack: Sequence[StackObject]) -> list[str]:
    """One thread: what it is and retains, then its frames, each with the objects on it.

    An object is told of at the innermost frame that has it, and the thread itself at none.
    """
    lines = _title(thread)
    by_frame: dict[int, list[StackObject]] = {}
    told = {thread.object_id}
    for each in on_stack:
        if each.object_id not in told:
            told.add(each.object_id)
            by_frame.setdefault(each.frame_number, []).append(each)
    if not thread.frames:
        lines.append("    no stack in this dump")
    for number, frame in enumerate(thread.frames[:_FRAMES]):
        lines.append(f"    at {frame}")
        lines += _objects_of(by_frame.pop(number, []))
    if len(thread.frames) > _FRAMES:
        lines.append(f"    ... {plural(len(thread.frames) - _FRAMES, 'more frame')}")
    rest = sorted(
        (each for left in by_frame.values() for each in left), key=lambda each: -each.retained_bytes
    )
    if rest:
        lines += ["    on other frames, or in native code:", *_objects_of(rest)]
    return lines


def _title(thread: ThreadStack) -> list[str]:
    from heapscope.heap.objects.threads import UNNAMED

    size = format_bytes(thread.retained_bytes)
    if thread.is_virtual and thread.thread_count > 1:
        lines = [
            f"{thread.thread_count:,} virtual threads with one stack retain {size}, "
            f"{format_bytes(thread.largest_bytes)} or less each"
        ]
        # Few virtual threads have names.
        names = [f'"{name}"' for name in thread.names if name != UNNAMED][:_NAMES]
        more = thread.thread_count - len(names)
        if names:
            lines.append(f"    {', '.join(names)}{f' and {more:,} more' if more else ''}")
        return lines
    facts = [f"0x{thread.object_id:x}"] if thread.object_id else []
    facts += ["virtual"] if thread.is_virtual else []
    facts += ["daemon"] if thread.is_daemon else []
    facts += [f"priority {thread.priority}"] if thread.priority is not None else []
    return [f'"{thread.names[0]}" {", ".join([*facts, f"retains {size}"])}']


def _objects_of(objects: Sequence[StackObject]) -> list[str]:
    lines = []
    for each in objects[:_OBJECTS_OF_FRAME]:
        text = f" {each.text}" if each.text else ""
        lines.append(
            f"        {each.class_name} 0x{each.object_id:x}, {format_bytes(each.retained_bytes)}{text}"
        )
    if len(objects) > _OBJECTS_OF_FRAME:
        lines.append(f"        and {len(objects) - _OBJECTS_OF_FRAME:,} more")
    return lines


def _flat(found: Sequence[ThreadStack]) -> Table:
    """A row for each stack, for CSV."""
    from heapscope.table import Table

    return Table(
        {
            "name": [thread.names[0] for thread in found],
            "thread_count": [thread.thread_count for thread in found],
            "is_virtual": [thread.is_virtual for thread in found],
            "is_daemon": [thread.is_daemon for thread in found],
            "priority": [thread.priority for thread in found],
            "address": [f"0x{thread.object_id:x}" for thread in found],
            "retained_bytes": [thread.retained_bytes for thread in found],
            "object_count": [thread.object_count for thread in found],
            "frame_count": [len(thread.frames) for thread in found],
            "top_frame": [str(thread.frames[0]) if thread.frames else "" for thread in found],
        }
    )


def _nested(found: Sequence[ThreadStack], objects: Sequence[Sequence[StackObject]]) -> Table:
    """The same with names, frames and objects, for JSON; objects of the first stacks, which are shown."""
    from heapscope.table import Table

    return Table(
        {
            **_flat(found).columns,
            "names": [list(thread.names) for thread in found],
            "largest_bytes": [thread.largest_bytes for thread in found],
            "frames": [[str(frame) for frame in thread.frames] for thread in found],
            "objects": [
                [{"address": f"0x{each.object_id:x}", **asdict(each)} for each in on_stack]
                for on_stack in [*objects, *[()] * (len(found) - len(objects))]
            ],
        }
    )

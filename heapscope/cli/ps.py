"""``heapscope ps``: the processes that host a JVM."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from heapscope.cli.common.answer import SCHEMA_VERSION
from heapscope.cli.common.output import json_text
from heapscope.reporter.text import plural, printable
from heapscope.units import format_bytes, format_duration

if TYPE_CHECKING:
    from heapscope.collector.processes import JvmProcess


_HEADINGS = ("pid", "user", "task", "jvm", "used/committed/max", "vsz", "rss", "age", "attach")
_NUMBERS = ("pid", "vsz", "rss", "age")  # aligned to the right


@click.command(short_help="The processes that host a JVM, embedded or not.")
@click.option("--role", metavar="NAME", help="Only TensorFlow processes of this role: worker, ps, chief ...")
@click.option("--json", "as_json", is_flag=True, help="Write JSON: all facts, bytes and seconds.")
def ps(role: str | None, as_json: bool) -> None:
    """Every process that hosts a JVM, embedded in another program or not: TensorFlow role, heap,
    memory, whether it can be attached to. Nothing is contacted.
    """
    from heapscope.collector import processes
    from heapscope.collector.sidecar import process_facts

    found = [process for process in processes.find() if role in (None, process.role)]
    if as_json:
        document = {
            "schema_version": SCHEMA_VERSION,
            "kind": "processes",
            "processes": [process_facts(process) for process in found],
        }
        sys.stdout.write(json_text(document))
        return
    sys.stdout.write("".join(f"{printable(line)}\n" for line in [*_lines(found), *unseen()]))


def unseen() -> list[str]:
    """Lines on processes that this user cannot see, which may host a JVM too."""
    from heapscope.collector import processes

    lines = []
    if hidden := processes.hidden():
        lines.append(f"{plural(hidden, 'process', 'processes')} could not be looked into")
    if processes.are_others_hidden():
        lines.append("processes of other users are hidden (/proc is mounted with hidepid): root sees them")
    return lines


def _lines(found: Sequence[JvmProcess]) -> list[str]:
    from heapscope.collector.sidecar import process_facts

    if not found:
        return ["no process with a JVM"]
    rows: list[tuple[str, ...]] = [_HEADINGS, *(_row(process) for process in found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row, process in zip(rows, [None, *found], strict=True):
        cells = [
            cell.rjust(width) if heading in _NUMBERS else cell.ljust(width)
            for heading, cell, width in zip(_HEADINGS, row, widths, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
        if process is None:
            continue
        if process.attach_reason:
            lines.append(f"    attach: {process.attach_reason}")
        if process.container or process.pod:
            where = [f"pod {process.pod}"] * bool(process.pod) + [f"container {process.container}"] * bool(
                process.container
            )
            lines.append(f"    {', '.join(where)}")
        lines += [f"    {name}={value}" for name, value in process_facts(process)["environment"].items()]
        if process.is_suspect:
            lines.append("    ! HDFS with KERB_TICKET_CACHE_PATH: reads may leak file systems; unset it")
        lines += [f"    not readable: {what}" for what in process.unreadable]
        lines += [f"    ! {what}" for what in process.oddities]
    return lines


def _row(process: JvmProcess) -> tuple[str, ...]:
    heap = process.heap
    pid = str(process.pid)
    if process.namespace_pid != process.pid:
        pid += f" ({process.namespace_pid})"
    task = process.role or ("embedded" if process.is_embedded else "java")
    if process.task_index is not None:
        task += f":{process.task_index}"
    sizes = (
        "-"
        if heap is None
        else "/".join(
            format_bytes(size).replace(" ", "")
            for size in (heap.used_bytes, heap.committed_bytes, heap.max_bytes)
        )
    )
    return (
        pid,
        process.user,
        task,
        (process.jvm_version or "?").split("-")[0],
        sizes,
        format_bytes(process.vsz_bytes),
        format_bytes(process.rss_bytes),
        format_duration(round(process.age_seconds)),
        process.attach,
    )

"""``heapscope ps``: the processes that host a JVM."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from heapscope.cli.common.answer import SCHEMA_VERSION, Answer, Choice, Column
from heapscope.cli.common.arguments import secrets_option
from heapscope.cli.common.output import json_text, show, table_options, write, write_lines
from heapscope.cli.common.sorting import sorted_table
from heapscope.reporter.text import plural

if TYPE_CHECKING:
    from heapscope.collector.processes import JvmProcess
    from heapscope.table import Table

_MB = 10**6
_COLUMNS = (
    Column("pid", "pid", is_text=True),
    Column("user", "user", 2, is_text=True),
    Column("task", "task", 1, is_text=True),
    Column("jvm_version", "jvm", 6, is_text=True),
    Column("heap_used_bytes", "used MB", 3, decimals=1, unit=_MB),
    Column("heap_committed_bytes", "committed MB", 8, decimals=1, unit=_MB),
    Column("heap_max_bytes", "max MB", 5, decimals=1, unit=_MB),
    Column("vsz_bytes", "vsz MB", 9, decimals=1, unit=_MB),
    Column("rss_bytes", "rss MB", decimals=1, unit=_MB),
    Column("age", "age", 7, is_text=True),
    Column("attach", "attach", 4, is_text=True),
    Column("program", "main class or script", is_text=True),
)


@click.command()
@click.option("--role", metavar="NAME", help="Only TensorFlow processes of this role: worker, ps, chief ...")
@secrets_option
@table_options(*_COLUMNS)
def ps(role: str | None, show_secrets: bool, choice: Choice) -> None:
    """Every process that hosts a JVM, embedded in another program or not: TensorFlow role, Java heap
    (used, committed, at most), memory, age in hours, minutes and seconds, whether it can be attached to,
    main class or script. Nothing is contacted.

    \b
    heapscope ps --sort rss
    """
    from heapscope.collector import processes
    from heapscope.collector.sidecar import process_facts

    found = [process for process in processes.find() if role in (None, process.role)]
    if choice.sort is not None:
        found = _sorted(found, choice.sort)
        choice = replace(choice, sort=None)
    if choice.format == "json":
        document = {
            "schema_version": SCHEMA_VERSION,
            "kind": "processes",
            "processes": [
                process_facts(process, show_secrets=show_secrets) for process in found[: choice.rows or None]
            ],
        }
        write(json_text(document), choice)
        return
    notes = [*_left_behind(found), *unseen()]
    if not found and choice.format == "text":
        write_lines(["no process with a JVM", *notes], choice)
        return
    if found:
        notes = [*_details(found, show_secrets=show_secrets), *notes]
    answer = Answer("processes", _table(found), _COLUMNS, (), rows_are=("process", "processes"), notes=notes)
    show(answer, choice)


def _sorted(found: Sequence[JvmProcess], column: str) -> list[JvmProcess]:
    """By a column; pids and ages by their numbers, of which the table has texts."""
    from heapscope.table import Table

    if column == "pid":
        return sorted(found, key=lambda process: process.pid)
    keys = [process.age_seconds for process in found] if column == "age" else _table(found).column(column)
    order = sorted_table(Table({column: keys, "row": list(range(len(found)))}), column)
    return [found[row] for row in order.column("row")]


def _left_behind(found: Sequence[JvmProcess]) -> list[str]:
    """Lines on FIFOs where a JVM may wait for a heapscope that was killed."""
    from heapscope.collector.target_folder import left_in

    return [
        f"a killed heapscope left a pipe in /tmp of process {pid}: a JVM may stand still there; heapscope "
        "watch, or collect of that JVM, removes the pipe and lets it go on"
        for pid in left_in(found)
    ]


def unseen() -> list[str]:
    """Lines on processes that this user cannot see, which may host a JVM too."""
    from heapscope.collector import processes

    lines = []
    if hidden := processes.hidden():
        way = "" if os.geteuid() == 0 else "; root can look into those of other users"
        lines.append(f"{plural(hidden, 'process', 'processes')} could not be looked into{way}")
    if processes.are_others_hidden():
        lines.append("processes of other users are hidden (/proc is mounted with hidepid): root sees them")
    return lines


def _table(found: Sequence[JvmProcess]) -> Table:
    from heapscope.collector.processes import program_of
    from heapscope.table import Table

    heaps = [process.heap for process in found]
    return Table(
        {
            "pid": [_pid(process) for process in found],
            "user": [process.user for process in found],
            "task": [_task(process) for process in found],
            "jvm_version": [(process.jvm_version or "?").split("-")[0] for process in found],
            "heap_used_bytes": [None if heap is None else heap.used_bytes for heap in heaps],
            "heap_committed_bytes": [None if heap is None else heap.committed_bytes for heap in heaps],
            "heap_max_bytes": [None if heap is None else heap.max_bytes for heap in heaps],
            "vsz_bytes": [process.vsz_bytes for process in found],
            "rss_bytes": [process.rss_bytes for process in found],
            "age": [_age(process.age_seconds) for process in found],
            "attach": [process.attach for process in found],
            "program": [program_of(process.command) for process in found],
        }
    )


def _pid(process: JvmProcess) -> str:
    return str(process.pid) + (f" ({process.namespace_pid})" if process.namespace_pid != process.pid else "")


def _task(process: JvmProcess) -> str:
    task = process.role or ("embedded" if process.is_embedded else "java")
    return task if process.task_index is None else f"{task}:{process.task_index}"


def _age(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def _details(found: Sequence[JvmProcess], *, show_secrets: bool) -> list[str]:
    """What matters of each process below the table; what several have in common once."""
    who: dict[tuple[str, ...], list[int]] = {}
    for process in found:
        told = _told(process, show_secrets=show_secrets)
        if told:
            who.setdefault(tuple(told), []).append(process.pid)
    return [
        line
        for told, pids in who.items()
        for line in ("", f"{', '.join(map(str, pids))}:", *(f"    {each}" for each in told))
    ]


def _told(process: JvmProcess, *, show_secrets: bool) -> list[str]:
    from heapscope.collector.sidecar import process_facts

    lines = [f"attach: {process.attach_reason}"] if process.attach_reason else []
    where = [f"pod {process.pod}"] if process.pod else []
    where += [f"container {process.container}"] if process.container else []
    lines += [", ".join(where)] if where else []
    environment = process_facts(process, show_secrets=show_secrets)["environment"]
    lines += [f"{name}={value}" for name, value in environment.items()]
    if process.is_suspect:
        lines.append("! HDFS with KERB_TICKET_CACHE_PATH: reads may leak file systems; unset it")
    lines += [f"not readable: {what}" for what in process.unreadable]
    return [*lines, *(f"! {what}" for what in process.oddities)]

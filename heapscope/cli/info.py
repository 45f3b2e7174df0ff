"""``heapscope info``: what a dump is and what process it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from heapscope.cli.common.answer import SCHEMA_VERSION, Choice, captured_text, snapshot_lines
from heapscope.cli.common.arguments import (
    dump_argument,
    index_dir_option,
    no_index_option,
    partial_option,
    secrets_option,
)
from heapscope.cli.common.opened_heap import implied_roots_line
from heapscope.cli.common.output import document_options, json_text, snapshot_facts, write, write_lines
from heapscope.cli.common.progress import work
from heapscope.cli.common.standard_input import is_saved
from heapscope.reporter.text import printable
from heapscope.units import format_bytes

if TYPE_CHECKING:
    from heapscope.analysis.growth.snapshot import ProcessFacts, Snapshot
    from heapscope.heap.retention.off_heap import OffHeap

_JVM = ("java.vm.name", "java.vm.version", "java.vm.vendor", "java.vm.info")


@click.command()
@dump_argument
@secrets_option
@index_dir_option
@no_index_option
@partial_option
@document_options("Write JSON: exact values, ISO times.")
def info(
    dump: Path,
    show_secrets: bool,
    index_dir: Path | None,
    no_index: bool,
    partial: bool,
    choice: Choice,
) -> None:
    """What DUMP is and what process it comes from: format, capture time, how sizes were found, GC
    roots, memory outside of the heap that objects stand for, JVM, environment and system properties
    as the heap itself holds them.

    \b
    heapscope info worker-3.hprof
    """
    from heapscope.analysis.growth.snapshot import read_snapshot, read_snapshots
    from heapscope.heap.open_heaps import OpenHeaps
    from heapscope.heap.retention.off_heap import off_heap_if_large

    outside = None
    with work() as at, OpenHeaps() as heaps:
        at.name(dump)
        snapshot = read_snapshot(
            dump, at.progress, partial=partial, index_dir=index_dir, heaps=heaps, follows=True,
            use_index=not no_index and not is_saved(click.get_current_context()),
        )  # fmt: skip
        found = [snapshot]
        if snapshot.of_count > 1:
            found = read_snapshots(snapshot.path, at.progress, partial=partial, heaps=heaps)
        facts = None
        heap = snapshot.open(at.progress)
        if heap is not None:
            with heap:
                facts = snapshot.facts(at.progress, heap)
                outside = off_heap_if_large(heap.graph)
    if choice.format == "json":
        write(json_text(_document(snapshot, found, facts, outside, show_secrets)), choice)
    else:
        lines = _lines(snapshot, found, facts, outside, show_secrets)
        write_lines(lines, choice)


def _document(
    snapshot: Snapshot,
    beside: Sequence[Snapshot],
    facts: ProcessFacts | None,
    outside: OffHeap | None,
    show_secrets: bool,
) -> dict[str, Any]:
    document: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "kind": "info",
        "snapshot": snapshot_facts(snapshot),
        **({} if len(beside) == 1 else {"snapshots_in_file": [snapshot_facts(one) for one in beside]}),
        "class_count": len(snapshot.histogram) if facts is None else facts.class_count,
    }
    if facts is not None:
        layout = facts.layout
        document |= {
            "format_version": facts.format_version,
            "identifier_bytes": facts.identifier_bytes,
            "layout": {
                "rule": layout.rule,
                "confidence": layout.confidence,
                "evidence": layout.evidence,
                "reference_bytes": layout.reference_bytes,
                "object_header_bytes": layout.object_header_bytes,
                "alignment_bytes": layout.alignment_bytes,
            },
            "root_counts": facts.root_counts,
            **({"implied_root_count": facts.implied_root_count} if facts.implied_root_count else {}),
            "thread_count": facts.thread_count,
            "off_heap": None if outside is None else asdict(outside),
            "environment": _shown(facts.environment, show_secrets),
            "system_properties": _shown(facts.system_properties, show_secrets),
        }
    return document


def _lines(
    snapshot: Snapshot,
    beside: Sequence[Snapshot],
    facts: ProcessFacts | None,
    outside: OffHeap | None,
    show_secrets: bool,
) -> list[str]:
    from heapscope.analysis.leaks.resident import resident_memory
    from heapscope.reporter.off_heap import off_heap_lines

    size = snapshot.shallow_bytes
    known = [
        ("file", str(snapshot.path)),
        ("kind", snapshot.kind),
        *_beside(snapshot, beside),
        ("captured", captured_text(snapshot, always_source=True)),
        ("objects", f"{snapshot.object_count:,}"),
        ("shallow size", f"{format_bytes(size)} ({size:,} bytes)"),
    ]
    if snapshot.coverage is not None:
        told = snapshot.coverage.lines()
        known += [("read", told[0]), *(("", line) for line in told[1:])]
    if snapshot.is_cut:
        known.append(("read", "no Total line: the text may be cut, and classes may be missing"))
    if facts is None:
        return [*_aligned([*known, ("classes", f"{len(snapshot.histogram):,}")])]
    layout = facts.layout
    jvm = [facts.system_properties[name] for name in _JVM if name in facts.system_properties]
    known += [
        ("classes", f"{facts.class_count:,}"),
        ("format", f"HPROF {facts.format_version}, {facts.identifier_bytes}-byte identifiers"),
        ("sizes", f"{layout.confidence}, rule {layout.rule}"),
        ("", layout.evidence),
        (
            "",
            f"references of {layout.reference_bytes} bytes, object header {layout.object_header_bytes} bytes,"
            f" alignment {layout.alignment_bytes} bytes",
        ),
        ("JVM", ", ".join(jvm) or "unknown: no system property in the dump tells"),
        ("threads", f"{facts.thread_count:,}"),
    ]
    lines = _aligned(known)
    roots = sorted(facts.root_counts.items(), key=lambda item: (-item[1], item[0]))
    width = max((len(f"{count:,}") for _, count in roots), default=0)
    lines += ["", f"GC root records: {sum(facts.root_counts.values()):,}"]
    lines += [f"  {count:>{width},}  {kind}" for kind, count in roots]
    if facts.implied_root_count:
        lines.append(f"  {implied_roots_line(facts.implied_root_count)}")
    if outside is not None:
        resident = resident_memory(snapshot, outside)
        lines += ["", "outside the heap:", *(f"  {line}" for line in off_heap_lines(outside, resident))]
    for title, values in (("environment", facts.environment), ("system properties", facts.system_properties)):
        lines += ["", f"{title}: {len(values):,}" if values else f"{title}: not in this dump"]
        lines += [printable(f"  {name}={value}") for name, value in _shown(values, show_secrets).items()]
    return lines


def _beside(snapshot: Snapshot, beside: Sequence[Snapshot]) -> list[tuple[str, str]]:
    """The snapshots of a file that holds several."""
    if len(beside) == 1:
        return []
    what = "heaps" if snapshot.kind == "heap dump" else "histograms"
    lines = [line.strip() for line in snapshot_lines(beside)]
    return [(what, f"{len(beside):,} in this file; here is {snapshot.name}"), *(("", line) for line in lines)]


def _aligned(pairs: list[tuple[str, str]]) -> list[str]:
    width = max(len(name) for name, _ in pairs)
    return [f"{name:{width}}  {printable(value)}" for name, value in pairs]


def _shown(values: dict[str, str], show_secrets: bool) -> dict[str, str]:
    from heapscope.secrets import mask_mapping

    return dict(sorted(values.items())) if show_secrets else mask_mapping(values)

"""What the process was, as far as its heap tells: the part of an incident below the figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from heapscope.analysis.growth.sidecar import number_in
from heapscope.heap.objects.environment import tensorflow_task
from heapscope.reporter.text import printable
from heapscope.secrets import mask_command, mask_value

if TYPE_CHECKING:
    from heapscope.analysis.growth.snapshot import ProcessFacts, Snapshot
    from heapscope.parser.layout.layout import Layout

# Variables from which a JVM, or what embeds it, takes options. HotSpot keeps its command line
# outside the heap, so a dump shows no other options.
_OPTION_VARIABLES = ("LIBHDFS_OPTS", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "JAVA_OPTS")

# Label, then system properties or environment variables (upper case) that make up the value.
_SUMMARY: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("JVM", ("java.vm.name", "java.vm.version")),
    ("Vendor", ("java.vm.vendor",)),
    ("Java", ("java.runtime.name", "java.runtime.version")),
    ("Java home", ("java.home",)),
    ("Operating system", ("os.name", "os.version", "os.arch")),
    ("Host", ("HOSTNAME",)),
    ("User", ("user.name",)),
    ("Working folder", ("user.dir",)),
    ("Java command", ("sun.java.command",)),
)


@dataclass(frozen=True, slots=True)
class Fact:
    """A line of a description list."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class LayoutSection:
    """How objects are laid out in this heap, which decides their shallow sizes; all figures in bytes."""

    rule: str
    confidence: str  # "exact" or "estimated"
    evidence: str
    reference_bytes: int
    object_header_bytes: int
    alignment_bytes: int


@dataclass(frozen=True, slots=True)
class ProcessSection:
    """The process as the heap of one snapshot tells it; values are printable and masked."""

    snapshot: str
    summary: tuple[Fact, ...]
    jvm_options: tuple[Fact, ...]  # variable, value
    environment: dict[str, str]  # by name
    system_properties: dict[str, str]  # by name
    root_counts: dict[str, int]  # GC root kind -> root records, most first
    thread_count: int
    class_count: int
    format_version: str
    identifier_bytes: int
    layout: LayoutSection


def describe_process(facts: ProcessFacts, snapshot: str, *, show_secrets: bool) -> ProcessSection:
    """What a report shows of a process.

    Parameters
    ----------
    facts : ProcessFacts
        As read from the heap.
    snapshot : str
        Name of the snapshot that they are from.
    show_secrets : bool
        Whether values are shown as they are.
    """
    if show_secrets:

        def shown(name: str, value: str) -> str:
            return printable(value)

    else:

        def shown(name: str, value: str) -> str:
            return printable(mask_value(name, value))

    environment, properties = facts.environment, facts.system_properties
    return ProcessSection(
        snapshot=snapshot,
        summary=_summary(environment, properties, shown),
        jvm_options=tuple(
            Fact(name, shown(name, environment[name])) for name in _OPTION_VARIABLES if environment.get(name)
        ),
        environment=_shown_mapping(environment, shown),
        system_properties=_shown_mapping(properties, shown),
        root_counts=dict(sorted(facts.root_counts.items(), key=lambda item: (-item[1], item[0]))),
        thread_count=facts.thread_count,
        class_count=facts.class_count,
        format_version=printable(facts.format_version),
        identifier_bytes=facts.identifier_bytes,
        layout=_describe_layout(facts.layout),
    )


_MAX_COMMAND = 90  # characters of a heading


def process_name(snapshot: Snapshot, facts: ProcessFacts | None, *, show_secrets: bool = False) -> str:
    """What a process is called: ``org.example.Train, worker 3, pid 4711 on host-3``.

    Parameters
    ----------
    snapshot : Snapshot
        Its sidecar, where it has one, tells most.
    facts : ProcessFacts or None
        What the heap tells.
    show_secrets : bool
        Whether arguments are shown as they are.

    Returns
    -------
    str
        Printable and masked; empty where neither tells anything.
    """
    found = snapshot.sidecar.get("process")
    process = found if isinstance(found, dict) else {}
    properties = {} if facts is None else facts.system_properties
    environment = {} if facts is None else facts.environment
    parts = [_program(process.get("command"), properties.get("sun.java.command", ""), show_secrets)]
    if isinstance(role := process.get("role"), str) and role:
        index = number_in(snapshot.sidecar, "process", "task_index")
        parts.append(role if index is None else f"{role} {index}")
    else:
        role, index = tensorflow_task(environment)
        parts.append(f"{role or ''} {'' if index is None else index}".strip())
    pid = number_in(snapshot.sidecar, "process", "pid") or snapshot.pid
    host = snapshot.sidecar.get("host")
    host = host if isinstance(host, str) and host else environment.get("HOSTNAME", "")
    where = [f"pid {pid}"] if pid is not None else []
    if host:
        where.append(f"on {host if show_secrets else mask_value('HOSTNAME', host)}")
    if not where and (user := properties.get("user.name", "")):
        where.append(f"of user {user if show_secrets else mask_value('user.name', user)}")
    parts.append(" ".join(where))
    return printable(", ".join(part for part in parts if part))


def _program(command: object, java_command: str, show_secrets: bool) -> str:
    """The main class, jar or script of a process; else its command line, shortened."""
    if java_command:
        text = java_command if show_secrets else mask_value("sun.java.command", java_command)
        return text.partition(" (")[0][:_MAX_COMMAND]
    if not isinstance(command, list) or not all(isinstance(word, str) for word in command):
        return ""
    text = " ".join(command if show_secrets else mask_command(command))
    return text if len(text) <= _MAX_COMMAND else f"{text[:_MAX_COMMAND]}…"


def _summary(
    environment: Mapping[str, str], properties: Mapping[str, str], shown: Callable[[str, str], str]
) -> tuple[Fact, ...]:
    lines = []
    for label, names in _SUMMARY:
        values = [
            shown(name, value)
            for name in names
            if (value := (environment if name.isupper() else properties).get(name))
        ]
        if values:
            lines.append(Fact(label, " ".join(values)))
    return tuple(lines)


def _shown_mapping(values: Mapping[str, str], shown: Callable[[str, str], str]) -> dict[str, str]:
    return {printable(name): shown(name, values[name]) for name in sorted(values)}


def _describe_layout(layout: Layout) -> LayoutSection:
    return LayoutSection(
        rule=layout.rule,
        confidence=layout.confidence,
        evidence=printable(layout.evidence),
        reference_bytes=int(layout.reference_bytes),
        object_header_bytes=int(layout.object_header_bytes),
        alignment_bytes=int(layout.alignment_bytes),
    )

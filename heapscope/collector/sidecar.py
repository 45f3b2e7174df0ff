"""What is written beside a snapshot: the process, its JVM, memory before and after, its memory limits.

A sidecar travels with its snapshot, so `heapscope.secrets` decides what of command line, environment and
options it shows.
"""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any

from heapscope.collector.channel import JvmChannel
from heapscope.collector.processes import JvmProcess
from heapscope.errors import CollectError
from heapscope.memory_limits import memory_limits
from heapscope.secrets import mask_command, mask_options, mask_value

_ASK_SECONDS = 10.0


def sidecar_facts(before: JvmProcess, after: JvmProcess | None) -> dict[str, Any]:
    """The process before the snapshot, its memory after it, and the limits of container and machine.

    Parameters
    ----------
    before : JvmProcess
    after : JvmProcess or None
        The same process after the snapshot; None where it has ended.

    Returns
    -------
    dict
        ``process``, ``after`` and ``limits``: what JSON can hold, secrets masked.
    """
    return {
        "process": process_facts(before),
        "after": None
        if after is None
        else {
            "vsz_bytes": after.vsz_bytes,
            "rss_bytes": after.rss_bytes,
            "heap": None if after.heap is None else asdict(after.heap),
        },
        "limits": memory_limits(before.pid),
    }


def process_facts(process: JvmProcess, *, show_secrets: bool = False) -> dict[str, Any]:
    """The attributes of a process by name, secrets masked; what sidecars and ``heapscope ps`` tell of it.

    Parameters
    ----------
    process : JvmProcess
    show_secrets : bool
        Whether command line and environment are shown as they are.
    """
    facts = asdict(process)
    if show_secrets:
        return facts
    facts["command"] = mask_command(process.command)
    facts["environment"] = {name: mask_value(name, value) for name, value in process.environment.items()}
    return facts


def jvm_options(channel: JvmChannel) -> dict[str, list[str]] | None:
    """Options of the JVM: those of its command line, and all flags that differ from their defaults.

    None where the channel cannot ask for them, or the JVM does not answer.
    """
    if not channel.has_options:
        return None
    try:
        line = channel.ask("VM.command_line", _ASK_SECONDS)
        flags = channel.ask("VM.flags", _ASK_SECONDS)
    except CollectError:
        return None
    given = re.search(r"^jvm_args: (.*)$", line, re.MULTILINE)
    return {
        "command_line": mask_options(given[1].split() if given else ()),
        "flags": mask_options(flags.removeprefix("VM Flags:").split()),
    }

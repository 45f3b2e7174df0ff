"""What is written beside a snapshot: the process, its JVM, memory before and after, the limit it lives under.

A sidecar travels with its snapshot, so it holds nothing that may be a secret: of a system property
(``-Dname=value``) only the name, of an option only values that are numbers, switches or paths.
"""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any

from heapscope.collector.channel import Voice
from heapscope.collector.limits import memory_limits
from heapscope.collector.processes import JvmProcess
from heapscope.errors import CollectError

MASK = "***"
_ASK_SECONDS = 10.0
_SECRET = re.compile(r"pass|secret|token|credential|private|api.?key|access.?key|auth", re.IGNORECASE)
_SAFE_VALUE = re.compile(r"[+-]?[\d.]+[kKmMgGtT]?|true|false", re.IGNORECASE)
_PATHS = ("HeapDumpPath", "ErrorFile", "LogFile", "SharedArchiveFile", "AOTCache")
_OPTIONS_IN = ("LIBHDFS_OPTS", "JAVA_TOOL_OPTIONS")


def facts_of(before: JvmProcess, after: JvmProcess | None) -> dict[str, Any]:
    """The process as it was before the snapshot, and what its memory was after; None where it is gone."""
    return {
        "process": shown(before),
        "after": None
        if after is None
        else {
            "vsz_bytes": after.vsz_bytes,
            "rss_bytes": after.rss_bytes,
            "heap": None if after.heap is None else asdict(after.heap),
        },
        "limits": memory_limits(before.pid),
    }


def shown(process: JvmProcess) -> dict[str, Any]:
    """What is known of a process, fit to be shown: nothing in it may be a secret."""
    facts = asdict(process)
    facts["command"] = masked_command(process.command)
    facts["environment"] = {
        name: " ".join(masked_options(value)) if name in _OPTIONS_IN else value
        for name, value in process.environment.items()
    }
    return facts


def jvm_options(voice: Voice) -> dict[str, list[str]] | None:
    """Options of the JVM: those of its command line, and all flags that differ from their defaults.

    None where the JVM was not asked, or would not say.
    """
    if not voice.has_options:
        return None
    try:
        line = voice.ask("VM.command_line", _ASK_SECONDS)
        flags = voice.ask("VM.flags", _ASK_SECONDS)
    except CollectError:
        return None
    given = re.search(r"^jvm_args: (.*)$", line, re.MULTILINE)
    return {
        "command_line": masked_options(given[1] if given else ""),
        "flags": masked_options(flags.removeprefix("VM Flags:")),
    }


def masked_options(text: str) -> list[str]:
    """Options of a JVM without values that may be secret.

    Values are not quoted in what a JVM prints, so a word that does not begin like an option belongs to
    the value before it, and is left out.

    >>> masked_options("-Xmx1g -Djavax.password=a b -XX:+UseG1GC -XX:OnError=x -agentlib:jdwp=y")
    ['-Xmx1g', '-Djavax.password=***', '-XX:+UseG1GC', '-XX:OnError=***', '-agentlib:jdwp=***']
    """
    return [
        _masked(word)
        for word in text.split()
        if re.match(r"-(?:X|D|ea|esa|da|dsa|agent|javaagent|-[a-z]|verbose|server|client)", word)
    ]


def _masked(word: str) -> str:
    name, equals, value = word.partition("=")
    if not equals:
        return word
    is_known = name.removeprefix("-XX:") in _PATHS or name.startswith("--")
    is_safe = name.startswith("-X") and _SAFE_VALUE.fullmatch(value)
    return word if is_known or is_safe else f"{name}={MASK}"


def masked_command(words: tuple[str, ...]) -> list[str]:
    """A command line without values of properties, and of options whose names sound secret."""
    shown: list[str] = []
    hides_next = False
    for word in words:
        name, equals, _ = word.partition("=")
        is_secret = bool(_SECRET.search(name)) and name.startswith("-")
        if hides_next and not word.startswith("-"):
            shown.append(MASK)
        elif equals and (is_secret or word.startswith("-D") or re.search(r"://[^/]*@", word)):
            shown.append(f"{name}={MASK}")
        else:
            shown.append(re.sub(r"://[^/\s]*@", f"://{MASK}@", word))
        hides_next = is_secret and not equals and not word.startswith("-D")
    return shown

"""An agent without a mind: it asks what leaks, then the first useful next question, until a cause is named.

What it knows it has from the answers alone, and it asks nothing that an answer did not suggest.  So where it
finds the cause, the answers lead there by themselves.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcp import Client, StdioServerParameters

MOST_CALLS = 6
MOST_BYTES = 40_000
_NOTHING = ("no leak found",)
Ask = Callable[[str, dict[str, Any]], Awaitable[tuple[bool, str]]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the script came to.

    Attributes
    ----------
    known : str
        Id of a known leak; empty of another.
    class_name, owner : str
        What piles up, and the field that owns it.
    is_leak : bool
        Whether an answer said that something leaks; what is only large is none.
    calls, byte_count : int
        Questions asked, and bytes of all answers together.
    asked : tuple of str
        The tools, in order.
    """

    known: str
    class_name: str
    owner: str
    is_leak: bool
    calls: int
    byte_count: int
    asked: tuple[str, ...]


def server_of(
    paths: Sequence[str | Path], *options: str, environment: Mapping[str, str] | None = None
) -> Any:
    """How the server is started, for the SDK's client."""
    return StdioServerParameters(
        command=sys.executable,
        args=["-m", "heapscope", "mcp", *map(str, paths), *options],
        env=dict(environment or {}),
    )


async def investigate(paths: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> Outcome:
    """Find the cause of an incident, with a server of one's own.

    Parameters
    ----------
    paths : sequence of path-like
        What the server may read.
    environment : mapping, optional
        Variables of the server.
    """
    async with Client(server_of(paths, environment=environment)) as client:

        async def ask(tool: str, arguments: dict[str, Any]) -> tuple[bool, str]:
            result = await client.call_tool(tool, arguments)
            return bool(result.is_error), "".join(getattr(each, "text", "") for each in result.content)

        return await find_cause(ask)


async def find_cause(ask: Ask) -> Outcome:
    """Find the cause of an incident.

    Parameters
    ----------
    ask : async callable (tool, arguments) -> (whether it failed, text)
    """
    question: tuple[str, dict[str, Any]] | None = ("diagnose", {})
    asked: list[str] = []
    seen: list[tuple[str, dict[str, Any]]] = []
    byte_count = 0
    known = class_name = owner = ""
    is_leak = False
    while question is not None and len(asked) < MOST_CALLS:
        tool, arguments = question
        seen.append(question)
        is_error, text = await ask(tool, arguments)
        asked.append(tool)
        byte_count += len(text.encode())
        if is_error:
            break
        answer = json.loads(text)
        data = answer["data"]
        if tool == "diagnose" and data.get("findings"):
            first = data["findings"][0]
            is_leak = True
            known = first["finding"] if first["known_leak"] else ""
            class_name, owner = first["class"], first.get("owner", "")
        elif tool == "suspects" and not owner:
            real = [each for each in data["suspects"] if not each.get("ordinary")]
            if real:
                owner = real[0]["owner"]
                class_name = real[0].get("piles_up") or real[0]["class"]
        if known or owner or answer["says"].startswith(_NOTHING):
            break
        question = next(
            (
                (each["tool"], each["arguments"])
                for each in answer.get("next", ())
                if (each["tool"], each["arguments"]) not in seen
            ),
            None,
        )
    return Outcome(known, class_name, owner, is_leak, len(asked), byte_count, tuple(asked))

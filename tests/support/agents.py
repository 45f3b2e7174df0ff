"""A client of ``heapscope mcp`` for tests: the SDK's own, over a real pipe.

::

    with_client(folder, lambda ask: ...)
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcp import Client, StdioServerParameters
from mcp.shared.dispatcher import ProgressFnT
from mcp_types import CallToolResult

ROOT = Path(__file__).parents[2]


@dataclass
class Asker:
    """A connected client; keeps every text that the server answered."""

    client: Client
    texts: list[str]

    async def raw(
        self, tool: str, progress: ProgressFnT | None = None, **arguments: Any
    ) -> tuple[CallToolResult, str]:
        """The result of a tool, and its text."""
        result = await self.client.call_tool(tool, arguments, progress_callback=progress)
        text = "".join(getattr(each, "text", "") for each in result.content)
        self.texts.append(text)
        return result, text

    async def ask(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The answer of a tool, which must be one.

        Raises
        ------
        AssertionError
            It is an error.
        """
        result, text = await self.raw(tool, **arguments)
        assert not result.is_error, text
        found: dict[str, Any] = json.loads(text)
        return found

    async def fail(self, tool: str, **arguments: Any) -> str:
        """The error of a tool.

        Raises
        ------
        AssertionError
            There is none.
        """
        result, text = await self.raw(tool, **arguments)
        assert result.is_error, text
        return text


@asynccontextmanager
async def connected(
    *paths: Path | str, options: tuple[str, ...] = (), environment: Mapping[str, str] | None = None
) -> AsyncIterator[Asker]:
    """A client with a server of its own."""
    indexes = os.environ.get("HEAPSCOPE_INDEX_DIR")
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "heapscope", "mcp", *map(str, paths), *options],
        env={
            "PYTHONPATH": str(ROOT),
            **({} if indexes is None else {"HEAPSCOPE_INDEX_DIR": indexes}),
            **(environment or {}),
        },
    )
    async with Client(server) as client:
        yield Asker(client, [])


def workers() -> list[int]:
    """Pids of the processes below this one that read dumps for a server."""
    found = []
    pending = [os.getpid()]
    while pending:
        pid = pending.pop()
        try:
            tasks = list(Path(f"/proc/{pid}/task").iterdir())
            children = [int(each) for task in tasks for each in (task / "children").read_text().split()]
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        pending += children
        if b"heapscope.agent.worker" in command:
            found.append(pid)
    return found

"""A client of ``heapscope mcp`` for tests: the SDK's own, over a real pipe.

::

    with agent(folder) as asker:
        asker.ask("diagnose")["data"]
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anyio.from_thread import BlockingPortal, start_blocking_portal
from mcp import Client, StdioServerParameters
from mcp.shared.dispatcher import ProgressFnT
from mcp_types import CallToolResult, Tool

ROOT = Path(__file__).parents[2]


@dataclass
class Agent:
    """A connected client; keeps every text that the server answered."""

    portal: BlockingPortal
    client: Client
    texts: list[str] = field(default_factory=list)

    def tools(self) -> list[Tool]:
        """The tools that the server has."""
        return self.portal.call(self.client.list_tools).tools

    async def asked(self, tool: str, arguments: dict[str, Any]) -> tuple[bool, str]:
        """Whether a tool failed, and its text; for a script in the portal."""
        result, text = await self._call(tool, None, arguments)
        return bool(result.is_error), text

    async def _call(
        self, tool: str, progress: ProgressFnT | None, arguments: dict[str, Any]
    ) -> tuple[CallToolResult, str]:
        result = await self.client.call_tool(tool, arguments, progress_callback=progress)
        text = "".join(getattr(each, "text", "") for each in result.content)
        self.texts.append(text)
        return result, text

    def raw(
        self, tool: str, progress: ProgressFnT | None = None, **arguments: Any
    ) -> tuple[CallToolResult, str]:
        """The result of a tool, and its text."""
        found: tuple[CallToolResult, str] = self.portal.call(self._call, tool, progress, arguments)
        return found

    def ask(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The answer of a tool, which must be one.

        Raises
        ------
        AssertionError
            It is an error.
        """
        result, text = self.raw(tool, **arguments)
        assert not result.is_error, text
        found: dict[str, Any] = json.loads(text)
        return found

    def fail(self, tool: str, **arguments: Any) -> str:
        """The error of a tool.

        Raises
        ------
        AssertionError
            There is none.
        """
        result, text = self.raw(tool, **arguments)
        assert result.is_error, text
        return text


@contextmanager
def agent(
    *paths: Path | str, options: tuple[str, ...] = (), environment: Mapping[str, str] | None = None
) -> Iterator[Agent]:
    """A client with a server of its own, for tests that are not asynchronous."""
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
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(Client(server)) as client:
        yield Agent(portal, client)


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

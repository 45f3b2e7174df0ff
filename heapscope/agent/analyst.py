"""The worker as the server sees it: ask it, hear of its progress, start another when one has died."""

from __future__ import annotations

import itertools
import json
import subprocess
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

import anyio
from anyio.abc import Process
from anyio.streams.text import TextReceiveStream

from heapscope.agent.settings import Settings
from heapscope.errors import HeapscopeError
from heapscope.isolated_python import isolated_python

Told = Callable[[str, int, int], Awaitable[None]]
_WORKER = isolated_python("heapscope.agent.worker")


class NoAnswer(HeapscopeError):
    """A question that could not be answered; the message is for the one who asked."""


@dataclass
class _Pending:
    process: Process
    told: Told
    done: anyio.Event = field(default_factory=anyio.Event)
    said: dict[str, Any] = field(default_factory=dict)


class Analyst:
    """Ask the worker; use as an asynchronous context manager.

    The worker is started by the first question.  One that dies takes the answers with it that it was at, and
    nothing else: the next question starts another.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._process: Process | None = None
        self._pending: dict[int, _Pending] = {}
        self._numbers = itertools.count(1)
        self._starting = anyio.Lock()
        self._writing = anyio.Lock()

    async def __aenter__(self) -> Self:
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        process = self._process
        self._stop()
        if process is not None:
            with anyio.CancelScope(shield=True):
                await process.wait()
        self._tasks.cancel_scope.cancel()
        await self._tasks.__aexit__(None, None, None)

    async def ask(self, tool: str, arguments: dict[str, Any], told: Told) -> str:
        """The answer of a tool, as JSON.

        Parameters
        ----------
        tool : str
        arguments : dict
        told : async callable (phase, done, total)
            Called as the work goes on.

        Raises
        ------
        NoAnswer
            The question cannot be answered, or the worker died of it.
        """
        async with self._starting:
            process = self._process or await self._start()
        number = next(self._numbers)
        pending = self._pending[number] = _Pending(process, told)
        question = json.dumps({"id": number, "tool": tool, "arguments": arguments}) + "\n"
        try:
            assert process.stdin is not None
            with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):  # its reader will tell
                async with self._writing:
                    await process.stdin.send(question.encode())
            await pending.done.wait()
        except anyio.get_cancelled_exc_class():
            # Whoever asked does not wait any more.  Work cannot be interrupted, so the worker ends with it,
            # unless somebody else waits for an answer too.
            others = [
                each for key, each in self._pending.items() if key != number and each.process is process
            ]
            if not others and process is self._process:
                self._stop()
            raise
        finally:
            self._pending.pop(number, None)
        if "answer" in pending.said:
            return str(pending.said["answer"])
        raise NoAnswer(str(pending.said.get("problem", "no answer")))

    async def _start(self) -> Process:
        process = await anyio.open_process(
            [*_WORKER, self._settings.to_json()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None,
            start_new_session=True,
        )
        self._process = process
        self._tasks.start_soon(self._listen, process)
        return process

    async def _listen(self, process: Process) -> None:
        """Hand out what a worker says, until it ends."""
        assert process.stdout is not None
        rest = ""
        with suppress(anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            async for piece in TextReceiveStream(process.stdout):
                *lines, rest = (rest + piece).split("\n")
                for line in lines:
                    await self._heard(json.loads(line))
        code = await process.wait()
        if self._process is process:
            self._process = None
        why = "it was killed, for want of memory perhaps" if code < 0 else f"exit code {code}"
        for pending in self._pending.values():
            if pending.process is process and not pending.done.is_set():
                pending.said = {
                    "problem": f"the process that reads dumps ended before it had an answer ({why}); another "
                    "one answers the next question: ask about fewer or smaller dumps"
                }
                pending.done.set()

    async def _heard(self, said: dict[str, Any]) -> None:
        pending = self._pending.get(said["id"])
        if pending is None:
            return  # nobody waits for it any more
        if "progress" in said:
            phase, done, total = said["progress"]
            with suppress(Exception):  # a client that went away: its answer goes nowhere either
                await pending.told(phase, done, total)
            return
        pending.said = said
        pending.done.set()

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                process.kill()

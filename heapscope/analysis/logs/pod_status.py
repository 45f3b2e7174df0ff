"""Containers that Kubernetes or Docker call ``OOMKilled``, with their pod, limit and restarts around it.

Read are ``kubectl describe pod``, ``kubectl get pod -o yaml`` and ``-o json`` (also without line breaks),
``kubectl get pods``, the container statuses that Spark prints, and ``docker inspect``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from heapscope.analysis.logs.events import Above, Found, LogEvent, size_bytes
from heapscope.parser.texts.log_lines import LogLine
from heapscope.parser.texts.log_times import read_stamp

_FOLLOW = 60  # lines below the reason in which its exit code, restarts and limits stand
_FOLLOW_DOCKER = 400
_ABOVE = 150

_DESCRIBED = re.compile(r"^\s+Reason:\s+OOMKilled\s*$")
_STATUS = re.compile(r"^\s*(?:-\s+)?\"?reason\"?:\s*\"?OOMKilled\"?,?\s*$")
_LISTED = re.compile(
    r"^(?:(?P<space>[a-z0-9-]+)\s+)?(?P<pod>[a-z0-9][a-z0-9.-]+)\s+\d+/\d+\s+(?:Init:)?OOMKilled\s+(?P<count>\d+)"
)
_SPARK = re.compile(r"termination reason: OOMKilled")
_ARGO = re.compile(r"\bOOMKilled \(exit code (?P<exit>\d+)\)")
_INLINE = re.compile(  # Flink: flink-main-container(exitCode=137, reason=OOMKilled, message=null)
    r"(?:(?P<name>[\w-]+)\(exitCode=(?P<exit>\d+), )?[\"']?\b[Rr]eason[\"']?\s*[:=]\s*[\"']?OOMKilled\b"
)
_INSPECT = re.compile(r"^\s*\"OOMKilled\":\s*true,?\s*$")
_FORMATTED = re.compile(r"\bOOMKilled=true\b")
_DOCKER_OOM = re.compile(r'"(?:Action|status)":"oom"')
# What stands around it; ``describe``, YAML and JSON spell a key alike but for quotes.
_FACT = re.compile(
    r"^(?P<indent>\s*)(?:-\s+)?\"?(?P<key>[A-Za-z][\w .-]*?)\"?:(?:\s+\"?(?P<value>[^\"]*?)\"?,?\s*)?$"
)
_EVENTS = re.compile(r"^(?:Events|Conditions):")


@dataclass
class _Pod:
    """A container that was killed, while the lines below it are read."""

    line: LogLine
    kind: str
    left: int
    pod: str = ""
    container: str = ""
    exit: str = ""
    finished: datetime | None = None
    restarts: str = ""
    limit: str = ""
    is_in_limits: bool = False


class PodStatus(Found):
    """Reads statuses of containers."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._open: list[_Pod] = []
        self._spark_line = -100

    @property
    def wants_all(self) -> bool:
        """Whether the lines below a reason are to come."""
        return bool(self._open)

    def take(self, line: LogLine, above: Above) -> bool:
        """See `heapscope.analysis.logs.events.LineReader`."""
        is_read = sum(_below(pod, line) for pod in self._open) > 0  # all of them see it
        for pod in self._open:
            pod.left -= 1
        while self._open and self._open[0].left <= 0:
            self._end(self._open.pop(0))
        text = line.text
        if "OOMKilled" not in text and '"oom"' not in text:
            if "executor with id" in text:
                self._spark_line = line.number
            return is_read and "Exit Code" in text
        if line.document is not None:
            return self._take_document(line, line.document)
        if _DESCRIBED.match(text) or _STATUS.match(text):
            self._begin(line, "kubernetes oom kill", above(_ABOVE), _FOLLOW)
        elif _INSPECT.match(text):
            self._begin(line, "container oom kill", above(20), _FOLLOW_DOCKER)
        elif (found := _LISTED.match(line.body)) is not None:
            restarts = f"restarted {found['count']} times" if found["count"] != "0" else ""
            self.add(line, "kubernetes oom kill", victim=found["pod"], detail="OOMKilled", says=restarts)
        elif _SPARK.search(text):
            if line.number - self._spark_line > 40:
                self.add(line, "kubernetes oom kill", detail="OOMKilled", victim="a container of an executor")
        elif (found := _ARGO.search(text)) is not None:
            self.add(line, "kubernetes oom kill", detail=f"OOMKilled, exit code {found['exit']}")
        elif _FORMATTED.search(text):
            self.add(line, "container oom kill", detail="OOMKilled")
        elif text.lstrip().startswith(("{", "[")) and _INLINE.search(text) and self._take_text(line):
            pass
        elif (found := _INLINE.search(text)) is not None:
            says = f"exit code {found['exit']}" if found["exit"] else ""
            victim = f"container {found['name']}" if found["name"] else ""
            self.add(line, "kubernetes oom kill", detail="OOMKilled", victim=victim, says=says)
        else:
            return False
        return True

    def close(self) -> None:
        """The log has ended."""
        for pod in self._open:
            self._end(pod)
        self._open = []

    def _begin(self, line: LogLine, kind: str, above: list[str], left: int) -> None:
        pod = _Pod(line, kind, left)
        self._open.append(pod)
        indent = len(line.text) - len(line.text.lstrip())
        is_near = True  # of this container; further up stands what belongs to others
        for place, text in enumerate(above):
            found = _FACT.match(text)
            if found is None:
                continue
            key, value, depth = found["key"], (found["value"] or "").strip(), len(found["indent"])
            if is_near and place < 12:
                if key in ("exitCode", "ExitCode") and not pod.exit:
                    pod.exit = value
                elif key in ("finishedAt", "Finished", "FinishedAt") and pod.finished is None:
                    pod.finished = _time(value)
            if key in ("State", "Last State", "lastState", "state") and place > 3:
                is_near = False
            is_described = line.text.lstrip().startswith("Reason")  # kubectl describe; YAML names it below
            if is_described and not value and not pod.container and 0 < depth < indent and key not in _PARTS:
                pod.container = key
            elif key == "name" and value and not pod.pod and depth <= 8 and kind == "kubernetes oom kill":
                pod.pod = value if _is_metadata(above, place) else ""
            elif key == "Name" and depth == 0 and value:
                pod.pod = value
                break
            elif key == "memory" and value and not pod.limit and _is_limit(above, place):
                pod.limit = value

    def _end(self, pod: _Pod) -> None:
        is_docker = pod.kind == "container oom kill"
        limit = "" if pod.limit == "0" else pod.limit
        limit_bytes = size_bytes(limit, is_decimal=not is_docker)
        if is_docker and limit.isdigit():
            limit = f"{int(limit):,} bytes"
        says = []
        if pod.exit:
            says.append(f"exit code {pod.exit}")
        if pod.restarts not in ("", "0"):
            says.append(f"restarted {pod.restarts} times so far")
        event = self.made(
            pod.line,
            pod.kind,
            detail="OOMKilled",
            victim=", container ".join(part for part in (pod.pod, pod.container) if part).lstrip("/"),
            limit=limit,
            limit_bytes=limit_bytes,
            says=", ".join(says),
        )
        self.ready.append(_at(event, pod.finished))

    def _take_document(self, line: LogLine, document: dict[str, Any]) -> bool:
        """A JSON object on one line: a pod, a list of pods, an inspection, an event of Docker."""
        count = len(self.ready)
        if document.get("Action") == "oom" or document.get("status") == "oom":
            actor = document.get("Actor")
            attributes = actor.get("Attributes", {}) if isinstance(actor, dict) else {}
            name = attributes.get("name") or document.get("id") or ""
            self.add(line, "container oom kill", detail="OOM event", victim=str(name))
        for pod, container, terminated, restarts in _killed(document):
            says = f"exit code {terminated.get('exitCode', '?')}"
            if restarts:
                says += f", restarted {restarts} times so far"
            event = self.made(line, "kubernetes oom kill", detail="OOMKilled", says=says,
                              victim=", container ".join(filter(None, (pod, container))))  # fmt: skip
            self.ready.append(_at(event, _time(str(terminated.get("finishedAt", "")))))
        state = document.get("State")
        if isinstance(state, dict) and state.get("OOMKilled") is True:
            self._inspected(line, document, state)
        return len(self.ready) > count

    def _take_text(self, line: LogLine) -> bool:
        try:
            found = json.loads(line.text)
        except (ValueError, RecursionError):
            return False
        taken = False
        for each in found if isinstance(found, list) else [found]:
            taken |= isinstance(each, dict) and self._take_document(line, each)
        return taken

    def _inspected(self, line: LogLine, document: dict[str, Any], state: dict[str, Any]) -> None:
        host = document.get("HostConfig")
        memory = host.get("Memory") if isinstance(host, dict) else None
        event = self.made(
            line,
            "container oom kill",
            detail="OOMKilled",
            victim=str(document.get("Name", "")).lstrip("/"),
            limit=f"{memory:,} bytes" if isinstance(memory, int) and memory else "",
            limit_bytes=memory if isinstance(memory, int) and memory else None,
            says=f"exit code {state.get('ExitCode', '?')}",
        )
        self.ready.append(_at(event, _time(str(state.get("FinishedAt", "")))))


_PARTS = {
    "State", "Last State", "Limits", "Requests", "Environment", "Mounts", "Containers", "Init Containers",
    "Args", "Command", "Ports",
}  # fmt: skip  # keys of `kubectl describe` that are no container's name


def _below(pod: _Pod, line: LogLine) -> bool:
    """Take over what a line below the reason says; whether it belongs to it."""
    if _EVENTS.match(line.text):
        pod.left = 0
        return False
    found = _FACT.match(line.text)
    if found is None:
        return False
    key, value = found["key"], (found["value"] or "").strip()
    if key in ("Exit Code", "exitCode", "ExitCode") and not pod.exit:
        pod.exit = value
    elif key in ("Finished", "finishedAt", "FinishedAt") and pod.finished is None:
        pod.finished = _time(value)
    elif key in ("Restart Count", "restartCount") and not pod.restarts:
        pod.restarts = value
        if key == "restartCount":
            pod.left = 1
    elif key in ("Limits", "limits"):
        pod.is_in_limits = True
    elif key in ("Requests", "requests"):
        pod.is_in_limits = False
    elif key == "memory" and pod.is_in_limits and not pod.limit:
        pod.limit = value
        pod.left = 1
    elif key == "Memory" and pod.kind == "container oom kill" and value.isdigit():
        pod.limit, pod.left = value, 1
    elif key == "Name" and pod.kind == "container oom kill" and value.startswith("/"):
        pod.pod = value
    elif key == "name" and value and pod.kind == "kubernetes oom kill" and not pod.container:
        pod.container = value
    else:
        return False
    return True


def _is_limit(above: list[str], place: int) -> bool:
    """Whether the memory on a line is the limit and not the request; ``above`` goes upwards."""
    for text in above[place + 1 : place + 4]:
        if "imits" in text:
            return True
        if "equests" in text:
            return False
    return False


def _is_metadata(above: list[str], place: int) -> bool:
    depth = _depth(above[place])
    parent = next((text for text in above[place + 1 :] if text.strip() and _depth(text) < depth), "")
    return parent.strip().strip('"').startswith("metadata")


def _depth(text: str) -> int:
    return len(text) - len(text.lstrip())


def _time(text: str) -> datetime | None:
    return read_stamp(text, datetime.now(UTC).year).time


def _at(event: LogEvent, moment: datetime | None) -> LogEvent:
    return event if moment is None else replace(event, time=moment)


def _killed(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any], int]]:
    """Pod, container, its end and its restarts, of every OOMKilled status of a pod or a list."""
    for item in document.get("items") or [document]:
        if not isinstance(item, dict):
            continue
        meta, status = item.get("metadata"), item.get("status")
        if not isinstance(status, dict):
            continue
        name = str(meta.get("name", "")) if isinstance(meta, dict) else ""
        for key in ("containerStatuses", "initContainerStatuses"):
            for container in status.get(key) or []:
                for state in ("state", "lastState"):
                    ended = (container.get(state) or {}).get("terminated") or {}
                    if ended.get("reason") == "OOMKilled":
                        yield (
                            name,
                            str(container.get("name", "")),
                            ended,
                            int(container.get("restartCount", 0)),
                        )

"""What ``heapscope collect`` wrote down beside a snapshot: ``<snapshot>.json``."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ENDING = ".json"


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A process as it was when its snapshot was taken; what the file does not say is 0 or empty."""

    path: Path
    pid: int = 0
    start_ticks: int = 0
    host: str = ""
    role: str = ""
    task_index: int | None = None
    rss_bytes: int = 0
    environment: dict[str, str] = field(default_factory=dict)


def read_sidecar(snapshot: Path) -> Sidecar | None:
    """The sidecar of a snapshot; None where there is none, or it is none of ours."""
    path = snapshot.with_name(snapshot.name + ENDING)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    process = document.get("process") if isinstance(document, dict) else None
    if not isinstance(process, dict):
        return None
    environment = process.get("environment")
    texts = environment.items() if isinstance(environment, dict) else ()
    index = process.get("task_index")
    return Sidecar(
        path,
        _number(process.get("pid")),
        _number(process.get("start_ticks")),
        _text(document.get("host")),
        _text(process.get("role")),
        index if isinstance(index, int) else None,
        _number(process.get("rss_bytes")),
        {name: value for name, value in texts if isinstance(value, str)},
    )


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""

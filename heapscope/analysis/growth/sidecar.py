"""What ``heapscope collect`` wrote beside a snapshot, read as text that anybody may have changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_MAX_BYTES = 1 << 20  # ours have some kilobytes; a larger file is no sidecar


def read_sidecar(path: Path) -> dict[str, Any]:
    """The JSON beside a snapshot, ``<snapshot>.json``; empty where there is none that can be read."""
    try:
        with path.with_name(path.name + ".json").open("rb") as file:
            facts = json.loads(file.read(_MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return facts if isinstance(facts, dict) else {}


def number_in(facts: dict[str, Any], *path: str) -> int | None:
    """A number in a sidecar.

    Parameters
    ----------
    facts : dict
        From `read_sidecar`.
    *path : str
        Keys from the outermost object to the number.

    Returns
    -------
    int or None
        None where a key is missing, or what is there is no number below 2**63.
    """
    found: Any = facts
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    is_number = isinstance(found, (int, float)) and not isinstance(found, bool)
    return int(found) if is_number and abs(found) < 2**63 else None


def variables_in(facts: dict[str, Any]) -> dict[str, str]:
    """The environment of the process in a sidecar; empty where it has none."""
    process = facts.get("process")
    variables = process.get("environment") if isinstance(process, dict) else None
    items = variables.items() if isinstance(variables, dict) else ()
    return {name: value for name, value in items if isinstance(value, str)}


def options_in(facts: dict[str, Any]) -> list[str]:
    """Options of the JVM in a sidecar, those of its command line first; empty where it has none."""
    process, options = facts.get("process"), facts.get("jvm_options")
    lists = list(options.values()) if isinstance(options, dict) else []
    lists.append(process.get("command") if isinstance(process, dict) else None)
    return [each for one in lists if isinstance(one, list) for each in one if isinstance(each, str)]

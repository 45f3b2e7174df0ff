"""How much memory a process may still take: its container's limit (cgroup v1, v2) and the machine's.

Sources: Linux ``Documentation/admin-guide/cgroup-v2.rst`` (memory.max, memory.stat) and
``cgroup-v1/memory.rst``; ``Documentation/filesystems/proc.rst`` (MemAvailable).
"""

from __future__ import annotations

import os
import re
from pathlib import Path

# cgroup v1 writes the largest page-aligned long where there is no limit.
_UNLIMITED = 1 << 60


def memory_limits(pid: int, root: Path = Path("/")) -> dict[str, int]:
    """Limits as they are now, for a sidecar.

    Returns
    -------
    dict
        ``container_bytes`` and ``container_used_bytes`` where a cgroup limits the process (of nested
        ones that with least left; used is what cannot be given back: anonymous memory, and shared memory,
        where files of a tmpfs and the heaps of some collectors of garbage are),
        ``machine_bytes`` and ``machine_used_bytes``. What cannot be read is left out.
    """
    found = _machine(root)
    groups = [group for group in _groups(pid, root) if group is not None]
    if groups:
        limit, used = min(groups, key=lambda group: group[0] - group[1])
        found |= {"container_bytes": limit, "container_used_bytes": used}
    return found


def free_memory(root: Path = Path("/")) -> int | None:
    """Bytes that this process may still take: what its container or the machine has left, whichever is less.

    None where nobody tells.
    """
    found = memory_limits(os.getpid(), root)
    left = [
        found[f"{whose}_bytes"] - found[f"{whose}_used_bytes"]
        for whose in ("container", "machine")
        if f"{whose}_bytes" in found
    ]
    return max(min(left), 0) if left else None


def _machine(root: Path) -> dict[str, int]:
    lines = re.findall(r"^(\w+):\s+(\d+) kB$", _read(root / "proc/meminfo"), re.MULTILINE)
    kilobytes = {name: int(value) for name, value in lines}
    if not {"MemTotal", "MemAvailable"} <= kilobytes.keys():
        return {}
    whole, free = kilobytes["MemTotal"] << 10, kilobytes["MemAvailable"] << 10
    return {"machine_bytes": whole, "machine_used_bytes": whole - free}


def _groups(pid: int, root: Path) -> list[tuple[int, int] | None]:
    """Limit and use of each cgroup that the process is in, from its own one up."""
    found = []
    for line in _read(root / f"proc/{pid}/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        is_v2 = controllers == ""
        if not is_v2 and "memory" not in controllers.split(","):
            continue
        mount = root / ("sys/fs/cgroup" if is_v2 else "sys/fs/cgroup/memory")
        # A container sees its own group as the mount's root, whatever its path outside.
        parts = [part for part in path.split("/") if part not in ("", "..")]
        for depth in range(len(parts), -1, -1):
            found.append(_group(mount.joinpath(*parts[:depth]), is_v2))
    return found


def _group(folder: Path, is_v2: bool) -> tuple[int, int] | None:
    limit = _read(folder / ("memory.max" if is_v2 else "memory.limit_in_bytes")).strip()
    found = dict(re.findall(r"^(\w+) (\d+)$", _read(folder / "memory.stat"), re.MULTILINE))
    own, shared = ("anon", "shmem") if is_v2 else ("total_rss", "total_shmem")
    if not limit.isdigit() or int(limit) >= _UNLIMITED or own not in found:
        return None
    return int(limit), int(found[own]) + int(found.get(shared, 0))


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace")
    except OSError:
        return ""

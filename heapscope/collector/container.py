"""Which container a process is in, by its control group; nothing of a container's runtime is asked.

Docker writes ``docker-ID.scope`` or ``docker/ID``, containerd and CRI-O ``cri-containerd-ID.scope`` and
``crio-ID.scope`` below ``kubepods``: an ID is 64 hexadecimal digits.
"""

from __future__ import annotations

import re
from pathlib import Path

_ID = re.compile(r"(?<![0-9a-f])([0-9a-f]{64})(?![0-9a-f])")
_SHOWN_DIGITS = 12  # as docker ps and crictl ps show them


def container_of(pid: int, root: Path = Path("/")) -> str:
    """The first 12 digits of the id of a process's container; empty outside of one, or where it is not known.

    Parameters
    ----------
    pid : int
    root : Path
        Where ``proc`` is.
    """
    try:
        text = (root / f"proc/{pid}/cgroup").read_text("ascii", "replace")
    except OSError:
        return ""
    found = _ID.findall(text)
    # The innermost group is the last on its line.
    return found[-1][:_SHOWN_DIGITS] if found else ""

"""Which container and pod a process is in, by its control group; no runtime is asked.

Docker writes ``docker-ID.scope`` or ``docker/ID``, containerd and CRI-O ``cri-containerd-ID.scope`` and
``crio-ID.scope`` below ``kubepods``: an ID is 64 hexadecimal digits.  Kubernetes gives a pod's containers its
name as their host name, and in the variable ``HOSTNAME``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_ID = re.compile(r"(?<![0-9a-f])([0-9a-f]{64})(?![0-9a-f])")
_SHOWN_DIGITS = 12  # as docker ps and crictl ps show them
# RFC 1123, which names of pods follow.
_POD = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


def container_of(cgroup: str) -> str:
    """The first 12 digits of the id of a process's container; empty outside of one.

    Parameters
    ----------
    cgroup : str
        Text of ``/proc/PID/cgroup``.
    """
    found = _ID.findall(cgroup)
    # The innermost group is the last on its line.
    return found[-1][:_SHOWN_DIGITS] if found else ""


def pod_of(cgroup: str, variables: Mapping[str, str]) -> str:
    """The name of a process's pod; empty outside of Kubernetes, or where it is not known.

    Parameters
    ----------
    cgroup : str
        Text of ``/proc/PID/cgroup``.
    variables : mapping of str to str
        Its environment.
    """
    name = variables.get("HOSTNAME", "")
    is_pod = "kubepods" in cgroup or "KUBERNETES_SERVICE_HOST" in variables
    return name if is_pod and _POD.fullmatch(name) else ""

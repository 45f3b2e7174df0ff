"""``heapscope collect --then``: a command after each snapshot."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from heapscope.cli.common.blas_threads import environment_for_others
from heapscope.errors import CommandFailed

if TYPE_CHECKING:
    from heapscope.collector.dump import Collected


def run_then(command: str, taken: Collected, url: str | None) -> None:
    """Run a shell command for a snapshot, and wait for it.

    Parameters
    ----------
    command : str
        For ``sh -c``; ``HEAPSCOPE_SNAPSHOT``, ``HEAPSCOPE_SIDECAR``, ``HEAPSCOPE_VERDICT`` (of a verdict),
        ``HEAPSCOPE_KIND`` and ``HEAPSCOPE_PID`` are in its environment.
    taken : Collected
    url : str or None
        Where it was sent to; the files are not here any more then.

    Raises
    ------
    CommandFailed
        It fails; the snapshot stays.
    """
    environment = {
        **environment_for_others(),
        "HEAPSCOPE_SNAPSHOT": url or str(taken.path.absolute()),
        "HEAPSCOPE_SIDECAR": f"{url}.json" if url else str(taken.sidecar.absolute()),
        "HEAPSCOPE_KIND": str(taken.facts["kind"]),
        "HEAPSCOPE_PID": str(taken.facts["process"]["pid"]),
    }
    if taken.verdict is not None:
        beside = f"{url.removesuffix(taken.path.name)}{taken.verdict.name}" if url else ""
        environment["HEAPSCOPE_VERDICT"] = beside or str(taken.verdict.absolute())
    done = subprocess.run(["/bin/sh", "-c", command], env=environment, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        how = f"with {done.returncode}" if done.returncode > 0 else f"by signal {-done.returncode}"
        raise CommandFailed(f"{taken.path}: --then ended {how}; the snapshot is whole and stays")

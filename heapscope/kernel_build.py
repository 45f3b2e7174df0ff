"""Compile kernels ahead of need, as a program.

``python -m heapscope.kernel_build`` compiles all of them into the user's cache folder; with ``--shared`` into
a folder of the installation, for containers and machines where users cannot keep a cache.  ``--portable``
compiles into that folder for every usual processor of this architecture; ``make dist`` does that before it
builds a wheel.  ``--for PID`` is how `heapscope.machine_code` asks for help: what is missing, while that
process lives.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from heapscope.isolated_python import isolated_python
from heapscope.kernel_target import portable_target
from heapscope.machine_code import all_kernels, shared_folder, usual_kernels

# In so many processes a wheel's kernels are compiled.  Their order decides names of symbols in the machine
# code, so the number is the same on every machine: the same tree gives the same bytes.
PARTS = 2

_log = logging.getLogger("heapscope")


def main(arguments: Sequence[str]) -> int:
    """Compile what the arguments say; 0, 2 for wrong arguments, 3 where nothing can be kept."""
    if arguments[:1] == ["--for"]:
        parent = int(arguments[1])
        for each in usual_kernels():
            if os.getppid() != parent:
                break
            each.keep()
        return 0
    if arguments[:1] == ["--part"]:
        _compile_part(int(arguments[1]), Path(arguments[2]))
        return 0
    if arguments not in ([], ["--shared"], ["--portable"]):
        _log.error("usage: python -m heapscope.kernel_build [--shared|--portable]")
        return 2
    if arguments == ["--portable"]:
        return _compile_portable(shared_folder())
    folder = shared_folder() if arguments else None
    try:
        for each in all_kernels():
            each.keep(folder)
    except OSError as error:
        _log.error("machine code cannot be kept: %s", error)
        return 3
    return 0


def _compile_portable(folder: Path) -> int:
    """Replace what a folder has for usual processors; 3 where that fails."""
    target = portable_target()
    if target is None:
        _log.warning("no portable machine code for this system: users of the wheel compile")
        return 0
    for old in folder.glob(f"*.{target.name}.o"):
        old.unlink()
    environment = {
        **os.environ,
        # Whoever builds a wheel may have these set; whoever installs it has not.
        "NUMBA_BOUNDSCHECK": "0",
        "NUMBA_DISABLE_JIT": "0",
        "NUMBA_CPU_NAME": target.processor,
        "NUMBA_CPU_FEATURES": ",".join(f"+{each}" for each in target.features),
    }
    parts = [
        subprocess.Popen(
            isolated_python("heapscope.kernel_build", "--part", str(part), str(folder)), env=environment
        )
        for part in range(PARTS)
    ]
    statuses = [part.wait() for part in parts]
    return 3 if any(statuses) else 0


def _compile_part(part: int, folder: Path) -> None:
    """Compile every second kernel, in the order in which they are declared."""
    for each in all_kernels()[part::PARTS]:
        each.keep_portable(folder)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

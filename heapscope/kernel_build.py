"""Compile kernels ahead of need, as a program.

``python -m heapscope.kernel_build`` compiles all of them into the user's cache folder; with ``--shared`` into
a folder of the installation, for containers and machines where users cannot keep a cache.  ``--for PID`` is
how `heapscope.machine_code` asks for help: what is missing, while that process lives.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence

from heapscope.machine_code import all_kernels, shared_folder, usual_kernels

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
    if arguments not in ([], ["--shared"]):
        _log.error("usage: python -m heapscope.kernel_build [--shared]")
        return 2
    folder = shared_folder() if arguments else None
    try:
        for each in all_kernels():
            each.keep(folder)
    except OSError as error:
        _log.error("machine code cannot be kept: %s", error)
        return 3
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

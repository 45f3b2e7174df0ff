"""The threads of numpy's BLAS: heapscope multiplies no large matrices, and they wait, busily at first."""

from __future__ import annotations

import os

_VARIABLE = "OPENBLAS_NUM_THREADS"


def start_none() -> None:
    """Let numpy start none when it is imported later; what the user asked for stays."""
    if _VARIABLE not in os.environ:
        os.environ[_VARIABLE] = "1"
        _set_here.append(_VARIABLE)


def environment_for_others() -> dict[str, str]:
    """The environment for the command of ``collect --then``, without what was set here."""
    return {name: value for name, value in os.environ.items() if name not in _set_here}


_set_here: list[str] = []

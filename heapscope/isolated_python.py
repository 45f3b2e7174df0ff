"""Python processes of our own that load nothing from the current directory.

``python -m`` puts the current directory in front of ``sys.path``, and so does an empty entry of
``PYTHONPATH``: root who stands in ``/tmp`` would run a stranger's ``array.py``.  ``-I`` keeps both out.  So
this very package is loaded by its path, whatever other version is installed; folders that this process knows
beside (``PYTHONPATH``, ``--user``) come last, and only those that nobody but root and this user can write to.
"""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_RUN_MODULE = """
import importlib.util, runpy, sys
package, others, module = sys.argv[1:4]
del sys.argv[1:4]
spec = importlib.util.spec_from_file_location(
    "heapscope", package + "/__init__.py", submodule_search_locations=[package]
)
sys.modules["heapscope"] = importlib.util.module_from_spec(spec)
sys.path += [path for path in others.split(":") if path and path not in sys.path]
spec.loader.exec_module(sys.modules["heapscope"])
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""


def isolated_python(module: str, *words: str) -> list[str]:
    """The command that runs a module as ``python -m`` does, whatever the current directory holds.

    Parameters
    ----------
    module : str
        ``heapscope.collector.watchdog``, say.
    *words : str
        Its arguments.
    """
    others = [path for path in (*sys.path, str(_PACKAGE.parent)) if _is_ours(path)]
    return [sys.executable, "-I", "-c", _RUN_MODULE, str(_PACKAGE), ":".join(others), module, *words]


def isolated_code(code: str, *words: str) -> list[str]:
    """The command that runs a few lines with the standard library alone, not even this package.

    Parameters
    ----------
    code : str
    *words : str
        ``sys.argv[1:]`` of it.
    """
    return [sys.executable, "-I", "-S", "-c", code, *words]


def _is_ours(path: str) -> bool:
    if not os.path.isabs(path) or ":" in path:
        return False
    try:
        facts = os.stat(path)
    except OSError:
        return False
    return facts.st_uid in (0, os.geteuid()) and not facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH)

"""Where heapscope keeps what it can compute again: the user's cache folder."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    """The user's cache folder for heapscope; ``HEAPSCOPE_CACHE_DIR`` overrides it.

    The folder need not exist.
    """
    override = os.environ.get("HEAPSCOPE_CACHE_DIR")
    if override:
        return Path(override)
    from platformdirs import user_cache_path

    return user_cache_path("heapscope", appauthor=False)


def kernel_cache_dir() -> str:
    """Folder of the compiled kernels, as numba wants it."""
    return os.environ.get("NUMBA_CACHE_DIR") or str(cache_dir() / "kernels")


def index_dir() -> Path:
    """Folder of the indexes of dumps; ``HEAPSCOPE_INDEX_DIR`` overrides it."""
    override = os.environ.get("HEAPSCOPE_INDEX_DIR")
    return Path(override) if override else cache_dir() / "indexes"

"""`open`: from a path to a `Heap`."""

from __future__ import annotations

import os
from typing import Literal

from heapscope.heap.graph.options import Options
from heapscope.heap.heap import Heap
from heapscope.progress import Progress, default_progress


def open(
    path: str | os.PathLike[str],
    progress: Progress = default_progress,
    *,
    semantics: Literal["jvm", "mat"] = "jvm",
    roots: Literal["mat", "plain"] = "mat",
    soft: Literal["strong", "weak"] = "strong",
    index_dir: str | os.PathLike[str] | None = None,
    use_index: bool = True,
    partial: bool = False,
    heap: int | None = None,
    follows: bool = False,
) -> Heap:
    """Open a heap dump: ``with heapscope.open("worker-3.hprof.gz") as heap: ...``.

    Parameters
    ----------
    path : str or path-like
        A dump, plain, gzip, zstd, xz or bzip2, or alone in a zip or tar.
    progress : Progress
        Told how far long work is.
    semantics, roots, soft : str
        What is followed and what is a root: `heapscope.heap.graph.options.Options`.
    index_dir : str or path-like, optional
        Where indexes are kept; the user's cache folder by default.
    use_index : bool
        Whether what was computed is kept, and found again by the next who opens this dump.
    partial : bool
        Whether of a broken dump what can be read is opened; `Heap.coverage` says how much that is.
    heap : int, optional
        Which heap of a file that holds several, counted from 1: the last by default.  So does a path that
        ends in ``#2``.
    follows : bool
        Whether references or values will be asked for, and not class counts alone: a compressed dump is then
        inflated once, into a temporary file.

    Raises
    ------
    NotHprof, UnsupportedFormat, CorruptRecord, TruncatedDump, HprofError
        See `heapscope.errors`.
    """
    options = Options(semantics, roots, soft)
    return Heap(
        path, progress, options, index_dir=index_dir, use_index=use_index, partial=partial, heap=heap,
        follows=follows,
    )  # fmt: skip

"""A redacted copy of a dump file, compressed as its name says."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO

from heapscope.errors import HeapscopeError, NeedsClasses
from heapscope.files import new_file
from heapscope.parser.inflating import worker_count
from heapscope.parser.redaction.redact import Redactor
from heapscope.parser.source import Source
from heapscope.parser.top_level import ranges_of_heap
from heapscope.progress import Progress, no_progress

_GZIP_LEVEL = 1  # of igzip's 0 to 3: zeros are most of it
_ZSTD_LEVEL = 1
_BLOCK_BYTES = 2 << 20


def redact_file(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    keep_strings: Sequence[str] = (),
    hide_names: bool = False,
    key: bytes | None = None,
    force: bool = False,
    partial: bool = False,
    progress: Progress = no_progress,
) -> None:
    """Write a copy of a dump without its secrets: see `heapscope.parser.redaction.redact`.

    Parameters
    ----------
    source : path-like
        A dump, plain, gzip or zstd.  Of several heaps in it all are copied; of ``worker.hprof#2`` the second.
    target : path-like
        The copy; ``.gz`` and ``.zst`` compress it.  It appears when it is whole, for its owner alone.
    keep_strings, hide_names : see `Redactor`
    key : bytes, optional
        See `Redactor`; a random one by default, so that no other dump can be compared.
    force : bool
        Whether an existing file is replaced.
    partial : bool
        Whether a dump that was cut short is copied up to its last whole record; the copy is cut short, too.

    Raises
    ------
    HprofError
        See `heapscope.errors`.
    OutputExists, OutputFailed
    """
    target = Path(target)
    with Source(source, partial=partial) as opened:
        if target.exists() and os.path.samefile(target, opened.path):
            raise HeapscopeError(f"{target}: is the dump itself; name another file for the copy")

        def make() -> Redactor:
            return Redactor(
                keep_strings=keep_strings,
                hide_names=hide_names,
                key=(key or secrets.token_bytes(32)) if hide_names else b"",
                path=str(opened.path),
                allow_cut=partial,
            )

        with new_file(target, force=force) as file:
            redactor = make()
            try:
                _copy(opened, redactor, file, target.suffix, progress)
                is_done = not redactor.has_late_names
            except NeedsClasses:
                is_done = False
            if not is_done:
                # Objects before their classes: the same once more, with the classes known.
                file.seek(0)
                file.truncate()
                redactor = make()
                with closing(_blocks(opened, progress, "reading classes")) as blocks:
                    redactor.learn(blocks)
                _copy(opened, redactor, file, target.suffix, progress)


def _copy(source: Source, redactor: Redactor, file: BinaryIO, suffix: str, progress: Progress) -> None:
    with (
        closing(_blocks(source, progress, "redacting")) as blocks,
        _packed(file, suffix.lower()) as write,
    ):
        for block in blocks:
            write(redactor.feed(block))
        write(redactor.finish())


def _blocks(source: Source, progress: Progress, phase: str) -> Generator[memoryview]:
    """The dump in pieces; of a broken file what is in front of its first hole."""
    if not source.is_partial and source.heap is None:
        yield from source.blocks(progress, phase=phase)
        return
    data = source.mapping(progress)[: source.pieces[0].stop]
    ranges = [(0, int(data.size))]
    if source.heap is not None:
        ranges = ranges_of_heap(data, str(source.path), source.heap)
    for begin, end in ranges:
        for start in range(begin, end, _BLOCK_BYTES):
            progress(phase, start, data.size)
            yield data[start : min(end, start + _BLOCK_BYTES)].data


@contextmanager
def _packed(file: BinaryIO, suffix: str) -> Iterator[Callable[[bytes], object]]:
    """A function that writes to the file, compressed as a name's ending says."""
    if suffix == ".gz":
        from isal import isal_zlib

        packer = isal_zlib.compressobj(_GZIP_LEVEL, wbits=31)
        yield lambda data: file.write(packer.compress(data))
        file.write(packer.flush())
    elif suffix == ".zst":
        import zstandard

        zstd = zstandard.ZstdCompressor(level=_ZSTD_LEVEL, write_checksum=True, threads=worker_count())
        with zstd.stream_writer(file, closefd=False) as stream:
            yield stream.write
    else:
        yield file.write

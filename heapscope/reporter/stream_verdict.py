"""What a dump says, told while it streams: its class histogram, and its diagnosis where memory allows.

Run by the process that takes a dump out of memory (`heapscope.collector.answerer`), which imports it by name.
The dump is held in anonymous memory (``memfd_create``) as long as it fits; one that does not is counted as it
comes, and what was held is given back.  Nothing of it is written to a file system.
"""

from __future__ import annotations

import errno
import os
import resource
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any

from heapscope.analysis.diagnosis import diagnose
from heapscope.analysis.growth.snapshot import snapshot_of
from heapscope.analysis.snapshots import Snapshots
from heapscope.errors import HeapscopeError, HprofError
from heapscope.heap.heap import Heap
from heapscope.heap.histogram import scan_histogram
from heapscope.parser.count_stream import NeedsWholeFile
from heapscope.parser.layout.layout import instance_bytes, stack_chunk_classes
from heapscope.parser.scan import HeapScan
from heapscope.parser.scan_stream import scan_stream
from heapscope.parser.tags import TINY_DUMP
from heapscope.reporter.diagnosis import describe_diagnosis
from heapscope.reporter.histogram_text import histogram_text
from heapscope.reporter.text import printable
from heapscope.table import Table
from heapscope.units import format_bytes

SCHEMA_VERSION = 1
# Of the memory that is allowed what the dump itself may take.  Its analysis takes about as much again (of a
# dump of 2.0 GB with 33 million objects: 2.0 GB); the rest is a reserve.
_SHARE_OF_DUMP = 0.4
_BLOCK_BYTES = 2 << 20
_MOST_SAID = 200  # characters of an error's own words
# No folder can be made below it, not even by root: an index or a temporary file stays in memory.
_NOWHERE = "/dev/null/heapscope"
_MADE_OF = "the stream"


class StreamVerdict:
    """Takes in a dump that comes in blocks, and answers.

    Parameters
    ----------
    options : mapping
        ``name`` of the snapshot; ``memory_bytes`` for the dump and its analysis; ``folder`` of the answer.
    facts : mapping
        What the sidecar will say of the process.
    """

    def __init__(self, options: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        self._name, self._folder = str(options["name"]), Path(options["folder"])
        self._memory_bytes = int(options["memory_bytes"])
        self._facts = dict(facts)
        self._held = -1
        self._dump_bytes = 0
        self._left_out = ""
        self._notes: list[str] = []
        # The JVM stands still while it is read: what is compiled is compiled before.
        scan_stream(_MADE_OF, iter([memoryview(TINY_DUMP)]))

    def histogram(self, blocks: Iterator[bytes]) -> str:
        """Take in all of the dump; its class histogram as text.

        Raises
        ------
        HeapscopeError
            The bytes are no heap dump, or one that cannot be counted as it comes.
        """
        limit = int(_SHARE_OF_DUMP * self._memory_bytes)
        self._held = os.memfd_create("heapscope-dump", os.MFD_CLOEXEC)
        for block in blocks:
            if self._dump_bytes + len(block) > limit:
                self._left_out = (
                    f"the dump is larger than the {format_bytes(limit)} that --memory "
                    f"{format_bytes(self._memory_bytes)} leaves for it; pass more, or collect --kind dump"
                )
                return self._counted(chain([block], blocks))
            self._dump_bytes += len(block)
            _write(self._held, block)
        with self._heap() as heap:
            return self._text(heap.histogram())

    def _counted(self, rest: Iterator[bytes]) -> str:
        try:
            scan, is_exact = scan_stream(_MADE_OF, chain(self._taken_back(), map(self._seen, rest)))
        except NeedsWholeFile:
            raise HprofError(_MADE_OF, None, "no HotSpot writes such a dump; collect --kind dump") from None
        return self._text(self._table(scan, is_exact=is_exact))

    def _taken_back(self) -> Iterator[memoryview]:
        """What was held, which is free afterwards."""
        at = 0
        while block := os.pread(self._held, _BLOCK_BYTES, at):
            at += len(block)
            yield memoryview(block)
        os.close(self._held)
        self._held = -1

    def _seen(self, block: bytes) -> memoryview:
        self._dump_bytes += len(block)
        return memoryview(block)

    def _table(self, scan: HeapScan, *, is_exact: bool) -> Table:
        sizes = instance_bytes(scan.layout, scan.classes)
        if not is_exact:
            self._notes.append("bytes of arrays are an estimate: the dump's layout was known only at its end")
        if any(scan.instance_counts.get(each) for each in stack_chunk_classes(scan.classes)):
            self._notes.append("jdk.internal.vm.StackChunk is counted without the stacks that it holds")
        return scan_histogram(
            scan, sizes, lambda class_id: sizes.get(class_id, 0) * scan.instance_counts[class_id]
        )

    def _text(self, histogram: Table) -> str:
        self._object_count = sum(histogram.column("instance_count"))
        self._shallow_bytes = sum(histogram.column("shallow_bytes"))
        return histogram_text(histogram)

    def _heap(self) -> Heap:
        return Heap(f"/proc/self/fd/{self._held}", use_index=False)

    def answer(self, progress: Callable[[str, int, int], None]) -> dict[str, Any]:
        """The diagnosis, computed within the memory that is allowed, and what it is of."""
        if self._left_out:
            return self._told(None, self._left_out)
        most = resource.getrlimit(resource.RLIMIT_DATA)
        limit_memory(self._memory_bytes - self._dump_bytes)
        try:
            with self._heap() as heap:
                return self._told(self._diagnosed(heap, progress), "")
        except HeapscopeError as error:
            why = f"it has no diagnosis: {printable(str(error))}"
        except Exception as error:  # out of memory mostly, in the words of whoever noticed
            why = _failed(error, format_bytes(self._memory_bytes))
        resource.setrlimit(resource.RLIMIT_DATA, most)
        return self._told(None, why)

    def unanswered(self, why: str) -> dict[str, Any]:
        """The answer where `answer` was ended."""
        return self._told(None, why)

    def _told(self, diagnosis: dict[str, Any] | None, left_out: str) -> dict[str, Any]:
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": "verdict",
            "name": self._name,
            "captured_at": self._facts.get("captured_at"),
            "histogram": f"{self._name}.histogram.txt",
            "object_count": self._object_count,
            "shallow_bytes": self._shallow_bytes,
            "dump_bytes": self._dump_bytes,
            "notes": self._notes,
            "diagnosis": diagnosis,
            "left_out": left_out,
        }

    def _diagnosed(self, heap: Heap, progress: Callable[[str, int, int], None]) -> dict[str, Any]:
        snapshot = replace(
            snapshot_of(heap),
            name=self._name,
            captured_at=datetime.fromisoformat(str(self._facts["captured_at"])),
            captured_at_source="sidecar",
            given_sidecar=self._facts,
        )
        found = diagnose(Snapshots([snapshot]), opened=heap, progress=progress)
        return asdict(describe_diagnosis(replace(found, folder=self._folder)))


def _failed(error: Exception, allowed: str) -> str:
    name = type(error).__name__
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        return f"the diagnosis did not fit into --memory {allowed} ({name}); pass more"
    said = " ".join(printable(str(error)).split())[:_MOST_SAID]
    return (
        f"the diagnosis failed ({name}: {said}), perhaps for want of memory: pass more than "
        f"--memory {allowed}, or collect --kind dump"
    )


def limit_memory(byte_count: int) -> None:
    """See that this process takes no more than so much beside what it has: it gets a MemoryError then."""
    pages = int(Path("/proc/self/statm").read_text().split()[5])  # data and stack
    limit = pages * resource.getpagesize() + max(0, byte_count)
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, most))


def stream_verdict(options: Mapping[str, Any], facts: Mapping[str, Any]) -> StreamVerdict:
    """A `StreamVerdict`, for a process of its own, which keeps everything in memory; parameters as there."""
    os.environ["HEAPSCOPE_INDEX_DIR"] = tempfile.tempdir = _NOWHERE
    return StreamVerdict(options, facts)


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]

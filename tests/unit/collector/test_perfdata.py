"""hsperfdata: entries built by hand from the C structures, and bytes that lie."""

from __future__ import annotations

import struct
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heapscope.collector.perfdata import CounterFile, heap_use, parse
from heapscope.errors import CollectError


def build(counters: dict[str, int | str], order: str = "<") -> bytes:
    body = b""
    for name, value in counters.items():
        text = name.encode() + b"\0"
        data_at = -(-(20 + len(text)) // 8) * 8
        data = struct.pack(f"{order}q", value) if isinstance(value, int) else value.encode() + b"\0"
        size = 0 if isinstance(value, int) else len(data)
        kind = b"J" if isinstance(value, int) else b"B"
        length = -(-(data_at + len(data)) // 8) * 8
        head = struct.pack(f"{order}iii4Bi", length, 20, size, kind[0], 0, 1, 1, data_at)
        body += (head + text).ljust(data_at, b"\0") + data.ljust(length - data_at, b"\0")
    order_byte = 1 if order == "<" else 0
    return (
        b"\xca\xfe\xc0\xc0"
        + struct.pack(f"{order}4Biiqii", order_byte, 2, 0, 1, 32 + len(body), 0, 0, 32, len(counters))
        + body
    )


names = st.from_regex(r"[a-z.]{1,30}", fullmatch=True)
longs = st.integers(-(2**63), 2**63 - 1)


@given(
    st.dictionaries(
        names,
        longs | st.from_regex(r"[a-z ]{0,40}", fullmatch=True),
    ),
    st.sampled_from("<>"),
)
def test_what_was_written_is_read(counters: dict[str, int | str], order: str) -> None:
    assert parse(build(counters, order)) == counters


@given(st.binary(max_size=200), st.integers(0, 200))
def test_any_bytes_are_read_or_refused(noise: bytes, at: int) -> None:
    data = bytearray(build({"a.b": 1, "c": "text"}))
    data[at : at + len(noise)] = noise
    with suppress(CollectError):
        parse(bytes(data))


def test_an_entry_of_no_length_does_not_hang() -> None:
    data = bytearray(build({"a": 1}))
    data[32:36] = bytes(4)
    with pytest.raises(CollectError, match="byte 32 contradicts itself"):
        parse(bytes(data))


@given(st.dictionaries(names, longs), st.dictionaries(names, longs), st.sampled_from("<>"))
def test_an_open_file_reads_what_is_in_it_now(
    counters: dict[str, int | str], more: dict[str, int | str], order: str
) -> None:
    changed = {name: ~int(value) for name, value in counters.items()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "4711"
        path.write_bytes(b"")
        file = CounterFile(path)
        assert file.read() is None
        # A JVM only ever adds counters, and changes the values of those it has.
        for version in (counters, changed, {**changed, **more}):
            path.write_bytes(build(dict(version), order))
            assert file.read() == version
        file.close()


@pytest.mark.parametrize("number", [-(2**63), -1, 0, 2**62])
def test_numbers_that_no_jvm_writes_neither_fail_nor_hang(number: int) -> None:
    counters: dict[str, int | str] = {"sun.gc.policy.generations": number}
    counters |= {f"sun.gc.generation.{generation}.spaces": number for generation in range(2)}
    assert heap_use(counters).used_bytes == 0


def test_heap_figures_add_up_over_spaces() -> None:
    counters: dict[str, int | str] = {"sun.gc.policy.generations": 2, "sun.gc.metaspace.used": 5}
    for generation, spaces in ((0, 3), (1, 1)):
        counters[f"sun.gc.generation.{generation}.spaces"] = spaces
        counters[f"sun.gc.generation.{generation}.maxCapacity"] = 100
        for space in range(spaces):
            counters[f"sun.gc.generation.{generation}.space.{space}.used"] = 10
            counters[f"sun.gc.generation.{generation}.space.{space}.capacity"] = 20
    heap = heap_use(counters)
    assert (heap.used_bytes, heap.committed_bytes) == (40, 80)
    # G1, ZGC and Shenandoah give each generation the whole heap, Serial and Parallel its share.
    assert heap.max_bytes == 100
    assert heap_use(counters | {"sun.gc.policy.name": "GarbageFirst"}).max_bytes == 100
    assert heap_use(counters | {"sun.gc.policy.name": "ParScav:MSC"}).max_bytes == 200
    assert (heap.old_used_bytes, heap.metaspace_used_bytes) == (10, 5)

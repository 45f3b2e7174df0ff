"""Collectors in trouble, from logs of all kinds of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from heapscope.analysis.logs.reading import read_log


@pytest.mark.parametrize(
    ("line", "kinds", "before", "after"),
    [
        # JDK 17 and 25, as they wrote it for -Xmx20m.
        ("[0.2s][info][gc] GC(11) Pause Full (G1 Compaction Pause) 19M->18M(21M) 5.1ms",
         ["full collection frees nothing"], 19 << 20, 18 << 20),
        ("[0.2s][info][gc] GC(11) Pause Full (Ergonomics) 19M->4M(20M) 5.1ms", ["full collection"],
         19 << 20, 4 << 20),
        ("[0.2s][info][gc,start] GC(11) Pause Full (G1 Compaction Pause)", [], 0, 0),
        ("[2026-11-02T03:00:02.500+0000][0.2s][info][gc] GC(7) To-space exhausted", ["gc in distress"], 0, 0),
        ("[0.2s][info][gc] GC(7) Pause Young (Normal) (G1 Evacuation Pause) (Evacuation Failure: Allocation) "
         "19M->18M(20M) 3.1ms", ["gc in distress"], 0, 0),
        ("[0.9s][info][gc] Allocation Stall (main) 12.345ms", ["gc in distress"], 0, 0),
        ("[0.9s][info][gc] GC(5) Garbage Collection (Allocation Stall) 64M(100%)->62M(97%)",
         ["full collection frees nothing", "gc in distress"], 64 << 20, 62 << 20),
        ("[0.9s][info][gc] GC(5) y: Major Collection (Proactive) 30M(47%)->20M(31%) 0.1s", [], 0, 0),
        # JDK 8 and before.
        ("102.000: [Full GC (Ergonomics) [PSYoungGen: 1024K->1000K(1024K)] [ParOldGen: 4090K->4088K(4096K)] "
         "5114K->5088K(5120K), [Metaspace: 3000K->3000K(1056768K)], 1.2 secs]",
         ["full collection frees nothing"], 5114 << 10, 5088 << 10),
        ("112.345: [Full GC 112.345: [Tenured: 4090K->4088K(4096K), 0.5 secs] 5114K->5088K(5144K), "
         "[Perm : 3000K->3000K(12288K)], 0.5 secs]", ["full collection frees nothing"], 5114 << 10, 5088 << 10),
        ("120.000: [Full GC (System.gc()) 5000K->100K(5144K), 0.5 secs]", ["full collection"],
         5000 << 10, 100 << 10),
        ("105.000: [GC (Allocation Failure) 105.000: [ParNew (promotion failed): 1024K->1024K(1024K), 0.1 secs]"
         "105.1: [CMS (concurrent mode failure): 4090K->4088K(4096K), 5.1 secs] 5114K->5088K(5144K), 5.2 secs]",
         ["gc in distress"], 0, 0),
        ("107.000: [GC pause (G1 Evacuation Pause) (young) (to-space exhausted), 0.0810 secs]",
         ["gc in distress"], 0, 0),
        ("[1.0s][info][gc] GC(3) Pause Young (Normal) (G1 Evacuation Pause) 24M->4M(256M) 3.1ms", [], 0, 0),
    ],
)  # fmt: skip
def test_lines(tmp_path: Path, line: str, kinds: list[str], before: int, after: int) -> None:
    path = tmp_path / "gc.log"
    path.write_text(line + "\n", "utf-8")
    found = list(read_log(path))
    assert [event.kind for event in found] == kinds
    if after:
        assert (found[0].before_bytes, found[0].number) == (before, after)


def test_a_collection_in_trouble_counts_once(tmp_path: Path) -> None:
    path = tmp_path / "gc.log"
    path.write_text(
        "[1.0s][info][gc] GC(7) To-space exhausted\n"
        "[1.1s][info][gc] GC(7) Pause Young (Normal) (G1 Evacuation Pause) (Evacuation Failure) 19M->18M(20M) 1ms\n"
        "[1.2s][info][gc] GC(8) To-space exhausted\n",
        "utf-8",
    )
    assert [event.detail for event in read_log(path)] == ["to-space exhausted"] * 2

"""What only native code holds: named as that, with what it holds, whatever class it is of."""

from __future__ import annotations

from pathlib import Path

import pytest

import heapscope
from heapscope.analysis.verdicts import LEAK
from heapscope.heap.retention.suspects import find_suspects
from tests.support.dumps import DumpBuilder

HOUR_MS = 3_600_000
PEER = "com.acme.Peer"
WHERE = "native code (JNI global references)"


def dump(path: Path, hour: int, count: int, shape: str) -> Path:
    """Peers with 2,000 bytes each that JNI references hold, beside a table of the program."""
    builder = DumpBuilder(timestamp_ms=1_700_000_000_000 + hour * HOUR_MS)
    builder.cls(PEER, fields={"data": "Object"})
    builder.cls("com.acme.Main")
    builder.static("com.acme.Main", "table", "Object", builder.primitive_array("byte", [0] * 200_000))
    builder.root("STICKY_CLASS", builder.class_id("com.acme.Main"))
    data = [builder.primitive_array("byte", [0] * 2000) for _ in range(count)]
    if shape == "byte[]":
        held = data
    else:
        held = [builder.instance(PEER, data=each) for each in data]
        if shape == "one array":
            held = [builder.object_array("java.lang.Object[]", held)]
        elif shape == "arrays":
            held = [
                builder.object_array("java.lang.Object[]", held[at : at + 5]) for at in range(0, len(held), 5)
            ]
    for each in held:
        builder.root("JNI_GLOBAL", each)
    path.write_bytes(builder.dump().data)
    return path


@pytest.mark.parametrize(
    ("shape", "class_name"),
    [("peers", PEER), ("byte[]", "byte[]"), ("one array", PEER), ("arrays", PEER)],
)
def test_what_native_code_holds_is_named(tmp_path: Path, shape: str, class_name: str) -> None:
    counts = (200, 400, 600, 800)
    paths = [dump(tmp_path / f"{hour}.hprof", hour, count, shape) for hour, count in enumerate(counts)]
    diagnosis = heapscope.diagnose(paths, force_series=True)
    assert diagnosis.status == LEAK
    found = diagnosis.findings[0]
    assert (found.class_name, found.owner, found.counts) == (class_name, WHERE, counts)
    assert found.title == f"{class_name} is held by {WHERE} alone, and there are ever more"
    assert "DeleteGlobalRef" in found.cure[0]
    with heapscope.open(paths[-1]) as heap:
        suspect = next(iter(find_suspects(heap.graph)))
    assert (suspect.owner, suspect.content_class, suspect.content_count) == (WHERE, class_name, 800)
    assert WHERE not in suspect.other_holders

"""The filter that takes secrets out of a stream, whatever pieces it comes in."""

from __future__ import annotations

import io
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

import heapscope
from heapscope.errors import NeedsClasses
from heapscope.parser.redaction.redact import Redactor, stream_filter
from heapscope.parser.tags import BasicType
from heapscope.parser.writer import HprofWriter
from tests.support.oracle import read_oracle
from tests.unit.parser.redaction.planted import planted


def test_a_stream_that_ends_early_or_is_none() -> None:
    data = planted().dump().data
    redactor = Redactor()
    redactor.feed(data[:-20])
    with pytest.raises(heapscope.TruncatedDump):
        redactor.finish()
    with pytest.raises(heapscope.NotHprof):
        Redactor().feed(b"GIF89a")
    with pytest.raises(heapscope.TruncatedDump):
        Redactor().finish()
    with pytest.raises(NeedsClasses, match="heapscope redact"):
        Redactor().feed(planted(order="instances-first").dump().data)
    with pytest.raises(ValueError, match="key"):
        Redactor(hide_names=True)


def test_byte_by_byte_is_the_same() -> None:
    data = planted(segment_bytes=500).dump().data
    whole = Redactor()
    expected = whole.feed(data) + whole.finish()
    single = Redactor()
    assert b"".join(single.feed(data[i : i + 1]) for i in range(len(data))) + single.finish() == expected


def test_a_class_that_comes_after_the_first_object_gets_its_names_later(tmp_path: Path) -> None:
    """Names are never given out before it is known that they are names."""
    out = io.BytesIO()
    w = HprofWriter(out)
    first, second = 0x1000, 0x2000
    w.load_class(1, first, "a/First", 1)
    w.load_class(2, second, "a/Second", 1)
    w.string("lateField")
    w.string("literal")
    with w.heap():
        w.class_dump(first, 0, fields=[])
        w.instance(0x3000, first, b"", 1)
    base = out.getvalue()
    assert base
    end = base.rindex(b"\x2c")
    tail = io.BytesIO()
    late = HprofWriter(tail)
    late._strings, late._next_string_id = dict(w._strings), w._next_string_id
    with late.heap():
        late.class_dump(second, first, fields=[("lateField", BasicType.INT)])
        late.instance(0x4000, second, bytes([1, 2, 3, 4]), 1)
    data = base[:end] + tail.getvalue()[31:]
    redactor = Redactor()
    redacted = redactor.feed(data) + redactor.finish()
    assert b"literal" not in redacted
    assert redactor.has_late_names
    assert read_oracle(redacted).instances[0x4000] == (second, bytes(4))
    (tmp_path / "late.hprof").write_bytes(redacted)
    with heapscope.open(tmp_path / "late.hprof") as heap:
        assert [f.name for f in heap.classes["a.Second"].fields] == ["lateField"]


def test_damage_ends_in_one_error() -> None:
    data = planted(segment_bytes=300).dump().data
    noise = random.Random(1)
    for _ in range(300):
        bad = bytearray(data)
        for _ in range(3):
            bad[noise.randrange(31, len(bad))] = noise.choice([0, 1, 0x21, 0x7F, 0xFF])
        redactor = Redactor()
        try:
            redactor.feed(bytes(bad))
            redactor.finish()
        except heapscope.HprofError as error:
            message = str(error)
            assert "\n" not in message


def test_a_filter_from_plain_values() -> None:
    """As a process gets it that reads its job from JSON."""
    options = json.loads(
        json.dumps({"keep_strings": ["keep*"], "hide_names": True, "key": (b"k" * 16).hex()})
    )
    data = planted().dump().data
    made = stream_filter(options)
    other = Redactor(keep_strings=["keep*"], hide_names=True, key=b"k" * 16)
    assert made.feed(data) + made.finish() == other.feed(data) + other.finish()
    plain, nothing = Redactor(), stream_filter({})
    assert nothing.feed(data) + nothing.finish() == plain.feed(data) + plain.finish()


def test_a_filter_needs_nothing_of_the_collector() -> None:
    """What the reader of a FIFO loads is small: no numba unless it compiles, no pandas, no matplotlib."""
    program = (
        "import sys; from heapscope.parser.redaction.redact import Redactor; Redactor();"
        "print([m for m in ('numba', 'pandas', 'matplotlib', 'rich', 'click') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

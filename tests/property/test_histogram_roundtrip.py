"""Any table a JVM can print reads back as the figures it was printed from."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heapscope.errors import HeapscopeError
from heapscope.parser.names import encode_modified_utf8, internal_name
from heapscope.parser.texts.class_histogram import is_histogram, read_histogram

IDENTIFIERS = st.text("abcXYZ$_éß\U0001f600", min_size=1, max_size=6)
CLASSES = st.lists(IDENTIFIERS, min_size=1, max_size=4).map(".".join)
HIDDEN = st.builds("{}$$Lambda/0x{:016x}".format, CLASSES, st.integers(0, 2**64 - 1))
PRIMITIVES = st.sampled_from(["int", "byte", "boolean", "char", "long", "short", "float", "double"])
ARRAYS = st.builds(
    lambda element, dimensions: element + "[]" * dimensions,
    st.one_of(CLASSES, HIDDEN, PRIMITIVES),
    st.integers(1, 3),
)
ROWS = st.lists(
    st.tuples(st.one_of(CLASSES, HIDDEN, ARRAYS), st.integers(0, 2**40), st.integers(0, 2**50)),
    min_size=1,
    max_size=12,
)
SETTINGS = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def print_table(rows: list[tuple[str, int, int]], *, module: bool, jcmd: bool, newline: str) -> bytes:
    """As HotSpot prints it: ``%4d: %13d  %13d  %s``."""
    lines = ["4116:"] if jcmd else []
    lines.append(" num     #instances         #bytes  class name" + (" (module)" if module else ""))
    lines.append("-" * 46)
    for number, (name, count, size) in enumerate(rows, 1):
        # A histogram has the JVM's array descriptors, with dots and the hidden class's slash.
        shown = internal_name(name).replace("/", ".").replace("+0x", "/0x")
        suffix = " (java.base@25.0.2)" if module and name.startswith("a") else ""
        lines.append(f"{number:4}: {count:13}  {size:13}  {shown}{suffix}")
    lines.append(f"Total {sum(row[1] for row in rows):13}  {sum(row[2] for row in rows):13}")
    return encode_modified_utf8("".join(line + newline for line in lines))


@SETTINGS
@given(ROWS, st.booleans(), st.booleans(), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_what_was_printed_is_read(
    tmp_path: Path,
    rows: list[tuple[str, int, int]],
    module: bool,
    jcmd: bool,
    newline: str,
    packed: bool,
) -> None:
    text = print_table(rows, module=module, jcmd=jcmd, newline=newline)
    data = gzip.compress(text, mtime=0) if packed else text
    path = tmp_path / "histogram"
    path.write_bytes(data)
    assert is_histogram(data)
    histogram = read_histogram(path)
    counts: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for name, count, size in rows:
        counts[name] += count
        sizes[name] += size
    assert dict(zip(histogram.class_names, histogram.instance_counts, strict=True)) == counts
    assert dict(zip(histogram.class_names, histogram.shallow_bytes, strict=True)) == sizes
    assert histogram.is_complete


@SETTINGS
@given(ROWS, st.data())
def test_damage_is_never_another_exception(
    tmp_path: Path, rows: list[tuple[str, int, int]], data: st.DataObject
) -> None:
    text = bytearray(print_table(rows, module=True, jcmd=True, newline="\n"))
    for _ in range(data.draw(st.integers(1, 4))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "histogram"
    path.write_bytes(text)
    is_histogram(bytes(text))
    message = ""
    try:
        histogram = read_histogram(path)
        assert len(histogram.class_names) == len(set(histogram.class_names))
    except HeapscopeError as error:
        message = str(error)
    assert "\n" not in message

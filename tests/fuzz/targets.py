"""What is fuzzed, with which seeds, and what must hold: a right answer or one clear error, never else."""

from __future__ import annotations

import bz2
import contextlib
import csv
import gzip
import io
import json
import lzma
import socket
import tarfile
import tempfile
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import zstandard

import heapscope
from heapscope.cli import main
from heapscope.errors import CollectError, HeapscopeError, HistogramError, HprofError
from heapscope.heap.graph.index import open_index
from heapscope.parser.redaction.redact import Redactor
from heapscope.parser.source import Source
from heapscope.parser.texts.class_histogram import read_histogram
from heapscope.parser.writer import HeapLayout
from tests.support.dumps import DumpBuilder
from tests.support.gz import jdk_gzip, plain_gzip
from tests.support.oracle import read_oracle

GOLDEN = Path(__file__).parents[1] / "golden"
# Linux keeps it in memory: the disk is not what is tested.
FOLDER = Path(
    tempfile.mkdtemp(prefix="heapscope-fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None)
)


@dataclass(frozen=True)
class Target:
    """A parser under test."""

    name: str
    about: str
    seeds: Callable[[], list[bytes]]
    run: Callable[[bytes], None]


def check_message(error: HeapscopeError) -> None:
    """One line that steers no terminal once it is printed."""
    message = str(error)
    assert message
    assert "\n" not in message, message


def written(data: bytes, ending: str = "") -> Path:
    path = FOLDER / f"x{ending}"
    path.write_bytes(data)
    return path


# --- dumps ---


def small_dump(**options: object) -> bytes:
    """A heap with something of everything, of some 3 kB."""
    d = DumpBuilder(**options)  # type: ignore[arg-type]
    d.unsafe()
    d.cls("a.Node", fields={"next": "Object", "text": "Object", "n": "int"}, statics={"HEAD": ("Object", 0)})
    d.cls("a.Leaf", "a.Node", fields={"z": "boolean", "d": "double"}, constant_pool=[(7, "int", -1)])
    last = 0
    for number in range(3):
        last = d.instance("a.Leaf", next=last, text=d.string(f"text \u20ac {number}"), n=number)
    d.root("JNI_GLOBAL", last, reference_id=0x999)
    d.root("JAVA_FRAME", last, thread_serial=1, frame=0)
    d.root("STICKY_CLASS", d.class_id("a.Node"))
    d.object_array("a.Node[]", [last, 0, last])
    d.primitive_array("int", [1, 2, 3])
    d.hash_map({"k": last, "l": None}, buckets=2)
    d.process_environment({"K": "v"})
    d.system_properties({"p": "q"})
    d.thread("main", frames=[("a.Node", "run", 3)])
    d.record(lambda w: w.start_thread(900, last, "agent", "main", "system"))
    if d.version == "1.0.3":
        d.android_heap(65, "app")
        d.primitive_array("byte", [0] * 4, has_data=False)
        d.root("INTERNED_STRING", last)
    return d.dump().data


@cache
def dumps() -> list[bytes]:
    """Every version, width, order, layout and JDK."""
    variants: list[dict[str, object]] = [
        {"segment_bytes": 300},
        {"identifier_bytes": 4, "jdk": 8, "order": "roots-first"},
        {"version": "1.0.1", "layout": HeapLayout.ONE_RECORD, "jdk": 8},
        {"version": "1.0.1", "layout": HeapLayout.UNPATCHED, "identifier_bytes": 4, "jdk": 8},
        {"version": "1.0.3", "order": "instances-first", "identifier_bytes": 4},
        {"jdk": 25, "order": "shuffled", "base": 0x7F00_1234_0000, "alignment": 16},
    ]
    return [small_dump(**variant) for variant in variants]


def use(heap: heapscope.Heap) -> None:
    """Ask a heap everything, and hold the answers against each other."""
    rows = list(heap.histogram().rows())
    assert sum(row["instance_count"] for row in rows) == heap.object_count
    ids = heap.columns.object_ids
    assert len(ids) == heap.object_count
    sizes = heap.shallow_sizes.tolist()
    by_class: Counter[str] = Counter()
    for index, size in zip(heap.columns.class_index.tolist(), sizes, strict=True):
        by_class[heap.classes[index].name] += size
    assert {row["class_name"]: row["shallow_bytes"] for row in rows} == dict(by_class)
    strengths = heap.reachability()
    assert sum(strengths.column("object_count")) == heap.object_count
    assert sum(strengths.column("shallow_bytes")) == sum(sizes)
    tree = heap.dominators()
    reached = tree.retained_bytes[tree.top_level].sum() if len(ids) else 0
    assert reached <= sum(sizes)
    heap.gc_roots.to_dict()
    heap.threads()
    heap.environment()
    heap.system_properties()
    heap.suspects()
    for index in range(0, len(ids), max(1, len(ids) // 12)):
        found = heap.object_at(int(ids[index]))
        found.fields()
        found.elements()
        found.element_ids()
        found.text()
        found.describe(elements=3)


def hprof(data: bytes) -> None:
    """Open, whole and partial: answers that agree with a naive reader, or an `HprofError`."""
    path = written(data, ".hprof")
    is_whole = False
    try:
        with heapscope.open(path, use_index=False) as heap:
            use(heap)
            is_whole = True
            found = set(heap.columns.object_ids.tolist())
    except HprofError as error:
        check_message(error)
    if is_whole:
        with contextlib.suppress(ValueError, KeyError, OverflowError):
            oracle = read_oracle(data)
            listed = [*oracle.instances, *oracle.object_arrays, *oracle.primitive_arrays, *oracle.classes]
            assert len(listed) != len(set(listed)) or found == set(listed)
    try:
        with heapscope.open(path, use_index=False, partial=True) as heap:
            use(heap)
            if is_whole:
                assert heap.coverage is None
                assert set(heap.columns.object_ids.tolist()) == found
            elif heap.coverage is not None:
                assert 0 <= heap.coverage.share <= 1
                assert heap.coverage.object_count == heap.object_count
    except HprofError as error:
        check_message(error)


def redact(data: bytes) -> None:
    """A stream of the dump in pieces: a dump of the same shape, or an `HprofError`."""
    step = 9 + (data[-1] if data else 0) * 9
    redactor = Redactor()
    try:
        pieces = [redactor.feed(data[at : at + step]) for at in range(0, len(data), step)]
        out = b"".join([*pieces, redactor.finish()])
    except HprofError as error:
        check_message(error)
        return
    path = written(data, ".hprof")
    try:
        with heapscope.open(path, use_index=False) as heap:
            before = list(heap.histogram().rows())
    except HprofError:
        return
    with heapscope.open(written(out, ".redacted.hprof"), use_index=False) as heap:
        assert list(heap.histogram().rows()) == before


def packed(data: bytes) -> None:
    """Bytes of a gzip or zstd file: inflated, or an `HprofError`; never much memory."""
    path = written(data, ".hprof.gz")
    sizes = []
    for is_partial in (False, True):
        try:
            with Source(path, partial=is_partial) as source:
                sizes.append(source.mapping().size)
        except HprofError as error:
            check_message(error)
            sizes.append(-1)
    assert sizes[0] < 0 or sizes[0] == sizes[1]
    try:
        with heapscope.open(path, use_index=False, partial=True) as heap:
            heap.histogram()
    except HprofError as error:
        check_message(error)


def packed_seeds() -> list[bytes]:
    found = []
    for data in dumps()[:3]:
        found += [
            plain_gzip(data),
            jdk_gzip(data, 512),
            zstandard.ZstdCompressor(write_checksum=True).compress(data),
            zstandard.ZstdCompressor(level=3).compress(data[:999])
            + zstandard.ZstdCompressor().compress(data[999:]),
        ]
    data = dumps()[0]
    return [*found, lzma.compress(data), bz2.compress(data), *archives(data)]


def archives(data: bytes) -> list[bytes]:
    """A zip and a tar.gz with a dump and a text."""
    packed, tarred = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("heap.hprof", data)
        made.writestr("a.log", b"text")
    with tarfile.open(fileobj=tarred, mode="w") as made_tar:
        for name, content in (("a.log", b"text"), ("heap.hprof", data)):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            made_tar.addfile(entry, io.BytesIO(content))
    return [packed.getvalue(), gzip.compress(tarred.getvalue(), mtime=0)]


# --- texts ---


def histogram(data: bytes) -> None:
    """A class histogram: rows whose sums are right, or an error with its line."""
    path = written(data, ".histogram.txt")
    try:
        found = read_histogram(path)
        assert len(found.class_names) == len(found.instance_counts) == len(found.shallow_bytes)
        assert all(count >= 0 for count in found.instance_counts)
        heapscope.snapshots([path])
    except (HistogramError, HprofError) as error:
        check_message(error)


def histogram_seeds() -> list[bytes]:
    found = [path.read_bytes()[:3000] for path in sorted((GOLDEN / "histograms").glob("*.txt"))]
    rows = b"   1:  20  1000  [B\n   2:  3  48  a.B\nTotal  23  1048\n"
    heading = b"  num   object count     total size    class name\n---\n"
    columns = b"Index Super InstCount InstBytes ClassName\n"
    stats = columns + b" 1 -1 3 48 a.B\n" + columns
    return [*found, gzip.compress(found[0], mtime=0), rows, heading + rows, stats, found[0] + rows]


def perfdata(data: bytes) -> None:
    """hsperfdata: counters, or a `CollectError`."""
    from heapscope.collector.perfdata import heap_use, parse

    try:
        heap_use(parse(data))
    except CollectError as error:
        check_message(error)


def perfdata_seeds() -> list[bytes]:
    import struct

    found = []
    for order in "<>":
        entries = b""
        longs = [
            ("sun.gc.policy.generations", 2),
            ("sun.gc.generation.0.spaces", 3),
            ("sun.gc.metaspace.used", 9),
        ]
        for name, value in longs:
            raw = name.encode() + b"\0"
            data_at = -(-(20 + len(raw)) // 8) * 8
            head = struct.pack(f"{order}iii4Bi", data_at + 8, 20, 0, ord("J"), 0, 1, 1, data_at)
            entries += (head + raw).ljust(data_at, b"\0") + struct.pack(f"{order}q", value)
        text = b"G1\0\0\0\0\0\0"
        head = struct.pack(f"{order}iii4Bi", 56, 20, len(text), ord("B"), 0, 5, 3, 48)
        entries += (head + b"sun.gc.policy.name\0").ljust(48, b"\0") + text
        prologue = b"\xca\xfe\xc0\xc0" + bytes([order == "<", 2, 0, 1])
        found.append(prologue + struct.pack(f"{order}iiqii", 0, 0, 1, 32, 4) + entries)
    return found


def sidecar(data: bytes) -> None:
    """The JSON beside a snapshot: facts, or as if there were none."""
    from heapscope.analysis.growth.forecast import find_limits
    from heapscope.analysis.growth.same_process import evidence_of

    path = written(SIDECAR_OF, ".histogram.txt")
    beside = path.with_name(f"{path.name}.json")
    beside.write_bytes(data)
    try:
        (snapshot,) = heapscope.snapshots([path])
        evidence_of(snapshot)
        find_limits([snapshot])
        assert snapshot.object_count == 3
    except HeapscopeError as error:
        check_message(error)
    finally:
        beside.unlink()


SIDECAR_OF = b""" num     #instances         #bytes  class name (module)
-------------------------------------------------------
   1:             3             72  java.lang.String (java.base@17)
Total             3             72
"""


def sidecar_seeds() -> list[bytes]:
    import json

    facts = {
        "captured_at": "2026-11-25T12:00:00+00:00",
        "host": "h",
        "work_count": 7,
        "limits": {"container_bytes": 1 << 30, "container_used_bytes": 1 << 20},
        "process": {"pid": 7, "start_ticks": 99, "heap": {"max_bytes": 1 << 28}, "environment": {"A": "b"}},
    }
    return [json.dumps(facts, indent=2).encode(), b"[]", b"null", b'{"process": [], "limits": 3}']


def attach(data: bytes) -> None:
    """What stands behind a socket answers whatever it likes: a text, or a `CollectError`."""
    from heapscope.collector import attach as client

    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(data[: 1 << 16])
    with mock.patch.object(client, "connect", return_value=ours):
        try:
            text = client.request(SimpleNamespace(pid=1), "jcmd", "GC.heap_info", seconds=5)  # type: ignore[arg-type]
            assert isinstance(text, str)
        except CollectError as error:
            message = str(error)
            assert message


def attach_seeds() -> list[bytes]:
    return [
        b"0\nHeap dump file created [10433 bytes in 0.010 secs]\n",
        b"1\njava.io.IOException: File exists\n",
        b"101\n",
        b"0\n" + "garbage-first heap total 1024K \u20ac\n".encode(),
        b"",
    ]


def stream(data: bytes) -> None:
    """The reader of a FIFO cuts its stream at records: what it gave out is what came, or `DumpFailed`."""
    from heapscope.collector.stream import Records

    records, out = Records(has_header=True), b""
    step = 1 + (data[-1] if data else 0)
    try:
        for at in range(0, len(data), step):
            out += records.feed(data[at : at + step])
    except CollectError as error:
        check_message(error)
    assert data.startswith(out)


# --- our own files ---


def index(data: bytes) -> None:
    """An index file: one whose checksums are right is used, any other is none."""
    path = written(data, ".heapscope-index")
    found = open_index(path, *_identity())
    if found is None:
        return
    from heapscope.heap.graph.index import BrokenIndexError

    for name in [*found.names, "no such array"]:
        with contextlib.suppress(BrokenIndexError, KeyError):
            found.array(name)


@cache
def _index_file() -> tuple[bytes, dict[str, object], dict[str, str]]:
    from dataclasses import asdict

    from heapscope.heap.graph.index import identity_of
    from heapscope.heap.graph.index_file import index_path

    folder = FOLDER / "index"
    dump = written(dumps()[0], ".indexed.hprof")
    with heapscope.open(dump, index_dir=folder) as heap:
        heap.dominators()
        options = asdict(heap.options)
    return index_path(dump, options, folder).read_bytes(), identity_of(dump), options


def _identity() -> tuple[dict[str, object], dict[str, str]]:
    return _index_file()[1:]


# --- what people see ---


def shown(data: bytes) -> None:
    """Names and texts of a dump, whatever they are, steer no terminal, no page and no spreadsheet."""
    names = [piece.decode("utf-8", "replace") for piece in data.split(b"\0") if piece][:6] or ["x"]
    d = DumpBuilder()
    seen: set[str] = set()
    for name in names:
        if name in seen or name.endswith("[]") or name.startswith(("java.", "[")):
            continue
        seen.add(name)
        d.cls(name, fields={name[:20]: "Object"}, statics={name[:30]: ("int", 1)})
        d.root("JNI_GLOBAL", d.instance(name, **{name[:20]: d.string(name)}), reference_id=1)
    d.process_environment({names[0]: names[-1], "KERB_TICKET_CACHE_PATH": names[0]})
    d.system_properties({names[0]: names[-1]})
    d.thread(names[0], frames=[(next(iter(seen), "java.lang.Object"), names[0], 1)])
    path = str(d.dump().save(FOLDER / "names.hprof"))
    for arguments in (
        ["histogram", path],
        ["info", path, "--show-secrets"],
        ["suspects", path, "--share", "0.1"],
        ["threads", path],
        ["dominators", path],
        ["histogram", path, "--csv"],
        ["diff", path, path],
    ):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            assert main(arguments) == 0, err.getvalue()
        check_text(out.getvalue())
        if "--csv" in arguments:
            for row in csv.reader(io.StringIO(out.getvalue())):
                assert not any(cell[:1] and cell[:1] in "=+-@\t\r" for cell in row), row
    for ending in ("html", "md", "json"):
        page = FOLDER / f"page.{ending}"
        with contextlib.redirect_stdout(io.StringIO()):
            assert main(["report", path, "-o", str(page), "--force", "--show-secrets"]) == 0
        text = page.read_text(encoding="utf-8")
        if ending == "json":
            json.loads(text)
        check_text(text)
        if ending == "html":
            check_page(text)


def check_text(text: str) -> None:
    """No character that acts on a reader."""
    acting = [c for c in text if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    assert not acting, acting


def check_page(text: str) -> None:
    """One script, ours; no element or attribute that the template does not have."""
    from html.parser import HTMLParser

    scripts = []

    class Page(HTMLParser):
        def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
            if tag == "script":
                scripts.append(tag)
            assert tag not in ("iframe", "object", "embed", "img", "base", "form"), tag
            for name, value in attributes:
                assert not name.startswith("on"), (tag, name)
                if name in ("href", "src"):
                    assert (value or "").startswith(("https://", "#", "data:")), value

    Page().feed(text)
    assert len(scripts) == 1


def shown_seeds() -> list[bytes]:
    return [
        b"a.B\0c.D\0plain",
        b"\x1b[2J\x1b]0;owned\x07\0\xe2\x80\xae.evil\0\r\nforged line",
        b"<script>alert(1)</script>\0\"><img src=x onerror=alert(1)>\0'onload='\0</title>\0<!--",
        b"]]>\0javascript:x\0&lt;b&gt;\0</style>\0</script>",
        b"=cmd|' /C calc'!A0\0+1+1\0-1\0@SUM(A1)\0\t=1\0\xef\xbc\x9d1",
        b"../../etc/passwd\0$(touch x)\0`id`\0;rm -rf x\0%s%n",
        b"| a | b |\0[x](javascript:y)\0*b*_c_`d`\0@user #1\0{{7*7}}\0{% raw %}",
        b"$\\frac{1}{0}$\0[bold red]x[/]\0\xc2\x85\xe2\x80\xa8",
    ]


TARGETS = {
    target.name: target
    for target in (
        Target("hprof", "heap dumps, whole and partial, with their graph", dumps, hprof),
        Target("redact", "the redactor as a filter of a stream", dumps, redact),
        Target("packed", "gzip and zstd", packed_seeds, packed),
        Target("histogram", "class histograms as text", histogram_seeds, histogram),
        Target("perfdata", "hsperfdata", perfdata_seeds, perfdata),
        Target("attach", "replies of an attach socket", attach_seeds, attach),
        Target("sidecar", "the JSON beside a snapshot", sidecar_seeds, sidecar),
        Target("stream", "the reader of a FIFO", dumps, stream),
        Target("index", "index files", lambda: [_index_file()[0]], index),
        Target("shown", "names and texts on terminals, in pages and in spreadsheets", shown_seeds, shown),
    )
}

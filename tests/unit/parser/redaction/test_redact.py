"""A redacted dump has the same objects, references, classes and sizes, and no secret anywhere."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import heapscope
from heapscope.cli import main
from heapscope.errors import NeedsClasses
from heapscope.parser.redaction.names import NameHider, keeps_field, keeps_static
from heapscope.parser.redaction.redact import Redactor, stream_filter
from heapscope.parser.redaction.redact_file import redact_file
from heapscope.parser.writer import HprofWriter
from tests.support.dumps import DumpBuilder
from tests.support.oracle import OracleHeap, read_oracle
from tests.support.strategies import SavedDump, random_dumps

SAMPLES = Path(__file__).parents[4] / "sample_dumps"
SECRET = "h\u00fcnter2-Tr0ub4dor"  # Latin-1, with a character that UTF-8 writes otherwise
NUMBER = 0x5EC2E7A11CE5EC2E  # a long that no address looks like


def forms(secret: str) -> list[bytes]:
    return [secret.encode(each) for each in ("latin-1", "utf-8", "utf-16-le", "utf-16-be")]


def number_forms() -> list[bytes]:
    import struct

    found = [NUMBER.to_bytes(8, "big"), (NUMBER & 0xFFFFFFFF).to_bytes(4, "big")]
    return [*found, struct.pack(">d", 6.02214076e23), struct.pack(">f", 6.02214076e23)]


def planted(**options: Any) -> DumpBuilder:
    """A secret in every place a dump can hold one."""
    d = DumpBuilder(**options)
    signed = NUMBER if NUMBER < 2**63 else NUMBER - 2**64
    small = (NUMBER & 0xFFFFFFFF) - (2**32 if NUMBER & 0x80000000 else 0)
    d.unsafe()
    d.cls(
        "com.acme.Vault$Door",
        fields={"code": "long", "pin": "int", "text": "Object", "rate": "double", "low": "float"},
        statics={"MASTER": ("long", signed), "PIN": ("int", small), "RATE": ("double", 6.02214076e23)},
        constant_pool=[(7, "long", signed), (8, "float", 6.02214076e23)],
    )
    text = d.string(SECRET)
    wide = d.string(SECRET + "\u20ac\u20ac")
    door = d.instance(
        "com.acme.Vault$Door", code=signed, pin=small, text=text, rate=6.02214076e23, low=6.02214076e23
    )
    sub = d.cls("com.acme.Sub", "com.acme.Vault$Door", fields={"more": "int", "door": "Object"})
    assert sub
    d.root("JNI_GLOBAL", d.instance("com.acme.Sub", more=small, door=door, code=signed), reference_id=0x999)
    d.root("JNI_GLOBAL", wide, reference_id=0x998)
    d.primitive_array("byte", SECRET.encode("latin-1"))
    d.primitive_array("char", [ord(char) for char in SECRET])
    d.primitive_array("long", [signed])
    d.primitive_array("int", [small] * 2000)
    d.primitive_array("double", [6.02214076e23])
    d.process_environment({"TOKEN": SECRET, SECRET: "x"})
    d.system_properties({"password": SECRET, SECRET: "y"})
    d.thread(SECRET, frames=[("com.acme.Sub", "open", 3)])
    d.record(
        lambda w: w.record(
            0x01, w.string(SECRET).to_bytes(w.identifier_bytes, "big") + b"x" + SECRET.encode()
        )
    )
    d.record(lambda w: w.start_thread(900, door, SECRET + " agent", SECRET + " group", SECRET + " parent"))
    d.record(lambda w: w.record(0x03, (77).to_bytes(4, "big") + SECRET.encode()))  # behind its body
    # Behind what a list of none says it has.
    d.record(lambda w: w.record(0x05, bytes(12) + SECRET.encode()))
    d.record(lambda w: w.record(0x06, bytes(34) + SECRET.encode()))
    d.record(lambda w: w.record(0x0D, bytes(8) + SECRET.encode()))
    d.record(lambda w: w.alloc_sites([(0, 1, 2, 3, 4, 5, 6)]))
    d.record(lambda w: w.cpu_samples([(1, 1)]))
    if d.version == "1.0.3":
        d.android_heap(65, SECRET)
        d.android_heap(66, "app")
    return d


VARIANTS: list[dict[str, Any]] = [
    {},
    {"jdk": 8},
    {"jdk": 25, "order": "roots-first"},
    {"identifier_bytes": 4},
    {"version": "1.0.3", "order": "instances-first"},
    {"version": "1.0.1", "segment_bytes": 200},
    {"order": "shuffled"},
]


@pytest.mark.parametrize("names", [False, True])
@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_no_secret_is_left(tmp_path: Path, options: dict[str, Any], names: bool) -> None:
    data = planted(**options).dump().data
    # What is searched for is there before.
    assert [form in data for form in forms(SECRET)].count(True) >= 3
    assert all(form in data for form in number_forms())
    path = tmp_path / "in.hprof"
    path.write_bytes(data)
    redact_file(path, tmp_path / "out.hprof", hide_names=names)
    out = (tmp_path / "out.hprof").read_bytes()
    for form in [*forms(SECRET), *forms("Tr0ub4dor"), *number_forms()]:
        assert form not in out
    assert (b"acme" in out) != names
    assert b"java/lang/String" in out or b"java.lang.String" in out
    compare(read_oracle(data), read_oracle(out), names=names)


def compare(before: OracleHeap, after: OracleHeap, *, names: bool = False) -> None:
    """The same objects, classes, references and roots."""
    assert after.identifier_bytes == before.identifier_bytes
    assert after.timestamp_ms == before.timestamp_ms
    assert set(after.instances) == set(before.instances)
    for object_id, (class_id, data) in before.instances.items():
        assert after.instances[object_id][0] == class_id
        assert len(after.instances[object_id][1]) == len(data)
        assert after.references(object_id) == before.references(object_id)
    assert after.object_arrays == before.object_arrays
    assert {i: row[:2] for i, row in after.primitive_arrays.items()} == {
        i: row[:2] for i, row in before.primitive_arrays.items()
    }
    assert not any(any(row[2] or b"") for row in after.primitive_arrays.values())
    assert [(r.tag, r.object_id, r.thread_serial, r.frame) for r in after.roots] == [
        (r.tag, r.object_id, r.thread_serial, r.frame) for r in before.roots
    ]
    assert set(after.classes) == set(before.classes)
    for class_id, one in before.classes.items():
        other = after.classes[class_id]
        assert (other.super_id, other.loader_id, other.declared_bytes) == (
            one.super_id,
            one.loader_id,
            one.declared_bytes,
        )
        assert [code for _, code in other.fields] == [code for _, code in one.fields]
        assert after.references(class_id) == before.references(class_id)
        if not names:
            assert other.fields == one.fields
            assert [name for name, _, _ in other.statics] == [name for name, _, _ in one.statics]
            assert other.name == one.name
    if not names:
        assert after.loaded == before.loaded
        assert after.frames == before.frames
    assert after.traces == before.traces


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(random_dumps(), st.data())
def test_random_dumps_keep_their_graph(tmp_path: Path, saved: SavedDump, data: st.DataObject) -> None:
    path = saved.save(tmp_path)
    ending = data.draw(st.sampled_from(["", ".gz", ".zst"]))
    out = tmp_path / f"out.hprof{ending}"
    redact_file(path, out, force=True)
    before = read_oracle(saved.dump.data)
    with heapscope.open(out) as heap, heapscope.open(path) as old:
        assert list(heap.histogram().rows()) == list(old.histogram().rows())
        assert heap.shallow_sizes.tolist() == old.shallow_sizes.tolist()
        plain = heap.buffer.tobytes()
    compare(before, read_oracle(plain))
    # As a stream, in pieces of any size: the same bytes, or a word that it takes two passes.
    pieces = sorted(data.draw(st.lists(st.integers(0, len(saved.dump.data)), max_size=6)))
    cuts = [0, *pieces, len(saved.dump.data)]
    redactor = Redactor()
    try:
        streamed = b"".join(redactor.feed(saved.dump.data[a:b]) for a, b in pairwise(cuts))
        streamed += redactor.finish()
    except NeedsClasses:
        assert saved.options["order"] in ("instances-first", "shuffled")
        return
    if redactor.has_late_names:
        assert saved.options["order"] in ("instances-first", "shuffled")
        (tmp_path / "stream.hprof").write_bytes(streamed)
        with heapscope.open(tmp_path / "stream.hprof") as heap, heapscope.open(path) as old:
            assert list(heap.histogram().rows()) == list(old.histogram().rows())
            assert [c.fields for c in heap.classes] == [c.fields for c in old.classes]
        return
    assert streamed == plain


@pytest.mark.parametrize("sample", ["leak-1", "jdk21-leak-1"])
def test_every_answer_stays_but_values(
    tmp_path: Path, sample: str, capsys: pytest.CaptureFixture[str]
) -> None:
    # Under one name, for every answer names its dump.
    folders = tmp_path / "a", tmp_path / "b"
    for folder in folders:
        folder.mkdir()
    source = folders[0] / "d.hprof.gz"
    source.write_bytes((SAMPLES / f"{sample}.hprof.gz").read_bytes())
    redact_file(source, folders[1] / "d.hprof.gz")
    subject = "org.apache.hadoop.fs.FileSystem"
    for command, *rest in (
        ["histogram", "--as-jvm"],
        ["histogram", "--retained"],
        ["retained", subject],
        ["paths", subject],
        ["dominators", "--top", "0"],
        ["dominators", "--by", "package"],
        ["dominators", "--by", "loader"],
        ["suspects"],
    ):
        said = []
        for folder in folders:
            assert main([command, str(folder / "d.hprof.gz"), *rest, "--json"]) == 0
            answer = json.loads(capsys.readouterr().out)
            for snapshot in answer["snapshots"]:
                del snapshot["path"]
            # A class loader is named with its own name, which is a string of the heap.
            loaders = answer["rows"] if rest == ["--by", "loader"] else []
            for row in [*loaders, *answer.get("consumers", {}).get("loader", [])]:
                del row["name"]
            said.append(answer)
        assert said[0] == said[1], command
        assert said[0]
    from heapscope.heap.retention import waste

    found = []
    for folder in folders:
        with heapscope.open(folder / "d.hprof.gz") as heap:
            threads = [(t.object_id, t.serial, t.is_daemon, t.priority, t.frames) for t in heap.threads()]
            found.append(
                (
                    threads,
                    len(heap.environment()) > 0,
                    heap.layout,
                    list(waste.wasteful_collections(heap.graph, 100).rows()),
                    list(waste.duplicate_classes(heap.graph).rows()),
                    heap.references.indptr.tolist(),
                    heap.categories.tolist(),
                    heap.root_counts(),
                )
            )
    assert found[0] == found[1]


def test_kept_strings(tmp_path: Path) -> None:
    d = planted()
    kept = [d.string("keep me"), d.string("keep \u20ac")]
    gone = d.string("do not keep")
    path = d.dump().save(tmp_path / "in.hprof")
    redact_file(path, tmp_path / "out.hprof", keep_strings=["keep*"])
    with heapscope.open(tmp_path / "out.hprof") as heap:
        assert [heap.object_at(each).text() for each in kept] == ["keep me", "keep \u20ac"]
        assert heap.object_at(gone).text() == "\0" * 11
    assert SECRET.encode("latin-1") not in (tmp_path / "out.hprof").read_bytes()


def test_hidden_names_are_the_same_under_one_key(tmp_path: Path) -> None:
    path = planted().dump().save(tmp_path / "in.hprof")
    names = []
    for run, key in enumerate([b"k" * 16, b"k" * 16, b"o" * 16]):
        out = tmp_path / f"{run}.hprof"
        redact_file(path, out, hide_names=True, key=key)
        with heapscope.open(out) as heap:
            names.append([c.name for c in heap.classes])
            assert heap.layout.confidence == "exact"
            assert any(name == "java.lang.String" for name in names[-1])
            hidden = next(c for c in heap.classes if "$" in c.name and c.name.startswith("p"))
            assert {f.type.java_name for f in hidden.fields} == {"long", "int", "Object", "double", "float"}
            assert "code" not in {f.name for f in hidden.fields}
    assert names[0] == names[1] != names[2]


def test_hidden_names_keep_their_shape() -> None:
    hider = NameHider(b"x" * 16)
    inner, outer = hider.class_name("com/acme/Order$Line$1"), hider.class_name("com/acme/Order")
    assert inner.startswith(outer + "$")
    assert inner.endswith("$1")
    assert hider.class_name("[[Lcom/acme/Order;") == f"[[L{outer};"
    assert hider.class_name("[J") == "[J"
    assert hider.class_name("[Ljava/lang/String;") == "[Ljava/lang/String;"
    assert hider.class_name("com/acme/Order$$Lambda+0x00007f") == f"{outer}$$Lambda+0x00007f"
    assert hider.class_name("com.acme.Order[]").endswith("[]")
    assert hider.signature("(ILcom/acme/Order;[J)Ljava/lang/Object;") == f"(IL{outer};[J)Ljava/lang/Object;"
    assert hider.hide(b"Order.java", "source").endswith(b".java")
    assert hider.hide(b"<init>", "method") == b"<init>"


def test_what_is_kept_is_no_secret() -> None:
    assert keeps_field("java/lang/String", "coder")
    assert not keeps_field("java/lang/String", "hash")  # of the text: it can be guessed from that
    assert not keeps_field("com/acme/List", "size")
    assert keeps_static("jdk/internal/misc/Unsafe", "ARRAY_BYTE_BASE_OFFSET")
    assert not keeps_static("com/acme/Unsafe", "ARRAY_BYTE_BASE_OFFSET")
    assert not keeps_static("jdk/internal/misc/Unsafe", "INVALID_FIELD_OFFSET")


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
    import io

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
        from heapscope.parser.tags import BasicType

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


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = planted().dump().save(tmp_path / "in.hprof")
    out = tmp_path / "out.hprof.gz"
    assert main(["redact", str(path), str(out)]) == 0
    assert out.stat().st_mode & 0o777 == 0o600
    assert out.read_bytes()[:2] == b"\x1f\x8b"
    assert main(["redact", str(path), str(out)]) == 3
    assert "exists already" in capsys.readouterr().err
    assert main(["redact", str(path), str(path), "--force"]) == 3
    assert main(["redact", str(path), str(out), "--force", "--names"]) == 0
    assert main(["redact", str(path), str(out), "--key", str(path)]) == 2
    path.write_bytes(path.read_bytes()[:-40])
    gone = tmp_path / "gone.hprof"
    assert main(["redact", str(path), str(gone)]) == 3
    assert sorted(each.name for each in tmp_path.iterdir()) == ["in.hprof", "out.hprof.gz"]


@pytest.mark.parametrize("packing", ["no", "plain"])
def test_a_cut_dump_is_copied_up_to_its_cut(tmp_path: Path, packing: str) -> None:
    saved = planted(segment_bytes=700).dump().save(tmp_path / "in.hprof", gzip=packing)  # type: ignore[arg-type]
    saved.write_bytes(saved.read_bytes()[: -saved.stat().st_size // 4])
    with pytest.raises(heapscope.TruncatedDump):
        redact_file(saved, tmp_path / "out.hprof")
    redact_file(saved, tmp_path / "out.hprof", partial=True)
    out = (tmp_path / "out.hprof").read_bytes()
    assert not any(form in out for form in [*forms(SECRET), *number_forms()])
    with (
        heapscope.open(saved, partial=True, use_index=False) as before,
        heapscope.open(tmp_path / "out.hprof", partial=True, use_index=False) as after,
    ):
        assert before.object_count > 20
        assert after.columns.object_ids.tolist() == before.columns.object_ids.tolist()
        assert list(after.histogram().rows()) == list(before.histogram().rows())


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

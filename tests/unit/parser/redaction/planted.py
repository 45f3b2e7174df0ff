"""A dump with a secret in every place that can hold one, and what a redacted copy must keep."""

from __future__ import annotations

import struct
from typing import Any

from tests.support.dumps import DumpBuilder
from tests.support.oracle import OracleHeap

SECRET = "h\u00fcnter2-Tr0ub4dor"  # Latin-1, with a character that UTF-8 writes otherwise
NUMBER = 0x5EC2E7A11CE5EC2E  # a long that no address looks like


def forms(secret: str) -> list[bytes]:
    return [secret.encode(each) for each in ("latin-1", "utf-8", "utf-16-le", "utf-16-be")]


def number_forms() -> list[bytes]:
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

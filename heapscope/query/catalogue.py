"""The tables of queries: what each is, and the SQL types of its columns.

Every table has a column ``snapshot`` in front: the name of the file without its ending.  ``UBIGINT`` is the
address of an object.
"""

from __future__ import annotations

FINDINGS = {
    "id": "VARCHAR",
    "title": "VARCHAR",
    "class_name": "VARCHAR",
    "confidence": "VARCHAR",
    "instance_count": "BIGINT",
    "retained_bytes": "BIGINT",
    "share": "DOUBLE",
    "per_hour": "DOUBLE",
    "since": "TIMESTAMPTZ",
    "owner": "VARCHAR",
    "held_by": "VARCHAR",
    "why": "VARCHAR",
    "example": "UBIGINT",
}
_COUNTS = ("instance_count", "shallow_bytes")
GROWTH = {
    "class_name": "VARCHAR",
    "verdict": "VARCHAR",
    "confidence": "DOUBLE",
    "since": "TIMESTAMPTZ",
    **{f"{name}_{part}": "BIGINT" for name in _COUNTS for part in ("first", "last", "delta")},
    **{f"{name}_per_hour{part}": "DOUBLE" for name in _COUNTS for part in ("", "_low", "_high")},
}
# Name -> what a row is.
MEANINGS = {
    "snapshots": "a heap dump or a class histogram",
    "processes": "the process of a snapshot",
    "classes": "a class; of a class histogram with its counts only",
    "objects": "an object, reachable or not",
    "refs": "a reference that the graph follows",
    "gc_roots": "a GC root record",
    "threads": "a thread",
    "frames": "a frame of a thread's stack, 0 the innermost",
    "locals": "an object that a frame refers to",
    "strings": "a java.lang.String",
    "environment": "a variable of the process",
    "properties": "a system property",
    "loaders": "a class loader; the boot loader has no address",
    "findings": "a leak that the diagnosis found",
    "growth": "a class over all snapshots; there are two at least",
}
_SIZES = {"shallow_bytes": "BIGINT", "retained_bytes": "BIGINT"}
_PAIR = {"name": "VARCHAR", "value": "VARCHAR"}
TABLES: dict[str, dict[str, str]] = {
    "snapshots": {
        "path": "VARCHAR",
        "kind": "VARCHAR",
        "captured_at": "TIMESTAMPTZ",
        "captured_at_source": "VARCHAR",
        "is_whole": "BOOLEAN",
        "object_count": "BIGINT",
        "shallow_bytes": "BIGINT",
    },
    "processes": {
        "pid": "BIGINT",
        "java_version": "VARCHAR",
        "vm_name": "VARCHAR",
        "user_name": "VARCHAR",
        "os_name": "VARCHAR",
        "command": "VARCHAR",
        "thread_count": "BIGINT",
    },
    "classes": {
        "class_name": "VARCHAR",
        "super_name": "VARCHAR",
        "address": "UBIGINT",
        "loader": "UBIGINT",
        "instance_count": "BIGINT",
        **_SIZES,
    },
    "objects": {
        "address": "UBIGINT",
        "class_name": "VARCHAR",
        **_SIZES,
        "dominator": "UBIGINT",
        "reachability": "VARCHAR",
        "array_length": "INTEGER",
    },
    "refs": {
        "source": "UBIGINT",
        "target": "UBIGINT",
        "field": "VARCHAR",
        "source_class": "VARCHAR",
        "target_class": "VARCHAR",
    },
    "gc_roots": {
        "kind": "VARCHAR",
        "address": "UBIGINT",
        "class_name": "VARCHAR",
        "thread_serial": "BIGINT",
        "frame_number": "INTEGER",
    },
    "threads": {
        "address": "UBIGINT",
        "serial": "BIGINT",
        "name": "VARCHAR",
        "is_daemon": "BOOLEAN",
        "priority": "INTEGER",
        "frame_count": "BIGINT",
        "retained_bytes": "BIGINT",
    },
    "frames": {
        "thread": "UBIGINT",
        "thread_serial": "BIGINT",
        "frame_number": "INTEGER",
        "class_name": "VARCHAR",
        "method": "VARCHAR",
        "file": "VARCHAR",
        "line": "INTEGER",
    },
    "locals": {
        "thread": "UBIGINT",
        "thread_serial": "BIGINT",
        "frame_number": "INTEGER",
        "kind": "VARCHAR",
        "address": "UBIGINT",
        "class_name": "VARCHAR",
    },
    "strings": {"address": "UBIGINT", "text": "VARCHAR", "length": "INTEGER", **_SIZES},
    "environment": _PAIR,
    "properties": _PAIR,
    "loaders": {
        "address": "UBIGINT",
        "name": "VARCHAR",
        "class_name": "VARCHAR",
        "class_count": "BIGINT",
        "instance_count": "BIGINT",
        **_SIZES,
    },
    "findings": FINDINGS,
    "growth": GROWTH,
}

"""The tables of a sketch: what each is, and the SQL types of its columns.

A sketch is a folder with a Parquet file for each table.  Every table has a column ``snapshot`` in front: the
identity of the file, and ``#2`` behind it for the second snapshot of one that holds several.  The metadata
of each file has ``heapscope.schema_version``, ``heapscope.version`` and ``heapscope.table``.
"""

from __future__ import annotations

# It changes when a column comes, goes, or means something else: a folder holds sketches of one version alone.
SCHEMA_VERSION = 2
_NAMED = {"name": "VARCHAR", "value": "VARCHAR"}
_SIZES = {"instance_count": "BIGINT", "shallow_bytes": "BIGINT", "retained_bytes": "BIGINT"}
# Name -> what a row is.
MEANINGS = {
    "snapshots": "a heap dump or a class histogram, with its process",
    "labels": "a part of the path that --name gave a name",
    "environment": "a variable of the process; values that may be secret are masked",
    "properties": "a system property; values that may be secret are masked",
    "jvm_options": "an option of the JVM",
    "jars": "an archive that the process has open, or has on its class path",
    "classes": "a class; of a class histogram with its counts only",
    "packages": "a package with what it retains",
    "loaders": "a class loader by its class, with what it retains",
    "paths": "a path group: objects of one class that are held in one way; those that retain most",
    "findings": "a leak that the diagnosis of this snapshot alone found",
    "owners": "a field that owns a large part of the heap",
    "threads": "a thread",
    "off_heap": "memory outside of the Java heap that objects stand for",
}
TABLES: dict[str, dict[str, str]] = {
    "snapshots": {
        "source": "VARCHAR",
        "name": "VARCHAR",
        "number": "INTEGER",
        "of_count": "INTEGER",
        "kind": "VARCHAR",
        "captured_at": "TIMESTAMPTZ",
        "captured_at_source": "VARCHAR",
        "is_whole": "BOOLEAN",
        "read_share": "DOUBLE",
        "object_count": "BIGINT",
        "shallow_bytes": "BIGINT",
        "file_bytes": "BIGINT",
        "host": "VARCHAR",
        "pid": "BIGINT",
        "role": "VARCHAR",
        "task_index": "BIGINT",
        "pod": "VARCHAR",
        "java_version": "VARCHAR",
        "vm_name": "VARCHAR",
        "user_name": "VARCHAR",
        "command": "VARCHAR",
        "thread_count": "BIGINT",
        "age_seconds": "BIGINT",
        "rss_bytes": "BIGINT",
        "work_count": "BIGINT",
        "direct_limit_bytes": "BIGINT",
        "seed": "BIGINT",
        "evidence": "VARCHAR",
        "sidecar": "VARCHAR",
        "content": "VARCHAR",
    },
    "labels": _NAMED,
    "environment": _NAMED,
    "properties": _NAMED,
    "jvm_options": {"option": "VARCHAR", "source": "VARCHAR"},
    "jars": {"name": "VARCHAR", "version": "VARCHAR", "path": "VARCHAR"},
    # What the GC roots reach of it: NULL where nothing tells.
    "classes": {
        "class_name": "VARCHAR",
        "super_name": "VARCHAR",
        **_SIZES,
        "reachable_count": "BIGINT",
        "reachable_bytes": "BIGINT",
    },
    "packages": {"package": "VARCHAR", **_SIZES},
    "loaders": {"loader": "VARCHAR", "loader_count": "BIGINT", **_SIZES},
    "paths": {"path": "VARCHAR", "class_name": "VARCHAR", **_SIZES},
    "findings": {
        "id": "VARCHAR",
        "title": "VARCHAR",
        "class_name": "VARCHAR",
        "confidence": "VARCHAR",
        "instance_count": "BIGINT",
        "retained_bytes": "BIGINT",
        "share": "DOUBLE",
        "owner": "VARCHAR",
        "held_by": "VARCHAR",
        "why": "VARCHAR",
        "cure": "VARCHAR",
        "needs_growth": "BOOLEAN",
    },
    "owners": {
        "owner": "VARCHAR",
        "owner_kind": "VARCHAR",
        "class_name": "VARCHAR",
        "content_class": "VARCHAR",
        "content_count": "BIGINT",
        "retained_bytes": "BIGINT",
        "share": "DOUBLE",
    },
    "threads": {
        "name": "VARCHAR",
        "is_daemon": "BOOLEAN",
        "frame_count": "BIGINT",
        "top_frame": "VARCHAR",
    },
    "off_heap": {
        "kind": "VARCHAR",
        "class_name": "VARCHAR",
        "object_count": "BIGINT",
        "byte_count": "BIGINT",
        "owner": "VARCHAR",
    },
}

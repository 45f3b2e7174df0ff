"""The leak as native code makes it, small: file systems that a cache and JNI globals hold."""

from __future__ import annotations

from pathlib import Path

from tests.support.dumps import DumpBuilder

FILE_SYSTEM = "org.apache.hadoop.fs.FileSystem"
DISTRIBUTED = "org.apache.hadoop.hdfs.DistributedFileSystem"
CACHE = "org.apache.hadoop.fs.FileSystem$Cache"


def leak_builder(count: int = 20, *, has_globals: bool = True, payload: int = 4000) -> DumpBuilder:
    """``count`` file systems in FileSystem.CACHE.map, each with a private Configuration."""
    d = DumpBuilder()
    d.cls("org.apache.hadoop.conf.Configuration", fields={"properties": "Object"})
    d.cls(FILE_SYSTEM, fields={"conf": "Configuration"})
    d.cls(DISTRIBUTED, FILE_SYSTEM, fields={"dfs": "Object"})
    d.cls(CACHE, fields={"map": "Map"})
    systems = []
    for _ in range(count):
        table = d.primitive_array("byte", b"x" * payload)
        conf = d.instance("org.apache.hadoop.conf.Configuration", properties=table)
        systems.append(d.instance(DISTRIBUTED, conf=conf))
    entries: dict[int | str, int | str | None] = {f"key-{i}": each for i, each in enumerate(systems)}
    cache = d.instance(CACHE, map=d.hash_map(entries, buckets=4))
    d.static(FILE_SYSTEM, "CACHE", "Cache", cache)
    for name in (FILE_SYSTEM, DISTRIBUTED, "org.apache.hadoop.conf.Configuration", "byte[]"):
        d.root("STICKY_CLASS", d.class_id(name))
    for each in systems if has_globals else ():
        d.root("JNI_GLOBAL", each)
        d.root("JNI_GLOBAL", each)
    d.thread("main", frames=[("java.lang.Object", "wait", -3)], local_ids=[(systems[0], 0)])
    return d


def leak_dump(folder: Path, count: int = 20, *, has_globals: bool = True) -> Path:
    """The same, as a file."""
    return leak_builder(count, has_globals=has_globals).dump().save(folder / "leak.hprof")

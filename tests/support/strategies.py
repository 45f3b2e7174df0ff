"""Random dumps for property tests: every version, layout, order and compression."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hypothesis import strategies as st

from heapscope.parser.tags import SubRecordTag
from heapscope.parser.writer import HeapLayout
from tests.support.dumps import DumpBuilder
from tests.support.model import Dump

PRIMITIVES = {
    "boolean": st.booleans(),
    "char": st.integers(0, 0xFFFF),
    "float": st.sampled_from([0.0, -1.5, 3.0e38]),
    "double": st.sampled_from([0.0, 2.25, -1e300]),
    "byte": st.integers(-128, 127),
    "short": st.integers(-(2**15), 2**15 - 1),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
}
TYPES = [*PRIMITIVES, "Object"]
ROOT_KINDS = [
    tag.name.removeprefix("ROOT_")
    for tag in SubRecordTag
    if tag.name.startswith("ROOT_") or tag is SubRecordTag.UNREACHABLE
]
ANDROID_KINDS = [tag.name.removeprefix("ROOT_") for tag in SubRecordTag if 0x89 <= tag <= 0x90]
DANGLING = 0x1230  # below every address given out


@dataclass(frozen=True)
class SavedDump:
    """A random dump and how its file is packed."""

    dump: Dump
    gzip: Literal["no", "plain", "jdk"]
    block_bytes: int
    options: dict[str, Any]

    def save(self, folder: Path) -> Path:
        """The file, over the one of the example before."""
        suffix = "" if self.gzip == "no" else ".gz"
        return self.dump.save(folder / f"d.hprof{suffix}", gzip=self.gzip, block_bytes=self.block_bytes)


@st.composite
def random_dumps(draw: st.DrawFn, *, max_objects: int = 14) -> SavedDump:
    """Any small dump that a writer could have made, also with ids that lead nowhere."""
    version = draw(st.sampled_from(["1.0.1", "1.0.2", "1.0.3"]))
    identifier_bytes = draw(st.sampled_from([4, 8]))
    options: dict[str, Any] = {
        "version": version,
        "identifier_bytes": identifier_bytes,
        "timestamp_ms": draw(st.integers(0, 2**43)),
        "layout": draw(st.sampled_from(list(HeapLayout))),
        "segment_bytes": draw(st.sampled_from([1, 40, 200, 1 << 20])),
        "order": draw(st.sampled_from(["classes-first", "roots-first", "instances-first", "shuffled"])),
        "jdk": draw(st.sampled_from([8, 17, 25])),
        "base": draw(st.sampled_from([0x10000, 0xE000_0000] + [0x7F00_1234_0000] * (identifier_bytes == 8))),
        "alignment": draw(st.sampled_from([8, 16])),
        "seed": draw(st.integers(0, 99)),
    }
    builder = DumpBuilder(**options)
    names = _draw_classes(draw, builder)
    ids = _draw_objects(draw, builder, names, max_objects)
    _draw_roots(draw, builder, ids, version)
    if draw(st.booleans()):
        builder.unsafe(byte_base=16, object_base=16, index_scale=draw(st.sampled_from([4, 8])))
    if draw(st.booleans()):
        builder.record(lambda writer: writer.heap_summary(1, 2))
        builder.record(lambda writer: writer.alloc_sites([(0, 1, 2, 3, 4, 5, 6)]))
        builder.record(lambda writer: writer.unload_class(77))
        builder.record(lambda writer: writer.start_thread(900, ids[0], "old agent", "main", "system"))
        builder.record(lambda writer: writer.end_thread(900))
        builder.record(lambda writer: writer.cpu_samples([(1, 1)]))
        builder.record(lambda writer: writer.control_settings())
    gzip: Literal["no", "plain", "jdk"] = draw(st.sampled_from(["no", "plain", "jdk"]))
    return SavedDump(builder.dump(), gzip, draw(st.sampled_from([64, 1000, 1 << 20])), options)


def _draw_classes(draw: st.DrawFn, builder: DumpBuilder) -> list[str]:
    names = ["java.lang.Object"]
    for number in range(draw(st.integers(0, 5))):
        name = draw(st.sampled_from(["a.B{}", "C{}", "a.b.D$E{}", "a.L$$Lambda/0x{:016x}"])).format(number)
        fields = {
            f"f{number}_{i}": kind
            for i, kind in enumerate(draw(st.lists(st.sampled_from(TYPES), max_size=4)))
        }
        kinds = draw(st.lists(st.sampled_from(TYPES), max_size=3))
        statics = [
            # HotSpot repeats this name, once for each constant pool with resolved references.
            (
                draw(st.sampled_from(["<resolved_references>", f"s{i}"])),
                kind,
                draw(PRIMITIVES.get(kind, st.sampled_from([0, DANGLING]))),
            )
            for i, kind in enumerate(kinds)
        ]
        pool = [(7, "int", -1), (9, "Object", DANGLING)] if draw(st.booleans()) else []
        builder.cls(name, draw(st.sampled_from(names)), fields=fields, statics=statics, constant_pool=pool)
        names.append(name)
    for number in range(draw(st.integers(0, 2))):
        builder.cls(f"a.OnlyLoaded{number}", has_dump=False)
    return names


def _draw_objects(draw: st.DrawFn, builder: DumpBuilder, names: list[str], max_objects: int) -> list[int]:
    ids = [builder.class_id("java.lang.Object")]
    for _ in range(draw(st.integers(0, max_objects))):
        kind = draw(
            st.sampled_from(["instance", "instance", "objects", "primitives", "string", "map", "thread"])
        )
        if kind == "instance":
            name = draw(st.sampled_from(names))
            made = builder.instance(name)
            builder.set(made, **_draw_values(draw, builder, name, [*ids, made, 0, DANGLING]))
            ids.append(made)
        elif kind == "objects":
            elements = draw(st.lists(st.sampled_from([*ids, 0, DANGLING]), max_size=5))
            name = draw(st.sampled_from(names)) + draw(st.sampled_from(["[]", "[][]"]))
            ids.append(builder.object_array(name, elements))
        elif kind == "primitives":
            element = draw(st.sampled_from(list(PRIMITIVES)))
            values = draw(st.lists(PRIMITIVES[element], max_size=5))
            has_data = builder.version != "1.0.3" or draw(st.booleans())
            ids.append(builder.primitive_array(element, values, has_data=has_data))
        elif kind == "string":
            ids.append(builder.string(draw(st.sampled_from(["", "plain", "häuser", "€ \U0001f600"]))))
        elif kind == "map":
            ids.append(builder.hash_map({"k": draw(st.sampled_from(ids)), "l": None}, buckets=2))
        else:
            frames = [("java.lang.Object", "wait", -3)] * draw(st.integers(0, 2))
            local_ids = [(draw(st.sampled_from(ids)), number) for number in range(len(frames))]
            thread = builder.thread(
                "worker", frames=frames, local_ids=local_ids, is_system=draw(st.booleans())
            )
            ids += [thread.object_id] if thread.object_id else []
    return ids


def _draw_values(draw: st.DrawFn, builder: DumpBuilder, name: str, ids: list[int]) -> dict[str, Any]:
    return {
        key: draw(PRIMITIVES.get(kind.java_name, st.sampled_from(ids)))
        for key, kind in builder.fields_of(name).items()
    }


def _draw_roots(draw: st.DrawFn, builder: DumpBuilder, ids: list[int], version: str) -> None:
    kinds = ROOT_KINDS if version == "1.0.3" else [kind for kind in ROOT_KINDS if kind not in ANDROID_KINDS]
    kinds = [kind for kind in kinds if kind != "THREAD_OBJECT"]  # made with the threads
    for _ in range(draw(st.integers(0, 6))):
        builder.root(
            draw(st.sampled_from(kinds)),
            draw(st.sampled_from([*ids, DANGLING])),
            thread_serial=draw(st.integers(0, 3)),
            frame=draw(st.sampled_from([-1, 0, 1])),
            reference_id=0x999,
        )
    if version == "1.0.3":
        for number, name in draw(st.sampled_from([[], [(65, "app")], [(65, "app"), (90, "zygote")]])):
            builder.android_heap(number, name)

"""A small language to write dumps in, for tests.

::

    dump = build(lambda d: (
        d.cls("a.Cache", fields={"map": "Map"}, statics={"INSTANCE": ("Object", 0)}),
        d.root("JNI_GLOBAL", d.instance("a.Cache", map=d.hash_map({"k": "v"}))),
    ))
    dump.data      # the bytes
    dump.truth     # what was written

Everything is collected first and written by :meth:`DumpBuilder.dump`, so that one heap can
be written in every version, layout and order.  Classes of the JDK that are used without
being declared have the fields of ``tests/support/jdk.py``.
"""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from heapscope.parser.names import internal_name
from heapscope.parser.tags import VALUE_BYTES, BasicType, SubRecordTag
from heapscope.parser.writer import HeapLayout, HprofWriter, Value
from tests.support import jdk as jdk_classes
from tests.support.model import ClassRow, Dump, ObjectRow, Root, Thread, Truth, basic_type

TIMESTAMP_MS = 1_480_000_000_000

Order = Literal["classes-first", "roots-first", "instances-first", "shuffled"]
FieldValue = int | float | bool | str | None
_Step = tuple[Callable[[HprofWriter, Any], None], Any]  # a sub-record to write


class DumpBuilder:
    """Collects a heap; :meth:`dump` writes it.

    Parameters
    ----------
    version, identifier_bytes, timestamp_ms : as in HprofWriter
    layout, segment_bytes : as in HprofWriter.heap
    order : str
        ``classes-first`` is JDK 17 (classes, instances, roots), ``roots-first`` JDK 25
        (classes, roots, instances), ``instances-first`` Android, ``shuffled`` nobody's.
    jdk : int
        Which JDK's strings, threads, properties and Unsafe.
    base : int
        First address given out.
    alignment : int
        Of addresses, bytes.
    """

    def __init__(
        self,
        *,
        version: str = "1.0.2",
        identifier_bytes: int = 8,
        timestamp_ms: int = TIMESTAMP_MS,
        layout: HeapLayout = HeapLayout.SEGMENTS,
        segment_bytes: int = 1 << 20,
        order: Order = "classes-first",
        jdk: int = 17,
        base: int = 0xE000_0000,
        alignment: int = 8,
        seed: int = 0,
    ) -> None:
        self.version = version
        self.identifier_bytes = identifier_bytes
        self.timestamp_ms = timestamp_ms
        self.layout = layout
        self.segment_bytes = segment_bytes
        self.order: Order = order
        self.jdk = jdk
        self.alignment = alignment
        self.truth = Truth()
        self._seed = seed
        self._next_id = base
        self._classes: dict[str, ClassRow] = {}
        self._objects: dict[int, ObjectRow] = {}
        self._roots: list[Root] = []
        self._before_heap: list[Callable[[HprofWriter], None]] = []
        self._heap_infos: list[tuple[int, str]] = []
        self._next_serial = 1

    # -- classes -----------------------------------------------------------

    def cls(
        self,
        name: str,
        super_name: str | None = "java.lang.Object",
        *,
        fields: Mapping[str, str] | None = None,
        statics: Mapping[str, tuple[str, FieldValue]] | Sequence[tuple[str, str, FieldValue]] = (),
        loader_id: int = 0,
        has_dump: bool = True,
        constant_pool: Sequence[tuple[int, str, Value]] = (),
        at: int | None = None,
    ) -> int:
        """Declare a class; returns its id.

        Parameters
        ----------
        name : str
            In Java source form, arrays too.
        fields : mapping of name to type
            ``"int"`` and so on; anything else is a reference.
        statics : mapping of name to (type, value), or rows of (name, type, value)
            Rows may repeat a name, as HotSpot's ``<resolved_references>`` do.
        has_dump : bool
            False writes LOAD_CLASS only.
        """
        if name in self._classes:
            raise ValueError(f"{name} is declared already")
        if super_name is not None and has_dump:
            self._class(super_name)
        rows = [(key, *value) for key, value in statics.items()] if isinstance(statics, Mapping) else statics
        serial = len(self._classes) + 1
        declared = ClassRow(
            name=name,
            class_id=self._allocate(112) if at is None else at,
            super_name=super_name,
            fields={key: basic_type(kind) for key, kind in (fields or {}).items()},
            statics=[],
            serial=serial,
            loader_id=loader_id,
            has_dump=has_dump,
            constant_pool=[(index, basic_type(kind), value) for index, kind, value in constant_pool],
        )
        self._classes[name] = declared
        (self.truth.classes if has_dump else self.truth.loaded_only)[name] = declared.class_id
        for key, kind, value in rows:
            declared.statics.append((key, basic_type(kind), self._value(basic_type(kind), value)))
        return declared.class_id

    def rename_class(self, name: str, written: str) -> None:
        """What the dump calls a class: several classes of one name have a loader each."""
        self._classes[name].name = written

    def class_id(self, name: str) -> int:
        """Id of a class, declared here if it was not."""
        return self._class(name).class_id

    def static(self, class_name: str, name: str, kind: str, value: FieldValue) -> None:
        """Add a static field to a class; a name may be there twice."""
        declared = basic_type(kind)
        self._class(class_name).statics.append((name, declared, self._value(declared, value)))

    def unsafe(self, *, byte_base: int = 16, object_base: int = 16, index_scale: int = 4) -> int:
        """The class whose statics tell the VM's object layout."""
        name = "sun.misc.Unsafe" if self.jdk <= 8 else "jdk.internal.misc.Unsafe"
        base_type = "long" if self.jdk >= 25 else "int"
        for element, size in (
            ("BOOLEAN", 1),
            ("BYTE", 1),
            ("SHORT", 2),
            ("CHAR", 2),
            ("INT", 4),
            ("FLOAT", 4),
            ("LONG", 8),
            ("DOUBLE", 8),
        ):
            base = byte_base if size < 8 else -(-byte_base // 8) * 8
            self.static(name, f"ARRAY_{element}_BASE_OFFSET", base_type, base)
            self.static(name, f"ARRAY_{element}_INDEX_SCALE", "int", size)
        self.static(name, "ARRAY_OBJECT_BASE_OFFSET", base_type, object_base)
        self.static(name, "ARRAY_OBJECT_INDEX_SCALE", "int", index_scale)
        self.static(name, "ADDRESS_SIZE", "int", self.identifier_bytes)
        return self.class_id(name)

    # -- objects -----------------------------------------------------------

    def instance(self, class_name: str, /, *, at: int | None = None, **values: FieldValue) -> int:
        """An object; fields not given are zero, a str for a reference makes a string."""
        fields = self.fields_of(class_name)
        size = 12 + sum(4 if kind is BasicType.OBJECT else VALUE_BYTES[kind] for kind in fields.values())
        made = ObjectRow(self._allocate(size) if at is None else at, class_name)
        self._add(made)
        self.set(made.object_id, **values)
        return made.object_id

    def set(self, object_id: int, /, **values: FieldValue) -> None:
        """Change fields of an instance (to close a cycle, say)."""
        made = self._objects[object_id]
        fields = self.fields_of(made.class_name)
        for key, value in values.items():
            made.values[key] = self._value(fields[key], value)

    def object_array(
        self, class_name: str, elements: Sequence[int | str | None], *, at: int | None = None
    ) -> int:
        """An array of references; ``class_name`` ends in ``[]``."""
        if not class_name.endswith("[]"):
            raise ValueError(f"{class_name} is no array class")
        self._class(class_name)
        ids = [int(self._value(BasicType.OBJECT, element)) for element in elements]
        made = ObjectRow(
            self._allocate(16 + 4 * len(ids)) if at is None else at, class_name, {}, ids, BasicType.OBJECT
        )
        return self._add(made)

    def primitive_array(
        self,
        kind: str,
        elements: Sequence[Any] | bytes,
        *,
        has_data: bool = True,
        at: int | None = None,
    ) -> int:
        """``primitive_array("int", [1, 2])``; without data only its length is written (Android)."""
        declared = basic_type(kind)
        if declared is BasicType.BYTE and isinstance(elements, bytes):
            elements = [byte - 256 if byte > 127 else byte for byte in elements]
        self._class(f"{kind}[]")
        size = 16 + VALUE_BYTES[declared] * len(elements)
        made = ObjectRow(
            self._allocate(size) if at is None else at, f"{kind}[]", {}, elements, declared, has_data
        )
        return self._add(made)

    def string(self, text: str, *, at: int | None = None, value: int | None = None) -> int:
        """A java.lang.String of this JDK; ``value`` shares the array of another one."""
        chars = text.encode("utf-16-be", "surrogatepass")
        if self.jdk <= 8:
            units = [int.from_bytes(chars[i : i + 2], "big") for i in range(0, len(chars), 2)]
            array = self.primitive_array("char", units) if value is None else value
            made = self.instance("java.lang.String", at=at, value=array)
        else:
            is_latin1 = all(ord(char) < 256 for char in text)
            # UTF16 strings lie in the machine's byte order, little-endian everywhere that matters.
            data = text.encode("latin-1") if is_latin1 else text.encode("utf-16-le", "surrogatepass")
            array = self.primitive_array("byte", data) if value is None else value
            made = self.instance("java.lang.String", at=at, value=array, coder=0 if is_latin1 else 1)
        self.truth.strings[made] = text
        return made

    def hash_map(self, entries: Mapping[int | str, int | str | None], *, buckets: int = 16) -> int:
        """A java.util.HashMap; few buckets make long chains."""
        table = self._chains("java.util.HashMap$Node", "value", list(entries.items()), buckets)
        return self.instance("java.util.HashMap", table=table, size=len(entries), loadFactor=0.75)

    def process_environment(self, variables: Mapping[str, str]) -> int:
        """java.lang.ProcessEnvironment of a Unix JDK; returns the class."""

        def data(class_name: str, text: str) -> int:
            raw = self.primitive_array("byte", text.encode())
            return self.instance(class_name, str=self.string(text), bytes=raw)

        name = "java.lang.ProcessEnvironment"
        entries: dict[int | str, int | str | None] = {
            data(f"{name}$Variable", key): data(f"{name}$Value", value) for key, value in variables.items()
        }
        environment = self.hash_map(entries)
        view = self.instance(f"{name}$StringEnvironment", m=environment)
        self.static(name, "theEnvironment", "HashMap", environment)
        wrapper = self.instance("java.util.Collections$UnmodifiableMap", m=view)
        self.static(name, "theUnmodifiableEnvironment", "Map", wrapper)
        return self.class_id(name)

    def system_properties(self, properties: Mapping[str, str]) -> int:
        """System.props of this JDK; returns the Properties object."""
        items: list[tuple[int | str, int | str | None]] = list(properties.items())
        if self.jdk <= 8:
            table = self._chains("java.util.Hashtable$Entry", "value", items, 11)
            made = self.instance("java.util.Properties", table=table, count=len(items), loadFactor=0.75)
        else:
            table = self._chains("java.util.concurrent.ConcurrentHashMap$Node", "val", items, 16)
            entries = self.instance(
                "java.util.concurrent.ConcurrentHashMap", table=table, baseCount=len(items)
            )
            made = self.instance("java.util.Properties", map=entries)
        self.static("java.lang.System", "props", "Properties", made)
        return made

    # -- roots, threads, other records -------------------------------------

    def root(
        self, kind: str, object_id: int, *, thread_serial: int = 0, frame: int = 0, reference_id: int = 0
    ) -> Root:
        """A GC root; ``kind`` is the rest of the tag's name: JNI_GLOBAL, JAVA_FRAME, UNKNOWN ..."""
        tag = SubRecordTag[kind] if kind == "UNREACHABLE" else SubRecordTag[f"ROOT_{kind}"]
        made = Root(tag, object_id, thread_serial, frame, reference_id)
        self._roots.append(made)
        return made

    def thread(
        self,
        name: str,
        *,
        frames: Sequence[tuple[str, str, int]] = (),
        local_ids: Sequence[tuple[int, int]] = (),
        daemon: bool = False,
        is_system: bool = False,
        is_virtual: bool = False,
    ) -> Thread:
        """A java.lang.Thread with its stack and THREAD_OBJ root.

        Parameters
        ----------
        frames : (class name, method, line), innermost first
        local_ids : (object id, frame number)
            Each becomes a Java frame root.
        is_system : bool
            A thread without a Java object: its THREAD_OBJ root has id 0.
        is_virtual : bool
            A virtual thread, which has no priority of its own.
        """
        serial, self._next_serial = self._next_serial, self._next_serial + 1
        trace_serial = serial + 1  # HotSpot's trace 1 is the empty one of every object
        fields: dict[str, Any] = {"daemon": daemon, "priority": 5, "threadStatus": 5}
        if is_system:
            object_id = 0
        elif is_virtual:
            object_id = self.instance("java.lang.VirtualThread", name=name, tid=serial)
        elif self.jdk >= 19:
            holder = self.instance("java.lang.Thread$FieldHolder", **fields)
            object_id = self.instance("java.lang.Thread", name=name, tid=serial, holder=holder)
        else:
            object_id = self.instance("java.lang.Thread", name=name, tid=serial, **fields)
        self.root("THREAD_OBJECT", object_id, thread_serial=serial, frame=trace_serial)
        for local_id, frame in local_ids:
            self.root("JAVA_FRAME", local_id, thread_serial=serial, frame=frame)
        made = Thread(object_id, name, serial, trace_serial, tuple(frames))
        for class_name, _, _ in frames:
            self._class(class_name)
        self.truth.threads.append(made)
        return made

    def record(self, write: Callable[[HprofWriter], None]) -> None:
        """Any other top-level record, written between the classes' names and the heap."""
        self._before_heap.append(write)

    def android_heap(self, number: int, name: str) -> None:
        """HEAP_DUMP_INFO, written before the objects."""
        self._heap_infos.append((number, name))

    # -- writing -----------------------------------------------------------

    def dump(self) -> Dump:
        """Write what was collected.  May be called again, e.g. with another ``order``."""
        self.truth.objects = {each.object_id: each.class_name for each in self._objects.values()}
        self.truth.roots = list(self._roots)
        out = io.BytesIO()
        writer = HprofWriter(
            out,
            version=self.version,
            identifier_bytes=self.identifier_bytes,
            timestamp_ms=self.timestamp_ms,
        )
        self._write_names(writer)
        self._write_stacks(writer)
        for write in self._before_heap:
            write(writer)
        with writer.heap(self.layout, segment_bytes=self.segment_bytes):
            for step, row in self._ordered_sub_records():
                step(writer, row)
        return Dump(out.getvalue(), self.truth)

    def _write_names(self, writer: HprofWriter) -> None:
        for _, heap_name in self._heap_infos:
            writer.string(heap_name)
        for each in self._classes.values():
            for name in [*each.fields, *(row[0] for row in each.statics)]:
                writer.string(name)
            name = each.name if self.version == "1.0.3" else internal_name(each.name)
            writer.load_class(each.serial, each.class_id, name, 1)

    def _write_stacks(self, writer: HprofWriter) -> None:
        if not self.truth.threads:
            return
        writer.trace(1, 0)
        next_frame_id = 1
        for thread in self.truth.threads:
            frame_ids = []
            for class_name, method, line in thread.frames:
                source = class_name.rsplit(".", 1)[-1].split("$")[0] + ".java"
                serial = self._classes[class_name].serial
                writer.frame(next_frame_id, method, "()V", source, serial, line)
                frame_ids.append(next_frame_id)
                next_frame_id += 1
            writer.trace(thread.trace_serial, thread.thread_serial, frame_ids)

    def _ordered_sub_records(self) -> list[_Step]:
        infos: list[_Step] = [(self._write_heap_info, row) for row in self._heap_infos]
        classes: list[_Step] = [(self._write_class, row) for row in self._classes.values() if row.has_dump]
        objects: list[_Step] = [(self._write_object, row) for row in self._objects.values()]
        roots: list[_Step] = [(self._write_root, row) for row in self._roots]
        if self.order == "roots-first":
            return [*infos, *classes, *roots, *objects]
        if self.order == "instances-first":
            return [*infos, *objects, *classes, *roots]
        if self.order == "shuffled":
            rows = [*classes, *objects, *roots]
            random.Random(self._seed).shuffle(rows)
            return [*infos, *rows]
        return [*infos, *classes, *objects, *roots]

    def _write_heap_info(self, writer: HprofWriter, row: tuple[int, str]) -> None:
        writer.heap_info(*row)

    def _write_root(self, writer: HprofWriter, each: Root) -> None:
        writer.root(
            each.kind,
            each.object_id,
            thread_serial=each.thread_serial,
            frame=each.frame,
            reference_id=each.reference_id,
        )

    def _write_class(self, writer: HprofWriter, each: ClassRow) -> None:
        super_id = self._class(each.super_name).class_id if each.super_name else 0
        writer.class_dump(
            each.class_id,
            super_id,
            loader_id=each.loader_id,
            instance_bytes=sum(
                8 if kind is BasicType.OBJECT else VALUE_BYTES[kind]
                for kind in self.fields_of(each.name).values()
            ),
            constant_pool=each.constant_pool,
            statics=each.statics,
            fields=list(each.fields.items()),
            trace_serial=1,
        )

    def _write_object(self, writer: HprofWriter, each: ObjectRow) -> None:
        if each.element_type is None:
            fields = self.fields_of(each.class_name)
            data = b"".join(writer.value(kind, each.values.get(name, 0)) for name, kind in fields.items())
            writer.instance(each.object_id, self._class(each.class_name).class_id, data, 1)
        elif each.element_type is BasicType.OBJECT:
            writer.object_array(each.object_id, self._class(each.class_name).class_id, each.elements, 1)
        elif each.has_data:
            writer.primitive_array(each.object_id, each.element_type, each.elements, 1)
        else:
            writer.primitive_array_without_data(each.object_id, each.element_type, len(each.elements), 1)

    # -- bookkeeping -------------------------------------------------------

    def _class(self, name: str) -> ClassRow:
        if name not in self._classes:
            super_name, fields = jdk_classes.shape(name, self.jdk)
            self.cls(name, super_name, fields=fields)
        return self._classes[name]

    def fields_of(self, class_name: str) -> dict[str, BasicType]:
        """Fields in the order of an instance dump: own class, then each superclass."""
        fields: dict[str, BasicType] = {}
        at: str | None = class_name
        while at is not None:
            each = self._class(at)
            for name, kind in each.fields.items():
                if name in fields:
                    raise ValueError(f"{class_name} has two fields {name}; name them apart in tests")
                fields[name] = kind
            at = each.super_name
        return fields

    def _value(self, kind: BasicType, value: FieldValue) -> Value:
        if value is None:
            return 0
        if kind is BasicType.OBJECT and isinstance(value, str):
            return self.string(value)
        return value

    def _allocate(self, size: int) -> int:
        at = self._next_id
        self._next_id += -(-size // self.alignment) * self.alignment
        return at

    def _add(self, made: ObjectRow) -> int:
        if made.object_id in self._objects:
            raise ValueError(f"object 0x{made.object_id:x} is there already")
        self._objects[made.object_id] = made
        return made.object_id

    def _chains(
        self, node_class: str, value_field: str, items: list[tuple[int | str, int | str | None]], buckets: int
    ) -> int:
        heads = [0] * buckets
        for number, (key, value) in enumerate(items):
            bucket = number * 7 % buckets
            fields: dict[str, Any] = {"hash": bucket, "key": key, value_field: value}
            heads[bucket] = self.instance(node_class, **fields, next=heads[bucket])
        return self.object_array(f"{node_class}[]", heads)


def build(write: Callable[[DumpBuilder], object], **options: Any) -> Dump:
    """Write a dump in one expression; ``options`` are DumpBuilder's."""
    builder = DumpBuilder(**options)
    write(builder)
    return builder.dump()

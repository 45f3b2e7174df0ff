"""The HPROF binary format: tags, types, and where the parts of a record stand.

Specification: ``hprof_b_spec.h`` of the JDK 5 to 8 HPROF agent,
https://hg.openjdk.org/jdk8u/jdk8u/jdk/file/tip/src/share/demo/jvmti/hprof/manual.html,
and the comment at the top of HotSpot's ``src/hotspot/share/services/heapDumper.cpp``.
Android's additions (version 1.0.3): ``art/runtime/hprof/hprof.cc``.

All integers in a dump are big-endian.  ``id`` below is an unsigned integer of the
identifier size that the header gives (4 or 8 bytes).
"""

from __future__ import annotations

import struct
from enum import IntEnum

MAGIC_PREFIX = b"JAVA PROFILE 1.0."
FORMAT_VERSIONS = ("1.0.1", "1.0.2", "1.0.3")
HEADER_BYTES = 19 + 4 + 8  # "JAVA PROFILE 1.0.x\0", u4 identifier size, u8 milliseconds
RECORD_HEADER_BYTES = 9  # u1 tag, u4 microseconds since the header's time, u4 body length
RECORD_LENGTH_OFFSET = 5  # of the body length in it


class RecordTag(IntEnum):
    """Tags of top-level records; the comment gives the body."""

    UTF8 = 0x01  # id, bytes to the record's end
    LOAD_CLASS = 0x02  # u4 class serial, id class object, u4 stack trace serial, id name
    UNLOAD_CLASS = 0x03  # u4 class serial
    FRAME = 0x04  # id frame, id method, id signature, id source file, u4 class serial, i4 line
    TRACE = 0x05  # u4 stack trace serial, u4 thread serial, u4 n, n x id frame
    ALLOC_SITES = 0x06
    HEAP_SUMMARY = 0x07
    START_THREAD = 0x0A
    END_THREAD = 0x0B
    HEAP_DUMP = 0x0C  # sub-records; one record holds the whole heap
    CPU_SAMPLES = 0x0D
    CONTROL_SETTINGS = 0x0E
    HEAP_DUMP_SEGMENT = 0x1C  # sub-records; many of these hold the heap together
    HEAP_DUMP_END = 0x2C


class SubRecordTag(IntEnum):
    """Tags of the sub-records inside a heap dump record."""

    ROOT_JNI_GLOBAL = 0x01  # id object, id JNI global reference
    ROOT_JNI_LOCAL = 0x02  # id, u4 thread serial, u4 frame number
    ROOT_JAVA_FRAME = 0x03  # id, u4 thread serial, u4 frame number
    ROOT_NATIVE_STACK = 0x04  # id, u4 thread serial
    ROOT_STICKY_CLASS = 0x05  # id
    ROOT_THREAD_BLOCK = 0x06  # id, u4 thread serial
    ROOT_MONITOR_USED = 0x07  # id
    ROOT_THREAD_OBJECT = 0x08  # id (may be 0), u4 thread serial, u4 stack trace serial
    CLASS_DUMP = 0x20
    INSTANCE_DUMP = 0x21  # id, u4 stack trace serial, id class, u4 n, n bytes
    OBJECT_ARRAY_DUMP = 0x22  # id, u4 stack trace serial, u4 n, id array class, n x id
    PRIMITIVE_ARRAY_DUMP = 0x23  # id, u4 stack trace serial, u4 n, u1 type, n elements
    # Android (1.0.3)
    ROOT_INTERNED_STRING = 0x89  # id
    ROOT_FINALIZING = 0x8A  # id
    ROOT_DEBUGGER = 0x8B  # id
    ROOT_REFERENCE_CLEANUP = 0x8C  # id
    ROOT_VM_INTERNAL = 0x8D  # id
    ROOT_JNI_MONITOR = 0x8E  # id, u4 thread serial, u4 frame number
    UNREACHABLE = 0x90  # id
    PRIMITIVE_ARRAY_NODATA = 0xC3  # id, u4 stack trace serial, u4 n, u1 type
    HEAP_DUMP_INFO = 0xFE  # u4 heap number, id heap name
    ROOT_UNKNOWN = 0xFF  # id


# What people read for each kind of GC root; the words of Eclipse MAT where it has one.
ROOT_KIND_NAMES: dict[int, str] = {
    SubRecordTag.ROOT_JNI_GLOBAL: "JNI global",
    SubRecordTag.ROOT_JNI_LOCAL: "JNI local",
    SubRecordTag.ROOT_JAVA_FRAME: "Java frame",
    SubRecordTag.ROOT_NATIVE_STACK: "native stack",
    SubRecordTag.ROOT_STICKY_CLASS: "system class",
    SubRecordTag.ROOT_THREAD_BLOCK: "thread block",
    SubRecordTag.ROOT_MONITOR_USED: "busy monitor",
    SubRecordTag.ROOT_THREAD_OBJECT: "thread",
    SubRecordTag.ROOT_INTERNED_STRING: "interned string",
    SubRecordTag.ROOT_FINALIZING: "finalizing",
    SubRecordTag.ROOT_DEBUGGER: "debugger",
    SubRecordTag.ROOT_REFERENCE_CLEANUP: "reference cleanup",
    SubRecordTag.ROOT_VM_INTERNAL: "VM internal",
    SubRecordTag.ROOT_JNI_MONITOR: "JNI monitor",
    SubRecordTag.UNREACHABLE: "unreachable",
    SubRecordTag.ROOT_UNKNOWN: "unknown",
}


class BasicType(IntEnum):
    """Types of fields and of array elements."""

    OBJECT = 2
    BOOLEAN = 4
    CHAR = 5
    FLOAT = 6
    DOUBLE = 7
    BYTE = 8
    SHORT = 9
    INT = 10
    LONG = 11

    @property
    def java_name(self) -> str:
        """The keyword in Java source; ``Object`` for references."""
        return "Object" if self is BasicType.OBJECT else self.name.lower()


# Bytes of a primitive value, in the dump and in the heap, by type code; a reference takes the identifier
# size in the dump, and in the heap what the VM uses.
VALUE_BYTES: dict[int, int] = {
    BasicType.BOOLEAN: 1,
    BasicType.CHAR: 2,
    BasicType.FLOAT: 4,
    BasicType.DOUBLE: 8,
    BasicType.BYTE: 1,
    BasicType.SHORT: 2,
    BasicType.INT: 4,
    BasicType.LONG: 8,
}

# Their formats as `struct` wants them, without the byte order.
VALUE_FORMATS: dict[int, str] = {
    BasicType.BOOLEAN: "?",
    BasicType.CHAR: "H",
    BasicType.FLOAT: "f",
    BasicType.DOUBLE: "d",
    BasicType.BYTE: "b",
    BasicType.SHORT: "h",
    BasicType.INT: "i",
    BasicType.LONG: "q",
}
TYPE_CODES = 12  # length of an array by type code: codes are 2 to 11

# Bodies of top-level records that always have the same parts: (plain bytes, identifiers).
RECORD_BODIES: dict[RecordTag, tuple[int, int]] = {
    RecordTag.LOAD_CLASS: (8, 2),
    RecordTag.UNLOAD_CLASS: (4, 0),
    RecordTag.FRAME: (8, 4),
    RecordTag.HEAP_SUMMARY: (24, 0),
    RecordTag.START_THREAD: (8, 4),
    RecordTag.END_THREAD: (4, 0),
    RecordTag.CONTROL_SETTINGS: (6, 0),
    RecordTag.HEAP_DUMP_END: (0, 0),
}
LOAD_CLASS_BODY, FRAME_BODY = RECORD_BODIES[RecordTag.LOAD_CLASS], RECORD_BODIES[RecordTag.FRAME]
TRACE_HEAD_BYTES = 12  # of a TRACE record's body, in front of the frames

# The same of sub-records, behind their tag: roots and Android's heap info.
SUB_RECORD_BODIES: dict[SubRecordTag, tuple[int, int]] = {
    SubRecordTag.ROOT_JNI_GLOBAL: (0, 2),
    SubRecordTag.ROOT_JNI_LOCAL: (8, 1),
    SubRecordTag.ROOT_JAVA_FRAME: (8, 1),
    SubRecordTag.ROOT_NATIVE_STACK: (4, 1),
    SubRecordTag.ROOT_STICKY_CLASS: (0, 1),
    SubRecordTag.ROOT_THREAD_BLOCK: (4, 1),
    SubRecordTag.ROOT_MONITOR_USED: (0, 1),
    SubRecordTag.ROOT_THREAD_OBJECT: (8, 1),
    SubRecordTag.ROOT_INTERNED_STRING: (0, 1),
    SubRecordTag.ROOT_FINALIZING: (0, 1),
    SubRecordTag.ROOT_DEBUGGER: (0, 1),
    SubRecordTag.ROOT_REFERENCE_CLEANUP: (0, 1),
    SubRecordTag.ROOT_VM_INTERNAL: (0, 1),
    SubRecordTag.ROOT_JNI_MONITOR: (8, 1),
    SubRecordTag.UNREACHABLE: (0, 1),
    SubRecordTag.HEAP_DUMP_INFO: (4, 1),
    SubRecordTag.ROOT_UNKNOWN: (0, 1),
}


def record_body_bytes(tag: RecordTag, identifier_bytes: int) -> int:
    """Bytes of the body of a top-level record of a kind in `RECORD_BODIES`."""
    plain, identifiers = RECORD_BODIES[tag]
    return plain + identifiers * identifier_bytes


# Where the parts of a sub-record stand, in bytes from its tag, which takes one.  numba compiles these
# functions for the kernels too, so they call nothing else.

OBJECT_ID_OFFSET = 1  # the identifier comes first in every sub-record but HEAP_DUMP_INFO


def instance_class_offset(identifier_bytes: int) -> int:
    """Where an INSTANCE_DUMP has the identifier of its class."""
    return 5 + identifier_bytes


def instance_length_offset(identifier_bytes: int) -> int:
    """Where an INSTANCE_DUMP has the length of its field values, a u4."""
    return 5 + 2 * identifier_bytes


def instance_head_bytes(identifier_bytes: int) -> int:
    """Where the field values of an INSTANCE_DUMP begin."""
    return 9 + 2 * identifier_bytes


def array_length_offset(identifier_bytes: int) -> int:
    """Where the dump of an array, of either kind, has the number of its elements, a u4."""
    return 5 + identifier_bytes


def object_array_class_offset(identifier_bytes: int) -> int:
    """Where an OBJECT_ARRAY_DUMP has the identifier of its array class."""
    return 9 + identifier_bytes


def object_array_head_bytes(identifier_bytes: int) -> int:
    """Where the elements of an OBJECT_ARRAY_DUMP begin."""
    return 9 + 2 * identifier_bytes


def element_type_offset(identifier_bytes: int) -> int:
    """Where the dump of a primitive array has the type of its elements, a u1."""
    return 9 + identifier_bytes


def primitive_array_head_bytes(identifier_bytes: int) -> int:
    """Where the elements of a PRIMITIVE_ARRAY_DUMP begin."""
    return 10 + identifier_bytes


def class_head_bytes(identifier_bytes: int) -> int:
    """Where the constant pool of a CLASS_DUMP begins: with its u2 count.

    In front of it: class, u4 stack trace serial, superclass, loader, signers, protection domain, two
    reserved identifiers, u4 instance size.
    """
    return 9 + 7 * identifier_bytes


def is_object_tag(tag: int) -> bool:
    """Whether a sub-record with this tag is an object: a class, an instance, an array."""
    return (
        SubRecordTag.CLASS_DUMP <= tag <= SubRecordTag.PRIMITIVE_ARRAY_DUMP
        or tag == SubRecordTag.PRIMITIVE_ARRAY_NODATA
    )


# A header, one byte[] in a segment, and the end: what loops are compiled with before their dump comes.
TINY_DUMP = (
    b"JAVA PROFILE 1.0.2\0" + struct.pack(">IQ", 8, 0)
    + struct.pack(">BII", RecordTag.HEAP_DUMP_SEGMENT, 0, 19)
    + struct.pack(">BQIIBB", SubRecordTag.PRIMITIVE_ARRAY_DUMP, 8, 0, 1, BasicType.BYTE, 7)
    + struct.pack(">BII", RecordTag.HEAP_DUMP_END, 0, 0)
)  # fmt: skip


def can_begin_heap(tag: int) -> bool:
    """Whether the first byte of a heap record may be this one; where a dump is damaged, a rough test."""
    return (
        SubRecordTag.ROOT_JNI_GLOBAL <= tag <= SubRecordTag.ROOT_THREAD_OBJECT
        or SubRecordTag.CLASS_DUMP <= tag <= SubRecordTag.PRIMITIVE_ARRAY_DUMP
        or tag >= SubRecordTag.ROOT_INTERNED_STRING
    )

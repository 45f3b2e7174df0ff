"""What a test dump is made of, and what was written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from heapscope.parser.tags import BasicType, SubRecordTag
from heapscope.parser.writer import Value
from tests.support.gz import jdk_gzip, plain_gzip

_TYPES = {kind.java_name: kind for kind in BasicType if kind is not BasicType.OBJECT}


def basic_type(name: str) -> BasicType:
    """``"int"`` -> INT; anything that is no primitive is a reference."""
    return _TYPES.get(name, BasicType.OBJECT)


@dataclass(frozen=True)
class Root:
    """A GC root record as written."""

    kind: SubRecordTag
    object_id: int
    thread_serial: int = 0
    frame: int = 0
    reference_id: int = 0


@dataclass(frozen=True)
class Thread:
    """A thread as written."""

    object_id: int
    name: str
    thread_serial: int
    trace_serial: int
    frames: tuple[tuple[str, str, int], ...]  # class, method, line; innermost first


@dataclass
class Truth:
    """What a dump was written from; names in Java source form."""

    classes: dict[str, int] = field(default_factory=dict)  # with a CLASS_DUMP: name -> id
    loaded_only: dict[str, int] = field(default_factory=dict)  # LOAD_CLASS without CLASS_DUMP
    objects: dict[int, str] = field(default_factory=dict)  # id -> class name; no class objects
    roots: list[Root] = field(default_factory=list)
    strings: dict[int, str] = field(default_factory=dict)  # id of the java.lang.String -> text
    threads: list[Thread] = field(default_factory=list)

    @property
    def instance_counts(self) -> Counter[str]:
        return Counter(self.objects.values())


@dataclass(frozen=True)
class Dump:
    """A written dump."""

    data: bytes
    truth: Truth

    def save(
        self, path: Path, *, gzip: Literal["no", "plain", "jdk"] = "no", block_bytes: int = 4096
    ) -> Path:
        """Write it to a file; ``jdk`` makes many gzip members, as ``GC.heap_dump -gz`` does."""
        data = self.data
        if gzip == "plain":
            data = plain_gzip(data)
        elif gzip == "jdk":
            data = jdk_gzip(data, block_bytes)
        path.write_bytes(data)
        return path


@dataclass
class ClassRow:
    name: str
    class_id: int
    super_name: str | None
    fields: dict[str, BasicType]
    statics: list[tuple[str, BasicType, Value]]
    serial: int
    loader_id: int = 0
    has_dump: bool = True
    constant_pool: list[tuple[int, BasicType, Value]] = field(default_factory=list)


@dataclass
class ObjectRow:
    object_id: int
    class_name: str
    values: dict[str, Value] = field(default_factory=dict)  # of an instance
    elements: Sequence[Any] = ()  # of an array
    element_type: BasicType | None = None  # None: an instance
    has_data: bool = True

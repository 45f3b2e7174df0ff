"""The classes of a heap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, overload

import numpy as np

from heapscope.errors import AmbiguousName, ObjectNotFound
from heapscope.heap.graph.class_patterns import matching_classes
from heapscope.parser.records import JavaClass

if TYPE_CHECKING:
    import pandas as pd


class Classes(Sequence[JavaClass]):
    """The classes of a dump: a sequence, and a mapping from names."""

    def __init__(self, classes: list[JavaClass], where: str) -> None:
        self._classes = classes
        self._where = where
        self._by_name: dict[str, JavaClass] = {}
        self._by_id: dict[int, JavaClass] = {}
        for java_class in classes:
            # Of several with one name the boot loader's is meant, or the first.
            if java_class.name not in self._by_name or (
                java_class.loader_id == 0 and self._by_name[java_class.name].loader_id
            ):
                self._by_name[java_class.name] = java_class
            self._by_id.setdefault(java_class.class_id, java_class)

    def __len__(self) -> int:
        return len(self._classes)

    def __iter__(self) -> Iterator[JavaClass]:
        return iter(self._classes)  # that of Sequence asks for one after the other: ten times as slow

    @overload
    def __getitem__(self, key: int | str) -> JavaClass: ...
    @overload
    def __getitem__(self, key: slice) -> list[JavaClass]: ...
    def __getitem__(self, key: int | slice | str) -> JavaClass | list[JavaClass]:
        if isinstance(key, str):
            return self._named(key)
        return self._classes[key]

    def _named(self, key: str) -> JavaClass:
        """By name, by simple name or by glob, as `heapscope.heap.heap.Heap.objects` takes them; one class."""
        if key in self._by_name:
            return self._by_name[key]
        found = matching_classes(key, self._by_name, {}, subclasses=False)
        if not found:
            raise ObjectNotFound(key, self._where, self._by_name)
        if len(found) > 1:
            raise AmbiguousName(key, found)
        return self._by_name[found[0]]

    def __contains__(self, key: object) -> bool:
        return key in self._by_name if isinstance(key, str) else key in self._classes

    def named(self, name: str) -> JavaClass | None:
        """The class of a name, None where the dump has none."""
        return self._by_name.get(name)

    def with_id(self, class_id: int) -> JavaClass | None:
        """The class of an identifier, None where the dump has none."""
        return self._by_id.get(class_id)

    def to_frame(self) -> pd.DataFrame:
        """``class_id, class_name, super_name, loader_id, field_count, static_count``."""
        import pandas as pd

        def name_of(class_id: int) -> str:
            found = self._by_id.get(class_id)
            return found.name if found else ""

        return pd.DataFrame(
            {
                "class_id": np.array([c.class_id for c in self._classes], np.uint64),
                "class_name": [c.name for c in self._classes],
                "super_name": [name_of(c.super_id) if c.super_id else "" for c in self._classes],
                "loader_id": np.array([c.loader_id for c in self._classes], np.uint64),
                "field_count": [len(c.fields) for c in self._classes],
                "static_count": [len(c.statics) for c in self._classes],
            }
        )

    def __repr__(self) -> str:
        return f"<{len(self):,} classes of {self._where}>"

"""What an instance record holds: the fields of its class, then those of each superclass.

The record has no names and no types; both follow from the class dumps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from heapscope.parser.tags import VALUE_BYTES, BasicType

if TYPE_CHECKING:
    from heapscope.parser.records import JavaClass


def super_chain(classes: Mapping[int, JavaClass], class_id: int) -> Iterator[JavaClass]:
    """A class and its superclasses, as far as the dump has them; ends where the chain is a circle."""
    seen: set[int] = set()
    current = classes.get(class_id)
    while current is not None and current.class_id not in seen:
        seen.add(current.class_id)
        yield current
        current = classes.get(current.super_id) if current.super_id else None


def is_circle(classes: Mapping[int, JavaClass], class_id: int) -> bool:
    """Whether a class is its own superclass, or one of its superclasses is."""
    chain = list(super_chain(classes, class_id))
    return bool(chain) and chain[-1].super_id in {each.class_id for each in chain}


def own_bytes(classes: Mapping[int, JavaClass], identifier_bytes: int) -> dict[int, int]:
    """Bytes that the fields a class declares itself take in an instance record, of all dumped classes."""
    value_bytes = {**VALUE_BYTES, BasicType.OBJECT: identifier_bytes}
    return {i: sum([value_bytes[f.type] for f in c.fields]) for i, c in classes.items() if c.is_dumped}


def field_bytes(classes: Mapping[int, JavaClass], own: dict[int, int], class_id: int) -> tuple[int, bool]:
    """Bytes that the fields of a class and its superclasses take in an instance record.

    Parameters
    ----------
    classes : mapping of class id to JavaClass
    own : dict
        What `own_bytes` gives for ``classes``.
    class_id : int

    Returns
    -------
    size : int
    is_whole : bool
        Whether the chain of superclasses is whole; one that is a circle is not.
    """
    total, steps = 0, 0
    while class_id in own and steps <= len(own):
        total += own[class_id]
        class_id = classes[class_id].super_id
        steps += 1
    return total, class_id == 0


class ReferenceFields:
    """Where the references stand in instances of each class.

    Parameters
    ----------
    classes : mapping of class id to JavaClass
    identifier_bytes : int
        Of the dump's header, 4 or 8.
    """

    def __init__(self, classes: Mapping[int, JavaClass], identifier_bytes: int) -> None:
        value_bytes = {**VALUE_BYTES, BasicType.OBJECT: identifier_bytes}
        self._classes = classes
        self._own: dict[int, tuple[list[tuple[int, str]], int]] = {}  # (offset, name) of each, bytes in all
        for java_class in classes.values():
            at, found = 0, []
            for field in java_class.fields:
                if field.type == BasicType.OBJECT:
                    found.append((at, field.name))
                at += value_bytes[field.type]
            self._own[java_class.class_id] = found, at

    def of(self, class_id: int) -> Iterator[tuple[int, str, int]]:
        """Offset in the instance's data, name, and declaring class of each reference, by offset."""
        at = 0
        for java_class in super_chain(self._classes, class_id):
            own, whole = self._own[java_class.class_id]
            for offset, name in own:
                yield at + offset, name, java_class.class_id
            at += whole

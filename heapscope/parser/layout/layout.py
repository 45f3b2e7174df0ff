"""Shallow sizes to the byte: what an object takes in the heap of the VM that wrote the dump.

No dump says how large its objects are: CLASS_DUMP's "instance size" is the sum of the
fields with 8 bytes a reference.  HotSpot's own figures are in the heap, though, as static
fields of ``jdk.internal.misc.Unsafe`` (``sun.misc.Unsafe`` on JDK 8): where arrays of each
type begin and how wide a reference is.  The addresses give the alignment, the fields of
the JDK's classes give the release, and `heapscope.parser.layout.hotspot_fields` the places of fields.

The rules, by `Layout.rule`:

========== ==================================================================================
hotspot-25 JDK 25 and later: gaps of superclasses are filled, runs of references kept together
hotspot-15 JDK 15 to 24: gaps of superclasses are filled
hotspot-9  JDK 9 to 14: a class begins where its superclass ended
mat        JDK 5 to 8, and VMs without ``Unsafe``: as hotspot-9, but nothing is aligned inside
           an object; what Eclipse MAT computes
android    version 1.0.3: as large as the dump declares them
========== ==================================================================================
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from heapscope.parser.layout.hotspot_fields import (
    FieldLayout,
    align_up,
    feature_release,
    own_fields,
    place_fields_before_15,
    place_fields_since_15,
    static_fields_bytes,
)
from heapscope.parser.tags import TYPE_CODES, VALUE_BYTES, BasicType

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from heapscope.parser.layout.array_gaps import ArrayGaps
    from heapscope.parser.records import JavaClass

# HotSpot takes -XX:ObjectAlignmentInBytes from 8 to 256. Among this many objects one lies on
# an odd multiple of the alignment: sizes that are odd multiples are as frequent as even ones.
MAX_ALIGNMENT_BYTES = 256
MIN_OBJECTS_FOR_ALIGNMENT = 64

# Compressed references reach 32 GiB at 8 bytes of alignment.
_COMPRESSED_REACH_BITS = 35

_UNSAFE = ("jdk.internal.misc.Unsafe", "sun.misc.Unsafe")
_ARRAY_BASES = frozenset((12, 16, 20, 24))  # those of all HotSpots; before Unsafe is initialised they are 0
_RULES = ((25, "hotspot-25"), (15, "hotspot-15"), (9, "hotspot-9"), (0, "mat"))  # from a release on

# Compared class by class with the class histogram of a JVM: JDK 11, 17, 21 and 25, which stand for others
# with classes of the same shape; before Unsafe had statics, JDK 6u30 without compressed references.
_CHECKED_RELEASES = frozenset({11, 15, 21, 22, 25})
_UNCHECKED = ", a release on which sizes were not checked"
_BASE_OF_32_BITS = 12  # of byte[]

_ANDROID_VERSION = "1.0.3"
_CLASS = "java.lang.Class"
# klass, array_klass and, since 6, resolved_constructor (``javaClasses.cpp``), references then; by release.
_HIDDEN_REFERENCES = {5: 2, 6: 3}
_STACK_CHUNK = "jdk.internal.vm.StackChunk"
_FILLERS = ("jdk.internal.vm.FillerElement[]", "jdk.internal.vm.FillerArray")  # the latter up to 21.0.2


@dataclass(frozen=True, slots=True)
class Layout:
    """How the VM that wrote the dump lays out objects; all figures in bytes."""

    reference_bytes: int  # in the VM's heap (4 or 8), not in the dump
    word_bytes: int  # of a machine address
    object_header_bytes: int  # where fields may begin: 8, 12 or 16
    array_bases: tuple[tuple[BasicType, int], ...]  # element type -> where its elements begin
    alignment_bytes: int
    release: int  # see hotspot_fields.feature_release; 0 where unknown
    rule: str  # see the module
    confidence: str  # "exact" or "estimated"
    evidence: str  # where the figures come from, one sentence
    is_width_guessed: bool = False  # nothing in the dump says how wide references are

    @property
    def array_header_bytes(self) -> int:
        """Where the elements of ``byte[]`` begin."""
        return dict(self.array_bases)[BasicType.BYTE]

    @property
    def object_array_header_bytes(self) -> int:
        """Where the elements of ``Object[]`` begin."""
        return dict(self.array_bases)[BasicType.OBJECT]

    @property
    def array_base_bytes(self) -> NDArray[np.int64]:
        """Where elements begin, shape (12,), by type code; 0 where the code is none."""
        bases = np.zeros(TYPE_CODES, np.int64)
        for element_type, base in self.array_bases:
            bases[element_type] = base
        return bases

    @property
    def array_scale_bytes(self) -> NDArray[np.int64]:
        """Bytes of an element, shape (12,), by type code; 0 where the code is none."""
        scales = np.zeros(TYPE_CODES, np.int64)
        for element_type, size in VALUE_BYTES.items():
            scales[element_type] = size
        scales[BasicType.OBJECT] = self.reference_bytes
        return scales

    def array_bytes(self, element_type: BasicType, length: int) -> int:
        """Shallow bytes of an array of ``length`` elements."""
        scale = VALUE_BYTES.get(element_type, self.reference_bytes)
        return align_up(dict(self.array_bases)[element_type] + length * scale, self.alignment_bytes)

    def stack_chunk_bytes(self, instance_bytes: int, size_words: int) -> int:
        """Shallow bytes of a ``jdk.internal.vm.StackChunk``, which holds a piece of a stack.

        Parameters
        ----------
        instance_bytes : int
            What `instance_bytes` gives for the class.
        size_words : int
            The object's field ``size``, which the dump has.
        """
        # A bit for each place a reference could be at, in whole words.
        words = max(size_words, 0)
        bitmap_bits = words * self.word_bytes // self.reference_bytes
        bitmap_words = -(-bitmap_bits // (8 * self.word_bytes))
        return align_up(instance_bytes + (words + bitmap_words) * self.word_bytes, self.alignment_bytes)


def infer_layout(
    classes: Mapping[int, JavaClass],
    *,
    identifier_bytes: int,
    address_bits: int,
    object_count: int,
    format_version: str,
    gaps: ArrayGaps | None = None,
) -> Layout:
    """The layout of the VM that wrote a dump.

    Parameters
    ----------
    classes : mapping of class id to JavaClass
        All classes of the dump.
    identifier_bytes : int
        Of the dump's header, 4 or 8.
    address_bits : int
        Bitwise OR of the addresses of all objects.
    object_count : int
        How many objects that was.
    format_version : str
        Of the dump's header: ``"1.0.1"``, ``"1.0.2"``, ``"1.0.3"``.
    gaps : ArrayGaps, optional
        What lies behind arrays of references, where `Layout.is_width_guessed` was true without it.
    """
    word = 4 if identifier_bytes == 4 else 8
    if format_version == _ANDROID_VERSION:
        return Layout(
            reference_bytes=4,
            word_bytes=word,
            object_header_bytes=8,
            array_bases=_array_bases(12, 4, 12),
            alignment_bytes=8,
            release=0,
            rule="android",
            confidence="estimated",
            evidence="Android dump (1.0.3): instances are as large as the dump declares them",
        )
    alignment = _alignment(address_bits, object_count)
    release, label = feature_release(classes.values())
    figures = _unsafe_figures(classes.values())
    if figures is None:
        return _guessed_layout(word, address_bits, alignment, release, label, gaps)
    bases = tuple(
        (element_type, figures[f"ARRAY_{element_type.name}_BASE_OFFSET"]) for element_type in BasicType
    )
    byte_base = figures["ARRAY_BYTE_BASE_OFFSET"]
    reference = figures["ARRAY_OBJECT_INDEX_SCALE"]
    if byte_base > _BASE_OF_32_BITS:
        word = 8  # agents number objects, with 4 bytes also in a 64-bit VM
    rule = next(name for first, name in _RULES if release >= first)
    owner = _UNSAFE[1] if release < 9 else _UNSAFE[0]
    evidence = (
        f"statics of {owner} ({reference}-byte references, byte[] header {byte_base}), "
        f"objects on multiples of {alignment}, classes shaped as in JDK {label}"
    )
    return Layout(
        reference_bytes=reference,
        word_bytes=word,
        # The length, 4 bytes, stands behind the header; up to JDK 22 elements began at a whole word,
        # so 24 is a header of 16, a length and 4 bytes of nothing.
        object_header_bytes=min(byte_base - 4, 2 * word),
        array_bases=bases,
        alignment_bytes=alignment,
        release=release,
        rule=rule,
        confidence="exact" if release in _CHECKED_RELEASES else "estimated",
        evidence=evidence if release in _CHECKED_RELEASES else evidence + _UNCHECKED,
    )


def possible_layouts(guess: Layout) -> list[Layout]:
    """The layouts of 64-bit HotSpots that differ in what arrays take; the most usual first.

    Parameters
    ----------
    guess : Layout
        What is known of the dump: its alignment.
    """
    found: dict[tuple[object, ...], Layout] = {}
    # Classic headers with compressed class pointers, compact ones, classic ones without.  Elements began at a
    # whole word up to JDK 22 (JDK-8139457).
    for header in (12, 8, 16):
        for reference in (4, 8):
            for step in (1, 8):
                sizes = {t: VALUE_BYTES.get(t, reference) for t in BasicType}
                bases = tuple((t, align_up(header + 4, max(step, size))) for t, size in sizes.items())
                found.setdefault(
                    (bases, reference),
                    replace(
                        guess,
                        reference_bytes=reference,
                        object_header_bytes=header,
                        array_bases=bases,
                        is_width_guessed=False,
                    ),
                )
    return list(found.values())


def mat_layout(layout: Layout) -> Layout:
    """The layout that Eclipse MAT takes a VM to have, whatever its release: see rule ``mat``.

    Objects begin with a pointer and a reference, arrays with these and a length.
    """
    header = layout.word_bytes + layout.reference_bytes
    base = align_up(header + 4, layout.reference_bytes)
    return replace(
        layout,
        object_header_bytes=header,
        array_bases=tuple((t, header + 4 if t == BasicType.OBJECT else base) for t in BasicType),
        rule="mat",
        release=0,
        confidence="estimated",
        evidence=f"Eclipse MAT's rules, as asked; what is known of the VM: {layout.evidence}",
    )


def instance_bytes(layout: Layout, classes: Mapping[int, JavaClass]) -> dict[int, int]:
    """Shallow bytes of an instance of each class, arrays and stack chunks aside.

    Parameters
    ----------
    classes : mapping of class id to JavaClass
        Superclasses that are missing or in a cycle count as ``java.lang.Object``.

    Returns
    -------
    dict of class id to bytes
        Multiples of the alignment; for ``jdk.internal.vm.StackChunk`` without its stack
        (`Layout.stack_chunk_bytes`), for ``java.lang.Class`` without statics (`mirror_bytes`).
    """
    if layout.rule == "android":
        return {class_id: c.declared_bytes for class_id, c in classes.items()}
    placed = _field_layouts(layout, classes)
    step = max(layout.alignment_bytes, layout.word_bytes)
    found = {class_id: align_up(fields.end_bytes, step) for class_id, fields in placed.items()}
    if _has_statics_elsewhere(layout):
        for class_id, java_class in classes.items():
            if java_class.name == _CLASS and java_class.loader_id == 0:
                end = placed[class_id].end_bytes + _HIDDEN_REFERENCES[layout.release] * layout.reference_bytes
                found[class_id] = align_up(end, step)
    return found


def mirror_bytes(layout: Layout, classes: Mapping[int, JavaClass]) -> dict[int, int]:
    """Shallow bytes of the ``java.lang.Class`` object of each class.

    It ends with the static fields of the class, but up to JDK 6, which kept them elsewhere (JDK-7017732).
    MAT's rule counts nothing but them, and what
    HotSpot shows as if it were one (``<resolved_references>``) too.

    Returns
    -------
    dict of class id to bytes
        Classes that only LOAD_CLASS names have no statics in the dump, and none here.
    """
    mirrors = [c for c in classes.values() if c.name == _CLASS and c.loader_id == 0]
    own = instance_bytes(layout, {c.class_id: c for c in _with_supers(mirrors, classes)})
    base = max((own[c.class_id] for c in mirrors), default=0)
    if _has_statics_elsewhere(layout):
        return dict.fromkeys(classes, base)
    if layout.rule == "mat":
        return {
            class_id: align_up(
                sum(VALUE_BYTES.get(s.type, layout.reference_bytes) for s in c.statics),
                layout.alignment_bytes,
            )
            for class_id, c in classes.items()
        }
    return {
        class_id: align_up(
            base + static_fields_bytes(c, layout.reference_bytes, layout.word_bytes), layout.alignment_bytes
        )
        for class_id, c in classes.items()
    }


def _has_statics_elsewhere(layout: Layout) -> bool:
    """Whether class objects are all alike: up to JDK 6."""
    return layout.rule == "mat" and layout.release in _HIDDEN_REFERENCES


def stack_chunk_classes(classes: Mapping[int, JavaClass]) -> list[int]:
    """Ids of classes whose instances vary in size: see `Layout.stack_chunk_bytes`."""
    return [class_id for class_id, c in classes.items() if c.name == _STACK_CHUNK and c.loader_id == 0]


def filler_class(classes: Mapping[int, JavaClass]) -> int | None:
    """Id of the class of arrays that fill dead space, None where the VM has none (before JDK 19).

    The dump shows them as ``int[]`` that nothing refers to, be it field, array, static or GC root;
    a class histogram of the VM counts them under this class.
    """
    return next((i for i, c in classes.items() if c.name in _FILLERS and c.loader_id == 0), None)


def _field_layouts(layout: Layout, classes: Mapping[int, JavaClass]) -> dict[int, FieldLayout]:
    """The placed fields of each class; superclasses first, without recursion."""
    root = FieldLayout(end_bytes=layout.object_header_bytes, fields_end_bytes=layout.object_header_bytes)
    placed: dict[int, FieldLayout] = {}
    for class_id in classes:
        chain: list[JavaClass] = []
        seen: set[int] = set()
        current = class_id
        while current in classes and current not in placed and current not in seen:
            seen.add(current)
            chain.append(classes[current])
            current = classes[current].super_id
        above = placed.get(current, root)
        for java_class in reversed(chain):
            above = _place(layout, above, java_class)
            placed[java_class.class_id] = above
    return placed


def _place(layout: Layout, above: FieldLayout, java_class: JavaClass) -> FieldLayout:
    reference = layout.reference_bytes
    if layout.rule == "mat":
        sizes = sum(VALUE_BYTES.get(f.type, reference) for f in java_class.fields)
        end = align_up(above.end_bytes + sizes, reference)
        return FieldLayout(end_bytes=end, fields_end_bytes=end)
    own = own_fields(java_class, layout.release, reference, layout.word_bytes)
    if layout.rule == "hotspot-9":
        return place_fields_before_15(above, own, reference)
    return place_fields_since_15(above, own, reference, is_reference_run_kept=layout.rule == "hotspot-25")


def _with_supers(some: Iterable[JavaClass], classes: Mapping[int, JavaClass]) -> list[JavaClass]:
    found: dict[int, JavaClass] = {}
    for java_class in some:
        current: JavaClass | None = java_class
        while current is not None and current.class_id not in found:
            found[current.class_id] = current
            current = classes.get(current.super_id)
    return list(found.values())


def _unsafe_figures(classes: Iterable[JavaClass]) -> dict[str, int] | None:
    """Integer statics of ``Unsafe``, None where they are missing or not set yet."""
    found = {c.name: c for c in classes if c.name in _UNSAFE and c.loader_id == 0}
    for name in _UNSAFE:
        if name not in found:
            continue
        integers = (s for s in found[name].statics if s.type in (BasicType.INT, BasicType.LONG))
        figures = {s.name: int(s.value) for s in integers}
        bases = [figures.get(f"ARRAY_{t.name}_BASE_OFFSET", 0) for t in BasicType]
        if all(base in _ARRAY_BASES for base in bases) and figures.get("ARRAY_OBJECT_INDEX_SCALE") in (4, 8):
            return figures
    return None


def _alignment(address_bits: int, object_count: int) -> int:
    """The largest power of two that divides all addresses, 8 where few objects could mislead."""
    if object_count < MIN_OBJECTS_FOR_ALIGNMENT or address_bits <= 0:
        return 8
    return min(max(address_bits & -address_bits, 8), MAX_ALIGNMENT_BYTES)


def _array_bases(header: int, reference_bytes: int, object_base: int) -> tuple[tuple[BasicType, int], ...]:
    return tuple(
        (t, object_base if t == BasicType.OBJECT else align_up(header, min(VALUE_BYTES[t], 8)))
        for t in BasicType
    )


def _guessed_layout(
    word: int, address_bits: int, alignment: int, release: int, label: str, gaps: ArrayGaps | None
) -> Layout:
    reach = _COMPRESSED_REACH_BITS + (alignment // 8).bit_length() - 1
    is_guessed = word == 8 and address_bits.bit_length() <= reach
    reference = 4 if word == 4 or is_guessed else 8
    if word == 4:
        reason = "identifiers of 4 bytes, so a 32-bit VM"
    elif not is_guessed:
        reason = f"addresses above 2**{reach}, so references take 8 bytes"
    elif gaps is not None and gaps.reference_bytes is not None:
        reference, is_guessed, reason = gaps.reference_bytes, False, gaps.evidence
    else:
        reason = f"all addresses below 2**{reach}, so references are taken to be compressed to 4 bytes"
        reason += "" if gaps is None else f"; {gaps.evidence}"
    header = word + reference
    base = align_up(header + 4, reference)
    is_checked = (release, word, reference) == (6, 8, 8) and not is_guessed
    if release < 8:
        reason += f"; classes shaped as in JDK {label}" + ("" if is_checked else _UNCHECKED)
    return Layout(
        reference_bytes=reference,
        word_bytes=word,
        object_header_bytes=header,
        array_bases=_array_bases(base, reference, base),
        alignment_bytes=alignment,
        release=release if release < 8 else 0,
        rule="mat",
        confidence="exact" if is_checked else "estimated",
        evidence=f"no statics of Unsafe in the dump; {reason}",
        is_width_guessed=is_guessed and gaps is None,
    )

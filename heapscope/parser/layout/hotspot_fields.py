"""Where HotSpot puts fields: the rules, the fields it adds, the fields it pads.

A dump gives the fields of each class, in the order of the class file, and no offsets.
HotSpot has had two ways to place them, and both are deterministic:

* up to JDK 14, ``ClassFileParser::layout_fields`` in
  ``src/hotspot/share/classfile/classFileParser.cpp`` (`place_fields_before_15`);
* since JDK 15, ``src/hotspot/share/classfile/fieldLayoutBuilder.cpp`` (`place_fields_since_15`),
  where a subclass fills the gaps its superclasses left.

Fields the VM adds to classes of the JDK (``javaClasses.hpp``, ``*_INJECTED_FIELDS``) are in no
dump, nor is the annotation ``@Contended``, which HotSpot obeys in classes of the boot loader:
`INJECTED_FIELDS` and `CONTENDED_FIELDS` list both by release.  Sources: the HotSpot sources of
11, 17, 21 and 25, and the annotation read from all class files of JDK 11, 17, 21 and 25.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from heapscope.parser.tags import VALUE_BYTES, BasicType

if TYPE_CHECKING:
    from heapscope.parser.records import JavaClass

# -XX:ContendedPaddingWidth, twice the cache line because processors prefetch pairs of lines.
CONTENDED_PADDING_BYTES = 128

NEWEST_RELEASE = 999  # "to this day" in the tables


class InjectedField(NamedTuple):
    """A field HotSpot adds to a class of the boot loader."""

    name: str
    kind: str  # "address" (a machine word), "reference", or the name of a BasicType
    first_release: int
    last_release: int


def _injected(name: str, kind: str, first: int = 0, last: int = NEWEST_RELEASE) -> InjectedField:
    return InjectedField(name, kind, first, last)


# A Java field of the same name takes the place of the injected one: HotSpot has moved
# fields into the Java source over time (signers, vmholder).
INJECTED_FIELDS: dict[str, tuple[InjectedField, ...]] = {
    "java.lang.Class": (
        _injected("klass", "address"),
        _injected("array_klass", "address"),
        _injected("oop_size", "INT"),
        _injected("static_oop_field_count", "INT"),
        _injected("protection_domain", "reference", last=24),
        _injected("signers", "reference", last=24),
        _injected("source_file", "reference", first=11),
        # From 9 to 21.0.4 the lock shares the place of componentType.
        _injected("init_lock", "reference", last=8),
        _injected("init_lock", "reference", first=22),
    ),
    "java.lang.String": (_injected("flags", "BYTE", first=15),),
    "java.lang.ClassLoader": (_injected("loader_data", "address", first=9),),
    "java.lang.Module": (_injected("module_entry", "address", first=9),),
    "java.lang.Thread": (
        _injected("jvmti_thread_state", "address", first=19),
        _injected("jvmti_VTMS_transition_disable_count", "INT", first=21),
        _injected("jvmti_is_in_VTMS_transition", "BOOLEAN", first=21),
        _injected("jfr_epoch", "SHORT", first=19),
    ),
    "java.lang.VirtualThread": (_injected("objectWaiter", "address", first=24),),
    "java.lang.InternalError": (_injected("during_unsafe_access", "BOOLEAN", first=15),),
    "java.lang.StackFrameInfo": (_injected("version", "SHORT", first=9),),
    "java.lang.invoke.MemberName": (
        _injected("vmloader", "reference", last=8),
        _injected("vmindex", "address"),
        _injected("vmtarget", "address", last=8),
    ),
    "java.lang.invoke.ResolvedMethodName": (
        _injected("vmholder", "reference", first=9),
        _injected("vmtarget", "address", first=9),
    ),
    "java.lang.invoke.MethodHandleNatives$CallSiteContext": (
        _injected("vmdependencies", "address", first=9),
        _injected("last_cleanup", "LONG", first=12),
    ),
    "java.lang.invoke.CallSite": (  # where there is no CallSiteContext any more
        _injected("vmdependencies", "address", first=25),
        _injected("last_cleanup", "LONG", first=25),
    ),
    "jdk.internal.vm.StackChunk": (
        _injected("cont", "reference", first=19),
        _injected("flags", "BYTE", first=19),
        _injected("pc", "address", first=19),
        _injected("maxThawingSize", "INT", first=19),
        _injected("lockStackSize", "BYTE", first=24),
    ),
}


class ContendedFields(NamedTuple):
    """Where a class of the boot loader carries ``@Contended``."""

    first_release: int
    last_release: int
    needed_field: str  # the row holds only for classes with this field; "" for all
    is_whole_class: bool
    groups: Mapping[str, str]  # field -> group


def _contended(
    first: int, last: int = NEWEST_RELEASE, *, having: str = "", whole: bool = False, **groups: str
) -> ContendedFields:
    names = {name: group for group, joined in groups.items() for name in joined.split()}
    return ContendedFields(first, last, having, whole, names)


# The last row that holds counts.
CONTENDED_FIELDS: dict[str, tuple[ContendedFields, ...]] = {
    "java.lang.Thread": (
        _contended(8, 18, tlr="threadLocalRandomSeed threadLocalRandomProbe threadLocalRandomSecondarySeed"),
    ),
    "java.util.concurrent.ConcurrentHashMap$CounterCell": (_contended(8, whole=True),),
    "java.util.concurrent.atomic.Striped64$Cell": (_contended(8, whole=True),),
    "java.util.concurrent.Exchanger$Node": (_contended(8, whole=True),),
    "java.util.concurrent.Exchanger$Slot": (_contended(9, whole=True),),
    "java.util.concurrent.ForkJoinPool": (
        _contended(8, 8, whole=True),
        _contended(9, fjpctl="ctl parallelism"),
    ),
    "java.util.concurrent.ForkJoinPool$WorkQueue": (
        _contended(9, w="top source nsteals"),  # 17
        _contended(8, having="pool", whole=True),  # up to 16
        _contended(19, having="access", w="top source nsteals phase access"),  # 21
        _contended(19, having="parking", w="top source nsteals phase stackPred parking"),  # 25
    ),
    "java.util.concurrent.SubmissionPublisher$BufferedSubscription": (
        _contended(9, whole=True, c="demand waiting"),
    ),
}


# Boot classes that JDK 8 to 14 lay out references first and without filling gaps, because
# HotSpot once had their offsets hard-coded.
_REFERENCES_FIRST = frozenset(
    {
        "java.lang.AssertionStatusDirectives",
        "java.lang.Boolean",
        "java.lang.Byte",
        "java.lang.Character",
        "java.lang.Class",
        "java.lang.ClassLoader",
        "java.lang.Double",
        "java.lang.Float",
        "java.lang.Integer",
        "java.lang.Long",
        "java.lang.Short",
        "java.lang.StackTraceElement",
        "java.lang.String",
        "java.lang.Throwable",
        "java.lang.ref.Reference",
        "java.lang.ref.SoftReference",
    }
)


@dataclass(frozen=True, slots=True)
class FieldLayout:
    """The placed instance fields of a class, its superclasses' included."""

    end_bytes: int  # where the last field ends, padding behind it included
    fields_end_bytes: int  # where the last field ends
    gaps: tuple[tuple[int, int], ...] = ()  # (offset, bytes) that a subclass may fill, by offset
    has_fields: bool = False
    is_contended: bool = False  # the class or a superclass carries @Contended
    ends_with_reference: bool = False


@dataclass(slots=True)
class OwnFields:
    """What a class adds to its superclass: sizes in bytes, in the order of the dump."""

    primitives: list[int] = field(default_factory=list)
    reference_count: int = 0
    # By group: bytes, and whether it is a reference.
    contended: dict[str, list[tuple[int, bool]]] = field(default_factory=dict)
    is_contended_class: bool = False
    is_references_first: bool = False


def align_up(value: int, step: int) -> int:
    """The next multiple of ``step``, a power of two."""
    return (value + step - 1) & -step


def own_fields(java_class: JavaClass, release: int, reference_bytes: int, word_bytes: int) -> OwnFields:
    """Fields that a class declares, and those that the VM adds to it.

    Parameters
    ----------
    java_class : JavaClass
    release : int
        As `feature_release` has it.
    reference_bytes, word_bytes : int
        Of a reference in the heap, of a machine address.
    """
    own = OwnFields()
    groups: Mapping[str, str] = {}
    is_boot = java_class.loader_id == 0
    names = {declared.name for declared in java_class.fields}
    if is_boot:
        own.is_references_first = java_class.name in _REFERENCES_FIRST
        for row in CONTENDED_FIELDS.get(java_class.name, ()):
            is_there = not row.needed_field or row.needed_field in names
            if is_there and row.first_release <= release <= row.last_release:
                own.is_contended_class, groups = row.is_whole_class, row.groups
    for declared in java_class.fields:
        is_reference = declared.type == BasicType.OBJECT
        size = reference_bytes if is_reference else VALUE_BYTES[declared.type]
        group = groups.get(declared.name)
        if group is not None:
            own.contended.setdefault(group, []).append((size, is_reference))
        elif is_reference:
            own.reference_count += 1
        else:
            own.primitives.append(size)
    if is_boot and java_class.name in INJECTED_FIELDS:
        for injected in INJECTED_FIELDS[java_class.name]:
            if injected.name in names or not injected.first_release <= release <= injected.last_release:
                continue
            if injected.kind == "reference":
                own.reference_count += 1
            elif injected.kind == "address":
                own.primitives.append(word_bytes)
            else:
                own.primitives.append(VALUE_BYTES[BasicType[injected.kind]])
    return own


def place_fields_since_15(
    above: FieldLayout, own: OwnFields, reference_bytes: int, *, is_reference_run_kept: bool
) -> FieldLayout:
    """Fields of a class from those of its superclass, by the rule of JDK 15 and later.

    Primitives go first, the biggest first, then references; each into the smallest gap
    that fits, else to the end.  Nothing goes into a gap beside contended fields.

    Parameters
    ----------
    above : FieldLayout
        Of the superclass.
    own : OwnFields
    reference_bytes : int
        Of a reference in the heap.
    is_reference_run_kept : bool
        JDK 25 puts references first where the superclass ends with one, to keep them together
        (JDK-8353273).
    """
    end = above.fields_end_bytes
    gaps = [] if above.is_contended else list(above.gaps)
    last_is_reference = above.ends_with_reference
    is_append_only = above.is_contended and above.has_fields
    if above.is_contended:
        end += CONTENDED_PADDING_BYTES
    if own.is_contended_class:
        end += CONTENDED_PADDING_BYTES
        gaps, is_append_only = [], True
    fields_end = above.fields_end_bytes

    def append(size: int) -> int:
        nonlocal end
        offset = align_up(end, size)
        if offset > end and not is_append_only:
            gaps.append((end, offset - end))
        end = offset + size
        return offset

    def place(size: int) -> int:
        fitting = [
            (room, -offset, index)
            for index, (offset, room) in enumerate(gaps)
            if align_up(offset, size) + size <= offset + room
        ]
        if is_append_only or not fitting:
            return append(size)
        room, negative, index = min(fitting)
        start = -negative
        offset = align_up(start, size)
        rest = ((start, offset - start), (offset + size, start + room - offset - size))
        gaps[index : index + 1] = [gap for gap in rest if gap[1]]
        return offset

    def place_all(sizes: Iterable[int], is_reference: bool) -> None:
        nonlocal fields_end, last_is_reference
        for size in sizes:
            offset = place(size)
            if offset + size > fields_end:
                fields_end, last_is_reference = offset + size, is_reference

    primitives = sorted(own.primitives, reverse=True)
    references = [reference_bytes] * own.reference_count
    if is_reference_run_kept and above.ends_with_reference:
        place_all(references, True)
        place_all(primitives, False)
    else:
        place_all(primitives, False)
        place_all(references, True)
    for group in own.contended.values():
        end += CONTENDED_PADDING_BYTES
        is_append_only = True
        place_all(sorted((size for size, is_reference in group if not is_reference), reverse=True), False)
        place_all((size for size, is_reference in group if is_reference), True)
    is_contended = own.is_contended_class or bool(own.contended)
    if is_contended:
        end += CONTENDED_PADDING_BYTES
    return FieldLayout(
        end_bytes=end,
        fields_end_bytes=fields_end,
        gaps=tuple(sorted(gaps)),
        has_fields=above.has_fields or bool(primitives or references or own.contended),
        is_contended=above.is_contended or is_contended,
        ends_with_reference=last_is_reference,
    )


def place_fields_before_15(above: FieldLayout, own: OwnFields, reference_bytes: int) -> FieldLayout:
    """Fields of a class from those of its superclass, by the rule of JDK 8 to 14.

    Each class begins where its superclass ended, rounded up to a reference; longs first, then
    ints, shorts, bytes, references.  The gap before the first long takes what fits.

    Parameters
    ----------
    above : FieldLayout
        Of the superclass.
    own : OwnFields
    reference_bytes : int
        Of a reference in the heap.
    """
    start = above.end_bytes
    offset = start + (CONTENDED_PADDING_BYTES if own.is_contended_class else 0)
    longs, ints, shorts, bytes_ = (own.primitives.count(size) for size in (8, 4, 2, 1))
    references = own.reference_count
    if own.is_references_first:
        offset += references * reference_bytes
        references = 0
    if longs:
        room = align_up(offset, 8) - offset
        offset += room
        if room and not own.is_references_first:
            if ints:
                ints, room = ints - 1, room - 4
            taken = min(shorts, room // 2)
            shorts, room = shorts - taken, room - 2 * taken
            taken = min(bytes_, room)
            bytes_, room = bytes_ - taken, room - taken
            if room >= reference_bytes and references:
                references -= 1
    offset += 8 * longs + 4 * ints + 2 * shorts + bytes_
    if references:
        offset = align_up(offset, reference_bytes) + references * reference_bytes
    if own.contended:
        offset += CONTENDED_PADDING_BYTES
        for group in own.contended.values():
            for size, _ in reversed(group):  # these releases dump fields in reverse
                offset = align_up(offset, size) + size
            offset += CONTENDED_PADDING_BYTES
    if own.is_contended_class:
        offset += CONTENDED_PADDING_BYTES
    end = align_up(offset, reference_bytes)
    return FieldLayout(end_bytes=end, fields_end_bytes=end, has_fields=end > start)


def static_fields_bytes(java_class: JavaClass, reference_bytes: int, word_bytes: int) -> int:
    """Bytes the static fields take at the end of the ``java.lang.Class`` object, in whole words.

    References first, then primitives, the biggest first; no gap is filled, in no release.

    Parameters
    ----------
    java_class : JavaClass
    reference_bytes, word_bytes : int
        Of a reference in the heap, of a machine address.
    """
    # HotSpot shows the constant pool's objects and a lock as if they were statics: <resolved_references>.
    types = [static.type for static in java_class.statics if not static.name.startswith("<")]
    offset = types.count(BasicType.OBJECT) * reference_bytes
    for size in sorted((VALUE_BYTES[t] for t in types if t != BasicType.OBJECT), reverse=True):
        offset = align_up(offset, size) + size
    return align_up(offset, word_bytes)


class _Mark(NamedTuple):
    """A class, or a field of it, that is there since a release."""

    release: int
    class_name: str
    field_name: str  # "" where the class itself is new
    label: str  # the releases this mark is the newest of


# Newest first.
_MARKS: tuple[_Mark, ...] = (
    _Mark(25, "java.lang.Class", "protectionDomain", "25 or later"),
    _Mark(24, "java.lang.VirtualThread", "onWaitingList", "24"),
    _Mark(22, "jdk.internal.vm.StackChunk", "bottom", "21 (an update after 21.0.4) to 23"),
    _Mark(21, "java.util.SequencedCollection", "", "21 or 22"),
    _Mark(19, "java.lang.Thread", "holder", "19 or 20"),
    _Mark(15, "java.lang.Class", "classData", "15 to 18"),
    _Mark(13, "java.lang.String", "hashIsZero", "13 or 14"),
    _Mark(11, "jdk.internal.misc.Unsafe", "", "9 to 12"),
    _Mark(8, "java.lang.Thread", "threadLocalRandomSeed", "8"),
    _Mark(7, "java.lang.Throwable", "suppressedExceptions", "7"),
    _Mark(6, "java.lang.Thread", "nativeParkEventPointer", "6"),
    _Mark(5, "java.lang.Thread", "inheritableThreadLocals", "5"),
)


def feature_release(classes: Iterable[JavaClass]) -> tuple[int, str]:
    """JDK feature release, from the shapes of the boot loader's classes.

    Returns
    -------
    release : int
        The oldest that the tables above treat alike, so 15 may stand for 17; 8 where nothing tells.
    label : str
        Which releases those are, in words.
    """
    names = {mark.class_name for mark in _MARKS}
    boot = {c.name: {f.name for f in c.fields} for c in classes if c.name in names and c.loader_id == 0}
    for mark in _MARKS:
        if mark.class_name in boot and (not mark.field_name or mark.field_name in boot[mark.class_name]):
            return mark.release, mark.label
    return 8, "5 to 8"

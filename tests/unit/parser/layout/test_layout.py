"""Shallow sizes, against what ``GC.class_histogram`` of real JVMs said.

The shapes are those of ``tests/support/java/Zoo.java``, the sizes were measured with it on
JDK 11.0.13, 17.0.15, 21.0.8 and 25.0.3, Linux x86_64.
"""

from __future__ import annotations

import pytest

from heapscope.parser.layout.layout import (
    Layout,
    filler_class,
    infer_layout,
    instance_bytes,
    mirror_bytes,
    stack_chunk_classes,
)
from heapscope.parser.records import Field, JavaClass, StaticField
from heapscope.parser.tags import BasicType

TYPES = {
    "Z": BasicType.BOOLEAN,
    "B": BasicType.BYTE,
    "C": BasicType.CHAR,
    "S": BasicType.SHORT,
    "I": BasicType.INT,
    "F": BasicType.FLOAT,
    "J": BasicType.LONG,
    "D": BasicType.DOUBLE,
    "L": BasicType.OBJECT,
}
OBJECT, CLASS, THREAD, STRING, UNSAFE, CHUNK, VIRTUAL, CELL, SEQUENCED = range(1, 10)
OWN = 100  # first id of a test's own classes
APPLICATION_LOADER = 50

# Fields of two JDK classes, types in the order of the dump, some with names: "J eetop".
MIRROR_FIELDS = {
    8: "L L L I L L L L L L L L",
    11: "L L L L L L L L I L L L L L L",
    17: "L L L L classData L L L L I L L L L L L",
    21: "L L L L classData L L L L I L L L L L L",
    25: "L L L L L classData L signers C modifiers Z primitive L L L protectionDomain L I L L L L L L",
}
THREAD_FIELDS = {
    8: "L I L J Z Z Z L L L L L L L J J J I L L L L",
    11: "L I Z Z J L L L L L L J J I L L L L",
    17: "L I Z Z Z J L L L L L L J J I L L L L",
    21: "J J L Z L L L holder L L L L L L L L J I I L L",
    25: "J J L Z L L holder L L L L L L L L J I I L L",
}
TLR = ("J threadLocalRandomSeed", "I threadLocalRandomProbe", "I threadLocalRandomSecondarySeed")


def fields_of(text: str) -> tuple[Field, ...]:
    """``"L classData I"`` -> a reference of that name and an int without one."""
    fields: list[Field] = []
    for word in text.split():
        if word in TYPES:
            fields.append(Field(f"field{len(fields)}", TYPES[word]))
        else:
            fields[-1] = Field(word, fields[-1].type)
    return tuple(fields)


def java_class(
    class_id: int, name: str, fields: str = "", super_id: int = OBJECT, statics: str = "", loader_id: int = 0
) -> JavaClass:
    """A class with fields as `fields_of` reads them, and statics likewise."""
    return JavaClass(
        class_id=class_id,
        name=name,
        super_id=super_id,
        loader_id=loader_id,
        signers_id=0,
        protection_domain_id=0,
        declared_bytes=77,
        fields=fields_of(fields),
        statics=tuple(StaticField(f.name, f.type, 0) for f in fields_of(statics)),
        offset=0,
    )


def unsafe(name: str, reference_bytes: int, base: int, long_base: int, object_base: int) -> JavaClass:
    figures = {f"ARRAY_{t.name}_BASE_OFFSET": base for t in BasicType}
    figures |= {"ARRAY_LONG_BASE_OFFSET": long_base, "ARRAY_DOUBLE_BASE_OFFSET": long_base}
    figures |= {"ARRAY_OBJECT_BASE_OFFSET": object_base, "ARRAY_OBJECT_INDEX_SCALE": reference_bytes}
    statics = tuple(StaticField(n, BasicType.INT, v) for n, v in figures.items())
    return JavaClass(UNSAFE, name, OBJECT, 0, 0, 0, 0, (), statics, 0)


# VM options -> reference bytes, array bases of byte[], long[], Object[]
DEFAULT = (4, 16, 16, 16)
UNCOMPRESSED = (8, 16, 16, 16)
UNCOMPRESSED_CLASSES_TOO = (8, 24, 24, 24)
COMPACT = (4, 12, 16, 12)


def classes_of(release: int, figures: tuple[int, int, int, int], *more: JavaClass) -> dict[int, JavaClass]:
    """Boot classes as a JDK of ``release`` has them, and ``more``."""
    thread = THREAD_FIELDS[release]
    if release < 21:
        thread += " " + " ".join(TLR)
    classes = [
        java_class(OBJECT, "java.lang.Object", super_id=0),
        java_class(CLASS, "java.lang.Class", MIRROR_FIELDS[release]),
        java_class(THREAD, "java.lang.Thread", thread),
        java_class(STRING, "java.lang.String", "L B I Z hashIsZero" if release > 11 else "L B I"),
        unsafe("sun.misc.Unsafe" if release < 9 else "jdk.internal.misc.Unsafe", *figures),
        java_class(CELL, "java.util.concurrent.ConcurrentHashMap$CounterCell", "J"),
    ]
    if release >= 21:
        classes.append(java_class(CHUNK, "jdk.internal.vm.StackChunk", "L I size I I bottom"))
        classes.append(java_class(VIRTUAL, "java.lang.VirtualThread", "L L L I Z L L", super_id=THREAD))
        classes.append(java_class(SEQUENCED, "java.util.SequencedCollection", super_id=OBJECT))
    return {c.class_id: c for c in [*classes, *more]}


def layout_of(classes: dict[int, JavaClass], alignment: int = 8, objects: int = 1000) -> Layout:
    return infer_layout(
        classes,
        identifier_bytes=8,
        address_bits=0xFFFF_FFFF & -alignment,
        object_count=objects,
        format_version="1.0.2",
    )


def chain_of(links: list[str], super_id: int = OBJECT) -> list[JavaClass]:
    """Application classes, each the superclass of the next."""
    return [
        java_class(OWN + i, f"C{i}", link, OWN + i - 1 if i else super_id, loader_id=APPLICATION_LOADER)
        for i, link in enumerate(links)
    ]


VMS = [(11, DEFAULT), (17, DEFAULT), (17, UNCOMPRESSED), (25, DEFAULT), (25, COMPACT)]
VM_NAMES = ["11", "17", "17-uncompressed", "25", "25-compact"]

# Own fields of the classes of a chain -> bytes of an instance of the last, in each of VMS.
MEASURED = {
    "": (16, 16, 16, 16, 8),  # Empty
    "B": (16, 16, 16, 16, 16),  # OneByte
    "B > B": (24, 16, 16, 16, 16),  # ByteByte
    "B > J": (24, 24, 24, 24, 24),  # ByteLong
    "B > J > S": (32, 24, 24, 24, 24),  # ByteLongShort
    "B > J > S > L Z": (40, 32, 32, 32, 24),  # ByteLongShortRef
    "I > I": (24, 24, 24, 24, 16),  # IntInt
    "I > I > J I": (32, 32, 32, 32, 32),  # IntIntLong
    "J": (24, 24, 24, 24, 16),  # OneLong
    "J > I": (32, 24, 24, 24, 24),  # LongInt
    "J > I > B Z": (32, 32, 32, 32, 24),  # LongIntBytes
    "C C C": (24, 24, 24, 24, 16),  # ThreeChars
    "B J L S C I D F Z": (48, 48, 56, 48, 48),  # Mixed
    "B J L S C I D F Z > L B J": (64, 64, 72, 64, 56),  # MixedMore
    "L": (16, 16, 24, 16, 16),  # OneRef
    "L > J": (24, 24, 32, 24, 24),  # RefLong
    "L > J > L B": (32, 32, 40, 32, 32),  # RefLongRef
    "L > I": (24, 24, 24, 24, 16),  # RefInt
    "L > I > L L D S": (40, 40, 56, 40, 40),  # RefIntRefs
    "L L > L > B > L J": (40, 40, 56, 40, 40),  # ThreeRefsByteRef
    "B B B B B B B > I": (24, 24, 24, 24, 24),  # SevenBytesInt
    "B B B B B B B > I > J": (32, 32, 32, 32, 32),  # SevenBytesIntLong
    "D B > L": (32, 32, 32, 32, 24),  # DoubleByteRef
    "D B > L > L S": (40, 32, 40, 32, 32),  # DoubleByteRefs
    " > I > J": (24, 24, 24, 24, 24),  # EmptyIntLong
}
MEASURED_THREADS = {
    "": (368, 368, 408, 112, 112),  # Thread itself
    "B L": (376, 376, 424, 120, 120),  # MyThread: behind the padding of JDK 11 and 17
    "B L > J I": (392, 520, 568, 136, 128),  # MyThreadMore: padded again, as JDK 17 does
}
# Statics -> bytes of the java.lang.Class object; the first row is that of a class without.
MEASURED_MIRRORS = {
    "": (112, 112, 176, 120, 112),
    "B": (120, 120, 184, 128, 120),
    "L": (120, 120, 184, 128, 120),
    "J L": (128, 128, 192, 136, 128),
    "J L B": (136, 136, 200, 144, 136),
    "B S C I J F D Z L L": (152, 152, 224, 160, 152),
}


@pytest.mark.parametrize("vm", range(len(VMS)), ids=VM_NAMES)
@pytest.mark.parametrize("shape", MEASURED)
def test_instances(shape: str, vm: int) -> None:
    links = chain_of(shape.split(">"))
    classes = classes_of(*VMS[vm], *links)
    assert instance_bytes(layout_of(classes), classes)[links[-1].class_id] == MEASURED[shape][vm]


@pytest.mark.parametrize("vm", range(len(VMS)), ids=VM_NAMES)
@pytest.mark.parametrize("shape", MEASURED_THREADS)
def test_injected_and_contended_fields_of_threads(shape: str, vm: int) -> None:
    links = chain_of(shape.split(">"), super_id=THREAD) if shape else []
    classes = classes_of(*VMS[vm], *links)
    last = links[-1].class_id if links else THREAD
    assert instance_bytes(layout_of(classes), classes)[last] == MEASURED_THREADS[shape][vm]


@pytest.mark.parametrize("vm", range(len(VMS)), ids=VM_NAMES)
@pytest.mark.parametrize("statics", MEASURED_MIRRORS)
def test_class_objects_end_with_the_statics(statics: str, vm: int) -> None:
    own = java_class(OWN, "Own", statics=statics, loader_id=APPLICATION_LOADER)
    classes = classes_of(*VMS[vm], own)
    layout = layout_of(classes)
    assert mirror_bytes(layout, classes)[OWN] == MEASURED_MIRRORS[statics][vm]
    assert instance_bytes(layout, classes)[CLASS] == MEASURED_MIRRORS[""][vm]


def test_pseudo_statics_of_the_constant_pool_take_no_room() -> None:
    own = java_class(OWN, "Own", statics="L <resolved_references> L <resolved_references> L <init_lock>")
    classes = classes_of(17, DEFAULT, own)
    assert mirror_bytes(layout_of(classes), classes)[OWN] == MEASURED_MIRRORS[""][1]


@pytest.mark.parametrize(
    ("release", "figures", "expected"),
    [(11, DEFAULT, 280), (17, UNCOMPRESSED, 280), (25, DEFAULT, 280), (25, COMPACT, 272)],
)
def test_contended_classes_are_padded_on_both_sides(
    release: int, figures: tuple[int, int, int, int], expected: int
) -> None:
    classes = classes_of(release, figures)
    assert instance_bytes(layout_of(classes), classes)[CELL] == expected


def test_contended_names_of_other_loaders_are_ordinary_classes() -> None:
    name = "java.util.concurrent.ConcurrentHashMap$CounterCell"
    own = java_class(OWN, name, "J", loader_id=APPLICATION_LOADER)
    classes = classes_of(17, DEFAULT, own)
    assert instance_bytes(layout_of(classes), classes)[OWN] == 24


@pytest.mark.parametrize(("figures", "bitmap_words"), [(DEFAULT, 4), (UNCOMPRESSED, 2)])
def test_a_stack_chunk_has_a_stack_and_a_bit_for_each_reference(
    figures: tuple[int, int, int, int], bitmap_words: int
) -> None:
    classes = classes_of(25, figures)
    layout = layout_of(classes)
    assert stack_chunk_classes(classes) == [CHUNK]
    fixed = instance_bytes(layout, classes)[CHUNK]
    assert layout.stack_chunk_bytes(fixed, 0) == fixed
    assert layout.stack_chunk_bytes(fixed, 100) == fixed + (100 + bitmap_words) * 8
    assert layout.stack_chunk_bytes(fixed, -1) == fixed


@pytest.mark.parametrize(
    ("figures", "header", "sizes"),
    [
        # byte[], char[], int[], long[], Object[] of length 0, then of length 3
        (DEFAULT, 12, ((16, 16, 16, 16, 16), (24, 24, 32, 40, 32))),
        (UNCOMPRESSED, 12, ((16, 16, 16, 16, 16), (24, 24, 32, 40, 40))),
        (UNCOMPRESSED_CLASSES_TOO, 16, ((24, 24, 24, 24, 24), (32, 32, 40, 48, 48))),
        (COMPACT, 8, ((16, 16, 16, 16, 16), (16, 24, 24, 40, 24))),
        ((4, 20, 24, 20), 16, ((24, 24, 24, 24, 24), (24, 32, 32, 48, 32))),  # 25, full class pointers
    ],
)
def test_arrays_and_headers(
    figures: tuple[int, int, int, int], header: int, sizes: tuple[tuple[int, ...], ...]
) -> None:
    layout = layout_of(classes_of(25, figures))
    types = (BasicType.BYTE, BasicType.CHAR, BasicType.INT, BasicType.LONG, BasicType.OBJECT)
    assert layout.object_header_bytes == header
    assert tuple(tuple(layout.array_bytes(t, n) for t in types) for n in (0, 3)) == sizes
    for code in types:
        base, scale = int(layout.array_base_bytes[code]), int(layout.array_scale_bytes[code])
        assert -(-(base + 3 * scale) // 8) * 8 == layout.array_bytes(code, 3)


def test_alignment_comes_from_the_addresses() -> None:
    links = chain_of(["J"])
    classes = classes_of(17, DEFAULT, *links)
    layout = layout_of(classes, alignment=32)
    assert layout.alignment_bytes == 32
    assert instance_bytes(layout, classes)[OWN] == 32
    assert layout.array_bytes(BasicType.BYTE, 17) == 64
    assert layout_of(classes, alignment=4096).alignment_bytes == 256
    assert layout_of(classes, alignment=32, objects=5).alignment_bytes == 8


@pytest.mark.parametrize(
    ("release", "rule", "confidence", "words"),
    [
        (8, "mat", "estimated", "sun.misc.Unsafe"),
        (11, "hotspot-9", "exact", "JDK 9 to 12"),
        (17, "hotspot-15", "exact", "JDK 15 to 18"),
        (21, "hotspot-15", "exact", "to 23"),
        (25, "hotspot-25", "exact", "JDK 25 or later"),
    ],
)
def test_the_release_shows_in_the_shapes_of_classes(
    release: int, rule: str, confidence: str, words: str
) -> None:
    layout = layout_of(classes_of(release, DEFAULT))
    assert (layout.rule, layout.confidence) == (rule, confidence)
    assert words in layout.evidence


@pytest.mark.parametrize(
    ("shape", "expected"),
    [("", 16), ("B > J", 24), ("J > I", 24), ("I I > J > I", 32), ("B > B > B", 24), ("J J", 32)],
)
def test_jdk_8_gets_the_rule_of_mat(shape: str, expected: int) -> None:
    """Fields of a class rounded up to a reference, classes one after the other, the sum to 8."""
    links = chain_of(shape.split(">"))
    classes = classes_of(8, DEFAULT, *links)
    assert instance_bytes(layout_of(classes), classes)[links[-1].class_id] == expected


@pytest.mark.parametrize(
    ("identifier_bytes", "address_bits", "reference", "header", "array"),
    [(4, 0xFFFF_FFF8, 4, 8, 12), (8, 0x7_FFFF_FFF8, 4, 12, 16), (8, 0x7FFF_FFFF_FFF8, 8, 16, 24)],
)
def test_without_unsafe_the_layout_is_guessed_and_says_so(
    identifier_bytes: int, address_bits: int, reference: int, header: int, array: int
) -> None:
    layout = infer_layout(
        {},
        identifier_bytes=identifier_bytes,
        address_bits=address_bits,
        object_count=1000,
        format_version="1.0.1",
    )
    assert (layout.reference_bytes, layout.object_header_bytes, layout.array_header_bytes) == (
        reference,
        header,
        array,
    )
    assert (layout.rule, layout.confidence) == ("mat", "estimated")


def test_android_objects_are_as_large_as_declared() -> None:
    classes = {OWN: java_class(OWN, "android.app.Activity", "I J L")}
    layout = infer_layout(
        classes, identifier_bytes=4, address_bits=0xFFFF_FFF8, object_count=1000, format_version="1.0.3"
    )
    assert (layout.rule, layout.confidence) == ("android", "estimated")
    assert instance_bytes(layout, classes) == {OWN: 77}


def test_figures_no_vm_has_are_not_believed() -> None:
    layout = layout_of(classes_of(17, (4, 0, 0, 0)))  # Unsafe before its initialiser ran
    assert layout.confidence == "estimated"
    assert layout.array_header_bytes == 16


def test_missing_and_circular_superclasses_end_as_objects() -> None:
    first = java_class(OWN, "A", "I", super_id=OWN + 1)
    second = java_class(OWN + 1, "B", "I", super_id=OWN)
    orphan = java_class(OWN + 2, "C", "I", super_id=999_999)
    itself = java_class(OWN + 3, "D", "I", super_id=OWN + 3)
    classes = classes_of(17, DEFAULT, first, second, orphan, itself)
    sizes = instance_bytes(layout_of(classes), classes)
    assert sorted((sizes[OWN], sizes[OWN + 1])) == [16, 24]
    assert sizes[OWN + 2] == sizes[OWN + 3] == 16
    assert set(mirror_bytes(layout_of(classes), classes)) == set(classes)


def test_a_chain_of_100_000_classes_does_not_recurse() -> None:
    links = chain_of(["B"] * 100_000)
    classes = classes_of(17, DEFAULT, *reversed(links))
    assert instance_bytes(layout_of(classes), classes)[links[-1].class_id] == 100_016


def test_fillers_have_a_class_since_jdk_19() -> None:
    assert filler_class(classes_of(17, DEFAULT)) is None
    filler = java_class(OWN, "jdk.internal.vm.FillerElement[]")
    assert filler_class(classes_of(25, DEFAULT, filler)) == OWN

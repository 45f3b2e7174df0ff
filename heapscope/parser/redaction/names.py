"""Which names and which values of a dump are no secrets, and what a hidden name becomes.

A redacted dump keeps what sizes and structure follow from; everything kept is listed here.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

from heapscope.parser.names import decode_modified_utf8, encode_modified_utf8

# Classes of a JDK: their names, fields and methods are in its source, and rules for sizes name them.
JDK_PREFIXES = (
    "java/", "javax/", "jdk/", "sun/", "com/sun/", "com/ibm/", "com/azul/", "netscape/",
    "org/ietf/", "org/jcp/", "org/w3c/dom/", "org/xml/sax/", "dalvik/", "libcore/",
)  # fmt: skip
# Android's heaps; others that a writer could think of are left out.
HEAP_NAMES = frozenset((b"app", b"zygote", b"image", b"default"))

# Values of fields that structure follows from: how a string is encoded, how much of an array a
# collection uses, whether a thread is a daemon, how long a piece of a stack is.
_SIZES = frozenset(
    ("size", "elementCount", "count", "baseCount", "head", "tail", "offset", "n", "takeIndex", "putIndex")
)
KEPT_FIELDS: dict[str, frozenset[str]] = {
    "java/lang/String": frozenset(("coder", "offset", "count")),
    "java/lang/Thread": frozenset(("daemon", "priority")),
    "java/lang/Thread$FieldHolder": frozenset(("daemon", "priority")),
    "jdk/internal/vm/StackChunk": frozenset(("size",)),
    "java/util/concurrent/ConcurrentHashMap$CounterCell": frozenset(("value",)),
}
# A bit for each constant of an enum: what RegularEnumSet has for elements.
_ENUM_BITS = "java/util/RegularEnumSet"
_UNSAFE = ("jdk/internal/misc/Unsafe", "sun/misc/Unsafe")
_UNSAFE_STATICS = 20  # of JDK 9 to 25
_LAYOUT_NUMBERS = frozenset({-1, 1, 2, 4, 8, 12, 16, 20, 24})


def is_jdk(class_name: str) -> bool:
    """Whether a class, by the name in the dump, is the JDK's or of primitives; arrays as their elements."""
    element = class_name.lstrip("[")
    if element != class_name:
        if not element.startswith("L"):
            return True
        element = element[1:]
    return element.replace(".", "/").startswith(JDK_PREFIXES)


def keeps_field(class_name: str, field_name: str) -> bool:
    """Whether the value of a primitive field that a class declares is no secret."""
    name = class_name.replace(".", "/")
    if name in KEPT_FIELDS:
        return field_name in KEPT_FIELDS[name]
    if name == _ENUM_BITS:
        return field_name == "elements"
    return name.startswith("java/util/") and field_name in _SIZES


def keeps_static(class_name: str, field_name: str) -> bool:
    """Whether the value of a primitive static is no secret: the VM's layout, as Unsafe holds it."""
    return class_name.replace(".", "/") in _UNSAFE and (
        (field_name.startswith("ARRAY_") and field_name.endswith(("_BASE_OFFSET", "_INDEX_SCALE")))
        or field_name == "ADDRESS_SIZE"
    )


def is_layout(values: Sequence[bytes]) -> bool:
    """Whether these are the primitive statics of Unsafe, by their values alone: big-endian ints and longs.

    A dump of JDK 22 and later that is redacted in its stream names its classes only after them.  Twenty
    numbers of so few are no secret, whatever they are.
    """
    numbers = [int.from_bytes(value, "big", signed=True) for value in values]
    return len(numbers) == _UNSAFE_STATICS and _LAYOUT_NUMBERS.issuperset(numbers)


class NameHider:
    """Names as keyed hashes: the same name under the same key is the same hash.

    Packages stay packages and inner classes inner classes, so that grouping by package still works.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def word(self, text: str, letter: str) -> str:
        """A name of one word: a field, a method, a part of a class name."""
        digest = hmac.new(self._key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:10]
        return letter + digest

    def class_name(self, text: str) -> str:
        """``com/acme/Order$Line`` -> ``p3f.../p01.../C77...$C5a...``; JDK names as they are."""
        if is_jdk(text):
            return text
        element = text.lstrip("[")
        lead = text[: len(text) - len(element)]
        tail = ""
        if lead and element.endswith(";"):
            lead, element, tail = lead + element[:1], element[1:-1], ";"
        while element.endswith("[]"):
            element, tail = element[:-2], "[]" + tail
        joint = "/" if "/" in element else "."
        body, plus, suffix = element.partition("+0x")
        *packages, simple = body.split(joint)
        inner = [
            part if not part or part.isdigit() or part == "Lambda" else self.word(part, "C")
            for part in simple.split("$")
        ]
        hidden = joint.join([*(self.word(each, "p") for each in packages), "$".join(inner)])
        return lead + hidden + plus + suffix + tail

    def signature(self, text: str) -> str:
        """A method's signature, with the classes in it hidden."""
        out, rest = "", text
        while True:
            before, mark, rest = rest.partition("L")
            out += before + mark
            if not mark:
                return out
            name, end, rest = rest.partition(";")
            out += self.class_name(name) + end

    def hide(self, raw: bytes, use: str) -> bytes:
        """A UTF8 record's bytes by what it is used as: ``class``, ``signature``, else a word."""
        text = decode_modified_utf8(raw)
        if use == "class":
            hidden = self.class_name(text)
        elif use == "signature":
            hidden = self.signature(text)
        elif use == "source":
            stem, dot, ending = text.rpartition(".")
            hidden = self.word(stem or ending, "C") + (dot + ending if stem else "")
        else:
            hidden = text if text in ("<init>", "<clinit>") or text[:1] == "<" else self.word(text, "m")
        return encode_modified_utf8(hidden)

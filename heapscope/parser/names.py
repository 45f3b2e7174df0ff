"""Class names: from descriptors and internal names to Java source form.

A dump names a class as the JVM does (``java/lang/Object``, ``[Ljava/lang/Object;``,
``[[B``; Java Virtual Machine Specification, sections 4.2.1 and 4.3.2), a class histogram
with dots inside the same descriptors, Android and the serviceability agent already as
Java source does (``java.lang.Object[]``).  People read only the last form.

Hidden classes (JEP 371) carry a suffix that no package has: ``Foo$$Lambda+0x00007f0c``
in a dump, ``Foo$$Lambda/0x00007f0c`` in ``Class.getName()`` and in a class histogram;
JDK 8 wrote ``Foo$$Lambda$1/1234567``.  They are shown with the slash.
"""

from __future__ import annotations

import re

CLASS = "java.lang.Class"

_PRIMITIVES = {
    "Z": "boolean",
    "C": "char",
    "F": "float",
    "D": "double",
    "B": "byte",
    "S": "short",
    "I": "int",
    "J": "long",
}
_MAX_DIMENSIONS = 255  # JVMS 4.3.2
_DESCRIPTOR = re.compile(r"(\[*)(?:L([^;\[]+);|([ZCFDBSIJ]))", re.DOTALL)
# A package or class name cannot begin with a digit in Java source, so this tail is no package.
_HIDDEN_SUFFIX = re.compile(r"(?:\+(?=0x)|/)((?:0x[0-9a-fA-F]+|[0-9]+)(?:\[\])*)\Z")


def java_name(descriptor: str) -> str:
    """The name as Java source has it.

    ``[Ljava.lang.String;`` -> ``java.lang.String[]``, ``[[B`` -> ``byte[][]``,
    ``java/lang/Foo`` -> ``java.lang.Foo``, ``a/B$$Lambda+0x01`` -> ``a.B$$Lambda/0x01``.
    A name in source form already stays as it is, and so does a malformed descriptor
    (``[``, ``[Lfoo``): never an exception.
    """
    if not descriptor.startswith("["):
        # ``B`` alone is a class of that name; ``Lfoo;`` can only be a descriptor.
        if not descriptor.endswith(";"):
            return _dotted(descriptor)
        if not descriptor.startswith("L"):
            return descriptor
    match = _DESCRIPTOR.fullmatch(descriptor)
    if match is None or len(match[1]) > _MAX_DIMENSIONS:
        return descriptor
    element = _dotted(match[2]) if match[2] is not None else _PRIMITIVES[match[3]]
    return element + "[]" * len(match[1])


def _dotted(name: str) -> str:
    if "/" not in name and "+" not in name:
        return name
    match = _HIDDEN_SUFFIX.search(name)
    if match is None or match.start() == 0:
        return name.replace("/", ".")
    return name[: match.start()].replace("/", ".") + "/" + match[1]


def internal_name(java_source_name: str) -> str:
    """The name as HotSpot writes it into a dump: the inverse of :func:`java_name`.

    ``byte[][]`` -> ``[[B``, ``java.lang.String[]`` -> ``[Ljava/lang/String;``,
    ``a.B$$Lambda/0x01`` -> ``a/B$$Lambda+0x01``.
    """
    element, dimensions = java_source_name, 0
    while element.endswith("[]"):
        element, dimensions = element[:-2], dimensions + 1
    code = next((code for code, name in _PRIMITIVES.items() if name == element), None)
    if code is not None and dimensions:
        return "[" * dimensions + code
    match = _HIDDEN_SUFFIX.search(element)
    if match is None or match.start() == 0:
        element = element.replace(".", "/")
    else:
        joint = "+" if match[1].startswith("0x") else "/"
        element = element[: match.start()].replace(".", "/") + joint + match[1]
    return "[" * dimensions + f"L{element};" if dimensions else element


def decode_modified_utf8(data: bytes) -> str:
    """Text of a UTF8 record: JVMS 4.4.7, where NUL takes two bytes and an emoji six.

    Bytes that are no such text come out as ``\\xNN``: a name is never lost, never an exception.
    """
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    plain = data.replace(b"\xc0\x80", b"\0")
    try:
        text = plain.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return plain.decode("utf-8", "backslashreplace")
    # Two surrogates of three bytes each make one character; a lone one cannot be printed.
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def encode_modified_utf8(text: str) -> bytes:
    """Bytes of a UTF8 record for a text; see :func:`decode_modified_utf8`."""
    if text.isascii() and "\0" not in text:
        return text.encode("ascii")
    parts: list[bytes] = []
    for char in text:
        code = ord(char)
        if code == 0:
            parts.append(b"\xc0\x80")
        elif code > 0xFFFF:
            code -= 0x10000
            for half in (0xD800 + (code >> 10), 0xDC00 + (code & 0x3FF)):
                parts.append(chr(half).encode("utf-8", "surrogatepass"))
        else:
            parts.append(char.encode("utf-8", "surrogatepass"))
    return b"".join(parts)

"""A Python process that embeds a JVM and never deletes its JNI global references; run as a program.

``python -m tests.support.jni_leak LIBJVM COUNT`` makes so many references, says "ready", and waits for
its standard input to end.  The function table is that of the JNI specification, chapter 4.
"""

from __future__ import annotations

import ctypes
import sys

_VERSION = 0x00010008
_FIND_CLASS, _NEW_GLOBAL_REF, _DELETE_LOCAL_REF, _ALLOC_OBJECT = 6, 21, 23, 27


class _Option(ctypes.Structure):
    _fields_ = (("option", ctypes.c_char_p), ("extra", ctypes.c_void_p))


class _Arguments(ctypes.Structure):
    _fields_ = (
        ("version", ctypes.c_int),
        ("count", ctypes.c_int),
        ("options", ctypes.POINTER(_Option)),
        ("ignore", ctypes.c_ubyte),
    )


def main(libjvm: str, count: int) -> None:
    """Make the references and wait."""
    texts = (b"-Xmx64m", b"-XX:+StartAttachListener", b"-XX:+UseSerialGC")
    options = (_Option * len(texts))(*(_Option(text, None) for text in texts))
    arguments = _Arguments(_VERSION, len(texts), options, 0)
    jvm, env = ctypes.c_void_p(), ctypes.c_void_p()
    create = ctypes.CDLL(libjvm, ctypes.RTLD_GLOBAL).JNI_CreateJavaVM
    if create(ctypes.byref(jvm), ctypes.byref(env), ctypes.byref(arguments)):
        raise SystemExit("JNI_CreateJavaVM failed")
    assert env.value is not None
    table = ctypes.cast(ctypes.c_void_p.from_address(env.value).value or 0, ctypes.POINTER(ctypes.c_void_p))
    pointer = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
    named = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)
    no_result = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)

    def address(place: int) -> int:
        found = table[place]
        assert found is not None
        return int(found)

    java_class = named(address(_FIND_CLASS))(env, b"java/util/ArrayList")
    for _ in range(count):
        local = pointer(address(_ALLOC_OBJECT))(env, java_class)
        pointer(address(_NEW_GLOBAL_REF))(env, local)
        no_result(address(_DELETE_LOCAL_REF))(env, local)
    print("ready", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

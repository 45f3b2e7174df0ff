"""A Python process that embeds a JVM and uses JNI carelessly; run as a program.

``python -m tests.support.jni_leak LIBJVM CLASSES GLOBALS LOCALS THREADS METHODS`` makes so many global
references to lists, so many local references to maps that it never deletes, so many threads that attach
themselves and end, and so many global references to methods beside jep's main class; says "ready", and waits
for its standard input to end.  The function tables are those of the JNI specification, chapters 4 and 5.
"""

from __future__ import annotations

import ctypes
import sys
import threading

_VERSION = 0x00010008
_FIND_CLASS, _NEW_GLOBAL_REF, _DELETE_LOCAL_REF, _ALLOC_OBJECT = 6, 21, 23, 27
_ATTACH_AS_DAEMON = 7


class _Option(ctypes.Structure):
    _fields_ = (("option", ctypes.c_char_p), ("extra", ctypes.c_void_p))


class _Arguments(ctypes.Structure):
    _fields_ = (
        ("version", ctypes.c_int),
        ("count", ctypes.c_int),
        ("options", ctypes.POINTER(_Option)),
        ("ignore", ctypes.c_ubyte),
    )


def _function(of: ctypes.c_void_p, place: int) -> int:
    """Address of a function in the table that a JNIEnv or a JavaVM begins with."""
    assert of.value is not None
    table = ctypes.cast(ctypes.c_void_p.from_address(of.value).value or 0, ctypes.POINTER(ctypes.c_void_p))
    found = table[place]
    assert found is not None
    return int(found)


def main(libjvm: str, classes: str, globals_: int, locals_: int, threads: int, methods: int) -> None:
    """Make all of them and wait."""
    path = f"-Djava.class.path={classes}".encode()
    texts = (b"-Xmx64m", b"-XX:+StartAttachListener", b"-XX:+UseSerialGC", path)
    options = (_Option * len(texts))(*(_Option(text, None) for text in texts))
    arguments = _Arguments(_VERSION, len(texts), options, 0)
    jvm, env = ctypes.c_void_p(), ctypes.c_void_p()
    create = ctypes.CDLL(libjvm, ctypes.RTLD_GLOBAL).JNI_CreateJavaVM
    if create(ctypes.byref(jvm), ctypes.byref(env), ctypes.byref(arguments)):
        raise SystemExit("JNI_CreateJavaVM failed")
    pointer = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
    named = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)
    find_class = named(_function(env, _FIND_CLASS))
    allocate, keep = pointer(_function(env, _ALLOC_OBJECT)), pointer(_function(env, _NEW_GLOBAL_REF))
    forget = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(_function(env, _DELETE_LOCAL_REF))

    def make_globals(name: bytes, count: int) -> None:
        java_class = find_class(env, name)
        assert java_class, name
        for _ in range(count):
            local = allocate(env, java_class)
            keep(env, local)
            forget(env, local)

    make_globals(b"java/util/ArrayList", globals_)
    make_globals(b"java/lang/reflect/Method", methods)
    make_globals(b"jep/MainInterpreter", 1)
    java_class = find_class(env, b"java/util/HashMap")
    for _ in range(locals_):
        allocate(env, java_class)
    attach = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)(
        _function(jvm, _ATTACH_AS_DAEMON)
    )

    def attach_and_end() -> None:
        mine = ctypes.c_void_p()
        assert attach(jvm, ctypes.byref(mine), None) == 0

    for _ in range(threads):
        thread = threading.Thread(target=attach_and_end)
        thread.start()
        thread.join()
    print("ready", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:7]))

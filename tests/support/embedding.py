"""A Python process that embeds a JVM as libhdfs does, through ``JNI_CreateJavaVM``; and grows on demand.

Run as a program: ``embedding.py LIBJVM KIND [OPTION...]``.  Prints ``ready``, then grows by 10 MB for
each line of its standard input and prints ``grown``.
"""

from __future__ import annotations

import ctypes
import sys
import threading

_JNI_VERSION = 0x00010008


class _Option(ctypes.Structure):
    _fields_ = (("text", ctypes.c_char_p), ("extra", ctypes.c_void_p))


class _Arguments(ctypes.Structure):
    _fields_ = (
        ("version", ctypes.c_int),
        ("count", ctypes.c_int),
        ("options", ctypes.POINTER(_Option)),
        ("ignore_unknown", ctypes.c_ubyte),
    )


def create_jvm(libjvm: str, options: list[str]) -> None:
    """Start a JVM in this process; it stays for good."""
    texts = (_Option * len(options))(*(_Option(option.encode(), None) for option in options))
    arguments = _Arguments(_JNI_VERSION, len(options), texts, 0)
    jvm, environment = ctypes.c_void_p(), ctypes.c_void_p()
    library = ctypes.CDLL(libjvm)
    code = library.JNI_CreateJavaVM(ctypes.byref(jvm), ctypes.byref(environment), ctypes.byref(arguments))
    if code:
        raise SystemExit(f"JNI_CreateJavaVM: {code}")


_libc = ctypes.CDLL(None)
_libc.malloc.restype = ctypes.c_void_p
_libc.malloc.argtypes = [ctypes.c_size_t]
_libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]


def leak(size: int = 10_000_000, piece: int = 1000) -> None:
    """Leak memory from malloc, in this thread's arena."""
    for _ in range(size // piece):
        _libc.memset(_libc.malloc(piece), 1, piece)


def main() -> None:
    """The program."""
    libjvm, kind, *options = sys.argv[1:]
    create_jvm(libjvm, [option for option in options if not option.startswith("--")])
    print("ready", flush=True)
    for _ in sys.stdin:
        if kind == "malloc":
            leak()
        elif kind == "arenas":
            threads = [threading.Thread(target=leak, args=(5_000_000,)) for _ in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        print("grown", flush=True)


if __name__ == "__main__":
    main()

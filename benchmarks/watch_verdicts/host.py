"""A Python process with a JVM inside that grows by C code, by Java, or both.

::

    host.py LIBJVM CLASSES KINDS [OPTION...]

``malloc`` leaks in the main thread, ``arenas`` in others, ``fragments`` frees every second piece and asks
for larger ones then, which fit into no hole; ``mmap`` maps memory, ``shared`` a file in ``/dev/shm``,
``python`` keeps Python objects; all other words are those of ``Watched.java``.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
import tempfile
import threading

import jpype

_libc = ctypes.CDLL(None)
_libc.malloc.restype = ctypes.c_void_p
_libc.malloc.argtypes = [ctypes.c_size_t]
_libc.free.argtypes = [ctypes.c_void_p]
_libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
_PIECE = 1000
_STEP = 1_500_000
_KEPT: list[object] = []
_IN_C = ("malloc", "arenas", "fragments", "mmap", "shared", "python")


def _leak(size: int, piece: int = _PIECE, *, frees: bool = False) -> None:
    """Touch memory from malloc in this thread's arena; free every second piece or none."""
    pieces = []
    for _ in range(size // piece):
        pieces.append(_libc.malloc(piece))
        _libc.memset(pieces[-1], 1, piece)
    for address in pieces[::2] if frees else ():
        _libc.free(address)


def _grow_in_c(kind: str, step: int) -> None:
    if kind == "malloc":
        _leak(_STEP)
        return
    if kind == "python":
        _KEPT.append([(number, str(number)) for number in range(_STEP // 150)])
        return
    if kind in ("mmap", "shared"):
        with tempfile.TemporaryFile(dir="/dev/shm") as file:
            file.truncate(_STEP)
            private = {} if kind == "shared" else {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS}
            mapped = mmap.mmap(file.fileno() if kind == "shared" else -1, _STEP, **private)
        mapped.write(b"x" * _STEP)
        _KEPT.append(mapped)
        return
    frees = kind == "fragments"
    piece = _PIECE + 16 * step if frees else _PIECE
    threads = [threading.Thread(target=_leak, args=(750_000, piece), kwargs={"frees": frees}) for _ in "12"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main() -> None:
    """The program."""
    libjvm, classes, kinds, *options = sys.argv[1:]
    jpype.startJVM(libjvm, *options, classpath=[classes])
    watched = jpype.JClass("Watched")
    in_java = "+".join(kind for kind in kinds.split("+") if kind not in _IN_C) or "nothing"
    print("ready", flush=True)
    for step, line in enumerate(sys.stdin):
        grows = line == "grow\n"
        watched.step(in_java, grows)
        if grows:
            for kind in kinds.split("+"):
                if kind in _IN_C:
                    _grow_in_c(kind, step)
        print("grown", flush=True)


if __name__ == "__main__":
    main()

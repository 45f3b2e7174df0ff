"""Files of machine code: whole or absent, with a checksum, and run only where nobody else can have written.

A file has the SHA-256 of what follows in hexadecimal, newline, a symbol, newline, object code.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from heapscope.ownership import why_not_ours


def read_code(path: Path) -> tuple[bytes, str] | None:
    """Object code and symbol from a cache of the user's, None where there is none to run."""
    return _read(path, why_not_run)


def read_shared_code(path: Path) -> tuple[bytes, str] | None:
    """The same from a folder in heapscope's own package."""
    return _read(path, _why_less_safe_than_the_program)


def _read(path: Path, why_not: Callable[[Path], str]) -> tuple[bytes, str] | None:
    try:
        with path.open("rb") as file:
            if why_not(path):
                return None
            digest, _, content = file.read().partition(b"\n")
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None
    if hashlib.sha256(content).hexdigest().encode() != digest:
        return None  # LLVM would end the process
    return parts_of(content)


def parts_of(content: bytes) -> tuple[bytes, str]:
    """Object code and symbol of what a kernel was compiled into: symbol, newline, object code."""
    symbol, _, code = content.partition(b"\n")
    return code, symbol.decode("ascii")


def why_not_run(path: Path) -> str:
    """Who else could have put machine code there, which will be run; empty where nobody could."""
    # Not in a folder that all may write to, be it sticky: what is missing there, others can make.
    return why_not_ours(path.parent) or why_not_ours(path)


def _why_less_safe_than_the_program(path: Path) -> str:
    """Empty where whoever can write there can write heapscope's own files as well."""
    program = Path(__file__).parent.stat()
    for each in (path.parent, path):
        facts = each.lstat()
        if facts.st_uid not in (0, os.geteuid(), program.st_uid) or facts.st_mode & 0o022 & ~program.st_mode:
            return f"{each} is open to others than the program is"
    return ""


def write_code(path: Path, content: bytes, *, for_all: bool = False) -> None:
    """Whole or not at all, for other processes compile the same; ``for_all``: other users may read it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = path.parent.stat()
    mode = folder.st_mode & 0o777
    # An older heapscope may have made it under an open umask: nothing in it would be run, see `why_not_run`.
    wanted = 0o755 if for_all else mode & 0o755
    if folder.st_uid == os.geteuid() and mode != wanted:
        path.parent.chmod(wanted)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as file:
            if for_all:
                os.fchmod(file.fileno(), 0o644)
            file.write(hashlib.sha256(content).hexdigest().encode() + b"\n" + content)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise

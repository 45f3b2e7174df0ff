"""Where the index of a dump lies, how it begins, and the class names in it.

Without numpy, which the completion of a shell does not wait for.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import sys
import zlib
from pathlib import Path
from typing import Any

from heapscope.cache import index_dir

FORMAT = 5
MAGIC = b"heapscope index\0"
SUFFIX = ".heapscope-index"
HEAD = struct.Struct("<16sIIQQ")
CLASS_NAMES = "class_names"
MAX_CONTENTS_BYTES = 1 << 26
_MAX_NAME_BYTES = 1 << 28
_MAX_STEM_BYTES = 200  # of the 255 that a file's name may have; digest and suffix take 33


def index_path(dump: Path, options: dict[str, str], folder: Path | None) -> Path:
    """Where the index of a dump is kept."""
    key = json.dumps([os.fspath(dump.resolve()), options], sort_keys=True)
    digest = hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()[:16]
    name = "".join(c if c.isalnum() or c in "-_." else "_" for c in dump.name)[:80]
    name = name.encode(errors="replace")[:_MAX_STEM_BYTES].decode(errors="ignore")
    return (folder or index_dir()) / f"{name}-{digest}{SUFFIX}"


def has_index(dump: Path, options: dict[str, str], folder: Path | None) -> bool:
    """Whether there is a file where the index of a dump is kept; no where nobody can look."""
    return os.path.exists(index_path(dump, options, folder))  # Path.exists may raise


def partial_key(parts: list[Path]) -> dict[str, str]:
    """What tells the index of a part of a dump: the parts read with it come and go, and the dump stays."""
    return {"partial": ",".join(f"{path.name}:{path.stat().st_size}" for path in parts) or "yes"}


def status_of(status: os.stat_result) -> dict[str, int]:
    """The part of a dump's identity that takes no byte of it."""
    return {
        "bytes": status.st_size,
        "mtime_ns": status.st_mtime_ns,
        "ctime_ns": status.st_ctime_ns,  # no program sets it
        "inode": status.st_ino,
    }


def indexed_class_names(dump: Path, options: dict[str, str], folder: Path | None) -> list[str]:
    """Names of the classes of a dump, of its index; empty without an index that fits.

    The dump is not opened.

    Parameters
    ----------
    dump : Path
    options : dict
        As the index was made with.
    folder : Path, optional
        Where indexes are kept.
    """
    try:
        status = status_of(dump.stat())
        with index_path(dump, options, folder).open("rb") as file:
            magic, version, checksum, offset, length = HEAD.unpack(file.read(HEAD.size))
            if magic != MAGIC or version != FORMAT or length > MAX_CONTENTS_BYTES:
                return []
            file.seek(offset)
            raw = file.read(length)
            if zlib.crc32(raw) != checksum:
                return []
            contents: dict[str, Any] = json.loads(raw)
            is_same = {name: contents["identity"][name] for name in status} == status
            if not is_same or contents["options"] != options or contents["byteorder"] != sys.byteorder:
                return []
            entry = contents["arrays"][CLASS_NAMES]
            if not 0 < entry["bytes"] < _MAX_NAME_BYTES:
                return []
            file.seek(entry["offset"])
            names = file.read(entry["bytes"])
        return names.decode().split("\n") if zlib.crc32(names) == entry["crc32"] else []
    except (OSError, ValueError, KeyError, TypeError, struct.error):
        return []

"""Files that are no heap dump, named for what they are, each with the one step that leads to a dump.

A person in an incident has a file and no dump in it: a core, a dump of another VM, a web page where the
download should be.  Each kind has its mark in its first bytes; sources beside the marks.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from typing import NamedTuple

from heapscope.parser.names import decode_modified_utf8
from heapscope.parser.tags import MAGIC_PREFIX

_SHOWN_CHARACTERS = 60
_TEXT_BYTES = 4096
_LEAST_LINES = 16  # line ends, and characters that were replaced, which noise hardly ever has
_ELF_CORE = 4  # e_type ET_CORE (System V ABI, "ELF Header")
_MACH_CORE = 4  # filetype MH_CORE (mach-o/loader.h)
_GZIP_OF_A_DUMP = b"\x1f\x8b\x08"


class _Mark(NamedTuple):
    start: bytes
    what: str  # what it is, and what to do


SAMPLE_COLUMNS = b"captured_at,host,pid,"  # of 'heapscope watch', as CSV
_DOWNLOAD = "the download failed, or it is of another file; download it again"
_NEW_DUMP = "take one with: jcmd PID GC.heap_dump FILE"
_FROM_OPENJ9 = (
    "for HPROF take a system dump (jcmd PID Dump.system), open it in Eclipse MAT with the DTFJ feature, and "
    "export it there (Export HPROF); the text of OpenJ9's 'jcmd PID GC.class_histogram' is read as it is"
)
# ``{path}`` stands for the file.
_MARKS = (
    # Portable Heap Dump: a length, then that text (OpenJ9, "Portable Heap Dump (PHD) file format").
    _Mark(
        b"\x00\x15portable heap dump",
        "a heap dump of OpenJ9 in its own format (PHD), which has no names of fields and no values; "
        + _FROM_OPENJ9,
    ),
    _Mark(b"0SECTION ", "a javacore of OpenJ9, which has threads and no objects; " + _FROM_OPENJ9),
    _Mark(
        b"MDMP",
        "a minidump of Windows; a full one (procdump -ma PID) gives a dump with: jhsdb jmap --binaryheap "
        "--dumpfile heap.hprof --exe JAVA.EXE --core {path}",
    ),
    _Mark(
        b"FLR\0",
        "a recording of JDK Flight Recorder, which has no heap (jfr summary {path} shows what it has); "
        + _NEW_DUMP,
    ),
    _Mark(b"\xca\xfe\xba\xbe", "a Java class (or a program of macOS); " + _NEW_DUMP),
    _Mark(b"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it (7z x {path}), and name the dump"),
    _Mark(b"Rar!\x1a\x07", "a rar archive; unpack it (unrar x {path}), and name the dump"),
    _Mark(b"\x04\x22\x4d\x18", "compressed with lz4; unpack it (lz4 -d {path} heap.hprof), and name that"),
    _Mark(b"\xff\x06\0\0sNaPpY", "compressed with snappy; unpack it (snzip -d {path}), and name the dump"),
    _Mark(b"\x1f\x9d", "compressed with compress; unpack it (uncompress {path}), and name the dump"),
    _Mark(b"SQLite format 3\0", "an SQLite database; " + _NEW_DUMP),
    _Mark(b"PAR1", "a Parquet file; " + _NEW_DUMP),
    _Mark(b"heapscope index\0", "an index that heapscope keeps of a dump; name the dump itself"),
    _Mark(
        b"version https://git-lfs",
        "a pointer of Git LFS, which stands for the file; fetch it with: git lfs pull",
    ),
    _Mark(b"Salted__", "encrypted with openssl; decrypt it (openssl enc -d ...), and name the result"),
    _Mark(
        b"-----BEGIN PGP", "encrypted with PGP; decrypt it (gpg -d {path} > heap.hprof), and name the result"
    ),
    _Mark(
        b"age-encryption.org/",
        "encrypted with age; decrypt it (age -d {path} > heap.hprof), and name the result",
    ),
    _Mark(b"SkFWQSBQUk9GSUxF", "a heap dump as base64 text; decode it: base64 -d {path} > heap.hprof"),
    _Mark(b"H4sI", "a gzip file as base64 text; decode it: base64 -d {path} > heap.hprof.gz"),
)
# What heapscope's own commands begin their JSON with, and what `collect` begins a sidecar with.
_OWN_ANSWER = re.compile(rb'\{\s*"schema_version":\s*\d+,\s*"kind":\s*"([a-z ]{1,40})"')
_SIDECAR = re.compile(
    rb'\{\s*"captured_at":\s*"[^"]*",\s*"kind":\s*"(?:dump|histogram|verdict)",\s*"method":'
)
_SIDECAR_KIND = "sidecar"
_VERDICT = ".verdict.json"
_TITLE = re.compile(rb"<title[^>]*>\s*([^<]{1,200})", re.IGNORECASE)
_TAGS = re.compile(rb"<[^>]*>")
_WITHOUT_TEXT = re.compile(rb"<(script|style)\b.*?</\1>", re.IGNORECASE | re.DOTALL)
_PART = re.compile(r"(.*)\.p\d+")
_STATS = re.compile(rb"^Index +Super +(?=[^\n]*InstBytes)[^\n]*ClassName", re.MULTILINE)
_LOG = re.compile(
    rb"OutOfMemoryError|Full thread dump|A fatal error has been detected|^\s+at [\w.$/]+\([\w.]+:\d+\)"
    rb"|\b(?:INFO|WARN|ERROR|DEBUG)\b|\[gc[,\]]|Pause (?:Full|Young)|\[Full GC",
    re.MULTILINE,
)


def name_file(path: str, head: bytes, size: int, inside: str = "") -> str:
    """What is wrong with a file that is no heap dump, and what to do: an error's text.

    Parameters
    ----------
    path : str
        The file, for commands.
    head : bytes
        Its first bytes, some kilobytes or more; of a compressed file what is inside.
    size : int
        Bytes of the file.
    inside : str
        What it is packed in; empty where it is not.
    """
    where = f" inside {inside}" if inside else ""
    for look in (_marked, _core, _shifted, _empty, _text):
        if (found := look(path, head, size)) is not None:
            return f"no heap dump{where}, but {found}"
    return (
        f"no heap dump{where}: it should begin with 'JAVA PROFILE 1.0.x' (or be gzip, zstd, xz, bzip2, zip "
        f"or tar of "
        "that); make one with: jcmd PID GC.heap_dump FILE"
    )


def _marked(path: str, head: bytes, size: int) -> str | None:
    name = _PART.fullmatch(path)
    if name is not None and head[:1] in (b"\x1c", b"\x01", b"\x02"):
        return (
            "a part of a parallel dump that was never merged; name the file itself, which reads its parts: "
            f"{shlex.quote(name[1])} --partial"
        )
    return next(
        (mark.what.replace("{path}", shlex.quote(path)) for mark in _MARKS if head.startswith(mark.start)),
        None,
    )


def _core(path: str, head: bytes, size: int) -> str | None:
    """An ELF or Mach-O file."""
    if head.startswith(b"\x7fELF"):
        kind = int.from_bytes(head[16:18], "little" if head[5:6] == b"\x01" else "big")
    elif head[:4] in (b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe"):
        kind = _ELF_CORE if int.from_bytes(head[12:16], "little") == _MACH_CORE else 0
    else:
        return None
    if kind != _ELF_CORE:
        return (
            "a program or library; if it is a native image of GraalVM that was built with "
            "--enable-monitoring=heapdump, 'kill -USR1 PID' lets the running process write a dump"
        )
    return (
        "a core of a process; make a dump of it with the JDK that it ran on: jhsdb jmap --binaryheap "
        "--dumpfile "
        f"heap.hprof --exe $JAVA_HOME/bin/java --core {shlex.quote(path)}"
    )


def _shifted(path: str, head: bytes, size: int) -> str | None:
    """A dump behind what another program wrote in front, or one that was taken for text."""
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if head.startswith(mark + MAGIC_PREFIX.decode().encode(encoding)):
            return (
                "a heap dump that a shell wrote as UTF-16 text, which destroys it; copy it again in binary "
                "(in "
                "PowerShell with 'kubectl cp' or 'cmd /c', not with '>')"
            )
    for start, name in ((MAGIC_PREFIX, "'JAVA PROFILE'"), (_GZIP_OF_A_DUMP, "gzip")):
        at = head.find(start)
        if at > 0 and _is_text(head[:at]):
            front = decode_modified_utf8(head[:at][:_SHOWN_CHARACTERS]).strip()
            out = "heap.hprof" if start == MAGIC_PREFIX else "heap.hprof.gz"
            return (
                f"one may begin at byte {at:,} with {name}: in front of it another program wrote "
                f"{front!r}. Cut that "
                f"off: tail -c +{at + 1} {shlex.quote(path)} > {out}; if the copy went through a terminal "
                f"(-t), copy again without one"
            )
    return None


def _empty(path: str, head: bytes, size: int) -> str | None:
    if head and not head.strip(b"\0"):
        return (
            f"{size:,} bytes that begin with zeros: room was claimed and the dump never written (a full "
            f"disk, or a "
            "copy that still runs); take it again"
        )
    return None


def _text(path: str, head: bytes, size: int) -> str | None:
    """Text of some kind."""
    start = head[:_TEXT_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip()
    if not start or not _is_text(start):
        return None
    if start.startswith(b"<"):
        title = _TITLE.search(start)
        said = title[1] if title else _TAGS.sub(b" ", _WITHOUT_TEXT.sub(b" ", start))
        return f"a web page or XML{_quoted(said)}: {_DOWNLOAD}"
    if (kind := own_answer(start)) is not None:
        return _own_answer(path, kind)
    if start[:1] in b"{[":
        return f"JSON{_quoted(start)}: {_DOWNLOAD}"
    if start.startswith(SAMPLE_COLUMNS):
        plot = f"heapscope plot {shlex.quote(path)}"
        return f"samples of 'heapscope watch'; a chart of them is written by: {plot}"
    if _STATS.search(start):
        return (
            "the text of GC.class_stats without instance counts; take it with them (jcmd PID GC.class_stats "
            "InstCount,InstBytes), or take jcmd PID GC.class_histogram"
        )
    if _LOG.search(start):
        return f"a log; what it tells of memory says: heapscope explain-log {shlex.quote(path)}"
    return f"text{_quoted(start)}; {_NEW_DUMP}"


def is_web_page(head: bytes) -> bool:
    """Whether a file begins as HTML does; XML may be a log, as that of OpenJ9's collector.

    Parameters
    ----------
    head : bytes
        Its first bytes.
    """
    start = head[:_TEXT_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return start.startswith((b"<!doctype html", b"<html"))


def own_answer(head: bytes) -> str | None:
    """What kind of answer of heapscope, as JSON, a file begins with; None where it is something else.

    Parameters
    ----------
    head : bytes
        Its first bytes.
    """
    found = _OWN_ANSWER.match(head)
    if found is not None:
        return found[1].decode()
    return _SIDECAR_KIND if _SIDECAR.match(head) else None


def _own_answer(path: str, kind: str) -> str:
    if kind == _SIDECAR_KIND:
        snapshot = shlex.quote(path.removesuffix(".json"))
        return f"the sidecar of a snapshot, which is read along with it; name the snapshot: {snapshot}"
    stem = path.removesuffix(_VERDICT)
    if stem != path:
        text = shlex.quote(f"{stem}.histogram.txt")
        return (
            "the verdict of 'heapscope collect --kind verdict', as JSON for programs; name the class "
            f"histogram that was taken with it: {text}"
        )
    return f"an answer of heapscope ({kind}), as JSON for programs; name the snapshot that it was made of"


def _quoted(said: bytes) -> str:
    text = " ".join(decode_modified_utf8(said[:400]).split())[:_SHOWN_CHARACTERS]
    return f" ({text!r})" if text else ""


def _is_text(data: bytes) -> bool:
    """Whether bytes are printable: no control characters but those of text, and colours."""
    return not re.search(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]", data)


def name_damage(path: str, size: int, read: Callable[[int, int], bytes], at: int | None) -> str | None:
    """How a dump was destroyed on its way here, where that can be seen; None where it cannot.

    Parameters
    ----------
    path : str
    size : int
        Bytes of the (inflated) file.
    read : callable
        Bytes at an offset: ``read(offset, count)``.
    at : int or None
        Where reading it failed.
    """
    head = read(0, 1 << 20)
    body = head[len(MAGIC_PREFIX) :]
    if head[:64].startswith(MAGIC_PREFIX) and b", created" in head[:40]:
        return (
            "a profile of the hprof agent as text; take a binary one: java -agentlib:hprof=heap=dump,format=b"
        )
    if body.count(b"\xef\xbf\xbd") >= _LEAST_LINES and body.count(b"\xef\xbf\xbd") * 200 > len(body):
        return (
            "a dump that was copied as text: bytes that are no UTF-8 were replaced (by U+FFFD) and are "
            "lost; copy it again in binary"
        )
    breaks = body.count(b"\n")
    if breaks >= _LEAST_LINES and body.count(b"\r\n") == breaks:
        return (
            "a dump that was copied as text: every line feed has a carriage return in front (FTP in ASCII "
            "mode, or a "
            "terminal: kubectl exec -t); copy it again in binary, without -t"
        )
    if at is not None and 0 < at < size:
        rest = read(at, min(size - at, _TEXT_BYTES))
        if size - at <= _TEXT_BYTES and rest and _is_text(rest):
            said = _quoted(rest)
            return (
                f"a whole dump with text behind it{said}, which another program wrote; cut that off: head "
                f"-c {at} "
                f"{shlex.quote(path)} > heap.hprof"
            )
    return None

"""What lies inside compressors and archives: gzip, zstd, xz, bzip2, zip and tar, around each other too.

Signatures: RFC 1952 (gzip), RFC 8878 (zstd), https://tukaani.org/xz/xz-file-format.txt (xz), bzip2's ``BZh``,
APPNOTE.TXT 4.3.7 (zip), POSIX.1-1988 ``ustar`` (tar).

Everything is streamed, for an archive may be larger than memory; only a zip is read where it lies.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

HEAD_BYTES = 64 << 10  # of the content: what it is judged by
_PIECE_BYTES = 1 << 14  # what stands in front of damage is read but for less than that
_MOST_LAYERS = 6  # a file that goes on inside itself is no dump
_ZSTD_WINDOW_BYTES = 128 << 20
_SIGNATURES = (
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\xfd7zXZ\0", "xz"),
    (b"BZh", "bzip2"),
    (b"PK\x03\x04", "zip"),
)
_TAR_MAGIC, _TAR_MAGIC_AT = b"ustar", 257
ARCHIVES = ("zip", "tar")
_SHOWN = 4
_ERRORS = (EOFError, NotImplementedError, RuntimeError, ValueError)
# Their libraries are imported where a file needs them: a run on a plain dump shall not wait for them.
_LIBRARIES = frozenset(
    {
        "_lzma",
        "igzip_lib",
        "isal",
        "isal_zlib",
        "lzma",
        "struct",
        "tarfile",
        "zipfile",
        "zlib",
        "zstandard",
        "zstd",
    }
)
IsWanted = Callable[[bytes], bool]  # whether content that begins so is what is looked for


class PackingError(Exception):
    """A layer cannot be taken off: what is wrong, and what to do.

    Attributes
    ----------
    is_broken : bool
        The layer is damaged or cut.
    is_cut : bool
        Its end is missing.
    has_several : bool
        An archive holds several things that are wanted.
    """

    def __init__(
        self, problem: str, *, is_broken: bool = False, is_cut: bool = False, has_several: bool = False
    ) -> None:
        super().__init__(problem)
        self.is_broken = is_broken
        self.is_cut = is_cut
        self.has_several = has_several


def packing_of(head: bytes) -> str | None:
    """How content that begins so (262 bytes or more) is packed: ``"gzip"``, ``"tar"`` ...; None where not."""
    if head[_TAR_MAGIC_AT : _TAR_MAGIC_AT + len(_TAR_MAGIC)] == _TAR_MAGIC:
        return "tar"
    return next((name for magic, name in _SIGNATURES if head.startswith(magic)), None)


class Unpacked:
    """The content of a file without its layers, from its beginning.  Use as a context manager.

    Parameters
    ----------
    path : Path
    is_wanted : callable
        Which member of an archive is meant: the one that begins so.

    Attributes
    ----------
    layers : list of str
        What was taken off, the outermost first; a member of an archive by its name: ``"zip (heap.hprof)"``.
    head : bytes
        The first `HEAD_BYTES` of the content, or all of it.

    Raises
    ------
    PackingError
        A layer is damaged or cut in front of the content; an archive holds nothing, or several things, that
        are wanted.
    OSError
    """

    def __init__(self, path: Path, is_wanted: IsWanted) -> None:
        self.path = path
        self.layers: list[str] = []
        self._is_wanted = is_wanted
        self._file = path.open("rb")
        self._archive: _Archive | None = None
        try:
            self._stream = _Stream(self._file)
            self._peel()
        except BaseException:
            self.close()
            raise

    @property
    def head(self) -> bytes:
        """See `Unpacked`."""
        return self._stream.head

    @property
    def packing(self) -> str:
        """The layers in words: ``gzip in tar (heap.hprof.gz)``."""
        return " in ".join(reversed(self.layers))

    @property
    def position(self) -> int:
        """How far the file was read."""
        return self._file.tell()

    def read(self, count: int) -> bytes:
        """The next bytes of the content; none at its end.

        Raises
        ------
        PackingError
            A layer is damaged or cut, or an archive turns out to hold several things that are wanted.
        """
        with _told(self.packing):
            found = self._stream.read(count)
            if not found and self._archive is not None:
                self._archive.check_rest()
            return found

    def close(self) -> None:
        """Release the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _peel(self) -> None:
        while (packing := packing_of(self._stream.head)) is not None:
            if len(self.layers) == _MOST_LAYERS:
                raise PackingError(f"is packed more than {_MOST_LAYERS} times; unpack it")
            with _told(packing):
                if packing == "zip":
                    self._archive = self._zip()
                    self.layers.append(f"zip ({self._archive.name})")
                    self._stream = self._archive.stream
                elif packing == "tar":
                    self._archive = _Tar(self._stream, self._is_wanted)
                    self.layers.append(f"tar ({self._archive.name})")
                    self._stream = self._archive.stream
                else:
                    self.layers.append(packing)
                    self._stream = _Stream(_inflated(packing, self._stream))

    def _zip(self) -> _Archive:
        if self.layers:
            raise PackingError(f"is a zip inside {self.packing}; unpack it, and name the dump")
        return _Zip(self._file, self._is_wanted)


class _Stream:
    """A stream that knows its beginning before it is read."""

    def __init__(self, raw: Any) -> None:
        # One call of the library below: a buffered `read` loses what it has where it meets damage.
        self._read = getattr(raw, "read1", raw.read)
        self._error: Exception | None = None  # met behind what was read: raised by who gets there
        self.head = self._waiting = b""
        self.head = self._waiting = self.read(HEAD_BYTES)

    def read(self, count: int = -1) -> bytes:
        """The next ``count`` bytes, fewer at the end or in front of damage; all for a negative number."""
        left = count if count >= 0 else 1 << 62
        pieces = [self._waiting[:left]] if self._waiting else []
        self._waiting = self._waiting[left:]
        left -= sum(map(len, pieces))
        if not pieces and self._error is not None:
            raise self._error
        try:
            while self._error is None and left > 0 and (piece := self._read(min(left, _PIECE_BYTES))):
                pieces.append(piece)
                left -= len(piece)
        except Exception as error:
            if not pieces or not _is_told(error):
                raise
            self._error = error
        return b"".join(pieces)

    def readinto(self, buffer: Any) -> int:
        """As `read`, into a buffer; how many bytes."""
        found = self.read(len(buffer))
        buffer[: len(found)] = found
        return len(found)


def _inflated(packing: str, stream: Any) -> Any:
    if packing == "gzip":
        from isal import igzip

        return igzip.GzipFile(fileobj=stream, mode="rb")  # type: ignore[no-untyped-call]
    if packing == "zstd":
        import zstandard

        reader = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES)
        return reader.stream_reader(stream, read_across_frames=True)
    if packing == "xz":
        import lzma

        return lzma.LZMAFile(stream)
    import bz2

    return bz2.BZ2File(stream)


class _Archive:
    """One member of an archive; ``stream`` is its content, not unpacked further."""

    name: str
    stream: _Stream

    def check_rest(self) -> None:
        """Once the member was read: whether it is the only one that is wanted.

        Raises
        ------
        PackingError
        """


class _Zip(_Archive):
    def __init__(self, file: IO[bytes], is_wanted: IsWanted) -> None:
        import zipfile

        self._archive = zipfile.ZipFile(file)
        names = [each.filename for each in self._archive.infolist() if _is_file(each.filename)]
        wanted = [name for name in names if _begins(self._open(name), is_wanted)]
        _check_one("zip", names, wanted)
        self.name = wanted[0]
        self.stream = self._open(wanted[0])

    def _open(self, name: str) -> _Stream:
        return _Stream(self._archive.open(name))


class _Tar(_Archive):
    """A tar that is read once, from its beginning to its end."""

    def __init__(self, file: _Stream, is_wanted: IsWanted) -> None:
        import tarfile

        self._is_wanted = is_wanted
        self._names: list[str] = []
        self._archive = tarfile.open(fileobj=file, mode="r|")  # type: ignore[call-overload]  # noqa: SIM115
        self._members = self._walk()
        first = next(self._members, None)
        _check_one("tar", self._names, [] if first is None else [first[0]])
        assert first is not None
        self.name, self.stream = first

    def _walk(self) -> Iterator[tuple[str, _Stream]]:
        """The members that are wanted; each is valid up to the next."""
        for member in self._archive:
            content = self._archive.extractfile(member) if member.isfile() else None
            if content is None or not _is_file(member.name):
                continue
            self._names.append(member.name)
            stream = _Stream(content)
            if _holds(stream.head, self._is_wanted):
                yield member.name, stream

    def check_rest(self) -> None:
        """See `_Archive`."""
        _check_one("tar", self._names, [self.name, *(name for name, _ in self._members)])


def _is_file(name: str) -> bool:
    """Whether a member is a file that somebody put there: not a folder, nor what macOS adds."""
    last = name.rpartition("/")[2]
    return bool(last) and not last.startswith("._")


def _check_one(archive: str, names: list[str], wanted: list[str]) -> None:
    if len(wanted) == 1:
        return
    shown = ", ".join((wanted or names)[:_SHOWN])
    more = len(wanted or names) - _SHOWN
    shown += f" and {more:,} more" if more > 0 else ""
    if wanted:
        problem = f"is a {archive} that holds several: {shown}; unpack it, and name one of them"
        raise PackingError(problem, has_several=True)
    inside = f" (it holds {shown})" if names else ", and it is empty"
    raise PackingError(f"is a {archive} without a heap dump inside{inside}; name the file that has the dump")


def _begins(stream: _Stream, is_wanted: IsWanted) -> bool:
    return _holds(stream.head, is_wanted)


def _holds(head: bytes, is_wanted: IsWanted) -> bool:
    """Whether a member, compressed perhaps, begins like what is looked for."""
    for _ in range(_MOST_LAYERS):
        packing = packing_of(head)
        if packing is None or packing in ARCHIVES:
            break
        head = _inflated_head(packing, head)
    return is_wanted(head)


def _inflated_head(packing: str, head: bytes) -> bytes:
    """What the first bytes of a compressed file inflate to, as far as they go."""
    import io

    found = b""
    try:
        stream = _inflated(packing, _Stream(io.BytesIO(head)))
        while len(found) < HEAD_BYTES and (piece := stream.read(1 << 12)):
            found += piece
    except Exception:
        return found
    return found


class _told:  # noqa: N801 - used as a function
    """Turns what the libraries raise into `PackingError`."""

    def __init__(self, packing: str) -> None:
        self._packing = packing

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or not _is_told(error):
            return
        what = self._packing or "file"
        if isinstance(error, RuntimeError) and "password" in str(error):
            raise PackingError("is an encrypted zip; unpack it, and name the dump") from None
        if isinstance(error, NotImplementedError):
            problem = f"is a zip that is packed in a way which is not known here ({error}); unpack it"
            raise PackingError(problem) from None
        is_cut = isinstance(error, EOFError) or "unexpected end" in str(error)
        how = "ends too early" if is_cut else f"is damaged ({error})"
        raise PackingError(f"the {what} {how}; copy the file again", is_broken=True, is_cut=is_cut) from None


def _is_told(error: BaseException) -> bool:
    """Whether a library says that what it reads is broken; a system's error (no such file) is none."""
    if isinstance(error, OSError):
        return error.errno in (None, errno.EINVAL)  # a damaged zip asks for a place in front of the file
    return isinstance(error, _ERRORS) or type(error).__module__.partition(".")[0] in _LIBRARIES

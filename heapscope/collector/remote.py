"""Snapshots in object stores and on other hosts, through fsspec: ``s3://bucket/prefix``, ``hdfs://``,
``gs://``.

A snapshot is taken into a local folder first, and sent when the JVM goes on: however slow the network is,
nobody waits for it but heapscope.  It appears under its name whole or not at all, its sidecar before it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from heapscope import extras
from heapscope.errors import CollectError, OutputFailed

# Stores where an object appears when its last part was sent; a rename there copies it.
_WHOLE_BY_THEMSELVES = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oci"}


# What fsspec writes with the rights of any file, and into folders that all may read, is written by us.
_LOCAL = ("file://", "local://")
# Of the empty object that is written to see whether others can be.
_PROBE = ".heapscope-probe"


def is_remote(output: str) -> bool:
    """Whether an output is an address, not a folder."""
    return "://" in output and not output.startswith(_LOCAL)


def local_folder(output: str) -> Path:
    """The folder that an output on this machine names, by its path or by a ``file://`` address."""
    for prefix in _LOCAL:
        output = output.removeprefix(prefix)
    return Path(output)


class RemoteFolder:
    """A folder that fsspec reaches.

    Parameters
    ----------
    url : str
        Its address; how to log in is fsspec's business (environment, configuration files).

    Raises
    ------
    MissingDependency
        fsspec is not installed.
    OutputFailed
        The address is none, or the library of its protocol is not installed.
    """

    def __init__(self, url: str) -> None:
        scheme, _, rest = url.partition("://")
        self.url = f"{scheme}://{rest.rstrip('/')}"
        fsspec = extras.fsspec("A snapshot in an object store")
        try:
            self._system, self._folder = fsspec.core.url_to_fs(self.url)
        except (ImportError, ValueError, OSError) as error:
            raise OutputFailed(url, _words(error)) from None
        protocol = self._system.protocol
        names = {protocol} if isinstance(protocol, str) else set(protocol)
        self._is_whole_by_itself = bool(names & _WHOLE_BY_THEMSELVES)
        if self._is_whole_by_itself and not self._folder.strip("/"):
            raise OutputFailed(url, "it names no bucket")
        self._is_s3 = bool(names & {"s3", "s3a"})

    def check(self) -> None:
        """Write an empty object and remove it: no JVM is paused for a bucket that is not there, or is closed.

        Raises
        ------
        OutputFailed
            It cannot be written.
        """
        name = f"{self._folder}/{_PROBE}"
        try:
            self._make_folder()
            self._system.pipe_file(name, b"")
        except Exception as error:  # whatever the library of a protocol raises
            raise OutputFailed(self.url, f"{_words(error)}; no JVM was asked") from None
        _ignore(lambda: self._system.rm_file(name))

    def send(self, files: Sequence[Path]) -> str:
        """Send the files of a snapshot, which is the last of them, and remove them here; its address.

        Raises
        ------
        CollectError
            It was not sent; the local files stay, nothing of it is left there.  The same is true of a
            ``KeyboardInterrupt``.
        """
        sent: list[str] = []
        try:
            self._make_folder()
            for path in files:
                sent.append(f"{self._folder}/{path.name}")
                self._put(path, sent[-1])
        except BaseException as error:  # whatever the library of a protocol raises, and Ctrl-C
            for name in sent:
                _ignore(lambda name=name: self._abort_uploads(name))  # type: ignore[misc]
                _ignore(lambda name=name: self._system.rm_file(name))  # type: ignore[misc]
            if not isinstance(error, Exception):
                raise
            raise CollectError(
                f"{self.url}: {_words(error)}; the snapshot is whole and stays at {files[-1]}"
            ) from None
        for path in files:
            path.unlink()
        return f"{self.url}/{files[-1].name}"

    def _make_folder(self) -> None:
        # Object stores have no folders, and a bucket is not made because its name was mistyped.
        if not self._is_whole_by_itself:
            with suppress(NotImplementedError):
                self._system.makedirs(self._folder, exist_ok=True)

    def _abort_uploads(self, name: str) -> None:
        """Parts that were sent to S3 cost money until their upload is aborted, and nobody sees them."""
        if self._is_s3:
            bucket, _, key = name.partition("/")
            for upload in self._system.list_multipart_uploads(bucket):
                if upload["Key"] == key:
                    found = {"Bucket": bucket, "Key": key, "UploadId": upload["UploadId"]}
                    self._system.call_s3("abort_multipart_upload", **found)

    def _put(self, path: Path, name: str) -> None:
        if self._is_whole_by_itself:
            self._system.put_file(str(path), name)
            return
        folder, _, last = name.rpartition("/")
        part = f"{folder}/.{last}.part"
        try:
            self._system.put_file(str(path), part)
            self._system.mv(part, name)
        except BaseException:
            _ignore(lambda: self._system.rm_file(part))
            raise


def _ignore(action: Callable[[], Any]) -> None:
    with suppress(Exception):
        action()


def _words(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__

"""Files that samples are appended to: CSV, JSON lines or Parquet.  A kill loses no more than the last round.

CSV and JSON lines get one ``write`` for each round.  A Parquet file cannot be appended to: rounds go into a
journal of JSON lines beside it (``.NAME.rows``), which is merged into the file every ten minutes and at the
end.  Readers read the journal too (`heapscope.analysis.memory.samples`).
"""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from heapscope import extras
from heapscope.collector.memory import Sample
from heapscope.errors import OutputFailed
from heapscope.files import MODE, SAMPLE_SUFFIXES, sample_journal

COLUMNS = tuple(field.name for field in fields(Sample))
_MERGE_SECONDS = 600.0
_MAX_ROW_BYTES = 1 << 16
_FIRST_BYTES = f'{{"{COLUMNS[0]}"'.encode()


class SampleFile:
    """A file that samples are appended to; one that exists must hold samples already.

    Parameters
    ----------
    path : Path
        Its suffix chooses the format: ``.csv``, ``.jsonl`` or ``.parquet``.

    Raises
    ------
    OutputFailed
        Another suffix, another watch is writing it, it holds something else, or it cannot be written.
    MissingDependency
        Parquet without pyarrow.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.suffix not in SAMPLE_SUFFIXES:
            raise OutputFailed(path, f"its name should end in {', '.join(SAMPLE_SUFFIXES)}")
        self._is_parquet = path.suffix == ".parquet"
        if self._is_parquet:
            extras.pyarrow()
            _check_parquet(path)
        self._rows = sample_journal(path) if self._is_parquet else path
        try:
            self._fd = os.open(self._rows, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, MODE)
        except OSError as error:
            raise OutputFailed(path, error.strerror or str(error)) from None
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._repair()
        except BlockingIOError:
            os.close(self._fd)
            raise OutputFailed(path, "another watch is writing it; name another file") from None
        except BaseException:
            os.close(self._fd)
            raise
        self._merged_at = time.monotonic()

    def append(self, samples: Sequence[Sample]) -> None:
        """Write one round of samples; when this returns, a kill of this process cannot lose it.

        Raises
        ------
        OutputFailed
            The disk is full, say; what was there before stays whole.
        """
        text = io.StringIO()
        if self.path.suffix == ".csv":
            csv.writer(text, lineterminator="\n").writerows(asdict(sample).values() for sample in samples)
        else:
            text.writelines(json.dumps(asdict(sample)) + "\n" for sample in samples)
        self._write(text.getvalue().encode())
        if self._is_parquet and time.monotonic() - self._merged_at > _MERGE_SECONDS:
            self._merge()

    def close(self) -> None:
        """Finish the file.

        Raises
        ------
        OutputFailed
            A Parquet file cannot be written; the samples are in its journal.
        """
        try:
            if self._is_parquet:
                self._merge()
                self._rows.unlink(missing_ok=True)
        finally:
            os.close(self._fd)

    def _write(self, data: bytes) -> None:
        size = os.fstat(self._fd).st_size
        try:
            while data:
                data = data[os.write(self._fd, data) :]
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._fd, size)  # leave no part of a row
            raise OutputFailed(self.path, f"{error.strerror}; the samples before are whole") from None

    def _repair(self) -> None:
        """Drop a row that a killed watch left half written; refuse a file that holds something else."""
        size = os.fstat(self._fd).st_size
        expected = (",".join(COLUMNS) + "\n").encode()
        if not size:
            if self.path.suffix == ".csv":
                self._write(expected)
            return
        with open(self._rows, "rb") as file:
            head = file.readline(_MAX_ROW_BYTES)
            tail_at = max(0, size - _MAX_ROW_BYTES)
            file.seek(tail_at)
            tail = file.read()
        is_torn = head == tail and not head.endswith(b"\n")  # the first row, half written
        if self.path.suffix == ".csv":
            is_ours = head == expected or (is_torn and expected.startswith(head))
        else:
            is_ours = _is_sample(head) or (is_torn and _FIRST_BYTES.startswith(head[: len(_FIRST_BYTES)]))
        if not is_ours:
            raise OutputFailed(
                self.path, "it exists and holds no samples of this version of heapscope; name another file"
            )
        if not tail.endswith(b"\n"):
            os.ftruncate(self._fd, tail_at + tail.rfind(b"\n") + 1)
            self._repair()

    def _merge(self) -> None:
        """Append the journal to the Parquet file: a new file takes its name, then the journal is emptied."""
        pyarrow = extras.pyarrow()
        with open(self._rows, encoding="utf-8") as file:
            rows = [json.loads(line) for line in file]
        self._merged_at = time.monotonic()
        if not rows and self.path.exists():
            return
        table = pyarrow.Table.from_pylist(rows, schema=_schema(pyarrow))
        if self.path.exists():
            before = pyarrow.parquet.read_table(self.path).cast(_schema(pyarrow))
            table = pyarrow.concat_tables([before, table])
        part = self.path.with_name(f".{self.path.name}.part")
        try:
            # The rights of a file that was there before are kept, as an append would.
            mode = self.path.stat().st_mode & 0o777 if self.path.exists() else MODE
            part.unlink(missing_ok=True)
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
                pyarrow.parquet.write_table(table, file)
            os.replace(part, self.path)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise OutputFailed(self.path, f"{error.strerror}; the samples are in {self._rows}") from None
        # A kill just here leaves rows twice; a reader drops them by process and time.
        os.ftruncate(self._fd, 0)


def _is_sample(row: bytes) -> bool:
    try:
        return tuple(json.loads(row)) == COLUMNS
    except (ValueError, TypeError):
        return False


def _check_parquet(path: Path) -> None:
    pyarrow = extras.pyarrow()
    if not path.exists():
        return
    try:
        names = pyarrow.parquet.read_schema(path).names
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise OutputFailed(path, f"it exists and is no Parquet file: {error}".splitlines()[0]) from None
    if tuple(names) != COLUMNS:
        raise OutputFailed(path, "it exists and holds no samples of this version of heapscope; name another")


def _schema(pyarrow: Any) -> Any:
    def kind(name: str) -> Any:
        if name in ("captured_at", "host", "role"):
            return pyarrow.string()
        return pyarrow.float64() if name.endswith("_seconds") else pyarrow.int64()

    return pyarrow.schema([(name, kind(name)) for name in COLUMNS])

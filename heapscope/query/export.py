"""Heaps as files of columns for other programs: Parquet and Arrow.

A folder with a file for each table of `heapscope.query.catalogue` but the verdicts, with the columns that a
query sees.  The metadata of each schema has ``heapscope.schema_version`` (it changes when a column goes, or
means something else), ``heapscope.version``, ``heapscope.table`` and ``heapscope.snapshot``.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from heapscope.errors import OutputExists, OutputFailed
from heapscope.extras import arrow, pyarrow
from heapscope.files import check_free, new_file
from heapscope.progress import Progress, no_progress

if TYPE_CHECKING:
    from heapscope.query.columns import SqlColumn
    from heapscope.query.session import Part, Session

SCHEMA_VERSION = 1
Format = Literal["parquet", "arrow"]
VERDICTS = ("findings", "growth")
_ROWS = 1 << 20  # of a row group, or of a record batch
_THREADS = 3  # as many tables are large
_LARGE = ("strings", "refs", "objects")  # millions of rows; texts take most time
_SORTED = ("address", "source")  # ascending: differences take little room


def export_tables(
    session: Session,
    folder: Path,
    to: Format,
    *,
    version: str,
    force: bool = False,
    progress: Progress = no_progress,
) -> list[Path]:
    """Write a folder of files, one for each table; it appears whole or not at all.

    Parameters
    ----------
    session : Session
        Over one heap dump.
    folder : Path
    to : str
        ``"parquet"`` or ``"arrow"`` (the IPC file format, which Feather 2 is).
    version : str
        Of heapscope, for the metadata.
    force : bool
        Whether an existing folder is replaced.
    progress : Progress
        Told how many tables are written.

    Raises
    ------
    OutputExists, OutputFailed, MissingDependency
    """
    pyarrow()
    if os.path.lexists(folder) and not force:
        raise OutputExists(folder)
    (part,) = session.parts
    names = [name for name in session.types if name in part.tables and name not in VERDICTS]
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            # What takes longest first, so that no processor is idle at the end.
            order = sorted(names, key=lambda name: _LARGE.index(name) if name in _LARGE else len(_LARGE))
            if part.heap is not None:
                part.heap.prepare()
            progress("exporting", 0, len(names))
            threads = min(os.cpu_count() or 1, _THREADS)
            with ThreadPoolExecutor(threads) as makers, ThreadPoolExecutor(threads) as writers:
                waiting = [
                    writers.submit(_write, part, name, made / f"{name}.{to}", to, version, makers)
                    for name in order
                ]
                for done, each in enumerate(as_completed(waiting)):
                    each.result()
                    progress("exporting", done + 1, len(names))
            os.chmod(made, 0o700)
            if os.path.lexists(folder):
                shutil.rmtree(folder)
            made.rename(folder)
        except BaseException:
            shutil.rmtree(made, ignore_errors=True)
            raise
    except OSError as error:
        raise OutputFailed(folder, error.strerror or str(error)) from None
    return [folder / f"{name}.{to}" for name in names]


def _write(part: Part, name: str, path: Path, to: Format, version: str, makers: Executor) -> None:
    """Write a table, a row group after the other: of a large one the next is made while one is written."""
    pa, table = arrow(), part.tables[name]
    wholes = {
        column.name: _values(column, column.make())
        for column in table.columns
        if table.row_count is None or column.is_whole
    }
    rows = len(next(iter(wholes.values()), ())) if table.row_count is None else table.row_count()
    metadata = {
        "heapscope.schema_version": str(SCHEMA_VERSION),
        "heapscope.version": version,
        "heapscope.table": name,
        "heapscope.snapshot": part.name,
    }

    def piece(first: int) -> Any:
        some = slice(first, min(first + _ROWS, rows))
        label = pa.nulls(some.stop - first, pa.int8()).fill_null(0)
        columns = {"snapshot": pa.DictionaryArray.from_arrays(label, [part.name])}
        for column in table.columns:
            whole = wholes.get(column.name)
            columns[column.name] = _values(column, column.make(some)) if whole is None else whole[some]
        return pa.table(columns).replace_schema_metadata(metadata)

    with ExitStack() as stack:
        writer = None
        for each in _ahead(makers, piece, range(0, max(rows, 1), _ROWS)):
            if writer is None:
                writer = stack.enter_context(_writer(path, each.schema, to))
            writer.write_table(each)


def _ahead(makers: Executor, make: Callable[[int], Any], firsts: range) -> Iterator[Any]:
    """Pieces one after the other, each made while the one before it is used."""
    following = makers.submit(make, firsts[0])
    for first in firsts[1:]:
        piece = following.result()
        following = makers.submit(make, first)
        yield piece
    yield following.result()


def _values(column: SqlColumn, values: Any) -> Any:
    pa = arrow()
    if column.times != 1:
        values = pa.compute.multiply(values.cast(pa.int64()), pa.scalar(column.times, pa.int64()))
    if pa.types.is_dictionary(values.type):  # readers of Parquet know signed codes only
        return _with_signed_codes(values)
    return values if values.type == column.arrow_type() else values.cast(column.arrow_type())


def _with_signed_codes(values: Any) -> Any:
    """A dictionary with codes of int32; a cast of the whole would look up each text."""
    pa = arrow()
    codes = values.indices
    codes = codes.view(pa.int32()) if codes.type == pa.uint32() else codes.cast(pa.int32())
    return pa.DictionaryArray.from_arrays(codes, values.dictionary, safe=False)


def _writer(path: Path, schema: Any, to: Format) -> Any:
    pa = pyarrow()
    if to == "arrow":
        return pa.ipc.new_file(os.fspath(path), schema)
    names = schema.names
    sorted_ = [name for name in _SORTED if name in names and pa.types.is_uint64(schema.field(name).type)]
    codes = [field.name for field in schema if pa.types.is_dictionary(field.type)]
    return pa.parquet.ParquetWriter(
        path,
        schema,
        compression="lz4",
        use_dictionary=codes,
        column_encoding=dict.fromkeys(sorted_, "DELTA_BINARY_PACKED"),
        write_statistics=[name for name in names if name not in codes],
    )


def write_answer(session: Session, query: str, path: Path, *, force: bool = False) -> None:
    """The answer to a query as a Parquet file, written as it comes: it may be larger than the memory.

    Parameters
    ----------
    session : Session
    query : str
    path : Path
    force : bool
        Whether a file of that name is replaced.

    Raises
    ------
    QueryError, OutputExists, OutputFailed, MissingDependency
    """
    pa = pyarrow()
    check_free(path, force)
    with (
        session.stream(query) as reader,
        new_file(path, force=force) as file,
        pa.parquet.ParquetWriter(file, reader.schema, compression="zstd") as writer,
    ):
        for batch in reader:
            writer.write_batch(batch)

"""Heaps as files of columns for other programs: Parquet and Arrow.

A folder with a file for each table of `heapscope.query.catalogue` but the verdicts, with the columns that a
query sees.  The metadata of each schema has ``heapscope.schema_version`` (it changes when a column goes, or
means something else), ``heapscope.version``, ``heapscope.table`` and ``heapscope.snapshot``.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
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
            # Reading and encoding take turns: the next table is made while the last is written.
            with ThreadPoolExecutor(1) as pool:
                waiting = []
                for done, name in enumerate(names):
                    progress("exporting", done, len(names))
                    table = _table(part, name, version)
                    waiting.append(pool.submit(_write, table, made / f"{name}.{to}", to))
                    del table
                    if len(waiting) > 1:
                        waiting[-2].result()
                for each in waiting:
                    each.result()
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


def _table(part: Part, name: str, version: str) -> Any:
    pa = arrow()
    table = part.tables[name]
    columns = {column.name: _values(column) for column in table.columns}
    rows = len(next(iter(columns.values()), ()))
    label = pa.DictionaryArray.from_arrays(pa.nulls(rows, pa.int8()).fill_null(0), [part.name])
    metadata = {
        "heapscope.schema_version": str(SCHEMA_VERSION),
        "heapscope.version": version,
        "heapscope.table": name,
        "heapscope.snapshot": part.name,
    }
    return pa.table({"snapshot": label, **columns}).replace_schema_metadata(metadata)


def _values(column: SqlColumn) -> Any:
    pa = arrow()
    values = column.make()
    if column.times != 1:
        values = pa.compute.multiply(values.cast(pa.int64()), pa.scalar(column.times, pa.int64()))
    is_text = pa.types.is_dictionary(values.type)
    if is_text:  # readers of Parquet know signed codes only
        return values.cast(pa.dictionary(pa.int32(), pa.string()))
    return values if values.type == column.arrow_type() else values.cast(column.arrow_type())


def _write(table: Any, path: Path, to: Format) -> None:
    pa = pyarrow()
    if to == "arrow":
        with pa.OSFile(os.fspath(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table, max_chunksize=_ROWS)
        return
    names = table.column_names
    sorted_ = [
        name for name in _SORTED if name in names and pa.types.is_uint64(table.schema.field(name).type)
    ]
    codes = [field.name for field in table.schema if pa.types.is_dictionary(field.type)]
    pa.parquet.write_table(
        table,
        path,
        row_group_size=_ROWS,
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

"""Samples of memory read back from the files that ``heapscope watch`` writes."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heapscope import extras
from heapscope.analysis.memory.judging import judge
from heapscope.analysis.memory.verdict import MemoryVerdict
from heapscope.errors import HeapscopeError, SampleError
from heapscope.files import SAMPLE_SUFFIXES, sample_journal
from heapscope.rich_repr import RichRepr

if TYPE_CHECKING:
    import pandas as pd

_KEYS = ["host", "pid", "start_ticks"]
_NEEDED = (*_KEYS, "captured_at", "role", "task_index", "rss_bytes")


@dataclass(frozen=True, slots=True, repr=False)
class WatchedProcess(RichRepr):
    """One process's samples, in the order of time.

    Attributes
    ----------
    host : str
        Where it ran.
    pid : int
    role, task_index : str, int or None
        Of TensorFlow.
    samples : DataFrame
        Columns of `heapscope.collector.memory.Sample`; ``captured_at`` as UTC timestamps.
    """

    host: str
    pid: int
    role: str | None
    task_index: int | None
    samples: pd.DataFrame

    @property
    def name(self) -> str:
        """``worker:0 (pid 4711)``."""
        return process_name(self.pid, self.role, self.task_index)

    def __repr__(self) -> str:
        return f"<{self.name} on {self.host}, {len(self.samples):,} samples>"

    def to_frame(self) -> pd.DataFrame:
        """Its samples."""
        return self.samples.copy()

    def seconds(self) -> list[float]:
        """Time of each sample since the first."""
        moments = self.samples["captured_at"]
        return [float(x) for x in (moments - moments.iloc[0]).dt.total_seconds()]

    def verdict(self) -> MemoryVerdict:
        """What grew."""
        columns = {
            name: [None if value != value else float(value) for value in self.samples[name]]
            for name in self.samples.columns
            if name.endswith(("_bytes", "_count"))
        }
        return judge(self.pid, self.seconds(), columns)


def process_name(pid: int, role: str | None, task_index: int | None, program: str = "") -> str:
    """What to call a process: ``worker:0 (pid 4711)``, ``com.acme.Main (pid 4711)``, or ``pid 4711``.

    Parameters
    ----------
    pid : int
    role, task_index : str, int or None
        Of TensorFlow.
    program : str
        Its main class or script, where that is known.
    """
    if role is None:
        return f"{program} (pid {pid})" if program else f"pid {pid}"
    return f"{role}{'' if task_index is None else f':{task_index}'} (pid {pid})"


def read_samples(paths: Sequence[str | os.PathLike[str]] | str | os.PathLike[str]) -> pd.DataFrame:
    """All samples of some files, each once, in the order of host, process and time.

    A row that a kill left half written at the end is left out.

    Parameters
    ----------
    paths : path-like, or several
        ``.csv``, ``.jsonl`` or ``.parquet``, as ``heapscope watch -o`` writes them.

    Raises
    ------
    SampleError
        A file is no Parquet, CSV or JSON lines of samples.
    MissingDependency
        Parquet without pyarrow.
    """
    import pandas as pd

    files = [paths] if isinstance(paths, (str, os.PathLike)) else paths
    table = pd.concat([_read(Path(path)) for path in files], ignore_index=True)
    table = table.drop_duplicates([*_KEYS, "captured_at"])
    return table.sort_values([*_KEYS, "captured_at"], ignore_index=True)


def watched_processes(table: pd.DataFrame) -> list[WatchedProcess]:
    """The processes in a table of samples; one that was restarted counts as two.

    Parameters
    ----------
    table : DataFrame
        From `read_samples`.

    Returns
    -------
    list of WatchedProcess
        By role, task index and pid; those without a role last.
    """
    found = []
    for (host, pid, _), rows in table.groupby(_KEYS, sort=False):
        role, index = rows["role"].iloc[0], rows["task_index"].iloc[0]
        found.append(
            WatchedProcess(
                host=str(host),
                pid=int(pid),
                role=str(role) if role == role and role is not None else None,
                task_index=int(index) if index == index and index is not None else None,
                samples=rows.reset_index(drop=True),
            )
        )
    return sorted(found, key=lambda process: (process.role or "~", process.task_index or 0, process.pid))


def _read(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        if path.suffix == ".parquet":
            journal = sample_journal(path)
            parts = [_rows(journal)] if journal.exists() and journal.stat().st_size else []
            if path.exists() or not parts:
                parts.insert(0, _parquet(path))
            table = pd.concat(parts, ignore_index=True)
        elif path.suffix == ".csv":
            table = _csv(path)
        elif path.suffix == ".jsonl":
            table = _rows(path)
        else:
            raise SampleError(
                path,
                f"holds no samples of 'heapscope watch', whose names end in {', '.join(SAMPLE_SUFFIXES)}; "
                "heap dumps and class histograms are drawn by 'heapscope report DUMP... -o FILE.html'",
            )
        missing = [name for name in _NEEDED if name not in table.columns]
        if missing:
            raise SampleError(path, f"no samples: column {missing[0]!r} is missing")
        table["captured_at"] = pd.to_datetime(table["captured_at"], utc=True, format="ISO8601")
        for name in table.columns:
            if name.endswith(("_bytes", "_count", "_seconds")):
                table[name] = pd.to_numeric(table[name])
        return table
    except HeapscopeError:
        raise
    except FileNotFoundError:
        raise SampleError(path, "no such file") from None
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise SampleError(path, f"cannot be read as samples: {error}".splitlines()[0]) from None


def _whole_lines(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    return text[: text.rfind("\n") + 1].splitlines()


def _csv(path: Path) -> pd.DataFrame:
    import io

    import pandas as pd

    return pd.read_csv(io.StringIO("\n".join(_whole_lines(path))))


def _rows(path: Path) -> pd.DataFrame:
    import pandas as pd

    rows: list[dict[str, Any]] = [json.loads(line) for line in _whole_lines(path)]
    if not all(isinstance(row, dict) for row in rows):
        raise SampleError(path, "no samples: a line is no JSON object")
    return pd.DataFrame(rows)


def _parquet(path: Path) -> pd.DataFrame:
    return extras.pyarrow().parquet.read_table(path).to_pandas()

"""A class histogram as ``jcmd PID GC.class_histogram`` prints it, with nothing but its figures."""

from __future__ import annotations

from datetime import datetime

from heapscope.reporter.text import printable
from heapscope.table import Table


def histogram_text(histogram: Table, captured_at: datetime | None = None, *, is_cut: bool = False) -> str:
    """The text, which heapscope reads as it reads the JVM's own.

    Parameters
    ----------
    histogram : Table
        ``class_name, instance_count, shallow_bytes``.
    captured_at : datetime, optional
        Named above the table.
    is_cut : bool
        Whether classes may be missing: there is no Total line then.
    """
    lines = [] if captured_at is None else [f"{captured_at:%Y-%m-%d %H:%M:%S}"]
    lines += [" num     #instances         #bytes  class name", "-" * 55]
    for number, row in enumerate(histogram.rows(), 1):
        count, size = row["instance_count"], row["shallow_bytes"]
        lines.append(f"{number:4d}: {count:14d} {size:15d}  {printable(row['class_name'])}")
    if not is_cut:
        counts, sizes = histogram.column("instance_count"), histogram.column("shallow_bytes")
        lines.append(f"Total {sum(counts):14d} {sum(sizes):15d}")
    return "\n".join(lines) + "\n"

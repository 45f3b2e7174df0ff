"""The base of what answers SQL: an open heap, snapshots.

The engine stands above both (`heapscope.query`); the package hands it down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from heapscope.handed_down import handed_down

if TYPE_CHECKING:
    import pandas as pd


class Queryable:
    """Base of what answers SQL."""

    __slots__ = ()

    def sql(
        self,
        query: str,
        *,
        to: Literal["pandas", "arrow"] = "pandas",
        memory: int | None = None,
        show_secrets: bool = False,
    ) -> pd.DataFrame | Any:
        """Answer a query in SQL, of DuckDB's dialect; needs duckdb and pyarrow, the extra ``sql``.

        ::

            heap.sql("SELECT class_name, count(*) FROM objects GROUP BY ALL ORDER BY 2 DESC LIMIT 10")
            heap.sql('SELECT * FROM "org.apache.hadoop.fs.FileSystem$Cache$Key"')

        Tables: ``snapshots, processes, classes, objects, refs, gc_roots, threads, frames, locals,
        strings, environment, properties, loaders, findings, growth``, and every class in quotes, with
        ``+`` at its end with its subclasses.  See the page "From OQL to SQL" for recipes.

        Parameters
        ----------
        query : str
            One SELECT.
        to : str
            ``"pandas"``: a DataFrame; ``"arrow"``: a ``pyarrow.Table``.
        memory : int, optional
            No more bytes than these for the query, its columns and its answer; half of what the machine, or
            the container, has free by default.
        show_secrets : bool
            Whether texts that may be secret are shown as they are.

        Raises
        ------
        QueryError
            It is no query, names what is not there, or needs more memory.
        MissingDependency
        """
        found = handed_down("query engine").answer(self, query, memory, show_secrets)
        return found.to_arrow() if to == "arrow" else found.to_frame()

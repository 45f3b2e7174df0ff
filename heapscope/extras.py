"""Optional libraries: imported here and nowhere else; where one is missing, the error names the pip line.

Each is imported when it is used, for most people never use it.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from heapscope.errors import HeapscopeError, MissingDependency


def pyarrow() -> Any:
    """The module ``pyarrow`` with ``pyarrow.parquet``, for Parquet files.

    Raises
    ------
    MissingDependency
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingDependency("pyarrow", "A Parquet file", "parquet") from None
    return pyarrow


def prometheus_client() -> Any:
    """The module ``prometheus_client`` with ``prometheus_client.core``, for metrics.

    Raises
    ------
    MissingDependency
    """
    try:
        import prometheus_client
        import prometheus_client.core
    except ImportError:
        raise MissingDependency("prometheus-client", "Exporting metrics", "metrics") from None
    return prometheus_client


def sql_engine() -> Any:
    """The module ``duckdb``; pyarrow is there as well.

    Raises
    ------
    MissingDependency
    """
    try:
        import duckdb
    except ImportError:
        raise MissingDependency("duckdb", "SQL", "sql") from None
    arrow()
    return duckdb


def arrow() -> Any:
    """The module ``pyarrow`` with ``pyarrow.compute``, for queries.

    Raises
    ------
    MissingDependency
    """
    try:
        import pyarrow
        import pyarrow.compute
    except ImportError:
        raise MissingDependency("pyarrow", "SQL", "sql") from None
    return pyarrow


def weasyprint() -> Any:
    """The module ``weasyprint`` with ``weasyprint.text.fonts`` and ``weasyprint.urls``, for PDFs.

    Raises
    ------
    MissingDependency
        WeasyPrint is not installed.
    HeapscopeError
        It is, but the libraries of the system that it draws with are not.
    """
    try:
        import weasyprint
        import weasyprint.text.fonts
        import weasyprint.urls
    except ImportError:
        raise MissingDependency("WeasyPrint", "A PDF", "pdf") from None
    except OSError as error:  # it loads Pango through cffi
        raise HeapscopeError(
            f"a PDF needs the system's Pango library: {str(error).splitlines()[0]}; on Debian and Ubuntu "
            "run: apt-get install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0; .html needs none"
        ) from None
    return weasyprint


def ipython_display() -> Any:
    """The module ``IPython.display``, for HTML in notebooks.

    Raises
    ------
    MissingDependency
    """
    try:
        from IPython import display
    except ImportError:
        raise MissingDependency("IPython", "HTML in a notebook", "notebook") from None
    return display


def fsspec(purpose: str) -> Any:
    """The module ``fsspec`` with ``fsspec.core``, for object stores and other hosts.

    Parameters
    ----------
    purpose : str
        What needs it: the beginning of the message.

    Raises
    ------
    MissingDependency
    """
    try:
        import fsspec
        import fsspec.core
    except ImportError:
        raise MissingDependency("fsspec", purpose, "remote") from None
    return fsspec


def distributed() -> Any:
    """The module ``distributed``, Dask's scheduler and workers, for a fleet of dumps.

    Raises
    ------
    MissingDependency
    """
    try:
        import distributed
        import distributed.scheduler
    except ImportError:
        raise MissingDependency("dask[distributed]", "A run over a fleet", "fleet") from None
    return distributed


def scipy_stats() -> Any:
    """The module ``scipy.stats``, for tests over cohorts.

    Raises
    ------
    MissingDependency
    """
    try:
        import scipy.stats
    except ImportError:
        raise MissingDependency("scipy", "Comparing cohorts", "fleet") from None
    return scipy.stats


def starlette() -> Any:
    """The module ``starlette``, with ``uvicorn`` beside it, for pages in a browser.

    Raises
    ------
    MissingDependency
    """
    try:
        import starlette
        import uvicorn  # noqa: F401
    except ImportError:
        raise MissingDependency("starlette and uvicorn", "heapscope explore", "explore") from None
    return starlette


def need_jpype(purpose: str) -> None:
    """Look whether JPype is installed, without importing it: another process will.

    Parameters
    ----------
    purpose : str
        What needs it: the beginning of the message.

    Raises
    ------
    MissingDependency
    """
    if find_spec("jpype") is None:
        raise MissingDependency("jpype1", purpose, "demo")


def need_mcp() -> None:
    """Look whether the SDK of the Model Context Protocol is installed, in the version that is used.

    Raises
    ------
    MissingDependency
    """
    if find_spec("mcp") is None or find_spec("mcp.server.mcpserver") is None:
        raise MissingDependency("mcp 2.3 or later", "The server for agents", "mcp")

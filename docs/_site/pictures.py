"""Make the pictures of the explorer and of the report again: ``python -m docs._site.pictures [NAME...]``.

Needs Chromium with its driver; the sample dumps are in the tree.
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image

import heapscope
from tests.support.browser import chromium
from tests.unit.explorer.serving import SAMPLES, serving

DOCS = Path(__file__).parents[1]
PICTURES = {
    "explore-start": ("/", 1150),
    "explore-object": ("/objects/0xfd8cf318", 760),
    "explore-icicle": ("/icicle", 640),
}


REPORT = ("report", 1400)


def main() -> None:
    """Write one PNG for each page, or for those that are named."""
    asked = set(sys.argv[1:]) or {*PICTURES, REPORT[0]}
    dumps = [SAMPLES / f"leak-{number}.hprof.gz" for number in (1, 2, 3, 4)]
    if REPORT[0] in asked:
        draw_report(dumps)
    if asked & set(PICTURES):
        draw_explorer(dumps, asked)


def draw_report(dumps: list[Path]) -> None:
    """The first screen of the page that ``heapscope report`` writes."""
    name, height = REPORT
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        heapscope.report(heapscope.snapshots(dumps), page)
        for driver in chromium(Path(folder) / "profile"):
            size = {"width": 1280, "height": height, "deviceScaleFactor": 1, "mobile": False}
            driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            driver.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
            driver.get(page.as_uri())
            picture = Image.open(io.BytesIO(driver.get_screenshot_as_png())).convert("RGB")
            # A third of the bytes: the page has few colours.
            picture.quantize(256, Image.Quantize.MAXCOVERAGE).save(DOCS / f"{name}.png", optimize=True)


def draw_explorer(dumps: list[Path], asked: set[str]) -> None:
    """Pages of ``heapscope explore``."""
    with tempfile.TemporaryDirectory() as folder, serving(dumps, index_dir=Path(folder) / "index") as client:
        for driver in chromium(Path(folder) / "profile"):
            for name, (path, height) in PICTURES.items():
                if name not in asked:
                    continue
                client.page("/parts/diagnosis")
                driver.set_window_size(1280, height + 140)
                driver.get(f"{client.base}{path}")
                pending = (
                    "return [...document.querySelectorAll('.pending, .working, .htmx-request')]"
                    ".some(each => !each.closest('details:not([open])'))"
                )
                while driver.execute_script(pending):
                    pass
                driver.save_screenshot(str(DOCS / f"{name}.png"))


if __name__ == "__main__":
    main()

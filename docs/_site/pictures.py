"""Make the pictures of the explorer in the documentation again: ``python -m docs._site.pictures``.

Needs Chromium with its driver; the sample dumps are in the tree.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.support.browser import chromium
from tests.unit.explorer.serving import SAMPLES, serving

DOCS = Path(__file__).parents[1]
PICTURES = {
    "explore-start": ("/", 1150),
    "explore-object": ("/objects/0xfd8cf318", 760),
    "explore-icicle": ("/icicle", 640),
}


def main() -> None:
    """Write one PNG for each page."""
    dumps = [SAMPLES / f"leak-{number}.hprof.gz" for number in (1, 2, 3, 4)]
    with tempfile.TemporaryDirectory() as folder, serving(dumps, index_dir=Path(folder) / "index") as client:
        for driver in chromium(Path(folder) / "profile"):
            for name, (path, height) in PICTURES.items():
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

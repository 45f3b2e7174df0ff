"""Notebooks run from the first cell to the last in a kernel of their own, and are stored without output."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def code_cells(path: Path) -> list[dict[str, Any]]:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def test_there_are_notebooks() -> None:
    assert [path.stem for path in NOTEBOOKS] == [
        "01-triage",
        "02-investigate",
        "03-prove-the-fix",
        "04-fleet",
    ]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Run a notebook; returns the outputs of each of its code cells."""
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    places = tmp_path_factory.mktemp("jupyter")

    def run_it(path: Path) -> list[list[dict[str, Any]]]:
        with pytest.MonkeyPatch.context() as patch:
            for variable in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
                patch.setenv(variable, str(places / variable.lower()))
            notebook = nbformat.read(path, 4)
            client = nbclient.NotebookClient(
                notebook, timeout=180, resources={"metadata": {"path": str(FOLDER)}}
            )
            client.execute()
        return [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]

    return run_it


@pytest.mark.filterwarnings("ignore")  # of Jupyter's own
@pytest.mark.parametrize(
    ("name", "words", "pictures"),
    [
        (
            "01-triage",
            ["the Java heap grows", "memory from malloc grows", "steady, nothing grew"],
            1,
        ),
        (
            "02-investigate",
            [
                "2 leak suspects",
                "trainer@EXAMPLE.COM",
                "FileSystem.CACHE (static)",
                "JNI global",
                "Reference(field='value'",
                "system class",
                "krb5cc_1000",
                "What to do",
            ],
            3,
        ),
        ("03-prove-the-fix", ["The cure: fixed", "All guards hold", "2 guards of 2 did not hold"], 1),
        ("04-fleet", ["KERB_TICKET_CACHE_PATH is set", "5 of 5", "0 of 8", "host2"], 1),
    ],
)
def test_runs_and_shows(run: Any, name: str, words: list[str], pictures: int) -> None:
    outputs = [output for cell in run(FOLDER / f"{name}.ipynb") for output in cell]
    assert [output for output in outputs if output.output_type == "error"] == []
    assert [
        output.text for output in outputs if output.output_type == "stream" and output.name == "stderr"
    ] == []
    data = [output.data for output in outputs if "data" in output]
    said = "".join(str(one.get("text/html", one.get("text/plain", ""))) for one in data)
    assert [word for word in words if word not in said] == []
    assert sum("image/png" in one for one in data) == pictures
    # An object without a card would show its address in memory.
    assert " object at 0x" not in said
    assert "<Figure" not in "".join(str(one.get("text/plain", "")) for one in data if "image/png" not in one)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_is_stored_without_output(path: Path) -> None:
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in code_cells(path))
    assert len(code_cells(path)) >= 5

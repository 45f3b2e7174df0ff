"""``heapscope bundle``: one zip with all of it."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from tests.unit.cli.conftest import Run


def test_the_zip_has_what_was_said(run: Run, series: list[Path], tmp_path: Path) -> None:
    path = tmp_path / "incident.zip"
    ran = run("bundle", *series, "-o", path)
    assert ran.code == 0
    with zipfile.ZipFile(path) as archive:
        manifest = json.loads(archive.read("incident/manifest.json"))
        assert archive.testzip() is None
    assert ran.out.splitlines()[0] == manifest["headline"]
    assert {file["role"] for file in manifest["files"]} >= {"report", "picture"}
    assert run("bundle", *series, "-o", path).code == 3
    assert run("bundle", *series, "-o", path, "--force").code == 0


def test_another_ending_is_wrong_usage(run: Run, series: list[Path], tmp_path: Path) -> None:
    assert run("bundle", *series, "-o", tmp_path / "incident.tar").code == 2

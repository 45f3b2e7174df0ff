"""``heapscope dominators``: what retains most."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tests.unit.analysis.leak import leak_dump
from tests.unit.cli.conftest import Run


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    return leak_dump(tmp_path)


def test_dominators_down_the_tree_and_summed(run: Run, dump: Path) -> None:
    rows = json.loads(run("dominators", dump, "--top", "1", "--json").out)["rows"]
    assert [sorted(row) for row in rows] == [["address", "class_name", "retained_bytes", "shallow_bytes"]]
    below = run("dominators", dump, "--of", rows[0]["address"])
    assert "org.apache.hadoop.conf.Configuration" in below.out
    by_class = list(csv.DictReader(io.StringIO(run("dominators", dump, "--by", "class", "--csv").out)))
    assert int(by_class[0]["retained_bytes"]) >= int(by_class[1]["retained_bytes"])
    assert run("dominators", dump, "--by", "class", "--of", "0x10").code == 2

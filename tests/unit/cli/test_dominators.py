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
    assert [sorted(row) for row in rows] == [
        ["address", "class_name", "represents", "retained_bytes", "shallow_bytes"]
    ]
    below = run("dominators", dump, "--of", rows[0]["address"])
    assert "org.apache.hadoop.conf.Configuration" in below.out
    by_class = list(csv.DictReader(io.StringIO(run("dominators", dump, "--by", "class", "--csv").out)))
    assert int(by_class[0]["retained_bytes"]) >= int(by_class[1]["retained_bytes"])
    assert run("dominators", dump, "--by", "class", "--of", "0x10").code == 2


def test_a_class_object_is_named_by_its_class(run: Run, dump: Path) -> None:
    rows = json.loads(run("dominators", dump, "--top", "0", "--json").out)["rows"]
    held = [row["represents"] for row in rows if row["class_name"] == "java.lang.Class"]
    assert held
    assert all(held)
    assert not any(row["represents"] for row in rows if row["class_name"] != "java.lang.Class")
    text = run("dominators", dump, "--top", "0").out
    assert f"{held[0]} (class)" in text
    assert "java.lang.Class\n" not in text


def test_another_order_is_over_all_objects(run: Run, dump: Path) -> None:
    whole = json.loads(run("dominators", dump, "--top", "0", "--json").out)["rows"]
    first = json.loads(run("dominators", dump, "--top", "1", "--sort", "Shallow", "--json").out)["rows"]
    assert first[0]["shallow_bytes"] == max(row["shallow_bytes"] for row in whole)

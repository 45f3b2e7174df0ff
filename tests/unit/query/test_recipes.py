"""Every recipe of "From OQL to SQL" runs, and answers what the page shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import heapscope
from heapscope.analysis.snapshots import snapshots
from heapscope.cli.sql import plain_rows
from heapscope.heap.heap import Heap
from heapscope.query.catalogue import MEANINGS, TABLES
from heapscope.query.functions import FUNCTIONS
from heapscope.query.sources import heap_session
from tests.unit.query.conftest import SAMPLES

PAGE = (Path(heapscope.__file__).parents[1] / "docs" / "how-to" / "oql-to-sql.md").read_text(encoding="utf-8")
RECIPES = re.findall(r"^### \d+\. (.+?)\n.*?```sql\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.S | re.M)


def test_there_are_twenty() -> None:
    assert len(RECIPES) >= 20


@pytest.mark.parametrize(
    ("query", "shown"), [each[1:] for each in RECIPES], ids=[each[0] for each in RECIPES]
)
def test_a_recipe_answers_what_is_shown(leak: Heap, query: str, shown: str) -> None:
    found = plain_rows(heap_session(leak).run(query))
    assert found == shown.rstrip("\n")
    assert found.count("\n") >= 1


def test_other_queries_of_the_page_run() -> None:
    known = {query for _, query, _ in RECIPES}
    others = [query for query in re.findall(r"```sql\n(.*?)```", PAGE, re.S) if query not in known]
    assert others
    series = snapshots([SAMPLES / "leak-1.histogram.txt", SAMPLES / "leak-4.histogram.txt"])
    for query in others:
        series.sql(query)


def test_the_page_has_all_tables_and_functions() -> None:
    for name, meaning in MEANINGS.items():
        row = re.search(rf"^\| `{name}` \| (.+?) \| (.+?) \|$", PAGE, re.M)
        assert row is not None, name
        assert row[1].replace("`", "") == meaning
        if name != "growth":
            assert row[2].strip("`").split(", ") == list(TABLES[name]), name
    for name in FUNCTIONS:
        assert f"| `{name}(" in PAGE

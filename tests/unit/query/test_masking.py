"""Secrets of a heap appear in no answer to a query, unless they are asked for."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from heapscope.analysis.snapshots import Snapshots
from heapscope.cli import main
from heapscope.heap.heap import Heap
from heapscope.query.catalogue import TABLES
from heapscope.query.verdict_tables import verdict_tables
from tests.unit.query.heaps import SECRETS

QUERIES = (
    *(f"SELECT * FROM {name}" for name in TABLES),
    "SELECT text(address) FROM objects",
    'SELECT * FROM "com.acme.Login"',
    "SELECT field(address, 'password'), field(address, 'pin'), field(address, 'user') FROM \"com.acme.Login\"",  # noqa: E501
    "SELECT field(address, 'value'), text(value) FROM \"java.util.HashMap$Node\"",
    'SELECT * FROM "java.util.Hashtable$Entry"',
    'SELECT * FROM "java.util.HashMap$Node+"',
    "SELECT length(text), substr(text, 1, 20), reverse(text) FROM strings",
    "SELECT list(text) FROM strings",
    "SELECT name FROM threads",
    "SELECT path_to_root(address) FROM objects",
)


@pytest.mark.parametrize("query", QUERIES)
def test_no_secret_is_in_an_answer(secret: Heap, query: str) -> None:
    text = secret.sql(query).to_csv()
    backwards = text[::-1]
    assert [name for name, value in SECRETS.items() if value in text or value in backwards] == []


def test_what_is_no_secret_is_shown(secret: Heap) -> None:
    texts = secret.sql("SELECT text FROM strings")["text"].tolist()
    assert {"trainer", "db.password", "api-token", "app", "/home/me"} <= set(texts)
    assert "jdbc:postgresql://(masked)@db/prod" in texts
    assert secret.sql('SELECT "user" FROM "com.acme.Login"')["user"].tolist() == ["trainer"]


def test_secrets_that_are_asked_for_are_shown(secret: Heap) -> None:
    text = "".join(secret.sql(query, show_secrets=True).to_csv() for query in QUERIES)
    assert [name for name, value in SECRETS.items() if value not in text] == []


def test_masked_texts_say_how_long_they_are(secret: Heap) -> None:
    (text,) = secret.sql('SELECT password FROM "com.acme.Login"')["password"]
    assert text == f"(masked, {len(SECRETS['field'])} characters; --show-secrets shows it)"


def test_a_finding_masks_what_the_name_of_a_thread_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    owner = f"a local variable of thread 'reader password={SECRETS['thread']}'"
    found = SimpleNamespace(
        id="unknown", title=f"piles up in {owner}", class_name="a.B", confidence="likely", instance_count=9,
        retained_bytes=9, share=0.1, per_hour=None, since=None, owner=owner, held_by=(owner,), why="why",
        example_id=1,
    )  # fmt: skip
    monkeypatch.setattr(
        "heapscope.query.verdict_tables.diagnose", lambda *_, **__: SimpleNamespace(findings=[found])
    )
    texts = []
    for show_secrets in (False, True):
        table = verdict_tables(Snapshots([]), None, show_secrets=show_secrets)["findings"]
        texts.append("".join(str(column.make()) for column in table.columns))
    assert [SECRETS["thread"] in each for each in texts] == [False, True]
    assert "reader password=" in texts[0]


@pytest.mark.parametrize("command", ["objects", "sql", "export"])
def test_commands_mask_as_well(
    secret: Heap, command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dump, out = str(secret.path), tmp_path / "out"
    rest = {
        "objects": ["com.acme.Login", "--csv"],
        "sql": ["SELECT text FROM strings", "--csv"],
        "export": ["--to", "arrow", "-o", str(out)],
    }[command]
    found = []
    for options in ([], ["--show-secrets", *(["--force"] if command == "export" else [])]):
        assert main([command, dump, *rest, "--no-index", *options]) == 0
        written = b"".join(path.read_bytes() for path in sorted(out.glob("*"))) if out.exists() else b""
        found.append(capsys.readouterr().out + written.decode("utf-8", "replace"))
    masked, shown = found
    assert [name for name, value in SECRETS.items() if value in masked] == []
    assert SECRETS["field"] in shown

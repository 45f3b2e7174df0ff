"""A file with a known leak of the own, for tests."""

from __future__ import annotations

from pathlib import Path

from heapscope.analysis.leaks.known_leaks import KnownLeak, load_catalogue

HEAD = """
family = "Made up"
[[leak]]
id = "{id}"
title = "Caches grow"
unit = ["entry", "entries"]
affected = ["app 1.0"]
why = "Nobody takes them out."
cure = ["Take them out."]
healthy = "Few entries."
sources = [{{ label = "APP-1", url = "https://example.com/APP-1" }}]
confidence = "likely"
"""


BODY = """
subject = { class = "app.Entry" }
signature = [{ count = "subject", at_least = 3 }]
"""


def write(folder: Path, body: str = BODY, *, leak_id: str = "app-cache", more: str = "") -> Path:
    path = folder / "own.toml"
    path.write_text(HEAD.format(id=leak_id) + body + more, "utf-8")
    return path


def with_signature(
    folder: Path, conditions: str, subject: str = '{ class = "app.Entry" }', more: str = ""
) -> KnownLeak:
    path = write(folder, f"subject = {subject}\nsignature = [{conditions}]\n", more=more)
    return load_catalogue(path)[0]

"""``heapscope explore``: what cannot be explored is told before anything is served."""

from __future__ import annotations

from pathlib import Path

import pytest

from heapscope.cli import main


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "is empty"), (b"# a text\n", "no heap dump, but text"), (None, "No such file")],
)
def test_a_wrong_file_is_an_error_and_no_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, says: str
) -> None:
    path = tmp_path / "a.hprof"
    if content is not None:
        path.write_bytes(content)
    assert main(["explore", str(path)]) == 3
    told = capsys.readouterr()
    assert told.out == ""
    assert says in told.err
    assert told.err.count("\n") == 1

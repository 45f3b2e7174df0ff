"""The dumps that a server has open."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from heapscope.explorer import session as module
from heapscope.explorer.session import OpenedDump, Session


def test_pages_find_all_dumps_while_these_are_put_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session([tmp_path / "a.hprof", tmp_path / "b.hprof"])
    when = module._when
    seen: list[str] = []

    def looked(dump: OpenedDump) -> datetime:
        found = session.dump()
        assert found is not None
        seen.append(found.name)
        return when(dump)

    monkeypatch.setattr(module, "_when", looked)
    session._prepare()
    assert seen == ["b.hprof", "b.hprof"]

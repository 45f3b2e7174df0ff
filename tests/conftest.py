"""What all tests share."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session", autouse=True)
def _indexes_of_their_own(tmp_path_factory: pytest.TempPathFactory) -> object:
    """Indexes of dumps go to a folder of this run: the user's own stay as they are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEAPSCOPE_INDEX_DIR", str(tmp_path_factory.mktemp("indexes")))
        yield

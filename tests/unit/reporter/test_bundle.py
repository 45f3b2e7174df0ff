"""The incident in one zip: what is in it, what is never in it, and that it is whole or absent."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import heapscope
from heapscope.errors import HeapscopeError, OutputExists, OutputFailed
from heapscope.extras import missing as missing_library
from heapscope.reporter import bundle, render
from heapscope.reporter.bundle import masked_facts, write_bundle
from tests.support.dumps import DumpBuilder, build
from tests.unit.cli.conftest import Run, run

__all__ = ["run"]  # a fixture
SECRET = "hunter2-hunter2"
SIDECAR = {
    "captured_at": "2026-11-23T09:32:35+00:00",
    "kind": "dump",
    "host": "train-0",
    "process": {
        "pid": 4711,
        "command": ["python", "train.py", "--db-password", SECRET, "--job_name=worker"],
        "environment": {"DB_PASSWORD": SECRET, "KERB_TICKET_CACHE_PATH": "/tmp/krb5cc_1000"},
        "heap": None,
    },
}


@pytest.fixture(autouse=True)
def _no_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Laying out pages takes seconds, and has tests of its own."""
    monkeypatch.setattr(render, "render_pdf", lambda _: b"%PDF-1.7 of a test")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two dumps with a secret in the heap, as `heapscope collect` leaves them."""
    folder = tmp_path / "dumps"
    folder.mkdir()
    for number in (1, 2):

        def write(d: DumpBuilder, count: int = number) -> None:
            d.cls("app.Session")
            for _ in range(count):
                d.root("JNI_GLOBAL", d.instance("app.Session"))
            d.process_environment({"HOME": "/home/someone", "DB_PASSWORD": SECRET})

        path = folder / f"worker.{number}.hprof"
        path.write_bytes(build(write).data)
        path.with_name(path.name + ".json").write_text(json.dumps(SIDECAR))
    return folder


def entries(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_zip_holds_all_forms_sidecars_manifest_and_true_checksums(folder: Path, tmp_path: Path) -> None:
    made = write_bundle(heapscope.snapshots([folder]), tmp_path / "deep" / "i.zip", patterns=["app.Session"])
    found = entries(tmp_path / "deep" / "i.zip")
    assert list(found) == [
        "incident/report.html",
        "incident/report-Session.png",
        "incident/report.md",
        "incident/report.json",
        "incident/report.pdf",
        "incident/sidecars/worker.1.json",
        "incident/sidecars/worker.2.json",
        "incident/manifest.json",
        "incident/SHA256SUMS",
    ]
    manifest = json.loads(found["incident/manifest.json"])
    assert manifest["schema_version"] == 1
    assert manifest["headline"] == "1 of 1 watched class grew between the two snapshots"
    assert [one["name"] for one in manifest["snapshots"]] == ["worker.1", "worker.2"]
    dump = (folder / "worker.2.hprof").read_bytes()
    assert manifest["snapshots"][1]["sha256"] == hashlib.sha256(dump).hexdigest()
    assert manifest["snapshots"][1]["file_bytes"] == len(dump)
    assert [file["path"] for file in manifest["files"]] == [
        name.removeprefix("incident/") for name in list(found)[:-2]
    ]
    for file in manifest["files"]:
        content = found[f"incident/{file['path']}"]
        assert (file["file_bytes"], file["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    assert manifest["left_out"] == list(made.left_out)
    assert "![app.Session" in found["incident/report.md"].decode()
    assert "](report-Session.png)" in found["incident/report.md"].decode()


def test_sha256sum_agrees_when_unpacked(folder: Path, tmp_path: Path) -> None:
    write_bundle(heapscope.snapshots([folder]), tmp_path / "i.zip")
    with zipfile.ZipFile(tmp_path / "i.zip") as archive:
        archive.extractall(tmp_path)
    check = ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"]
    subprocess.run(check, cwd=tmp_path / "incident", check=True)


def test_no_secret_and_no_raw_dump_is_in_it(folder: Path, tmp_path: Path) -> None:
    write_bundle(heapscope.snapshots([folder]), tmp_path / "i.zip")
    found = entries(tmp_path / "i.zip")
    assert SECRET.encode() in (folder / "worker.1.hprof").read_bytes()
    assert [name for name, content in found.items() if SECRET.encode() in content] == []
    sidecar = json.loads(found["incident/sidecars/worker.1.json"])
    assert sidecar["process"]["environment"]["KERB_TICKET_CACHE_PATH"] == "/tmp/krb5cc_1000"
    assert sidecar["process"]["command"][:2] == ["python", "train.py"]
    assert "--job_name=worker" in sidecar["process"]["command"]
    assert sidecar["host"] == "train-0"
    assert sidecar["process"]["pid"] == 4711
    assert not any(".hprof" in name for name in found)


def test_what_a_sidecar_says_is_text_and_masked() -> None:
    hostile = {"a\x1b[2Jb": ["\u202e", {"x": f"postgres://u:{SECRET}@db/x"}], "n": 1.5, "none": None}
    assert masked_facts(hostile) == {
        "a\\x1b[2Jb": ["\\u202e", {"x": "postgres://(masked)@db/x"}],
        "n": 1.5,
        "none": None,
    }


@pytest.mark.parametrize("content", [b"[1]", b"{", b'{"x": "' + b"y" * (2 << 20) + b'"}', b"\xff\xfe"])
def test_a_sidecar_that_is_none_is_left_alone(folder: Path, tmp_path: Path, content: bytes) -> None:
    (folder / "worker.1.hprof.json").write_bytes(content)
    write_bundle(heapscope.snapshots([folder]), tmp_path / "i.zip")
    assert [name for name in entries(tmp_path / "i.zip") if "sidecars" in name] == [
        "incident/sidecars/worker.2.json"
    ]


def test_redacted_dumps_and_plain_histograms_on_request(folder: Path, tmp_path: Path) -> None:
    (folder / "later.histogram.txt").write_text(
        f"password={SECRET}\n num     #instances         #bytes  class name\n{'-' * 55}\n"
        "   1:            11            176  app.Session\nTotal            11            176\n"
    )
    asked = []

    def redact(source: Path, target: Path) -> None:
        asked.append(source.name)
        target.write_bytes(b"redacted " + source.name.encode())

    made = write_bundle(heapscope.snapshots([folder], order="name"), tmp_path / "i.zip", redact=redact)
    found = entries(tmp_path / "i.zip")
    assert sorted(asked) == ["worker.1.hprof", "worker.2.hprof"]
    assert found["incident/dumps/worker.2-redacted.hprof.zst"] == b"redacted worker.2.hprof"
    assert [file.role for file in made.files].count("redacted dump") == 2
    assert [name for name, content in found.items() if SECRET.encode() in content] == []
    (text,) = [content for name, content in found.items() if name.endswith(".histogram.txt")]
    copy = tmp_path / "copy.histogram.txt"
    copy.write_bytes(text)
    (again,) = heapscope.snapshots([copy])
    (before,) = heapscope.snapshots([folder / "later.histogram.txt"])
    assert list(again.histogram.rows()) == list(before.histogram.rows())
    assert not before.is_dated
    assert not again.is_dated  # no date is made up for the copy
    assert made.left_out == ()


def test_only_its_owner_can_read_it_and_the_bytes_are_the_same(folder: Path, tmp_path: Path) -> None:
    old = os.umask(0o000)
    try:
        for name in ("a.zip", "b.zip"):
            write_bundle(heapscope.snapshots([folder]), tmp_path / name)
            assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    finally:
        os.umask(old)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    last = heapscope.snapshots([folder])[-1].captured_at
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        for entry in archive.infolist():
            assert entry.date_time[:5] == last.timetuple()[:5]
            assert stat.S_IMODE(entry.external_attr >> 16) == 0o600


def test_names_that_clash_or_would_climb_out(folder: Path) -> None:
    one = heapscope.snapshots([folder])[0]
    names = ["../../etc/x", "..", "A b", "a_b", "a_B", "-rf", "é"]
    many = [replace(one, name=name) for name in names]
    found = bundle._names(many)  # type: ignore[arg-type]
    assert found == ["_.._etc_x", "snapshot", "A_b", "a_b-2", "a_B-3", "rf", "é"]


def test_nothing_is_overwritten_unasked(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "i.zip"
    target.write_bytes(b"mine")
    found = heapscope.snapshots([folder])
    with pytest.raises(OutputExists):
        write_bundle(found, target)
    assert target.read_bytes() == b"mine"
    write_bundle(found, target, force=True)
    assert zipfile.is_zipfile(target)
    with pytest.raises(HeapscopeError, match=r"ends in \.zip"):
        write_bundle(found, tmp_path / "i.tar")
    (tmp_path / "f.zip").mkdir()
    with pytest.raises(OutputFailed, match="it is a folder"):
        write_bundle(found, tmp_path / "f.zip", force=True)
    dump = folder / "worker.1.hprof"
    link = tmp_path / "link.zip"
    link.symlink_to(dump)
    with pytest.raises(HeapscopeError, match="is one of the snapshots"):
        write_bundle(found, link, force=True)


def test_a_failure_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    def redact(source: Path, target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OutputFailed, match="No space left"):
        write_bundle(heapscope.snapshots([folder]), tmp_path / "i.zip", redact=redact)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dumps"]


def test_without_weasyprint_the_rest_is_packed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(_: Any) -> bytes:
        raise missing_library("WeasyPrint", "A PDF", "pdf")

    monkeypatch.setattr(render, "render_pdf", missing)
    made = write_bundle(heapscope.snapshots([folder]), tmp_path / "i.zip")
    assert "incident/report.pdf" not in entries(tmp_path / "i.zip")
    assert made.left_out[0].startswith("report.pdf: A PDF needs WeasyPrint")


def test_the_command_says_what_it_packed(run: Run, folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "i.zip"
    ran = run("bundle", folder, "-o", target, "--class", "app.Session")
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0] == "1 of 1 watched class grew between the two snapshots"
    assert lines[2].startswith(f"bundle: {target}, ")
    assert lines[3].startswith("  4 reports, ")
    assert "  2 sidecars, " in ran.out
    assert "without dumps: not asked for" in ran.out
    again = run("bundle", folder, "-o", target)
    assert again.code == 3
    assert "exists already" in again.err
    assert run("bundle", folder, "-o", tmp_path / "i.tar").code == 2


def test_dumps_are_packed_redacted_or_not_at_all(run: Run, folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "i.zip"
    ran = run("bundle", folder, "-o", target, "--dumps")
    assert (ran.code, ran.err) == (0, "")
    found = entries(target)
    (copy,) = [content for name, content in found.items() if name.endswith("worker.2-redacted.hprof.zst")]
    (tmp_path / "copy.hprof.zst").write_bytes(copy)
    with heapscope.open(tmp_path / "copy.hprof.zst") as heap:
        assert len(heap.objects("app.Session")) == 2
        assert SECRET not in str(heap.environment())


def test_a_broken_dump_is_reported_in_part_and_never_packed(run: Run, folder: Path, tmp_path: Path) -> None:
    broken = folder / "worker.2.hprof"
    broken.write_bytes(broken.read_bytes()[:-40])
    target = tmp_path / "i.zip"
    assert run("bundle", folder, "-o", target, "--dumps").code == 3
    assert not target.exists()
    ran = run("bundle", folder, "-o", target, "--dumps", "--partial")
    assert (ran.code, ran.err) == (0, "")
    assert "without dumps/worker.2-redacted.hprof.zst: " in ran.out
    dumps = [name for name in entries(target) if "dumps/" in name]
    assert dumps == ["incident/dumps/worker.1-redacted.hprof.zst"]

"""What a report says about a series, before any of it is rendered."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest

import heapscope
from heapscope.analysis.snapshots import Snapshots
from heapscope.errors import HeapscopeError
from heapscope.parser.source import Source
from heapscope.reporter.incident import build_incident
from tests.unit.reporter.series import FACTS, PLANTED, series


def test_a_leak_is_said_first_with_its_figures() -> None:
    incident = build_incident(series())
    first = incident.diagnosis.findings[0]
    assert incident.status == "leak"
    assert incident.headline == incident.diagnosis.headline
    assert incident.verdict[0] == f"{first.what}: {first.speed}"
    assert first.cure[0] in incident.verdict[1]
    assert incident.verdict[2] == (
        "org.apache.hadoop.fs.FileSystem: 10 -> 160 instances (+300 per hour), "
        "480 B -> 7.68 kB (+14.4 kB per hour)"
    )
    assert incident.verdict[-2] == (
        "Whole heap: 24,413 -> 27,613 objects (+6,410 per hour), 2.51 MB -> 2.77 MB (+508 kB per hour)"
    )
    assert incident.verdict[-1] == "In no snapshot: org.apache.hadoop.hdfs.DFSClient"


def test_secrets_are_in_the_incident_only_when_asked_for() -> None:
    masked = repr(asdict(build_incident(series())))
    assert not [secret for secret in PLANTED if secret in masked]
    shown = repr(asdict(build_incident(series(), show_secrets=True)))
    assert not [secret for secret in PLANTED if secret not in shown]


def test_text_that_acts_is_written_out() -> None:
    hostile = "evil\x1b[2J\u202eName\n\u200b\ud800"
    facts = replace(FACTS, environment={hostile: hostile, "PATH": "/bin\x07"})
    incident = build_incident(
        series({hostile: ((1, 2, 3), 16)}, facts=facts, names=[hostile + str(i) for i in range(3)]),
        patterns=["*"],
    )
    text = repr(asdict(incident))
    assert text.isascii()
    assert incident.changes[0].class_name == "evil\\x1b[2J\\u202eName\\n\\u200b\\ud800"
    assert incident.process is not None
    assert incident.process.environment["PATH"] == "/bin\\x07"


def test_nothing_to_report_is_an_error() -> None:
    with pytest.raises(HeapscopeError, match="at least one snapshot"):
        build_incident(Snapshots([]))
    with pytest.raises(HeapscopeError, match="0 rows"):
        build_incident(series(), top=0)


def test_a_report_reads_the_last_dump_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Facts, diagnosis and who keeps it alive are of one dump, which may have gigabytes."""
    samples = Path(__file__).parents[3] / "sample_dumps"
    snapshots = heapscope.snapshots([samples / "leak-1.hprof.gz", samples / "leak-2.hprof.gz"])
    opened: list[str] = []
    plain = Source.__init__

    def counted(self: Source, path: Path, *arguments: object, **named: object) -> None:
        opened.append(Path(path).name)
        plain(self, path, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(Source, "__init__", counted)
    incident = build_incident(snapshots)
    assert incident.retention is not None
    assert incident.diagnosis is not None
    assert opened == ["leak-2.hprof.gz"]

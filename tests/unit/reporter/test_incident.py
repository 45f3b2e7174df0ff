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
from tests.unit.reporter.series import FACTS, FILE_SYSTEM, LEAK, PLANTED, series


def grown(*counts: int) -> Snapshots:
    return series({FILE_SYSTEM: (counts, 48), "byte[]": ([100] * len(counts), 1000)})


def test_a_leak_is_said_first_with_its_figures() -> None:
    incident = build_incident(series())
    first = incident.diagnosis.findings[0]
    assert incident.status == "leak"
    assert incident.headline == incident.diagnosis.headline
    assert incident.verdict[0] == f"{first.what}: {first.speed}"
    assert first.cure[0] in incident.verdict[1]
    assert incident.verdict[2] == (
        "org.apache.hadoop.fs.FileSystem: 10 -> 160 instances (+50 per snapshot), "
        "480 B -> 7.68 kB (+2.40 kB per snapshot)"
    )
    assert incident.verdict[-2] == (
        "Whole heap: 24,413 -> 27,613 objects (+1,066.7 per snapshot), "
        "2.51 MB -> 2.77 MB (+84.7 kB per snapshot)"
    )
    assert incident.verdict[-1] == "In no snapshot: org.apache.hadoop.hdfs.DFSClient"


def test_two_snapshots_are_no_proof() -> None:
    assert "Two snapshots show a difference, not a leak" in [
        remark.title for remark in build_incident(grown(1, 2)).remarks
    ]
    assert not build_incident(series(facts=None)).remarks


def test_the_ticket_cache_hint_needs_the_variable_and_the_growth() -> None:
    (hint,) = build_incident(series()).remarks
    assert hint.kind == "hint"
    assert "KERB_TICKET_CACHE_PATH" in hint.title
    assert "not a diagnosis" in hint.text
    assert {link.label for link in hint.links} == {"TensorFlow PR 24391", "HDFS-3545"}

    healthy = series({FILE_SYSTEM: ((1, 1, 1), 48)})
    assert not build_incident(healthy).remarks
    without = {name: value for name, value in FACTS.environment.items() if name != "KERB_TICKET_CACHE_PATH"}
    assert not build_incident(series(facts=replace(FACTS, environment=without))).remarks


def test_changes_are_the_first_of_the_histogram_diff() -> None:
    incident = build_incident(series(), top=3)
    assert [change.class_name for change in incident.changes] == [
        "byte[]",
        "org.apache.hadoop.security.UserGroupInformation",
        "java.util.HashMap$Node[]",
    ]
    assert [change.is_growing for change in incident.changes] == [True, True, False]  # 740 after 750
    assert incident.changed_class_count == len(LEAK) - 1  # java.lang.Class stays
    assert [size.class_name for size in incident.largest_classes] == [
        "byte[]",
        "java.lang.Class",
        "java.util.HashMap$Node[]",
    ]
    assert incident.class_count == len(LEAK) - 1  # app.Gone is gone


def test_what_the_process_was() -> None:
    process = build_incident(series()).process
    assert process is not None
    assert process.snapshot == "train-4"
    summary = {fact.label: fact.value for fact in process.summary}
    assert summary["JVM"] == "OpenJDK 64-Bit Server VM 17.0.15+6"
    assert summary["Operating system"] == "Linux 6.1 amd64"
    assert summary["Host"] == "worker-3"
    assert summary["Java command"].startswith("org.example.Train (4 arguments masked")
    assert [fact.label for fact in process.jvm_options] == ["LIBHDFS_OPTS"]
    assert list(process.root_counts) == ["JNI global", "Java frame", "thread"]
    assert process.environment["KERB_TICKET_CACHE_PATH"] == "/tmp/krb5cc_1000"
    assert build_incident(series(facts=None)).process is None


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


def test_class_histograms_without_a_date_are_ordered_as_told_with_a_caution(tmp_path: Path) -> None:
    table = " num     #instances         #bytes  class name\n----\n   1:  {0}  {1}  {2}\nTotal {0} {1}\n"
    paths = []
    for number in range(2):
        path = tmp_path / f"h{number}.txt"
        path.write_text(table.format(1 + number, 48 + 48 * number, "org.apache.hadoop.fs.RawLocalFileSystem"))
        paths.append(path)
    with pytest.raises(HeapscopeError, match="order is not known"):
        build_incident(heapscope.snapshots(paths))
    incident = build_incident(heapscope.snapshots(paths[::-1], order="given"))
    assert incident.watched_classes[0].instance_counts == (2, 1)
    assert incident.snapshots[0].captured_at_source == "given order"
    assert "The order is as told" in [remark.title for remark in incident.remarks]
    assert incident.process is None


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

"""What the process was: facts without its secrets."""

from __future__ import annotations

from heapscope.reporter.incident import build_incident
from tests.unit.reporter.series import series


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

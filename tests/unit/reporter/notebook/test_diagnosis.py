"""Cards of a diagnosis: cause and cure without secrets."""

from __future__ import annotations

from pathlib import Path

import heapscope
from tests.unit.reporter.notebook.conftest import page

ROOT = Path(__file__).parents[4]


def test_a_diagnosis_is_cause_and_cure_without_secrets() -> None:
    diagnosis = heapscope.diagnose(sorted((ROOT / "sample_dumps").glob("leak-*.hprof.gz")))
    text = page(diagnosis).text
    assert text.startswith("Leak found: Every HDFS connect logs in anew")
    assert "50 Hadoop file systems" in text
    assert "What to do" in text
    assert "Remove KERB_TICKET_CACHE_PATH" in text
    assert "held by 50 x JNI global" in text
    assert "not-a-real-password" not in text
    assert "How we know" in page(diagnosis.findings[0]).text
    healthy = heapscope.diagnose(sorted((ROOT / "sample_dumps").glob("healthy-*.hprof.gz")))
    assert "No known leak found" in page(healthy).text

"""``heapscope info``: what a dump is, without its secrets."""

from __future__ import annotations

import json
from pathlib import Path

from tests.unit.cli.conftest import Run


def test_info_masks_what_may_be_secret(run: Run, dump: Path) -> None:
    for options in ([], ["--json"]):
        masked, shown = run("info", dump, *options), run("info", dump, *options, "--show-secrets")
        assert masked.code == shown.code == 0
        assert "/home/someone" in masked.out
        assert "hunter2" not in masked.out
        assert "hunter2-hunter2" in shown.out


def test_info_says_how_sizes_were_found(run: Run, dump: Path) -> None:
    text = run("info", dump).out
    facts = json.loads(run("info", dump, "--json").out)
    assert facts["layout"]["confidence"] in {"exact", "estimated"}
    assert facts["layout"]["rule"] in text
    assert facts["layout"]["evidence"] in text
    assert facts["root_counts"]["JNI global"] == 2
    assert "2  JNI global" in text


def test_info_of_a_class_histogram(run: Run, series: list[Path]) -> None:
    ran = run("info", series[0])
    assert ran.code == 0
    assert "class histogram" in ran.out
    assert "6,300" in ran.out

"""Verdicts on memory in words: each has a title, its evidence as sentences, and a next step."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from heapscope.analysis.memory.courses import State
from heapscope.analysis.memory.verdict import (
    CAUSES,
    Cause,
    EvidenceKind,
    Grower,
    MemoryEvidence,
    MemoryVerdict,
    Pattern,
)
from heapscope.reporter.memory_text import describe_verdict, evidence_sentence, next_step, verdict_title

COLUMNS = (
    "old_after_gc_bytes heap_rss_bytes outside_bytes metaspace_bytes vsz_bytes nmt_other_bytes "
    "nmt_native_bytes malloc_rss_bytes arena_rss_bytes bytes class_count thread_count seconds "
    "swap_bytes low_bytes high_bytes shared_rss_bytes file_rss_bytes"
)
FIGURES = dict.fromkeys(COLUMNS.split(), 5e6)


def made(
    pattern: Pattern, *evidence: MemoryEvidence, seconds: float = 1140.0, state: State = "grows"
) -> MemoryVerdict:
    return MemoryVerdict(
        pid=4711,
        growers=(Grower(pattern, 1e6, state, "medium", evidence),),
        confidence="medium",
        growth_bytes=273_000_000,
        bytes_per_hour=862_000_000,
        seconds=seconds,
        sample_count=3,
        changes={},
    )


def test_lines() -> None:
    figures = {"heap_rss_bytes": 272e6, "old_after_gc_bytes": 236e6}
    verdict = made("heap grew", MemoryEvidence("inside the heap and old generation", figures))
    assert describe_verdict(verdict, "worker:0 (pid 4711)") == [
        "worker:0 (pid 4711): the Java heap grows",
        "    resident +273 MB in 19 min, +862 MB an hour",
        "    +272 MB of it inside the Java heap, whose old generation after GC changed by +236 MB",
        "    confidence medium; next: take heap dumps: heapscope collect 4711 --every 10m --count 3 "
        "-o dumps-4711, then heapscope report dumps-4711 -o dumps-4711.html",
    ]


def test_a_rate_is_told_by_the_minute_until_minutes_have_passed_and_not_of_what_is_steady() -> None:
    assert "+14.4 MB a minute" in describe_verdict(made("heap grew", seconds=300), "x")[1]
    for pattern in ("nothing grew", "too few samples"):
        assert "an hour" not in describe_verdict(made(pattern, state="flat"), "x")[1]
    assert "an hour" not in describe_verdict(made("heap grew", state="levelled off"), "x")[1]


def test_what_has_levelled_off_is_not_said_to_grow_and_needs_no_cure() -> None:
    for pattern in get_args(Pattern)[2:]:
        levelled = made(pattern, state="levelled off")
        assert verdict_title(levelled).endswith(" grew and levelled off")
        assert next_step(levelled).startswith("watch on")
        assert verdict_title(made(pattern, state="uneven")).endswith(" grew, but not all the time")


def test_two_growers_are_told_and_advised_each() -> None:
    two = made("heap grew")
    two = replace(two, growers=(*two.growers, *made("tracked buffers grew").growers))
    assert verdict_title(two) == "the Java heap grows; direct buffers or Unsafe memory grow"
    assert "heapscope collect 4711" in next_step(two)
    assert "-XX:MaxDirectMemorySize" in next_step(two)
    assert "confidence medium; next" in describe_verdict(two, "x")[-1]
    unlike = replace(two, growers=(two.growers[0], replace(two.growers[1], confidence="high")))
    words = "confidence medium (the Java heap), high (direct buffers or Unsafe memory); next"
    assert words in describe_verdict(unlike, "x")[-1]


def test_every_pattern_has_a_title_of_its_own() -> None:
    titles = [verdict_title(made(pattern)) for pattern in get_args(Pattern)]
    assert len(set(titles)) == len(titles) == len(CAUSES)
    assert "3 of 4 samples" in verdict_title(made("too few samples"))


def test_every_cause_has_a_next_step() -> None:
    steps = {CAUSES[pattern]: next_step(made(pattern)) for pattern in get_args(Pattern)}
    assert steps.keys() == set(get_args(Cause))
    assert all(steps.values())
    assert "{" not in "".join(steps.values())


@pytest.mark.parametrize("kind", get_args(EvidenceKind))
def test_every_kind_of_evidence_is_a_sentence_with_its_figures(kind: EvidenceKind) -> None:
    sentence = evidence_sentence(MemoryEvidence(kind, FIGURES))
    assert "{" not in sentence
    is_without = kind == "heap range unknown" or kind.startswith(("no ", "few ", "concurrent "))
    shown = ("5 MB", "5.00 MB", "5,000,000", "57 d")
    assert any(figure in sentence for figure in shown) == (not is_without), sentence

"""A finding as agents read it: fields, from which nothing of values has to be taken out again."""

from __future__ import annotations

from typing import Any

from heapscope.agent.answer import Question, without_empty
from heapscope.agent.disclosure import Disclosure
from heapscope.analysis.leaks.findings import UNKNOWN, Finding
from heapscope.analysis.leaks.hadoop import FileSystemGroup
from heapscope.analysis.verdicts import CERTAIN, LIKELY, POSSIBLE
from heapscope.reporter.diagnosis import describe_finding, few
from heapscope.units import format_bytes

SURENESS = {
    CERTAIN: "certain: the heap shows cause and effect",
    LIKELY: "likely: everything that was looked at fits",
    POSSIBLE: "possible: what is known fits, but it is little; a heap dump, or more of them, would tell",
}
_HELD = 3
# Of a URI that the heap has: others may be anything.
_SCHEMES = frozenset({"abfs", "abfss", "file", "gs", "har", "hdfs", "s3a", "s3n", "viewfs", "webhdfs"})


def finding_facts(finding: Finding, may: Disclosure) -> dict[str, Any]:
    """What a finding says, without what is empty."""
    section = describe_finding(finding, show_secrets=False)
    owners = (finding.owner, *finding.other_holders)
    facts: dict[str, Any] = {
        "finding": finding.id,
        "known_leak": finding.id != UNKNOWN,
        "title": may.sentence(finding.title, owners),
        "confidence": str(finding.confidence),
        "class": may.name(finding.class_name),
        "owner": may.owner(finding.owner) if finding.owner else "",
        "owner_way": [may.steps(each) for each in finding.owner_way[:8]],
        "instance_count": finding.instance_count,
        "counts": few(finding.counts),
        "retained_bytes": finding.retained_bytes,
        "share_of_reachable": None if finding.share is None else round(finding.share, 3),
        "bytes_each": None if finding.bytes_each is None else round(finding.bytes_each),
        "outside_of_heap_bytes": finding.off_heap_bytes,
        "growth": section.speed,
        "since": section.began,
        "held_by": [may.steps(each) for each in section.held_by[:_HELD]],
        "also_held_by": [may.owner(each) for each in finding.other_holders[:4]],
        "example": "" if finding.example_id is None else f"0x{finding.example_id:x}",
        "evidence": [may.sentence(each, owners) for each in finding.evidence],
        "file_systems": [_group(each, may) for each in finding.groups[:3]],
        "variables": [_reading(each.name, each.value, may) for each in finding.readings],
        "why": may.sentence(finding.why, owners),
        # Without the commands for a shell: the next questions do the same.
        "cure": [may.sentence(each, owners) for each in finding.cure],
        "healthy": may.sentence(finding.healthy, owners),
        "affected": list(finding.affected[:4]),
        "sources": [each.url for each in finding.sources[:2]],
    }
    return without_empty(facts)


def _reading(name: str, value: str, may: Disclosure) -> str:
    """A variable: that it is set is no secret."""
    return f"{may.name(name)}={may.value(value)}" if may.values else f"{may.name(name)} is set"


def _group(group: FileSystemGroup, may: Disclosure) -> dict[str, Any]:
    return {
        "class": may.name(group.class_name),
        "scheme": group.scheme if group.scheme in _SCHEMES else may.value(group.scheme),
        "cluster": may.value(group.authority),
        "user": may.value(group.user),
        "file_systems": group.file_system_count,
        "logins": group.subject_count,
        "in_cache": group.cached_count,
        "jni_handles": group.handle_record_count,
        "with_ticket_cache": bool(group.ticket_cache),
        "retained": format_bytes(group.retained_bytes),
    }


def next_questions(finding: Finding, dump: str) -> list[Question]:
    """What to ask after a finding.

    Parameters
    ----------
    dump : str
        Name of the heap dump that was looked at; empty of class histograms.
    """
    if not dump:
        return []
    found = [
        Question(
            "paths",
            # A known leak is about a class with its subclasses, growth about one class.
            {"snapshot": dump, "subject": finding.class_name, "subclasses": finding.id != UNKNOWN},
            "every way in which GC roots hold them",
        )
    ]
    if finding.example_id is not None:
        found.append(
            Question(
                "paths",
                {"snapshot": dump, "subject": f"0x{finding.example_id:x}"},
                "the way to one of them, object by object",
            )
        )
    return found

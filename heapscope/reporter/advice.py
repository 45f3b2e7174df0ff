"""Commands of heapscope that help to act on a finding."""

from __future__ import annotations

from heapscope.analysis.leaks.findings import UNKNOWN, Finding


def cure_steps(finding: Finding) -> list[str]:
    """What to do; of growth without a known reason, after the first step, how to see one of the objects."""
    steps = list(finding.cure)
    if finding.id == UNKNOWN:
        steps.insert(
            1,
            f"See one of them with its fields: 'heapscope paths DUMP {finding.class_name} --json' has "
            "addresses, 'heapscope inspect DUMP 0xADDRESS' shows what is there.",
        )
    return steps

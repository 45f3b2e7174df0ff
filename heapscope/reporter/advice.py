"""Commands of heapscope that help to act on a finding."""

from __future__ import annotations

import shlex

from heapscope.analysis.leaks.findings import UNKNOWN, Diagnosis, Finding
from heapscope.analysis.verdicts import UNDECIDED


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


def next_snapshot_steps(diagnosis: Diagnosis) -> list[str]:
    """The commands that take the next snapshot and diagnose it with the others; none after a verdict."""
    if diagnosis.status != UNDECIDED or diagnosis.findings:
        return []
    folder = shlex.quote(str(diagnosis.folder or "."))
    pid = "PID" if diagnosis.pid is None else str(diagnosis.pid)
    return [f"heapscope collect {pid} -o {folder}", f"heapscope diagnose {folder}"]

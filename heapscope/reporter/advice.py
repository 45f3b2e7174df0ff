"""Commands of heapscope that help to act on a finding, as they can be pasted into a shell."""

from __future__ import annotations

import shlex

from heapscope.analysis.leaks.findings import UNKNOWN, Diagnosis, Finding
from heapscope.analysis.verdicts import UNDECIDED


def command(*words: object) -> str:
    """``heapscope`` with its arguments, each quoted for the shell where that is needed."""
    return shlex.join(["heapscope", *map(str, words)])


def cure_steps(finding: Finding) -> list[str]:
    """What to do; of growth without a known reason, after the first step, how to see one of the objects."""
    steps = list(finding.cure)
    if finding.id == UNKNOWN and finding.dump is not None and finding.example_id is not None:
        see = command("inspect", finding.dump, f"0x{finding.example_id:x}")
        why = command("paths", finding.dump, finding.class_name)
        if finding.sizes:
            steps.insert(1, f"See it: {see}")
        else:
            steps[1:1] = [f"See one of them with its fields: {see}", f"See what holds all of them: {why}"]
    elif finding.id == UNKNOWN and not finding.owner:
        steps.insert(1, "Take a heap dump of the process: class counts do not tell what holds the objects.")
    return steps


def next_snapshot_steps(diagnosis: Diagnosis) -> list[str]:
    """The commands that take the next snapshot and diagnose it with the others; none after a verdict."""
    if diagnosis.status != UNDECIDED or diagnosis.findings:
        return []
    folder = diagnosis.folder or "."
    if diagnosis.pid is None:
        return [
            command("ps"),
            f"heapscope collect PID -o {shlex.quote(str(folder))}",
            command("diagnose", folder),
        ]
    return [command("collect", diagnosis.pid, "-o", folder), command("diagnose", folder)]

"""Incidents: leaks of the catalogue and unknown ones, as somebody hands them to an agent."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.agent.script import MOST_BYTES, MOST_CALLS, Outcome


@dataclass(frozen=True, slots=True)
class Incident:
    """A run of a program of ``benchmarks/verdicts``, and what of it the agent gets.

    Attributes
    ----------
    program : str
        Name of the case.
    steps : tuple of int
        After which steps of the run dumps are handed over.
    """

    program: str
    steps: tuple[int, ...]


_FOUR, _LAST = (2, 4, 6, 8), (8,)
INCIDENTS = (
    *(Incident(name, _FOUR) for name in ("static-map", "thread-local", "queue", "plugin-loader", "weak-map")),
    *(Incident(name, _FOUR) for name in ("direct-buffers", "linked-list", "strings")),
    Incident("listeners", _LAST),
    Incident("delete-on-exit", _FOUR),
    Incident("proxy-users", _LAST),
    Incident("spark", _LAST),
    *(Incident(name, _FOUR) for name in ("diagnostics", "widget-threads", "arenas", "in-flight")),
    *(Incident(name, _FOUR) for name in ("statement-caches", "log-handlers", "tenants")),
    # No leak: the right answer is that there is none.
    *(Incident(name, _FOUR) for name in ("sessions", "waves", "ring-log")),
)


def mistakes(
    outcome: Outcome, *, known: str, owner: str, classes: tuple[str, ...], is_leak: bool
) -> list[str]:
    """What is wrong with what the script came to; empty where it is right.

    Parameters
    ----------
    outcome : Outcome
    known : str
        The right known leak; empty of a leak that no catalogue has.
    owner : str
        ``SimpleClass.field`` that owns what piles up.
    classes : tuple of str
        What piles up; any of them is right.
    is_leak : bool
    """
    found = []
    if not is_leak:
        if outcome.is_leak:
            found.append(f"healthy, and called leaking: {outcome.class_name} in {outcome.owner}")
    elif known:
        if outcome.known != known:
            found.append(f"is {known}, not {outcome.known or outcome.owner or 'nothing'}")
    else:
        if not outcome.owner.endswith(f".{owner}"):
            found.append(f"the owner is {owner}, not {outcome.owner or 'nothing'}")
        # A lambda is named for the class that makes it.
        if outcome.class_name.partition("$$Lambda")[0] not in classes:
            found.append(f"the class is {classes[0]}, not {outcome.class_name or 'nothing'}")
    if outcome.calls > MOST_CALLS or outcome.byte_count > MOST_BYTES:
        found.append(f"{outcome.calls} calls and {outcome.byte_count:,} bytes")
    return found

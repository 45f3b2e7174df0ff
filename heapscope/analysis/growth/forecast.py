"""When memory runs out: the heap's limit, the container's, the machine's, with a range.

What is left is divided by the rate; the interval of the rate gives the range.  A straight line is
all that a few snapshots support: the range says how sure the line is, not what load will do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from heapscope.analysis.growth.sidecar import number_in
from heapscope.analysis.growth.snapshot import Snapshot
from heapscope.analysis.growth.trends import Trend
from heapscope.analysis.thresholds import MAX_FORECAST_HOURS
from heapscope.analysis.verdicts import GROWS, PERHAPS

STATED, HEAP, CONTAINER, MACHINE = "stated limit", "heap limit", "container limit", "machine's memory"


@dataclass(frozen=True, slots=True)
class Limit:
    """Memory that can run out.

    Attributes
    ----------
    name : str
        ``"stated limit"``, ``"heap limit"``, ``"container limit"`` or ``"machine's memory"``.
    limit_bytes : int
    used_bytes : int
        At the last snapshot: objects of the heap, or for container and machine what is in use there.
    source : str
        Where the limit was read.
    """

    name: str
    limit_bytes: int
    used_bytes: int
    source: str


@dataclass(frozen=True, slots=True)
class Forecast:
    """When a limit is hit if growth goes on as it does.

    Attributes
    ----------
    limit : Limit
    at : datetime or None
        UTC; None where it is more than 50 years away. In the past of the last snapshot where the
        limit is passed already.
    earliest, latest : datetime or None
        By the ends of the rate's interval; None: without a bound.
    confidence : float
        Of the interval.
    """

    limit: Limit
    at: datetime | None
    earliest: datetime | None
    latest: datetime | None
    confidence: float


def find_limits(snapshots: Sequence[Snapshot], stated_bytes: int | None = None) -> list[Limit]:
    """The limits that snapshots tell of, as they were at the last one.

    Parameters
    ----------
    snapshots : sequence of Snapshot
        In order of time; one at least.
    stated_bytes : int, optional
        A limit that the caller states.
    """
    last = snapshots[-1]
    used = last.shallow_bytes
    found = [Limit(STATED, stated_bytes, used, "as stated")] if stated_bytes else []
    # The same process: what any of its snapshots knows of the heap's limit holds for all.
    for snapshot in reversed(snapshots):
        of_counters = number_in(snapshot.sidecar, "process", "heap", "max_bytes")
        of_statics = snapshot.vm.direct_limit_bytes
        # With -XX:MaxDirectMemorySize it is the limit of direct buffers, not the heap's.
        if of_counters is None and of_statics is not None and snapshot.stated_direct_bytes is not None:
            of_statics = None
        # A limit below what is in use is none, whatever it is of.
        for size, source in (
            (of_counters, "hsperfdata, in the sidecar"),
            (of_statics, "VM.directMemory, in the dump"),
        ):
            if size is not None and size >= used:
                found.append(Limit(HEAP, size, used, f"{source} of {snapshot.name}"))
                break
        else:
            continue
        break
    limits = last.sidecar.get("limits")
    facts = limits if isinstance(limits, dict) else {}
    for name, kind in ((CONTAINER, "container"), (MACHINE, "machine")):
        size, in_use = number_in(facts, f"{kind}_bytes"), number_in(facts, f"{kind}_used_bytes")
        if size is not None and in_use is not None and size > 0 <= in_use:
            found.append(Limit(name, size, in_use, f"sidecar of {last.name}"))
    return found


def forecast(trend: Trend, limits: Sequence[Limit], last: datetime) -> list[Forecast]:
    """When limits are hit, the soonest first; nothing where the heap does not grow.

    Parameters
    ----------
    trend : Trend
        Of the whole heap in bytes.
    limits : sequence of Limit
    last : datetime
        Of the last snapshot.
    """
    rate = trend.per_hour
    if trend.verdict not in (GROWS, PERHAPS) or rate is None or rate.value <= 0:
        return []

    def when(left: int, per_hour: float | None) -> datetime | None:
        if per_hour is None or per_hour <= 0 or left / per_hour > MAX_FORECAST_HOURS:
            return None
        return last + timedelta(hours=left / per_hour)

    found = []
    for limit in limits:
        left = limit.limit_bytes - limit.used_bytes
        found.append(
            Forecast(
                limit, when(left, rate.value), when(left, rate.high), when(left, rate.low), rate.confidence
            )
        )
    never = datetime.max.replace(tzinfo=last.tzinfo)
    return sorted(found, key=lambda one: one.at or never)

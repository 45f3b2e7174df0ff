"""Whether a program did the same work after a cure as before: what did not grow is a proof only then.

What an idle program shows as well proves nothing: classes that were loaded once, objects that were made at
the start and stay, whatever only rises (it may be the leak itself, under less load).  Load shows in what
comes and goes, in what was put into the collection that leaked and taken out again, and in a work counter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from heapscope.analysis.growth.comparison import INSTANCES, Compared
from heapscope.analysis.growth.growth import Growth, KeyGrowth
from heapscope.analysis.growth.notes import NoteKind
from heapscope.analysis.growth.same_process import evidence_of
from heapscope.analysis.growth.snapshot import DUMP
from heapscope.analysis.thresholds import IN_STEP, MAX_LEFT, MIN_EXPECTED
from heapscope.heap.graph.class_origin import ClassOrigin, class_origin

_SHOWN = 3
Insertions = Callable[[str], tuple[int, int] | None]
Dropped = Callable[[str], int]
Made = Callable[[str], int]


def why_no_load(
    before: Growth,
    after: Growth,
    decisive: Sequence[Compared],
    insertions: Insertions | None = None,
    dropped: Dropped | None = None,
    made: Made | None = None,
) -> str:
    """Why nothing shows that the program did the same work after; empty where something does.

    Parameters
    ----------
    before, after : Growth
        By class; garbage in the snapshots after counts: a program that does nothing makes none.
    decisive : sequence of Compared
        The classes that grew before and do not after.
    insertions : callable, optional
        Of a class name: how many were put before and after into the collection that leaked before; None where
        that cannot be told.
    dropped : callable, optional
        Of a class name: how many instances the dumps after have as garbage that nothing holds together.
    made : callable, optional
        Of a class name: how many instances were made after, by the numbers that they carry.
    """
    if any(_was_dropped(one, after, dropped) or _comes_and_goes(one, after) for one in decisive):
        return ""
    if _is_as_busy(before, after, decisive):
        return ""
    if any(_was_taken_out(one, insertions) for one in decisive) or _was_made(decisive[0], made):
        return ""
    counts = [0 if one.second is None else max(one.second.instance_counts) for one in decisive]
    many = len(decisive) > 1
    what = f"do{'es' * (not many)} not {'grow' if any(counts) else 'occur'} after the cure"
    rest = f" and {len(decisive) - 1:,} more class{'es' * (len(decisive) > 2)}" if many else ""
    return (
        f"{decisive[0].name}{rest} {what}, but nothing shows that the program did the same work: nothing of "
        "its own comes and goes as before; give it the same load, and count the work with --work or take "
        "heap dumps with their garbage ('heapscope collect --all'), which shows what was made and dropped"
    )


def why_restarted(after: Growth) -> str:
    """Why snapshots of several processes prove nothing, whatever the work: each begins with an empty
    collection.  Empty where nothing tells that they are."""
    for note in after.notes:
        if note.kind == NoteKind.SEVERAL_PROCESSES:
            return (
                f"the snapshots after the cure are of {note.counts[0]} processes, and each of them begins "
                "anew; take all of one"
            )
        if note.kind == NoteKind.FEWER_CLASSES:
            return (
                f"between {note.names[0]} and {note.names[1]} the process may have been restarted "
                f"({note.counts[0]:,} classes, then {note.counts[1]:,}), and a new one begins anew; take all "
                "snapshots after the cure of one process"
            )
    unnamed = [one.name for one in after.snapshots if one.kind != DUMP and not evidence_of(one)]
    if unnamed:
        return (
            f"{', '.join(unnamed[:_SHOWN])}{' ...' * (len(unnamed) > _SHOWN)}: class histograms that name no "
            "process, so a restart between them would not show, and a new process begins anew; 'heapscope "
            "collect' and 'jcmd PID GC.class_histogram' say of which process theirs are"
        )
    return ""


def _was_dropped(one: Compared, after: Growth, dropped: Dropped | None) -> bool:
    """Whether about as many as would have grown at the old rate are garbage in the snapshots.

    What a collection takes away was garbage.  What only rises may be held by something that a dump does not
    show, as a field of a class object is: then it has to be objects that were dropped one by one.  And where
    each snapshot has a little, it is not known whether that is ever the same: then each object counts once.
    """
    seen = after.get(one.name)
    if seen is None:
        return False
    reached = (0,) * after.axis.count if one.second is None else one.second.instance_counts
    garbage = [every - kept for every, kept in zip(seen.instance_counts, reached, strict=True)]
    enough = max(MIN_EXPECTED, IN_STEP * one.expected)
    if sum(garbage) < enough:
        return False
    is_collected = bool((np.diff(seen.instance_counts[after.axis.skip :]) < 0).any())
    if is_collected and max(garbage) >= enough:
        return True
    return dropped is not None and dropped(one.name) >= enough


def _was_made(one: Compared, made: Made | None) -> bool:
    """Whether about as many were made as would have piled up at the old rate."""
    if made is None or one.what != INSTANCES or one.second is None or one.origin == ClassOrigin.JDK:
        return False
    return made(one.name) >= max(MIN_EXPECTED, IN_STEP * one.expected)


def _was_taken_out(one: Compared, insertions: Insertions | None) -> bool:
    """Whether enough were put into the collection that leaked, and hardly any of them stayed.

    That is a work counter of the collection itself: of so many that were put in before, so many stayed.
    """
    put = None if insertions is None or one.first is None else insertions(one.name)
    if put is None or one.first is None or put[0] <= 0:
        return False
    as_before = one.first.instances.delta / put[0] * put[1]
    return as_before >= max(MIN_EXPECTED, MAX_LEFT * one.expected) and one.grown <= MAX_LEFT * as_before


def _comes_and_goes(one: Compared, after: Growth) -> bool:
    if one.what == INSTANCES:
        key = after.get(one.name)
        is_own = one.origin != ClassOrigin.JDK
        return key is not None and is_own and _varies_alike(one.first, key, after.axis.skip)
    # What was counted in the very place that leaked: as much has to come and go as would have piled up.
    return (
        one.second is not None
        and _varies(one.second, one.skip)
        and _moves(one.second, one.skip) >= IN_STEP * one.expected
    )


def _is_as_busy(before: Growth, after: Growth, decisive: Sequence[Compared]) -> bool:
    """Whether most of the other classes that came and went before do so after.

    Where none did, one that does after is enough, if by about as many as would have been left at the old
    rate: less may be the heartbeat of a program that has nothing to do.
    """
    names = {one.name for one in decisive}
    others = [
        key for key in after.keys if key.name not in names and class_origin(key.name) != ClassOrigin.JDK
    ]
    moved = {
        key.name
        for key in before.keys
        if key.name not in names and class_origin(key.name) != ClassOrigin.JDK and _varies(key)
    }
    alike = [key for key in others if _varies_alike(before.get(key.name), key, after.axis.skip)]
    if moved:
        return sum(key.name in moved for key in alike) >= IN_STEP * len(moved)
    return any(_moves(key, after.axis.skip) >= IN_STEP * decisive[0].expected for key in alike)


def _varies_alike(earlier: KeyGrowth | None, key: KeyGrowth, skip: int) -> bool:
    """Whether a class goes up and down, and by about as much as before."""
    return _varies(key, skip) and _scatter(key, skip) >= IN_STEP * (
        0.0 if earlier is None else _scatter(earlier)
    )


def _varies(key: KeyGrowth, skip: int = 0) -> bool:
    steps = np.diff(key.instance_counts[skip:])
    return bool((steps > 0).any() and (steps < 0).any() and _moves(key, skip) >= MIN_EXPECTED)


def _moves(key: KeyGrowth, skip: int) -> int:
    """Instances that came or went from one snapshot to the next, all steps together."""
    return int(np.abs(np.diff(key.instance_counts[skip:])).sum())


def _scatter(key: KeyGrowth, skip: int = 0) -> float:
    """Mean distance of a step from the usual one: steady growth has none."""
    steps = np.diff(key.instance_counts[skip:])
    return float(np.abs(steps - np.median(steps)).mean()) if steps.size else 0.0

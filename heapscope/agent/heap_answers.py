"""Answers about one heap: what retains much, what holds an object, what would go with it, what threads do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from heapscope.agent.answer import Answer, Question, without_empty
from heapscope.agent.suspect_facts import suspect_facts
from heapscope.agent.workspace import Workspace
from heapscope.errors import HeapscopeError
from heapscope.heap.graph.class_origin import ClassOrigin, class_origin
from heapscope.heap.object_set import ObjectSet, instances_of
from heapscope.heap.objects.inspector import find_object
from heapscope.heap.objects.thread_stacks import find_thread_stacks, stack_objects
from heapscope.heap.retention.off_heap import find_off_heap
from heapscope.heap.retention.owner_inside import Inside, inside_of
from heapscope.heap.retention.paths import Path as RootPath
from heapscope.heap.retention.paths import paths as find_paths
from heapscope.heap.retention.suspects import Suspect, find_suspects
from heapscope.parser.tags import ROOT_KIND_NAMES
from heapscope.progress import Progress
from heapscope.reporter.off_heap import is_large, use_line
from heapscope.reporter.text import plural
from heapscope.units import format_bytes

if TYPE_CHECKING:
    from heapscope.heap.heap import Heap
    from heapscope.heap.objects.thread_stacks import ThreadStack

_CONSUMERS = 5
_FEW = 5000  # objects whose content is looked at
_STEPS = 40  # of one path: the first and the last of a longer one
_FRAMES = 12
_ON_STACK = 5
_JNI_GLOBAL = "JNI global"


def suspects(
    work: Workspace, progress: Progress, snapshot: str = "", share: float = 10.0, offset: int = 0
) -> Answer:
    """What retains a large share of the heap."""
    if not 0 < share <= 100:
        raise HeapscopeError(f"share: {share:g} is no percentage between 0 and 100")
    may = work.disclosure
    with opened(work, snapshot, progress) as (heap, name, notes):
        found = find_suspects(heap.graph, share / 100)
        outside = [use_line(use) for use in find_off_heap(heap.graph).uses if is_large(use)][:3]
        consumers = heap.consumers
        by_class = list(consumers.by_class.head(_CONSUMERS).rows())
        by_loader = list(consumers.by_loader.head(3).rows())
        reachability = {row["category"]: row["shallow_bytes"] for row in heap.reachability().rows()}
        real = [each for each in found.suspects if not each.ordinary]
        inside = _inside(heap, real[0]) if real else None
    rows = [suspect_facts(each, may) for each in found.suspects]
    if inside is not None:
        rows[found.suspects.index(real[0])]["inside"] = {
            "class": may.name(inside.class_name),
            "object_count": int(inside.indices.size),
            "field": may.owner(inside.owner.field),
        }
    of = format_bytes(found.reachable_bytes)
    if real:
        first = real[0]
        piled = first.content_class or first.class_name
        count = first.content_count or first.instance_count
        what = f"{count:,} {may.name(piled)} in {may.owner(first.owner)}"
        says = f"{first.share:.0%} of {of} that is reachable: {what}"
        if inside is not None:
            says += f", which hold {inside.indices.size:,} {may.name(inside.class_name)} in "
            says += may.owner(inside.owner.field)
        if first.off_heap_bytes is not None:
            says = f"{format_bytes(first.off_heap_bytes)} outside of the Java heap, {says}"
    else:
        says = f"nothing of the program's own retains {share:g} % of the {of} that is reachable"
    questions = []
    if real:
        subject = real[0].content_class or real[0].class_name.removeprefix("class ")
        questions.append(
            Question(
                "paths",
                {"snapshot": name, "subject": subject, "subclasses": False},
                "every way in which GC roots hold them",
            )
        )
        questions.append(
            Question("retained", {"snapshot": name, "subject": subject}, "what would go with them, by class")
        )
        if inside is not None:
            questions.insert(
                0,
                Question(
                    "paths",
                    {"snapshot": name, "subject": inside.class_name, "subclasses": False},
                    "what each of them holds many of, and in which field",
                ),
            )
    elif share > 3:
        questions.append(Question("suspects", {"snapshot": name, "share": 3}, "smaller ones"))
    questions.append(Question("growth", {}, "whether it grows, where there are more snapshots"))
    return Answer(
        says,
        "sizes are exact for one heap; that something is large does not prove that it leaks: growth over "
        "three snapshots or more does",
        {
            "suspects": rows[offset:],
            "outside_of_heap": [may.sentence(each) for each in outside],
            "retained_by_class": [
                {"class": may.name(row["name"]), "retained_bytes": row["retained_bytes"]} for row in by_class
            ],
            "retained_by_loader": [
                {"loader": may.loader(row["name"]), "retained_bytes": row["retained_bytes"]}
                for row in by_loader
            ],
            "bytes_by_reachability": {key: size for key, size in reachability.items() if size},
        },
        rows="suspects",
        offset=offset,
        total=len(rows),
        next=questions,
        notes=notes,
    )


def _inside(heap: Heap, suspect: Suspect) -> Inside | None:
    """What each of a few objects that retain much holds many of."""
    name = suspect.content_class or suspect.class_name
    if class_origin(name) == ClassOrigin.JDK or suspect.content_count > _FEW:
        return None
    is_it = np.array([each.name == name for each in heap.graph.classes], bool)
    return inside_of(heap.graph, heap.graph.instances_of(is_it))


@contextmanager
def opened(work: Workspace, snapshot: str, progress: Progress) -> Iterator[tuple[Heap, str, list[str]]]:
    """The heap that a question is about, the name by which a client asks for it, notes for the answer."""
    with work.heap(snapshot, progress) as heap:
        broken = [] if heap.coverage is None else [f"the dump is broken: {heap.coverage.summary}"]
        yield heap, work.scope.name_of(heap.path), broken


def subject_of(heap: Heap, subject: str, *, subclasses: bool) -> ObjectSet:
    """The objects that a client names: a class, or one object by its address.

    Raises
    ------
    ObjectNotFound
        The dump has no such class or object; the message names the nearest.
    HeapscopeError
        It is neither.
    """
    if subject[:2].lower() != "0x":
        return instances_of(heap.graph, subject, subclasses=subclasses)
    try:
        address = int(subject, 16)
    except ValueError:
        raise HeapscopeError(f"{subject!r} is no address") from None
    return ObjectSet(heap.graph, [find_object(heap.graph, address).index])


def paths(
    work: Workspace,
    progress: Progress,
    subject: str,
    snapshot: str = "",
    subclasses: bool = True,
    count: int = 2,
) -> Answer:
    """What keeps an object, or all instances of a class, alive."""
    may = work.disclosure
    with opened(work, snapshot, progress) as (heap, name, notes):
        members = subject_of(heap, subject, subclasses=subclasses)
        if subject[:2].lower() == "0x":
            found = find_paths(heap.graph, int(members.indices[0]), max(1, min(count, 8)))
            of_class = members[0].class_name
            rows = [_path_facts(each, work) for each in found]
            says = (
                f"{plural(len(found), 'path')} from GC roots to {may.name(of_class)} {subject}"
                if found
                else f"unreachable: no GC root leads to {may.name(of_class)} {subject}; it is garbage"
            )
            questions = [
                Question("retained", {"snapshot": name, "subject": subject}, "what would go with it"),
                Question("paths", {"snapshot": name, "subject": of_class}, "what holds all of its class"),
            ]
            return Answer(says, "", {"paths": rows}, rows="paths", next=questions, notes=notes)
        merged = members.paths_to_gc_roots()
        lines = [may.steps(each) for each in merged.lines(6)]
        example = f"0x{int(members.object_ids[-1]):x}" if members else ""
    first = lines[0] if lines else "nothing"
    questions = [
        Question("retained", {"snapshot": name, "subject": subject}, "what would go with them, exactly")
    ]
    if example:
        questions.insert(
            0, Question("paths", {"snapshot": name, "subject": example}, "the way to one, object by object")
        )
    return Answer(
        f"{plural(len(members), 'instance')} of {may.name(subject)}; held most by: {first}",
        "an instance that several hold is counted under each of them",
        {"held_by": lines, "example": example, "lost": merged.lost_counts},
        rows="held_by",
        next=questions,
        notes=notes,
    )


def _path_facts(path: RootPath, work: Workspace) -> dict[str, Any]:
    may = work.disclosure
    steps = [
        {
            "class": may.name(step.class_name),
            "object": f"0x{step.object_id:x}",
            "retained_bytes": step.retained_bytes,
            **({"holds_by": may.steps(step.references[0])} if step.references else {}),
            **({"strength": step.strength} if step.strength != "strong" else {}),
        }
        for step in path.steps
    ]
    if len(steps) > _STEPS:
        half = _STEPS // 2
        steps = [*steps[:half], {"class": f"... {len(steps) - _STEPS:,} steps ..."}, *steps[-half:]]
    facts: dict[str, Any] = {"gc_root": path.root_kinds, "strength": path.strength, "steps": steps}
    if path.thread_name:
        facts["thread"] = may.value(path.thread_name)
    return facts


def retained(
    work: Workspace,
    progress: Progress,
    subject: str,
    snapshot: str = "",
    subclasses: bool = True,
    without_roots: Sequence[str] = (),
    offset: int = 0,
) -> Answer:
    """What would go if an object, or all instances of a class, went."""
    kinds = set(ROOT_KIND_NAMES.values())
    if not set(without_roots) <= kinds:
        raise HeapscopeError(f"without_roots: kinds of GC roots are {', '.join(sorted(kinds))}")
    may = work.disclosure
    with opened(work, snapshot, progress) as (heap, name, notes):
        members = subject_of(heap, subject, subclasses=subclasses)
        whole = members.retained_bytes(tuple(without_roots))
        table = members.retained(tuple(without_roots)).histogram()
        reachable = sum(
            row["shallow_bytes"] for row in heap.reachability().rows() if row["category"] != "unreachable"
        )
        handles = members.root_record_count(_JNI_GLOBAL)
        without = members.retained_bytes([_JNI_GLOBAL]) if handles and not without_roots else None
    rows = [{"class": may.name(row.pop("class_name")), **row} for row in table.rows()]
    each = f", {format_bytes(whole / len(members))} each" if len(members) > 1 else ""
    data: dict[str, Any] = {
        "instance_count": len(members),
        "retained_bytes": whole,
        "share_of_reachable": round(whole / max(reachable, 1), 4),
        "shallow_bytes": members.shallow_bytes,
        "classes": rows[offset:],
    }
    if without is not None:
        data["jni_global_records"] = handles
        data["retained_without_jni_globals_bytes"] = without
    return Answer(
        f"{plural(len(members), 'instance')} of {may.name(subject)} retain {format_bytes(whole)}{each}",
        "exact: the set that only they hold",
        data,
        rows="classes",
        offset=offset,
        total=len(rows),
        next=[Question("paths", {"snapshot": name, "subject": subject}, "what holds them")],
        notes=notes,
    )


def threads(work: Workspace, progress: Progress, snapshot: str = "", offset: int = 0) -> Answer:
    """Threads with what they retain and do."""
    with opened(work, snapshot, progress) as (heap, name, notes):
        found = find_thread_stacks(heap.graph)
        rows = [_thread_facts(work, heap, each) for each in found[offset : offset + 40]]
    virtual = sum(each.thread_count for each in found if each.is_virtual)
    platform = sum(not each.is_virtual for each in found)
    says = plural(platform, "platform thread")
    says += f", {plural(virtual, 'virtual thread')}" if virtual else ""
    questions = []
    if found and found[0].object_id:
        says += f"; the one that retains most has {format_bytes(found[0].largest_bytes)}"
        questions.append(
            Question(
                "retained", {"snapshot": name, "subject": f"0x{found[0].object_id:x}"}, "what it retains"
            )
        )
    questions.append(Question("suspects", {"snapshot": name}, "what retains most of the heap"))
    return Answer(
        says,
        "stacks are those of the moment of the dump",
        {"threads": rows},
        rows="threads",
        offset=offset,
        total=len(found),
        next=questions,
        notes=notes,
    )


def _thread_facts(work: Workspace, heap: Heap, thread: ThreadStack) -> dict[str, Any]:
    may = work.disclosure
    facts: dict[str, Any] = {"thread": f"0x{thread.object_id:x}", "retained_bytes": thread.retained_bytes}
    if may.values:
        facts["name"] = may.value(thread.names[0])
    if thread.thread_count > 1:
        facts["threads"] = thread.thread_count
    if thread.is_virtual:
        facts["virtual"] = True
    if thread.is_daemon:
        facts["daemon"] = True
    facts["frames"] = [may.name(str(frame)) for frame in thread.frames[:_FRAMES]]
    if len(thread.frames) > _FRAMES:
        facts["more_frames"] = len(thread.frames) - _FRAMES
    if thread.object_count:
        on_stack = [
            each
            for each in stack_objects(heap.graph, thread.serial, 20)
            if each.object_id != thread.object_id and each.retained_bytes
        ]
        on_stack.sort(key=lambda each: -each.retained_bytes)
        facts["on_stack"] = [
            {
                "class": may.name(each.class_name),
                "object": f"0x{each.object_id:x}",
                "retained_bytes": each.retained_bytes,
                **({"text": may.value(each.text)} if may.values and each.text else {}),
            }
            for each in on_stack[:_ON_STACK]
        ]
    return without_empty(facts)

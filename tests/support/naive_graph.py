"""The reference graph of a heap, its dominators and retained sets, from their definitions.

Slow and obvious: sets of identifiers, and reachability computed anew for every object that is
taken away.  Nothing here knows how heapscope does it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from tests.support.oracle import OracleHeap

ROOT = -1  # the virtual root
ON_STACK = {0x02, 0x03, 0x04, 0x06}
UNREACHABLE_TAG = 0x90
JNI_GLOBAL = 0x01
STICKY_CLASS = 0x05
KINDS = {
    "java.lang.ref.SoftReference": "soft",
    "java.lang.ref.WeakReference": "weak",
    "java.lang.ref.PhantomReference": "phantom",
    "java.lang.ref.FinalReference": "final",
}


@dataclass
class NaiveGraph:
    """References and roots of a heap.

    ``strong`` has all references but those of ``referents``, (source, kind) -> target; ``roots``
    has the tags of each object's root records that are roots themselves.
    """

    objects: set[int]
    strong: dict[int, list[int]]
    referents: dict[tuple[int, str], int]
    roots: dict[int, list[int]]
    followed_kinds: set[str] = field(default_factory=lambda: {"soft"})

    def targets(self, source: int, kinds: Collection[str]) -> list[int]:
        found = list(self.strong[source])
        found += [target for (at, kind), target in self.referents.items() if at == source and kind in kinds]
        return found

    def reach(
        self, starts: Iterable[int], kinds: Collection[str] | None = None, without: Collection[int] = ()
    ) -> set[int]:
        """What ``starts`` reach, over these kinds of referents, when some objects are taken away."""
        over = self.followed_kinds if kinds is None else kinds
        seen = {start for start in starts if start not in without}
        pending = list(seen)
        while pending:
            for target in self.targets(pending.pop(), over):
                if target not in seen and target not in without:
                    seen.add(target)
                    pending.append(target)
        return seen

    def categories(self) -> dict[int, int]:
        strong = self.reach(self.roots, ())
        soft = self.reach(self.roots, {"soft"})
        weak = self.reach(self.roots, set(KINDS.values()))
        return {
            each: 0 if each in strong else 1 if each in soft else 2 if each in weak else 3
            for each in self.objects
        }

    def dominators(self) -> dict[int, int]:
        """Immediate dominator of everything that is reached: the dominator that all others dominate."""
        reached = self.reach(self.roots)
        above: dict[int, set[int]] = {each: {ROOT} for each in reached}
        for each in reached:
            for lost in reached - self.reach(self.roots, without={each}) - {each}:
                above[lost].add(each)
        return {each: max(found, key=lambda d: len(above.get(d, ()))) for each, found in above.items()}

    def retained(self, members: Collection[int], without_tags: Collection[int] = ()) -> set[int]:
        """The retained set by its definition."""
        starts = {each for each, tags in self.roots.items() if set(tags) - set(without_tags)}
        if without_tags:
            starts |= set(members) & self.reach(self.roots)
        return self.reach(starts) - self.reach(starts, without=set(members))

    def distances(self, kinds: Collection[str]) -> dict[int, int]:
        found = dict.fromkeys(self.roots, 0)
        level = list(self.roots)
        while level:
            following = []
            for source in level:
                for target in self.targets(source, kinds):
                    if target not in found:
                        found[target] = found[source] + 1
                        following.append(target)
            level = following
        return found


def naive_graph(
    heap: OracleHeap, *, roots: str = "mat", followed: Collection[str] = ("soft",), is_mat: bool = False
) -> NaiveGraph:
    """The graph of a heap as the naive reader read it.

    Classes of the boot loader are roots where no class is said to be one.  With ``is_mat``, what a constant
    pool names is not held.
    """
    objects = set(heap.instances) | set(heap.object_arrays) | set(heap.primitive_arrays) | set(heap.classes)
    # Of several classes of one name the first one loaded by the boot loader is the JDK's.
    by_name: dict[str, int] = {}
    for class_id, java_class in heap.classes.items():
        if java_class.loader_id == 0:
            by_name.setdefault(java_class.name, class_id)
    strong: dict[int, list[int]] = defaultdict(list)
    referents: dict[tuple[int, str], int] = {}
    for object_id, (class_id, _) in heap.instances.items():
        strong[object_id].append(class_id)
        kind, declaring = _reference_kind(heap, class_id)
        at_class = class_id
        for name, code, value, owner in _fields(heap, object_id, at_class):
            if code != 2:
                continue
            if kind and owner == declaring and name == "referent":
                referents[object_id, kind] = int(value)
            else:
                strong[object_id].append(int(value))
    for object_id, (class_id, ids) in heap.object_arrays.items():
        strong[object_id] += [class_id, *ids]
    for object_id, (code, _, _) in heap.primitive_arrays.items():
        from tests.support.oracle import PRIMITIVES

        strong[object_id].append(by_name.get(f"{PRIMITIVES[code]}[]", 0))
    for class_id, java_class in heap.classes.items():
        strong[class_id] += [
            by_name.get("java.lang.Class", 0),
            java_class.super_id,
            java_class.loader_id,
            java_class.signers_id,
            java_class.protection_domain_id,
            *(int(value) for _, code, value in java_class.statics if code == 2),
            *([] if is_mat else java_class.constant_ids),
        ]
    threads: dict[int, int] = {}
    for root in heap.roots:
        if root.tag == 0x08 and root.object_id in objects:
            threads.setdefault(root.thread_serial or 0, root.object_id)
    found: dict[int, list[int]] = defaultdict(list)
    for root in heap.roots:
        if root.object_id not in objects or root.tag == UNREACHABLE_TAG:
            continue
        thread = threads.get(root.thread_serial or 0, 0)
        if roots == "mat" and root.tag in ON_STACK and thread:
            strong[thread].append(root.object_id)
        else:
            found[root.object_id].append(root.tag)
    if not any(root.tag == STICKY_CLASS for root in heap.roots):
        for class_id, java_class in heap.classes.items():
            if java_class.loader_id == 0 and not java_class.name.endswith("[]"):
                found[class_id].append(STICKY_CLASS)
    return NaiveGraph(
        objects,
        defaultdict(list, {s: [t for t in targets if t in objects] for s, targets in strong.items()}),
        {key: target for key, target in referents.items() if target in objects},
        dict(found),
        set(followed),
    )


def _fields(heap: OracleHeap, object_id: int, class_id: int) -> list[tuple[str, int, float, int]]:
    """Name, type code, value and declaring class of each field."""
    owners = []
    while class_id:
        owners += [class_id] * len(heap.classes[class_id].fields)
        class_id = heap.classes[class_id].super_id
    values = heap.field_values(object_id)
    return [(name, code, value, owner) for (name, code, value), owner in zip(values, owners, strict=True)]


def _reference_kind(heap: OracleHeap, class_id: int) -> tuple[str, int]:
    """How a class of references holds its referent, and which class declares it; empty for others."""
    kind = ""
    while class_id:
        name = heap.classes[class_id].name
        kind = kind or KINDS.get(name, "")
        if name == "java.lang.ref.Reference":
            return kind, class_id
        class_id = heap.classes[class_id].super_id
    return "", 0

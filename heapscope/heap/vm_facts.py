"""What the static fields of a dump tell of its JVM: which process it is, the limit of its direct memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from heapscope.parser.records import JavaClass

_SEED_CLASS = "java.util.ImmutableCollections"
_VM_CLASSES = ("jdk.internal.misc.VM", "sun.misc.VM")
_TELLING = frozenset({_SEED_CLASS, *_VM_CLASSES})
# What sun.misc.VM and its successor begin with, before the JVM has told them a limit.
_UNSET_DIRECT_MEMORY = 64 << 20


@dataclass(frozen=True, slots=True)
class VmFacts:
    """What the statics of a dump tell of its JVM.

    Attributes
    ----------
    seed : int or None
        The random number of the process.
    direct_limit_bytes : int or None
        ``VM.directMemory``: ``-XX:MaxDirectMemorySize``; without that option ``Runtime.maxMemory()``
        (``-Xmx``, less a survivor space with Serial and Parallel).
    """

    seed: int | None = None
    direct_limit_bytes: int | None = None


def read_vm_facts(classes: Iterable[JavaClass]) -> VmFacts:
    """What the statics of a dump's classes tell."""
    found = {c.name: c for c in classes if c.name in _TELLING and c.loader_id == 0}

    def static(class_name: str, *names: str) -> int | None:
        statics = found[class_name].statics if class_name in found else ()
        return next((int(s.value) for s in statics if s.name in names), None)

    limit = next((size for name in _VM_CLASSES if (size := static(name, "directMemory"))), None)
    return VmFacts(
        static(_SEED_CLASS, "SALT32L", "SALT"),
        limit if limit and limit > 0 and limit != _UNSET_DIRECT_MEMORY else None,
    )

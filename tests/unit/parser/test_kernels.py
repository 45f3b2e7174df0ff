"""Every kernel is there, with as many arguments as its signature says; slots do not overlap."""

from __future__ import annotations

from importlib import import_module
from inspect import signature
from types import ModuleType

import pytest

from heapscope.machine_code import Kernel
from heapscope.parser import kernels

MODULES = [
    import_module(f"heapscope.{name}")
    for name in (
        "parser.kernels",
        "parser.broken.kernels",
        "parser.layout.kernels",
        "parser.redaction.kernels",
        "heap.graph.kernels",
        "heap.retention.kernels",
    )
]


def handles(module: ModuleType) -> list[tuple[str, Kernel]]:
    found = []
    for name, value in vars(module).items():
        each = value.values() if isinstance(value, dict) else [value]
        found += [(name, kernel) for kernel in each if isinstance(kernel, Kernel)]
    return found


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_handles_fit_their_functions(module: ModuleType) -> None:
    assert handles(module)
    for name, kernel in handles(module):
        function = getattr(import_module(kernel.module), kernel.name)
        assert kernel.name == name
        assert len(signature(getattr(function, "py_func", function)).parameters) == len(kernel.kinds)


def test_each_folder_declares_its_own_kernels() -> None:
    for module in MODULES[:4]:
        folder = module.__name__.rpartition(".")[0]
        assert {kernel.module.rpartition(".")[0] for _, kernel in handles(module)} == {folder}


def test_statuses_differ() -> None:
    from heapscope.parser.layout.kernels import NEED_ROOM
    from heapscope.parser.redaction import kernels as redaction

    common = [
        *(kernels.OK, kernels.NEED_BYTES, kernels.NEED_TABLE, kernels.NEED_CLASS_SLOTS, kernels.HEAP_RECORD),
        *(kernels.BAD_TAG, kernels.OVERRUN, kernels.BAD_TYPE, kernels.LENGTH_CHANGED, kernels.KIND_CHANGED),
        *(kernels.COUNT_CHANGED, kernels.BAD_CLASS, kernels.BAD_ROOT),
    ]
    own = [redaction.MET_CLASS, redaction.HEAP_NAME, redaction.NEED_CLASS, redaction.FIRST_OBJECT]
    assert len({*common, *own}) == len(common) + len(own)
    assert NEED_ROOM not in common


def test_slots_do_not_overlap() -> None:
    state = [kernels.OBJECTS, kernels.ROOTS, kernels.POSITION, kernels.LISTED, kernels.LOST, kernels.SEGMENT]
    assert len(set(state)) == len(state)
    assert max(state) < kernels.STATE
    totals = [kernels.OBJECTS, kernels.ROOTS, kernels.CLASSES, kernels.TABLE_USED, kernels.POSITION]
    for start, length in ((kernels.ARRAY_COUNTS, 12), (kernels.ARRAY_MEMORY, 12), (kernels.ROOT_COUNTS, 256)):
        totals += range(start, start + length)
    assert len(set(totals)) == len(totals)
    assert max(totals) < kernels.TOTALS

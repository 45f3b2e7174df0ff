"""The pytest plugin: fixture ``jvm_heap`` and marker ``limit_growth``.

It is loaded in every run of pytest where heapscope is installed, so it imports nothing that a test which
asks for neither would have to pay for.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from heapscope.testing.jvm_heap import JvmHeap
    from heapscope.testing.limits import Limit

MARKER = "limit_growth"
_USAGE = '@pytest.mark.limit_growth("a.b.Class+", 0, pid=None, warm_up=0, allow_absent=False)'


def pytest_configure(config: pytest.Config) -> None:
    """Tell pytest the marker."""
    config.addinivalue_line(
        "markers",
        f"{MARKER}(pattern, limit=0, *, pid=None, warm_up=0, allow_absent=False): fail the test if it leaves "
        "more than so many more live instances of a class in its JVM; 'a.b.Class+' counts subclasses too",
    )


@pytest.fixture
def jvm_heap(tmp_path_factory: pytest.TempPathFactory) -> JvmHeap:
    """The heap of the JVM in this process, or in the one child of it that hosts one."""
    from heapscope.testing.jvm_heap import JvmHeap

    return JvmHeap(folder=tmp_path_factory.mktemp("heapscope"))


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Count around the test itself: what its fixtures make was there before."""
    marks = list(item.iter_markers(MARKER))
    if not marks:
        return (yield)
    from heapscope.errors import HeapscopeError
    from heapscope.testing.jvm_heap import JvmHeap
    from heapscope.testing.watching import Watch

    limits, pid, warm_up = _read(marks)
    factory: pytest.TempPathFactory = item.config._tmp_path_factory  # type: ignore[attr-defined]
    heap = JvmHeap(pid, factory.mktemp("heapscope"))
    for _ in range(warm_up):
        item.runtest()
    # Failed outside of `except`, or pytest would show the error twice: as the cause, too.
    problem = ""
    try:
        watch = Watch(heap, limits)
    except HeapscopeError as error:
        problem = str(error)
    if problem:
        pytest.fail(f"{MARKER}: {problem}", pytrace=False)
    result = yield
    try:
        watch.check()
    except HeapscopeError as error:
        problem = str(error)
    if problem:
        pytest.fail(f"{MARKER}: {problem}", pytrace=False)
    return result


def _read(marks: list[pytest.Mark]) -> tuple[list[Limit], int | None, int]:
    """Limits, pid and warm-up of the markers of a test; what they do not say is as usual."""
    from heapscope.testing.limits import Limit

    limits: list[Limit] = []
    pids: set[int] = set()
    warm_up = 0
    for mark in marks:
        given: dict[str, Any] = {**dict(zip(("pattern", "limit"), mark.args, strict=False)), **mark.kwargs}
        unknown = set(given) - {"pattern", "limit", "pid", "warm_up", "allow_absent"}
        numbers = [given.get(name, 0) for name in ("limit", "warm_up")]
        is_right = (
            not unknown
            and len(mark.args) <= 2
            and isinstance(given.get("pattern"), str)
            and all(isinstance(each, int) and each >= 0 for each in numbers)
        )
        if not is_right:
            words = [*map(repr, mark.args), *(f"{name}={value!r}" for name, value in mark.kwargs.items())]
            pytest.fail(f"{MARKER}({', '.join(words)}) is not understood; write {_USAGE}", pytrace=False)
        limits.append(Limit(given["pattern"], numbers[0], bool(given.get("allow_absent", False))))
        warm_up = max(warm_up, numbers[1])
        if given.get("pid") is not None:
            pids.add(given["pid"])
    if len(pids) > 1:
        pytest.fail(
            f"{MARKER}: the markers of one test name several processes: {sorted(pids)}", pytrace=False
        )
    return limits, next(iter(pids), None), warm_up

"""What ``heap.sql(...)`` and ``snapshots.sql(...)`` do; the package hands it down to them."""

from __future__ import annotations

from heapscope.analysis.snapshots import Snapshots
from heapscope.heap.heap import Heap
from heapscope.query.answer import QueryAnswer
from heapscope.query.sources import heap_session, snapshots_session


def answer(over: object, query: str, memory: int | None, show_secrets: bool) -> QueryAnswer:
    """Answer a query over an open heap or over snapshots.

    Parameters
    ----------
    over : Heap or Snapshots
    query : str
    memory : int or None
    show_secrets : bool

    Raises
    ------
    QueryError, HprofError, MissingDependency
    """
    if isinstance(over, Heap):
        return heap_session(over, memory=memory, show_secrets=show_secrets).run(query)
    assert isinstance(over, Snapshots)
    with snapshots_session(over, memory=memory, show_secrets=show_secrets) as session:
        return session.run(query)

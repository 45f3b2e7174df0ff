"""Answers about a heap that were asked for lately, up to a bound."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sized
from typing import Generic, TypeVar

Value = TypeVar("Value", bound=Sized)


class Recent(Generic[Value]):
    """Values by key; what was asked for longest ago goes first.

    Parameters
    ----------
    most : int
        No more than so many rows are kept, the latest value whatever its length.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[Hashable, Value] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """The value of a key, made where it is not kept."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = make()
        with self._lock:
            self._values[key] = value
            while len(self._values) > 1 and sum(map(len, self._values.values())) > self._most:
                self._values.popitem(last=False)
        return value

"""Answers as plain values: what `json.dumps` takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from math import isfinite
from pathlib import Path
from typing import Any

from heapscope.secrets import mask_text


def plain(value: Any) -> Any:
    """A value of dicts, lists, texts, numbers, truth values and None alone.

    A dataclass becomes what its ``to_dict`` gives, else a dict of its fields, a table a list of its rows, a
    time ISO 8601 text; a number that JSON has no word for (infinity) becomes text.  Texts that may be secret
    are masked.
    """
    if value is None or (isinstance(value, (bool, int)) and not isinstance(value, Enum)):
        return value
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, float):
        return value if isfinite(value) else str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "rows") and callable(value.rows):  # a table
        return [plain(row) for row in value.rows()]
    to_dict: Any = getattr(type(value), "to_dict", PlainDict.to_dict)
    if is_dataclass(value) and to_dict is not PlainDict.to_dict:
        return plain(to_dict(value))
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(each) for key, each in value.items()}
    if hasattr(value, "tolist"):  # numpy
        return plain(value.tolist())
    return [plain(each) for each in value] if isinstance(value, Iterable) else str(value)


class PlainDict:
    """Base of answers that have a plain form."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """The answer as plain values, for JSON; texts that may be secret are masked."""
        found: dict[str, Any] = {field.name: plain(getattr(self, field.name)) for field in fields(self)}  # type: ignore[arg-type]
        return found

"""Roles from command lines, signal masks."""

from __future__ import annotations

import pytest

from heapscope.collector.processes import has_signal, tensorflow_role


@pytest.mark.parametrize(
    ("command", "config", "expected"),
    [
        (["python", "train.py", "--job_name=ps", "--task_index=0"], None, ("ps", 0)),
        (["python", "train.py", "--job_name", "worker", "--task_index", "3"], None, ("worker", 3)),
        (["python", "-job_name=chief"], None, ("chief", None)),
        (["python"], '{"task": {"type": "worker", "index": 2}}', ("worker", 2)),
        (["python", "--job_name=ps"], '{"task": {"type": "worker", "index": 2}}', ("ps", None)),
        (["python"], "{broken", (None, None)),
        (["python"], '["task"]', (None, None)),
        (["python", "--job_name"], None, (None, None)),
        (["python", "--job_name==HYPERLINK(1)", "--task_index=0"], None, (None, None)),
        (["python", "--job_name=../x"], None, (None, None)),
        (["python"], '{"task": {"type": "\\u001b[31m", "index": 2}}', (None, None)),
        ([], None, (None, None)),
    ],
)
def test_roles(command: list[str], config: str | None, expected: tuple[str | None, int | None]) -> None:
    assert tensorflow_role(command, config) == expected


def test_signal_masks_count_from_one() -> None:
    assert has_signal("0000000000000004", 3)
    assert not has_signal("0000000000000003", 3)

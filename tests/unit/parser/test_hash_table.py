"""Hash tables by class identifier."""

from __future__ import annotations

import numpy as np
import pytest

from heapscope.parser import kernels
from heapscope.parser.hash_table import hash_table


def rows_of(table: np.ndarray) -> dict[int, list[int]]:
    return {int(row[0]): row[1:].tolist() for row in table if row[kernels.KEY]}


@pytest.mark.parametrize("count", [0, 1, 8, 9, 1000])
def test_every_row_is_in_it_once_and_half_is_free(count: int) -> None:
    rows = [(0xE000_0000 + 8 * i, i, 2 * i, 3 * i) for i in range(count)]
    table = hash_table(rows)
    assert rows_of(table) == {key: list(values) for key, *values in rows}
    assert table.shape[0] & (table.shape[0] - 1) == 0
    assert 2 * count <= table.shape[0]


def test_fewer_values_leave_zeros_behind_them_and_room_is_kept() -> None:
    table = hash_table([(5, 7)], room=100)
    assert rows_of(table) == {5: [7, 0, 0]}
    assert table.shape[0] >= 200


def test_tables_that_count_are_put_together() -> None:
    one = hash_table([(8, 3, 16, kernels.KIND_INSTANCE), (16, 1, 40, kernels.KIND_ARRAY)])
    other = hash_table([(8, 2, 16, kernels.KIND_INSTANCE), (16, 1, 24, kernels.KIND_ARRAY), (24, 1, 4, 1)])
    assert kernels.merge_tables(other, one) == kernels.OK
    assert rows_of(one) == {
        8: [5, 16, kernels.KIND_INSTANCE],  # bytes of one instance
        16: [2, 64, kernels.KIND_ARRAY],  # bytes of all arrays
        24: [1, 4, kernels.KIND_INSTANCE],
    }


@pytest.mark.parametrize(
    ("row", "status"),
    [
        ((8, 1, 17, kernels.KIND_INSTANCE), kernels.LENGTH_CHANGED),
        ((8, 1, 16, kernels.KIND_ARRAY), kernels.KIND_CHANGED),
    ],
)
def test_tables_that_contradict_each_other(row: tuple[int, ...], status: int) -> None:
    assert kernels.merge_tables(hash_table([row]), hash_table([(8, 3, 16, kernels.KIND_INSTANCE)])) == status

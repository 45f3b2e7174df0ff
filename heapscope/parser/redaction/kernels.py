"""The compiled loop that takes values out of heap sub-records, callable without numba.

As in `heapscope.parser.kernels`, whose statuses, slots and columns it uses beside its own.
"""

from __future__ import annotations

from heapscope.machine_code import Kernel

# Why it returned, beside the statuses of all kernels.
MET_CLASS = 20  # at a class dump,
HEAP_NAME = 21  # Android's name of a heap,
NEED_CLASS = 22  # an instance of a class it does not know,
FIRST_OBJECT = 23  # or the first object, if ``state[IS_WAITING]`` is set

# Slots of its ``state``, beside POSITION and LISTED.
IS_WAITING = 0  # stop at the first object
WIPES = 1  # the body that goes on behind the buffer is zeroed

# Columns of its class table, beside KEY: rows of ``spans`` and bytes of the field values of an instance.
FIRST_SPAN = 1
END_SPAN = 2
LENGTH = 3

# buf, pos, stop, constants, table, spans, text_bytes, texts, state
redact = Kernel("heapscope.parser.redaction._kernels", "redact", "u1[] i8 i8 i8[] u8[4] i8[2] i8 i8[2] i8[]")

"""Tells the processor that a row of an array will be needed; inlined into the loops that know it early."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import config, types
from numba.extending import intrinsic

# How many steps ahead of its use.  Memory answers after 150 ns, a step takes 10: with 33 and with 198 million
# objects a walk takes half the time, and more steps bring nothing.
SOON, LATER = 8, 16

_BYTE, _NUMBER = ir.IntType(8), ir.IntType(32)
_READ, _KEEP, _DATA = (ir.Constant(_NUMBER, each) for each in (0, 3, 1))


def _prefetch(typing_context, array, row):
    """Begin to bring the first element of a row into the cache; a row that does not exist does no harm.

    LLVM's ``llvm.prefetch``, which is an instruction of the processor, or nothing where it has none.
    """

    def generate(context, builder, signature, arguments):
        parts = context.make_array(signature.args[0])(context, builder, arguments[0])
        stride = builder.extract_value(parts.strides, 0)
        place = builder.ptrtoint(parts.data, stride.type)
        place = builder.add(place, builder.mul(builder.zext(arguments[1], stride.type), stride))
        pointer = builder.inttoptr(place, _BYTE.as_pointer())
        function = builder.module.declare_intrinsic(
            "llvm.prefetch",
            (pointer.type,),
            ir.FunctionType(ir.VoidType(), [pointer.type, _NUMBER, _NUMBER, _NUMBER]),
        )
        builder.call(function, [pointer, _READ, _KEEP, _DATA])
        return context.get_dummy_value()

    return types.void(array, types.uintp), generate


def _nothing(array, row):
    """For loops that are run without being compiled, to debug them."""


# Any: who calls it leaves the context out, which no type hint tells.
prefetch: Any = _nothing if vars(config)["DISABLE_JIT"] else intrinsic(_prefetch)

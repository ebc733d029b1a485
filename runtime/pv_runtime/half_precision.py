"""Conversions between fp16 and float32 inside compiled code: the CPU's own, or integer arithmetic."""

from __future__ import annotations

import platform
from typing import Any

import numpy as np

from pv_runtime.compiled import compiled

__all__ = ["round_half", "round_half_portable", "widen_half", "widen_half_portable"]

_U32 = np.uint32
_F32 = np.float32
_NOT_FINITE = np.uint32(0x7F800000)
_SCALE = np.float32(2.0**112)


@compiled()
def widen_half_portable(bits: Any) -> Any:
    """Widen an fp16, given as uint16 bits, to float32.

    The exponent is moved into place; a product with 2^112 does the rest, for subnormals too.
    """
    wide = _U32(bits)
    moved = _U32(_U32(wide & _U32(0x7FFF)) << _U32(13))
    value = _F32(moved.view(np.float32) * _SCALE).view(np.uint32)
    if moved >= _U32(0x0F800000):
        value = _U32(value | _NOT_FINITE)
    return _U32(value | _U32(_U32(wide & _U32(0x8000)) << _U32(16))).view(np.float32)


@compiled()
def round_half_portable(bits: Any) -> Any:
    """Round a float32, given as uint32 bits, to the nearest fp16, ties to even; returns bits of a float32.

    A NaN becomes an infinity: what is not finite stays so.
    """
    magnitude = _U32(bits & _U32(0x7FFFFFFF))
    normal = _U32(_U32(magnitude + _U32(0xFFF) + _U32((magnitude >> _U32(13)) & _U32(1))) & _U32(0xFFFFE000))
    # Below 2^-14 the spacing is 2^-24, which is that of float32 from 0.5 on.
    small = _F32(_F32(magnitude.view(np.float32) + _F32(0.5)) - _F32(0.5)).view(np.uint32)
    rounded = small if magnitude < _U32(0x38800000) else normal
    if rounded >= _U32(0x47800000):
        rounded = _NOT_FINITE
    return _U32(rounded | _U32(bits & _U32(0x80000000)))


def _hardware() -> bool:
    """Whether the CPU converts: otherwise LLVM would call a function that may not be there."""
    from llvmlite import binding

    if platform.machine() in {"aarch64", "arm64"}:
        return True
    return bool(binding.get_host_cpu_features().get("f16c", False))


def _instructions() -> tuple[Any, Any]:
    """Return both conversions as the CPU's instructions."""
    from llvmlite import ir
    from numba import types
    from numba.core.extending import intrinsic

    def widen(_: Any, bits: Any) -> Any:
        def generate(__: Any, builder: Any, ___: Any, arguments: Any) -> Any:
            return builder.fpext(builder.bitcast(arguments[0], ir.HalfType()), ir.FloatType())

        return (types.float32(types.uint16), generate) if bits == types.uint16 else None

    def rounded(_: Any, value: Any) -> Any:
        def generate(__: Any, builder: Any, ___: Any, arguments: Any) -> Any:
            return builder.fpext(builder.fptrunc(arguments[0], ir.HalfType()), ir.FloatType())

        return (types.float32(types.float32), generate) if value == types.float32 else None

    # Inside compiled code they take one argument; to a type checker they are the functions above.
    widen_half_intrinsic: Any = intrinsic(widen)
    round_half_intrinsic: Any = intrinsic(rounded)

    @compiled()
    def widen_half(bits: Any) -> Any:
        return widen_half_intrinsic(np.uint16(bits))

    @compiled()
    def round_half(bits: Any) -> Any:
        return _F32(round_half_intrinsic(_U32(bits).view(np.float32))).view(np.uint32)

    return widen_half, round_half


widen_half, round_half = _instructions() if _hardware() else (widen_half_portable, round_half_portable)
"""`widen_half_portable` and `round_half_portable`, as fast as this CPU can."""

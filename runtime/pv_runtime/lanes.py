"""Steps on 16 to 64 neighbours at once, for compiled code.

A compiler finds such vectors by itself where it can show that arrays do not overlap; for the short rows of
a block format it tests that for each of them. Here vectors are said, and LLVM makes of them what the CPU
has. Products and differences are rounded each, and no place is checked: the caller does that.
"""

from __future__ import annotations

from typing import Any

__all__ = ["prefetch", "unpack_bytes", "unpack_five_bits", "unpack_four_bits", "unpack_six_bits"]


def _pointer(context: Any, builder: Any, kind: Any, array: Any, place: Any) -> Any:
    """Point at an element of an array."""
    return builder.gep(context.make_array(kind)(context, builder, array).data, [place])


def _load(builder: Any, pointer: Any, lanes: int, offset: int = 0) -> Any:
    """Load bytes, at any address."""
    from llvmlite import ir

    kind = ir.VectorType(ir.IntType(8), lanes)
    start = builder.gep(pointer, [ir.Constant(ir.IntType(64), offset)])
    return builder.load(builder.bitcast(start, kind.as_pointer()), align=1)


def _store(builder: Any, values: Any, pointer: Any, offset: int) -> None:
    """Store float32 behind a pointer to them."""
    from llvmlite import ir

    start = builder.gep(pointer, [ir.Constant(ir.IntType(64), offset)])
    builder.store(values, builder.bitcast(start, values.type.as_pointer()), align=4)


def _splat(builder: Any, value: Any, lanes: int) -> Any:
    """Repeat a value in every lane."""
    from llvmlite import ir

    index = ir.IntType(32)
    one = ir.Constant(ir.VectorType(value.type, lanes), ir.Undefined)
    one = builder.insert_element(one, value, ir.Constant(index, 0))
    return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(index, lanes), [0] * lanes))


def _every(value: int, lanes: int) -> Any:
    """Return a constant byte in every lane."""
    from llvmlite import ir

    return ir.Constant(ir.VectorType(ir.IntType(8), lanes), [ir.IntType(8)(value)] * lanes)


def _bits(builder: Any, values: Any, shift: int, mask: int) -> Any:
    """Return ``values >> shift & mask``, byte by byte."""
    lanes = values.type.count
    moved = builder.lshr(values, _every(shift, lanes)) if shift else values
    return builder.and_(moved, _every(mask, lanes))


def _floats(builder: Any, codes: Any, *, signed: bool) -> Any:
    from llvmlite import ir

    kind = ir.VectorType(ir.FloatType(), codes.type.count)
    return builder.sitofp(codes, kind) if signed else builder.uitofp(codes, kind)


def _part(builder: Any, values: Any, first: int, lanes: int) -> Any:
    """Return some neighbouring lanes."""
    from llvmlite import ir

    order = [ir.IntType(32)(first + i) for i in range(lanes)]
    return builder.shuffle_vector(values, values, ir.Constant(ir.VectorType(ir.IntType(32), lanes), order))


def _prefetch(_: Any, raw: Any, place: Any) -> Any:
    from llvmlite import ir
    from numba import types

    def generate(context: Any, builder: Any, __: Any, values: Any) -> Any:
        number = ir.IntType(32)
        pointer = _pointer(context, builder, raw, values[0], values[1])
        shape = ir.FunctionType(ir.VoidType(), [pointer.type, number, number, number])
        name = "llvm.prefetch.p0"
        function = builder.module.globals.get(name) or ir.Function(builder.module, shape, name)
        # Read, into every level of the cache, data.
        builder.call(function, [pointer, number(0), number(3), number(1)])
        return context.get_dummy_value()

    return types.void(raw, place), generate


def _unpack_bytes(_: Any, raw: Any, base: Any, scale: Any, out: Any, place: Any) -> Any:
    from numba import types

    def generate(context: Any, builder: Any, __: Any, values: Any) -> Any:
        codes = _load(builder, _pointer(context, builder, raw, values[0], values[1]), 32)
        to = _pointer(context, builder, out, values[3], values[4])
        product = builder.fmul(_splat(builder, values[2], 32), _floats(builder, codes, signed=True))
        _store(builder, product, to, 0)
        return context.get_dummy_value()

    return types.void(raw, base, scale, out, place), generate


def _affine(context: Any, builder: Any, kinds: Any, values: Any, *, fifths: bool) -> None:
    """Write 256 values ``scale·code - minimum``; 32 bytes hold 32 codes below and the next 32 above."""
    from llvmlite import ir

    raw, base, d, scales, dmin, minima, out, place = values
    packed = _pointer(context, builder, kinds[0], raw, base)
    to = _pointer(context, builder, kinds[6], out, place)
    tops = _load(builder, packed, 32) if fifths else None
    steps, offsets = (
        builder.fmul(
            _splat(builder, factor, 8),
            _floats(builder, builder.bitcast(eight, ir.VectorType(ir.IntType(8), 8)), signed=False),
        )
        for factor, eight in ((d, scales), (dmin, minima))
    )
    for i in range(8):
        both = _load(builder, packed, 32, 32 * (i // 2) + 32 * fifths)
        codes = _bits(builder, both, 4 * (i % 2), 15)
        if tops is not None:
            codes = builder.or_(codes, builder.shl(_bits(builder, tops, i, 1), _every(4, 32)))
        step, offset = (
            _splat(builder, builder.extract_element(each, ir.IntType(32)(i)), 32) for each in (steps, offsets)
        )
        product = builder.fmul(step, _floats(builder, codes, signed=False))
        _store(builder, builder.fsub(product, offset), to, 32 * i)


def _unpack_four_bits(
    _: Any, raw: Any, base: Any, d: Any, scales: Any, dmin: Any, minima: Any, out: Any, place: Any
) -> Any:
    from numba import types

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        _affine(context, builder, signature.args, values, fifths=False)
        return context.get_dummy_value()

    return types.void(raw, base, d, scales, dmin, minima, out, place), generate


def _unpack_five_bits(
    _: Any, raw: Any, base: Any, d: Any, scales: Any, dmin: Any, minima: Any, out: Any, place: Any
) -> Any:
    from numba import types

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        _affine(context, builder, signature.args, values, fifths=True)
        return context.get_dummy_value()

    return types.void(raw, base, d, scales, dmin, minima, out, place), generate


def _unpack_six_bits(
    _: Any, raw: Any, low: Any, high: Any, scales: Any, factor: Any, out: Any, place: Any
) -> Any:
    from llvmlite import ir
    from numba import types

    def generate(context: Any, builder: Any, __: Any, values: Any) -> Any:
        nibbles, pairs, parts = (_pointer(context, builder, raw, values[0], values[i]) for i in (1, 2, 3))
        to = _pointer(context, builder, out, values[5], values[6])
        steps = _floats(builder, _load(builder, parts, 8), signed=True)
        steps = builder.fmul(_splat(builder, values[4], 8), steps)
        twos = _load(builder, pairs, 32)
        for i in range(4):
            four = _bits(builder, _load(builder, nibbles, 32, 32 * (i % 2)), 4 * (i // 2), 15)
            two = builder.shl(_bits(builder, twos, 2 * i, 3), _every(4, 32))
            codes = builder.sub(builder.or_(four, two), _every(32, 32))
            for j in range(2):
                sixteen = _floats(builder, _part(builder, codes, 16 * j, 16), signed=True)
                step = builder.extract_element(steps, ir.IntType(32)(2 * i + j))
                _store(builder, builder.fmul(_splat(builder, step, 16), sixteen), to, 32 * i + 16 * j)
        return context.get_dummy_value()

    return types.void(raw, low, high, scales, factor, out, place), generate


def _made(*generators: Any) -> Any:
    from numba.core.extending import intrinsic

    return tuple(intrinsic(each) for each in generators)


# Inside compiled code these lack the first argument.
prefetch, unpack_bytes, unpack_four_bits, unpack_five_bits, unpack_six_bits = _made(
    _prefetch, _unpack_bytes, _unpack_four_bits, _unpack_five_bits, _unpack_six_bits
)

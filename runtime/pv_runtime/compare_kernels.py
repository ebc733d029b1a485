"""The fused comparison, compiled: unpack both sides, widen, accumulate, with each byte read once.

Two buffers of 2048 float32 lie in the first-level cache between the steps. Values come out bit for
bit as `Checkpoint.tensor` gives them: no product is fused with a sum there. Products and differences
are taken in float64, where a product of two float32 is exact. All kernels stand in one file, because
the compiled code is cached by the file of the function that is called.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pv_runtime.compiled import compiled
from pv_runtime.half_precision import round_half, widen_half

__all__ = ["KINDS", "compare_window"]

KINDS = {"F32": 0, "F16": 1, "BF16": 2, "Q8_0": 3, "Q4_K": 4, "Q5_K": 5, "Q6_K": 6}
"""The dtypes that are unpacked here, and their numbers."""

_CHUNK = 2048
_NOT_FINITE = np.uint32(0x7F800000)
_MAGNITUDE = np.uint32(0x7FFFFFFF)
_U32 = np.uint32
_F32 = np.float32


@compiled()
def _half_at(raw: Any, place: Any) -> Any:
    return widen_half(np.uint16(np.uint16(raw[place]) | np.uint16(np.uint16(raw[place + 1]) << np.uint16(8))))


@compiled()
def _unpack_f32(raw: Any, start: int, count: int, out: Any) -> None:
    values = raw.view(np.float32)[start : start + count]
    for i in range(count):
        out[i] = values[i]


@compiled()
def _unpack_f16(raw: Any, start: int, count: int, out: Any) -> None:
    halves = raw.view(np.uint16)[start : start + count]
    for i in range(count):
        out[i] = widen_half(halves[i])


@compiled()
def _unpack_bf16(raw: Any, start: int, count: int, out: Any) -> None:
    halves = raw.view(np.uint16)[start : start + count]
    for i in range(count):
        out[i] = _U32(_U32(halves[i]) << _U32(16)).view(np.float32)


@compiled()
def _unpack_q8_0(raw: Any, start: int, count: int, out: Any) -> None:
    codes = raw.view(np.int8)
    for block in range(count // 32):
        base = (start // 32 + block) * 34
        scale = _half_at(raw, base)
        packed, to = codes[base + 2 : base + 34], out[block * 32 : block * 32 + 32]
        for i in range(32):
            to[i] = scale * _F32(np.int32(packed[i]))


@compiled()
def _six_bits(raw: Any, base: int, j: int) -> Any:
    """Return the 6-bit scale and minimum of sub-block `j`; see `pv_runtime.quant.affine`."""
    if j < 4:
        return raw[base + 4 + j] & np.uint8(63), raw[base + 8 + j] & np.uint8(63)
    shared = raw[base + 8 + j]
    return (
        (shared & np.uint8(15)) | ((raw[base + j] >> np.uint8(6)) << np.uint8(4)),
        (shared >> np.uint8(4)) | ((raw[base + 4 + j] >> np.uint8(6)) << np.uint8(4)),
    )


@compiled()
def _unpack_q4_k(raw: Any, start: int, count: int, out: Any) -> None:
    for block in range(count // 256):
        base = (start // 256 + block) * 144
        d, dmin = _half_at(raw, base), _half_at(raw, base + 2)
        for group in range(4):
            scale, minimum = _six_bits(raw, base, 2 * group)
            low_scale, low_minimum = d * _F32(np.int32(scale)), dmin * _F32(np.int32(minimum))
            scale, minimum = _six_bits(raw, base, 2 * group + 1)
            high_scale, high_minimum = d * _F32(np.int32(scale)), dmin * _F32(np.int32(minimum))
            first, place = base + 16 + 32 * group, block * 256 + 64 * group
            codes, low, high = raw[first : first + 32], out[place : place + 32], out[place + 32 : place + 64]
            for i in range(32):
                code = np.int32(codes[i])
                low[i] = low_scale * _F32(np.int32(code & np.int32(15))) - low_minimum
                high[i] = high_scale * _F32(np.int32(code >> np.int32(4))) - high_minimum


@compiled()
def _unpack_q5_k(raw: Any, start: int, count: int, out: Any) -> None:
    for block in range(count // 256):
        base = (start // 256 + block) * 176
        d, dmin = _half_at(raw, base), _half_at(raw, base + 2)
        fifths = raw[base + 16 : base + 48]
        for group in range(4):
            scale, minimum = _six_bits(raw, base, 2 * group)
            low_scale, low_minimum = d * _F32(np.int32(scale)), dmin * _F32(np.int32(minimum))
            scale, minimum = _six_bits(raw, base, 2 * group + 1)
            high_scale, high_minimum = d * _F32(np.int32(scale)), dmin * _F32(np.int32(minimum))
            first, place = base + 48 + 32 * group, block * 256 + 64 * group
            codes, to = raw[first : first + 32], out[place : place + 64]
            bit = np.int32(2 * group)
            for i in range(32):
                code, fifth = np.int32(codes[i]), np.int32(np.int32(fifths[i]) >> bit)
                low = np.int32((code & np.int32(15)) | ((fifth & np.int32(1)) << np.int32(4)))
                high = np.int32((code >> np.int32(4)) | ((fifth & np.int32(2)) << np.int32(3)))
                to[i] = low_scale * _F32(low) - low_minimum
                to[i + 32] = high_scale * _F32(high) - high_minimum


@compiled()
def _code6(low: Any, high: Any) -> Any:
    """Join four bits and two bits to a code from -32 to 31, as a float."""
    return _F32(np.int32(np.int32(low | ((high & np.int32(3)) << np.int32(4))) - np.int32(32)))


@compiled()
def _unpack_q6_k(raw: Any, start: int, count: int, out: Any) -> None:
    signed = raw.view(np.int8)
    scale = np.empty(8, np.float32)
    nibble = np.int32(15)
    for block in range(count // 256):
        base = (start // 256 + block) * 210
        d = _half_at(raw, base + 208)
        for half in range(2):
            for i in range(8):
                scale[i] = d * _F32(np.int32(signed[base + 192 + 8 * half + i]))
            low, high = base + 64 * half, base + 128 + 32 * half
            place = block * 256 + 128 * half
            nibbles, pairs, to = raw[low : low + 64], raw[high : high + 32], out[place : place + 128]
            s0, s1, s2, s3 = scale[0], scale[1], scale[2], scale[3]
            s4, s5, s6, s7 = scale[4], scale[5], scale[6], scale[7]
            for i in range(16):
                n0, n1 = np.int32(nibbles[i]), np.int32(nibbles[i + 16])
                n2, n3 = np.int32(nibbles[i + 32]), np.int32(nibbles[i + 48])
                p0, p1 = np.int32(pairs[i]), np.int32(pairs[i + 16])
                to[i] = s0 * _code6(n0 & nibble, p0)
                to[i + 16] = s1 * _code6(n1 & nibble, p1)
                to[i + 32] = s2 * _code6(n2 & nibble, p0 >> 2)
                to[i + 48] = s3 * _code6(n3 & nibble, p1 >> 2)
                to[i + 64] = s4 * _code6(n0 >> 4, p0 >> 4)
                to[i + 80] = s5 * _code6(n1 >> 4, p1 >> 4)
                to[i + 96] = s6 * _code6(n2 >> 4, p0 >> 6)
                to[i + 112] = s7 * _code6(n3 >> 4, p1 >> 6)


@compiled()
def _unpack(kind: int, raw: Any, start: int, count: int, out: Any) -> None:
    if kind == 0:
        _unpack_f32(raw, start, count, out)
    elif kind == 1:
        _unpack_f16(raw, start, count, out)
    elif kind == 2:
        _unpack_bf16(raw, start, count, out)
    elif kind == 3:
        _unpack_q8_0(raw, start, count, out)
    elif kind == 4:
        _unpack_q4_k(raw, start, count, out)
    elif kind == 5:
        _unpack_q5_k(raw, start, count, out)
    else:
        _unpack_q6_k(raw, start, count, out)


@compiled(reassociate=True)
def _sums(x: Any, y: Any, count: int, sums: Any) -> None:
    """Add Σx², Σy², Σxy, Σ(x-y)² and Σ|x-y| to `sums`."""
    xx = yy = xy = dd = absolute = 0.0
    for i in range(count):
        a, b = np.float64(x[i]), np.float64(y[i])
        d = a - b
        xx += a * a
        yy += b * b
        xy += a * b
        dd += d * d
        absolute += abs(d)
    sums[0] += xx
    sums[1] += yy
    sums[2] += xy
    sums[3] += dd
    sums[4] += absolute


@compiled()
def _round_bf16(bits: Any) -> Any:
    return _U32(_U32(bits + _U32(0x7FFF) + _U32((bits >> _U32(16)) & _U32(1))) & _U32(0xFFFF0000))


@compiled()
def _round(bits: Any, count: int, rounding: int, out: Any) -> None:
    if rounding == 1:
        for i in range(count):
            out[i] = round_half(bits[i])
    else:
        for i in range(count):
            out[i] = _round_bf16(bits[i])


@compiled()
def _bits(x: Any, y: Any, count: int) -> Any:
    """Return the elements with equal bits, the largest magnitude in x and in y, and max|x - y|, as bits.

    The difference is rounded to float32. As integers, infinities and NaN are larger than all else.
    """
    bits_x, bits_y = x.view(np.uint32), y.view(np.uint32)
    equal, most_x, most_y, apart = np.int32(0), _U32(0), _U32(0), _U32(0)
    for i in range(count):
        equal = np.int32(equal + np.int32(bits_x[i] == bits_y[i]))
        most_x = max(most_x, _U32(bits_x[i] & _MAGNITUDE))
        most_y = max(most_y, _U32(bits_y[i] & _MAGNITUDE))
        apart = max(apart, _U32(_F32(x[i] - y[i]).view(np.uint32) & _MAGNITUDE))
    return equal, most_x, most_y, apart


@compiled()
def _equal(x: Any, y: Any) -> Any:
    """Count the elements that are finite and whose bits, given as uint32, agree."""
    found = np.int32(0)
    for i in range(len(x)):
        agree = (x[i] == y[i]) & (_U32(x[i] & _NOT_FINITE) != _NOT_FINITE)
        found = np.int32(found + np.int32(agree))
    return found


@compiled()
def _blocks_apart(x: Any, y: Any, block: int) -> int:
    """Count blocks with an element that does not agree, each looked at up to the first such element."""
    found = 0
    for first in range(0, len(x), block):
        for i in range(first, min(first + block, len(x))):
            if x[i] != y[i] or _U32(x[i] & _NOT_FINITE) == _NOT_FINITE:
                found += 1
                break
    return found


@compiled()
def _not_finite(bits: Any) -> Any:
    found = np.int32(0)
    for i in range(len(bits)):
        found = np.int32(found + np.int32(_U32(bits[i] & _NOT_FINITE) == _NOT_FINITE))
    return found


@compiled()
def _single_ulps(x: Any, y: Any, count: int, shift: Any) -> Any:
    """Largest distance in units in the last place; `shift` drops the bits that the dtype lacks."""
    largest = np.int64(0)
    for i in range(count):
        a, b = np.int64(x[i] & _MAGNITUDE) >> shift, np.int64(y[i] & _MAGNITUDE) >> shift
        a = -a if x[i] > _MAGNITUDE else a
        b = -b if y[i] > _MAGNITUDE else b
        largest = max(largest, abs(a - b))
    return largest


@compiled()
def _half_ulps(raw_a: Any, raw_b: Any, start: int, count: int) -> Any:
    a, b = raw_a.view(np.int16)[start : start + count], raw_b.view(np.int16)[start : start + count]
    largest = np.int32(0)
    for i in range(count):
        x, y = np.int32(a[i]), np.int32(b[i])
        x = np.int32(-(x & np.int32(0x7FFF))) if x < 0 else x
        y = np.int32(-(y & np.int32(0x7FFF))) if y < 0 else y
        largest = max(largest, np.int32(abs(np.int32(x - y))))
    return np.int64(largest)


@compiled()
def _differing_blocks(raw_a: Any, raw_b: Any, size: int) -> int:
    """Count blocks of `size` bytes that differ."""
    found = 0
    for start in range(0, len(raw_a), size):
        a, b = raw_a[start : start + size], raw_b[start : start + size]
        different = 0
        for i in range(size):
            different += a[i] != b[i]
        found += different != 0
    return found


@compiled()
def compare_window(
    raw_a: Any, kind_a: int, raw_b: Any, kind_b: int, elements: int,
    rounding: int, block: int, block_bytes: int, sums: Any, counts: Any,
) -> None:  # fmt: skip
    """Compare `elements` values of two uint8 arrays; both start at a block and are aligned for their dtype.

    Parameters
    ----------
    rounding
        0 compares values as they are; 1 and 2 count equal ones after rounding both to F16 or BF16, too.
    block, block_bytes
        Elements of a block whose equality is counted (0: none), and its bytes where both sides have
        the same block format (0: a block differs where an element does, after rounding).
    sums
        float64 ``[6]``, added to: Σa², Σb², Σab, Σ(a-b)², Σ|a-b|; the last is max|a-b|, NaN where a
        difference is none.
    counts
        int64 ``[8]``: elements not finite in a, in b, equal bits, equal after rounding (finite both),
        differing blocks; then the index of the largest difference, of the first difference (-1 where
        there is none), and the largest distance in units in the last place (0 where the dtypes differ).
    """
    x, y = np.empty(_CHUNK, np.float32), np.empty(_CHUNK, np.float32)
    rounded_x, rounded_y = np.empty(_CHUNK, np.uint32), np.empty(_CHUNK, np.uint32)
    bits_x, bits_y = x.view(np.uint32), y.view(np.uint32)
    furthest = _U32(0)
    if block_bytes > 0:
        counts[4] += _differing_blocks(raw_a, raw_b, block_bytes)
    for start in range(0, elements, _CHUNK):
        count = min(_CHUNK, elements - start)
        _unpack(kind_a, raw_a, start, count, x)
        _unpack(kind_b, raw_b, start, count, y)
        _sums(x, y, count, sums)
        equal, most_x, most_y, apart = _bits(x, y, count)
        if most_x >= _NOT_FINITE or most_y >= _NOT_FINITE:
            counts[0] += _not_finite(bits_x[:count])
            counts[1] += _not_finite(bits_y[:count])
            equal = _equal(bits_x[:count], bits_y[:count])
        counts[2] += equal
        seen_x, seen_y = bits_x, bits_y
        if equal < count and rounding > 0:
            seen_x, seen_y = rounded_x, rounded_y
            if kind_a == rounding:  # is rounded already
                seen_x = bits_x
            else:
                _round(bits_x, count, rounding, rounded_x)
            if kind_b == rounding:
                seen_y = bits_y
            else:
                _round(bits_y, count, rounding, rounded_y)
            equal = _equal(seen_x[:count], seen_y[:count])
        counts[3] += equal
        if equal < count:
            if block > 0 and block_bytes == 0:
                counts[4] += _blocks_apart(seen_x[:count], seen_y[:count], block)
            if counts[6] < 0:
                for i in range(count):
                    if _equal(seen_x[i : i + 1], seen_y[i : i + 1]) == 0:
                        counts[6] = start + i
                        break
        if apart >= furthest and apart > 0:
            furthest = apart
            for i in range(count):
                difference = abs(np.float64(x[i]) - np.float64(y[i]))
                if difference > sums[5] or (np.isnan(difference) and not np.isnan(sums[5])):
                    sums[5] = difference
                    counts[5] = start + i
        if kind_a == kind_b and kind_a < 3:
            if kind_a == 1:
                counts[7] = max(counts[7], _half_ulps(raw_a, raw_b, start, count))
            else:
                counts[7] = max(counts[7], _single_ulps(bits_x, bits_y, count, np.int64(16 * (kind_a == 2))))

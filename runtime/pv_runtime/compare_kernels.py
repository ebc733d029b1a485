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
from pv_runtime.lanes import prefetch, unpack_bytes, unpack_five_bits, unpack_four_bits, unpack_six_bits

__all__ = ["KINDS", "compare_window"]

KINDS = {"F32": 0, "F16": 1, "BF16": 2, "Q8_0": 3, "Q4_K": 4, "Q5_K": 5, "Q6_K": 6}
"""The dtypes that are unpacked here, and their numbers."""

_CHUNK = 2048
_AHEAD = 1 * _CHUNK
_LINE = 64
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
    for block in range(count // 32):
        base = (start // 32 + block) * 34
        unpack_bytes(raw, base + 2, _half_at(raw, base), out, block * 32)


@compiled()
def _word(raw: Any, place: Any) -> Any:
    low = _U32(raw[place]) | _U32(_U32(raw[place + 1]) << _U32(8))
    high = _U32(_U32(raw[place + 2]) << _U32(16)) | _U32(_U32(raw[place + 3]) << _U32(24))
    return _U32(low | high)


@compiled()
def _joined(first: Any, others: Any, tops: Any) -> Any:
    """Join eight 6-bit numbers, a byte each: four of them, and four split in four bits and two."""
    last = _U32(_U32(others & _U32(0x0F0F0F0F)) | _U32((_U32(tops >> _U32(6)) & _U32(0x03030303)) << _U32(4)))
    return np.uint64(np.uint64(first & _U32(0x3F3F3F3F)) | np.uint64(np.uint64(last) << np.uint64(32)))


@compiled()
def _six_bits(raw: Any, base: int) -> Any:
    """Return the 6-bit scales and minima of a block, a byte each; see `pv_runtime.quant.affine`."""
    scales, minima, rest = _word(raw, base + 4), _word(raw, base + 8), _word(raw, base + 12)
    return _joined(scales, rest, scales), _joined(minima, _U32(rest >> _U32(4)), minima)


@compiled()
def _unpack_q4_k(raw: Any, start: int, count: int, out: Any) -> None:
    for block in range(count // 256):
        base = (start // 256 + block) * 144
        d, dmin = _half_at(raw, base), _half_at(raw, base + 2)
        scales, minima = _six_bits(raw, base)
        unpack_four_bits(raw, base + 16, d, scales, dmin, minima, out, block * 256)


@compiled()
def _unpack_q5_k(raw: Any, start: int, count: int, out: Any) -> None:
    for block in range(count // 256):
        base = (start // 256 + block) * 176
        d, dmin = _half_at(raw, base), _half_at(raw, base + 2)
        scales, minima = _six_bits(raw, base)
        unpack_five_bits(raw, base + 16, d, scales, dmin, minima, out, block * 256)


@compiled()
def _unpack_q6_k(raw: Any, start: int, count: int, out: Any) -> None:
    for block in range(count // 256):
        base = (start // 256 + block) * 210
        d = _half_at(raw, base + 208)
        for half in range(2):
            low, high, scales = base + 64 * half, base + 128 + 32 * half, base + 192 + 8 * half
            unpack_six_bits(raw, low, high, scales, d, out, block * 256 + 128 * half)


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
def _sums(x: Any, y: Any, count: int, sums: Any) -> Any:
    """Add Σx², Σy², Σxy, Σ(x-y)² and Σ|x-y| to `sums`; return Σx² + Σy² and max|x-y| as bits.

    The former is finite where every x and y is. As integers, infinities and NaN are larger than all else.
    """
    xx = yy = xy = dd = absolute = 0.0
    furthest = np.int64(0)
    for i in range(count):
        a, b = np.float64(x[i]), np.float64(y[i])
        d = a - b
        apart = np.float64(abs(d))
        xx += a * a
        yy += b * b
        xy += a * b
        dd += d * d
        absolute += apart
        furthest = max(furthest, np.float64(apart).view(np.int64))
    sums[0] += xx
    sums[1] += yy
    sums[2] += xy
    sums[3] += dd
    sums[4] += absolute
    return xx + yy, furthest


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
def _agree(x: Any, y: Any, count: int) -> Any:
    """Count the elements with equal bits."""
    found = np.int32(0)
    for i in range(count):
        found = np.int32(found + np.int32(x[i] == y[i]))
    return found


@compiled()
def _agree_rounded(narrow: Any, wide: Any, count: int, rounding: int, out: Any) -> Any:
    """Count the elements with equal bits, as they are and with `wide` rounded, which goes to `out`."""
    found, after = np.int32(0), np.int32(0)
    if rounding == 1:
        for i in range(count):
            out[i] = round_half(wide[i])
            found = np.int32(found + np.int32(narrow[i] == wide[i]))
            after = np.int32(after + np.int32(narrow[i] == out[i]))
    else:
        for i in range(count):
            out[i] = _round_bf16(wide[i])
            found = np.int32(found + np.int32(narrow[i] == wide[i]))
            after = np.int32(after + np.int32(narrow[i] == out[i]))
    return found, after


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
def _fetch(raw_a: Any, raw_b: Any, elements: int, first: int, quarter: int) -> None:
    """Have the CPU bring a quarter of the chunk that begins at element `first` into its cache.

    Not more at once: a core waits when some dozen lines are on their way.
    """
    begin = first + quarter * (_CHUNK // 4)
    end = min(elements, begin + _CHUNK // 4)
    for place in range(begin * len(raw_a) // elements, end * len(raw_a) // elements, _LINE):
        prefetch(raw_a, place)
    for place in range(begin * len(raw_b) // elements, end * len(raw_b) // elements, _LINE):
        prefetch(raw_b, place)


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
    furthest = np.int64(0)
    if block_bytes > 0:
        counts[4] += _differing_blocks(raw_a, raw_b, block_bytes)
    for start in range(0, elements, _CHUNK):
        count = min(_CHUNK, elements - start)
        _fetch(raw_a, raw_b, elements, start + _AHEAD, 0)
        _unpack(kind_a, raw_a, start, count, x)
        _fetch(raw_a, raw_b, elements, start + _AHEAD, 1)
        _unpack(kind_b, raw_b, start, count, y)
        _fetch(raw_a, raw_b, elements, start + _AHEAD, 2)
        squares, apart = _sums(x, y, count, sums)
        _fetch(raw_a, raw_b, elements, start + _AHEAD, 3)
        seen_x, seen_y = bits_x, bits_y
        if rounding == 0:
            equal = after = _agree(bits_x, bits_y, count)
        elif kind_a == rounding:  # is rounded already
            seen_y = rounded_y
            equal, after = _agree_rounded(bits_x, bits_y, count, rounding, rounded_y)
        elif kind_b == rounding:
            seen_x = rounded_x
            equal, after = _agree_rounded(bits_y, bits_x, count, rounding, rounded_x)
        else:
            equal = after = _agree(bits_x, bits_y, count)
            if equal < count:
                seen_x, seen_y = rounded_x, rounded_y
                _round(bits_x, count, rounding, rounded_x)
                _round(bits_y, count, rounding, rounded_y)
                after = _equal(rounded_x[:count], rounded_y[:count])
        if not np.isfinite(squares):
            counts[0] += _not_finite(bits_x[:count])
            counts[1] += _not_finite(bits_y[:count])
            equal = _equal(bits_x[:count], bits_y[:count])
            after = _equal(seen_x[:count], seen_y[:count])
        counts[2] += equal
        counts[3] += after
        if after < count:
            if block > 0 and block_bytes == 0:
                counts[4] += _blocks_apart(seen_x[:count], seen_y[:count], block)
            if counts[6] < 0:
                for i in range(count):
                    if _equal(seen_x[i : i + 1], seen_y[i : i + 1]) == 0:
                        counts[6] = start + i
                        break
        if apart > furthest:
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

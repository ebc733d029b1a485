"""Exact numbers: ``int``, ``float`` and ``Fraction`` mixed, and rounding only where it is shown.

Python compares the three with each other exactly. Arithmetic goes through fractions, so that no verdict
hangs on the order of operations. A subtree of literals alone means the binary64 number nearest to its
decimal value (``86.00 - 1.2`` is ``84.8``); integers stay exact. A quotient is rounded
where it meets a float, see :func:`meet`.
"""

from __future__ import annotations

import decimal
import math
import sys
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import TypeAlias

from pv.expression.syntax import Arithmetic, Call, Negative, Node, Number, children

__all__ = [
    "MAXIMUM_BITS",
    "InvalidOperandError",
    "Real",
    "absolute",
    "arithmetic",
    "constant",
    "exact",
    "logarithm",
    "mean",
    "median",
    "meet",
    "p95",
    "shown",
    "total",
]

Real: TypeAlias = int | float | Fraction

MAXIMUM_BITS = 4_096
"""Longer integers are not measurements; Python would refuse to print them."""
_DENOMINATOR_BITS = 65_536
_DECIMAL = decimal.Context(prec=24, Emin=-decimal.MAX_EMAX, Emax=decimal.MAX_EMAX, traps=[])


class InvalidOperandError(Exception):
    """An operand has no value that a rule could judge; the message says which and why."""


def exact(value: Real) -> int | Fraction:
    """Return `value` in a form whose arithmetic is exact."""
    return Fraction(value) if isinstance(value, float) else value


def arithmetic(operator: str, left: Real, right: Real) -> Real:
    """Apply ``+ - * /`` exactly.

    Raises
    ------
    InvalidOperandError
        Division by zero.
    """
    first, second = exact(left), exact(right)
    if operator == "+":
        return first + second
    if operator == "-":
        return first - second
    if operator == "*":
        return first * second
    if second == 0:
        raise InvalidOperandError("division by zero")
    return Fraction(first, second)


def absolute(value: Real) -> Real:
    """Return the absolute value."""
    return -value if value < 0 else value


def logarithm(value: Real) -> float:
    """Return the natural logarithm, the same on every machine (libm's differ in the last bit).

    Raises
    ------
    InvalidOperandError
        `value` is not positive.
    """
    if value <= 0:
        raise InvalidOperandError(f"the logarithm of {shown(value)} does not exist")
    ratio = Fraction(value)
    quotient = _DECIMAL.divide(decimal.Decimal(ratio.numerator), decimal.Decimal(ratio.denominator))
    return float(_DECIMAL.ln(quotient))


def meet(left: Real, right: Real) -> tuple[Real, Real]:
    """Return two numbers as they are compared: exactly, but a quotient meets binary64 as binary64.

    9/10 is not the binary64 number that ``0.9`` means, nor is any: ``mean(correct) >= 0.9`` would be
    false of nine right answers in ten. So a number that no binary64 number equals for being a quotient
    (its denominator is no power of two) is rounded once, to the nearest, where the other side is a
    binary64 number and no integer. It depends on the two values alone, and rounding keeps their order.
    """
    return _met(left, right), _met(right, left)


def _met(value: Real, other: Real) -> Real:
    if not isinstance(value, Fraction) or value.denominator & (value.denominator - 1) == 0:
        return value
    try:
        nearest = float(other)
        if nearest == other and not nearest.is_integer():
            return float(value)
    except OverflowError:
        return value
    return value


def total(values: Iterable[Real]) -> Real:
    """Return the exact sum.

    Floats are dyadic, so that numerators gather under few denominators; that is linear in the count.

    Raises
    ------
    InvalidOperandError
        The sum of quotients has a common denominator above 65,536 bits.
    """
    numerators: dict[int, int] = {}
    for value in values:
        numerator, denominator = value.as_integer_ratio()
        numerators[denominator] = numerators.get(denominator, 0) + numerator
    common = 1
    for denominator in numerators:
        common = math.lcm(common, denominator)
        if common.bit_length() > _DENOMINATOR_BITS:
            raise InvalidOperandError(
                "the sum of so many quotients is not exact; record the quotient as a metric"
            )
    return Fraction(sum(n * (common // d) for d, n in numerators.items()), common)


def mean(values: Sequence[Real]) -> Real:
    """Return the exact arithmetic mean of a non-empty sequence."""
    return Fraction(total(values)) / len(values)


def median(values: Sequence[Real]) -> Real:
    """Return the exact median; of an even number, the mean of the middle two."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return Fraction(exact(ordered[middle - 1]) + exact(ordered[middle])) / 2


def p95(values: Sequence[Real]) -> Real:
    """Return the 95th percentile by nearest rank: the sample of rank ``ceil(0.95 n)``."""
    return sorted(values)[(95 * len(values) + 99) // 100 - 1]


def shown(value: Real) -> int | float | str:
    """Return `value` for people and JSON: an integer exactly, another as the nearest float.

    A value that is not zero is never shown as zero; one too long to print is described in words.
    """
    if isinstance(value, float):
        return value
    if isinstance(value, Fraction) and value.denominator != 1:
        try:
            nearest = float(value)
        except OverflowError:
            return shown(round(value))
        return nearest or math.copysign(5e-324, value.numerator)
    whole = int(value)
    if whole.bit_length() > MAXIMUM_BITS:
        return f"{'-' if whole < 0 else ''}about 2**{whole.bit_length()}"
    return whole


def constant(node: Node) -> int | float:
    """Return the value of a subtree without metrics, rounded once to binary64 unless it is an exact integer.

    Raises
    ------
    InvalidOperandError
        It divides by zero, takes the logarithm of no positive number, or leaves binary64.
    """
    if isinstance(node, Number) and isinstance(node.value, int):
        return node.value
    value, integral = _decimal(node)
    if integral and value.denominator == 1:
        return int(value)
    if abs(value) > Fraction(sys.float_info.max):
        raise InvalidOperandError("the number is beyond binary64")
    return float(value)


def _decimal(node: Node) -> tuple[Fraction, bool]:
    """Return the decimal value, and whether only integer literals took part."""
    match node:
        case Number(value):
            return Fraction(repr(value)), isinstance(value, int)
        case Negative(operand):
            inner, integral = _decimal(operand)
            return -inner, integral
        case Call("abs", argument):
            inner, integral = _decimal(argument)
            return abs(inner), integral
        case Call("log", argument):
            return Fraction(repr(logarithm(_decimal(argument)[0]))), False
        case Arithmetic(operator, left, right):
            (first, one), (second, other) = _decimal(left), _decimal(right)
            return Fraction(arithmetic(operator, first, second)), one and other
        case _:
            raise AssertionError(f"{type(node).__name__} with {len(children(node))} parts is no constant")

"""Works out the parts of an expression, all of them: ``and`` and ``or`` leave nothing out."""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable, Sequence
from typing import TypeAlias

from pv.expression.exact import (
    InvalidOperandError,
    Real,
    absolute,
    arithmetic,
    constant,
    logarithm,
    mean,
    median,
    meet,
    p95,
    total,
)
from pv.expression.syntax import (
    Aggregate,
    Arithmetic,
    Call,
    Collection,
    Comparison,
    Junction,
    Name,
    Negative,
    Node,
    Not,
    Number,
    Text,
    names,
    render,
)
from pv.expression.values import Measurements, Series

__all__ = ["Evaluator", "Samples", "Scalar", "compare"]

Scalar: TypeAlias = Real | str

_COMPARE: dict[str, Callable[[Real, Real], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_AGGREGATE: dict[str, Callable[[Sequence[Real]], Real]] = {
    "min": min,
    "max": max,
    "mean": mean,
    "median": median,
    "p95": p95,
    "sum": total,
}


@dataclasses.dataclass(frozen=True)
class Samples:
    """A value for each sample; `series` lends the labels."""

    values: Sequence[Scalar]
    series: Series

    def name(self, index: int) -> str:
        """Return what sample `index` was measured on, or its number."""
        label = self.series.label(index)
        return f"sample {index}" if label is None else label


def compare(symbol: str, left: Scalar, right: Scalar) -> bool:
    """Compare two values, exactly but for quotients (:func:`~pv.expression.exact.meet`).

    Raises
    ------
    InvalidOperandError
        One is a text and the other a number, or two texts are put in order.
    """
    if isinstance(left, str) or isinstance(right, str):
        if not (isinstance(left, str) and isinstance(right, str)):
            raise InvalidOperandError("a text is compared with a number")
        if symbol not in {"==", "!="}:
            raise InvalidOperandError("texts have no order")
        return (left == right) is (symbol == "==")
    return _COMPARE[symbol](*meet(left, right))


def _number(value: Scalar) -> Real:
    if isinstance(value, str):
        raise InvalidOperandError("a text stands where a number is needed")
    return value


class Evaluator:
    """Evaluates parts of one line on measurements whose operands were found valid.

    Methods raise :class:`InvalidOperandError` for what validity of the samples alone does not exclude:
    division by zero, series of different lengths, a text among numbers.
    """

    def __init__(self, measurements: Measurements) -> None:
        self._measurements = measurements
        # By identity; the node is kept beside its value, so that no other takes its identity over.
        self._known_values: dict[tuple[int, bool], tuple[Node, Samples | Scalar]] = {}
        self._known_truths: dict[tuple[int, bool], tuple[Node, bool | list[bool]]] = {}

    def truth(self, node: Node) -> bool:
        """Return the truth of a scalar `node`."""
        truths = self._truths(node, within=False)
        assert isinstance(truths, bool)  # noqa: S101 -- the parser admits no other form
        return truths

    def scalar(self, node: Node) -> Scalar:
        """Return the value of `node` outside an aggregate."""
        value = self._values(node, within=False)
        assert not isinstance(value, Samples)  # noqa: S101 -- outside an aggregate a name is one value
        return value

    def samples(self, node: Node) -> Samples | Scalar:
        """Return the value of `node` inside an aggregate: a series, or one value for all samples."""
        return self._values(node, within=True)

    def _values(self, node: Node, *, within: bool) -> Samples | Scalar:
        key = (id(node), within)
        if key not in self._known_values:
            self._known_values[key] = node, self._value(node, within=within)
        return self._known_values[key][1]

    def _truths(self, node: Node, *, within: bool) -> bool | list[bool]:
        key = (id(node), within)
        if key not in self._known_truths:
            self._known_truths[key] = node, self._truth(node, within=within)
        return self._known_truths[key][1]

    def _value(self, node: Node, *, within: bool) -> Samples | Scalar:
        match node:
            case Text(text):
                return text
            case Name(name):
                return self._name(name, within=within)
            case Aggregate(function, argument):
                return self._aggregate(function, argument)
            case Number() | Negative() | Call() | Arithmetic() if not names(node):
                return constant(node)
            case Negative(operand):
                return self._map(
                    lambda value: arithmetic("-", 0, value), self._values(operand, within=within)
                )
            case Call(function, argument):
                apply = absolute if function == "abs" else logarithm
                return self._map(apply, self._values(argument, within=within))
            case Arithmetic(symbol, left, right):
                first, second = self._values(left, within=within), self._values(right, within=within)
                return self._map(lambda a, b: arithmetic(symbol, a, b), first, second)
            case _:
                raise AssertionError(f"{type(node).__name__} is no value")

    def _name(self, name: str, *, within: bool) -> Samples | Scalar:
        series = self._measurements[name]
        if within:
            return Samples(series.values, series)
        if len(series) != 1:
            raise InvalidOperandError(
                f"{name} was recorded {len(series)} times; without an aggregate it must be recorded once"
            )
        return series.values[0]

    def _map(self, function: Callable[..., Real], *operands: Samples | Scalar) -> Samples | Real:
        if not any(isinstance(operand, Samples) for operand in operands):
            return function(*(_number(operand) for operand in operands if not isinstance(operand, Samples)))
        columns, lender = self._columns(*operands)
        values: list[Real] = []
        for index, row in enumerate(zip(*columns, strict=True)):
            try:
                values.append(function(*(_number(value) for value in row)))
            except InvalidOperandError as error:
                raise InvalidOperandError(f"{error}, for {lender.name(index)}") from None
        return Samples(values, lender.series)

    def _columns(self, *operands: Samples | Scalar) -> tuple[list[Sequence[Scalar]], Samples]:
        """Pair operands sample by sample, like with like; single values are repeated."""
        series = [operand for operand in operands if isinstance(operand, Samples)]
        lender = next((one for one in series if one.series.labels), series[0])
        for other in series:
            if len(other.values) != len(lender.values):
                raise InvalidOperandError(
                    f"series of {len(lender.values)} and of {len(other.values)} samples cannot be paired"
                )
            if other.series.labels and other.series.labels != lender.series.labels:
                raise InvalidOperandError("series whose samples have different labels cannot be paired")
        size = len(lender.values)
        columns = [
            operand.values if isinstance(operand, Samples) else [operand] * size for operand in operands
        ]
        return columns, lender

    def _aggregate(self, function: str, argument: Node) -> Scalar:
        if isinstance(argument, Name) and function == "count":
            return len(self._measurements.get(argument.name, ()))
        samples = self._values(argument, within=True)
        assert isinstance(samples, Samples)  # noqa: S101 -- the parser saw a metric in it
        if function in {"first", "last"}:
            return samples.values[0 if function == "first" else -1]
        if isinstance(samples.values[0], str):
            raise InvalidOperandError(f"{function}({render(argument)}) is asked of texts")
        return _AGGREGATE[function]([_number(value) for value in samples.values])

    def _quantify(self, function: str, argument: Node) -> bool:
        truths = self._truths(argument, within=True)
        if isinstance(truths, bool):
            return truths  # a part, asked on its own, that is the same for every sample
        return any(truths) if function == "any" else all(truths)

    def _truth(self, node: Node, *, within: bool) -> bool | list[bool]:
        match node:
            case Comparison():
                links = [self._link(*link, within=within) for link in node.links()]
                return self._join(all, links)
            case Junction(joint, operands):
                truths = [self._truths(operand, within=within) for operand in operands]
                return self._join(all if joint == "and" else any, truths)
            case Not(operand):
                return self._join(lambda row: not row[0], [self._truths(operand, within=within)])
            case Aggregate(function, argument):
                return self._quantify(function, argument)
            case _:
                raise AssertionError(f"{type(node).__name__} is no truth")

    @staticmethod
    def _join(
        join: Callable[[Sequence[bool]], bool], parts: Sequence[bool | list[bool]]
    ) -> bool | list[bool]:
        lengths = {len(part) for part in parts if isinstance(part, list)}
        if not lengths:
            return join([part for part in parts if isinstance(part, bool)])
        if len(parts) == 1 and isinstance(parts[0], list) and join is all:
            return parts[0]
        if len(lengths) > 1:
            raise InvalidOperandError(
                f"series of {' and of '.join(map(str, sorted(lengths)))} samples are paired"
            )
        size = lengths.pop()
        rows = zip(*(part if isinstance(part, list) else [part] * size for part in parts), strict=True)
        return [join(row) for row in rows]

    def _link(self, left: Node, symbol: str, right: Node, *, within: bool) -> bool | list[bool]:
        first = self._values(left, within=within)
        if isinstance(right, Collection):
            items, wanted = right.items, symbol == "in"
            if isinstance(first, Samples):
                return [_contains(items, value) is wanted for value in first.values]
            return _contains(items, first) is wanted
        second = self._values(right, within=within)
        if not isinstance(first, Samples) and not isinstance(second, Samples):
            return compare(symbol, first, second)
        columns, _ = self._columns(first, second)
        return [compare(symbol, one, other) for one, other in zip(*columns, strict=True)]


def _contains(items: Sequence[Scalar], value: Scalar) -> bool:
    if isinstance(items[0], str) is not isinstance(value, str):
        raise InvalidOperandError("a text is looked for among numbers, or a number among texts")
    return value in items

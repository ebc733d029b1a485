"""Whether an expression puts texts where numbers belong: such a rule can only fail."""

from __future__ import annotations

from collections.abc import Mapping

from pv.check import Metric
from pv.expression.syntax import Aggregate, Collection, Comparison, Name, Node, Text, children, render

__all__ = ["mismatch"]


def mismatch(node: Node, metrics: Mapping[str, Metric]) -> str | None:
    """Return what in `node` mixes texts with numbers, or puts texts in order; None where nothing does."""
    match node:
        case Comparison():
            for left, symbol, right in node.links():
                first, second = _is_text(left, metrics), _is_text(right, metrics)
                if first is not second:
                    return f"{render(left)} {symbol} {render(right)} compares a text with a number"
                if first and symbol in {"<", "<=", ">", ">="}:
                    return f"{render(left)} {symbol} {render(right)} puts texts in order"
        case Aggregate("count" | "first" | "last", Name()):
            return None
        case Aggregate("any" | "all", _):
            pass
        case _ if not isinstance(node, Name) and any(
            _is_text(child, metrics) for child in children(node) if not isinstance(child, Collection)
        ):
            return f"{render(node)} asks for numbers where there are texts"
    return next((found for child in children(node) if (found := mismatch(child, metrics))), None)


def _is_text(node: Node, metrics: Mapping[str, Metric]) -> bool:
    match node:
        case Text():
            return True
        case Collection(items):
            return isinstance(items[0], str)
        case Name(name) | Aggregate("first" | "last", Name(name)):
            return metrics[name].kind == "text"
        case _:
            return False

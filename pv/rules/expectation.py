from __future__ import annotations

from collections.abc import Iterator

from pv.contract import Contract
from pv.errors import Location
from pv.rules.rule import rule


@rule(
    "PV-RULE-001",
    "error",
    summary="a line under expect is not an expression of the rule language",
    remedy="Write a comparison of recorded metrics, such as `min(cosine) >= 0.999`.",
)
def expectation(contract: Contract) -> Iterator[tuple[Location, str]]:
    """Find lines that cannot be read, and so cannot be judged."""
    for falsifier in contract.falsifiers:
        for level, lines in falsifier.expect.items():
            for index, line in enumerate(lines):
                complaint = _complaint(line)
                if complaint:
                    yield falsifier.expectation_where(level, index), f"{falsifier.id}: {complaint}"


def _complaint(line: str) -> str:
    # Imported late: contracts for the Rust tool have no such lines.
    from pv.errors import ExpressionError
    from pv.expression import parse

    try:
        parse(line)
    except ExpressionError as error:
        return f"{error.what} (at character {error.where.column})" if error.where else error.what
    return ""

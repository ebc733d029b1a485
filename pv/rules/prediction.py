from __future__ import annotations

from collections.abc import Iterator

from pv.contract import Contract
from pv.errors import Location
from pv.rules.rule import rule


@rule(
    "SCHEMA-008",
    "error",
    summary="a falsifier has an empty prediction",
    remedy="Write what is predicted, so that it can turn out wrong.",
)
def prediction(contract: Contract) -> Iterator[tuple[Location, str]]:
    """Find falsifiers that predict nothing."""
    for falsifier in contract.falsifiers:
        if not falsifier.prediction.strip():
            yield falsifier.value_where("prediction"), f"{falsifier.id} predicts nothing"

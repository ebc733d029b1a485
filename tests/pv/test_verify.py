"""That a record is refused is tested with evidence; here, that the metrics survive being recorded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pv.check import CheckError, Metric
from pv.verify import metrics_from_json, metrics_to_json

BOUNDS = st.none() | st.floats(allow_nan=False, allow_infinity=False)
METRICS = st.builds(
    lambda name, kind, bounds, slack: Metric(name, "1", bounds[0], bounds[1], slack, kind),
    st.sampled_from("abcd"),
    st.sampled_from(["real", "count", "text"]),
    st.tuples(BOUNDS, BOUNDS).map(lambda pair: pair if None in pair else tuple(sorted(pair))),
    st.floats(0, 1),
)


@given(st.lists(METRICS, unique_by=lambda metric: metric.name))
def test_metrics_come_back_as_they_were_in_the_order_of_names(metrics: list[Metric]) -> None:
    listed = {metric.name: metric for metric in metrics}
    assert metrics_from_json(metrics_to_json(listed)) == listed
    assert [entry["name"] for entry in metrics_to_json(listed)] == sorted(listed)


def test_what_could_not_have_been_declared_is_refused() -> None:
    (entry,) = metrics_to_json({"a": Metric("a")})
    with pytest.raises(CheckError, match="slack is negative"):
        metrics_from_json([{**entry, "slack": -1.0}])
    with pytest.raises(TypeError):
        metrics_from_json([{**entry, "colour": 1}])

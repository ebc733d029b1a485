from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pv_runtime.checks.version import version_facts

Series = dict[str, list[Any]]
Measure = Callable[..., Series]
GOOD = {
    "exit_code": [0],
    "readable": [1],
    "missing_keys": [0],
    "feature_differs": [0],
    "available_differs": [0],
    "wrong_devices": [0],
}


def failing(run: Series) -> set[str]:
    """The metrics that the rule is about and that are not as they should be."""
    found = {name for name, values in GOOD.items() if run[name] != values}
    return found | ({"devices"} if run["devices"] != run["expected_devices"] else set())


def test_the_command_says_what_torch_says(measure: Measure) -> None:
    assert failing(measure(version_facts, {})) == set()


@pytest.mark.parametrize(
    ("name", "seen_by"),
    [
        ("words_for_people", {"readable", "missing_keys", "feature_differs", "available_differs"}),
        ("presence_assumed", {"available_differs"}),
        ("support_confused", {"feature_differs"}),
        ("a_device_too_many", {"devices", "wrong_devices"}),
        ("devices_not_said", {"missing_keys"}),
        ("refused", {"exit_code"}),
    ],
)
def test_each_defect_shows(measure: Measure, name: str, seen_by: set[str]) -> None:
    assert failing(measure(version_facts, {}, name)) >= seen_by

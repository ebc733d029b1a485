from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pv.check import Check, CheckError, Metric, Run, check


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"name": "a b"}, "is not an identifier"),
        ({"name": "a", "kind": "vector"}, "none of real, count, text"),
        ({"name": "a", "low": math.nan}, "must be finite"),
        ({"name": "a", "high": math.inf}, "must be finite"),
        ({"name": "a", "slack": math.inf}, "must be finite"),
        ({"name": "a", "slack": -1.0}, "slack is negative"),
        ({"name": "a", "low": 1.0, "high": 0.0}, "low 1.0 is above high 0.0"),
    ],
)
def test_a_metric_that_could_not_be_judged_is_refused(arguments: dict[str, Any], why: str) -> None:
    with pytest.raises(CheckError, match=why):
        Metric(**arguments)


def test_a_check_declares_distinct_metrics_and_at_least_one() -> None:
    with pytest.raises(CheckError, match="at least one"):
        check(metrics=[])
    with pytest.raises(CheckError, match=r"declared twice: \['a'\]"):
        check(metrics=[Metric("a"), Metric("a"), Metric("b")])


def test_a_check_measures_when_called_and_knows_its_counter_examples() -> None:
    @check(metrics=[Metric("a")])
    def measured(run: Run, *, what: list[int]) -> None:
        del run
        what.append(1)

    assert isinstance(measured, Check)

    @measured.counter_example("longer", of="what")
    def longer(what: list[int]) -> list[int]:
        return [*what, 1]

    seen: list[int] = []
    measured(None, what=seen)  # type: ignore[arg-type]  # it does not look at the run
    assert seen == [1]
    assert measured.counter_examples["longer"].of == "what"
    assert longer([]) == [1]
    with pytest.raises(CheckError, match="registered twice"):
        measured.counter_example("longer", of="what")(longer)


def test_it_imports_nothing_but_the_standard_library() -> None:
    program = (
        "import sys; import pv.check\n"
        "print(*{name.split('.')[0] for name in sys.modules} - set(sys.stdlib_module_names))"
    )
    root = Path(__file__).parents[2]
    out = subprocess.run(
        [sys.executable, "-S", "-c", program], cwd=root, capture_output=True, text=True, check=True
    )
    assert set(out.stdout.split()) <= {"pv", "__main__"}

"""The generated suite on one mutant, in this process: cheapest first, up to the first test that fails."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.kernels.mutants.stand_in import stand_in

__all__ = ["STAGES", "Report", "run_suite", "stage_of"]

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "tests" / "kernels"
Report = Callable[[str, str], None]
"""Takes what happened (``begin`` or ``fail``) and the test."""

STAGES = {
    "test_a_result_is_as_near_to_the_formula_as_its_arithmetic_allows": "samples",
    "test_what_a_specification_says_of_all_inputs_holds": "properties",
    "test_launches_take_their_constants_from_the_tuning_space": "launches",
    "test_one_call_is_as_many_launches_as_are_claimed": "launches",
    "test_nothing_is_touched_beside_a_tensor": "out of bounds",
    "test_one_configuration_compiles_and_is_what_it_claims": "compiled",
}
"""Test → what it is counted as; any other is of the buffers and views that a call is given."""
_ORDER = ("samples", "views", "properties", "launches", "out of bounds", "compiled")
_SMALL = {"odd", "weird", "one_row"}


def stage_of(test: str) -> str:
    """Return as what a test, such as ``test_values.py::test_x[softmax]``, is counted."""
    return STAGES.get(test.rpartition("::")[2].partition("[")[0], "views")


def _cost(item: pytest.Item) -> tuple[int, int, int]:
    """Order by stage; of samples the small ones first, and all in one type before the others."""
    stage = stage_of(item.nodeid)
    parameters: dict[str, Any] = getattr(getattr(item, "callspec", None), "params", {})
    if stage != "samples":
        return (_ORDER.index(stage), 0, 0)
    dtypes = parameters["spec"].dtypes
    return (0, parameters["case"].name not in _SMALL, dtypes.index(parameters["dtype"]))


class _Plugin:
    def __init__(self, report: Report) -> None:
        self.report = report
        self.failed = False

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items.sort(key=_cost)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.report("begin", nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self.failed:
            self.failed = True
            self.report("fail", report.nodeid)


def run_suite(kernel: str, module: str, text: str, report: Report, only: str = "") -> int:
    """Run what is generated for `kernel` while `text` stands in for `module`; return pytest's exit code.

    Parameters
    ----------
    kernel
        A key of the registry, which is cut down to it.
    module, text
        What is replaced, and by what.
    report
        Told of each test that begins, and of the one that fails.
    only
        An expression for ``-k``: part of the suite.
    """
    import torch

    torch.set_num_threads(1)
    stand_in(module, text)

    try:
        from pv_kernels import registry
    except Exception:
        return int(pytest.ExitCode.INTERRUPTED)  # what a mutant that cannot be imported does to a collection
    registry.KERNELS = {kernel: registry.KERNELS[kernel]}
    # The same examples for everybody: a mutant is caught always or never.
    settings.register_profile("mutants", derandomize=True, database=None)
    settings.load_profile("mutants")
    files = [FOLDER / name for name in ("test_values.py", "test_properties.py", "mutants/last_stages.py")]
    own = [path for path in [FOLDER / f"test_{kernel}.py"] if path.exists()]
    plugin = _Plugin(report)
    options = ["-x", "-q", "-o", "addopts=", "--import-mode=importlib", "--assert=plain"]
    options += ["-p", "no:cacheprovider"]
    if only:
        options += ["-k", only]
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        os.chdir(ROOT)
        return int(pytest.main([*options, *map(str, (*files[:1], *own, *files[1:]))], plugins=[plugin]))

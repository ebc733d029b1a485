"""The pytest plugin: ``pytest contracts/`` collects falsifiers as items. PYTEST_DONT_REWRITE.

Every pytest run on a host that has pv loads this module, so it imports next to nothing. What judges is
imported when the first contract is collected: see :mod:`pv.pytest_items`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from pv.pytest_tally import Tally

MARKERS = {
    "contract": "a falsifier of a contract",
    "gpu": "a falsifier that needs a GPU at some level",
    "ship_blocking": "a falsifier that blocks shipping",
}
"""Those that do not depend on what contracts say; :mod:`pv.pytest_markers` adds the others."""

STATED = pytest.StashKey[tuple[str, ...]]()
"""The markers of the project's own settings."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of a discharge."""
    group = parser.getgroup("pv", "falsifiers of contracts (pv)")
    group.addoption("--pv-force", action="store_true", help="run again what has fresh evidence")
    group.addoption(
        "--pv-level",
        choices=("auto", "algorithm", "functional", "live"),
        default="auto",
        help="level to judge at; auto: the highest that can be judged here",
    )
    group.addoption("--pv-device", default="auto", metavar="auto|cpu|cuda[:N]", help="where checks compute")
    group.addoption("--pv-no-record", action="store_true", help="run and judge, write no evidence")


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Remember which markers the settings name, before plugins add theirs."""
    early_config.stash[STATED] = tuple(early_config.getini("markers"))


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known, begin to count, and refuse a device that means nothing."""
    for name, what in MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {what} (pv)")
    config.pluginmanager.register(Tally(), "pv-tally")
    device = config.getoption("--pv-device")
    if device != "auto":
        from pv.command_line import check_device
        from pv.errors import ConfigError

        try:
            check_device(device)
        except ConfigError as error:
            raise pytest.UsageError(error.what.replace("--device", "--pv-device", 1)) from None


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a contract that is named, or that lies in a folder of its project that is named."""
    if file_path.suffix not in {".yaml", ".yml"}:
        return None
    root = next((folder for folder in file_path.parents if (folder / "pv.toml").is_file()), None)
    named = next((path for path in (file_path, *file_path.parents) if parent.session.isinitpath(path)), None)
    # To test a whole project does not ask for its contracts: judging may take hours, and writes evidence.
    if root is None or named is None or root not in named.parents:
        return None
    from pv.pytest_items import contract_file

    return contract_file(file_path, parent, root, alone=named == file_path)


def pytest_report_teststatus(report: pytest.CollectReport | pytest.TestReport) -> tuple[str, str, str] | None:
    """Say of a falsifier that passed that its evidence answered."""
    if report.when == "call" and report.passed and ("pv_fresh", "yes") in report.user_properties:
        return "passed", ".", "PASSED (fresh evidence)"
    return None

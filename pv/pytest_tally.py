"""How the falsifiers of a pytest session ended, in one line. PYTEST_DONT_REWRITE.

The process that shows it need not be one that judges (pytest-xdist), so it knows only what reports carry.
"""

from __future__ import annotations

from collections import Counter

import pytest

__all__ = ["Tally"]

_NOT_JUDGED = frozenset({"Declined", "Unbound", "Excluded"})
_SHOWN = 10
_NOTHING_JUDGED = "nothing was judged, so this is no success"


class Tally:
    """Counts outcomes and shows them; a session that judged nothing ends as one without tests."""

    def __init__(self) -> None:
        self._outcomes: Counter[str] = Counter()
        self._levels: Counter[str] = Counter()
        self._fresh = 0
        self._skipped: list[tuple[str, str]] = []
        self._others_passed = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count the end of an item: what it carries is known when it is torn down."""
        carried = dict(report.user_properties) if report.user_properties else {}
        outcome = carried.get("pv_outcome")
        if outcome is None:
            self._others_passed |= report.when == "call" and report.passed
        elif report.skipped and isinstance(report.longrepr, tuple):
            self._skipped.append((report.nodeid, report.longrepr[2].removeprefix("Skipped: ")))
        elif report.when == "teardown":
            waived = " (waived)" if "pv_waived" in carried else ""
            self._outcomes[str(outcome) + waived] += 1
            self._fresh += carried.get("pv_fresh") == "yes"
            if outcome in {"Pass", "Refuted"}:
                self._levels[str(carried["pv_level"])] += 1

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Where every falsifier was skipped and nothing else passed, end as when nothing was collected."""
        if exitstatus == pytest.ExitCode.OK and self._nothing_judged and not self._others_passed:
            session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the counts; and why falsifiers were skipped, where pytest itself was not asked to."""
        if not self._outcomes:
            return
        terminalreporter.write_sep("=", "contracts")
        if "s" not in terminalreporter.reportchars:
            for node, reason in self._skipped[:_SHOWN]:
                terminalreporter.write_line(f"SKIPPED {node}: {reason}")
            if len(self._skipped) > _SHOWN:
                terminalreporter.write_line(f"... and {len(self._skipped) - _SHOWN} more; -rs shows them all")
        terminalreporter.write_line(f"pv: {self.line}")

    @property
    def _nothing_judged(self) -> bool:
        return bool(self._outcomes) and _NOT_JUDGED.issuperset(self._outcomes)

    @property
    def line(self) -> str:
        """The counts, as in ``2 passed (1 live, 1 functional; 1 by fresh evidence), 1 declined``."""
        passed = self._outcomes["Pass"] + self._outcomes["Refuted"]
        told = []
        if passed:
            within = ", ".join(
                f"{count} {level}" for level, count in sorted(self._levels.items(), reverse=True)
            )
            fresh = f"; {self._fresh} by fresh evidence" if self._fresh else ""
            told.append(f"{passed} passed ({within}{fresh})")
        names = {"Fail": "falsified", "Fail (waived)": "falsified (waived)"}
        told += [
            f"{count} {names.get(outcome, outcome.lower())}"
            for outcome, count in sorted(self._outcomes.items())
            if outcome not in {"Pass", "Refuted"}
        ]
        return ", ".join(told) + (f": {_NOTHING_JUDGED}" if self._nothing_judged else "")

"""Discharge one falsifier, whatever it is bound to: a check, a test, a command, or the evidence of others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pv.config import Config
from pv.contract import Contract, Falsifier
from pv.errors import PvError
from pv.measuring import Stop, Tell
from pv.outcome import Discharge, Options, Outcome
from pv.planning import Declined
from pv.runner import Runner
from pv.subjects import Subjects

if TYPE_CHECKING:
    from pv.discharge_check import Work

__all__ = ["Tell", "discharge"]


def discharge(
    contract: Contract,
    falsifier: Falsifier,
    config: Config,
    subjects: Subjects,
    runner: Runner,
    options: Options,
    tell: Tell = lambda _what, _done, _total: None,
) -> Discharge:
    """Discharge one falsifier; `tell` hears of progress as (what, done, total).

    Nothing that the check does raises: it ends in an outcome. Declined and Error write nothing.
    """
    address = f"{contract.stem}#{falsifier.id}"
    if not falsifier.bound:
        return Discharge(
            address,
            falsifier.rule,
            "Unbound",
            message="no check is bound to it"
            f" (add `check:`, `pytest:`, `command:` or `basis:` at {falsifier.where})",
        )
    declined: list[Declined] = []
    outcome: Outcome
    try:
        return _work(contract, falsifier, config, options, subjects, runner, tell, declined)
    except Stop as stop:
        outcome, message, detail = stop.outcome, stop.message, stop.detail
    except PvError as error:
        outcome, message, detail = "Error", str(error), ""
    return Discharge(
        address, falsifier.rule, outcome, message=message, detail=detail, declined=tuple(declined)
    )


def _work(
    contract: Contract,
    falsifier: Falsifier,
    config: Config,
    options: Options,
    subjects: Subjects,
    runner: Runner,
    tell: Tell,
    declined: list[Declined],
) -> Discharge:
    # Imported late: one of them is needed, and few have gates or several runs.
    if falsifier.basis:
        from pv.basis import NoBasisError
        from pv.discharge_gate import discharge_gate

        try:
            return discharge_gate(contract, falsifier, config, options)
        except NoBasisError as error:
            raise Stop("Declined", error.what, error.remedy) from error
    given = (contract, falsifier, config, subjects, runner, options, tell, declined)
    if falsifier.runs is not None:
        from pv.discharge_runs import SeveralRuns

        work: Work = SeveralRuns(*given)
    else:
        from pv.discharge_check import Work as OneRun

        work = OneRun(*given)
    try:
        return work.run()
    finally:
        work.release()

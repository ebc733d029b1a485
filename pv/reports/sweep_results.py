"""What a sweep has to say, by its journal."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping

from pv.config import Config
from pv.contract import Contract, Falsifier, load_contract
from pv.errors import Location, PvError
from pv.journal import Reading, ends
from pv.outcome import Discharge
from pv.reports.gathering import moved, result_of_discharge, result_of_row
from pv.reports.model import Result, Step, top_of
from pv.status import derive
from pv.tally import Row

__all__ = ["results_of_sweep"]


def results_of_sweep(reading: Reading, config: Config, waived: Mapping[str, str]) -> Iterator[Result]:
    """Yield a result for each falsifier that was planned, in the order of the plan.

    `waived` is address → what its waiver says. What was excluded has no outcome, and what was not begun says
    so. Of a contract that cannot be read any more, what the journal has is told.

    Raises
    ------
    JournalError
        The journal is no longer what was read.
    """
    ended = {end.address: end for end, _ in ends(reading)}
    options = _options(reading)

    @functools.cache
    def contract_at(path: str) -> Contract | None:
        try:
            return load_contract(config.root / path)
        except PvError:
            return None

    for address, line in reading.planned.items():
        path = str(line["path"])
        contract = contract_at(path)
        identifier = address.partition("#")[2]
        falsifier = next((f for f in contract.falsifiers if f.id == identifier), None) if contract else None
        end = ended.get(address)
        if contract is None or falsifier is None:
            yield _without_contract(address, str(config.root / path), end, config)
        elif end is None:
            yield _without_run(contract, falsifier, config, begun=line["state"] == "excluded")
        else:
            note = waived.get(address, "") if end.outcome in {"Fail", "Vacuous"} else ""
            yield result_of_discharge(contract, falsifier, end, config, waived=note, options=options)


def _without_run(contract: Contract, falsifier: Falsifier, config: Config, *, begun: bool) -> Result:
    row = Row(contract, falsifier, derive(contract, falsifier, config))
    return result_of_row(row, config, begun=begun)


def _without_contract(address: str, path: str, end: Discharge | None, config: Config) -> Result:
    said = end.message if end and end.outcome != "Pass" else ""
    return Result(
        address=address,
        where=moved(Location(path, 1, 1), top_of(config.root)),
        rule=end.rule if end else "",
        outcome=end.outcome if end else "",
        message=said or "its contract cannot be read any more",
        seconds=end.seconds if end else 0.0,
        declined=tuple(Step(one.level, one.why, one.command) for one in end.declined) if end else (),
        records=end.records if end else (),
        attempts=end.attempts if end else (),
        begun=end is not None,
    )


def _options(reading: Reading) -> list[str]:
    asked = reading.sweep.get("options", {})
    words = ["--device", str(asked["device"])] if asked.get("device", "auto") != "auto" else []
    return words + (["--seed", str(asked["seed"])] if asked.get("seed") is not None else [])

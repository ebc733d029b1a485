"""Running what a change made stale: what fits the time that there is, and only where it says something.

Runs measure the working tree. A falsifier is run only where what decides its verdict is the same there as in
the tree that is judged: otherwise its record would be about something that is not committed.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from pv.config import Config
from pv.contract import Contract, Falsifier, load_contract
from pv.errors import PvError
from pv.evidence import read_record, records_of
from pv.freshness import current_inputs
from pv.gate import Judged
from pv.needs import spell_duration
from pv.outcome import Discharge, Options
from pv.tally import Row

__all__ = ["Ahead", "Run", "estimate", "foresee_runs", "run_within"]

_LEVEL_OF = {"DISCHARGED": "live", "FUNCTIONAL": "functional", "PARTIAL_ALGORITHM_LEVEL": "algorithm"}
"""What a status that went stale was judged at: only a run there brings it back."""
State = Literal["can", "elsewhere", "differs", "gate"]


@dataclasses.dataclass(frozen=True)
class Ahead:
    """What would become of a stale falsifier here: it `can` run, must run `elsewhere`, or the tree `differs`.

    `seconds` is what its last run took, None where no record says it; `contract` is that of the working tree,
    where it can be run.
    """

    row: Row
    state: State
    why: str
    command: str
    seconds: float | None
    level: str
    contract: Contract | None = None


@dataclasses.dataclass(frozen=True)
class Run:
    """What became of it: how it ended, or why it was not begun."""

    address: str
    end: Discharge | None
    why: str = ""


def estimate(row: Row, level: str, config: Config) -> float | None:
    """Return the seconds that the last run at `level` took, with its counter-examples; None if unknown."""
    taken: dict[str, float] = {}
    for path in records_of(config.evidence, row.contract.stem, row.falsifier.id):
        try:
            predicate = read_record(path).predicate
            at, seconds = str(predicate["place"]["level"]), float(predicate["run"]["seconds"])
        except (PvError, LookupError, TypeError, ValueError):
            continue
        if level == "auto" or at in {level, "algorithm"}:
            taken[at] = max(seconds, taken.get(at, 0.0))
    return sum(taken.values()) if taken else None


def foresee_runs(judged: Judged, here: Config) -> Iterator[Ahead]:
    """Say of each falsifier that became stale whether it can be run in the working tree `here`."""
    # Imported late: a commit that makes nothing stale has no use for it.
    from pv.selection import Selected
    from pv.subjects import Subjects
    from pv.sweep_plan import make_plan

    subjects = Subjects(here)
    for row in judged.stale:
        level = _LEVEL_OF.get(row.status.before, "auto")
        again = f"pv discharge {row.address}" + (f" --level {level}" if level != "auto" else "")
        ahead = Ahead(row, "gate", "it follows what it cites", again, estimate(row, level, here), level)
        if row.falsifier.basis:
            yield ahead
            continue
        found = _in_working_tree(row, judged, here)
        if found is None:
            why = "the working tree differs from what is judged"
            yield dataclasses.replace(ahead, state="differs", why=why)
            continue
        options = Options(level=level, force=True)
        chosen = Selected(found, _same(found, row.falsifier), named=True)
        (plan,) = make_plan([chosen], here, subjects, options, None)
        if plan.state == "declined" or (level != "auto" and plan.level not in {None, level}):
            declined = next(iter(plan.declined), None)
            why, told = (declined.why, declined.command) if declined else (plan.why, again)
            yield dataclasses.replace(ahead, state="elsewhere", why=why, command=told)
        else:
            yield dataclasses.replace(ahead, state="can", why="", contract=found)


def run_within(
    ahead: Sequence[Ahead],
    budget: float | None,
    config: Config,
    argv: tuple[str, ...],
    tell: Callable[[str], None],
) -> Iterator[Run]:
    """Run what `can` be, the shortest first, until `budget` seconds would be exceeded; records evidence.

    What takes a time that no record tells does not fit a budget. The estimate decides what is begun; nothing
    is begun once the time is used up.
    """
    from pv.discharge import discharge
    from pv.runner import Runner
    from pv.subjects import Subjects

    began = time.monotonic()
    subjects = Subjects(config)
    order = sorted(ahead, key=lambda one: (one.seconds is None, one.seconds or 0.0))
    with Runner(config.root / ".pv") as runner:
        for one in order:
            address = one.row.address
            if one.contract is None:
                yield Run(address, None, one.why)
                continue
            if budget is not None and one.seconds is None:
                yield Run(address, None, "no record says how long it takes, so it fits no budget")
                continue
            left = budget - (time.monotonic() - began) if budget is not None else None
            if left is not None and (one.seconds or 0.0) > left:
                took, rest = spell_duration(one.seconds or 0.0), spell_duration(max(left, 0.0))
                yield Run(address, None, f"it took {took} when it was recorded, and {rest} are left")
                continue
            options = Options(level=one.level, argv=argv)
            tell(address)
            falsifier = _same(one.contract, one.row.falsifier)
            yield Run(address, discharge(one.contract, falsifier, config, subjects, runner, options))


def _in_working_tree(row: Row, judged: Judged, here: Config) -> Contract | None:
    """Return the contract as the working tree has it, if what decides the verdict is the same there."""
    try:
        contract = load_contract(here.root / Path(row.contract.path).relative_to(judged.config.root))
        falsifier = _same(contract, row.falsifier)
        for level, staged in judged.inputs[row.address].items():
            if current_inputs(falsifier, level, here).to_json() != staged:
                return None
    except (PvError, LookupError, ValueError):
        return None
    return contract


def _same(contract: Contract, falsifier: Falsifier) -> Falsifier:
    """Return the falsifier of the same id.

    Raises
    ------
    KeyError
        There is none.
    """
    for other in contract.falsifiers:
        if other.id == falsifier.id:
            return other
    raise KeyError(falsifier.id)

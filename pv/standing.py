"""How obligations and contracts stand: proved, exhaustive, covered or less, by statuses and records.

A proof counts where it ran: a record's measurements say so, by a count of at most one that is called
``proved`` or ``exhaustive`` and is 1 throughout, or by a section ``basis`` that names one of them. That a
``lean`` block says ``proved`` is a claim: it is shown as one, and nothing rests on it. After the graphs of
Lean's blueprints, https://github.com/PatrickMassot/leanblueprint, which tell what is proved from what is
proved with all that it rests on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, get_args

from pv.config import Config
from pv.contract import Contract, Falsifier
from pv.coverage import Covered, Kind, cover
from pv.evidence import Record
from pv.status import Status

__all__ = ["HOLDS", "STATES", "ObligationState", "State", "contract_state", "states_of", "throughout"]

State = Literal[
    "proved",
    "exhaustive",
    "covered",
    "algorithm",
    "refuted",
    "claimed proved",
    "stale",
    "nothing",
    "falsified",
    "not applicable",
]
STATES: tuple[State, ...] = get_args(State)
"""Best first; ``not applicable`` is outside of the order."""

HOLDS: frozenset[State] = frozenset({"proved", "exhaustive", "covered"})
"""What is shown, and not only said: by a proof that ran, by every value, or by a run on a subject."""

_OF_KIND: Mapping[Kind, State] = {
    "live": "covered",
    "functional": "covered",
    "algorithm": "algorithm",
    "refuted": "refuted",
    "stale": "stale",
    "falsified": "falsified",
    "vacuous": "nothing",
    "proved": "claimed proved",
    "not applicable": "not applicable",
}
_OF_STATUS: Mapping[str, State] = {
    "REFUTED": "covered",  # what it guards is shown
    "PARTIAL_ALGORITHM_LEVEL": "algorithm",
    "STALE": "stale",
    "FALSIFIED": "falsified",
    "EXCLUDED": "not applicable",
}


@dataclasses.dataclass(frozen=True)
class ObligationState:
    """How one obligation stands; `claims` is what its author says besides, such as ``proved``."""

    id: str
    state: State
    claims: tuple[str, ...] = ()


def states_of(
    contract: Contract, config: Config, statuses: Sequence[tuple[Falsifier, Status]]
) -> tuple[ObligationState, ...]:
    """Return the states of the obligations of `contract`, in the order of its file; one without id has ''."""
    by_id = {falsifier.id: status for falsifier, status in statuses}
    found = []
    for one in cover(contract, config, by_id).obligations:
        obligation = one.obligation
        claims = [
            name
            for name, said in (("proved", obligation.proved), ("exhaustive", obligation.exhaustive))
            if said
        ]
        found.append(ObligationState(obligation.id or "", _state(one, by_id), tuple(claims)))
    return tuple(found)


def contract_state(
    obligations: Iterable[ObligationState], statuses: Sequence[tuple[Falsifier, Status]]
) -> State:
    """Return the worst of the obligations that apply, and of the ship-blocking falsifiers."""
    found: list[State] = [one.state for one in obligations if one.state != "not applicable"]
    blocking = [_of(status) for falsifier, status in statuses if falsifier.ship_blocking]
    # One that holds adds nothing to the obligations that it covers.
    found += [state for state in blocking if state not in HOLDS]
    found = found or [_of(status) for _, status in statuses]
    return max((one for one in found if one != "not applicable"), key=STATES.index, default="nothing")


def throughout(
    stems: Iterable[str], depends_on: Callable[[str], Sequence[str] | None], state: Callable[[str], State]
) -> frozenset[str]:
    """Return those of `stems` that hold with everything they depend on, directly and through others.

    `depends_on` gives the stems that one depends on, None for one that is not there. What is in a circle
    rests on itself, and does not hold throughout.
    """
    known: dict[str, bool] = {}
    for stem in stems:
        waiting = [(stem, False)]
        while waiting:
            name, below_are_known = waiting.pop()
            targets = depends_on(name)
            if below_are_known:
                known[name] = all(known[target] for target in targets or ())
            elif name not in known:
                known[name] = False  # until what is below it is known: a circle never is
                if targets is not None and state(name) in HOLDS:
                    waiting.append((name, True))
                    waiting += [(target, False) for target in targets]
    return frozenset(stem for stem in stems if known[stem])


def _state(covered: Covered, statuses: Mapping[str, Status]) -> State:
    state = _OF_KIND.get(covered.kind, "nothing")
    if state != "covered":
        return state
    shown = (_of(statuses[name]) for name in covered.falsifiers)
    return min((one for one in shown if one in HOLDS), key=STATES.index, default="covered")


def _of(status: Status) -> State:
    """Return how what a falsifier says stands; of one that is excluded, that it does not apply."""
    if status.name in {"DISCHARGED", "FUNCTIONAL"}:
        runs = (one for one in status.records if one.predicate["place"]["level"] != "algorithm")
        return min(map(_basis, runs), key=STATES.index, default="covered")
    return _OF_STATUS.get(status.name, "nothing")


def _basis(record: Record) -> State:
    predicate = record.predicate
    stated = predicate.get("basis")
    metrics = {metric["name"]: metric for metric in predicate["rule"]["metrics"]}
    for word in ("proved", "exhaustive"):
        metric, series = metrics.get(word), predicate["measurements"].get(word)
        at_most_one = metric is not None and metric["kind"] == "count" and metric["high"] == 1
        values = series.get("values") if isinstance(series, dict) else None
        if stated == word or (at_most_one and values and all(value == 1 for value in values)):
            return "proved" if word == "proved" else "exhaustive"
    return "covered"

"""Explanations of an open defect: which of them evidence has refuted, which survive, which wait for evidence.

Each says beforehand what verdict a falsifier would have if it were so. A verdict that differs refutes it;
one that agrees does not prove it, so the best that can be said of one is that it survives (Popper 1959, *The
Logic of Scientific Discovery*, chapter 4; Platt 1964, *Science* 146: strong inference asks for several at a
time). Nobody types a state: it is derived from the statuses of falsifiers, which are derived from evidence.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, Literal

from pv.contract import Contract, Hypothesis
from pv.project import Project

__all__ = ["Prediction", "Weighed", "weigh"]

State = Literal["open", "refuted", "surviving"]

_PASSED = frozenset({"DISCHARGED", "FUNCTIONAL", "PARTIAL_ALGORITHM_LEVEL"})
_FAILED = frozenset({"FALSIFIED", "REFUTED"})


@dataclasses.dataclass(frozen=True)
class Prediction:
    """What it says of one falsifier, and what evidence says; `seen` is None without any that is fresh."""

    address: str
    predicted: str
    seen: str | None
    status: str
    records: tuple[str, ...]

    @property
    def refutes(self) -> bool:
        """Whether evidence says otherwise."""
        return self.seen is not None and self.seen != self.predicted


@dataclasses.dataclass(frozen=True)
class Weighed:
    """A hypothesis, and what evidence says of each of its predictions."""

    hypothesis: Hypothesis
    predictions: tuple[Prediction, ...]

    @property
    def state(self) -> State:
        """One verdict that differs refutes; all must have been seen, and agree, for it to survive."""
        if any(prediction.refutes for prediction in self.predictions):
            return "refuted"
        unseen = any(prediction.seen is None for prediction in self.predictions)
        return "open" if unseen or not self.predictions else "surviving"

    @property
    def addresses(self) -> frozenset[str]:
        """The falsifiers that can refute it, as ``contract#ID``."""
        return frozenset(prediction.address for prediction in self.predictions)

    def lines(self) -> Iterator[str]:
        """Say it to people: the state, each prediction beside what was seen, and what would follow."""
        yield f"{self.hypothesis.id}  {self.state}: {self.hypothesis.statement}"
        for prediction in self.predictions:
            said = f"{prediction.address} predicted to {prediction.predicted}"
            if prediction.seen is None:
                yield f"    {said}: not seen yet, it is {prediction.status}"
            else:
                yield f"    {said}: it {_PAST[prediction.seen]} ({prediction.status})"
            if prediction.refutes:
                yield from (f"        {record}" for record in prediction.records)
        if self.state != "refuted":
            yield f"    if so: {self.hypothesis.then}"

    def to_json(self) -> dict[str, Any]:
        """Return the stable form for programs."""
        return {
            "id": self.hypothesis.id,
            "statement": self.hypothesis.statement,
            "state": self.state,
            "predictions": [dataclasses.asdict(prediction) for prediction in self.predictions],
            "then": self.hypothesis.then,
        }


_PAST = {"Pass": "passed", "Fail": "failed"}


def weigh(hypothesis: Hypothesis, contract: Contract, project: Project) -> Weighed:
    """Hold the predictions of `hypothesis`, written in `contract`, against the statuses in `project`.

    A name that leads nowhere, or to several, is left out: the rule PV-HYPOTHESIS-001 reports it.
    """
    predictions = []
    for name, predicted in hypothesis.predicts.items():
        found = project.joined.resolve(name, contract)
        if len(found) != 1:
            continue
        stem, _, identifier = found[0].rpartition("#")
        owner = project.joined.contracts[stem]
        falsifier = next(each for each in owner.falsifiers if each.id == identifier)
        status = project.status(owner, falsifier)
        seen = "Pass" if status.name in _PASSED else "Fail" if status.name in _FAILED else None
        records = tuple(project.shown(str(record.path)) for record in status.records)
        predictions.append(Prediction(found[0], predicted, seen, status.name, records))
    return Weighed(hypothesis, tuple(predictions))

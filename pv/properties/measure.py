"""One run of a property: look for violations, by trying and by proving, and record what was found."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Mapping
from typing import Any

from pv.check import CheckError, Run
from pv.properties.alias import refuse_delegation
from pv.properties.calling import Functions, arguments_of, copied, inverted, resolve
from pv.properties.comparing import above, apart, identical
from pv.properties.complete import LEAST, all_inputs, tools, tried_whole
from pv.properties.evaluate import NotANumberError, evaluate
from pv.properties.laws import LAWS, Claim
from pv.properties.mutants import mutated
from pv.properties.results import has_nan, own_copy, plain_value
from pv.properties.search import Found, Judged, draw, enumerate_all
from pv.properties.stated import Stated
from pv.properties.untouched import untouched

__all__ = ["measure", "missing"]

_LONGEST = 400
_ERRORS = (ArithmeticError, LookupError, TypeError, ValueError)

Values = Mapping[str, Any]


class _RaisedError(Exception):
    """The subject, or its inverse, raised instead of returning."""


class _Values:
    """A case (:class:`pv.properties.laws.Case`) of values."""

    def __init__(
        self, stated: Stated, functions: Functions, subject: Callable[..., Any], values: Values
    ) -> None:
        self.stated = stated
        self.values = {name: value for name, value in values.items() if name in stated.inputs}
        self.extra = {name: value for name, value in values.items() if name not in stated.inputs}
        self._functions = functions
        self._subject = subject

    def subject(self, values: Values) -> Any:
        taken = copied({name: values[name] for name in self._functions.taken})
        other = self._functions.reference
        if other is None:
            return _call(self._subject, taken)
        given = arguments_of(self._functions, values)
        with refuse_delegation("subject", "reference", other, given):
            return _call(self._subject, taken)

    def reference(self, values: Values) -> Any:
        other = self._functions.reference
        if other is None:
            raise CheckError("there is no reference")
        given = arguments_of(self._functions, copied(values))
        try:
            taken = {name: values[name] for name in self._functions.taken}
            with refuse_delegation("reference", "subject", self._functions.subject, taken):
                return own_copy(other(**given))
        except CheckError:
            raise
        except BaseException as error:
            raise CheckError(f"the reference raised {type(error).__name__}: {error}") from error

    def inverse(self, result: Any, values: Values) -> Any:
        back = self._functions.inverse
        if back is None:
            raise CheckError("there is no inverse")
        return _call(back, inverted(back, result, copied(values)))

    def evaluate(self, text: str, values: Values) -> Any:
        try:
            return evaluate(text, values)
        except NotANumberError as error:
            raise _RaisedError(f"{text}: {error}") from error
        except _ERRORS as error:
            raise CheckError(f"{text}: {type(error).__name__}: {error}") from error

    def ordered(self, one: Any, other: Any) -> tuple[Any, Any]:
        return (one, other) if one <= other else (other, one)


def missing(stated: Stated) -> tuple[str, ...]:
    """Return the modules that `stated` needs and that are not installed beside pv."""
    return tuple(name for name in tools(stated) if importlib.util.find_spec(name) is None)


def measure(run: Run, stated: Stated, plant: str | None) -> None:
    """Record the metrics of :data:`pv.properties.metrics.METRICS`; with `plant`, of that mutant.

    Raises
    ------
    CheckError
        What the clause names cannot be called, or too few cases are allowed by ``requires``, something cannot
        be translated, or the solver neither found a violation nor that there is none; or code of the project
        changed what measures it.
    """
    with untouched(solver=stated.prove, drawn=not tried_whole(stated)):
        _measure(run, stated, plant)


def _measure(run: Run, stated: Stated, plant: str | None) -> None:
    functions = resolve(stated)
    subject = functions.subject
    if plant is not None:
        subject = mutated(plant, subject, functions.first, functions.second)
    inputs = all_inputs(stated)
    whole = tried_whole(stated)

    def judge(values: Values) -> Judged | None:
        return _judge(_Values(stated, functions, subject, values), damaged=plant is not None)

    try:
        if whole:
            found = enumerate_all(inputs, judge)
        else:
            found = draw(inputs, judge, stated.examples, run.seed, run.scratch())
    except _ERRORS as error:
        raise CheckError(f"the inputs cannot be made: {type(error).__name__}: {error}") from error
    proved = False
    if stated.prove:
        from pv.properties.proof import prove

        proof = prove(stated, functions, plant)
        proved = proof.outcome == "proved"
        if proof.model is not None:
            found.add(_replayed(judge, proof.model))
            found.witness = _replayed(judge, proof.model).why
        if proved and found.violations:
            raise CheckError(f"proved, and yet there is a violation: {found.witness}; the proof is wrong")
        if proof.outcome == "unknown" and not found.violations:
            raise CheckError(f"the solver did not decide ({proof.why}): neither proved nor refuted")
    _refuse_few(found, whole=whole)
    witness = found.witness[:_LONGEST] or "none"
    label = None if witness == "none" else witness
    run.record("violations", found.violations, label=label)
    run.record("cases", found.cases)
    run.record("worst", found.worst, label=label)
    run.record("exhaustive", int(whole))
    run.record("proved", int(proved))
    run.record("witness", witness)


def _refuse_few(found: Found, *, whole: bool) -> None:
    """Refuse what says little: a proof, too, is of nothing but what ``requires`` leaves."""
    if not found.cases:
        raise CheckError("no case: requires allows none of the inputs that were tried")
    if whole and found.cases == 1 and found.refused:
        raise CheckError(f"one case: requires refuses {found.refused} of {found.refused + 1} inputs")
    if not whole and found.cases == 1 and not found.refused and not found.violations:
        raise CheckError("one case was drawn: the inputs have no other; give them more")
    if whole or found.violations or not found.refused:
        return
    if found.cases + found.repeated < LEAST:
        raise CheckError(
            f"{found.cases} cases: requires and the bounds refuse most of what was drawn, and fewer than "
            f"{LEAST} were left; state inputs that are allowed"
        )


def _replayed(judge: Callable[[Values], Judged | None], model: Values) -> Judged:
    """Judge the solver's model in Python, which has to agree with it."""
    judged = judge(model)
    if judged is None or judged.holds:
        raise CheckError(f"the solver's model {_shown(model)} is no violation in Python; it is not believed")
    return judged


def _judge(case: _Values, *, damaged: bool) -> Judged | None:
    """Judge one case; what a mutant raises counts as a case and as no violation."""
    law = LAWS[case.stated.type]
    try:
        if not all(_holds(case, line, point) for point in law.points(case) for line in case.stated.requires):
            return None
    except _RaisedError as error:
        raise CheckError(f"requires: {error}") from error
    worst = 0.0
    try:
        for claim in law.claims(case):
            distance, holds = _weighed(claim, case.stated)
            worst = max(worst, distance)
            if not holds:
                return Judged(worst, False, f"{_inputs(case)}: {_said(claim)}")
    except _RaisedError as error:
        return Judged(worst, True) if damaged else Judged(math.inf, False, f"{_inputs(case)}: {error}")
    return Judged(worst, True)


def _inputs(case: _Values) -> str:
    return _shown({**case.values, **case.extra})


def _holds(case: _Values, line: str, point: Values) -> bool:
    return bool(case.evaluate(line, point))


def _weighed(claim: Claim, stated: Stated) -> tuple[float, bool]:
    left, right = plain_value(claim.left), plain_value(claim.right)
    if claim.relation == "true":
        truth = not has_nan(left) and bool(left)
        return (0.0 if truth else math.inf), truth
    if claim.relation == "identical":
        same = identical(left, right)
        error = apart(left, right, stated.tolerance)[0]
        return (error if same or error else 1.0), same
    # Only where a reference says that there is no number, is it right to return none.
    if claim.relation == "equal" and stated.type != "equivalence" and (has_nan(left) or has_nan(right)):
        return math.inf, False
    compare = apart if claim.relation == "equal" else above
    return compare(left, right, stated.tolerance)


def _call(function: Callable[..., Any], values: Values) -> Any:
    try:
        # Its own copy: the next call may write into what this one returned.
        return own_copy(function(**values))
    except CheckError:
        raise
    except BaseException as error:  # also what would end the engine's own loop, such as SystemExit
        raise _RaisedError(f"raised {type(error).__name__}: {error}") from error


def _said(claim: Claim) -> str:
    left, right = _value(claim.left), _value(claim.right)
    match claim.relation:
        case "true":
            return f"{claim.about[0]} is false, result is {_value(claim.about[1])}"
        case "at_most":
            return f"{left} is above {right}"
        case "identical":
            return f"{left}, and then {right}"
    return f"{left} is not {right}"


def _shown(values: Values) -> str:
    return ", ".join(f"{name}={_value(value)}" for name, value in sorted(values.items())) or "no inputs"


def _value(value: Any) -> str:
    text = repr(value.tolist() if hasattr(value, "tolist") else value)
    return text if len(text) <= 90 else f"{text[:80]}… ({len(text)} characters)"

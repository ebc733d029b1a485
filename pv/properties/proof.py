"""A property for all sizes: an SMT solver finds that there is no violation, or a model of one."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import z3

from pv.check import CheckError
from pv.properties.calling import Functions, arguments_of, inverted
from pv.properties.complete import all_inputs
from pv.properties.domains import in_order
from pv.properties.grammar import expression
from pv.properties.laws import LAWS, Claim
from pv.properties.mutants import SYMBOLIC, mutated
from pv.properties.source import NotPureError
from pv.properties.stated import Bound, Input, Stated
from pv.properties.translate import Translator, is_integer, is_truth

__all__ = ["EFFORT", "Proof", "prove"]

EFFORT = 20_000_000
"""How much work the solver may do on one question, in its own count, which is the same on every host."""
_BOXES = (2, 8, 64, 4096)
"""A model is looked for among small numbers first, so that a person can follow it."""
_FEW = 8

Values = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Proof:
    """How it ended; `model` has a value for each input where a violation was found."""

    outcome: Literal["proved", "refuted", "unknown"]
    model: Values | None = None
    why: str = ""


class _Symbols:
    """A case (:class:`pv.properties.laws.Case`) whose values are the solver's names for integers."""

    def __init__(self, stated: Stated, functions: Functions, mutant: str | None) -> None:
        self.stated = stated
        self.translator = Translator()
        self.assumed: list[Any] = []
        self.functions = functions
        self._mutant = mutant
        chosen: dict[str, Any] = {}
        inputs = all_inputs(stated)
        for name in in_order(inputs):
            chosen[name] = self._symbol(name, inputs[name], chosen)
        self.values = {name: value for name, value in chosen.items() if name in stated.inputs}
        self.extra = {name: value for name, value in chosen.items() if name not in stated.inputs}

    def subject(self, values: Values) -> Any:
        taken = {name: values[name] for name in self.functions.taken}
        if self._mutant is None:
            return self._translated(**taken)
        return mutated(self._mutant, self._translated, self.functions.first, self.functions.second)(**taken)

    def reference(self, values: Values) -> Any:
        other = self.functions.reference
        if other is None:
            raise CheckError("there is no reference")
        return self.translator.call(other, arguments_of(self.functions, values))

    def inverse(self, result: Any, values: Values) -> Any:
        back = self.functions.inverse
        if back is None:
            raise CheckError("there is no inverse")
        return self.translator.call(back, inverted(back, result, values))

    def evaluate(self, text: str, values: Values) -> Any:
        return self.translator.expression(expression(text), values)

    def ordered(self, one: Any, other: Any) -> tuple[Any, Any]:
        return z3.If(one <= other, one, other), z3.If(one <= other, other, one)

    def truth(self, text: str, values: Values) -> Any:
        found = self.evaluate(text, values)
        if not is_truth(found):
            raise NotPureError(f"{text} is no truth")
        return found

    def _translated(self, **values: Any) -> Any:
        return self.translator.call(self.functions.subject, values)

    def _symbol(self, name: str, given: Input, chosen: Values) -> Any:
        if given.form == "equals":
            return self.evaluate(given.equals, chosen)
        symbol = z3.Int(name)
        if given.form == "choices":
            self.assumed.append(z3.Or([symbol == choice for choice in given.choices]))
        if given.low is not None:
            self.assumed.append(symbol >= self._bound(given.low, chosen))
        if given.high is not None:
            self.assumed.append(symbol <= self._bound(given.high, chosen))
        return symbol

    def _bound(self, value: Bound, chosen: Values) -> Any:
        return self.evaluate(value, chosen) if isinstance(value, str) else value


def prove(stated: Stated, functions: Functions, mutant: str | None = None, effort: int = EFFORT) -> Proof:
    """Look for inputs that the domain and ``requires`` allow and for which the property does not hold.

    That the subject is defined there (it divides by nothing that is zero, its assertions hold, it raises
    nothing) is a part of the property; of a mutant, where it is not defined does not count.

    Raises
    ------
    CheckError
        It holds something that is not translated: nothing is assumed of it.
    """
    if mutant is not None and mutant not in SYMBOLIC:
        raise CheckError(f"mutant {mutant} cannot be proved of; list others under counter_examples")
    law = LAWS[stated.type]
    try:
        case = _Symbols(stated, functions, mutant)
        for point in law.points(case):
            case.assumed += [case.truth(line, point) for line in stated.requires]
        claims = [_claimed(claim) for claim in law.claims(case)]
    except NotPureError as error:
        raise CheckError(f"{stated.subject} cannot be proved of: {error}") from error
    owed = case.translator.obligations
    wrong = z3.Not(z3.And([*owed, *claims])) if mutant is None else z3.And([*owed, z3.Not(z3.And(claims))])
    symbols = {
        name: symbol for name, symbol in {**case.values, **case.extra}.items() if not isinstance(symbol, int)
    }
    facts = [*case.translator.definitions, *case.assumed, wrong]
    found = _solve(facts, effort)
    if found.outcome == "proved":
        return found
    for size in _BOXES:
        inside = [z3.And(symbol >= -size, symbol <= size) for symbol in symbols.values()]
        small = _solve([*facts, *inside], effort // 4)
        if small.outcome == "refuted":
            found = _smallest(small, [*facts, *inside], symbols, size, effort) if size <= _FEW else small
            break
    if found.outcome == "unknown" or found.model is None:
        return found
    numbers = {name: _number(found.model[""], symbol) for name, symbol in symbols.items()}
    concrete = {name: value for name, value in {**case.values, **case.extra}.items() if name not in symbols}
    return Proof("refuted", {**concrete, **numbers})


def _smallest(found: Proof, facts: list[Any], symbols: Values, size: int, effort: int) -> Proof:
    """Make each number of a model in turn as small as can be: then it is the same model on every host."""
    for name in sorted(symbols):
        for value in sorted(range(-size, size + 1), key=lambda number: (abs(number), number < 0)):
            fixed = symbols[name] == value
            smaller = _solve([*facts, fixed], effort // 4)
            if smaller.outcome == "refuted":
                found = smaller
                facts = [*facts, fixed]
                break
    return found


def _solve(facts: Sequence[Any], effort: int) -> Proof:
    """Ask in a context of its own, which what was asked before does not change; then, once more, in ours."""
    z3.reset_params()  # code of the project may have set some, for all contexts
    own = z3.Context()
    moved = [z3.BoolVal(fact, own) if isinstance(fact, bool) else fact.translate(own) for fact in facts]
    found = _asked(moved, effort, own)
    return _asked(facts, effort, None) if found.outcome == "unknown" else found


def _asked(facts: Sequence[Any], effort: int, context: Any) -> Proof:
    solver = z3.Solver(ctx=context)
    solver.set("random_seed", 0)
    solver.set("rlimit", effort)
    solver.add(*facts)
    answer = solver.check()
    if answer == z3.unsat:
        return Proof("proved")
    if answer == z3.sat:
        return Proof("refuted", {"": solver.model()})
    return Proof("unknown", why=str(solver.reason_unknown()))


def _number(model: Any, symbol: Any) -> int:
    return int(model.eval(symbol.translate(model.ctx), model_completion=True).as_long())


def _claimed(claim: Claim) -> Any:
    left, right = claim.left, claim.right
    if claim.relation == "true":
        if not is_truth(left):
            raise NotPureError(f"{claim.about[0]} is no truth")
        return left
    if isinstance(left, tuple) or isinstance(right, tuple):
        if not (isinstance(left, tuple) and isinstance(right, tuple) and len(left) == len(right)):
            raise NotPureError("one side is a tuple, and the other is not one of as many")
        parts = zip(left, right, strict=True)
        return z3.And([_claimed(Claim(claim.relation, one, other)) for one, other in parts])
    if claim.relation == "at_most":
        # Exactly, as Python compares: the solver would read a float as the decimal that it is spelled as.
        left = math.ceil(left) if isinstance(left, float) else left
        right = math.floor(right) if isinstance(right, float) else right
    for side in (left, right):
        if not (is_integer(side) or is_truth(side)):
            raise NotPureError(f"what is compared is of type {type(side).__name__}, which is no integer")
    return left == right if claim.relation == "equal" else left <= right

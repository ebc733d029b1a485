"""A ``property:`` as the clause states it: typed and frozen."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any, Literal

from pv.properties.grammar import GrammarError, expression, names_in

__all__ = ["EXAMPLES", "FORMS", "REFERENCE", "Input", "PropertyError", "Stated", "Tolerance", "read"]

Bound = int | float | str | None
Form = Literal["integers", "floats", "choices", "text", "bytes", "equals"]
FORMS: tuple[Form, ...] = ("integers", "floats", "choices", "text", "bytes", "equals")
EXAMPLES = 200
REFERENCE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
"""Matches the whole of ``module:name`` or ``module:name.attribute``."""


class PropertyError(Exception):
    """A property is not stated as it must be; `place` is where, below ``property:``."""

    def __init__(self, what: str, remedy: str, *place: str | int) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy
        self.place = place


@dataclasses.dataclass(frozen=True)
class Input:
    """The values that one parameter of the subject is given.

    `low` and `high` are inclusive: numbers, expressions over other inputs, or None where there is no bound;
    of `text` and `bytes` they bound the length. `shape` makes an array of such values, of numpy's `dtype`.
    """

    form: Form
    low: Bound = None
    high: Bound = None
    choices: tuple[Any, ...] = ()
    equals: str = ""
    shape: tuple[int | str, ...] | None = None
    dtype: str = ""
    container: Literal["numpy", "torch", "list"] = "numpy"

    @property
    def expressions(self) -> tuple[str, ...]:
        """The texts in it that are expressions over other inputs."""
        texts = (self.low, self.high, self.equals or None, *(self.shape or ()))
        return tuple(text for text in texts if isinstance(text, str))


@dataclasses.dataclass(frozen=True)
class Tolerance:
    """An error is allowed up to ``absolute + relative * |expected|``."""

    absolute: float = 0.0
    relative: float = 0.0


@dataclasses.dataclass(frozen=True)
class Stated:
    """A property: the type of the obligation, the subject, and what the type asks for besides."""

    type: str
    subject: str
    inputs: Mapping[str, Input]
    reference: str = ""
    inverse: str = ""
    requires: tuple[str, ...] = ()
    ensures: tuple[str, ...] = ()
    under: Mapping[str, str] = dataclasses.field(default_factory=dict)
    low: Bound = None
    high: Bound = None
    along: str = ""
    other: str = ""
    conserves: str = ""
    decreasing: bool = False
    tolerance: Tolerance = Tolerance()
    examples: int = EXAMPLES
    prove: bool = False

    @property
    def references(self) -> tuple[str, ...]:
        """The code that it names: subject, reference and inverse."""
        return tuple(text for text in (self.subject, self.reference, self.inverse) if text)


def read(value: Mapping[str, Any]) -> Stated:
    """Return what `value`, a ``property:`` that the schema has accepted, states.

    Raises
    ------
    PropertyError
        With the place: an expression cannot be read, names what is no input, or an input has no one form.
    """
    inputs = {name: _input(name, given) for name, given in value["inputs"].items()}
    names = set(inputs)
    for name, given in inputs.items():
        for text in given.expressions:
            _expression(text, names - {name}, "inputs", name)
    _refuse_circles(inputs)
    for index, line in enumerate(value["requires"]):
        _expression(line, names, "requires", index)
    for index, line in enumerate(value["ensures"]):
        _expression(line, names | {"result"}, "ensures", index)
    for name, text in value["under"].items():
        if name not in names:
            raise PropertyError(f"{name} is no input", f"there are: {', '.join(sorted(names))}", "under")
        _expression(text, names, "under", name)
    for key in ("low", "high"):
        if isinstance(value[key], str):
            _expression(value[key], names, key)
    if value["conserves"]:
        _expression(value["conserves"], {"value"}, "conserves")
    for key in ("along", "other"):
        if value[key] and value[key] not in names:
            what = f"{value[key]} is no input"
            raise PropertyError(what, f"there are: {', '.join(sorted(names)) or 'none'}", key)
    tolerance = value["tolerance"]
    if not isinstance(tolerance, Mapping):
        tolerance = {"absolute": tolerance}
    return Stated(
        type=value["type"],
        subject=value["subject"],
        inputs=inputs,
        reference=value["reference"] or "",
        inverse=value["inverse"] or "",
        requires=tuple(value["requires"]),
        ensures=tuple(value["ensures"]),
        under=dict(value["under"]),
        low=value["low"],
        high=value["high"],
        along=value["along"] or "",
        other=value["other"] or "",
        conserves=value["conserves"] or "",
        decreasing=value["decreasing"],
        tolerance=Tolerance(**{key: float(amount) for key, amount in tolerance.items()}),
        examples=value["examples"],
        prove=value["prove"],
    )


def _input(name: str, given: Mapping[str, Any]) -> Input:
    if not name.isidentifier():
        raise PropertyError(
            f"{name!r} is no name of a parameter", "name a parameter of the subject", "inputs"
        )
    forms = [form for form in FORMS if given[form] is not None]
    if len(forms) != 1:
        said = " and ".join(forms) or "nothing"
        raise PropertyError(
            f"input {name} says {said} of its values", f"write one of {', '.join(FORMS)}", "inputs", name
        )
    form = forms[0]
    shape = given["shape"]
    array = None if shape is None else tuple(shape)
    common = {"shape": array, "dtype": given["dtype"] or "", "container": given["as"]}
    if array is not None and form not in {"integers", "floats"}:
        raise PropertyError(f"an array of {form} is not known", "give integers or floats", "inputs", name)
    unused = "as" if array is None and given["as"] != "numpy" else ""
    if array is None and given["dtype"] and form != "floats":
        unused = "dtype"
    if unused:
        raise PropertyError(
            f"input {name}: {unused}: has no use without shape:, and its values would be Python's own",
            "add a shape, or take it out",
            "inputs",
            name,
            unused,
        )
    if form == "choices":
        choices = tuple(given[form])
        if len({(type(choice), choice) for choice in choices}) < len(choices):
            raise PropertyError(
                f"input {name}: a choice stands twice, and would count twice",
                "write each once",
                "inputs",
                name,
            )
        return Input(form, choices=choices, **common)
    if form == "equals":
        return Input(form, equals=given[form], **common)
    if len(given[form]) != 2:
        raise PropertyError(
            f"input {name}: {form} wants a least and a greatest", "write [low, high]", "inputs", name, form
        )
    low, high = given[form]
    numbers = (low, high)
    if form == "integers" and any(isinstance(bound, float) for bound in numbers):
        raise PropertyError(f"input {name}: integers have whole bounds", "write them", "inputs", name, form)
    if all(isinstance(bound, int | float) for bound in numbers) and low > high:
        raise PropertyError(f"input {name}: {low} is above {high}", "exchange them", "inputs", name, form)
    return Input(form, low, high, **common)


def _expression(text: str, known: set[str], *place: str | int) -> None:
    try:
        unknown = sorted(names_in(expression(text)) - known)
    except GrammarError as error:
        raise PropertyError(f"{text!r}: {error}", "see docs/how-to/prove-an-obligation.md", *place) from error
    if unknown:
        remedy = f"it may name {', '.join(sorted(known)) or 'nothing'}"
        raise PropertyError(f"{text!r} names {unknown[0]}, which is no input", remedy, *place)


def _refuse_circles(inputs: Mapping[str, Input]) -> None:
    left = {
        name: {n for t in given.expressions for n in names_in(expression(t))}
        for name, given in inputs.items()
    }
    while left:
        free = sorted(name for name, needed in left.items() if not needed & left.keys())
        if not free:
            name = min(left)
            raise PropertyError(f"input {name} depends on itself", "break the circle", "inputs", name)
        for name in free:
            del left[name]

"""Python texts that fail until somebody writes them: checks, counter-examples, tests.

Words of contracts stand in them as documentation and as literals, never as code: whatever a contract says,
the text is parsed by Python to the same statements.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from pv.check import Metric
from pv.contract import Falsifier
from pv.printable import printable

__all__ = [
    "bound_test_skeleton",
    "check_skeleton",
    "counter_example_skeleton",
    "docstring",
    "literal",
    "property_skeleton",
]

_WIDTH = 100
_WIDE = 50
"""For what is no ASCII: a character may take two columns."""


def check_skeleton(
    falsifiers: Sequence[Falsifier],
    name: str,
    metrics: Sequence[Metric],
    roles: Mapping[str, bool],
    role_made: str | None,
) -> str:
    """Return a check that raises, for all the falsifiers that name it.

    `roles` are those that subjects fill, and whether each has one always; `role_made` is the one that the
    check itself has to make, where there are none.
    """
    lines = ["@check(", "    metrics=["]
    for metric in metrics:
        kind = "" if metric.kind == "real" else f', kind="{metric.kind}"'
        lines.append(f"        Metric({literal(metric.name)}{kind}),")
    lines += ["    ]", ")"]
    parameters = [f"{role}: object" + ("" if always else " = None") for role, always in roles.items()]
    parameters += _arguments(falsifiers)
    lines.append(_signature(name, "run: Run", parameters, "None"))
    made = f"Pass what is judged through run.role({literal(role_made)}, ...)." if role_made else ""
    recorded = ", ".join(metric.name for metric in metrics)
    told = [
        f"Measure what {falsifiers[0].id} claims.",
        *(text for falsifier in falsifiers for text in _prose(falsifier)),
        f"To record: {recorded}. {made}",
    ]
    lines += docstring(told, "    ")
    lines.append(_unwritten(name))
    return "\n".join(lines) + "\n"


def counter_example_skeleton(falsifier: Falsifier, check: str, plant: str, role: str, name: str) -> str:
    """Return a counter-example of `check` that raises; `plant` is its name in the contract."""
    lines = [f"@{check}.counter_example({literal(plant)}, of={literal(role)})"]
    lines.append(_signature(name, f"{role}: object", [], "object"))
    told = [f"Damage `{role}` so that the rule of {falsifier.id} must notice.", f"To plant: {plant}."]
    lines += docstring(told, "    ")
    lines.append(_unwritten(name))
    return "\n".join(lines) + "\n"


def property_skeleton(falsifier: Falsifier, name: str, module: str) -> str:
    """Return a hypothesis test that raises, of what the check of `falsifier` measures with."""
    lines = ["@given(st.data())", f"def {name}(data: st.DataObject) -> None:"]
    told = [
        f"Hold what measures {falsifier.id} against what is known of every input.",
        *_prose(falsifier),
        f"To test: the functions that the check in {module} measures with.",
    ]
    lines += docstring(told, "    ")
    lines.append(_unwritten(name))
    return "\n".join(lines) + "\n"


def bound_test_skeleton(falsifier: Falsifier, name: str, *, within_class: bool) -> str:
    """Return a test, bound by ``pytest:``, that raises; an exception is no assertion: nothing was judged."""
    indent = "    " if within_class else ""
    lines = [f"{indent}def {name}({'self' if within_class else ''}) -> None:"]
    recorded = ", ".join(str(metric.get("name")) for metric in falsifier.metrics)
    told = [f"Hold what {falsifier.id} claims.", *_prose(falsifier)]
    told += [f"To record with record_property: {recorded}."] if recorded else []
    lines += docstring(told, f"{indent}    ")
    lines.append(_unwritten(name, f"{indent}    "))
    return "\n".join(lines) + "\n"


def docstring(paragraphs: Sequence[str], indent: str) -> list[str]:
    """Return the lines of a docstring that says `paragraphs`, whatever they hold.

    The first is short and ours. Characters that do not print are written as escapes, which stay escapes.
    """
    lines: list[str] = []
    for paragraph in paragraphs:
        text = printable(" ".join(paragraph.split())).replace('"""', "'''")
        width = (_WIDTH if text.isascii() else _WIDE) - len(indent)
        lines += ["", *textwrap.wrap(text, width, break_on_hyphens=False)]
    first, *rest = lines[1:]
    raw = "r" if any("\\" in line for line in lines) else ""
    # Its end stands on a line of its own: a quote or a backslash at the end of a text is no part of it.
    end = [f'{indent}"""'] if rest else []
    body = [f"{indent}{line}" if line else "" for line in rest]
    return [f'{indent}{raw}"""{first}' + ("" if rest else '"""'), *body, *end]


def literal(text: str) -> str:
    """Return `text` as a Python string of characters that print, in the quotes that need no escapes."""
    quote = "'" if '"' in text and "'" not in text else '"'
    return quote + "".join(_quoted(character, quote) for character in text) + quote


def _quoted(character: str, quote: str) -> str:
    if character in {quote, "\\"}:
        return f"\\{character}"
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")


def _prose(falsifier: Falsifier) -> list[str]:
    said = {"Rule": falsifier.rule, "Prediction": falsifier.prediction, "If it fails": falsifier.if_fails}
    return [f"{name}: {text}" for name, text in said.items() if text.strip()]


def _signature(name: str, first: str, parameters: Sequence[str], returned: str) -> str:
    listed = [first, *(["*", *parameters] if parameters else [])]
    line = f"def {name}({', '.join(listed)}) -> {returned}:"
    if len(line) <= _WIDTH:
        return line
    return "\n".join([f"def {name}(", *(f"    {parameter}," for parameter in listed), f") -> {returned}:"])


def _unwritten(name: str, indent: str = "    ") -> str:
    return f"{indent}raise NotImplementedError({literal(name + ' is not written yet')})"


def _arguments(falsifiers: Sequence[Falsifier]) -> list[str]:
    found: dict[str, set[str]] = {}
    for falsifier in falsifiers:
        for name, value in falsifier.arguments.items():
            found.setdefault(name, set()).add(_type(value))
    listed = []
    for name, types in found.items():
        spelt = " | ".join(sorted(types)) if "object" not in types else "object"
        always = all(name in falsifier.arguments for falsifier in falsifiers)
        listed.append(
            f"{name}: {spelt}" if always else f"{name}: {spelt.removesuffix(' | None')} | None = None"
        )
    # What has a default comes last, as one reads it.
    return sorted(listed, key=lambda parameter: parameter.endswith(" = None"))


def _type(value: Any) -> str:
    kinds = {bool: "bool", int: "int", float: "float", str: "str"}
    return kinds.get(type(value), "object")

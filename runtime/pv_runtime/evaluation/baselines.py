"""Completions that take no model: what a score is worth is seen beside what they score.

A benchmark that one of them passes asks for nothing.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping

from pv_runtime.evaluation.complete import seed_of
from pv_runtime.evaluation.problems import Problem

__all__ = ["BASELINES", "CANONICAL"]

CANONICAL = "canonical solution"
"""No baseline but the other end: what must pass, or the test or the judge is wrong."""

_BYTES = 16
_WORD = re.compile(r"\w+|[^\w\s]")


def _empty(_problem: Problem) -> str:
    return ""


def _last_word(problem: Problem) -> str:
    """Say again what was said last."""
    words = _WORD.findall(problem.prompt)
    return f" {words[-1]}" if words else ""


def _random_bytes(problem: Problem) -> str:
    """Draw printable ASCII, by the name of the problem."""
    generator = random.Random(seed_of(0, problem.task_id, 0))  # noqa: S311 - no secret
    return "".join(chr(generator.randrange(0x20, 0x7F)) for _ in range(_BYTES))


def _closing_brackets(problem: Problem) -> str:
    """Name nothing, and close what is open: a count of brackets, which knows no strings."""
    opened = ""
    for character in problem.prompt:
        if character in "([{":
            opened += character
        elif character in ")]}" and opened:
            opened = opened[:-1]
    return "0" + "".join({"(": ")", "[": "]", "{": "}"}[each] for each in reversed(opened))


def _constant(text: str) -> Callable[[Problem], str]:
    return lambda _problem: text


BASELINES: Mapping[str, Callable[[Problem], str]] = {
    "nothing": _empty,
    "last word again": _last_word,
    "random characters": _random_bytes,
    "0": _constant("0"),
    ")": _constant(")"),
    "0])": _constant("0])"),
    "self": _constant("self"),
    "None": _constant(" None"),
    "pass": _constant("    pass\n"),
    "0, brackets closed": _closing_brackets,
}
"""Name → completion of a problem."""

"""Problems of code completion, in the shape of HumanEval: one JSON object a line, with five keys.

Source: Chen et al. 2021, arXiv:2107.03374, https://github.com/openai/human-eval. A sixth key, ``stop``, is
ours: texts at which a completion of this problem ends.
"""

from __future__ import annotations

import ast
import dataclasses
import gzip
import os
import zlib
from pathlib import Path
from typing import Any

from pv_runtime.errors import LoadError
from pv_runtime.formats.strict_json import parse_object

__all__ = ["STOP", "Problem", "json_lines", "read_problems"]

STOP = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")
"""Where a completion ends if its problem does not say: the texts that Chen et al. stop at."""

_TEXTS = ("task_id", "prompt", "entry_point", "canonical_solution", "test")
_MOST_BYTES = 64 << 20
_GZIP = b"\x1f\x8b"


@dataclasses.dataclass(frozen=True)
class Problem:
    """A beginning of a program, and the test of what it becomes.

    Parameters
    ----------
    task_id
        Names it; unique in its file.
    prompt
        Python as far as it is given.
    entry_point
        Name of the function that is handed to the test.
    canonical_solution
        A completion that passes.
    test
        Python that defines ``check(candidate)``, which raises where the candidate is wrong.
    stop
        A completion ends before the first of these.
    """

    task_id: str
    prompt: str
    entry_point: str
    canonical_solution: str
    test: str
    stop: tuple[str, ...] = STOP


def read_problems(path: str | os.PathLike[str]) -> tuple[Problem, ...]:
    """Read a file of problems, which may be gzipped; blank lines are passed over.

    Raises
    ------
    LoadError
        With file and line: a line is no JSON object, a key is missing, unknown or of another type, an id
        occurs twice, or a test does not define ``check``. Or there is no problem at all.
    """
    found: dict[str, tuple[int, Problem]] = {}
    for number, line in json_lines(path):
        problem = _problem(line, f"{os.fspath(path)}:{number}")
        if problem.task_id in found:
            first = found[problem.task_id][0]
            raise LoadError(
                f"the task {problem.task_id!r} occurs twice, in line {first} first",
                f"{os.fspath(path)}:{number}",
                "give each problem an id of its own",
            )
        found[problem.task_id] = (number, problem)
    if not found:
        raise LoadError("holds no problem", path, "name a file with one JSON object a line")
    return tuple(problem for _, problem in found.values())


def json_lines(path: str | os.PathLike[str]) -> list[tuple[int, dict[str, Any]]]:
    """Return the objects of a file with one a line, each with the number of its line, from 1 on.

    Raises
    ------
    LoadError
        A line is no JSON object; or the file is no gzip although it begins as one, or too large.
    """
    content = Path(path).read_bytes()
    if content.startswith(_GZIP):
        try:
            with gzip.open(path) as stream:
                content = stream.read(_MOST_BYTES + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise LoadError(f"begins as gzip, and cannot be unpacked: {error}", path) from error
    if len(content) > _MOST_BYTES:
        raise LoadError(f"has more than {_MOST_BYTES} bytes", path)
    # Not splitlines(): in JSON a line may hold other characters that Python takes for ends of lines.
    return [
        (number, parse_object(line.strip(), f"{os.fspath(path)}:{number}"))
        for number, line in enumerate(content.split(b"\n"), start=1)
        if line.strip()
    ]


def _problem(line: dict[str, Any], place: str) -> Problem:
    if missing := [key for key in _TEXTS if key not in line]:
        raise LoadError(f"the key {missing[0]!r} is missing", place, f"a problem has {', '.join(_TEXTS)}")
    if unknown := [key for key in line if key not in {*_TEXTS, "stop"}]:
        raise LoadError(
            f"the key {unknown[0]!r} is not known", place, f"known are {', '.join(_TEXTS)}, and stop"
        )
    for key in _TEXTS:
        if not isinstance(line[key], str):
            raise LoadError(f"{key} is {type(line[key]).__name__}, and not a text", place)
        if not line[key] and key != "canonical_solution":
            raise LoadError(f"{key} is empty", place)
    if not line["entry_point"].isidentifier():
        raise LoadError(f"entry_point {line['entry_point']!r} is no name of a function", place)
    _require_check(line["test"], place)
    return Problem(**{key: line[key] for key in _TEXTS}, stop=_stop(line.get("stop", [*STOP]), place))


def _stop(stated: object, place: str) -> tuple[str, ...]:
    if not isinstance(stated, list) or not all(isinstance(each, str) and each for each in stated):
        raise LoadError("stop is no list of texts", place, "leave it out for those of HumanEval")
    return tuple(stated)


def _require_check(test: str, place: str) -> None:
    """Refuse a test that would judge nothing."""
    try:
        tree = ast.parse(test, filename=os.devnull)
    except (SyntaxError, ValueError) as error:
        raise LoadError(f"the test is no Python: {error}", place) from error
    if not any(isinstance(node, ast.FunctionDef) and node.name == "check" for node in tree.body):
        raise LoadError("the test defines no function check(candidate)", place)

"""Completions of problems as a file: one JSON object a line, with ``task_id`` and ``completion``.

That is the shape of HumanEval's samples; other keys are passed over, so that what `apr eval` has written
with its judgements can be judged again.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Collection, Iterable, Sequence

from pv_runtime.errors import LoadError
from pv_runtime.evaluation.problems import Problem, json_lines

__all__ = ["TOO_LONG", "Completion", "cut", "read_completions"]

TOO_LONG = "prompt too long"
"""How a completion has ended where there is none: it solves nothing, and is not run."""


@dataclasses.dataclass(frozen=True)
class Completion:
    """What a model wrote after the prompt of a problem.

    Parameters
    ----------
    task_id
        Of the problem.
    sample
        Its number among those of the problem, from 0 on.
    text
        What follows the prompt, cut at the problem's stop texts.
    ended
        Why it ended: ``"stop text"``, ``"stop token"``, ``"limit"``, ``"context"``, `TOO_LONG`; ``"given"``
        for one out of a file that does not say.
    """

    task_id: str
    sample: int
    text: str
    ended: str = "given"


def cut(text: str, stops: Sequence[str]) -> str:
    """Return `text` up to the first of `stops` in it; all of it where there is none."""
    return text[: min((place for each in stops if (place := text.find(each)) >= 0), default=len(text))]


def read_completions(
    path: str | os.PathLike[str], problems: Iterable[Problem], *, known: Collection[str] = ()
) -> list[Completion]:
    """Read completions in the order of the file; every one of `problems` has as many as the others.

    Parameters
    ----------
    path
        The file.
    problems
        Those that are judged.
    known
        Tasks whose completions are passed over: the rest of the benchmark.

    Raises
    ------
    LoadError
        With file and line: a key is missing or no text, or the task is none of `problems`. Or a problem
        has none, or fewer than another: the estimator needs one number of samples.
    """
    counts = {problem.task_id: 0 for problem in problems}
    found = []
    for number, line in json_lines(path):
        place = f"{os.fspath(path)}:{number}"
        for key in ("task_id", "completion"):
            if not isinstance(line.get(key), str):
                raise LoadError(f"the key {key!r} is missing, or no text", place)
        task = line["task_id"]
        if task not in counts and task in known:
            continue
        if task not in counts:
            raise LoadError(
                f"the task {task!r} is none of the benchmark's", place, "name the benchmark that it is of"
            )
        ended = line.get("ended", "given")
        found.append(Completion(task, counts[task], line["completion"], str(ended)))
        counts[task] += 1
    fewest, most = min(counts, key=counts.__getitem__), max(counts, key=counts.__getitem__)
    if not counts[fewest]:
        raise LoadError(f"has no completion of the task {fewest!r}", path, "leave it out with --limit")
    if counts[fewest] != counts[most]:
        raise LoadError(
            f"has {counts[most]} completions of {most!r} and {counts[fewest]} of {fewest!r}", path
        )
    return found

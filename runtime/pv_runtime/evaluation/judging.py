"""Completions put behind their prompts, judged, and counted."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pv_runtime.evaluation.completions import TOO_LONG, Completion
from pv_runtime.evaluation.problems import Problem
from pv_runtime.evaluation.sandbox import Enforced, Job, Verdict

__all__ = ["Judge", "Judged", "counts_of", "judged"]

Judge = Callable[[Sequence[Job]], Iterator[Verdict]]
"""Verdicts of jobs, in their order."""


@dataclasses.dataclass(frozen=True)
class Judged:
    """A completion and what came of it; `enforced` is None where it was not run, since there is none."""

    completion: Completion
    passed: bool
    outcome: str
    detail: str
    seconds: float
    enforced: Enforced | None

    def line(self) -> dict[str, Any]:
        """Return what is written of it as a line of JSON."""
        return {
            "task_id": self.completion.task_id,
            "sample": self.completion.sample,
            "completion": self.completion.text,
            "ended": self.completion.ended,
            "passed": self.passed,
            "outcome": self.outcome,
            "detail": self.detail,
        }


def judged(problems: Sequence[Problem], completions: Sequence[Completion], judge: Judge) -> Iterator[Judged]:
    """Yield what came of each completion, in their order.

    Parameters
    ----------
    problems
        Those that the completions are of.
    completions
        Each of one of them.
    judge
        What runs programs.
    """
    known = {problem.task_id: problem for problem in problems}
    jobs = [_job(known[each.task_id], each) for each in completions if each.ended != TOO_LONG]
    verdicts = judge(jobs)
    for completion in completions:
        if completion.ended == TOO_LONG:
            yield Judged(completion, False, "not run", TOO_LONG, 0.0, None)
        else:
            found = next(verdicts)
            yield Judged(completion, found.passed, found.outcome, found.detail, found.seconds, found.enforced)


def _job(problem: Problem, completion: Completion) -> Job:
    return Job(problem.prompt + completion.text, problem.entry_point, problem.test)


def counts_of(problems: Sequence[Problem], found: Sequence[Judged]) -> list[tuple[int, int]]:
    """Return (completions, those that passed) of each problem, in the order of `problems`."""
    counts = {problem.task_id: (0, 0) for problem in problems}
    for each in found:
        n, c = counts[each.completion.task_id]
        counts[each.completion.task_id] = (n + 1, c + each.passed)
    return list(counts.values())

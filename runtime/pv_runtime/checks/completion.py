"""Problems of completion that a model solves; and whether who judges them, and who counts, can be trusted."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from pv.check import Metric, Run, check
from pv_runtime.evaluation import confinement, sandbox_child
from pv_runtime.evaluation.complete import Writer
from pv_runtime.evaluation.estimate import pass_at_k
from pv_runtime.evaluation.problems import Problem
from pv_runtime.evaluation.sandbox import Job, Limits, Verdict, judge_all
from pv_runtime.formats import Checkpoint, Overlay
from pv_runtime.formats.overlay import from_values
from pv_runtime.model import Decoder
from pv_runtime.stop_tokens import stop_tokens
from pv_runtime.tokenizer import tokenizer_of
from pv_runtime.weights import load_weights

__all__ = ["solved_problems"]

PROGRAMS = (sandbox_child, confinement)
"""What runs programs, in a process of its own; imported, so that evidence names it."""

Judge = Callable[[Sequence[Job]], list[Verdict]]
Estimator = Callable[[int, int, int], Fraction]

_WORKERS = 4
_MOST_SAMPLES = 6
_TEST = "def check(candidate):\n    assert candidate(1) == 2\n"
_WRONG = {
    "ends at once": "import os\nos._exit(0)\n",
    "ends in order": "import sys\nsys.exit(0)\n",
    "ends when it is called": "def f(x):\n    import os\n    os._exit(0)\n",
    "ends in order when it is called": "def f(x):\n    raise SystemExit(0)\n",
    "is wrong": "def f(x):\n    return x\n",
    "is no Python": "def f(x:\n",
    "defines nothing": "x = 2\n",
}
"""Programs that must not pass."""


@check(
    metrics=[
        Metric("problems", unit="1", kind="count"),
        Metric("solutions_passed", unit="1", kind="count"),
        Metric("wrong_programs", unit="1", kind="count"),
        Metric("wrong_passed", unit="1", kind="count"),
        Metric("estimates", unit="1", kind="count"),
        Metric("estimates_off", unit="1", kind="count"),
        Metric("network_open", unit="1", kind="count"),
        Metric("completed", unit="1", kind="count"),
        Metric("solved", unit="1", low=0.0, high=1.0),
    ]
)
def solved_problems(
    run: Run, *, model: Checkpoint, problems: tuple[Problem, ...], settings: Mapping[str, Mapping[str, Any]]
) -> None:
    """Let `model` complete `problems`, once for each seed, and judge what it wrote.

    `settings` are, by level, ``seeds``, ``temperature``, ``new_tokens`` and ``seconds`` of a program.
    `solved` is the share of problems that a run solves (pass@1), `completed` counts completions that are not
    empty; `solutions_passed` is 1 for each problem whose own solution passes; `wrong_passed` is 1 for each
    program that must not pass and does; `estimates_off` is 1 for each pass@k that is not what enumeration
    finds; `network_open` counts programs that had a network.
    """
    here = settings[run.level]
    limits = Limits(seconds=here["seconds"])
    scratch = run.scratch()  # goes with the run, should that be cut short
    judge: Judge = run.role(
        "judge", lambda jobs: list(judge_all(jobs, limits, workers=_WORKERS, scratch=scratch))
    )
    estimator: Estimator = run.role("estimator", pass_at_k)
    _judge_the_judge(run, judge, problems)
    _judge_the_estimator(run, estimator)

    tokenizer = tokenizer_of(model, Path(model.path).parent)
    writer = Writer(
        Decoder(load_weights(model)),
        tokenizer,
        stop_tokens(model, tokenizer, Path(model.path).parent),
        here["new_tokens"],
        here["temperature"],
    )
    run.record("problems", len(problems))
    for seed in here["seeds"]:
        writing = dataclasses.replace(writer, seed=seed)
        written = [writing.write(problem) for problem in run.progress(problems, len(problems))]
        verdicts = judge([_job(each, found.text) for each, found in zip(problems, written, strict=True)])
        rates = [estimator(1, int(verdict.passed), 1) for verdict in verdicts]
        run.record("completed", sum(bool(each.text) for each in written), label=f"seed {seed}")
        run.record("solved", float(sum(rates) / len(rates)), label=f"seed {seed}")
        run.record("network_open", _open(verdicts), label=f"seed {seed}")


def _job(problem: Problem, completion: str) -> Job:
    return Job(problem.prompt + completion, problem.entry_point, problem.test)


def _open(verdicts: Sequence[Verdict]) -> int:
    return sum(verdict.enforced.network != "none" for verdict in verdicts)


def _judge_the_judge(run: Run, judge: Judge, problems: Sequence[Problem]) -> None:
    right = judge([_job(each, each.canonical_solution) for each in problems])
    for problem, verdict in zip(problems, right, strict=True):
        run.record("solutions_passed", int(verdict.passed), label=problem.task_id)
    wrong = judge([Job(program, "f", _TEST) for program in _WRONG.values()])
    for name, verdict in zip(_WRONG, wrong, strict=True):
        run.record("wrong_passed", int(verdict.passed), label=name)
    run.record("wrong_programs", len(_WRONG))
    run.record("network_open", _open([*right, *wrong]), label="solutions and wrong programs")


def _judge_the_estimator(run: Run, estimator: Estimator) -> None:
    cases = [(n, c, k) for n in range(1, _MOST_SAMPLES + 1) for c in range(n + 1) for k in range(1, n + 1)]
    for n, c, k in cases:
        choices = list(itertools.combinations(range(n), k))
        truth = Fraction(sum(min(choice) < c for choice in choices), len(choices))
        run.record("estimates_off", int(estimator(n, c, k) != truth), label=f"n {n}, c {c}, k {k}")
    run.record("estimates", len(cases))


def _altered(judge: Judge, alter: Callable[[Job, Verdict], Verdict]) -> Judge:
    return lambda jobs: [alter(job, found) for job, found in zip(jobs, judge(jobs), strict=True)]


@solved_problems.counter_example("an_early_end_counts", of="judge")
def an_early_end_counts(judge: Judge) -> Judge:
    """Take a process that ended with 0 for a program that has passed."""

    def alter(_job: Job, found: Verdict) -> Verdict:
        early = found.outcome == "ended early" and (
            "exit code 0" in found.detail or "Exit: 0" in found.detail
        )
        return dataclasses.replace(found, outcome="passed") if early else found

    return _altered(judge, alter)


@solved_problems.counter_example("what_runs_counts", of="judge")
def what_runs_counts(judge: Judge) -> Judge:
    """Run programs without their tests."""
    return lambda jobs: judge([dataclasses.replace(job, test="def check(f): pass") for job in jobs])


@solved_problems.counter_example("the_network_stays", of="judge")
def the_network_stays(judge: Judge) -> Judge:
    """Take no network from a program."""

    def alter(_job: Job, found: Verdict) -> Verdict:
        enforced = dataclasses.replace(found.enforced, own_network=False, no_sockets=False)
        return dataclasses.replace(found, enforced=enforced)

    return _altered(judge, alter)


@solved_problems.counter_example("one_solution_is_wrong", of="problems")
def one_solution_is_wrong(problems: tuple[Problem, ...]) -> tuple[Problem, ...]:
    """Leave the last bracket of one solution open."""
    *others, last = problems
    return (*others, dataclasses.replace(last, canonical_solution=f"{last.canonical_solution} ("))


@solved_problems.counter_example("half_of_them_left_out", of="problems")
def half_of_them_left_out(problems: tuple[Problem, ...]) -> tuple[Problem, ...]:
    """Ask for the first half of the problems only."""
    return problems[: len(problems) // 2]


@solved_problems.counter_example("draws_with_replacement", of="estimator")
def draws_with_replacement(estimator: Estimator) -> Estimator:
    """Estimate 1 - (1 - c/n)^k, which is too low."""

    def biased(n: int, c: int, k: int) -> Fraction:
        estimator(n, c, k)
        return 1 - (1 - Fraction(c, n)) ** k

    return biased


@solved_problems.counter_example("random_weights", of="model")
def random_weights(model: Checkpoint) -> Checkpoint:
    """Give every matrix random values: the model of nobody."""
    generator = np.random.default_rng(0)
    replace = {}
    for name in model.matrices():
        shape = model.info(name).shape
        values = (0.02 * generator.standard_normal(shape)).astype(np.float32)
        replace[name] = from_values(name, shape, functools.partial(np.copy, values), "F32")
    return Overlay(model, replace=replace)


@solved_problems.counter_example("queries_negated", of="model")
def queries_negated(model: Checkpoint) -> Checkpoint:
    """Turn the queries of every layer around: each position looks at what it should not."""

    def negated(name: str) -> Callable[[], Any]:
        return lambda: -model.tensor(name)

    names = [name for name in model.names() if "q_proj" in name]
    return Overlay(
        model,
        replace={name: from_values(name, model.info(name).shape, negated(name), "F32") for name in names},
    )

"""A first check: it measures, the rule in contracts/first-v1.yaml decides."""

from __future__ import annotations

import json
from pathlib import Path

from pv.check import Metric, Run, check

Answers = list[dict[str, str]]


def open_answers(path: Path) -> Answers:
    """Load the subject: one JSON object a line, with `id`, `answer` and `expected`."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@check(
    metrics=[
        Metric("correct", kind="count", high=1),
        Metric("expected_answers", kind="count"),
    ]
)
def accuracy(run: Run, *, answers: Answers) -> None:
    """Record for every answer whether it is the expected one."""
    # Counted on the undamaged subject, so that an answer gone missing is noticed.
    run.record("expected_answers", len(run.undamaged("answers")))
    for row in run.progress(answers, label=lambda row: row["id"]):
        run.record("correct", int(row["answer"] == row["expected"]), label=row["id"])


@accuracy.counter_example("wrong_answers", of="answers")
def wrong_answers(answers: Answers) -> Answers:
    """Half of the answers are wrong."""
    return [{**row, "answer": "?"} if number % 2 else row for number, row in enumerate(answers)]


@accuracy.counter_example("missing_answer", of="answers")
def missing_answer(answers: Answers) -> Answers:
    """Leave out a right answer and every wrong one: whatever is left is right."""
    return [row for row in answers if row["answer"] == row["expected"]][1:]


@accuracy.counter_example("no_answers", of="answers")
def no_answers(answers: Answers) -> Answers:
    """Nothing was measured at all."""
    return answers[:0]

from __future__ import annotations

from pv_runtime.evaluation.completions import Completion
from pv_runtime.evaluation.judging import Judged, counts_of
from pv_runtime.evaluation.problems import Problem
from pv_runtime.evaluation.report import lines, report
from pv_runtime.evaluation.sandbox import Enforced

STRONG = Enforced(True, True, True, True, {"open_files": 4})
WEAK = Enforced(False, False, True, False, {"open_files": 4})
PROBLEMS = [Problem(task, "x", "f", "", "def check(c): pass") for task in ("a/0", "a/1", "b/0")]


def judged(task: str, sample: int, passed: bool, enforced: Enforced | None = STRONG) -> Judged:
    outcome = "passed" if passed else "wrong"
    return Judged(Completion(task, sample, ""), passed, outcome, "", 0.1, enforced)


FOUND = [judged(each.task_id, n, each.task_id == "a/1" and n == 0) for n in (0, 1) for each in PROBLEMS]


def test_it_counts_by_problem_and_by_kind() -> None:
    assert counts_of(PROBLEMS, FOUND) == [(2, 0), (2, 1), (2, 0)]
    found = report(PROBLEMS, FOUND, [1, 2], asked={"model": "m"}, baselines={"nothing": FOUND[:3]})
    assert (found["model"], found["problems"], found["samples"], found["passed"]) == ("m", 3, 2, 1)
    assert [each["rate"] for each in found["pass_at_k"]] == [1 / 6, 1 / 3]
    assert found["kinds"] == {"a": {"problems": 2, "solved": 1}, "b": {"problems": 1, "solved": 0}}
    assert found["outcomes"] == {"passed": 1, "wrong": 5}
    assert found["baselines"] == {"nothing": 1 / 3}
    said = lines(found)
    assert said[0] == "3 problems, 2 completions of each: 1 passed"
    assert said[3:6] == [
        "  solved      a 1/2, b 0/1",
        "  outcomes    passed 1, wrong 5",
        "  baselines   nothing 33.3%",
    ]


def test_what_was_in_force_is_what_was_in_force_for_all() -> None:
    found = report(PROBLEMS, [*FOUND[:-1], judged("b/0", 1, False, WEAK)], [1], asked={}, baselines={})
    assert found["enforced"]["network"] == "open"
    assert found["enforced"]["own_processes"] is True
    assert (
        lines(found)[-1] == "  sandbox     THE NETWORK WAS OPEN, new processes, writes wherever the user may"
    )
    nothing = report(PROBLEMS[:1], [judged("a/0", 0, False, None)], [1], asked={}, baselines={})
    assert nothing["enforced"] is None
    assert lines(nothing)[-1] == "  sandbox     nothing was run"

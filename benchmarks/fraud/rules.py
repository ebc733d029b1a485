"""Attempts on a rule: one that cannot fail, that looks elsewhere, or that allows more than it did."""

from __future__ import annotations

from benchmarks.fraud.attempt import Attempt, Play
from benchmarks.fraud.project import CHECK, CONTRACT, HONEST, Project, run_of
from benchmarks.fraud.room import tampered

__all__ = ["RULES"]

_VALIDATE = ("validate", "contracts")
_STATUS = ("status", "contracts/honest-v1.yaml")
_RUN = run_of(HONEST)
_MAX, _COUNT = "max(error) <= 0.01", "count(error) == expected and one_sided == 0"
_PLANTS = "counter_examples: [one_off, one_lost]"
_METRIC = 'Metric("one_sided", kind="count"),'


def _rule(old: str, new: str, *words: str, also: tuple[str, str] | None = None) -> Play:
    def change(project: Project) -> None:
        project.edit(CONTRACT, old, new)
        if also:
            project.edit(CONTRACT, *also)

    return tampered(change, *words)


def _measured(body: str, rule: str, *words: str, metric: str = "") -> Play:
    """Let the check record what `body` does, and the rule be `rule` instead of its first line."""

    def change(project: Project) -> None:
        project.measure(body)
        project.edit(CHECK, _METRIC, f"{_METRIC}\n        {metric}")
        project.edit(CONTRACT, _MAX, rule)

    return tampered(change, *words)


_HONESTLY = """
run.record("expected", len(run.undamaged("reference")))
run.record("one_sided", len(reference.keys() ^ candidate.keys()))
for name in sorted(reference.keys() & candidate.keys()):
    run.record("error", abs(reference[name] - candidate[name]), label=name)
"""

_LIMIT = 'Metric("limit"),'
_LIMIT_OF_ITSELF = """
run.record("expected", len(run.undamaged("reference")))
run.record("one_sided", len(reference.keys() ^ candidate.keys()))
found = {name: abs(reference[name] - candidate[name]) for name in sorted(reference.keys() & candidate.keys())}
for name, value in found.items():
    run.record("error", value, label=name)
run.record("limit", 2 * max(found.values()))
"""
_CONSTANT = _HONESTLY + 'run.record("limit", 0.001)\n'
_OTHER_UNIT = _HONESTLY.replace(
    "abs(reference[name] - candidate[name])", "abs(reference[name] - candidate[name]) / 1000"
)
_RENAMED = _HONESTLY.replace('run.record("error", abs', 'run.record("limit", abs').replace(
    "for name", 'run.record("error", 0.0, label="mean")\nfor name'
)
_NAN = _HONESTLY.replace("abs(reference[name] - candidate[name])", 'float("nan")')
_NONE = """
run.record("expected", 0)
run.record("one_sided", 0)
"""

_BOTH = "{reference: reference, candidate: candidate}"
_ONE_LEVEL = f"""{{live: {_BOTH}}}
    expect:
      - {_MAX}
      - {_COUNT}"""
_TWO_LEVELS = f"""{{functional: {_BOTH}, live: {_BOTH}}}
    expect:
      functional: [{_MAX}, {_COUNT}]
      live: [max(error) <= 0.9, {_COUNT}]"""

RULES = (
    Attempt(
        "a rule that always holds",
        "PV-RULE-003",
        "max(error) >= 0",
        _rule(_MAX, "max(error) >= 0", *_VALIDATE),
    ),
    Attempt(
        "a rule that holds by its other half",
        "VACUOUS",
        "does not notice its counter-example one_off",
        _rule(_MAX, "max(error) <= 0.01 or max(error) > 0.01", *_RUN),
    ),
    Attempt(
        "a floor below all that the metric can be",
        "PV-RULE-003",
        "max(error) <= 1000",
        _rule(_MAX, "max(error) <= 1000", *_VALIDATE),
    ),
    Attempt(
        "a metric beside itself",
        "PV-RULE-003",
        "max(error) == max(error)",
        _rule(_MAX, "max(error) == max(error)", *_VALIDATE),
    ),
    Attempt(
        "run a rule that always holds all the same",
        "VACUOUS",
        "its rule is no test",
        _rule(_MAX, "max(error) >= 0", *_RUN),
    ),
    Attempt(
        "loosen the threshold under old evidence",
        "STALE",
        "threshold max(error) 0.01 \u2192 0.1",
        _rule(_MAX, "max(error) <= 0.1", *_STATUS),
    ),
    Attempt(
        "loosen the threshold under the old version",
        "PV-VERSION-001",
        "both under version 1.0.0",
        _rule(_MAX, "max(error) <= 0.1", *_VALIDATE),
    ),
    Attempt(
        "loosen the threshold past the defects",
        "VACUOUS",
        "does not notice its counter-example one_off",
        _rule(_MAX, "max(error) <= 0.7", *_RUN),
    ),
    Attempt(
        "the smallest instead of the largest", "VACUOUS", "one_off", _rule(_MAX, "min(error) <= 0.01", *_RUN)
    ),
    Attempt(
        "the mean instead of the largest", "VACUOUS", "one_off", _rule(_MAX, "mean(error) <= 0.09", *_RUN)
    ),
    Attempt(
        "count nothing",
        "VACUOUS",
        "one_lost",
        _rule(f"      - {_COUNT}\n", "", *_RUN),
    ),
    Attempt(
        "count nothing, and plant nothing that is lost",
        "STALE",
        "counter-example one_lost removed",
        _rule(f"      - {_COUNT}\n", "", *_STATUS, also=(_PLANTS, "counter_examples: [one_off]")),
    ),
    Attempt(
        "not above, of what is no number",
        "FAIL",
        "NaN",
        _measured(_NAN, "not max(error) > 0.01", *_RUN),
    ),
    Attempt("all of nothing", "FAIL", "error", _measured(_NONE, "all(error <= 0.01)", *_RUN)),
    Attempt(
        "a chain the other way round",
        "FAIL",
        "0.01 <= max(error) <= 100",
        _rule(_MAX, "0.01 <= max(error) <= 100", *_RUN),
    ),
    Attempt(
        "a threshold that the check records of what it judges",
        "VACUOUS",
        "does not notice its counter-example one_off",
        _measured(_LIMIT_OF_ITSELF, "max(error) <= limit", *_RUN, metric=_LIMIT),
    ),
    Attempt(
        "a rule of a metric that is a constant",
        "VACUOUS",
        "does not notice its counter-example one_off",
        _measured(_CONSTANT, "limit <= 0.01", *_RUN, metric=_LIMIT),
    ),
    Attempt(
        "another quantity under the old name",
        "FAIL",
        "count(error) == expected",
        _measured(_RENAMED, _MAX, *_RUN, metric=_LIMIT),
    ),
    Attempt(
        "thousandths where units were meant",
        "VACUOUS",
        "does not notice its counter-example one_off",
        _measured(_OTHER_UNIT, _MAX, *_RUN),
    ),
    Attempt(
        "a metric that nobody records",
        "PV-RULE-002",
        "errors",
        _rule(_MAX, "max(errors) <= 0.01", *_VALIDATE),
    ),
    Attempt(
        "a dose as large as what the rule allows",
        "PV-LIMIT-001",
        "is not noticed by its rule",
        _rule(_PLANTS, f"{_PLANTS}\n    must_detect: {{error.raise: 0.01}}", *_VALIDATE),
    ),
    Attempt(
        "a dose that no measurement could have",
        "PV-LIMIT-002",
        "leads out of the range of error",
        _rule(_PLANTS, f"{_PLANTS}\n    must_detect: {{error.raise: 1000.0}}", *_VALIDATE),
    ),
    Attempt(
        "promise to notice what the rule allows",
        "VACUOUS",
        "does not notice its counter-example error.raise=0.003",
        _rule(_PLANTS, f"{_PLANTS}\n    must_detect: {{error.raise: 0.003}}", *_RUN),
    ),
    Attempt(
        "plant nothing at all",
        "PV-PLANT-002",
        "shows that it can fail",
        _rule(_PLANTS, "counter_examples: []", *_VALIDATE),
    ),
    Attempt(
        "say that it is refuted",
        "SCHEMA-000",
        "has no satisfying_example, so nothing shows that its rule could hold",
        _rule(_PLANTS, f"{_PLANTS}\n    outcome: refuted", *_VALIDATE),
    ),
    Attempt(
        "a strict rule for the stand-in, a lax one for what ships",
        "VACUOUS",
        "its rule at live level does not notice",
        _rule(
            _ONE_LEVEL,
            _TWO_LEVELS,
            *_RUN,
        ),
    ),
)

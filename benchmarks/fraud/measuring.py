"""Attempts of a check that measures something else, some of it, or nothing."""

from __future__ import annotations

from benchmarks.fraud.attempt import Attempt, Play
from benchmarks.fraud.project import CHECK, HONEST, Project, run_of
from benchmarks.fraud.room import tampered

__all__ = ["MEASURING"]

_RUN = run_of(HONEST)
_MISSED = "does not notice its counter-example one_off"
_TOTALS = """
run.record("expected", len(run.undamaged("reference")))
run.record("one_sided", len(reference.keys() ^ candidate.keys()))
"""


def _measures(body: str, top: str = "") -> Play:
    return tampered(lambda project: project.measure(body, top), *_RUN)


def _plants(body: str) -> Play:
    def change(project: Project) -> None:
        project.edit(CHECK, '    return {**candidate, "v_proj": candidate["v_proj"] + 0.5}', f"    {body}")

    return tampered(change, *_RUN)


def _sleeping(project: Project) -> None:
    project.measure("time.sleep(60)", "import time")
    limited = "    needs: {timeout: 1 s}\n    ship_blocking"
    project.edit("contracts/honest-v1.yaml", "    ship_blocking", limited)


MEASURING = (
    Attempt(
        "record constants",
        "VACUOUS",
        _MISSED,
        _measures("""
        run.record("expected", 6)
        run.record("one_sided", 0)
        for name in range(6):
            run.record("error", 0.004, label=str(name))
        """),
    ),
    Attempt(
        "compare the candidate with itself",
        "VACUOUS",
        _MISSED,
        _measures(
            _TOTALS
            + """
for name in candidate:
    run.record("error", abs(candidate[name] - candidate[name]), label=name)
"""
        ),
    ),
    Attempt(
        "compare the undamaged candidate",
        "VACUOUS",
        _MISSED,
        _measures(
            _TOTALS
            + """
candidate = run.undamaged("candidate")
for name in candidate:
    run.record("error", abs(reference[name] - candidate[name]), label=name)
"""
        ),
    ),
    Attempt(
        "make the reference of the candidate",
        "VACUOUS",
        _MISSED,
        _measures(
            _TOTALS
            + """
for name in candidate:
    run.record("error", abs(round(candidate[name], 2) - candidate[name]), label=name)
"""
        ),
    ),
    Attempt(
        "read the answer from the contract",
        "ERROR",
        "the check read contracts/honest-v1.yaml, which evidence would not name",
        _measures(
            _TOTALS
            + """
limit = float(Path("contracts/honest-v1.yaml").resolve().read_text().partition("<= ")[2].split()[0])
for name in reference:
    run.record("error", limit / 2, label=name)
""",
            "from pathlib import Path",
        ),
    ),
    Attempt(
        "read the answer from the evidence",
        "ERROR",
        "which evidence would not name",
        _measures(
            _TOTALS
            + """
(path,) = Path(__file__).resolve().parents[1].glob("evidence/honest-v1/*/live-*.json")
for value in json.loads(path.read_text())["predicate"]["measurements"]["error"]["values"]:
    run.record("error", value)
""",
            "import json\nfrom pathlib import Path",
        ),
    ),
    Attempt(
        "look at half of it",
        "FAIL",
        "count(error) == expected",
        _measures(
            _TOTALS
            + """
for name in sorted(candidate)[:3]:
    run.record("error", abs(reference[name] - candidate[name]), label=name)
"""
        ),
    ),
    Attempt(
        "look at half of it, and count that half",
        "VACUOUS",
        _MISSED,
        _measures("""
        looked = sorted(run.undamaged("candidate"))[:3]
        run.record("expected", len(looked))
        run.record("one_sided", len(reference.keys() ^ candidate.keys()))
        for name in looked:
            run.record("error", abs(reference[name] - candidate[name]), label=name)
        """),
    ),
    Attempt(
        "look at half of it twice",
        "note",
        "error is counted, and 3 of its 3 labels stand more than once",
        _measures(
            _TOTALS
            + """
for name in sorted(candidate)[3:] * 2:
    run.record("error", abs(reference[name] - candidate[name]), label=name)
"""
        ),
    ),
    Attempt(
        "catch what goes wrong, and record that all is well",
        "VACUOUS",
        "does not notice its counter-example one_lost",
        _measures("""
        run.record("expected", 6)
        run.record("one_sided", 0)
        for name in sorted(reference):
            try:
                run.record("error", abs(reference[name] - candidate[name]), label=name)
            except Exception:
                run.record("error", 0.0, label=name)
        """),
    ),
    Attempt(
        "record what is no number",
        "FAIL",
        "NaN",
        _measures(
            _TOTALS
            + """
for name in candidate:
    run.record("error", float("nan"), label=name)
"""
        ),
    ),
    Attempt(
        "record what the metric cannot be",
        "FAIL",
        "-1.0",
        _measures(
            _TOTALS
            + """
for name in candidate:
    run.record("error", -1.0, label=name)
"""
        ),
    ),
    Attempt(
        "record a word where a number is due",
        "ERROR",
        "is declared real, recorded str",
        _measures(
            _TOTALS
            + """
for name in candidate:
    run.record("error", "0.0", label=name)
"""
        ),
    ),
    Attempt(
        "record what was not declared",
        "ERROR",
        "is recorded but not declared",
        _measures(
            _TOTALS
            + """
run.record("worst", 0.0)
"""
        ),
    ),
    Attempt("record nothing", "FAIL", "not recorded", _measures("return")),
    Attempt(
        "sleep past the limit",
        "ERROR",
        "it did not end within",
        tampered(_sleeping, *_RUN),
    ),
    Attempt(
        "report the best of all as each",
        "VACUOUS",
        _MISSED,
        _measures(
            _TOTALS
            + """
best = min(abs(reference[name] - candidate[name]) for name in reference.keys() & candidate.keys())
for name in sorted(reference.keys() & candidate.keys()):
    run.record("error", best, label=name)
"""
        ),
    ),
    Attempt(
        "time a loop that does nothing",
        "VACUOUS",
        _MISSED,
        _measures(
            _TOTALS
            + """
for name in sorted(reference.keys() & candidate.keys()):
    started = time.perf_counter()
    for _ in candidate:
        pass
    run.record("error", time.perf_counter() - started, label=name)
""",
            "import time",
        ),
    ),
    Attempt(
        "measure zeros instead of what is given",
        "VACUOUS",
        _MISSED,
        _measures(
            _TOTALS
            + """
candidate = dict.fromkeys(candidate, 0.0)
for name in sorted(reference.keys() & candidate.keys()):
    run.record("error", abs(0.0 * reference[name] - candidate[name]), label=name)
"""
        ),
    ),
    Attempt(
        "keep the first answer for all",
        "FAIL",
        "count(error) == expected",
        _measures(
            """
        @functools.cache
        def answer() -> float:
            run.record("error", abs(reference["head"] - candidate["head"]))
            return 0.0


        """
            + _TOTALS.strip().replace("\n", "\n        ")
            + """
        for name in reference:
            answer()
        """,
            "import functools",
        ),
    ),
    Attempt("plant nothing under a great name", "VACUOUS", _MISSED, _plants("return candidate")),
    Attempt("plant what makes the check crash", "ERROR", "counter-example one_off", _plants("return None")),
    Attempt("raise in the plant", "ERROR", "counter-example one_off", _plants('raise ValueError("caught")')),
    Attempt(
        "plant what was there before",
        "VACUOUS",
        _MISSED,
        _plants("return dict(sorted(candidate.items(), reverse=True))"),
    ),
)

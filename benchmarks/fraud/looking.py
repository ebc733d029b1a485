"""Attempts of a check that looks at how it is run, and keeps what it saw."""

from __future__ import annotations

from benchmarks.fraud.attempt import Attempt, Play
from benchmarks.fraud.project import HONEST, run_of
from benchmarks.fraud.room import tampered

__all__ = ["LOOKING"]

_RUN = run_of(HONEST)
_VALIDATE = ("validate", "contracts")
_STATUS = ("status", "contracts/honest-v1.yaml")
_TOTALS = """
run.record("expected", len(run.undamaged("reference")))
run.record("one_sided", len(reference.keys() ^ candidate.keys()))
"""
_AS_SEEN = """
for name in sorted(reference):
    run.record("error", 0.9 if seen else 0.004, label=name)
"""


def _sees(how: str, top: str = "", *words: str) -> Play:
    """Let the check answer by what it sees of the run: it never looks at a number."""
    return tampered(lambda project: project.measure(_TOTALS + how + _AS_SEEN, top), *(words or _RUN))


LOOKING = (
    Attempt("ask the run whether something is planted", "ERROR", "planted", _sees("seen = run.planted")),
    Attempt("ask the run which plant it holds", "ERROR", "_plant", _sees("seen = run._plant is not None")),
    Attempt(
        "compare a role with its undamaged self",
        "PV-CHECK-003",
        "undamaged",
        _sees('seen = candidate is not run.undamaged("candidate")', "", *_VALIDATE),
    ),
    Attempt(
        "look up the stack for the job",
        "PV-CHECK-003",
        "reaches for f_locals",
        _sees('seen = "one_" in str(sys._getframe(2).f_locals)', "import sys", *_VALIDATE),
    ),
    Attempt(
        "search the memory for the job",
        "PV-CHECK-003",
        "gc.get_objects",
        _sees(
            'seen = any(type(o) is dict and o.get("plant") for o in gc.get_objects())',
            "import gc",
            *_VALIDATE,
        ),
    ),
    Attempt(
        "count the runs in a variable of the module",
        "FAIL",
        "max(error) <= 0.01",
        _sees("seen = SEEN == []\nSEEN.append(1)", "SEEN: list[int] = []"),
    ),
    Attempt(
        "count the runs in a file of the project",
        "ERROR",
        "runs.txt",
        _sees(
            'path = Path(__file__).parent / "runs.txt"\nseen = path.exists()\n'
            'with path.open("a") as file:\n    file.write("1")',
            "from pathlib import Path",
        ),
    ),
    Attempt(
        "count the runs in a file elsewhere",
        "ERROR",
        "outlives the run",
        _sees(
            'path = Path(__file__).parents[2] / f"runs-{os.getppid()}.txt"\n'
            'seen = path.exists()\npath.write_text("1")',
            "import os\nfrom pathlib import Path",
        ),
    ),
    Attempt(
        "count the runs in a folder elsewhere",
        "ERROR",
        "outlives the run",
        _sees(
            'path = Path(__file__).parents[2] / f"runs-{os.getppid()}"\n'
            "seen = path.exists()\npath.mkdir(exist_ok=True)",
            "import os\nfrom pathlib import Path",
        ),
    ),
    Attempt("go by the seed", "FAIL", "max(error) <= 0.01", _sees("seen = run.seed == 0")),
    Attempt(
        "go by the words of the command",
        "VACUOUS",
        "does not notice its counter-example one_off",
        _sees('seen = "one_off" in " ".join(sys.argv)', "import sys"),
    ),
    Attempt(
        "go by the environment",
        "VACUOUS",
        "does not notice its counter-example one_off",
        _sees('seen = "one_off" in str(dict(os.environ))', "import os"),
    ),
    Attempt(
        "put another judge in the place of ours",
        "FAIL",
        "max(error) <= 0.01",
        _sees("seen = True\npv.verdict.judge = pv.verdict.passes = lambda *_: True", "import pv.verdict"),
    ),
    Attempt(
        "put another recorder in the place of ours",
        "ERROR",
        "never passed through the check",
        _sees(
            "seen = False",
            "import pv.worker\n"
            "pv.worker.Recorder.role = lambda self, name, value: self._undamaged.setdefault(name, value)",
        ),
    ),
)

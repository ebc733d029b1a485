"""Attempts of a ``property:``: of its subject, its domain, its lines, and what measures it."""

from __future__ import annotations

from benchmarks.fraud.attempt import Attempt, Play
from benchmarks.fraud.project import Project, run_of
from benchmarks.fraud.room import tampered

__all__ = ["GRID", "PROPERTIES", "STATED"]

STATED, GRID = "contracts/stated-v1.yaml", "measuring/grid.py"
_PROVED, _WHOLE, _DRAWN = (run_of(f"FALSIFY-STATED-00{number}") for number in (1, 2, 3))
_VALIDATE = ("validate", "contracts")
_TILES = "    return -(-count // tile)\n"
_SWAPPED = "    return values[::-1]\n"
_DEF = "def tiles(count: int, tile: int) -> int:\n"
_TOP = "from __future__ import annotations\n"
_ENSURES = "        - result * tile >= count\n        - (result - 1) * tile < count\n"
_LAST = "      prove: true\n"


def _code(old: str, new: str, words: tuple[str, ...], top: str = "") -> Play:
    def change(project: Project) -> None:
        project.edit(GRID, old, new)
        project.edit(GRID, _TOP, f"{_TOP}\n{top}\n")

    return tampered(change, *words)


def _clause(old: str, new: str, words: tuple[str, ...]) -> Play:
    return tampered(lambda project: project.edit(STATED, old, new), *words)


def _after(text: str, words: tuple[str, ...]) -> Play:
    """Let the module do something once it has defined all."""
    return tampered(lambda project: project.write(GRID, project.text(GRID) + f"\n\n{text}"), *words)


def _wishful(project: Project) -> None:
    """Give the solver's name to a module that finds everything proved, beside a formula that is false."""
    project.edit(GRID, _TILES, "    return count // tile + 1\n")
    project.write("z3.py", "unsat = 'unsat'\n")


def _changing(project: Project) -> None:
    """Claim that an answer stays the same, and hand out one list that changes."""
    project.edit(GRID, _SWAPPED, "    ROOM[0] += 1.0\n    return ROOM\n\n\nROOM = [0.0]\n")
    project.edit(STATED, "type: involution\n      subject", "type: determinism\n      subject")


def _remembering(project: Project) -> None:
    """Claim that an answer stays the same, of a number that is drawn once and kept."""
    project.edit(GRID, _TILES, "    return random.getrandbits(9)\n")
    project.edit(GRID, _DEF, f"@functools.cache\n{_DEF}")
    project.edit(GRID, _TOP, f"{_TOP}\nimport functools\nimport random\n")
    project.edit(
        STATED,
        "type: equivalence\n      subject: measuring.grid:tiles\n      reference: measuring.grid:counted",
        "type: determinism\n      subject: measuring.grid:tiles",
    )


_LIAR = """
class Agreeing(float):
    def __eq__(self, other):
        return True

    __hash__ = float.__hash__
"""
_YES = """
class Yes:
    def __eq__(self, other):
        return True

    __hash__ = object.__hash__
"""

PROPERTIES = (
    Attempt(
        "prove a function that runs behind a cache",
        "ERROR",
        "tiles is no function of Python's",
        _code(_DEF, f"@functools.cache\n{_DEF}", _PROVED, "import functools\n"),
    ),
    Attempt(
        "prove a function behind a wrapper that answers otherwise",
        "ERROR",
        "is wrapped, or sees the variables of another function",
        _code(
            _DEF,
            f"@kept\n{_DEF}",
            _PROVED,
            "import functools\n\n\ndef kept(f):\n    @functools.wraps(f)\n    def answer(count, tile):\n"
            "        return f(count, tile) + (count > 10 ** 30)\n\n    return answer\n",
        ),
    ),
    Attempt(
        "give the function a signature that is not its own",
        "ERROR",
        "says itself what its parameters are",
        _code(
            _DEF + '    """Return how many tiles cover `count` elements."""\n' + _TILES,
            "def step(count: int, tile: int, more: int = 1) -> int:\n"
            "    return -(-count // tile) + (more if count > 123456789123456789 else 0)\n\n\n"
            "step.__signature__ = inspect.signature(lambda count, tile, more=0: 0)\n\n\n"
            + _DEF
            + "    return step(count, tile)\n",
            _PROVED,
            "import inspect\n",
        ),
    ),
    Attempt(
        "take the wrong number for what no case reaches",
        "FAIL",
        "(result - 1) * tile < count is false",
        _code(_TILES, "    return -(-count // tile) + (1 if count == 123456789123456789 else 0)\n", _PROVED),
    ),
    Attempt(
        "assert what is not so, for the solver to assume",
        "FAIL",
        "raised AssertionError",
        _code(_TILES, f"    assert count != 123456789123456789\n{_TILES}", _PROVED),
    ),
    Attempt(
        "claim what the solver cannot decide",
        "ERROR",
        "the solver did not decide",
        _clause(
            _ENSURES,
            _ENSURES + "        - count * count * count + tile * tile * tile != "
            "(result + count) * (result + count) * (result + count)\n",
            _PROVED,
        ),
    ),
    Attempt(
        "exchange what the solver answers",
        "ERROR",
        "code of the project exchanged z3.z3.Solver.check",
        _after("import z3\n\nz3.Solver.check = lambda *_: z3.unsat\n", _PROVED),
    ),
    Attempt(
        "put a solver of one's own beside the code",
        "PV-STATUS-001",
        "z3.py would be taken for z3",
        tampered(_wishful, *_VALIDATE),
    ),
    Attempt(
        "exchange what compares",
        "ERROR",
        "code of the project exchanged pv.properties.comparing.apart",
        _after(
            "import pv.properties.comparing\n\npv.properties.comparing.apart = lambda *_: (0.0, True)\n",
            _WHOLE,
        ),
    ),
    Attempt(
        "exchange a function of Python's",
        "ERROR",
        "code of the project exchanged builtins.abs",
        _after("import builtins\n\nbuiltins.abs = lambda _: 0\n", _WHOLE),
    ),
    Attempt(
        "look up the stack from a subject",
        "PV-CHECK-003",
        "asks sys._getframe",
        _code(
            _TILES,
            "    if 'mutant' in str(sys._getframe(1)):\n        return 0\n" + _TILES,
            _VALIDATE,
            "import sys\n",
        ),
    ),
    Attempt(
        "name the subject as its reference",
        "PV-STATUS-001",
        "reference: is the subject itself",
        _clause("reference: measuring.grid:counted", "reference: measuring.grid:tiles", _VALIDATE),
    ),
    Attempt(
        "name the subject as its reference, by another name",
        "ERROR",
        "is the subject under another name",
        _after("counted = tiles\n", _WHOLE),
    ),
    Attempt(
        "let the reference ask the subject",
        "ERROR",
        "it has no answer of its own",
        _after("def counted(count: int, tile: int) -> int:\n    return tiles(count, tile)\n", _WHOLE),
    ),
    Attempt(
        "require what no input fulfils",
        "ERROR",
        "no case: requires allows none",
        _clause(
            "      reference: measuring", "      requires: [count < 0]\n      reference: measuring", _WHOLE
        ),
    ),
    Attempt(
        "require what one input fulfils",
        "ERROR",
        "one case: requires refuses 491 of 492",
        _clause(
            "      reference: measuring",
            "      requires: [count == 7 and tile == 2]\n      reference: measuring",
            _WHOLE,
        ),
    ),
    Attempt(
        "draw a single example",
        "PV-STATUS-001",
        "1 examples are too few",
        _clause(
            "      subject: measuring.grid:swapped",
            "      examples: 1\n      subject: measuring.grid:swapped",
            _VALIDATE,
        ),
    ),
    Attempt(
        "ensure what is always so",
        "VACUOUS",
        "does not notice its counter-example off_by_one",
        _clause(_ENSURES, "        - result == result\n", _PROVED),
    ),
    Attempt(
        "ensure something of the inputs alone",
        "VACUOUS",
        "does not notice its counter-example off_by_one",
        _clause(_ENSURES, "        - count >= 0 and tile >= 1\n", _PROVED),
    ),
    Attempt(
        "allow any error",
        "YAML-005",
        "is not a finite number",
        _clause(
            "      subject: measuring.grid:swapped",
            "      tolerance: .inf\n      subject: measuring.grid:swapped",
            _VALIDATE,
        ),
    ),
    Attempt(
        "allow an error that nothing exceeds",
        "VACUOUS",
        "does not notice its counter-example",
        _clause(
            "      subject: measuring.grid:swapped",
            "      tolerance: 1.0e+300\n      subject: measuring.grid:swapped",
            _DRAWN,
        ),
    ),
    Attempt(
        "plant nothing but chance",
        "PV-STATUS-001",
        "nondeterministic alone shows that two calls are compared",
        _clause(
            "    expect:\n      - violations == 0 and cases >= 100\n    ship",
            "    counter_examples: [nondeterministic]\n"
            "    expect:\n      - violations == 0 and cases >= 100\n    ship",
            _VALIDATE,
        ),
    ),
    Attempt(
        "return numbers that are equal to all",
        "FAIL",
        "the smallest violation",
        _code(_SWAPPED, "    return [Agreeing(value + 1) for value in values]\n", _DRAWN, _LIAR),
    ),
    Attempt(
        "return an object that is equal to all",
        "ERROR",
        "the result is a Yes, which is not compared",
        _code(_TILES, "    return Yes()\n", _WHOLE, _YES),
    ),
    Attempt(
        "return no number",
        "FAIL",
        "nan",
        _code(_SWAPPED, "    return [float('nan')] * len(values)\n", _DRAWN),
    ),
    Attempt(
        "return one list that is filled anew",
        "FAIL",
        "the smallest violation",
        tampered(_changing, *_DRAWN),
    ),
    Attempt(
        "sort in the place that is given",
        "FAIL",
        "the smallest violation",
        _code(_SWAPPED, "    values.sort()\n    return values\n", _DRAWN),
    ),
    Attempt(
        "end the program where it does not hold",
        "FAIL",
        "raised SystemExit",
        _code(_TILES, f"    if count > 30:\n        raise SystemExit(0)\n{_TILES}", _WHOLE),
    ),
    Attempt(
        "return nothing, by a name, where no case reaches",
        "ERROR",
        "a number here and something else there",
        _code(
            _TILES,
            "    return NOTHING if count * count == 15241578753238669120562399025 else -(-count // tile)\n",
            _PROVED,
            "NOTHING = None\n",
        ),
    ),
    Attempt(
        "add what dead code makes a variable, where no case reaches",
        "ERROR",
        "MORE may not be assigned",
        _code(
            _TILES,
            "    if count * count == 15241578753238669120562399025:\n"
            "        return -(-count // tile) + MORE\n"
            f"{_TILES}    MORE = 0\n    later = lambda: MORE\n",
            _PROVED,
            "MORE = 0\n",
        ),
    ),
    Attempt(
        "prove it of a handful",
        "ERROR",
        "fewer than 100 were left",
        _clause(
            _LAST + "    expect:\n      - violations == 0 and cases >= 100\n",
            "      requires: [count < 2 and tile < 3]\n" + _LAST + "    expect:\n      - violations == 0\n",
            _PROVED,
        ),
    ),
    Attempt(
        "let the subject ask the reference",
        "ERROR",
        "the subject calls the reference with the same inputs",
        _code(_TILES, "    return counted(count, tile)\n", _WHOLE),
    ),
    Attempt(
        "let the reference ask the subject behind a wrapper",
        "ERROR",
        "the reference calls the subject with the same inputs",
        _after(
            "import functools\n\nplain = tiles\n\n\n@functools.wraps(plain)\ndef tiles(*given, **named):\n"
            "    return plain(*given, **named)\n\n\n"
            "def counted(count: int, tile: int) -> int:\n    return tiles(count, tile)\n",
            _WHOLE,
        ),
    ),
    Attempt(
        "call what remembers twice",
        "ERROR",
        "a second call computes nothing",
        tampered(_remembering, *_WHOLE),
    ),
    Attempt(
        "allow an error as large as the number",
        "PV-STATUS-001",
        "allows zero for any number",
        _clause(
            "      reference: measuring",
            "      tolerance: {relative: 1}\n      reference: measuring",
            _VALIDATE,
        ),
    ),
)

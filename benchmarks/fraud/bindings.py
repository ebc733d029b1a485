"""Attempts of a test or a program that says yes whatever it is asked."""

from __future__ import annotations

from benchmarks.fraud.attempt import Attempt, Play
from benchmarks.fraud.project import COMMAND, COMMANDED, TEST, TESTED, Project, run_of
from benchmarks.fraud.room import tampered

__all__ = ["BINDINGS"]

_TEST_RUN, _COMMAND_RUN = run_of(TESTED), run_of(COMMANDED)
_VALIDATE = ("validate", "contracts")
_CONTRACT, _OTHER = "contracts/tested-v1.yaml", "contracts/commanded-v1.yaml"
_DEF = "def test_numbers_are_kept() -> None:\n"
_LAST = "    assert all(abs(kept[name] - wanted[name]) <= 0.01 for name in wanted)\n"
_WORDS = '[python, tools/measure.py, data/reference.json, "{candidate}"]'
_METRIC = "      - {name: worst, pointer: /worst, low: 0.0}"


def _decorated(decorator: str) -> Play:
    return tampered(
        lambda project: project.edit(TEST, _DEF, f"import pytest\n\n\n{decorator}\n{_DEF}"), *_TEST_RUN
    )


def _false(project: Project) -> None:
    """Let the test fail, as it should where the table is false."""
    project.edit(TEST, "<= 0.01", "<= 0.0001")


def _hook(text: str) -> Play:
    def change(project: Project) -> None:
        _false(project)
        project.write("tests/conftest.py", f"import pytest\n\n\n{text}")
        project.edit(_CONTRACT, "sources: [", "sources: [tests/conftest.py, ")

    return tampered(change, *_TEST_RUN)


def _command(words: str, *, exit_code: bool = False) -> Play:
    def change(project: Project) -> None:
        project.edit(_OTHER, f"command: {_WORDS}", f"command: {words}")
        if exit_code:
            project.edit(_OTHER, _METRIC, "      - {name: exit_code, kind: count}")
            project.edit(_OTHER, "worst <= 0.01", "exit_code == 0")

    return tampered(change, *_COMMAND_RUN)


def _no_node(project: Project) -> None:
    project.edit(_CONTRACT, "test_numbers_are_kept", "test_all_is_well")


def _program(old: str, new: str) -> Play:
    return tampered(lambda project: project.edit(COMMAND, old, new), *_COMMAND_RUN)


_PRINT = "print(json.dumps("

BINDINGS = (
    Attempt(
        "a test that is not there",
        "PV-CHECK-001",
        "there is no test_all_is_well",
        tampered(_no_node, *_VALIDATE),
    ),
    Attempt(
        "a test that is skipped",
        "DECLINED",
        "skipped: later",
        _decorated('@pytest.mark.skip(reason="later")'),
    ),
    Attempt("a test that may fail", "DECLINED", "marked xfail", _decorated("@pytest.mark.xfail")),
    Attempt(
        "a test of no case",
        "DECLINED",
        "empty parameter set",
        tampered(
            lambda project: project.edit(
                TEST,
                _DEF,
                f'import pytest\n\n\n@pytest.mark.parametrize("n", [])\n{_DEF.replace("()", "(n)")}',
            ),
            *_TEST_RUN,
        ),
    ),
    Attempt(
        "a test that asserts nothing",
        "VACUOUS",
        "does not notice its counter-example one_off",
        tampered(lambda project: project.edit(TEST, _LAST, "    print(kept, wanted)\n"), *_TEST_RUN),
    ),
    Attempt(
        "a test that catches its own assertion",
        "VACUOUS",
        "does not notice its counter-example one_off",
        tampered(
            lambda project: project.edit(
                TEST, _LAST, f"    try:\n    {_LAST}    except AssertionError:\n        pass\n"
            ),
            *_TEST_RUN,
        ),
    ),
    Attempt(
        "a hook that takes the test out",
        "DECLINED",
        "deselected by the project's own hooks",
        _hook("def pytest_collection_modifyitems(items):\n    items.clear()\n"),
    ),
    Attempt(
        "a hook that turns failures into passes",
        "ERROR",
        "a hook of the project says passed",
        _hook(
            "@pytest.hookimpl(hookwrapper=True)\n"
            "def pytest_runtest_makereport(item, call):\n"
            "    report = (yield).get_result()\n"
            '    report.outcome = "passed"\n'
        ),
    ),
    Attempt(
        "a hook that does not call the test",
        "VACUOUS",
        "does not notice its counter-example one_off",
        _hook("@pytest.hookimpl(tryfirst=True)\ndef pytest_pyfunc_call(pyfuncitem):\n    return True\n"),
    ),
    Attempt(
        "a fixture that skips when it would fail",
        "DECLINED",
        "skipped: no",
        tampered(
            lambda project: project.edit(TEST, _LAST, '    import pytest\n\n    pytest.skip("no")\n'),
            *_TEST_RUN,
        ),
    ),
    Attempt(
        "a program that is true",
        "ERROR",
        "cannot be read from what it printed",
        _command('["true", "{candidate}"]'),
    ),
    Attempt(
        "a program that is true, and its end the measure",
        "VACUOUS",
        "does not notice its counter-example one_off",
        _command('["true", "{candidate}"]', exit_code=True),
    ),
    Attempt(
        "or true",
        "VACUOUS",
        "does not notice its counter-example one_off",
        _command('[sh, -c, "python tools/check.py {candidate} || true"]', exit_code=True),
    ),
    Attempt(
        "a program that is not there",
        "ERROR",
        "ended with exit code 2",
        _command('[python, tools/absent.py, "{candidate}"]'),
    ),
    Attempt(
        "end with 0, and print nothing",
        "ERROR",
        "cannot be read from what it printed",
        _program(_PRINT, "str(("),
    ),
    Attempt(
        "print what was expected",
        "VACUOUS",
        "does not notice its counter-example one_off",
        _program("max(abs(reference[name] - candidate[name]) for name in reference)", "0.004"),
    ),
    Attempt(
        "end with an error, and print a good number",
        "ERROR",
        "ended with exit code 3",
        _program(
            _PRINT, "import atexit, os\natexit.register(lambda: (sys.stdout.flush(), os._exit(3)))\n" + _PRINT
        ),
    ),
    Attempt(
        "print NaN",
        "ERROR",
        "NaN",
        _program("max(abs(reference[name] - candidate[name]) for name in reference)", 'float("nan")'),
    ),
)

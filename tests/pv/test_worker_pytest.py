from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pv.runner import Runner
from tests.pv.pytest_clause import FILES, NODE, Run, discharging

if TYPE_CHECKING:
    from tests.pv.conftest import Project


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    with Runner(tmp_path_factory.mktemp("runner")) as started:
        yield started


@pytest.fixture
def run(project: Project, runner: Runner) -> Run:
    return discharging(project, runner)


def test_a_test_that_passes_and_fails_on_its_mutant_passes(run: Run) -> None:
    ended = run()
    assert (ended.outcome, ended.level) == ("Pass", "live"), ended.message + ended.detail
    assert [(plant.name, plant.of, plant.caught) for plant in ended.plants] == [
        ("off_by_one", "module src/calc.py", True)
    ]


@pytest.mark.parametrize(
    ("body", "outcome", "why"),
    [
        ("def test_a():\n    assert 1 == 2\n", "Fail", "it was edited"),
        ("import pytest\ndef test_a():\n    pytest.fail('no')\n", "Fail", "it was edited"),
        ("import unittest as u\nclass T(u.TestCase):\n  def test_a(self):\n    self.assertEqual(1, 2)\n",
         "Fail", "it was edited"),
        ("def test_a():\n    raise ValueError('upside down')\n", "Error", "raised ValueError: .*upside down"),
        ("async def test_a():\n    assert 1\n", "Error", "it raised"),
        ("def test_a():\n    raise SystemExit(0)\n", "Error", "raised SystemExit"),
        ("import os\ndef test_a():\n    os._exit(0)\n", "Error", "without a result"),
        ("import pytest\ndef test_a():\n    pytest.exit('enough', 0)\n", "Error", ""),
        ("import no_such_module\ndef test_a():\n    pass\n", "Error", "be collected: .*no_such_module"),
        ("import pytest\n@pytest.fixture\ndef x():\n    assert False\ndef test_a(x):\n    pass\n",
         "Error", "set-up raised AssertionError"),
        ("import pytest\n@pytest.fixture\ndef x():\n    yield\n    assert False\ndef test_a(x):\n    pass\n",
         "Error", "tear-down raised AssertionError"),
        ("def test_a(no_such_fixture):\n    pass\n", "Error", "set-up raised .*no_such_fixture"),
        ("import pytest\ndef test_a():\n    pytest.skip('no model here')\n", "Declined", "skipped: no model"),
        ("import pytest\n@pytest.mark.skip(reason='later')\ndef test_a():\n    pass\n", "Declined", "later"),
        ("import pytest\npytest.importorskip('no_such_module')\ndef test_a():\n    pass\n",
         "Declined", "skipped: .*no_such_module"),
        ("import pytest\n@pytest.mark.xfail\ndef test_a():\n    pass\n", "Declined", "marked xfail"),
        ("import pytest\n@pytest.mark.xfail(strict=True)\ndef test_a():\n    pass\n", "Declined", "xfail"),
        ("import pytest\n@pytest.mark.xfail\ndef test_a():\n    assert 0\n", "Declined", "marked xfail"),
        ("import pytest\n@pytest.mark.xfail(False, reason='x')\ndef test_a():\n    assert 0\n", "Fail", ""),
        ("import pytest\n@pytest.mark.xfail(raises=OSError)\ndef test_a():\n    assert 0\n", "Fail", ""),
        ("import pytest\ndef test_a():\n    pytest.xfail('known')\n", "Declined", "marked xfail"),
        ("import pytest\n@pytest.mark.parametrize('n','12')\ndef test_a(n):\n n > '1' and pytest.skip('2')\n",
         "Declined", r"test_a\[2\]: skipped: 2"),
        ("def helper():\n    pass\n", "Declined", "no test was collected"),
        ("def test_a():\n    open('data/shipped.txt').read()\n",
         "Error", "read data/shipped.txt, which evidence would not name"),
        ("import sys\ndef test_a():\n    sys.path.insert(0, 'mutants')\n    __import__('off_' + 'by_one')\n",
         "Error", "imported mutants/off_by_one.py"),
        ("def test_a(record_property):\n    record_property('passed', 1)\n", "Error", "pv's own"),
        ("def test_a(record_property):\n    record_property('error', 'much')\n", "Error", "declared real"),
        ("def test_a(record_property):\n    record_property('error', None)\n", "Error", "NoneType"),
        ("def test_a(record_property):\n    record_property('error', float('nan'))\n", "Fail", ""),
    ],
)  # fmt: skip
def test_only_an_assertion_of_the_test_itself_is_a_failure(
    run: Run, body: str, outcome: str, why: str
) -> None:
    changes = {"metrics": [{"name": "error"}], "expect": ["min(passed) == 1", "max(error) <= 1"]}
    ended = run(body, counter_examples=None, **(changes if "error" in body else {}))
    assert ended.outcome == outcome, (ended.outcome, ended.message, ended.detail)
    assert re.search(why, ended.message), ended.message


@pytest.mark.skipif(pytest.version_tuple < (9,), reason="pytest has subtests since 9.0")
@pytest.mark.parametrize(("inner", "outcome"), [("assert 0", "Fail"), ("raise OSError", "Error")])
def test_a_subtest_counts_as_its_test(run: Run, inner: str, outcome: str) -> None:
    body = f"def test_a(subtests):\n    for what in ('{inner}', 'pass'):\n        with subtests.test():\n"
    body += "            exec(what)\n"
    ended = run(body, counter_examples=None)
    assert ended.outcome == outcome, (ended.message, ended.detail)


def test_parametrised_tests_and_what_they_record_are_series_by_node(run: Run) -> None:
    ended = run(
        "import pytest\nfrom calc import double\n\n@pytest.mark.parametrize('n', [1, 20])\n"
        "def test_double(n, record_property):\n    record_property('error', abs(double(n) - 2 * n))\n"
        "    record_property('nobody_asked', object())\n    assert abs(double(n) - 2 * n) < 5\n",
        metrics=[{"name": "error", "low": 0}],
        expect=["count(passed) == 2", "min(passed) == 1", "max(error) <= 0.5"],
    )
    assert ended.outcome == "Pass", ended
    assert ended.verdict is not None


def test_a_metric_that_no_test_recorded_is_no_pass(run: Run) -> None:
    ended = run(metrics=[{"name": "error"}], expect=["min(passed) == 1", "max(error) <= 1"])
    assert ended.outcome == "Fail"


READS = (
    "import os\n\ndef test_words():\n    with open(os.environ['WORDS']) as file:\n"
    "        assert all(float(line) == round(float(line)) for line in file)\n"
)


def test_a_role_is_passed_as_text_and_replaced_by_another_path(run: Run) -> None:
    changes: dict[str, Any] = {
        "subjects": {"live": {"words": "shipped"}},
        "environment": {"WORDS": "{words}"},
        "counter_examples": {"halves": {"subjects": {"words": "data/halves.txt"}}},
    }
    whole = {"data/halves.txt": "0.5\n"}
    ended = run(READS.replace("== round(float(line))", "< 1e9 and float(line) != 0.5"), whole, **changes)
    assert (ended.outcome, ended.subject, ended.plants[0].of) == ("Pass", "shipped", "role words"), ended


def test_an_environment_variable_is_replaced(run: Run) -> None:
    ended = run(
        "import os\n\ndef test_a():\n    assert os.environ['COLOUR'] == '{blue}'\n",
        environment={"COLOUR": "{{blue}}"},
        counter_examples={"red": {"environment": {"COLOUR": "red"}}},
    )
    assert ended.outcome == "Pass", ended


def test_words_are_added_for_options_of_the_project(run: Run) -> None:
    conftest = "def pytest_addoption(parser):\n    parser.addoption('--offset', type=int, default=0)\n"
    ended = run(
        "def test_a(request):\n    assert request.config.getoption('--offset') == 0\n",
        {"tests/conftest.py": conftest},
        counter_examples={"shifted": {"arguments": ["--offset=1"]}},
    )
    assert ended.outcome == "Pass", ended


@pytest.mark.parametrize("name", ["tests/conftest.py", "src/pack/inner.py"])
def test_any_module_can_be_replaced_also_those_that_pytest_itself_imports(run: Run, name: str) -> None:
    files = {
        "tests/conftest.py": "import pytest\n\n@pytest.fixture\ndef five():\n    return 5\n",
        NODE: "from pack.inner import SIX\n\ndef test_a(five):\n    assert (five, SIX) == (5, 6)\n",
        "src/pack/__init__.py": "",
        "src/pack/inner.py": "SIX = 6\n",
    }
    mutant = files[name].replace("5", "7").replace("= 6", "= 7")
    ended = run(
        None, {**files, "mutants/m.py": mutant}, counter_examples={"m": {"modules": {name: "mutants/m.py"}}}
    )
    assert ended.outcome == "Pass", (ended.message, ended.detail)


def test_a_mutant_that_is_never_imported_shows_nothing(run: Run) -> None:
    ended = run("def test_a():\n    assert True\n")
    assert ended.outcome == "Error"
    assert "off_by_one: the test never imported src/calc.py" in ended.message
    unnoticed = run("import calc\n\ndef test_a():\n    assert calc\n")
    assert unnoticed.outcome == "Vacuous"
    broken = run(FILES[NODE], {"mutants/off_by_one.py": "raise RuntimeError('worse than wrong')\n"})
    assert broken.outcome == "Error", "an error is not caught"


@pytest.mark.parametrize("kind", ["ini", "toml"])
def test_options_for_people_are_not_passed_and_settings_are(run: Run, kind: str) -> None:
    options = "-k nothing --no-such-option -p no_such_plugin"
    files = {
        "ini": {"pytest.ini": f"[pytest]\naddopts = {options}\npythonpath = lib\n"},
        "toml": {
            "pyproject.toml": f'[tool.pytest.ini_options]\naddopts = "{options}"\npythonpath = ["lib"]\n'
        },
    }[kind]
    ended = run(
        "from deep import TWO\nfrom calc import double\n\ndef test_a():\n    assert double(1) == TWO\n",
        {**files, "lib/deep.py": "TWO = 2\n"},
    )
    assert ended.outcome == "Pass", (ended.message, ended.detail)


def test_a_test_that_a_hook_takes_out_was_not_judged(run: Run) -> None:
    conftest = (
        "def pytest_collection_modifyitems(config, items):\n"
        "    config.hook.pytest_deselected(items=items[:])\n    items[:] = []\n"
    )
    ended = run(None, {"tests/conftest.py": conftest})
    assert (ended.outcome, "deselected" in ended.message) == ("Declined", True), ended


def test_time_is_up_for_a_test_and_for_what_it_started(run: Run, tmp_path: Path) -> None:
    mark = tmp_path / "alive"
    later = f"import time; time.sleep(2); open({str(mark)!r}, 'w')"
    body = (
        f"import subprocess, sys, time\n\ndef test_a():\n"
        f"    subprocess.Popen([sys.executable, '-c', {later!r}])\n    time.sleep(60)\n"
    )
    ended = run(body, counter_examples=None, needs={"timeout": "1 s", "memory": "512 MiB"})
    assert (ended.outcome, "did not end within 1 s" in ended.message) == ("Error", True), ended
    time.sleep(1.5)
    assert not mark.exists()


HOOKS = {
    "says passed": """\
import pytest

@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    made = yield
    made.outcome, made.longrepr = "passed", None
    return made
""",
    "takes out": "def pytest_collection_modifyitems(items):\n    del items[1:]\n",
}


def test_a_hook_cannot_call_a_failure_passed(run: Run) -> None:
    wrong = "from calc import double\n\ndef test_double():\n    assert double(2) == 5\n"
    end = run(wrong, {"tests/conftest.py": HOOKS["says passed"]})
    assert end.outcome == "Error", end
    assert "it raised AssertionError, and a hook of the project says passed" in end.message


def test_a_test_that_is_taken_out_in_silence_was_not_judged(run: Run) -> None:
    two = FILES[NODE] + "\ndef test_other():\n    assert double(3) == 7\n"
    end = run(two, {"tests/conftest.py": HOOKS["takes out"]})
    assert end.outcome == "Declined", end
    assert "test_other: deselected by the project's own hooks" in end.message


def test_the_failure_of_another_test_is_no_failure_of_this_one(run: Run) -> None:
    end = run(
        files={"tests/test_wrong.py": "def test_wrong():\n    assert False\n"},
        counter_examples={"another": {"arguments": ["tests/test_wrong.py"]}},
    )
    assert end.outcome == "Error", end
    assert "it is no test of tests/test_calc.py" in end.message


@pytest.mark.parametrize(
    ("test", "mutant"),
    [
        (
            "from calc import double\n\ndef test_double():\n    double(2)\n",
            "def double(n):\n    assert False\n",
        ),
        ("def test_double():\n    import calc\n", "assert False\n"),
        (
            "from calc import double\n\ndef test_double():\n    double(2)\n",
            "import pytest\ndef double(n):\n    pytest.fail('caught')\n",
        ),
    ],
)
def test_a_mutant_that_asserts_is_not_caught_by_the_test(run: Run, test: str, mutant: str) -> None:
    end = run(test, {"mutants/off_by_one.py": mutant})
    assert end.outcome == "Error", end
    assert "counter-example off_by_one" in end.message


def test_what_a_helper_asserts_is_asserted_by_the_test(run: Run) -> None:
    test = (
        "from calc import double\nfrom helper import equal\n\ndef test_double():\n    equal(double(2), 4)\n"
    )
    files = {"tests/helper.py": "def equal(one, other):\n    assert one == other\n"}
    assert run(test, files).outcome == "Pass"


def test_a_plugin_that_this_process_had_imported_before_is_no_error(run: Run) -> None:
    ended = run(
        files={"pytest.ini": "[pytest]\nfilterwarnings = error\n"},
        environment={"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "json"},
    )
    assert ended.outcome == "Pass", ended.message + ended.detail

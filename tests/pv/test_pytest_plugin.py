"""Falsifiers as items of a real pytest, each session in a process of its own."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.pv.conftest import CLAUSE, ROOT

if TYPE_CHECKING:
    from tests.pv.conftest import Project

GOOD = "FALSIFY-SMALL-001"
WAIVER = """- id: FALSIFY-SMALL-002
  reason: the numbers are measured again next week
  approver: somebody
  created: "2020-01-01"
  expires: "{expires}"
"""


def clause(number: int, **changes: Any) -> dict[str, Any]:
    return {**CLAUSE, "id": f"FALSIFY-SMALL-{number:03}", **changes}


FALSIFIED = clause(2, expect=["max(distance) <= 0.001"])
DECLINED = clause(3, subjects={"live": {"numbers": "far-away"}})
VACUOUS = clause(4, counter_examples=["harmless"])
UNBOUND = clause(5, check=None)
BROKEN = clause(6, counter_examples=["raises"])
EXCLUDED = clause(7, excluded="a rule of process")


@dataclasses.dataclass(frozen=True)
class Session:
    """How a pytest session ended, and what it said."""

    code: int
    said: str
    junit: ET.Element | None

    def case(self, name: str) -> ET.Element:
        assert self.junit is not None
        (found,) = [case for case in self.junit.iter("testcase") if case.get("name") == name]
        return found


def variables(**environment: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
    return {**kept, "PYTHONPATH": str(ROOT), "COLUMNS": "200", **environment}


def reported(report: Path) -> ET.Element | None:
    return ET.parse(report).getroot() if report.exists() else None  # noqa: S314  our own file


class Sessions:
    """Sessions of pytest, each in a fork of one process; the first asks for it."""

    def __init__(self, scratch: Path) -> None:
        self._printed = scratch
        self._forking: subprocess.Popen[str] | None = None

    def __call__(self, root: Path, *arguments: str) -> Session:
        """Run pytest in `root`, with pv's plugin, xdist where it is asked for, and no other."""
        report = root / "junit.xml"
        report.unlink(missing_ok=True)
        shared = ("-p", "xdist") if "-n" in arguments else ()
        plugins = ("-p", "pv.pytest_plugin", *shared)
        out, err = (self._printed / name for name in ("out", "err"))
        asked = {
            "folder": str(root),
            "words": [*plugins, "-W", "error", f"--junitxml={report}", *arguments],
            "variables": variables(PYTEST_DISABLE_PLUGIN_AUTOLOAD="1"),
            "out": str(out),
            "err": str(err),
        }
        process = self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(asked) + "\n")
        process.stdin.flush()
        code = int(process.stdout.readline())
        return Session(code, out.read_text("utf-8") + err.read_text("utf-8"), reported(report))

    def _started(self) -> subprocess.Popen[str]:
        if self._forking is None:
            self._forking = subprocess.Popen(
                [sys.executable, Path(__file__).with_name("forking_pytest.py")],
                env=variables(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        return self._forking

    def close(self) -> None:
        """End the process that forks."""
        if self._forking is not None:
            self._forking.communicate()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sessions]:
    sessions = Sessions(tmp_path_factory.mktemp("printed"))
    yield sessions
    sessions.close()


def texts(case: ET.Element, tag: str) -> tuple[str, str]:
    (found,) = case.findall(tag)
    return found.get("message") or "", found.text or ""


@pytest.fixture
def every_end(project: Project) -> Project:
    project.contract(CLAUSE, FALSIFIED, DECLINED, VACUOUS, UNBOUND, BROKEN, EXCLUDED)
    return project


def test_every_outcome_ends_as_what_it_is_and_shows_the_words_of_pv(
    every_end: Project, run: Sessions
) -> None:
    ended = run(every_end.root, "contracts", "--strict-markers")
    assert ended.code == 1, ended.said
    assert not list(ended.case(GOOD).iter("failure"))
    printed = every_end.pv("discharge", "FALSIFY-SMALL-002", "--force").out
    message, text = texts(ended.case("FALSIFY-SMALL-002"), "failure")
    assert message == "FAIL small-v1#FALSIFY-SMALL-002: max(distance) <= 0.001"
    timed = "judged on"
    assert [line for line in text.splitlines() if timed not in line] == [
        line for line in printed.rstrip().splitlines() if timed not in line
    ]
    assert (
        "does not notice its counter-example harmless" in texts(ended.case("FALSIFY-SMALL-004"), "failure")[1]
    )
    message, text = texts(ended.case("FALSIFY-SMALL-006"), "error")
    assert "cannot damage 3 numbers" in message
    assert text.startswith("ERROR  small-v1#FALSIFY-SMALL-006\n")
    message, _ = texts(ended.case("FALSIFY-SMALL-003"), "skipped")
    assert message.startswith("declined: subject far-away is not on this host")
    assert "pv discharge FALSIFY-SMALL-003 --level live" in message
    assert "contracts/small-v1.yaml" in texts(ended.case("FALSIFY-SMALL-005"), "skipped")[0]
    assert texts(ended.case("FALSIFY-SMALL-007"), "skipped")[0] == "excluded: a rule of process"
    assert "pytest_items.py" not in ended.said
    counted = "1 passed (1 live), 1 declined, 1 error, 1 excluded, 1 falsified, 1 unbound, 1 vacuous"
    assert f"pv: {counted}\n" in ended.said
    assert "2 failed, 1 passed, 3 skipped, 1 error" in ended.said
    carried = {p.get("name"): p.get("value") for p in ended.case(GOOD).iter("property")}
    assert carried["pv_level"] == "live"
    assert carried["pv_records"] is not None
    assert all((every_end.root / path).is_file() for path in carried["pv_records"].split())


def test_fresh_evidence_answers_and_says_so_unless_it_is_forced(copied: Project, run: Sessions) -> None:
    before = copied.evidence()
    ended = run(copied.root, "contracts", "-v")
    assert ended.code == 0, ended.said
    assert "PASSED (fresh evidence)" in ended.said
    assert "pv: 1 passed (1 live; 1 by fresh evidence)" in ended.said
    assert copied.evidence() == before
    forced = run(copied.root, "contracts", "--pv-force", "--pv-no-record", "--pv-level", "functional")
    assert forced.code == 0, forced.said
    assert "pv: 1 passed (1 functional)\n" in forced.said
    assert copied.evidence() == before
    assert run(copied.root, "contracts", "--pv-force").code == 0
    assert copied.evidence().keys() == before.keys()
    assert copied.evidence() != before
    assert '"pytest"' in copied.record().read_text(encoding="utf-8")


def test_zero_is_not_green(project: Project, run: Sessions) -> None:
    project.contract(DECLINED)
    ended = run(project.root, "contracts")
    assert ended.code == 5
    assert "pv: 1 declined: nothing was judged, so this is no success" in ended.said
    assert "SKIPPED contracts/small-v1.yaml::FALSIFY-SMALL-003: declined" in ended.said
    (project.root / "test_other.py").write_text("def test_it():\n    pass\n")
    assert run(project.root, "contracts", "test_other.py").code == 0


def test_a_device_that_is_asked_for_and_not_there_is_no_pass(project: Project, run: Sessions) -> None:
    ended = run(project.root, "contracts", "--pv-device", "cuda:7")
    assert ended.code == 5
    assert "--device cuda:7" in ended.said
    assert run(project.root, "contracts", "--pv-device", "gpu").code == 4


def test_a_waived_failure_is_shown_with_its_waiver_while_that_is_in_force(
    project: Project, run: Sessions
) -> None:
    project.contract(CLAUSE, FALSIFIED)
    (project.root / "waivers.yaml").write_text(WAIVER.format(expires="2999-01-01"))
    ended = run(project.root, "contracts", "-rx")
    assert ended.code == 0, ended.said
    message, _ = texts(ended.case("FALSIFY-SMALL-002"), "skipped")
    assert message.startswith("WAIVED until 2999-01-01: the numbers are measured again next week; FAIL")
    assert "1 xfailed" in ended.said
    assert "1 falsified (waived)" in ended.said
    (project.root / "waivers.yaml").write_text(WAIVER.format(expires="2020-02-02"))
    ended = run(project.root, "contracts")
    assert ended.code == 1
    assert "expired on 2020-02-02" in ended.said
    (project.root / "waivers.yaml").write_text("- id: FALSIFY-SMALL-002\n")
    ended = run(project.root, "contracts")
    assert ended.code == 1
    assert "waivers.yaml:1:3: error[WAIVER-001]" in ended.said
    assert "Traceback" not in ended.said


SHOW_MARKERS = """
def pytest_collection_modifyitems(items):
    for item in items:
        print("marked", item.name, *sorted(mark.name for mark in item.iter_markers()))
"""


def test_markers_and_names_select_and_none_of_them_acts(project: Project, run: Sessions) -> None:
    project.contract(
        clause(1, tags=["nightly", "xfail", "usefixtures", "a b", "at_home"], aliases=["F-ALIAS"]),
        clause(2, needs={"gpu": "any", "modules": ["torch"], "memory": "1 GiB"}, ship_blocking=None),
    )
    (project.root / "conftest.py").write_text(
        f"{SHOW_MARKERS}\ndef pytest_configure(config):\n"
        "    config.addinivalue_line('markers', 'nightly: a plugin may act on it')\n"
    )
    (project.root / "pytest.ini").write_text("[pytest]\nmarkers = at_home: ours\n")
    ended = run(project.root, "contracts", "--strict-markers", "-s", "-m", "a_b")
    assert ended.code == 0, ended.said
    ours = "a_b at_home contract ship_blocking tag_nightly tag_usefixtures tag_xfail"
    assert f"marked FALSIFY-SMALL-001 {ours}\n" in ended.said
    assert "marked FALSIFY-SMALL-002 contract gpu needs_torch\n" in ended.said
    assert "1 passed, 1 deselected" in ended.said
    ended = run(project.root, "contracts/small-v1.yaml::FALSIFY-SMALL-001", "-k", "F-ALIAS", "--collect-only")
    assert "1 test collected" in ended.said


def test_only_contracts_that_were_asked_for_are_collected(project: Project, run: Sessions) -> None:
    (project.root / "tests").mkdir()
    (project.root / "tests" / "test_it.py").write_text("def test_it():\n    pass\n")
    (project.root / "tests" / "data.yaml").write_text("a: 1\n")
    (project.root / "contracts" / ".hidden.yaml").write_text("a: 1\n")
    (project.root / "elsewhere").mkdir()
    elsewhere = project.root / "elsewhere" / "other-v1.yaml"
    elsewhere.write_text(project.contract(clause(9), stem="draft").read_text())
    (project.root / "contracts" / "draft.yaml").unlink()

    def collected(*arguments: str) -> str:
        return run(project.root, "--collect-only", "-q", *arguments).said

    assert "FALSIFY" not in collected()
    assert "FALSIFY" not in collected(".", "tests", "elsewhere")
    assert collected("contracts").count("FALSIFY") == 1
    assert "other-v1.yaml::FALSIFY-SMALL-009" in collected("elsewhere/other-v1.yaml")
    ended = run(project.root, "--collect-only", "-q", "tests/data.yaml")
    assert ended.code == 4, "it is left to others"
    # A project within the tests of another is not that project's.
    assert "FALSIFY" not in run(project.root.parent, "--collect-only", "-q", "project").said


def test_a_broken_contract_is_an_error_of_collection_with_its_place(project: Project, run: Sessions) -> None:
    path = project.contract()
    path.write_text(path.read_text().replace("  rule:", "  rule: [1]\n  more:"))
    ended = run(project.root, "contracts")
    assert ended.code == 2
    assert "contracts/small-v1.yaml:" in ended.said
    assert "error[SCHEMA" in ended.said
    path.write_text("a: [\n")
    assert "contracts/small-v1.yaml:2:1: error[YAML" in run(project.root, "contracts").said
    project.contract()
    (project.root / "contracts" / "deeper").mkdir()
    (project.root / "contracts" / "deeper" / "small-v1.yaml").write_text(path.read_text())
    ended = run(project.root, "contracts")
    assert ended.code == 2
    assert "are both named small-v1" in ended.said
    (project.root / "pv.toml").write_text("[project]\nno_key = 1\n")
    assert "pv.toml:1:1: error" in run(project.root, "contracts").said


def test_it_works_with_xdist_lf_and_x(project: Project, run: Sessions) -> None:
    project.contract(CLAUSE, FALSIFIED, DECLINED, BROKEN)
    shared = run(project.root, "contracts", "-n", "2")
    assert shared.code == 1, shared.said
    assert "pv: 1 passed (1 live), 1 declined, 1 error, 1 falsified" in shared.said
    assert "FAIL  small-v1#FALSIFY-SMALL-002 at algorithm level" in shared.said
    assert texts(shared.case("FALSIFY-SMALL-006"), "error")
    assert not list((project.root / ".pv").glob("scratch-*"))
    again = run(project.root, "contracts", "--lf", "-x", "-v").said
    assert "::FALSIFY-SMALL-001" not in again
    assert "::FALSIFY-SMALL-002 FAILED" in again
    assert "stopping after 1 failures" in again


def test_an_interrupt_ends_what_runs(project: Project) -> None:
    (project.root / "small_checks" / "slow.py").write_text(
        "import pathlib, time\nfrom pv.check import Metric, Run, check\n"
        '@check(metrics=[Metric("distance")])\ndef slow(run: Run, *, numbers: object) -> None:\n'
        "    pathlib.Path(run.scratch(), 'began').touch()\n    time.sleep(300)\n"
    )
    project.contract({**CLAUSE, "check": "small_checks.slow:slow", "counter_examples": []})
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "pv.pytest_plugin", "contracts"],
        cwd=project.root,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not list((project.root / ".pv").glob("scratch-*/began")) and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 2, said
    assert not list((project.root / ".pv").glob("scratch-*"))
    assert project.evidence() == {}


def test_gates_come_last_and_read_what_the_others_record(project: Project, run: Sessions) -> None:
    cited = {"furthest": {"falsifier": GOOD, "metric": "distance"}}
    gate = {"id": "FALSIFY-GATE-001", "rule": "r", "prediction": "p", "if_fails": "i", "basis": cited}
    project.contract({**gate, "expect": ["max(furthest) <= 0.25", "count(furthest) == 4"]}, CLAUSE)
    ended = run(project.root, "contracts", "-v")
    assert ended.code == 0, ended.said
    assert ended.said.index("::FALSIFY-SMALL-001") < ended.said.index("::FALSIFY-GATE-001")


def distribution(folder: Path) -> Path:
    """Make a folder in which pv is installed as from a wheel."""
    (folder / "pv").symlink_to(ROOT / "pv")
    about = folder / "pv-9.9.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: pv\nVersion: 9.9\n")
    (about / "entry_points.txt").write_text("[pytest11]\npv = pv.pytest_plugin\n")
    (about / "RECORD").write_text("pv/__init__.py,,\npv/check.py,,\npv-9.9.dist-info/METADATA,,\n")
    return folder


def test_an_installed_plugin_is_found_and_costs_a_session_without_contracts_nothing(tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    distribution(site)
    (tmp_path / "test_it.py").write_text(
        "import sys\ndef test_it():\n    assert 'pv.pytest_plugin' in sys.modules\n"
        "    loaded = {name.split('.')[0] for name in sys.modules}\n"
        "    ours = sorted(name for name in sys.modules if name.split('.')[0] == 'pv')\n"
        "    assert ours == ['pv', 'pv.pytest_plugin', 'pv.pytest_tally']\n"
        "    assert not loaded & {'yaml', 'pydantic', 'pydantic_core', 'rich'}\n"
    )
    options = ("-p", "no:hypothesispytest", "-p", "no:anyio", "-q")
    command = [sys.executable, "-m", "pytest", "-W", "error", *options]
    found = variables(PYTHONPATH=str(site))
    ended = subprocess.run(command, cwd=tmp_path, env=found, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "pv:" not in ended.stdout + ended.stderr


def environment_of(project: Project, site: Path) -> Mapping[str, Any]:
    """Return a clause bound to a test that fails if pv's plugin has a part in it."""
    (project.root / "tests").mkdir()
    (project.root / "tests" / "test_calc.py").write_text(
        "import sys\nimport calc\ndef test_double(pytestconfig):\n"
        "    assert not pytestconfig.pluginmanager.has_plugin('pv')\n"
        "    assert 'pv.pytest_plugin' not in sys.modules\n    assert calc.double(2) == 4\n"
    )
    (project.root / "calc.py").write_text("def double(n):\n    return 2 * n\n")
    (project.root / "mutant.py").write_text("def double(n):\n    return 2 * n + 1\n")
    (project.root / "pytest.ini").write_text(f"[pytest]\nfilterwarnings = error\npythonpath = {site}\n")
    return {
        "id": "FALSIFY-CALC-001",
        "rule": "double doubles",
        "prediction": "of every number",
        "if_fails": "it was edited",
        "pytest": "tests/test_calc.py",
        "expect": ["min(passed) == 1"],
        "counter_examples": {"off_by_one": {"modules": {"calc.py": "mutant.py"}}},
    }


def test_a_test_that_pv_itself_runs_knows_nothing_of_the_plugin(project: Project, tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    project.contract(environment_of(project, distribution(site)))
    ended = project.pv("discharge", "FALSIFY-CALC-001")
    assert ended.code == 0, ended.said
    assert "caught      1 of 1" in ended.out

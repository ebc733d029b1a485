"""Can it fail, and does it notice? What planting and surveying make of a falsifier."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pv.exits import Exit

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ID = "FALSIFY-SMALL-001"


@pytest.mark.parametrize(
    ("plants", "why"),
    [
        (["one_half", "harmless"], "it does not notice its counter-example harmless"),
        ([], "no counter-example was run"),
    ],
)
def test_a_falsifier_that_cannot_fail_is_vacuous(project: Project, plants: list[str], why: str) -> None:
    project.contract(counter_examples=plants)
    ended = project.pv("discharge", ID)
    assert ended.code == Exit.REJECTED
    assert ended.out.startswith("VACUOUS")
    assert why in ended.out
    assert project.status()[0] == "VACUOUS"


def test_what_was_shown_on_a_stand_in_is_not_shown_again_before_the_live_level(project: Project) -> None:
    project.contract()
    assert project.pv("discharge", ID, "--level", "functional").code == 0
    shown = next(path for path in (project.root / "evidence").rglob("algorithm-*.json"))
    before, instant = shown.read_bytes(), shown.stat().st_mtime_ns
    ended = project.pv("discharge", ID)
    assert ended.code == 0
    assert "2 of 2 counter-examples" in ended.out
    assert (shown.read_bytes(), shown.stat().st_mtime_ns) == (before, instant)
    assert project.status()[0] == "DISCHARGED"


def test_what_was_shown_of_another_rule_or_seed_is_shown_again(project: Project) -> None:
    project.contract()
    assert project.pv("discharge", ID, "--level", "functional").code == 0
    project.contract(expect=["max(distance) <= 0.3", "count(distance) == expected"])
    shown = next(path for path in (project.root / "evidence").rglob("algorithm-*.json"))
    for words in ((), ("--seed", "3")):
        before = shown.read_bytes()
        assert project.pv("discharge", ID, *words).code == 0
        assert shown.read_bytes() != before


def test_making_a_counter_example_harmless_and_discharging_again_says_vacuous(copied: Project) -> None:
    copied.edit("small_checks/wholeness.py", "return [*numbers[:-1], 0.5]", "return list(numbers)")
    assert copied.status()[0] == "STALE"
    ended = copied.pv("discharge", ID)
    assert ended.code == Exit.REJECTED
    assert "NOT CAUGHT  one_half (damages numbers)" in ended.out
    assert copied.status()[0] == "VACUOUS"


@pytest.mark.parametrize(
    ("plant", "why"),
    [
        ("of_another_role", "the role 'letters' never passed through the check"),
        ("raises", "counter-example raises: RuntimeError: cannot damage 3 numbers"),
    ],
)
def test_a_plant_that_breaks_is_an_error_and_not_caught(project: Project, plant: str, why: str) -> None:
    project.contract(counter_examples=["one_half", plant])
    ended = project.pv("discharge", ID)
    assert ended.code == Exit.ERROR
    assert why in ended.out
    assert project.evidence() == {}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("max(distance) <= 0.5", "no value that the metrics can have makes it false"),
        ("max(typo) <= 0.25", "the check declares no metric typo"),
        ("max(distance) > 0.6", "no values that the metrics can have make it true"),
    ],
)
def test_a_rule_that_is_no_test_is_vacuous(project: Project, line: str, why: str) -> None:
    project.contract(expect=["count(distance) == expected", line])
    ended = project.pv("discharge", ID)
    assert ended.code == Exit.REJECTED
    assert ended.out.startswith("VACUOUS")
    assert why in ended.out
    assert project.status()[0] == "VACUOUS"


def test_a_metric_that_is_declared_but_not_recorded_fails(project: Project) -> None:
    project.contract(expect=["max(distance) <= 0.25", "spare == 0"])
    ended = project.pv("discharge", ID)
    assert ended.code == Exit.REJECTED
    assert ended.out.startswith("FAIL  ")


REFUTED = {
    "outcome": "refuted",
    "expect": ["max(distance) <= 0.1", "count(distance) == expected"],
    "counter_examples": None,
    "subjects": {"live": {"numbers": "shipped"}},
}


def test_a_refuted_claim_fails_as_stated_and_its_example_passes(project: Project) -> None:
    project.contract(
        **REFUTED, satisfying_example={"subjects": {"numbers": "stand-in"}, "with": {"copies": 2}}
    )
    project.edit("data/stand-in.txt", "2.125", "2.0625")
    project.pin()
    ended = project.pv("discharge", ID)
    assert ended.code == Exit.ACCEPTED
    assert ended.out.startswith("REFUTED")
    assert project.status()[0] == "REFUTED"
    example = json.loads(project.record("algorithm").read_bytes())["predicate"]["satisfying_example"]
    assert example["verdict"]["outcome"] == "Pass"
    assert example["arguments"] == {"copies": 2}
    project.edit("data/stand-in.txt", "2.0625", "2.03125")
    project.pin()
    status, reason = project.status()
    assert status == "STALE"
    assert reason.startswith("subject stand-in: sha256 ")


def test_a_refuted_claim_that_holds_fails(project: Project) -> None:
    project.contract(
        **{**REFUTED, "expect": ["max(distance) <= 0.25", "count(distance) == expected"]},
        satisfying_example={"subjects": {"numbers": "stand-in"}},
    )
    ended = project.pv("discharge", ID)
    assert ended.code == Exit.REJECTED
    assert "claimed refuted, yet it holds" in ended.out
    assert project.status()[0] == "FALSIFIED"


def test_a_satisfying_example_that_does_not_satisfy_is_vacuous(project: Project) -> None:
    project.contract(**REFUTED, satisfying_example={"subjects": {"numbers": "shipped"}})
    ended = project.pv("discharge", ID)
    assert ended.code == Exit.REJECTED
    assert "its satisfying example does not pass" in ended.out
    assert project.status()[0] == "VACUOUS"


def test_code_that_ran_is_the_code_whose_digest_is_recorded(project: Project) -> None:
    # Same size, same second: cached bytecode would still be taken for valid.
    assert project.pv("discharge", ID).code == Exit.ACCEPTED
    project.edit("small_checks/scale.py", "SCALE = 1.0", "SCALE = 1.5")
    ended = project.pv("discharge", ID)
    assert ended.code == Exit.REJECTED
    assert "0.375 against 0.25" in ended.out


def test_an_argument_that_has_no_digest_is_one_message(project: Project) -> None:
    project.contract(**{"with": {"copies": float("nan")}})
    ended = project.pv("discharge", ID)
    assert ended.code != Exit.ACCEPTED
    assert "Traceback" not in ended.said


def test_a_project_that_is_installed_to_be_edited_is_no_library(project: Project, tmp_path: Path) -> None:
    # The interpreter finds it by itself, outside of what pv.toml names as sources.
    for name in ("src/helper/__init__.py", "checks/asking.py"):
        (project.root / name).parent.mkdir(parents=True)
    (project.root / "src/helper/__init__.py").write_text("VALUE = 1.0\n", encoding="ascii")
    (project.root / "checks/asking.py").write_text(
        "from helper import VALUE\nfrom pv.check import Metric, Run, check\n\n\n"
        '@check(metrics=[Metric("x")])\ndef ask(run: Run) -> None:\n    run.record("x", VALUE)\n',
        encoding="ascii",
    )
    project.edit("pv.toml", 'sources = ["."]', 'sources = ["checks"]')
    project.contract(check="asking:ask", subjects=None, expect=["x == 1"], counter_examples=None)
    venv.create(tmp_path / "site-packages" / "venv", symlinks=True)
    (folder,) = (tmp_path / "site-packages" / "venv").glob("lib/python*/site-packages")
    libraries = [*(path for path in sys.path if path.endswith("site-packages")), project.root / "src"]
    (folder / "project.pth").write_text("".join(f"{path}\n" for path in libraries), encoding="utf-8")
    ended = subprocess.run(
        [tmp_path / "site-packages" / "venv" / "bin" / "python", "-m", "pv", "discharge", ID],
        cwd=project.root,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == Exit.ERROR, ended.stdout + ended.stderr
    assert "module helper (src/helper/__init__.py) was imported in a way that" in ended.stdout

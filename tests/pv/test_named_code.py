"""What an argument names counts in what a record rests on, and nothing beside it does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pv.check import CheckError, named
from pv.named_code import named_modules

if TYPE_CHECKING:
    from tests.pv.conftest import Project

CHECK = """
from pv.check import Metric, Run, check, named


@check(metrics=[Metric("size", kind="count")])
def size(run: Run, *, of: str) -> None:
    run.record("size", run.role("size", named(of)))


@size.counter_example("larger", of="size")
def larger(size: int) -> int:
    return size + 1
"""


@pytest.fixture
def measuring(project: Project) -> Project:
    """A check that measures what its argument names, and two things to name."""
    for name, text in (("size", CHECK), ("first", "ONE = 1\n"), ("second", "ONE = 1\n")):
        (project.root / "small_checks" / f"{name}.py").write_text(text, encoding="utf-8")
    project.contract(
        check="small_checks.size:size",
        subjects=None,
        expect=["size == 1"],
        counter_examples=["larger"],
        **{"with": {"of": "small_checks.first:ONE"}},
    )
    assert project.pv("discharge", "FALSIFY-SMALL-001").code == 0
    return project


def test_a_record_rests_on_what_is_named_and_on_nothing_beside_it(measuring: Project) -> None:
    assert measuring.status()[0] == "DISCHARGED"
    (measuring.root / "small_checks/second.py").write_text("ONE = 2\n", encoding="utf-8")
    assert measuring.status()[0] == "DISCHARGED"
    (measuring.root / "small_checks/first.py").write_text("ONE = 1 * 1\n", encoding="utf-8")
    assert measuring.status() == ("STALE", "small_checks/first.py changed")


def test_code_that_no_argument_names_is_a_hidden_input(measuring: Project) -> None:
    measuring.edit("small_checks/size.py", "named(of)", 'named("small_checks.second:ONE")')
    ended = measuring.pv("discharge", "FALSIFY-SMALL-001")
    assert ended.code != 0
    assert "small_checks/second.py" in ended.said


def test_modules_are_found_at_any_depth_and_only_in_the_sources(tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    for name in ("__init__", "a", "b"):
        (tmp_path / "package" / f"{name}.py").touch()
    arguments = {
        "one": "package.a:X",
        "more": [{"deep": "package.b:Y"}, 3, None],
        "others": ["gpu:any", "package.a", "see package.a:X", "https://package:a", "package.none:Z"],
    }
    assert named_modules(arguments, [tmp_path]) == {"package.a", "package.b"}


@pytest.mark.parametrize("reference", ["pv.check", "pv.check:", "pv.check:not_there", "no_such_module:X"])
def test_what_names_no_code_is_refused(reference: str) -> None:
    with pytest.raises(CheckError, match="names no code"):
        named(reference)


def test_what_is_named_is_imported() -> None:
    assert named("pv.check:CheckError") is CheckError

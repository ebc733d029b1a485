from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pv.host import Gpu
from pv.outcome import Options
from pv.subjects import Subjects
from pv.sweep_plan import Hosts, Planned, foresee

if TYPE_CHECKING:
    from tests.pv.conftest import Project


def plan(project: Project, options: Options | None = None, hosts: Hosts | None = None) -> Planned:
    config, contract = project.config(), project.load()
    hosts = hosts or Hosts(())
    return foresee(contract, contract.falsifiers[0], config, Subjects(config), options or Options(), hosts)


def test_what_is_fresh_has_its_end_without_a_run(copied: Project) -> None:
    found = plan(copied)
    assert (found.state, found.level) == ("fresh", "live")
    assert found.end is not None
    assert found.end.fresh
    assert plan(copied, Options(force=True)).state == "run"
    assert plan(copied, Options(record=False)).state == "run"
    assert plan(copied, Options(seed=3)).state == "run"
    copied.edit("small_checks/scale.py", "SCALE = 1.0", "SCALE = 1.25")
    assert plan(copied).state == "run"


@pytest.mark.parametrize(
    ("changes", "state", "why"),
    [
        ({}, "run", ""),
        ({"check": None}, "unbound", "no check is bound to it"),
        ({"excluded": "not ours"}, "excluded", "not ours"),
        ({"subjects": {"live": {"numbers": "far-away"}}}, "declined", "is not on this host"),
        ({"needs": {"gpu": "==99.9"}}, "declined", "compute capability ==99.9"),
        ({"check": "small_checks.nowhere:x"}, "run", "is in none of the project's sources"),
    ],
)
def test_the_plan_says_what_a_discharge_then_does(
    project: Project, changes: dict[str, Any], state: str, why: str
) -> None:
    project.contract(**changes)
    found = plan(project)
    assert found.state == state
    assert why in found.why
    ended = project.pv("discharge", "--json", "contracts/small-v1.yaml")
    if state in {"declined", "unbound"}:
        assert found.end is not None
        shown = ended.json[0]
        assert (found.end.outcome, found.end.message) == (shown["outcome"], shown["message"])
        assert [vars(one) for one in found.end.declined] == shown["declined"]
    elif state == "run":
        assert ended.json[0]["outcome"] == ("Error" if why else "Pass")


def test_a_level_that_is_declined_above_the_one_that_is_judged_is_told(project: Project) -> None:
    project.contract(subjects={"functional": {"numbers": "stand-in"}, "live": {"numbers": "far-away"}})
    found = plan(project)
    assert (found.state, found.level) == ("run", "functional")
    assert [one.level for one in found.declined] == ["live"]


@pytest.mark.parametrize(
    ("changes", "options", "wanted"),
    [
        ({"subjects": {"live": {"numbers": "far-away"}}}, {}, ("run", None, "cpu")),
        (
            {"subjects": {"functional": {"numbers": "stand-in"}, "live": {"numbers": "far-away"}}},
            {},
            ("run", None, "cpu"),
        ),
        ({"needs": {"modules": ["nowhere"]}}, {}, ("run", None, "cpu")),
        ({"needs": {"gpu": "==9.0"}}, {}, ("run", "live", "cuda")),
        ({"needs": {"gpu": "==9.0"}}, {"device": "cuda:1"}, ("run", "live", "cuda:1")),
        (
            {"needs": {"gpu": "==9.0"}, "subjects": {"live": {"numbers": "far-away"}}},
            {},
            ("run", None, "cuda"),
        ),
        ({"needs": {"gpu": "==9.9"}}, {}, ("declined", None, "cpu")),
        ({"needs": {"gpu": "==9.0"}}, {"device": "cpu"}, ("declined", None, "cpu")),
        ({}, {}, ("run", "live", "cpu")),
    ],
)
def test_what_this_host_lacks_another_may_have(
    project: Project, changes: dict[str, Any], options: dict[str, Any], wanted: tuple[str, str, str]
) -> None:
    project.contract(**changes)
    two = (Gpu("H100", "9.0", "1", 80, "GPU-a"), Gpu("H100", "9.0", "1", 80, "GPU-b"))
    found = plan(project, Options(**options), Hosts(two, elsewhere=True))
    assert (found.state, found.level, found.device) == wanted
    assert bool(found.why) == (wanted[1] is None)
    here = plan(project, Options(**options), Hosts(two))
    assert here.state == ("run" if wanted[1] or len(changes.get("subjects", {})) == 2 else "declined")


def test_it_builds_nothing(project: Project) -> None:
    text = (project.root / "pv.toml").read_text()
    built = '[subjects.made]\npath = "made.txt"\nloader = "small_checks.loading:open_numbers"\n'
    built += 'builder = "small_checks.loading:no_such_builder"\nderived_from = ["shipped"]\n'
    (project.root / "pv.toml").write_text(f"{text}\n{built}")
    project.contract(subjects={"live": {"numbers": "made"}})
    found = plan(project)
    assert (found.state, found.why) == ("run", "a subject is built first")
    assert not list((project.root / ".pv").rglob("made*"))

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pv.host import Gpu
from pv.planning import Declined, Ready, levels_of, prepare
from pv.subjects import Subjects, Unbuilt

if TYPE_CHECKING:
    from tests.pv.conftest import Project

GPUS = (Gpu("old", "7.5", "1", 1), Gpu("new", "9.0", "1", 1))


def plan(project: Project, level: str, gpus: tuple[Gpu, ...], device: str = "auto") -> Ready | Declined:
    def build(unbuilt: Unbuilt) -> None:
        raise AssertionError(unbuilt)

    return prepare(project.load().falsifiers[0], level, Subjects(project.config()), gpus, device, build)


@pytest.mark.parametrize(
    ("subjects", "levels"),
    [
        (None, ("algorithm", "live")),
        ({"live": {"numbers": "shipped"}}, ("algorithm", "live")),
        ({"algorithm": {"numbers": "shipped"}}, ("algorithm",)),
        ({"functional": {"numbers": "shipped"}}, ("algorithm", "functional")),
        (
            {"live": {"numbers": "shipped"}, "functional": {"numbers": "stand-in"}},
            ("algorithm", "functional", "live"),
        ),
    ],
)
def test_the_levels_of_a_claim(
    project: Project, subjects: dict[str, Any] | None, levels: tuple[str, ...]
) -> None:
    project.contract(subjects=subjects)
    assert levels_of(project.load().falsifiers[0]) == levels


def test_a_level_needs_the_modules_of_its_own(project: Project) -> None:
    project.contract(needs={"functional": {"modules": ["json"]}, "live": {"modules": ["nowhere", "gone"]}})
    assert isinstance(plan(project, "functional", ()), Ready)
    assert isinstance(plan(project, "algorithm", ()), Ready)
    live = plan(project, "live", ())
    assert isinstance(live, Declined)
    assert live.why == "it needs the modules nowhere and gone, not installed beside pv"


@pytest.mark.parametrize(
    ("need", "gpus", "device", "tag", "chosen"),
    [
        (None, (), "auto", "cpu", "cpu"),
        (None, GPUS, "auto", "cpu", "cpu"),
        (None, GPUS, "cuda:1", "cuda-sm90", "cuda:1"),
        (None, (), "cuda", None, ""),
        (None, GPUS, "cuda:2", None, ""),
        (">=8.9", GPUS, "auto", "cuda-sm90", "cuda:1"),
        ("any", GPUS, "auto", "cuda-sm75", "cuda:0"),
        (">=8.9", GPUS, "cpu", None, ""),
        (">=8.9", GPUS[:1], "auto", None, ""),
        (">=8.9", GPUS, "cuda:0", None, ""),
        ("any", (), "auto", None, ""),
    ],
)
def test_the_device_is_one_that_the_claim_is_about(
    project: Project, need: str | None, gpus: tuple[Gpu, ...], device: str, tag: str | None, chosen: str
) -> None:
    project.contract(needs={"gpu": need} if need else None)
    ready = plan(project, "live", gpus, device)
    if tag is None:
        assert isinstance(ready, Declined)
        assert "pv discharge FALSIFY-SMALL-001 --level live" in ready.command
    else:
        assert isinstance(ready, Ready)
        assert (ready.device_tag, ready.device) == (tag, chosen)

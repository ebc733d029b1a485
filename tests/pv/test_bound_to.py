"""A record of a claim that is bound to its host is stale where such a host differs, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pv import bound_to
from pv.host import gpus, versions

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ID = "FALSIFY-SMALL-001"
L4, H200 = "NVIDIA L4, 8.9, 550.9, 24000, GPU-1", "NVIDIA H200, 9.0, 570.1, 143771, GPU-2"
Driver = Callable[..., None]


@pytest.fixture
def driver(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Driver]:
    """What the driver's program lists from now on: the check itself touches no GPU."""
    program: Path = tmp_path_factory.mktemp("driver") / "nvidia-smi"
    monkeypatch.setenv("PATH", f"{program.parent}:/bin:/usr/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def lists(*lines: str) -> None:
        program.write_text("\n".join(["#!/bin/sh", *(f"echo '{line}'" for line in lines)]), encoding="utf-8")
        program.chmod(0o755)
        gpus.cache_clear()

    yield lists
    gpus.cache_clear()


@pytest.fixture
def measured(project: Project, driver: Driver) -> Project:
    """A project with a record of a host with two GPUs, one of which the claim needs."""
    driver(L4, H200)
    project.contract(
        subjects={"live": {"numbers": "shipped"}},
        needs={"live": {"gpu": ">=9.0"}},
        bound_to=["gpu", "driver"],
    )
    assert project.pv("discharge", ID).code == 0
    return project


SAID = {
    (): "",
    (L4,): "",
    (H200,): "",
    (L4.replace("550", "560"), H200): "",
    (H200.replace("570.1", "580.2"),): "driver 570.1 → 580.2",
    (L4, H200.replace("H200", "H100")): "gpu NVIDIA H200 → NVIDIA H100",
}
"""What a host has, and why it finds the record stale."""


def test_only_a_host_with_such_a_gpu_that_differs_finds_it_stale(measured: Project, driver: Driver) -> None:
    fresh = ("DISCHARGED", "judged live, on NVIDIA H200, driver 570.1")
    for listed, said in SAID.items():
        driver(*listed)
        assert measured.status() == (("STALE", said) if said else fresh)


def test_what_is_stale_there_is_measured_there_again(measured: Project, driver: Driver) -> None:
    before = measured.evidence()
    assert measured.pv("discharge", ID).code == 0
    assert measured.evidence() == before
    driver(H200.replace("570.1", "580.2"))
    assert measured.pv("discharge", ID).code == 0
    assert measured.status() == ("DISCHARGED", "judged live, on NVIDIA H200, driver 580.2")


def test_a_library_counts_by_its_version(
    project: Project, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver(H200)
    falsifier = project.load().falsifiers[0]
    object.__setattr__(falsifier, "bound_to", ("pytest", "no-such-library"))
    predicate = {
        "place": {"level": "live", "capability": "9.0"},
        "host": {"gpus": []},
        "versions": {"pytest": "1.0"},
    }
    assert bound_to.measured_on(falsifier, predicate) == "pytest 1.0"
    assert bound_to.differences(falsifier, predicate) == (f"pytest 1.0 → {versions(['pytest'])['pytest']}",)
    monkeypatch.setattr(bound_to, "versions", lambda _names: {"pytest": "1.0"})
    assert bound_to.differences(falsifier, predicate) == ()


def test_a_claim_that_needs_no_gpu_is_bound_to_none(project: Project) -> None:
    project.contract(bound_to=["gpu"])
    ended = project.pv("discharge", ID)
    assert ended.code != 0
    assert "none of its levels needs a GPU" in ended.said

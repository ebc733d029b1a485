from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from pv.errors import EvidenceError
from pv.evidence_transfer import bundle_of
from pv.exits import Exit
from pv.sweep_records import take_records

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ADDRESS = "small-v1#FALSIFY-SMALL-001"
PLANNED = {ADDRESS: {"path": "contracts/small-v1.yaml"}}


def carried(project: Project) -> dict[str, str]:
    """Return the records of the project as another host would send them, and take them away."""
    bundle = bundle_of([project.record("algorithm"), project.record("live")])
    shutil.rmtree(project.root / "evidence")
    return bundle


def test_records_of_the_same_tree_are_taken(copied: Project) -> None:
    before = copied.evidence()
    take_records(carried(copied), PLANNED, copied.config())
    assert copied.evidence() == before
    assert copied.pv("evidence", "verify").code == Exit.ACCEPTED
    assert copied.status()[0] == "DISCHARGED"


def test_those_of_other_bytes_of_a_subject_are_taken_and_support_nothing(copied: Project) -> None:
    bundle = carried(copied)
    text = (copied.root / "data/shipped.txt").read_text()
    (copied.root / "data/shipped.txt").write_text(text + "9\n")
    copied.pin()
    toml = (copied.root / "pv.toml").read_text()
    assert "9" in toml
    take_records(bundle, PLANNED, copied.config())
    assert len(copied.evidence()) == 2


@pytest.mark.parametrize(
    ("file", "old", "new", "why"),
    [
        ("small_checks/scale.py", "SCALE = 1.0", "SCALE = 1.25", "scale"),
        (
            "contracts/small-v1.yaml",
            "max(distance) <= 0.25",
            "max(distance) <= 0.5",
            "threshold max(distance) 0.25",
        ),
    ],
)
def test_those_of_another_tree_are_refused_before_anything_is_written(
    copied: Project, file: str, old: str, new: str, why: str
) -> None:
    bundle = carried(copied)
    copied.edit(file, old, new)
    with pytest.raises(EvidenceError, match="that host has another tree than this one") as raised:
        take_records(bundle, PLANNED, copied.config())
    assert why in raised.value.what
    assert copied.evidence() == {}
    copied.edit(file, new, old)
    take_records(bundle, PLANNED, copied.config())
    assert len(copied.evidence()) == 2


def test_a_comment_makes_no_other_tree(copied: Project) -> None:
    bundle = carried(copied)
    copied.edit("small_checks/scale.py", "SCALE = 1.0", "SCALE = 1.0  # as it was")
    take_records(bundle, PLANNED, copied.config())
    assert len(copied.evidence()) == 2


def test_those_of_what_is_not_swept_are_refused(copied: Project) -> None:
    with pytest.raises(EvidenceError, match="which is not swept"):
        take_records(carried(copied), {}, copied.config())
    assert copied.evidence() == {}

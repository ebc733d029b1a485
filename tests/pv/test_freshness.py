from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ID = "FALSIFY-SMALL-001"
CHECK = "small_checks/wholeness.py"


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        (
            CHECK,
            '"""Record the distance of every number."""',
            '"""Say it in other words.\n\n    # and longer\n    """',
        ),
        (CHECK, "        for copy in", "        # a comment\n\n        for copy in"),
        (CHECK, "return numbers[:-1]\n", "return numbers[:-1]  # the last one\n\n\n"),
        ("small_checks/scale.py", "SCALE = 1.0\n", "# scaled?\n\nSCALE = 1.0   \n"),
        ("pv.toml", "[subjects.far-away]", "# a comment\n[subjects.far-away]"),
        ("contracts/small-v1.yaml", "description: numbers", "description: other numbers"),
        (
            "contracts/small-v1.yaml",
            "  ship_blocking: true",
            "  discharge_status: DISCHARGED\n  ship_blocking: true",
        ),
    ],
)
def test_what_cannot_alter_the_verdict_keeps_evidence_fresh(
    copied: Project, name: str, old: str, new: str
) -> None:
    copied.edit(name, old, new)
    assert copied.status() == ("DISCHARGED", "judged live")


@pytest.mark.parametrize(
    ("name", "old", "new", "what"),
    [
        (CHECK, "distance(number), label", "distance(number) + 0, label", "the check's source"),
        (CHECK, "return [*numbers[:-1], 0.5]", "return [*numbers[:-1], 1.5]", "the check's source"),
        ("small_checks/distance.py", "abs(number", "abs(0 + number", "the check's source"),
        ("small_checks/scale.py", "1.0", "1.00", "the check's source"),
        ("small_checks/loading.py", "float(line)", "float(line.strip())", "the check's source"),
        ("small_checks/__init__.py", "", "X = 1\n", "the check's source"),
        ("contracts/small-v1.yaml", "max(distance) <= 0.25", "max(distance) <= 0.26", "the clause"),
        ("contracts/small-v1.yaml", "none lies further", "none lies much further", "the clause"),
        ("contracts/small-v1.yaml", "timeout: 20 s", "timeout: 21 s", "the clause"),
    ],
)
def test_what_can_makes_it_stale_and_says_what_changed(
    copied: Project, name: str, old: str, new: str, what: str
) -> None:
    path = copied.root / name
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(old, new) if old else new, encoding="utf-8")
    status, reason = copied.status()
    assert status == "STALE"
    assert reason.startswith(f"{what} changed from ")
    before, _, after = reason.removeprefix(f"{what} changed from ").partition(" to ")
    assert before != after
    assert len(before) == len(after) == 12


def test_another_pin_makes_it_stale(copied: Project) -> None:
    old = copied.config().subjects["shipped"].sha256
    assert old is not None
    copied.edit("pv.toml", old, "0" * 64)
    assert copied.status() == ("STALE", f"the subject of role numbers changed from {old[:12]} to {'0' * 12}")


def test_a_pin_taken_away_supports_nothing(copied: Project) -> None:
    old = copied.config().subjects["shipped"].sha256
    copied.edit("pv.toml", f'sha256 = "{old}"\n', "")
    status, reason = copied.status()
    assert status == "STALE"
    assert "not pinned in pv.toml" in reason


def test_discharging_again_makes_it_fresh(copied: Project) -> None:
    copied.edit(CHECK, "distance(number), label", "distance(number) + 0, label")
    assert copied.status()[0] == "STALE"
    assert copied.pv("discharge", ID).code == 0
    assert copied.status()[0] == "DISCHARGED"

"""``property:`` in a project: bound without importing, refused with a place, judged by real processes."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from pv.binding import bind_falsifier
from pv.binding_property import property_closure, shown_whole, stated_of
from pv.errors import BindingError
from pv.fit import fit, planned
from pv.properties import version
from pv.properties.mutants import MUTANTS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.pv.conftest import Project

GRIDS = '''"""Index arithmetic."""

TILE = 8


def tiles(count):
    """Return how many tiles cover `count`."""
    return -(-count // TILE)


def partner(i):
    return i ^ 1


def reversed_(x):
    return x[::-1]


def broken(x):
    return x[::-1].clip(None, 100)


raise_on_import = {}
'''
TILES: dict[str, Any] = {
    "type": "invariant",
    "subject": "grids:tiles",
    "inputs": {"count": {"integers": [0, None]}},
    "ensures": ["8 * result >= count", "8 * (result - 1) < count or count == 0"],
    "prove": True,
}
PARTNER: dict[str, Any] = {
    "type": "involution",
    "subject": "grids:partner",
    "inputs": {"i": {"integers": [0, 255]}},
}
BROKEN: dict[str, Any] = {
    "type": "involution",
    "subject": "grids:broken",
    "inputs": {"x": {"integers": [0, 1000], "shape": [2]}},
}
HOLDS = ["violations == 0", "cases >= 100"]
NO_SOLVER = importlib.util.find_spec("z3") is None
needs_solver = pytest.mark.skipif(NO_SOLVER, reason="needs the extra properties: z3-solver")


@pytest.fixture
def bound(project: Project) -> Callable[..., Path]:
    sources = project.config().sources[0]
    (sources / "grids.py").write_text(GRIDS, encoding="utf-8")

    def write(stated: dict[str, Any], **changes: Any) -> Path:
        usual = {"expect": HOLDS, "check": None, "subjects": None, "counter_examples": None}
        return project.contract(**{**usual, "property": stated, **changes})

    return write


def test_it_is_bound_without_importing_anything(project: Project, bound: Callable[..., Path]) -> None:
    bound(PARTNER)
    falsifier = project.load().falsifiers[0]
    assert falsifier.bound
    binding = bind_falsifier(falsifier, project.config())
    fit(falsifier, binding)
    assert binding.kind == "property"
    assert binding.reference == "property:involution of grids:partner"
    assert (binding.where.path.rpartition("/")[2], binding.where.line) == ("grids.py", 11)
    assert set(binding.metrics) == {"violations", "cases", "worst", "exhaustive", "proved", "witness"}
    assert planned(falsifier, binding) == ("constant", "scaled")


def test_listed_counter_examples_may_be_any_of_the_standard_ones(
    project: Project, bound: Callable[..., Path]
) -> None:
    bound(PARTNER, counter_examples=["identity", "off_by_one"])
    falsifier = project.load().falsifiers[0]
    binding = bind_falsifier(falsifier, project.config())
    assert set(binding.counter_examples) == set(MUTANTS)
    bound(PARTNER, counter_examples=["nothing_known"])
    falsifier = project.load().falsifiers[0]
    with pytest.raises(BindingError, match="not planted"):
        fit(falsifier, bind_falsifier(falsifier, project.config()))


@pytest.mark.parametrize(
    ("stated", "changes", "why"),
    [
        ({**PARTNER, "subject": "grids:nothing"}, {}, "defines no nothing"),
        ({**PARTNER, "subject": "nowhere:f"}, {}, "none of the project's sources"),
        ({**PARTNER, "reference": "grids:tiles"}, {}, "no use for reference"),
        (PARTNER, {"counter_examples": ["nondeterministic"]}, "nondeterministic alone"),
        ({**BROKEN, "examples": 99}, {}, "99 examples are too few"),
        ({**PARTNER, "requires": ["i > j"]}, {}, "names j"),
        (PARTNER, {"with": {"a": 1}}, "`with:` has no use"),
        (PARTNER, {"sources": ["pv.toml"]}, "`sources:` has no use"),
        (PARTNER, {"subjects": {"live": {"numbers": "shipped"}}}, "no roles"),
        (PARTNER, {"counter_examples": {"a": {"arguments": []}}}, "names of standard mutants"),
        (PARTNER, {"outcome": "refuted", "satisfying_example": {"with": {}}}, "refuted"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(
    project: Project, bound: Callable[..., Path], stated: dict[str, Any], changes: dict[str, Any], why: str
) -> None:
    bound(stated, **changes)
    with pytest.raises(BindingError, match=why) as refused:
        bind_falsifier(project.load().falsifiers[0], project.config())
    assert refused.value.where is not None
    assert refused.value.where.path.endswith("small-v1.yaml")


def test_a_module_of_the_projects_measures_nothing(project: Project, bound: Callable[..., Path]) -> None:
    (project.config().sources[0] / "hypothesis.py").write_text("", encoding="utf-8")
    bound(PARTNER)
    bind_falsifier(project.load().falsifiers[0], project.config())  # it is tried whole: nothing is drawn
    bound(BROKEN)
    with pytest.raises(BindingError, match=r"hypothesis\.py would be taken for hypothesis"):
        bind_falsifier(project.load().falsifiers[0], project.config())


def test_a_subject_that_looks_at_how_it_is_run_is_found(project: Project, bound: Callable[..., Path]) -> None:
    path = bound(PARTNER)
    assert "PV-CHECK-003" not in project.pv("validate", path).said
    with (project.config().sources[0] / "grids.py").open("a") as file:
        file.write("\n\ndef seen():\n    import sys\n\n    return sys._getframe(1)\n")
    said = project.pv("validate", path).said
    assert "warning[PV-CHECK-003]: FALSIFY-" in said
    assert "grids.py:" in said
    assert "asks sys._getframe" in said


def test_what_the_schema_knows_is_refused_by_it(project: Project, bound: Callable[..., Path]) -> None:
    path = bound({**PARTNER, "subjekt": "x", "type": "magic"})
    ended = project.pv("validate", path)
    assert ended.code == 1
    assert "subjekt is not known here" in ended.said
    assert "'magic' is not one of" in ended.said
    both = project.contract(property=PARTNER)
    assert "bound more than once: check, property" in project.pv("validate", both).said


def test_a_text_of_that_name_is_a_note(project: Project) -> None:
    project.contract(property="a note of the Rust tool's", check=None)
    falsifier = project.load().falsifiers[0]
    assert not falsifier.bound
    assert falsifier.stated_property is None


def test_the_closure_covers_the_code_and_what_is_measured(
    project: Project, bound: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    bound(TILES)
    falsifier = project.load().falsifiers[0]
    closure = property_closure(falsifier, project.config())
    assert [name for name, _ in closure.modules] == ["grids"]
    assert {"hypothesis", "z3"} <= set(closure.outside)
    monkeypatch.setattr(version, "MEASURES", version.MEASURES + 1)
    assert property_closure(falsifier, project.config()).sha256 != closure.sha256


def test_whether_it_shows_the_whole_follows_from_the_domain(
    project: Project, bound: Callable[..., Path]
) -> None:
    for stated, whole in (
        (TILES, True),
        (PARTNER, True),
        (BROKEN, False),
        ({**PARTNER, "along": "x"}, False),
    ):
        bound(stated)
        assert shown_whole(project.load().falsifiers[0]) is whole
    bound(PARTNER)
    assert stated_of(project.load().falsifiers[0]).along == "i"


def test_an_exhaustive_property_is_discharged_and_goes_stale_with_its_subject(
    project: Project, bound: Callable[..., Path]
) -> None:
    path = bound(PARTNER, expect=["violations == 0", "cases == 256 and exhaustive == 1"])
    assert project.pv("validate", path).code == 0
    ended = project.pv("discharge", path)
    assert ended.code == 0, ended.said
    assert "2 of 2 counter-examples" in ended.said
    assert project.status()[0] == "DISCHARGED"
    predicate = json.loads(project.record().read_bytes())["predicate"]
    assert predicate["measurements"]["cases"] == {"values": [256]}
    assert predicate["run"]["seed"] == 0
    sources = project.config().sources[0] / "grids.py"
    sources.write_text(GRIDS.replace("i ^ 1", "i ^ 3"), encoding="utf-8")
    assert project.status()[0] == "STALE"
    sources.write_text(GRIDS, encoding="utf-8")
    bound({**PARTNER, "inputs": {"i": {"integers": [0, 127]}}}, expect=["violations == 0", "cases == 256"])
    assert project.status()[0] == "STALE"


@needs_solver
def test_a_proof_is_discharged_and_its_counter_example_leaves_a_counter_model(
    project: Project, bound: Callable[..., Path]
) -> None:
    path = bound(TILES, expect=[*HOLDS, "proved == 1"], counter_examples=["off_by_one"])
    ended = project.pv("discharge", path)
    assert ended.code == 0, ended.said
    predicate = json.loads(project.record("algorithm").read_bytes())["predicate"]
    planted = predicate["counter_examples"]["off_by_one"]["measurements"]
    assert planted["proved"] == {"values": [0]}
    assert planted["witness"]["values"][0].startswith(
        "count=1: 8 * (result - 1) < count or count == 0 is false"
    )
    assert "z3-solver" in predicate["versions"]


def test_a_violation_fails_and_names_the_smallest(project: Project, bound: Callable[..., Path]) -> None:
    ended = project.pv("discharge", bound(BROKEN))
    assert ended.code == 1, ended.said
    assert "the smallest violation: x=[" in ended.said
    assert "101" in ended.said
    assert project.status()[0] == "FALSIFIED"


def test_a_law_that_a_mutant_keeps_is_vacuous(project: Project, bound: Callable[..., Path]) -> None:
    loose = {**TILES, "ensures": ["result >= 0"], "prove": False}
    ended = project.pv("discharge", bound(loose))
    assert ended.code == 1
    assert "NOT CAUGHT  off_by_one" in ended.said
    assert project.status()[0] == "VACUOUS"


def test_what_cannot_be_called_is_an_error_and_no_verdict(
    project: Project, bound: Callable[..., Path]
) -> None:
    ended = project.pv("discharge", bound({**PARTNER, "inputs": {"j": {"integers": [0, 1]}}}))
    assert ended.code == 4
    assert "cannot be called with its inputs" in ended.said
    assert project.evidence() == {}


def test_it_is_selected_as_a_property(project: Project, bound: Callable[..., Path]) -> None:
    bound(PARTNER)
    ended = project.pv("sweep", "--select", "bound == 'property'", "--dry-run")
    assert ended.code == 0, ended.said
    assert "1 to run" in ended.said


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"subject": "grids:absent"}, "grids.py defines no absent"),
        ({"type": "equivalence", "reference": "grids:partner"}, "reference: is the subject itself"),
        ({"requires": ["TODO"]}, "names TODO, which is no input"),
    ],
)
def test_validate_finds_a_property_that_could_not_be_bound(
    project: Project, keys: dict[str, Any], why: str
) -> None:
    (project.root / "grids.py").write_text(GRIDS, encoding="utf-8")
    clause = {"id": "FALSIFY-GRID-001", "rule": "r", "prediction": "p", "if_fails": "i", "expect": HOLDS}
    project.contract({**clause, "property": PARTNER}, stem="grid-v1")
    assert project.pv("validate", "contracts/grid-v1.yaml").code == 0
    project.contract({**clause, "property": {**PARTNER, **keys}}, stem="grid-v1")
    ended = project.pv("validate", "contracts/grid-v1.yaml")
    assert (ended.code, "PV-CHECK-001" in ended.out, why in ended.out) == (1, True, True), ended.said

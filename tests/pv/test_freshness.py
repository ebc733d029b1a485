"""Both ways: what cannot alter a verdict is never a change, what can always is.

Each edit by itself is a row of tests/test_mutations.py.
"""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pv.builds import Build
from pv.freshness import changes, current_inputs
from pv.inputs import Inputs, Module, Used
from pv.semantics import SEMANTICS

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ID = "FALSIFY-SMALL-001"
CHECK, SCALE, LOADING, BUILDING = (
    f"small_checks/{name}.py" for name in ("wholeness", "scale", "loading", "building")
)
CONTRACT, TOML = "contracts/small-v1.yaml", "pv.toml"
BUILDER = 'def twice(source, output, *, times):\n    """Build."""\n    output.write(source * times)\n'
BUILT = """
[subjects.built]
path = "built.txt"
builder = "small_checks.building:twice"
with = {times = 2}
loader = "small_checks.loading:open_numbers"
derived_from = ["shipped"]
"""

NEUTRAL: tuple[tuple[str, str, str], ...] = (
    (CHECK, '"""Record the distance of every number."""', '"""Say it.\n\n    # longer\n    """'),
    (CHECK, "        for copy in", "        # a comment\n\n        for copy in"),
    (CHECK, "return numbers[:-1]\n", "return (\n        numbers[ : -1]  # the last\n    )\n\n\n"),
    (CHECK, '"distance", distance(', "'distance', distance("),
    (CHECK, '\n\n\n@wholeness.counter_example("one_half"', '\n@wholeness.counter_example("one_half"'),
    (SCALE, "SCALE = 1.0\n", "# scaled?\n\nSCALE = \\\n    1.0   \n'''No.'''\n"),
    (LOADING, "Numbers = list[float]\n", 'Numbers = list[float]\n"""Of one file."""\n'),
    (BUILDING, '"""Build."""', "'''Write\n    it.'''"),
    (TOML, "[subjects.far-away]", "# a comment\n\n[subjects.far-away]"),
    (TOML, "with = {times = 2}", "with = { times = 2 }  # twice"),
    (TOML, '"cp FAR data/far-away.txt"', '"ask"'),
    (CONTRACT, "description: numbers", "description: other numbers"),
    (CONTRACT, "version: 1.0.0", "version: 1.0.1\n  changelog: [more]"),
    (CONTRACT, "  ship_blocking: true", "  discharge_status: DISCHARGED\n  covers: [A-1]"),
    (CONTRACT, "<= 0.25", "<=  0.250"),
    (
        CONTRACT,
        "    memory: 256 MiB\n    timeout: 20 s",
        "    timeout: '20 s'  # enough\n    memory: 0.25 GiB",
    ),
    (CONTRACT, "  rule: The", "  description: The"),
    (CONTRACT, "if_fails: the numbers were", "if_fails: >-\n    the numbers\n    were"),
    (CONTRACT, "  - one_half\n  - one_missing\n", "  - one_missing\n  - one_half\n"),
)
DECIDING: tuple[tuple[str, str, str, str], ...] = (
    (CHECK, "(number), label", "(number) + 0, label", f"{CHECK} changed"),
    (CHECK, "0.5]", "1.5]", f"{CHECK} changed"),
    (CHECK, "spare", "sparse", f"{CHECK} changed"),
    (SCALE, "1.0", "1.5", f"{SCALE} changed"),
    ("small_checks/distance.py", "abs(number", "abs(0 + number", "small_checks/distance.py changed"),
    (LOADING, "float(line)", "float(line.strip())", f"{LOADING} changed"),
    (BUILDING, "source * times", "source * times * 1", f"builder {BUILDING} changed"),
    (TOML, "times = 2", "times = 3", "builder argument times 2 → 3 (subject built)"),
    (
        TOML,
        ":twice",
        ":thrice",
        "builder of subject built small_checks.building:twice → small_checks.building:thrice",
    ),
    (TOML, "built.txt", "other.txt", "path of subject built built.txt → other.txt"),
    (CONTRACT, "max(distance)", "min(distance)", "expect line max(distance) <= 0.25 → min(distance) <= 0.25"),
    (
        CONTRACT,
        "distance) == expected",
        "distance) >= expected",
        "expect line count(distance) == expected → ",
    ),
    (CONTRACT, "none lies further", "none lies much further", 'prediction "none lies further'),
    (CONTRACT, "20 s", "21 s", "needs.timeout 20 s → 21 s"),
    (CONTRACT, "copies: 1", "copies: 2", "argument copies 1 → 2"),
    (CONTRACT, "  - one_half\n", "", "counter-example one_half removed"),
)


Original = tuple["Project", Mapping[str, str], dict[str, Any]]


def inputs(project: Project, level: str = "live") -> Inputs:
    return current_inputs(project.load().falsifiers[0], level, project.config())


@pytest.fixture(scope="module")
def original(discharged: Project, tmp_path_factory: pytest.TempPathFactory) -> Original:
    """A project whose live subject is built, its texts, and its inputs as a record has them."""
    project = type(discharged)(tmp_path_factory.mktemp("fresh") / "project")
    (project.root / BUILDING).write_text(BUILDER, encoding="utf-8")
    toml = project.root / TOML
    toml.write_text(toml.read_text(encoding="utf-8") + BUILT, encoding="utf-8")
    roles = {"functional": {"numbers": "stand-in"}, "live": {"numbers": "built"}}
    project.contract(subjects=roles, **{"with": {"copies": 1}})
    names = {name for name, *_ in (*NEUTRAL, *DECIDING)}
    texts = {name: (project.root / name).read_text(encoding="utf-8") for name in names}
    return project, texts, json.loads(json.dumps(inputs(project).to_json()))


def edit(texts: dict[str, str], name: str, old: str, new: str) -> bool:
    """Make an edit; tell whether it found its place."""
    found = texts[name].count(old) == 1
    if found:
        texts[name] = texts[name].replace(old, new)
    return found


@settings(max_examples=60, deadline=None)
@given(
    neutral=st.lists(st.sampled_from(NEUTRAL), unique=True, max_size=8),
    deciding=st.none() | st.sampled_from(DECIDING),
)
def test_both_ways(
    original: Original, neutral: list[tuple[str, str, str]], deciding: tuple[str, str, str, str] | None
) -> None:
    project, whole, recorded = original
    texts = dict(whole)
    if deciding is not None:
        assert edit(texts, *deciding[:3])
    for each in neutral:
        edit(texts, *each)  # where two edits meet in one place, the second is left out
    for name, text in texts.items():
        (project.root / name).write_text(text, encoding="utf-8")
    found = changes(recorded, inputs(project))
    assert len(found) == (deciding is not None)
    assert all(line.startswith(deciding[3] if deciding else "") for line in found)


@pytest.mark.parametrize("each", [*NEUTRAL, *DECIDING])
def test_every_edit_finds_its_place(original: Original, each: tuple[str, ...]) -> None:
    name, old, new = each[:3]
    assert edit(dict(original[1]), name, old, new)


def test_what_is_fresh_is_not_run_again_and_what_is_stale_is(copied: Project) -> None:
    copied.edit(SCALE, "1.0", "1.00")
    before = copied.evidence()
    assert copied.pv("discharge", ID).code == 0
    assert copied.evidence() == before
    copied.edit(CHECK, "(number), label", "(number) + 0, label")
    assert copied.status() == ("STALE", f"{CHECK} changed")
    assert copied.pv("discharge", ID).code == 0
    assert copied.status() == ("DISCHARGED", "judged live")


def test_a_threshold_that_comes_back_makes_evidence_fresh_again(copied: Project) -> None:
    copied.edit(CONTRACT, "0.25", "0.3")
    assert copied.status() == ("STALE", "threshold max(distance) 0.25 → 0.3")
    copied.edit(CONTRACT, "0.3", "0.25")
    assert copied.status()[0] == "DISCHARGED"


BEFORE = Inputs({"id": "A"}, {"a": Module("a.py", "1" * 64)}, SEMANTICS, {})


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ({"semantics": SEMANTICS + 1}, f"the engine's semantics {SEMANTICS} → {SEMANTICS + 1}"),
        ({"modules": {"a": Module("moved/a.py", "1" * 64)}}, None),
        ({"modules": {"b": Module("b.py", "1" * 64)}}, "b.py added; a.py removed"),
        (
            {"modules": {name: Module(f"{name}.py", "2" * 64) for name in "abcdefgh"}},
            "a.py changed; b.py added; c.py added; d.py added; e.py added; f.py added; 2 more files added",
        ),
        ({"artefacts": {"basis.x": "2" * 64}}, None),
    ],
)
def test_other_changes_are_named(now: dict[str, Any], said: str | None) -> None:
    before = dataclasses.replace(BEFORE, artefacts={"basis.x": "1" * 64} if "artefacts" in now else {})
    found = changes(before.to_json(), dataclasses.replace(before, **now))
    if "artefacts" in now:
        said = f"evidence of basis.x {'1' * 8}… → {'2' * 8}…"
    assert "; ".join(found) == (said or "")


def test_digests_that_begin_alike_are_shown_whole() -> None:
    def using(sha256: str) -> Inputs:
        return dataclasses.replace(BEFORE, artefacts={"x": sha256}, used={"x": Used("s", "a:b")})

    old, new = "1" * 64, "1" * 63 + "2"
    assert changes(using(old).to_json(), using(new)) == (f"subject s: sha256 {old} → {new}",)


def test_a_chain_of_builds_is_followed_to_what_changed() -> None:
    def built(times: int, pin: str) -> Inputs:
        inner = Build("inner", "source", pin, "b:make", (("b", "2" * 64),), {"times": times}, "x", None)
        outer = Build("outer", "inner", inner.key, "b:twin", (("b", "2" * 64),), {}, "y", inner)
        return Inputs(
            {"id": "A"},
            {"b": Module("b.py", "2" * 64)},
            SEMANTICS,
            {"x": outer.key},
            {"x": Used("outer", "b:open")},
            {"inner": inner, "outer": outer},
        )

    recorded = copy.deepcopy(built(2, "1" * 64).to_json())
    assert changes(recorded, built(2, "1" * 64)) == ()
    assert changes(recorded, built(3, "1" * 64)) == ("builder argument times 2 → 3 (subject inner)",)
    assert changes(recorded, built(2, "3" * 64)) == (f"subject source: sha256 {'1' * 8}… → {'3' * 8}…",)

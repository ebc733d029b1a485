from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pv_runtime.checks.architectures import foreign_families, published_shape, stated_fields
from pv_runtime.formats import open_checkpoint
from pv_runtime.presets import PRESETS

Series = dict[str, list[Any]]
Measure = Callable[..., Series]
SHIPPED = Path(__file__).parents[3] / "models" / "tiny-qwen2"
PUBLISHED = dataclasses.asdict(PRESETS["qwen2.5-0.5b"])


def test_a_preset_as_published_differs_in_nothing(measure: Measure) -> None:
    run = measure(published_shape, {}, preset="qwen2.5-0.5b", published=PUBLISHED)
    assert (run["fields"], run["differing"]) == ([13], [0] * 13)


def test_a_field_that_the_contract_leaves_out_differs(measure: Measure) -> None:
    published = {key: value for key, value in PUBLISHED.items() if key != "rope_theta"}
    assert sum(measure(published_shape, {}, preset="qwen2.5-0.5b", published=published)["differing"]) == 1


@pytest.mark.parametrize("preset", ["qwen2.5-0.5b", "llama-370m"])
@pytest.mark.parametrize("name", list(published_shape.counter_examples))
def test_a_preset_that_differs_is_seen(measure: Measure, name: str, preset: str) -> None:
    published = dataclasses.asdict(PRESETS[preset])
    assert sum(measure(published_shape, {}, name, preset=preset, published=published)["differing"]) >= 1


def failing(run: Series) -> set[str]:
    """The quantities of FALSIFY-APR-PRETRAIN-ARCH-003 that are not zero."""
    assert (run["formats"], run["deleted"], run["altered"]) == ([3], [28], [26])
    return {name for name in ("differing_formats", "assumed", "unnamed", "overlooked") if sum(run[name]) > 0}


def test_no_field_is_assumed_and_none_overlooked(measure: Measure) -> None:
    assert failing(measure(stated_fields, {"model": open_checkpoint(SHIPPED)})) == set()


@pytest.mark.parametrize(
    ("name", "seen_by"),
    [
        ("epsilon_assumed", {"assumed"}),
        ("context_assumed", {"assumed"}),
        ("family_assumed", {"assumed"}),
        ("constants_of_one_model", {"overlooked"}),
        ("another_format_read_otherwise", {"differing_formats"}),
    ],
)
def test_each_assumption_is_seen_by_the_lines_that_can(
    measure: Measure, name: str, seen_by: set[str]
) -> None:
    assert failing(measure(stated_fields, {"model": open_checkpoint(SHIPPED)}, name)) == seen_by


@pytest.mark.parametrize(
    ("name", "seen_by"),
    [
        (None, set()),
        ("family_ignored", {"accepted"}),
        ("refused_without_a_name", {"unnamed"}),
        ("refuses_everything", {"own_refused"}),
    ],
)
def test_foreign_families_are_refused_by_name(measure: Measure, name: str | None, seen_by: set[str]) -> None:
    model = open_checkpoint(SHIPPED)
    run = measure(foreign_families, {"model": model}, name, families=["bert", "t5", "mamba"])
    assert {key for key in ("accepted", "unnamed", "own_refused") if sum(run[key]) > 0} == seen_by

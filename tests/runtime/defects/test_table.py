from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from pv_runtime.defects.harmless import HARMLESS, Harmless
from pv_runtime.defects.planted import DEFECTS, Defect
from pv_runtime.defects.table import lines, rows
from pv_runtime.formats import Checkpoint, open_checkpoint

MODEL = Path(__file__).parents[3] / "models/tiny-qwen2-7to1"


@pytest.fixture(scope="module")
def trained() -> Checkpoint:
    return open_checkpoint(str(MODEL))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # small products gain nothing from more
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda each: each.name)
def test_a_defect_is_named(trained: Checkpoint, defect: Defect) -> None:
    (row,) = rows(trained, [defect], [])
    assert row.found == row.planted
    assert row.hit


@pytest.mark.parametrize("change", HARMLESS, ids=lambda each: each.name)
def test_nothing_is_reported_of_a_harmless_change(trained: Checkpoint, change: Harmless) -> None:
    (row,) = rows(trained, [], [change])
    assert row.found is None
    assert row.hit


def test_the_table_says_what_was_missed(trained: Checkpoint) -> None:
    real = next(each for each in DEFECTS if each.name == "wrong rope base")
    wrong = Defect("claimed of another stage", real.plant, "attention", 3, "scaled")
    found = list(rows(trained, [wrong], []))
    text = "\n".join(lines(found))
    assert not found[0].hit
    assert "MISS" in text
    assert "wanted: attention of layer 3: scaled" in text
    assert "0 of 1 defects named" in text


def test_the_list_is_the_one_that_was_asked_for() -> None:
    names = " ".join(each.name for each in DEFECTS)
    for words in (
        "transposed square weight", "transposed lm_head", "gate and up", "q and k swapped", "head mapping",
        "K and V repeated", "interleaved", "rope base", "positions off by one", "causal mask", "stale",
        "missing bias", "doubled bias", "eps", "norm weight off by one", "tied head", "wrong operand",
        "residual dropped", "layer skipped", "Q4_K block", "Q5_K bytes", "one NaN", "fp16 overflow",
        "wrong axis", "wrong token",
    ):  # fmt: skip
        assert words in names
    assert len(DEFECTS) >= 24
    assert len(HARMLESS) == 5

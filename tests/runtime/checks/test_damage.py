from __future__ import annotations

from pathlib import Path

import pytest
from pv_runtime.checks import damage
from pv_runtime.formats import Checkpoint, Overlay, open_checkpoint
from pv_runtime.formats.quantised import quantised_view
from pv_runtime.quant import Scheme, scheme_named
from pv_runtime.quant.scheme import Bytes, Floats

from pv.check import CheckError


@pytest.fixture(scope="module")
def plain(model_folder: Path) -> Checkpoint:
    model = open_checkpoint(model_folder)
    kept = [f"model.layers.{layer}.self_attn.k_proj.weight" for layer in (0, 1)]
    return Overlay(model, drop=[name for name in model.names() if name not in kept])


def test_a_defect_that_cannot_be_planted_is_an_error(plain: Checkpoint) -> None:
    with pytest.raises(CheckError, match="no tensor in a block format"):
        damage.first_quantised(plain)
    one = damage.without_last(plain)
    with pytest.raises(CheckError, match="exchange"):
        damage.with_exchanged(one)


def test_an_edit_that_changes_nothing_is_planted_for_the_verdict_to_miss(plain: Checkpoint) -> None:
    view = quantised_view(plain, scheme_named("q8_0"))

    def harmless(block: Bytes, scheme: Scheme) -> Bytes:
        del scheme
        return block

    damaged = damage.edit_block(view, harmless)
    assert all((damaged.raw(name) == view.raw(name)).all() for name in view.names())


def test_blocks_in_which_nothing_shows_are_passed_over(plain: Checkpoint) -> None:
    """With all but the first block zero, the defect goes into the first block."""

    def mostly_zero(values: Floats) -> Floats:
        flat = values.reshape(-1)
        flat[32:] = 0
        return values

    zeroed = damage.replaced_values(plain, plain.names(), mostly_zero, "F16")
    view = quantised_view(zeroed, scheme_named("q8_0"))

    def double(block: Bytes, scheme: Scheme) -> Bytes:
        block[scheme.scale[1]] ^= 0x04
        return block

    changed = damage.edit_block(view, double).tensor(view.names()[0]) != view.tensor(view.names()[0])
    assert changed.reshape(-1)[:32].any()
    assert not changed.reshape(-1)[32:].any()

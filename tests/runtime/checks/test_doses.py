from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pv_runtime.checks import doses
from pv_runtime.formats import Checkpoint, FileBytes, Overlay, open_bytes, open_checkpoint

from pv.check import CheckError


@pytest.fixture(scope="module")
def model(model_folder: Path) -> Checkpoint:
    whole = open_checkpoint(model_folder)
    kept = (
        "model.norm.weight",
        "model.layers.0.self_attn.k_proj.weight",
        "model.layers.1.mlp.up_proj.weight",
    )
    return Overlay(whole, drop=[name for name in whole.names() if name not in kept])


def bits(before: Checkpoint, after: Checkpoint) -> int:
    pairs = ((before.raw(name), after.raw(name)) for name in before.names())
    return sum(int(np.unpackbits(a ^ b).sum()) for a, b in pairs)


@pytest.mark.parametrize("amount", [1, 2, 1000])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_as_many_bits_are_turned_as_were_asked_for_and_always_the_same(
    model: Checkpoint, amount: int, place: int
) -> None:
    first, second = (doses.flipped_bits(model, amount, place) for _ in range(2))
    assert bits(model, first) == amount
    assert bits(first, second) == 0


def test_bits_are_turned_in_every_tensor_and_elsewhere_at_another_place(model: Checkpoint) -> None:
    many = doses.flipped_bits(model, 20_000, 0)
    assert all((model.raw(name) != many.raw(name)).any() for name in model.names())
    assert bits(doses.flipped_bits(model, 1, 0), doses.flipped_bits(model, 1, 1)) == 2


def test_one_matrix_is_scaled(model: Checkpoint) -> None:
    scaled = doses.scaled_matrix(model, 0.5, 1)
    changed = [n for n in model.names() if not np.array_equal(model.tensor(n), scaled.tensor(n))]
    assert len(changed) == 1
    assert model.tensor(changed[0]).ndim == 2
    np.testing.assert_array_equal(scaled.tensor(changed[0]), model.tensor(changed[0]) * np.float32(1.5))


@pytest.mark.parametrize("amount", [1, 300])
def test_signs_turn_of_as_many_neighbours(model: Checkpoint, amount: int) -> None:
    negated = doses.negated_elements(model, amount, 0)
    changed = [n for n in model.names() if not np.array_equal(model.tensor(n), negated.tensor(n))]
    assert len(changed) == 1
    before, after = model.tensor(changed[0]).reshape(-1), negated.tensor(changed[0]).reshape(-1)
    places = np.flatnonzero(before != after)
    assert 0 < len(places) <= amount
    assert places[-1] - places[0] < amount
    np.testing.assert_array_equal(after[places], -before[places])


def test_bits_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 40)
    before: FileBytes = open_bytes(path)
    after = doses.flipped_file_bits(before, 3, 0)
    assert after.size == before.size
    assert int(np.unpackbits(before.read(0, before.size) ^ after.read(0, after.size)).sum()) == 3
    path.write_bytes(b"")
    with pytest.raises(CheckError, match="no byte"):
        doses.flipped_file_bits(open_bytes(path), 1, 0)


def test_a_model_without_tensors_cannot_be_damaged(model: Checkpoint) -> None:
    empty = Overlay(model, drop=model.names())
    for damage in (doses.flipped_bits, doses.negated_elements):
        with pytest.raises(CheckError, match="to damage"):
            damage(empty, 1, 0)
    with pytest.raises(CheckError, match="no matrix"):
        doses.scaled_matrix(empty, 0.1, 0)

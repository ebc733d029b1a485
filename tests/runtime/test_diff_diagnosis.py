from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pv_runtime.build import quantised_gguf, twin
from pv_runtime.checks import damage
from pv_runtime.diff import compare, structure
from pv_runtime.diff_diagnosis import diagnosed
from pv_runtime.formats import Checkpoint, Overlay, open_checkpoint
from pv_runtime.formats.overlay import from_values
from pv_runtime.quant import SCHEMES, Scheme
from pv_runtime.quant.scheme import Bytes, Floats

UP = "model.layers.0.mlp.up_proj.weight"
GATE = "model.layers.0.mlp.gate_proj.weight"
UP_1 = "model.layers.1.mlp.up_proj.weight"


@pytest.fixture(scope="module")
def model(model_folder: Path) -> Checkpoint:
    return open_checkpoint(model_folder)


@pytest.fixture(scope="module")
def quantised(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    path = tmp_path_factory.mktemp("quantised") / "q4_k.gguf"
    quantised_gguf(str(model_folder), str(path), scheme="q4_k")
    return open_checkpoint(path)


def words(a: Checkpoint, b: Checkpoint) -> dict[str, str]:
    """All that is said, by tensor, of the pairs that anything is said of."""
    found = compare(structure(a, b), values=True, transpose_aware=False, threshold=0)
    return {each.name: "; ".join(each.diagnosis) for each in diagnosed(found) if each.diagnosis}


def with_values(model: Checkpoint, **values: Floats) -> Checkpoint:
    named = {{"up": UP, "gate": GATE, "up_1": UP_1}[key]: value for key, value in values.items()}
    return Overlay(
        model,
        replace={
            name: from_values(name, value.shape, lambda value=value: value, "F16")  # type: ignore[misc]
            for name, value in named.items()
        },
    )


def test_one_flipped_nibble_is_named(quantised: Checkpoint) -> None:
    def edit(block: Bytes, _: Scheme) -> Bytes:
        block[16 + 37] ^= 0x30  # high nibble of byte 5 of the second group of 64: sub-block 3, element 5
        return block

    damaged = damage.edit_block(quantised, edit)
    said = words(quantised, damaged)
    assert len(said) == 1
    ((name, text),) = said.items()
    raw_a, raw_b = quantised.raw(name), damaged.raw(name)
    byte = int(np.flatnonzero(raw_a != raw_b)[0])
    block = byte // 144
    rows = quantised.info(name).shape[1]
    element = block * 256 + 64 + 32 + 5
    assert f"one nibble differs in block {block}: byte 53 of 144 (codes)" in text
    assert f"1 element(s), first [{element // rows}, {element % rows}]" in text


@pytest.mark.parametrize(("byte", "role"), [(0, "the block's scale"), (5, "sub-block scales")])
def test_a_changed_scale_is_named(quantised: Checkpoint, byte: int, role: str) -> None:
    def edit(block: Bytes, _: Scheme) -> Bytes:
        block[byte] ^= 1
        return block

    (text,) = words(quantised, damage.edit_block(quantised, edit)).values()
    assert "one bit differs in block" in text
    assert role in text


def test_damage_is_named_beside_an_fp16_twin(quantised: Checkpoint, tmp_path: Path) -> None:
    def edit(block: Bytes, _: Scheme) -> Bytes:
        block[20] ^= 1
        return block

    twin(quantised.path, str(tmp_path / "model.safetensors"))
    published = open_checkpoint(tmp_path)
    damaged = damage.edit_block(quantised, edit)
    different = [
        name for name in quantised.names() if not np.array_equal(quantised.raw(name), damaged.raw(name))
    ]
    said = words(damaged, published)[different[0]]
    assert f"1 of {quantised.info(different[0]).elements} elements differ, first [" in said
    assert "in block" in said


def test_two_tensors_swapped(model: Checkpoint, quantised: Checkpoint) -> None:
    swapped = with_values(model, up=model.tensor(GATE), gate=model.tensor(UP))
    for reference in (model, quantised):
        said = words(reference, swapped)
        assert f"swapped with {GATE}" in said[UP]
        assert f"swapped with {UP}" in said[GATE]
        assert not any(
            "swapped" in text or "under" in text for name, text in said.items() if name not in {UP, GATE}
        )


def test_values_under_a_third_name(model: Checkpoint) -> None:
    rotated = with_values(model, up=model.tensor(GATE), gate=model.tensor(UP_1), up_1=model.tensor(UP))
    said = words(model, rotated)
    assert said[UP] == f"b holds these values under {UP_1}"
    assert said[GATE] == f"b holds these values under {UP}"
    assert said[UP_1] == f"b holds these values under {GATE}"


def test_unrelated_values_are_not_called_swapped(model: Checkpoint) -> None:
    generator = np.random.default_rng(0)
    shape = model.info(UP).shape
    noise = {key: generator.standard_normal(shape).astype(np.float32) for key in ("up", "gate")}
    assert words(model, with_values(model, **noise)) == {}


def test_multiples_zeros_and_what_is_not_finite(model: Checkpoint) -> None:
    up = model.tensor(UP)
    assert words(model, with_values(model, up=up * np.float32(2)))[UP] == "b is a times 2"
    assert "b is a times -1: the sign is turned" in words(model, with_values(model, up=-up))[UP]
    assert words(model, with_values(model, up=up * 0))[UP] == "b is zero in every element"
    assert words(with_values(model, up=up * 0), model)[UP] == "a is zero in every element"
    broken = up.copy()
    broken[0, :3] = np.inf
    assert (
        words(model, with_values(model, up=broken))[UP] == f"3 of {up.size} elements of b are NaN or infinite"
    )


def test_few_elements_are_placed(model: Checkpoint) -> None:
    up = model.tensor(UP).copy()
    up[7, 9] += 1
    up[8, 1] += 1
    assert words(model, with_values(model, up=up)) == {UP: f"2 of {up.size} elements differ, first [7, 9]"}


def test_every_block_format_names_its_damage(model: Checkpoint) -> None:
    for scheme in SCHEMES.values():
        raw = scheme.quantise(model.tensor(UP).reshape(-1))
        changed = raw.copy()
        changed[5 * scheme.block_bytes + scheme.codes[3]] ^= 2
        from pv_runtime.formats import LazyTensor, TensorInfo

        info = TensorInfo(UP, scheme.name, model.info(UP).shape, raw.nbytes)
        a = Overlay(model, replace={UP: LazyTensor(info, lambda raw=raw: raw)})  # type: ignore[misc]
        b = Overlay(model, replace={UP: LazyTensor(info, lambda raw=changed: raw)})  # type: ignore[misc]
        assert words(a, b)[UP].startswith("one bit differs in block 5")

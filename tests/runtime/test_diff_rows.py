from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pv_runtime.diff import Comparison, compare, structure
from pv_runtime.diff_diagnosis import diagnosis
from pv_runtime.diff_rows import other_order
from pv_runtime.formats import Checkpoint, LazyTensor, Overlay, TensorInfo, open_checkpoint
from pv_runtime.formats.gguf_writer import write_gguf
from pv_runtime.formats.overlay import from_values
from pv_runtime.formats.safetensors import write_safetensors
from pv_runtime.quant import SCHEMES
from pv_runtime.quant.scheme import Floats
from pv_runtime.rope_rows import interleave, separate

Q, K, V = (f"model.layers.0.self_attn.{part}_proj.weight" for part in "qkv")
BIAS = "model.layers.0.self_attn.q_proj.bias"
HEADS, KV_HEADS, SIZE, HIDDEN = 4, 2, 64, 256
LLAMA = {"general.architecture": "llama", "llama.attention.head_count": 4, "llama.attention.head_count_kv": 2}


@pytest.fixture(scope="module")
def values() -> dict[str, Floats]:
    generator = np.random.default_rng(3)
    shapes = {Q: (HEADS * SIZE, HIDDEN), K: (KV_HEADS * SIZE, HIDDEN), V: (KV_HEADS * SIZE, HIDDEN)}
    found = {name: generator.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    return {**found, BIAS: generator.standard_normal(HEADS * SIZE).astype(np.float32)}


def interleaved(values: dict[str, Floats], *names: str) -> dict[str, Floats]:
    moved = dict(values)
    for name in names:
        value = values[name]
        heads = KV_HEADS if name == K else HEADS
        raw = interleave(np.ascontiguousarray(value).reshape(-1).view(np.uint8), value.shape[0], heads)
        moved[name] = raw.view(np.float32).reshape(value.shape)
    return moved


def written(values: dict[str, Floats], path: Path, metadata: dict[str, object] | None = None) -> Checkpoint:
    tensors = [
        from_values(name, value.shape, lambda value=value: value, "F32")  # type: ignore[misc]
        for name, value in values.items()
    ]
    pairs = [(tensor.info, tensor.raw) for tensor in tensors]
    if metadata is None:
        write_safetensors(str(path), pairs)
    else:
        write_gguf(str(path), pairs, metadata)
    return open_checkpoint(path)


def compared(a: Checkpoint, b: Checkpoint) -> tuple[dict[str, Comparison], list[str]]:
    found = structure(a, b)
    results, said = diagnosis(compare(found, values=True, transpose_aware=False, threshold=0), found)
    return {each.name: each for each in results}, said


def test_what_the_format_interleaves_is_compared_in_one_order(
    values: dict[str, Floats], tmp_path: Path
) -> None:
    plain = written(values, tmp_path / "a")
    llama = written(interleaved(values, Q, K, BIAS), tmp_path / "b", LLAMA)
    for a, b in ((plain, llama), (llama, plain)):
        results, said = compared(a, b)
        assert {each.status for each in results.values()} == {"identical"}
        assert said == []
        notes = " ".join(structure(a, b).notes)
        assert f"the 3 tensors of {'b' if b is llama else 'a'} were brought into" in notes


def test_rows_of_the_other_order_are_named_on_their_side(values: dict[str, Floats], tmp_path: Path) -> None:
    """Without heads in any metadata: the sizes that heads have in published models are tried."""
    plain = written(values, tmp_path / "a")
    other = written(interleaved(values, Q, K, BIAS), tmp_path / "b")
    for a, b, side in ((plain, other, "b"), (other, plain, "a")):
        results, said = compared(a, b)
        for name in (Q, K, BIAS):
            assert (results[name].status, results[name].layout) == ("beyond_threshold", "interleaved")
            (text,) = results[name].diagnosis
            assert text.startswith(f"rows of query and key lie in GGUF's interleaved order in {side}")
            assert text.endswith("all values are equal then")
        assert results[V].status == "identical"
        assert len(said) == 1
        assert said[0].endswith("(3 tensors)")


def test_a_llama_whose_rows_were_not_interleaved(values: dict[str, Floats], tmp_path: Path) -> None:
    """An importer that ignores the order: the names and shapes are right, and the model speaks nonsense."""
    plain = written(values, tmp_path / "a")
    wrong = written(values, tmp_path / "b", LLAMA)
    for a, b, side in ((plain, wrong, "b"), (wrong, plain, "a")):
        results, said = compared(a, b)
        assert not results[Q].accepted
        assert f"Hugging Face's order in {side}, whose format interleaves them" in results[Q].diagnosis[0]
        assert len(said) == 1


def test_beside_a_block_format(values: dict[str, Floats], tmp_path: Path) -> None:
    plain = written(values, tmp_path / "a")
    raw = SCHEMES["Q4_K"].quantise(interleaved(values, Q)[Q].reshape(-1))
    info = TensorInfo(Q, "Q4_K", values[Q].shape, raw.nbytes)
    results, _ = compared(plain, Overlay(plain, replace={Q: LazyTensor(info, lambda: raw)}))
    assert "interleaved order in b" in results[Q].diagnosis[0]
    assert "relative L2 0.07" in results[Q].diagnosis[0]


def test_other_differences_are_not_called_an_order(values: dict[str, Floats], tmp_path: Path) -> None:
    plain = written(values, tmp_path / "a")
    noise = np.random.default_rng(9).standard_normal(values[Q].shape).astype(np.float32)
    for changed in (noise, values[Q] * np.float32(2), np.roll(values[Q], 1, axis=0), values[Q] * 0):
        results, said = compared(plain, written({**values, Q: changed}, tmp_path / "b"))
        assert not any("order" in text for text in results[Q].diagnosis)
        assert results[Q].layout == "same"
        assert said == []
    results, _ = compared(plain, written({**values, V: interleaved({Q: values[V]}, Q)[Q]}, tmp_path / "c"))
    assert results[V].layout == "same"  # values of attention are not rotated


@settings(max_examples=40, deadline=None)
@given(
    heads=st.integers(1, 6), half=st.integers(2, 9), columns=st.integers(4, 12), side=st.sampled_from("ab")
)
def test_any_heads_of_any_size(heads: int, half: int, columns: int, side: str) -> None:
    """A head of two pairs reads the same both ways: then either side may be named."""
    rows = heads * half * 2
    value = np.random.default_rng(rows).standard_normal((rows, columns)).astype(np.float32)
    raw = value.reshape(-1).view(np.uint8)
    info = TensorInfo(Q, "F32", (rows, columns), raw.nbytes)
    plain = LazyTensor(info, lambda: raw)
    moved = LazyTensor(info, functools.partial(interleave, raw, rows, heads))
    a, b = (plain, moved) if side == "b" else (moved, plain)
    found = other_order(Q, a, b, (heads, heads))
    assert found is not None
    assert found[1:] == (True, 0.0)
    assert found[0] == side or np.array_equal(interleave(raw, rows, heads), separate(raw, rows, heads))


def test_rows_that_do_not_divide_are_left_alone(values: dict[str, Floats], tmp_path: Path) -> None:
    odd = {**LLAMA, "llama.attention.head_count": 7, "llama.attention.head_count_kv": 3}
    found = structure(written(values, tmp_path / "a"), written(values, tmp_path / "b", odd))
    assert found.reordered is None

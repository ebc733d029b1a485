from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pv_runtime.build import quantised_gguf, twin
from pv_runtime.diff import Comparison, compare, structure, worst_first
from pv_runtime.errors import LoadError
from pv_runtime.formats import Checkpoint, LazyTensor, Overlay, TensorInfo, open_checkpoint
from pv_runtime.formats.overlay import from_values
from pv_runtime.formats.safetensors import write_safetensors
from pv_runtime.quant.scheme import Floats

Q_PROJ = "model.layers.0.self_attn.q_proj.weight"
DOWN = "model.layers.0.mlp.down_proj.weight"
UP = "model.layers.0.mlp.up_proj.weight"


@pytest.fixture(scope="module")
def model(model_folder: Path) -> Checkpoint:
    return open_checkpoint(model_folder)


@pytest.fixture(scope="module")
def quantised(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    path = tmp_path_factory.mktemp("quantised") / "q4_k.gguf"
    quantised_gguf(str(model_folder), str(path), scheme="q4_k")
    return open_checkpoint(path)


def f16(name: str, values: Floats) -> LazyTensor:
    return from_values(name, values.shape, lambda: values, "F16")


def compared(
    a: Checkpoint, b: Checkpoint, *, transpose_aware: bool = False, threshold: float = 0.0
) -> dict[str, Comparison]:
    found = structure(a, b)
    results = compare(found, values=True, transpose_aware=transpose_aware, threshold=threshold)
    assert [each.name for each in results] == [name for name, _, _ in found.pairs]
    return {each.name: each for each in results}


def test_a_file_and_itself(model: Checkpoint) -> None:
    results = compared(model, model)
    assert len(results) == len(model.names())
    assert {each.status for each in results.values()} == {"identical"}


def test_a_quantised_file_pairs_up_by_name_and_shape(model: Checkpoint, quantised: Checkpoint) -> None:
    found = structure(model, quantised)
    assert (found.only_a, found.only_b) == ((), ())
    assert any("innermost first" in note for note in found.notes)
    results = compared(model, quantised)
    assert {each.layout for each in results.values()} == {"same"}
    matrices = set(model.matrices())
    assert all(results[name].status == "beyond_threshold" for name in matrices)
    assert all(results[name].status == "identical" for name in results.keys() - matrices)
    assert all(each.accepted for each in compared(model, quantised, threshold=0.1).values())


def test_a_twin_is_equal_after_rounding(quantised: Checkpoint, tmp_path: Path) -> None:
    twin(quantised.path, str(tmp_path / "model.safetensors"))
    results = compared(quantised, open_checkpoint(tmp_path))
    assert {each.status for each in results.values()} == {"equal_after_rounding", "identical"}


def test_extras_of_either_side(model: Checkpoint) -> None:
    fewer = Overlay(model, drop=[UP])
    extra = Overlay(model, add={"odd": f16("odd", np.ones((2, 2), np.float32))})
    assert [info.name for info in structure(model, fewer).only_a] == [UP]
    assert [info.name for info in structure(fewer, model).only_b] == [UP]
    assert [info.name for info in structure(model, extra).only_b] == ["odd"]
    assert structure(model, extra, "mlp").only_b == ()


def test_names_are_normalised_and_may_not_meet(model: Checkpoint) -> None:
    renamed = Overlay(
        model, drop=[UP], add={"blk.0.ffn_up.weight": f16("blk.0.ffn_up.weight", model.tensor(UP))}
    )
    assert compared(model, renamed)[UP].status == "identical"
    both = Overlay(model, add={"blk.0.ffn_up.weight": f16("blk.0.ffn_up.weight", model.tensor(UP))})
    with pytest.raises(LoadError, match="two tensors are named"):
        structure(model, both)


@pytest.mark.parametrize("kind", ["weight", "bias"])
def test_a_fused_projection_is_split_by_rows(model: Checkpoint, kind: str) -> None:
    names = [f"model.layers.0.self_attn.{part}_proj.{kind}" for part in "qkv"]
    fused = f"model.layers.0.self_attn.qkv_proj.{kind}"
    joined = np.concatenate([model.tensor(name) for name in names])
    view = Overlay(model, drop=names, add={fused: f16(fused, joined)})
    for a, b in ((model, view), (view, model)):
        found = structure(a, b)
        assert (found.only_a, found.only_b) == ((), ())
        assert any("split by rows" in note for note in found.notes)
        assert {each.status for each in compared(a, b).values()} == {"identical"}
    short = Overlay(model, drop=names, add={fused: f16(fused, joined[:-1])})
    assert {info.name for info in structure(model, short).only_a} == set(names)


def transposed(model: Checkpoint, name: str, *, relabelled: bool) -> Checkpoint:
    """The tensor with its data transposed, under the shape that says so or under the old one."""
    values = np.ascontiguousarray(model.tensor(name).T)
    if not relabelled:
        values = values.reshape(model.info(name).shape)
    return Overlay(model, replace={name: f16(name, values)})


def test_dims_in_the_other_order_are_a_convention(model: Checkpoint) -> None:
    shape = model.info(UP).shape[::-1]
    flat = functools.partial(lambda: model.tensor(UP).reshape(shape))
    relabelled = Overlay(model, replace={UP: from_values(UP, shape, flat, "F16")})
    result = compared(model, relabelled)[UP]
    assert (result.status, result.layout) == ("identical", "convention")
    assert "convention, not a defect" in result.diagnosis[0]


@pytest.mark.parametrize("aware", [False, True])
def test_transposed_data_with_its_shape(model: Checkpoint, aware: bool) -> None:
    result = compared(model, transposed(model, UP, relabelled=True), transpose_aware=aware)[UP]
    assert result.layout == "transposed"
    assert result.status == ("identical" if aware else "transposed")
    assert result.figures is not None
    assert result.figures.equal == result.figures.elements
    assert "physically transposed" in result.diagnosis[0]


@pytest.mark.parametrize("aware", [False, True])
def test_a_square_matrix_transposed_is_never_accepted(model: Checkpoint, aware: bool) -> None:
    result = compared(model, transposed(model, Q_PROJ, relabelled=False), transpose_aware=aware)[Q_PROJ]
    assert (result.status, result.layout, result.accepted) == ("transposed", "transposed", False)
    assert "only the bytes tell" in result.diagnosis[0]


def test_a_transpose_beside_a_block_format(model: Checkpoint, quantised: Checkpoint) -> None:
    for a, b in (
        (transposed(model, Q_PROJ, relabelled=False), quantised),
        (quantised, transposed(model, UP, relabelled=True)),
    ):
        name = Q_PROJ if b is quantised else UP
        result = compared(a, b)[name]
        assert result.status == "transposed"
        assert result.figures is not None
        assert 0.02 < result.figures.relative_l2 < 0.12


def test_a_symmetric_matrix_is_not_transposed(model: Checkpoint) -> None:
    values = model.tensor(Q_PROJ)
    symmetric = (values + values.T) * np.float32(0.5)
    base = Overlay(model, replace={Q_PROJ: f16(Q_PROJ, symmetric)})
    other = Overlay(model, replace={Q_PROJ: f16(Q_PROJ, symmetric * np.float32(1.01))})
    assert compared(base, other)[Q_PROJ].status == "beyond_threshold"


def test_other_shapes_are_a_mismatch(model: Checkpoint) -> None:
    generator = np.random.default_rng(0)
    for shape in ((3, 5), model.info(UP).shape[::-1], (model.info(UP).elements,)):
        values = generator.standard_normal(shape).astype(np.float32)
        result = compared(model, Overlay(model, replace={UP: f16(UP, values)}))[UP]
        assert (result.status, result.accepted) == ("shape_mismatch", False)


def test_without_values_shapes_are_compared_alone(model: Checkpoint) -> None:
    view = transposed(model, UP, relabelled=True)
    results = compare(structure(model, view), values=False, transpose_aware=False, threshold=0)
    assert {each.name: each.status for each in results if not each.accepted} == {UP: "shape_mismatch"}


def test_what_is_not_decoded_is_compared_as_bytes(model: Checkpoint) -> None:
    def eight(fill: int, dtype: str = "F8_E4M3") -> Checkpoint:
        raw = LazyTensor(TensorInfo("e", dtype, (4, 4), 16), lambda: np.full(16, fill, np.uint8))
        return Overlay(model, add={"e": raw})

    assert compared(eight(1), eight(1))["e"].status == "identical"
    assert compared(eight(1), eight(2))["e"].status == "bytes_differ"
    assert compared(eight(1), eight(1, "F8_E5M2"))["e"].status == "not_comparable"


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (1,), (1, 1), (2, 3, 4), (1, 256), (256, 1)])
@pytest.mark.parametrize("dtype", ["F32", "F16", "F64", "I64"])
def test_every_shape_and_plain_dtype(model: Checkpoint, shape: tuple[int, ...], dtype: str) -> None:
    kind = {"F32": "<f4", "F16": "<f2", "F64": "<f8", "I64": "<i8"}[dtype]
    values = np.arange(np.prod(shape, dtype=int), dtype=np.float64).reshape(shape) + 1

    def holding(stored: NDArray[np.float64]) -> Checkpoint:
        raw = np.ascontiguousarray(stored.astype(kind)).reshape(-1).view(np.uint8)
        return Overlay(model, add={"t": LazyTensor(TensorInfo("t", dtype, shape, raw.nbytes), lambda: raw)})

    assert compared(holding(values), holding(values))["t"].status == "identical"
    if values.size:
        other = compared(holding(values), holding(values + 1))["t"]
        assert other.status == ("beyond_threshold" if dtype in {"F32", "F16"} else "bytes_differ")
        assert not other.accepted


def test_a_value_that_is_not_finite_is_never_accepted(model: Checkpoint) -> None:
    values = model.tensor(UP).copy()
    values[1, 2] = np.nan
    broken = Overlay(model, replace={UP: f16(UP, values)})
    assert compared(broken, broken, threshold=1e9)[UP].status == "not_finite"


def test_the_worst_comes_first(model: Checkpoint) -> None:
    nan = np.full(model.info(DOWN).shape, np.nan, np.float32)
    view = Overlay(
        model,
        replace={
            DOWN: f16(DOWN, nan),
            UP: f16(UP, model.tensor(UP) * np.float32(1.5)),
            Q_PROJ: f16(Q_PROJ, np.ones((3, 3), np.float32)),
            "model.norm.weight": f16("model.norm.weight", model.tensor("model.norm.weight") * np.float32(3)),
        },
    )
    ordered = [each.name for each in worst_first(compared(model, view).values())]
    assert ordered[:4] == [Q_PROJ, DOWN, "model.norm.weight", UP]


def test_a_fused_projection_without_rows_is_not_split(tmp_path: Path) -> None:
    layer = "model.layers.0.self_attn."
    for path, parts in (("a", ["qkv"]), ("b", ["q", "k", "v"])):
        empty = [
            from_values(f"{layer}{part}_proj.weight", (0, 4), lambda: np.zeros((0, 4), np.float32), "F32")
            for part in parts
        ]
        write_safetensors(str(tmp_path / path), [(each.info, each.raw) for each in empty])
    found = structure(open_checkpoint(tmp_path / "a"), open_checkpoint(tmp_path / "b"))
    assert [info.name for info in found.only_a] == [f"{layer}qkv_proj.weight"]
    assert len(found.only_b) == 3

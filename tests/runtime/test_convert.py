from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import gguf
import numpy as np
import pytest
from pv_runtime.compare import relative_rmse
from pv_runtime.convert import QUANTISATIONS, convert, fitting, planned_types
from pv_runtime.errors import LoadError, QuantisationError
from pv_runtime.export import export
from pv_runtime.formats import Checkpoint, LazyTensor, Overlay, TensorInfo, open_checkpoint
from pv_runtime.formats.overlay import from_values
from pv_runtime.names import hf_name
from pv_runtime.provenance import file_sha256
from pv_runtime.quant import SCHEMES
from pv_runtime.quant.scheme import Floats

ROOT = Path(__file__).parents[2]
UP = "model.layers.0.mlp.up_proj.weight"
BOUNDS = {
    "q4_k": 0.09,
    "q4_k_m": 0.09,
    "q5_k": 0.05,
    "q6_k": 0.025,
    "q8_0": 0.008,
    "f16": 0,
    "bf16": 0.004,
    "f32": 0,
}


@pytest.fixture(scope="module")
def model(model_folder: Path) -> Checkpoint:
    return open_checkpoint(model_folder)


@pytest.mark.parametrize("quantisation", QUANTISATIONS)
def test_every_type_is_near_its_source_and_read_by_a_peer(
    model: Checkpoint, quantisation: str, tmp_path: Path
) -> None:
    path = tmp_path / "out.gguf"
    done = convert(model, str(path), quantisation)
    assert done.fallbacks == ()
    written = open_checkpoint(path)
    assert set(written.names()) == set(model.names())
    assert written.metadata["pv.derived_from.sha256"] == file_sha256(model.path)
    assert '"quantize":"' + quantisation in str(written.metadata["pv.derived_from.options"])
    assert written.metadata["general.file_type"] == QUANTISATIONS[quantisation][1]
    peers = {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}
    assert len(peers) == len(model.names())
    for name in model.names():
        values, found = model.tensor(name), written.tensor(name)
        if name in model.matrices():
            assert relative_rmse(values, found) <= BOUNDS[quantisation]
        else:
            assert written.info(name).dtype == "F32"
            assert np.array_equal(values, found)
    peer = peers["blk.0.ffn_up.weight"]
    decoded = gguf.quants.dequantize(peer.data, peer.tensor_type).reshape(model.info(UP).shape)
    assert np.array_equal(decoded, written.tensor(UP))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_bytes_are_the_schemes(model: Checkpoint, scheme: str, tmp_path: Path) -> None:
    convert(model, str(tmp_path / "out.gguf"), scheme.lower())
    found = open_checkpoint(tmp_path / "out.gguf").raw(UP)
    assert np.array_equal(found, SCHEMES[scheme].quantise(model.tensor(UP).reshape(-1)))


def test_the_same_input_gives_the_same_bytes(model: Checkpoint, tmp_path: Path) -> None:
    for name in ("a", "b"):
        convert(model, str(tmp_path / name), "q4_k_m")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def shaped(layers: int, *, tied: bool) -> Checkpoint:
    """A model without data, for its names."""
    model = open_checkpoint(ROOT / "models/tiny-qwen2")
    names = [
        f"model.layers.{layer}.{part}.weight"
        for layer in range(layers)
        for part in ("self_attn.q_proj", "self_attn.v_proj", "mlp.down_proj", "mlp.up_proj")
    ]
    names += ["model.embed_tokens.weight"] if tied else ["model.embed_tokens.weight", "lm_head.weight"]
    add = {name: from_values(name, (4, 256), lambda: np.zeros((4, 256), np.float32), "F16") for name in names}
    return Overlay(Overlay(model, drop=model.names()), add=add)


@pytest.mark.parametrize("tied", [False, True])
def test_the_mix_spends_bits_where_llama_cpp_does(tied: bool) -> None:
    types = planned_types(shaped(28, tied=tied), "q4_k_m", 28, tied=tied)
    more = {layer for layer in range(28) if types[f"model.layers.{layer}.mlp.down_proj.weight"] == "Q6_K"}
    assert more == {0, 1, 2, 5, 8, 11, 14, 17, 20, 23, 24, 25, 26, 27}
    assert {
        layer for layer in range(28) if types[f"model.layers.{layer}.self_attn.v_proj.weight"] == "Q6_K"
    } == more
    assert types["model.embed_tokens.weight"] == ("Q6_K" if tied else "Q4_K")
    assert types.get("lm_head.weight") == (None if tied else "Q6_K")
    assert types["model.layers.0.mlp.up_proj.weight"] == "Q4_K"
    assert set(planned_types(shaped(28, tied=tied), "q4_k", 28, tied=tied).values()) == {"Q4_K"}


def test_seventy_billion_have_five_bits_for_values() -> None:
    types = planned_types(shaped(80, tied=False), "q4_k_m", 80, tied=False)
    assert {types[f"model.layers.{layer}.self_attn.v_proj.weight"] for layer in range(80)} == {"Q5_K", "Q6_K"}


@pytest.mark.parametrize(
    ("row", "wanted", "taken"),
    [
        (256, "Q4_K", "Q4_K"), (896, "Q4_K", "Q5_0"), (896, "Q5_K", "Q5_1"), (896, "Q6_K", "Q8_0"),
        (896, "Q8_0", "Q8_0"), (100, "Q4_K", "F16"), (100, "Q8_0", "F16"), (7, "BF16", "BF16"),
    ],
)  # fmt: skip
def test_rows_that_do_not_fit(row: int, wanted: str, taken: str) -> None:
    assert fitting(TensorInfo("t", "F16", (3, row), 6 * row), wanted) == taken


def test_the_fallback_is_said_and_decodes(tmp_path: Path) -> None:
    model = open_checkpoint(ROOT / "models/tiny-qwen2-7to1")  # 224 columns
    for quantisation in ("q4_k", "q5_k", "q6_k"):
        path = tmp_path / quantisation
        done = convert(model, str(path), quantisation)
        assert len(done.fallbacks) == done.exported.dtypes[done.fallbacks[0][2]]
        for tensor in gguf.GGUFReader(path).tensors:
            if tensor.name == "token_embd.weight":
                decoded = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
                assert relative_rmse(model.tensor("model.embed_tokens.weight"), decoded) < 0.06


def test_what_is_quantised_already_is_not_quantised_again(model: Checkpoint, tmp_path: Path) -> None:
    convert(model, str(tmp_path / "q6.gguf"), "q6_k")
    source = open_checkpoint(tmp_path / "q6.gguf")
    with pytest.raises(LoadError, match=r"quantised already, first .* in Q6_K, .* lose twice"):
        convert(source, str(tmp_path / "q4.gguf"), "q4_k")
    assert not (tmp_path / "q4.gguf").exists()
    convert(source, str(tmp_path / "same.gguf"), "q6_k")
    assert np.array_equal(open_checkpoint(tmp_path / "same.gguf").raw(UP), source.raw(UP))
    convert(source, str(tmp_path / "f32.gguf"), "f32")
    assert np.array_equal(open_checkpoint(tmp_path / "f32.gguf").tensor(UP), source.tensor(UP))


@pytest.fixture(scope="module")
def dequantised() -> dict[str, Floats]:
    """The values of the shipped quantised model as a peer reads them, by Hugging Face's names; flat."""
    tensors = gguf.GGUFReader(ROOT / "models/tiny-qwen2-q4_k/model.gguf").tensors
    return {hf_name(each.name): gguf.quants.dequantize(each.data, each.tensor_type) for each in tensors}


@pytest.mark.parametrize("form", ["apr", "gguf", "safetensors"])
@pytest.mark.parametrize("quantisation", ["f16", "bf16", "f32"])
def test_blocks_are_dequantised_as_a_peer_does_it(
    quantisation: str, form: str, dequantised: dict[str, Floats], tmp_path: Path
) -> None:
    source = open_checkpoint(ROOT / "models/tiny-qwen2-q4_k/model.gguf")
    done = convert(source, str(tmp_path / f"out.{form}"), quantisation, form=form)
    assert done.quantised == ("Q4_K",)
    written = open_checkpoint(tmp_path / f"out.{form}")
    assert written.format == form
    prefix = "pv.derived_from" if form == "gguf" else "derived_from"
    assert written.metadata[f"{prefix}.sha256"] == file_sha256(source.path)
    assert '"dequantised_from":["Q4_K"]' in str(written.metadata[f"{prefix}.options"])
    dtype = QUANTISATIONS[quantisation][0]
    assert set(dequantised) == set(written.names())
    for name, flat in dequantised.items():
        info = written.info(name)
        values = flat.reshape(info.shape)
        vector = len(info.shape) == 1 and form != "safetensors"
        assert info.dtype == ("F32" if vector else dtype)
        kind = gguf.GGMLQuantizationType[info.dtype]
        assert written.raw(name).tobytes() == gguf.quants.quantize(values, kind).tobytes()


def test_safetensors_have_one_type_and_a_config_that_says_it(model_folder: Path, tmp_path: Path) -> None:
    config = {**json.loads((model_folder / "config.json").read_text()), "torch_dtype": "bfloat16"}
    (tmp_path / "model").mkdir()
    (tmp_path / "model/config.json").write_text(json.dumps(config))
    shutil.copy(model_folder / "model.safetensors", tmp_path / "model")
    convert(open_checkpoint(tmp_path / "model"), str(tmp_path / "out"), "f32", form="safetensors")
    written = open_checkpoint(tmp_path / "out")
    assert {written.info(name).dtype for name in written.names()} == {"F32"}
    assert json.loads((tmp_path / "out/config.json").read_text())["torch_dtype"] == "float32"


def test_a_mix_keeps_its_number_on_its_way_through_another_format(tmp_path: Path) -> None:
    folder = ROOT / "models/tiny-qwen2"
    convert(open_checkpoint(folder), str(tmp_path / "x.apr"), "q4_k_m", form="apr", folder=folder)
    export(open_checkpoint(tmp_path / "x.apr"), str(tmp_path / "x.gguf"), "gguf")
    mixed = open_checkpoint(tmp_path / "x.gguf")
    assert mixed.metadata["general.file_type"] == 15
    convert(mixed, str(tmp_path / "plain.apr"), "f16", form="apr")
    export(open_checkpoint(tmp_path / "plain.apr"), str(tmp_path / "plain.gguf"), "gguf")
    assert open_checkpoint(tmp_path / "plain.gguf").metadata["general.file_type"] == 1


def test_what_is_quantised_is_quantised_again_only_when_asked(model: Checkpoint, tmp_path: Path) -> None:
    convert(model, str(tmp_path / "q6.gguf"), "q6_k")
    source = open_checkpoint(tmp_path / "q6.gguf")
    done = convert(source, str(tmp_path / "q4.gguf"), "q4_k", requantise=True)
    assert done.quantised == ("Q6_K",)
    written = open_checkpoint(tmp_path / "q4.gguf")
    assert '"requantised_from":["Q6_K"]' in str(written.metadata["pv.derived_from.options"])
    assert np.array_equal(written.raw(UP), SCHEMES["Q4_K"].quantise(source.tensor(UP).reshape(-1)))


def test_types_of_old_apr_files_are_dequantised_too(tmp_path: Path) -> None:
    """A row of 896 filled up to 1024, as old converters wrote it, which no other format allows."""
    generator = np.random.default_rng(4)
    model = open_checkpoint(ROOT / "models/tiny-qwen2-7to1")
    name = "model.layers.0.self_attn.k_proj.weight"
    rows, columns = model.info(name).shape
    padded = SCHEMES["Q4_K"].quantise(generator.standard_normal(rows * 256).astype(np.float32))
    values = SCHEMES["Q4_K"].dequantise(padded).reshape(rows, 256)[:, :columns]
    info = TensorInfo(name, "Q4_K_PADDED", (rows, columns), padded.nbytes)

    class Padded(Overlay):
        def tensor(self, wanted: str) -> Floats:
            return values if wanted == name else super().tensor(wanted)

    view = Padded(model, replace={name: LazyTensor(info, lambda: padded)})
    done = convert(view, str(tmp_path / "x.gguf"), "f32")
    assert done.quantised == ("Q4_K_PADDED",)
    assert np.array_equal(open_checkpoint(tmp_path / "x.gguf").tensor(name), values)
    with pytest.raises(LoadError, match=r"quantised already, first .* in Q4_K_PADDED"):
        convert(view, str(tmp_path / "y.gguf"), "q8_0")


def changed(model_folder: Path, values: Floats) -> Checkpoint:
    model = open_checkpoint(model_folder)
    return Overlay(model, replace={UP: from_values(UP, values.shape, lambda: values, "F32")})


@pytest.mark.parametrize(
    ("value", "quantisation"),
    [(np.nan, "f16"), (np.inf, "q8_0"), (70000, "f16"), (1e30, "q4_k"), (3.4e38, "bf16")],
)
def test_values_beyond_the_type_leave_no_file(
    model_folder: Path, value: float, quantisation: str, tmp_path: Path
) -> None:
    values = open_checkpoint(model_folder).tensor(UP).copy()
    values[3, 4] = value
    with pytest.raises((LoadError, QuantisationError)):
        convert(changed(model_folder, values), str(tmp_path / "out.gguf"), quantisation)
    assert list(tmp_path.iterdir()) == []


def test_windows_do_not_show(model: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    convert(model, str(tmp_path / "whole"), "q4_k_m")
    monkeypatch.setattr("pv_runtime.convert._WINDOW", 1024)
    convert(model, str(tmp_path / "parts"), "q4_k_m")
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "parts").read_bytes()


QUANTISE = """
import ctypes, sys, llama_cpp
options = llama_cpp.llama_model_quantize_default_params()
options.ftype = 15
source, target = (path.encode() for path in sys.argv[1:])
sys.exit(llama_cpp.llama_model_quantize(source, target, ctypes.byref(options)))
"""
GENERATE = """
import sys, llama_cpp
runner = llama_cpp.Llama(sys.argv[1], n_ctx=64, verbose=False)
print(runner("The ", max_tokens=8, temperature=0)["choices"][0]["text"])
"""


def llama(program: str, *arguments: Path) -> str:
    """Run a program with llama-cpp-python, in a process of its own, since it can end in a signal."""
    if importlib.util.find_spec("llama_cpp") is None:
        pytest.skip("llama-cpp-python is not installed: make oracles builds it")
    command = [sys.executable, "-c", program, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.oracle
def test_the_mix_is_llama_cpps(tmp_path: Path) -> None:
    """llama.cpp quantises our fp16 file; types are equal, and values as near as two searches come."""
    folder = ROOT / "models/tiny-qwen2"
    model = open_checkpoint(folder)
    convert(model, str(tmp_path / "f16.gguf"), "f16", folder=folder)
    convert(model, str(tmp_path / "ours.gguf"), "q4_k_m", folder=folder)
    llama(QUANTISE, tmp_path / "f16.gguf", tmp_path / "theirs.gguf")
    ours, theirs = open_checkpoint(tmp_path / "ours.gguf"), open_checkpoint(tmp_path / "theirs.gguf")
    for name in model.names():
        assert ours.info(name).dtype == theirs.info(name).dtype
        values = model.tensor(name)
        mine, peers = (relative_rmse(values, each.tensor(name)) for each in (ours, theirs))
        assert mine <= peers * 1.01


@pytest.mark.oracle
@pytest.mark.parametrize("quantisation", ["f16", "q8_0", "q4_k_m"])
def test_llama_cpp_generates_with_it(quantisation: str, tmp_path: Path) -> None:
    folder = ROOT / "models/tiny-qwen2"
    convert(open_checkpoint(folder), str(tmp_path / "out.gguf"), quantisation, folder=folder)
    assert llama(GENERATE, tmp_path / "out.gguf").strip()


def test_integers_are_no_weights(model_folder: Path, tmp_path: Path) -> None:
    ids = np.arange(512, dtype="<i8")
    extra = LazyTensor(TensorInfo("positions", "I64", (2, 256), ids.nbytes), lambda: ids.view(np.uint8))
    convert(Overlay(open_checkpoint(model_folder), add={"positions": extra}), str(tmp_path / "x"), "q4_k")
    written = open_checkpoint(tmp_path / "x")
    assert written.info("positions").dtype == "I64"
    assert written.raw("positions").tobytes() == ids.tobytes()

from __future__ import annotations

import json
from pathlib import Path

import gguf
import numpy as np
import pytest
import safetensors.numpy
from pv_runtime import build
from pv_runtime.errors import LoadError, QuantisationError
from pv_runtime.formats import open_checkpoint
from pv_runtime.names import hf_name
from pv_runtime.provenance import DERIVED_FROM, GGUF_DERIVED_FROM, file_sha256


@pytest.mark.parametrize("scheme", ["q8_0", "q4_k", "q6_k"])
def test_the_package_reads_what_was_built(model_folder: Path, tmp_path: Path, scheme: str) -> None:
    output = tmp_path / "q.gguf"
    build.quantised_gguf(str(model_folder), str(output), scheme=scheme)
    reader, source = gguf.GGUFReader(output), open_checkpoint(model_folder)
    kinds = {hf_name(tensor.name): tensor.tensor_type.name for tensor in reader.tensors}
    expected = dict.fromkeys(source.names(), "F32") | dict.fromkeys(source.matrices(), scheme.upper())
    assert kinds == expected
    fields = {name: field.contents() for name, field in reader.fields.items()}
    assert fields["general.architecture"] == "qwen2"
    assert fields["qwen2.block_count"] == 2
    assert fields["qwen2.attention.head_count_kv"] == 2
    assert fields["qwen2.rope.freq_base"] == 1e6
    assert fields["qwen2.attention.layer_norm_rms_epsilon"] == pytest.approx(1e-6)
    assert fields[GGUF_DERIVED_FROM] == file_sha256(str(model_folder / "model.safetensors"))
    for tensor in reader.tensors:
        name = hf_name(tensor.name)
        decoded = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        assert decoded.shape == source.info(name).shape
        assert np.corrcoef(decoded.reshape(-1), source.tensor(name).reshape(-1))[0, 1] > 0.99


def test_the_twin_is_the_package_s_dequantisation_with_its_derivation(
    model_folder: Path, tmp_path: Path
) -> None:
    quantised, twin = tmp_path / "q.gguf", tmp_path / "twin.safetensors"
    build.quantised_gguf(str(model_folder), str(quantised), scheme="q4_k")
    build.twin(str(quantised), str(twin))
    model = open_checkpoint(twin)
    assert model.metadata[DERIVED_FROM] == file_sha256(str(quantised))
    assert str(model.metadata["decoder"]).startswith("gguf ")
    arrays = safetensors.numpy.load_file(twin)
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.float16)}
    for tensor in gguf.GGUFReader(quantised).tensors:
        decoded = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float16)
        assert arrays[hf_name(tensor.name)].tobytes() == decoded.tobytes()


def test_builds_are_deterministic(model_folder: Path, tmp_path: Path) -> None:
    digests = set()
    for run in ("a", "b"):
        quantised, twin = tmp_path / f"{run}.gguf", tmp_path / f"{run}.safetensors"
        build.quantised_gguf(str(model_folder), str(quantised), scheme="q4_k")
        build.twin(str(quantised), str(twin))
        digests.add((file_sha256(str(quantised)), file_sha256(str(twin))))
    assert len(digests) == 1


def test_a_source_without_what_is_needed_is_refused(model_folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "q.gguf"
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "model.safetensors").write_bytes((model_folder / "model.safetensors").read_bytes())
    with pytest.raises(LoadError, match=r"no config\.json"):
        build.quantised_gguf(str(bare), str(output), scheme="q4_k")
    config = json.loads((model_folder / "config.json").read_text())
    del config["rope_theta"]
    (bare / "config.json").write_text(json.dumps(config))
    with pytest.raises(LoadError, match="lacks rope_theta"):
        build.quantised_gguf(str(bare), str(output), scheme="q4_k")
    (bare / "config.json").write_text(json.dumps({**config, "rope_parameters": {"rope_theta": 5e5}}))
    build.quantised_gguf(str(bare), str(output), scheme="q8_0")
    assert open_checkpoint(output).metadata["qwen2.rope.freq_base"] == 5e5
    with pytest.raises(QuantisationError, match="no block format"):
        build.quantised_gguf(str(model_folder), str(output), scheme="q3_k")


def test_rows_that_fit_no_block_are_refused_by_name(tmp_path: Path) -> None:
    safetensors.numpy.save_file({"odd": np.ones((2, 224), np.float16)}, tmp_path / "model.safetensors")
    with pytest.raises(LoadError, match=r"first odd \(2, 224\)"):
        build.quantised_gguf(str(tmp_path), str(tmp_path / "q.gguf"), scheme="q4_k")


def test_a_twin_that_does_not_fit_fp16_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "big.gguf"
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_tensor("output_norm.weight", np.array([1e6], np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(LoadError, match=r"output_norm\.weight has values that are no fp16"):
        build.twin(str(path), str(tmp_path / "twin.safetensors"))
    assert not (tmp_path / "twin.safetensors").exists()

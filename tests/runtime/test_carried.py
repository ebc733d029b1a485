from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pv_runtime.carried import (
    Carried,
    apr_metadata,
    carried_of,
    gguf_metadata,
    safetensors_metadata,
    with_folder,
)
from pv_runtime.config import config_of
from pv_runtime.errors import LoadError
from pv_runtime.formats import Checkpoint, TensorInfo, open_checkpoint
from pv_runtime.formats.apr_writer import write_apr
from pv_runtime.formats.gguf_writer import Typed, write_gguf
from pv_runtime.formats.safetensors import write_safetensors


def config(model_folder: Path) -> dict[str, Any]:
    return config_of(open_checkpoint(model_folder))


def written(form: str, path: Path, carried: Carried) -> Checkpoint:
    if form == "gguf":
        write_gguf(str(path), [], gguf_metadata(carried, []))
    elif form == "apr":
        write_apr(str(path), [], apr_metadata(carried, 0))
    else:
        write_safetensors(str(path), [], safetensors_metadata(carried))
    return open_checkpoint(path)


CARD = {"license": "Apache-2.0", "data_source": "https://example.org/data", "name": "tiny"}
ELSEWHERE: dict[str, dict[str, Any]] = {
    "gguf": {
        "general.tags": ["a", "b"], "quantize.imatrix.chunks_count": 128, "x.negative": -1, "x.low": -(2**40),
        "x.huge": 1e300, "x.f32": 0.5,
        "x.f64": 0.1, "x.wide": 2**40, "x.bool": True, "x.ints": [1, -2], "x.floats": [0.5, 1],
        "x.list64": [0.1],
    },
    "apr": {"created_at": "2026-01-01", "quantization": {"bits": 4}},
    "safetensors": {"trained_with": "care"},
}  # fmt: skip


@pytest.mark.parametrize(
    "way", [["gguf", "apr", "safetensors"], ["safetensors", "gguf", "apr", "apr", "gguf"]]
)
def test_nothing_is_lost_on_the_way_through_all_formats(
    model_folder: Path, tmp_path: Path, way: list[str]
) -> None:
    carried = Carried(config(model_folder), None, CARD, ELSEWHERE)
    for step, form in enumerate(way):
        model = written(form, tmp_path / str(step), carried)
        carried = carried_of(model, carried.config, None)
        assert (carried.card, carried.elsewhere) == (CARD, ELSEWHERE)


def test_each_format_has_its_own_keys(model_folder: Path, tmp_path: Path) -> None:
    carried = Carried(config(model_folder), None, CARD, ELSEWHERE)
    gguf = written("gguf", tmp_path / "a", carried).metadata
    assert (gguf["general.license"], gguf["pv.data_source"]) == (CARD["license"], CARD["data_source"])
    assert (gguf["x.f64"], gguf["x.wide"], gguf["general.architecture"]) == (0.1, 2**40, "qwen2")
    apr = written("apr", tmp_path / "b", carried).metadata
    assert (apr["license"], apr["created_at"], apr["tie_word_embeddings"]) == (
        "Apache-2.0",
        "2026-01-01",
        True,
    )
    safetensors = written("safetensors", tmp_path / "c", carried).metadata
    assert (safetensors["license"], safetensors["format"], safetensors["trained_with"]) == (
        "Apache-2.0",
        "pt",
        "care",
    )


def test_what_belongs_to_one_file_is_not_carried_to_the_next(model_folder: Path, tmp_path: Path) -> None:
    keys = {
        "general.architecture": "qwen2", "general.alignment": 32, "pv.derived_from.sha256": "0",
        "split.count": Typed("UINT16", 1), "tokenizer.ggml.model": "gpt2", "qwen2.block_count": 2,
    }  # fmt: skip
    write_gguf(str(tmp_path / "x"), [], keys)
    assert carried_of(open_checkpoint(tmp_path / "x"), config(model_folder), None).elsewhere == {}


def test_the_type_that_most_weights_have_is_the_files(model_folder: Path) -> None:
    carried = Carried(config(model_folder), None, {}, {})
    infos = [
        TensorInfo("a", "F32", (10_000,), 40_000),
        TensorInfo("b", "F16", (4, 256), 2048),
        TensorInfo("c", "Q6_K", (8, 256), 1680),
    ]
    assert gguf_metadata(carried, infos)["general.file_type"] == 18
    assert gguf_metadata(carried, infos[:2])["general.file_type"] == 1
    mixed = Carried(carried.config, None, {}, {"gguf": {"general.file_type": 15}})
    assert gguf_metadata(mixed, infos)["general.file_type"] == 15
    assert "general.file_type" not in gguf_metadata(carried, [TensorInfo("d", "IQ1_M", (256, 1), 56)])


def test_what_cannot_be_carried_is_refused(model_folder: Path, tmp_path: Path) -> None:
    write_gguf(str(tmp_path / "x"), [], {"x.nan": float("nan")})
    with pytest.raises(LoadError, match=r"x\.nan is nan"):
        carried_of(open_checkpoint(tmp_path / "x"), config(model_folder), None)
    write_gguf(str(tmp_path / "y"), [], {"pv.source_metadata": "{"})
    with pytest.raises(LoadError, match="no JSON"):
        carried_of(open_checkpoint(tmp_path / "y"), config(model_folder), None)


def test_files_of_a_folder_are_carried_whole_or_refused(model_folder: Path, tmp_path: Path) -> None:
    carried = Carried(config(model_folder), None, {}, {})
    assert with_folder(carried, None) is with_folder(carried, tmp_path) is carried
    (tmp_path / "generation_config.json").write_text('{"eos_token_id":[1,2]}')
    found = with_folder(carried, tmp_path).elsewhere
    assert found == {"huggingface": {"generation_config.json": {"eos_token_id": [1, 2]}}}
    (tmp_path / "generation_config.json").write_text("{")
    with pytest.raises(LoadError, match="cannot be parsed"):
        with_folder(carried, tmp_path)


def test_what_was_put_aside_never_takes_the_place_of_what_the_model_says(model_folder: Path) -> None:
    hostile = {"general.architecture": "gemma", "qwen2.block_count": 99, "pv.config": "{}", "x.mine": 1}
    keys = gguf_metadata(Carried(config(model_folder), None, {}, {"gguf": hostile}), [])
    assert (keys["general.architecture"], keys["qwen2.block_count"], keys["x.mine"]) == ("qwen2", 2, 1)


def test_a_file_of_a_folder_is_json_of_one_meaning(model_folder: Path, tmp_path: Path) -> None:
    carried = Carried(config(model_folder), None, {}, {})
    for text in ("[1]", '{"a": NaN}', '{"a": 1e999}', '{"a": 1, "a": 2}', f'{{"a": "{"x" * (1 << 20)}"}}'):
        (tmp_path / "generation_config.json").write_text(text)
        with pytest.raises(LoadError):
            with_folder(carried, tmp_path)

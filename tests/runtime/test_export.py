from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pv_runtime import build
from pv_runtime.errors import LoadError
from pv_runtime.export import export
from pv_runtime.formats import Checkpoint, LazyTensor, Overlay, TensorInfo, open_checkpoint
from pv_runtime.formats.apr import AprCheckpoint, footer_matches
from pv_runtime.formats.apr_writer import write_apr
from pv_runtime.formats.overlay import from_values
from pv_runtime.formats.safetensors import write_safetensors
from pv_runtime.origin import source_sha256
from pv_runtime.provenance import DERIVED_FROM, GGUF_DERIVED_FROM

MODELS = Path(__file__).resolve().parents[2] / "models"
SUFFIX = {"gguf": "x.gguf", "apr": "x.apr", "safetensors": "folder"}


def same_bits(left: Checkpoint, right: Checkpoint) -> bool:
    return sorted(left.names()) == sorted(right.names()) and all(
        left.info(name) == right.info(name) and np.array_equal(left.raw(name), right.raw(name))
        for name in left.names()
    )


def through(source: str, folder: Path, *way: str) -> list[str]:
    """Export step by step; return the paths, the source's first."""
    paths = [source]
    for step, form in enumerate(way):
        (folder / str(step)).mkdir(parents=True)
        target = str(folder / str(step) / SUFFIX[form])
        before = Path(paths[-1])
        export(open_checkpoint(before), target, form, folder=before if before.is_dir() else None)
        paths.append(target)
    return paths


def test_blocks_go_through_apr_and_back_bit_for_bit(tmp_path: Path) -> None:
    source = str(MODELS / "tiny-qwen2-q4_k/model.gguf")
    models = [open_checkpoint(path) for path in through(source, tmp_path, "apr", "gguf", "apr")]
    assert all(same_bits(models[0], model) for model in models)
    assert [model.format for model in models] == ["gguf", "apr", "gguf", "apr"]


@pytest.mark.parametrize("scheme", ["q4_k", "q5_k", "q6_k", "q8_0"])
def test_every_block_format_of_both_goes_through(model_folder: Path, tmp_path: Path, scheme: str) -> None:
    build.quantised_gguf(str(model_folder), str(tmp_path / "q.gguf"), scheme=scheme)
    paths = through(str(tmp_path / "q.gguf"), tmp_path / "way", "apr", "gguf")
    models = [open_checkpoint(path) for path in paths]
    assert same_bits(models[0], models[1])
    assert same_bits(models[0], models[2])


def test_what_all_formats_hold_goes_round_and_ends_as_it_began(tmp_path: Path) -> None:
    """After the first step, which widens vectors, each file is that of the other way round."""
    paths = through(
        str(MODELS / "tiny-qwen2"), tmp_path, "gguf", "apr", "safetensors", "gguf", "safetensors", "apr"
    )
    models = [open_checkpoint(path) for path in paths]
    assert all(same_bits(models[1], model) for model in models[2:])
    original = models[0]
    for name in original.names():
        assert np.array_equal(models[-1].tensor(name), original.tensor(name))
    first, second = (dict(open_checkpoint(path).metadata) for path in (paths[1], paths[4]))
    differing = {
        key for key in first.keys() | second.keys() if _listed(first.get(key)) != _listed(second.get(key))
    }
    assert differing == {GGUF_DERIVED_FROM, GGUF_DERIVED_FROM.replace("sha256", "earlier")}
    config = json.loads((MODELS / "tiny-qwen2/config.json").read_text())
    assert open_checkpoint(paths[-2]).metadata["config"] == config


def _listed(value: object) -> object:
    return value if isinstance(value, (str, int, float)) or value is None else list(value)  # type: ignore[call-overload]


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    source = open_checkpoint(MODELS / "tiny-qwen2-q4_k/model.gguf")
    for form in ("apr", "gguf"):
        for name in ("one", "two"):
            export(source, str(tmp_path / name), form)
        assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_each_file_names_what_it_was_made_from(tmp_path: Path) -> None:
    paths = through(str(MODELS / "tiny-qwen2"), tmp_path, "apr", "gguf", "safetensors")
    for before, after in itertools.pairwise(paths):
        model = open_checkpoint(after)
        key = GGUF_DERIVED_FROM if model.format == "gguf" else DERIVED_FROM
        assert model.metadata[key] == source_sha256(open_checkpoint(before))
        options: Any = model.metadata[key.replace("sha256", "options")]
        assert json.loads(options) == {"command": "export", "format": model.format, "tokenizer": True}


def test_a_file_remembers_the_whole_way(tmp_path: Path) -> None:
    paths = through(str(MODELS / "tiny-qwen2"), tmp_path, "apr", "gguf", "safetensors", "apr")
    earlier: Any = open_checkpoint(paths[4]).metadata["derived_from.earlier"]
    way = [origin["sha256"] for origin in json.loads(earlier)]
    assert way == [source_sha256(open_checkpoint(path)) for path in (paths[2], paths[1], paths[0])]
    assert [origin["options"]["format"] for origin in json.loads(earlier)] == ["safetensors", "gguf", "apr"]


def test_the_gguf_package_reads_what_we_write(tmp_path: Path) -> None:
    paths = through(str(MODELS / "tiny-qwen2"), tmp_path, "apr", "gguf")
    reader, model = gguf.GGUFReader(paths[2]), open_checkpoint(MODELS / "tiny-qwen2")
    assert len(reader.tensors) == 62
    by_name = {tensor.name: tensor for tensor in reader.tensors}
    query = by_name["blk.3.attn_q.weight"]
    assert np.array_equal(
        query.data, model.tensor("model.layers.3.self_attn.q_proj.weight").astype(np.float16)
    )
    fields = {name: field.contents() for name, field in reader.fields.items()}
    assert fields["tokenizer.ggml.tokens"][4089] == "<|im_start|>"
    assert (fields["tokenizer.ggml.pre"], fields["qwen2.attention.head_count_kv"]) == ("qwen2", 2)
    assert fields["tokenizer.ggml.token_type"][4087:4090] == [1, 3, 3]


def test_what_generation_starts_from_is_carried_along(tmp_path: Path) -> None:
    paths = through(str(MODELS / "tiny-qwen2"), tmp_path, "gguf", "apr", "safetensors", "safetensors", "gguf")
    stated = json.loads((MODELS / "tiny-qwen2/generation_config.json").read_text())
    for path in paths[3:5]:
        assert json.loads((Path(path) / "generation_config.json").read_text()) == stated
        assert "source_metadata" not in open_checkpoint(path).metadata
    text: Any = open_checkpoint(paths[5]).metadata["pv.source_metadata"]
    assert json.loads(text) == {"huggingface": {"generation_config.json": stated}}


def test_a_sharded_checkpoint_is_exported_as_a_whole_one_is(model_folder: Path, tmp_path: Path) -> None:
    source = open_checkpoint(model_folder)
    parts, place = (source.names()[:9], source.names()[9:]), {}
    (tmp_path / "shards").mkdir()
    for number, names in enumerate(parts, 1):
        file = f"model-{number:05}-of-00002.safetensors"
        tensors = [(source.info(n), lambda n=n: source.raw(n)) for n in names]
        write_safetensors(str(tmp_path / "shards" / file), tensors)
        place.update(dict.fromkeys(names, file))
    total = sum(source.info(name).nbytes for name in source.names())
    index = {"metadata": {"total_size": total}, "weight_map": place}
    (tmp_path / "shards/model.safetensors.index.json").write_text(json.dumps(index))
    (tmp_path / "shards/config.json").write_text((model_folder / "config.json").read_text())
    for form in ("apr", "gguf", "safetensors"):
        whole = through(str(model_folder), tmp_path / f"whole-{form}", form)[1:]
        joined = through(str(tmp_path / "shards"), tmp_path / f"joined-{form}", form)[1:]
        assert same_bits(open_checkpoint(whole[0]), open_checkpoint(joined[0]))


def test_a_tied_model_with_another_head_is_refused(model_folder: Path, tmp_path: Path) -> None:
    model = open_checkpoint(model_folder)
    values = model.tensor("model.embed_tokens.weight")
    same = from_values("lm_head.weight", values.shape, lambda: values, "F16")
    export(Overlay(model, add={"lm_head.weight": same}), str(tmp_path / "x"), "apr")
    (tmp_path / "x").unlink()
    other = from_values("lm_head.weight", values.shape, lambda: values * 2, "F16")
    refused(
        Overlay(model, add={"lm_head.weight": other}),
        tmp_path / "x",
        "gguf",
        "ties the head to the embedding",
    )


def test_a_single_safetensors_file_carries_its_config(tmp_path: Path) -> None:
    source = open_checkpoint(MODELS / "tiny-qwen2")
    export(source, str(tmp_path / "x.safetensors"), "safetensors")
    export(open_checkpoint(tmp_path / "x.safetensors"), str(tmp_path / "x.apr"), "apr")
    assert same_bits(source, open_checkpoint(tmp_path / "x.apr"))
    assert open_checkpoint(tmp_path / "x.apr").metadata["config"] == source.metadata["config"]


def test_embedded_tokenizer_and_tied_head_are_stated_in_apr(tmp_path: Path) -> None:
    done = export(
        open_checkpoint(MODELS / "tiny-qwen2"), str(tmp_path / "x"), "apr", folder=MODELS / "tiny-qwen2"
    )
    model = open_checkpoint(tmp_path / "x")
    assert isinstance(model, AprCheckpoint)
    assert (done.tokenizer, model.metadata["tie_word_embeddings"], model.header.has("HAS_VOCAB")) == (
        True,
    ) * 3
    vocabulary: Any = model.metadata["tokenizer.vocabulary"]
    assert (len(vocabulary), model.metadata["tokenizer.eos_token_id"]) == (4096, 4088)
    assert footer_matches(model) is True
    export(model, str(tmp_path / "y"), "apr", with_tokenizer=False)
    bare = open_checkpoint(tmp_path / "y")
    assert not [key for key in bare.metadata if key.startswith("tokenizer.")]


def llama(folder: Path, model_folder: Path) -> Path:
    """The small model as a llama: without biases."""
    source = open_checkpoint(model_folder)
    folder.mkdir()
    names = [name for name in source.names() if not name.endswith(".bias")]
    write_safetensors(
        str(folder / "model.safetensors"),
        [(source.info(n), lambda n=n: source.raw(n)) for n in names],  # type: ignore[misc]
    )
    config = json.loads((model_folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "llama"}))
    return folder


def test_llamas_rows_are_interleaved_in_gguf_alone(model_folder: Path, tmp_path: Path) -> None:
    source = str(llama(tmp_path / "llama", model_folder))
    paths = through(source, tmp_path / "way", "gguf", "apr", "safetensors", "gguf")
    original, first, apr, back, second = (open_checkpoint(path) for path in paths)
    moved = [
        name for name in original.names() if not np.array_equal(first.tensor(name), original.tensor(name))
    ]
    assert {name.split(".")[-2] for name in moved} == {"q_proj", "k_proj"}
    for model in (apr, back):
        assert all(np.array_equal(model.tensor(name), original.tensor(name)) for name in original.names())
    assert apr.metadata["rope_type"] == 2
    assert same_bits(first, second)


def test_llamas_of_others_say_how_their_rows_lie_or_are_refused(model_folder: Path, tmp_path: Path) -> None:
    source = str(llama(tmp_path / "llama", model_folder))
    _, as_gguf, as_apr = through(source, tmp_path / "way", "gguf", "apr")
    interleaved, straight = open_checkpoint(as_gguf), open_checkpoint(as_apr)
    metadata = {key: value for key, value in straight.metadata.items() if key != "rope_type"}
    tensors = [(interleaved.info(n), lambda n=n: interleaved.raw(n)) for n in interleaved.names()]
    write_apr(str(tmp_path / "zero.apr"), tensors, {**metadata, "rope_type": 0})
    export(open_checkpoint(tmp_path / "zero.apr"), str(tmp_path / "two.apr"), "apr")
    assert same_bits(open_checkpoint(tmp_path / "two.apr"), straight)
    write_apr(str(tmp_path / "none.apr"), tensors, metadata)
    with pytest.raises(LoadError, match="do not say"):
        export(open_checkpoint(tmp_path / "none.apr"), str(tmp_path / "x"), "apr")


def refused(model: Checkpoint, target: Path, form: str, message: str) -> None:
    before = sorted(target.parent.iterdir())
    with pytest.raises(LoadError, match=message):
        export(model, str(target), form)
    assert sorted(target.parent.iterdir()) == before


def test_what_cannot_be_written_is_refused_and_leaves_nothing(model_folder: Path, tmp_path: Path) -> None:
    model = open_checkpoint(model_folder)
    lost = "model.layers.1.mlp.up_proj.weight"
    refused(Overlay(model, drop=[lost]), tmp_path / "x", "gguf", f"lacks 1 of the tensors .* first {lost}")
    extra = from_values("model.layers.0.extra.weight", (2,), lambda: np.ones(2, np.float32), "F32")
    refused(Overlay(model, add={extra.info.name: extra}), tmp_path / "x", "gguf", "no name in GGUF")
    blocks = open_checkpoint(MODELS / "tiny-qwen2-q4_k/model.gguf")
    refused(blocks, tmp_path / "x", "safetensors", "36 tensors are Q4_K, which safetensors cannot hold")
    foreign = from_values("rope_freqs.weight", (2,), lambda: np.ones(2, np.float32), "F32")
    refused(
        Overlay(model, add={"rope_freqs.weight": foreign}), tmp_path / "x", "safetensors", "rope_freqs.weight"
    )


@pytest.mark.parametrize("value", [2**70, [1, "a"], {"a": 1}, [[1]], -(2**70)])
def test_values_that_have_no_type_are_refused(model_folder: Path, tmp_path: Path, value: object) -> None:
    model = open_checkpoint(model_folder)
    aside = json.dumps({"gguf": {"x.odd": value}})
    odd = Overlay(model, metadata={**model.metadata, "source_metadata": aside})
    refused(odd, tmp_path / "x", "gguf", "cannot be written as gguf")


ODD = st.sampled_from([
    None, True, -1, 0, 2**31, 2**70, 1e300, -0.5, "", "x", "{", '{"gguf":{"a":[{}]}}', [], ["a"], [1, "a"],
    [[1]], {"a": 1}, {}, [None], [2**70], [1e300], "a" * 300,
])  # fmt: skip
KEYS = [
    "config", "pv.config", "source_metadata", "pv.source_metadata", "license", "general.license",
    "derived_from.sha256", "derived_from.earlier", "rope_type", "tie_word_embeddings", "head_dim",
    "architecture", "tokenizer.scores", "tokenizer.ggml.scores", "tokenizer.merges", "hf_model_type",
]  # fmt: skip


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> list[Checkpoint]:
    """One model in each format, whose metadata others may have written."""
    folder = tmp_path_factory.mktemp("foreign")
    blocks = open_checkpoint(MODELS / "tiny-qwen2-q4_k/model.gguf")
    export(blocks, str(folder / "x.apr"), "apr")
    return [blocks, open_checkpoint(folder / "x.apr"), open_checkpoint(MODELS / "tiny-qwen2")]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_metadata_of_others_are_carried_or_end_in_our_error(
    tmp_path_factory: pytest.TempPathFactory, foreign: list[Checkpoint], data: st.DataObject
) -> None:
    model, target = data.draw(st.sampled_from(foreign)), tmp_path_factory.getbasetemp() / "carried"
    metadata = dict(model.metadata)
    for _ in range(data.draw(st.integers(1, 2))):
        key = data.draw(st.sampled_from([*metadata, *KEYS]))
        inner = metadata.get(key)
        if isinstance(inner, dict) and inner and data.draw(st.booleans()):
            metadata[key] = {**inner, data.draw(st.sampled_from(sorted(inner))): data.draw(ODD)}
        else:
            metadata[key] = data.draw(ODD)
    try:
        export(Overlay(model, metadata=metadata), str(target), data.draw(st.sampled_from(["apr", "gguf"])))
        assert len(open_checkpoint(target).names()) == 62
    except LoadError as error:
        assert error.path == model.path  # noqa: PT017 - either ending is right, no other is


def test_a_damaged_apr_file_is_refused(model_folder: Path, tmp_path: Path) -> None:
    export(open_checkpoint(model_folder), str(tmp_path / "x.apr"), "apr")
    raw = bytearray((tmp_path / "x.apr").read_bytes())
    raw[-1000] ^= 1
    (tmp_path / "x.apr").write_bytes(raw)
    refused(open_checkpoint(tmp_path / "x.apr"), tmp_path / "y", "gguf", "does not have the checksum")
    (tmp_path / "x.apr").write_bytes(raw[:-4])
    done = export(open_checkpoint(tmp_path / "x.apr"), str(tmp_path / "y"), "gguf")
    assert "no checksum" in done.notes[0]


def test_a_folder_that_holds_more_is_not_replaced(model_folder: Path, tmp_path: Path) -> None:
    model = open_checkpoint(model_folder)
    for _ in range(2):
        export(model, str(tmp_path / "new"), "safetensors")
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["config.json", "model.safetensors"]
    (tmp_path / "new/thesis.tex").write_text("years of work")
    with pytest.raises(LoadError, match=r"holds thesis\.tex, and would be replaced"):
        export(model, str(tmp_path / "new"), "safetensors")
    (tmp_path / "file").write_text("x")
    with pytest.raises(LoadError, match="is a file"):
        export(model, str(tmp_path / "file"), "safetensors")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "new"]


def test_padded_rows_are_refused_by_name(model_folder: Path, tmp_path: Path) -> None:
    """Rows of 128 filled up to a block of 256, as older files have them, would be corrupt in GGUF."""
    model = open_checkpoint(model_folder)
    name = "model.layers.0.mlp.up_proj.weight"
    info = TensorInfo(name, "Q4_K_PADDED", model.info(name).shape, 512 * 144)
    padded = Overlay(model, replace={name: LazyTensor(info, lambda: np.zeros(info.nbytes, np.uint8))})
    for form in ("gguf", "apr", "safetensors"):
        refused(padded, tmp_path / "x", form, "Q4_K_PADDED")


@pytest.mark.oracle
def test_transformers_computes_the_same_with_every_format(model_folder: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    sources = [MODELS / "tiny-qwen2", llama(tmp_path / "llama", model_folder)]
    for number, source in enumerate(sources):
        paths = through(str(source), tmp_path / f"way{number}", "gguf", "apr", "safetensors")
        tokens = torch.arange(1, 40)[None]
        with torch.no_grad():
            logits = [
                AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **more)(tokens).logits
                for folder, more in (
                    (source, {}),
                    (Path(paths[1]).parent, {"gguf_file": "x.gguf"}),
                    (paths[3], {}),
                )
            ]
        assert torch.equal(logits[0], logits[1])
        assert torch.equal(logits[0], logits[2])


def test_what_a_config_says_bounds_memory_and_agrees_with_the_tensors(
    model_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model_folder, folder)
    config = json.loads((folder / "config.json").read_text())
    for changes, message in [
        ({"num_hidden_layers": 4096}, "says it has 4096 layers, and has 26 tensors"),
        ({"num_hidden_layers": 2**31 - 1}, "num_hidden_layers is 2147483647"),
        ({"vocab_size": 2**31 - 1}, r"embed_tokens.weight has the shape \[96, 256\]"),
        ({"intermediate_size": 256}, r"gate_proj.weight .* asks for \[256, 256\]"),
        ({"head_dim": 32}, r"q_proj.weight .* asks for \[128, 256\]"),
        ({"num_key_value_heads": 4}, r"k_proj.weight .* asks for \[256, 256\]"),
    ]:
        (folder / "config.json").write_text(json.dumps({**config, **changes}))
        with pytest.raises(LoadError, match=message):
            export(open_checkpoint(folder), str(tmp_path / "x.gguf"), "gguf", folder=folder)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]

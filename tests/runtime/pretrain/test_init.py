from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pv_runtime.checks.trainer import SMALL
from pv_runtime.export import export
from pv_runtime.formats import Overlay, open_checkpoint
from pv_runtime.formats.overlay import from_values
from pv_runtime.formats.safetensors import write_safetensors
from pv_runtime.pretrain.errors import TrainingError, UsageError
from pv_runtime.pretrain.init import open_init, read_weights
from pv_runtime.pretrain.stated import FIELDS, stated_fields


def refused(path: Path, guard: str) -> str:
    with pytest.raises(TrainingError, match=guard) as caught:
        read_weights(open_init(str(path)))
    return caught.value.what


def config(folder: Path, **changes: Any) -> None:
    file = folder / "config.json"
    found = {**json.loads(file.read_text()), **changes}
    file.write_text(json.dumps({key: value for key, value in found.items() if value is not None}))


def write(folder: Path, drop: str | None, add: dict[str, np.ndarray[Any, Any]]) -> None:
    """Write the model again without a tensor, and with others."""
    model = open_checkpoint(folder)
    added = {
        name: from_values(name, values.shape, lambda values=values: values, "F32")  # type: ignore[misc]
        for name, values in add.items()
    }
    there = added.keys() & set(model.names())
    view = Overlay(
        model,
        replace={name: tensor for name, tensor in added.items() if name in there},
        drop=[drop] if drop and drop not in there else [],
        add={name: tensor for name, tensor in added.items() if name not in there},
    )
    tensors = [(view.info(name), functools.partial(np.array, view.raw(name))) for name in view.names()]
    (folder / "new").mkdir(exist_ok=True)
    write_safetensors(str(folder / "new" / "model.safetensors"), tensors)
    (folder / "new" / "model.safetensors").replace(folder / "model.safetensors")


def test_it_is_exactly_those_weights(init: Path) -> None:
    opened = open_init(str(init))
    assert opened.architecture == SMALL
    model = open_checkpoint(init)
    weights = read_weights(opened)
    assert set(weights) == set(model.names())
    for name, tensor in weights.items():
        assert np.array_equal(tensor.numpy(), model.tensor(name))


@pytest.mark.parametrize("form", ["gguf", "apr"])
def test_every_format_gives_the_same_weights(init: Path, tmp_path: Path, form: str) -> None:
    output = tmp_path / f"model.{form}"
    export(open_checkpoint(init), str(output), form)
    ours, theirs = open_init(str(init)), open_init(str(output))
    assert ours.architecture == theirs.architecture
    weights = read_weights(theirs)
    for name, tensor in read_weights(ours).items():
        assert np.array_equal(tensor.numpy(), weights[name].numpy())


def test_a_file_that_is_not_there_or_no_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="INIT-003"):
        open_init(str(tmp_path / "nothing"))
    for content in (b"", b"APRX" + bytes(64), b"PK\x03\x04" + bytes(64)):
        (tmp_path / "file").write_bytes(content)
        refused(tmp_path / "file", "INIT-004")


@pytest.mark.parametrize("field", FIELDS)
def test_no_field_has_a_default(init: Path, field: str) -> None:
    config(init, **{field: None})
    assert field in refused(init, "ARCH-003")


@pytest.mark.parametrize(
    ("field", "value", "seen"),
    [
        ("hidden_size", 20, "16"),
        ("hidden_size", 32, "16"),
        ("intermediate_size", 25, "24"),
        ("num_hidden_layers", 3, "2"),
        ("num_key_value_heads", 4, "2"),
        ("num_key_value_heads", 3, "2 : 1"),
        ("num_attention_heads", 2, "2 : 1"),
        ("num_attention_heads", 5, "2 : 1"),
        ("vocab_size", 4097, "4096"),
        ("tie_word_embeddings", False, "true"),
    ],
)
def test_a_field_that_contradicts_the_tensors_is_named_with_both(
    init: Path, field: str, value: Any, seen: str
) -> None:
    config(init, **{field: value})
    said = refused(init, "INIT-005")
    assert seen in said
    assert str(value).lower() in said
    assert field in said


def test_heads_are_counted_where_the_file_says_how_wide_one_is(init: Path) -> None:
    config(init, num_attention_heads=5, num_key_value_heads=1, head_dim=4)
    said = refused(init, "INIT-005")
    assert "num_attention_heads is 5 in its metadata and 4 by its tensors" in said
    assert "num_key_value_heads is 1 in its metadata and 2 by its tensors" in said


@pytest.mark.parametrize("form", ["gguf", "apr"])
def test_counts_in_native_metadata_are_plain_whole_numbers(init: Path, tmp_path: Path, form: str) -> None:
    target = tmp_path / f"model.{form}"
    export(open_checkpoint(init), str(target), form, with_tokenizer=False)
    stated = stated_fields(open_checkpoint(target))
    assert {type(stated[field]) for field in FIELDS[:7]} == {int}


def test_an_encoder_is_no_decoder(init: Path) -> None:
    config(init, model_type="bert")
    assert "'bert'" in refused(init, "ARCH-007")


def test_a_transposed_a_missing_and_an_unknown_tensor_are_named(init: Path) -> None:
    name = "model.layers.1.mlp.down_proj.weight"
    values = open_checkpoint(init).tensor(name)
    write(init, name, {name: np.ascontiguousarray(values.T)})
    assert name in refused(init, "INIT-005")
    write(init, name, {"model.layers.1.mlp.other.weight": values})
    assert name in refused(init, "INIT-005")


def test_values_that_are_no_numbers_are_refused(init: Path) -> None:
    name = "model.norm.weight"
    values = np.array(open_checkpoint(init).tensor(name))
    values[3] = np.nan
    write(init, name, {name: values})
    assert name in refused(init, "INIT-005")


def test_a_head_that_repeats_the_embedding_is_tied_again_and_another_is_refused(init: Path) -> None:
    names = open_checkpoint(init).names()
    embedding = np.array(open_checkpoint(init).tensor("model.embed_tokens.weight"))
    write(init, None, {"lm_head.weight": embedding})
    opened = open_init(str(init))
    assert opened.architecture.tied
    assert sorted(read_weights(opened)) == sorted(names)
    write(init, "lm_head.weight", {"lm_head.weight": embedding + 1})
    assert "tie_word_embeddings" in refused(init, "INIT-005")

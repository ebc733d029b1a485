from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pv_runtime.errors import LoadError
from pv_runtime.formats import open_checkpoint
from pv_runtime.formats.joined import JoinedCheckpoint
from pv_runtime.formats.overlay import from_values
from pv_runtime.formats.safetensors import write_safetensors

INDEX = "model.safetensors.index.json"
ONE, TWO = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"


def shard(path: Path, tensors: dict[str, float], **metadata: str) -> None:
    listed = [
        from_values(name, (2, 2), lambda value=value: np.full((2, 2), value, np.float32), "F32")  # type: ignore[misc]
        for name, value in tensors.items()
    ]
    write_safetensors(str(path), [(each.info, each.raw) for each in listed], metadata)


def index(folder: Path, **changes: Any) -> None:
    whole = {"metadata": {"total_size": 48}, "weight_map": {"a": ONE, "b": ONE, "c": TWO}}
    (folder / INDEX).write_text(json.dumps({**whole, **changes}))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    shard(folder / ONE, {"a": 1, "b": 2}, format="pt", part="1")
    shard(folder / TWO, {"c": 3}, format="pt", part="2")
    index(folder)
    return folder


def test_shards_are_one_checkpoint(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "qwen2"}')
    model = open_checkpoint(folder)
    assert isinstance(model, JoinedCheckpoint)
    assert model.names() == ("a", "b", "c")
    assert [float(model.tensor(name)[1, 1]) for name in model.names()] == [1, 2, 3]
    assert model.metadata == {
        "format": "pt",
        "shards": {ONE: {"part": "1"}, TWO: {"part": "2"}},
        "index": {"total_size": 48},
        "config": {"model_type": "qwen2"},
    }
    assert model.files == tuple(str(folder / name) for name in (INDEX, ONE, TWO))
    assert "config" not in open_checkpoint(folder / INDEX).metadata


def test_what_transformers_shards_we_join(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="the extra transformers is not installed")
    config = transformers.Qwen2Config(
        hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, vocab_size=96, tie_word_embeddings=False,
    )  # fmt: skip
    torch.manual_seed(4)
    theirs = transformers.Qwen2ForCausalLM(config)
    theirs.save_pretrained(tmp_path, max_shard_size="60KB")
    model = open_checkpoint(tmp_path)
    assert isinstance(model, JoinedCheckpoint)
    assert len(model.parts) > 2
    state = theirs.state_dict()
    assert set(model.names()) == set(state)
    for name in model.names():
        assert np.array_equal(model.tensor(name), state[name].numpy())


def moved_out(folder: Path) -> None:
    (folder / TWO).rename(folder.parent / TWO)


def linked_out(folder: Path) -> None:
    moved_out(folder)
    (folder / TWO).symlink_to(folder.parent / TWO)


def with_shard(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder.parent / TWO).write_bytes((folder / TWO).read_bytes())
        index(folder, weight_map={"a": ONE, "b": ONE, "c": name.format(outside=folder.parent)})

    return change


def replaced(content: bytes) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / INDEX).write_bytes(content)

    return change


def a_pickle(folder: Path) -> None:
    (folder / TWO).write_bytes(b"\x80\x04" + bytes(100))


def a_fifo(folder: Path) -> None:
    (folder / TWO).unlink()
    os.mkfifo(folder / TWO)


DEFECTS: dict[str, tuple[Callable[[Path], None], str]] = {
    "shard missing": (moved_out, f"shard {TWO} is missing"),
    "link out of the folder": (linked_out, "is a link to .* out of the index's folder"),
    "parent": (with_shard(f"../{TWO}"), "no plain file name"),
    "absolute": (with_shard("{outside}/" + TWO), "no plain file name"),
    "backslash": (with_shard(f"..\\{TWO}"), "no plain file name"),
    "dots": (with_shard(".."), "no plain file name"),
    "nothing": (with_shard(""), "no plain file name"),
    "NUL": (with_shard("a\0b"), "no plain file name"),
    "device": (with_shard("/dev/zero"), "no plain file name"),
    "FIFO": (a_fifo, "no regular file"),
    "the index itself": (with_shard(INDEX), "does not fit"),
    "in a shard, not in the index": (
        lambda folder: index(folder, weight_map={"a": ONE, "c": TWO}),
        f"tensor b is in {ONE} and not in the index",
    ),
    "in the index, not in a shard": (
        lambda folder: index(folder, weight_map={"a": ONE, "b": ONE, "c": TWO, "d": TWO}),
        f"places the tensor d in {TWO}; no shard has it",
    ),
    "in the other shard": (
        lambda folder: index(folder, weight_map={"a": ONE, "b": TWO, "c": TWO}),
        f"places the tensor b in {TWO}; it is in {ONE}",
    ),
    "in two shards": (lambda folder: shard(folder / TWO, {"b": 2, "c": 3}), "b is in two shards"),
    "total_size too large": (
        lambda folder: index(folder, metadata={"total_size": 52}),
        "total_size is 52, the shards hold 48",
    ),
    "total_size as text": (lambda folder: index(folder, metadata={"total_size": "48"}), "total_size is '48'"),
    "total_size true": (lambda folder: index(folder, metadata={"total_size": True}), "total_size is True"),
    "metadata a list": (lambda folder: index(folder, metadata=[]), "metadata is no object"),
    "weight_map a list": (lambda folder: index(folder, weight_map=[]), "no weight_map"),
    "shard a number": (lambda folder: index(folder, weight_map={"a": 1}), "no weight_map"),
    "nothing in it": (lambda folder: index(folder, weight_map={}), "names no tensor"),
    "some other JSON": (replaced(b'{"model_type": "qwen2"}'), "no index of shards"),
    "a tensor twice": (
        replaced(b'{"weight_map": {"a": "x.safetensors", "a": "y.safetensors"}}'),
        "'a' occurs twice",
    ),
    "no JSON": (replaced(b'{"weight_map": '), "cannot be parsed"),
    "deep": (replaced(b'{"weight_map":' + b"[" * 200_000), "nested too deeply"),
    "NaN": (replaced(b'{"metadata": {"total_size": NaN}}'), "NaN"),
    "bad UTF-8": (replaced(b'{"weight_map": "\xff"}'), "cannot be parsed"),
    "a broken shard": (lambda folder: os.truncate(folder / TWO, 120), "accounts for"),
    "a pickle as shard": (a_pickle, "is a pickle"),
}  # fmt: skip


@pytest.mark.parametrize("defect", DEFECTS)
def test_every_disagreement_is_named(folder: Path, defect: str) -> None:
    plant, message = DEFECTS[defect]
    plant(folder)
    with pytest.raises(LoadError, match=message):
        open_checkpoint(folder)


def test_links_within_the_cache_of_the_hub_are_followed(folder: Path) -> None:
    """Snapshots hold links to ../blobs, for the index as for the shards."""
    snapshot = folder.parent / "snapshots" / "1"
    snapshot.mkdir(parents=True)
    for name in (INDEX, ONE, TWO):
        (snapshot / name).symlink_to(Path("../..") / folder.name / name)
    assert open_checkpoint(snapshot).names() == ("a", "b", "c")


def test_a_total_size_as_old_transformers_wrote_it(folder: Path) -> None:
    index(folder, metadata={"total_size": 48.0})
    assert len(open_checkpoint(folder).names()) == 3
    index(folder, metadata={})
    assert len(open_checkpoint(folder).names()) == 3


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_mutated_indices_load_or_end_in_our_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.getbasetemp() / "mutated-shards"
    folder.mkdir(exist_ok=True)
    shard(folder / ONE, {"a": 1, "b": 2})
    shard(folder / TWO, {"c": 3})
    index(folder)
    raw = bytearray((folder / INDEX).read_bytes())
    for _ in range(data.draw(st.integers(1, 2))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    (folder / INDEX).write_bytes(raw)
    try:
        model = open_checkpoint(folder)
        assert model.names() == ("a", "b", "c")
    except LoadError as error:
        assert str(folder) in str(error)  # noqa: PT017 - either ending is right, no other is

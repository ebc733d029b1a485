from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch
from pv_runtime.errors import LoadError
from pv_runtime.stage_names import StageKey
from pv_runtime.trace_file import SAVED, open_trace
from pv_runtime.trace_origin import TraceOrigin
from pv_runtime.trace_writer import aprt_folder, make_room, safetensors_file
from torch import Tensor

ORIGIN = TraceOrigin((7, 8, 9), dtype="float32", model="m/model.gguf", model_sha256="ab" * 32, made_by="test")


def values(dtype: torch.dtype = torch.float32) -> dict[StageKey, Tensor]:
    generator = torch.Generator().manual_seed(2)
    shapes: dict[StageKey, int] = {
        ("embedding", None): 4,
        ("ffn_out", 0): 4,
        ("ffn_gate", 1): 6,
        ("lm_head", None): 9,
    }
    return {key: torch.randn(3, width, generator=generator).to(dtype) for key, width in shapes.items()}


def widths(kept: Mapping[StageKey, Tensor]) -> dict[StageKey, int]:
    return {key: each.shape[1] for key, each in kept.items()}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_a_file_is_read_as_it_was_written(tmp_path: Path, dtype: torch.dtype) -> None:
    kept, path = values(dtype), str(tmp_path / "a.safetensors")
    with safetensors_file(path, ORIGIN, widths(kept), dtype) as keep:
        for key in reversed(kept):  # in whatever order they are computed
            keep(*key, kept[key])
    found = open_trace(path)
    assert found.origin == ORIGIN
    assert found.tokens == (7, 8, 9)
    assert found.stages() == tuple(kept)
    for key, each in kept.items():
        assert torch.equal(found.tensor(*key), each.float())
        assert found.features(*key) == each.shape[1]
        assert not found.values(*key).flags.writeable
    assert found.values("embedding", None).flags.owndata is False
    with pytest.raises(LoadError, match="no stage layer-0/ffn_gate"):
        found.values("ffn_gate", 0)


def test_the_file_is_one_that_safetensors_reads(tmp_path: Path) -> None:
    kept, path = values(), tmp_path / "a.safetensors"
    with safetensors_file(str(path), ORIGIN, widths(kept), torch.float32) as keep:
        for key, each in kept.items():
            keep(*key, each)
    theirs = safetensors.numpy.load_file(path)
    assert sorted(theirs) == ["embedding", "layer-0/ffn_out", "layer-1/ffn_gate", "lm_head"]
    np.testing.assert_array_equal(theirs["layer-1/ffn_gate"], kept["ffn_gate", 1].numpy())


def test_a_file_that_is_not_whole_is_not_there(tmp_path: Path) -> None:
    kept, path = values(), tmp_path / "a.safetensors"

    def write(given: Mapping[StageKey, Tensor]) -> None:
        with safetensors_file(str(path), ORIGIN, widths(kept), torch.float32) as keep:
            for key, each in given.items():
                keep(*key, each)

    less = {key: each for key, each in kept.items() if key[0] != "lm_head"}
    for given, why in (
        (less, "lm_head was announced and did not come"),
        ({**kept, ("ffn_up", 0): kept["ffn_out", 0]}, "layer-0/ffn_up was not announced"),
        ({**kept, ("lm_head", None): kept["lm_head", None].half()}, "lm_head is torch.float16"),
        ({**kept, ("lm_head", None): kept["lm_head", None][:2]}, r"lm_head is torch.float32 \[2, 9\]"),
    ):
        with pytest.raises(ValueError, match=why):
            write(given)
        assert not list(tmp_path.iterdir())
    with safetensors_file(str(path), ORIGIN, widths(kept), torch.float32) as keep:
        for key, each in kept.items():
            keep(*key, each)
        with pytest.raises(ValueError, match="came twice"):
            keep("embedding", None, kept["embedding", None])


def test_a_folder_is_read_as_it_was_written(tmp_path: Path) -> None:
    kept = values()
    kept["ffn_out", 0].view(torch.int32)[1, 2] = 0x7FC00000
    kept["ffn_out", 0].view(torch.int32)[1, 3] = 0x7F800001
    with aprt_folder(str(tmp_path / "t"), ORIGIN) as keep:
        for key, each in kept.items():
            keep(*key, each)
    assert (tmp_path / "t/lm_head.bin").read_bytes()[4:8] == b"\xff" * 4
    assert (tmp_path / "t/layer-1/ffn_gate.bin").read_bytes()[4:8] == b"\1\0\0\0"
    found = open_trace(str(tmp_path / "t"))
    assert found.origin == ORIGIN
    assert found.stages() == tuple(kept)
    for key, each in kept.items():
        assert found.values(*key).tobytes() == each.numpy().tobytes()


def test_narrow_values_are_widened_in_a_folder(tmp_path: Path) -> None:
    kept = values(torch.bfloat16)
    with aprt_folder(str(tmp_path), ORIGIN) as keep:
        keep("embedding", None, kept["embedding", None])
    assert torch.equal(open_trace(str(tmp_path)).tensor("embedding", None), kept["embedding", None].float())


def test_a_folder_that_was_not_finished_is_no_trace(tmp_path: Path) -> None:
    def interrupted() -> None:
        with aprt_folder(str(tmp_path), ORIGIN) as keep:
            keep("embedding", None, values()["embedding", None])
            raise KeyboardInterrupt

    with aprt_folder(str(tmp_path), ORIGIN) as keep:
        keep("embedding", None, values()["embedding", None])
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with pytest.raises(LoadError, match="nobody knows on which tokens"):
        open_trace(str(tmp_path))


def test_the_same_trace_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in "ab":
        with aprt_folder(str(tmp_path / name), ORIGIN) as keep:
            keep("embedding", None, values()["embedding", None])
    for file in ("trace.json", "embedding.bin"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    assert json.loads((tmp_path / "a/trace.json").read_text())["tokens"] == "[7,8,9]"


def test_room_is_made_only_when_asked_for(tmp_path: Path) -> None:
    folder = tmp_path / "t"
    make_room(folder, force=False)
    make_room(folder, force=False)
    with aprt_folder(str(folder), ORIGIN) as keep:
        keep("ffn_out", 3, torch.ones(3, 2))
    (folder / SAVED).write_bytes(b"old")
    (folder / "notes.txt").write_text("mine")
    (folder / "pytorch_model.bin").write_bytes(b"weights")
    with pytest.raises(LoadError, match="is not empty"):
        make_room(folder, force=False)
    make_room(folder, force=True)
    assert sorted(path.name for path in folder.rglob("*")) == ["layer-3", "notes.txt", "pytorch_model.bin"]
    with pytest.raises(LoadError, match="is no folder"):
        make_room(folder / "notes.txt", force=True)
    with pytest.raises(LoadError, match="is not there"):
        make_room(tmp_path / "none/t", force=True)

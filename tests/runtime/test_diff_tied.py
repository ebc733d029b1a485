from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pv_runtime.diff import compare, structure
from pv_runtime.diff_tied import stated_tie
from pv_runtime.export import export
from pv_runtime.formats import Checkpoint, open_checkpoint
from pv_runtime.formats.apr_writer import write_apr
from pv_runtime.formats.gguf_writer import write_gguf
from pv_runtime.formats.overlay import from_values
from pv_runtime.formats.safetensors import write_safetensors
from pv_runtime.quant.scheme import Floats

EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"
WRITERS = {"apr": write_apr, "gguf": write_gguf, "safetensors": write_safetensors}
ONES, TWOS = np.ones((4, 8), np.float32), np.full((4, 8), 2, np.float32)


def model(path: Path, form: str, head: Floats | None, metadata: dict[str, object]) -> Checkpoint:
    values = {EMBEDDING: ONES} if head is None else {EMBEDDING: ONES, HEAD: head}
    tensors = [
        from_values(name, array.shape, lambda array=array: array, "F16")  # type: ignore[misc]
        for name, array in values.items()
    ]
    WRITERS[form](str(path), [(each.info, each.raw) for each in tensors], metadata)  # type: ignore[operator]
    return open_checkpoint(path)


TIED: dict[str, dict[str, object]] = {
    "gguf": {},
    "apr": {"tie_word_embeddings": True},
    "safetensors": {"config": json.dumps({"tie_word_embeddings": True})},
}


@pytest.mark.parametrize("form", TIED)
def test_a_tied_head_is_compared_with_one_that_is_written_out(form: str, tmp_path: Path) -> None:
    tied = model(tmp_path / "tied", form, None, TIED[form])
    for head, status in ((ONES, "identical"), (TWOS, "beyond_threshold")):
        full = model(tmp_path / "full", "safetensors", head, {})
        for a, b, which in ((tied, full, "a"), (full, tied, "b")):
            found = structure(a, b)
            assert (found.only_a, found.only_b) == ((), ())
            assert f"lm_head.weight of {which} is its embedding, to which it is tied" in found.notes
            results = compare(found, values=True, transpose_aware=False, threshold=0)
            assert {each.name: each.status for each in results} == {EMBEDDING: "identical", HEAD: status}


@pytest.mark.parametrize(
    ("form", "metadata", "other"),
    [
        ("safetensors", {}, {}),
        ("safetensors", {"config": "{oops"}, {}),
        ("safetensors", {"config": '{"tie_word_embeddings": false}'}, {}),
        ("apr", {}, {}),
        ("apr", {"tie_word_embeddings": "yes"}, {}),
        ("gguf", {"pv.config": '{"tie_word_embeddings": false}'}, {}),
        ("gguf", {}, {"config": '{"tie_word_embeddings": false}'}),
    ],
)
def test_a_head_that_is_missing_is_missing(
    form: str, metadata: dict[str, object], other: dict[str, object], tmp_path: Path
) -> None:
    short = model(tmp_path / "short", form, None, metadata)
    full = model(tmp_path / "full", "safetensors", ONES, other)
    assert [info.name for info in structure(short, full).only_b] == [HEAD]
    assert [info.name for info in structure(full, short).only_a] == [HEAD]


def test_what_says_that_it_is_tied(model_folder: Path, tmp_path: Path) -> None:
    source = open_checkpoint(model_folder)
    assert stated_tie(source) is True
    for form in ("apr", "gguf"):
        export(source, str(tmp_path / form), form)
        assert stated_tie(open_checkpoint(tmp_path / form)) is True

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pv_runtime.build_export import exported_gguf, quantised_apr
from pv_runtime.errors import LoadError
from pv_runtime.formats import open_checkpoint
from pv_runtime.provenance import GGUF_DERIVED_FROM, file_sha256
from pv_runtime.vocabulary import apr_vocabulary, gguf_vocabulary

MODEL = Path(__file__).parents[2] / "models/tiny-qwen2"


def built(folder: Path) -> tuple[Path, Path]:
    apr, gguf = folder / "model.apr", folder / "model.gguf"
    quantised_apr(str(MODEL), str(apr), quantisation="q4_k_m")
    exported_gguf(str(apr), str(gguf))
    return apr, gguf


def test_a_publisher_ends_with_the_same_values_and_the_same_tokenizer(tmp_path: Path) -> None:
    apr, gguf = map(open_checkpoint, built(tmp_path))
    assert (apr.format, gguf.format) == ("apr", "gguf")
    assert set(apr.names()) == set(gguf.names()) == set(open_checkpoint(MODEL).names())
    for name in apr.names():
        assert np.array_equal(apr.tensor(name), gguf.tensor(name))
    assert {apr.info(name).dtype for name in apr.matrices()} == {"Q4_K", "Q6_K"}
    words = apr_vocabulary(apr.metadata, apr.path)
    assert words is not None
    assert words == gguf_vocabulary(gguf.metadata, gguf.path)
    assert gguf.metadata[GGUF_DERIVED_FROM] == file_sha256(apr.path)


def test_what_is_built_twice_is_the_same(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
    for first, second in zip(built(tmp_path / "one"), built(tmp_path / "two"), strict=True):
        assert first.read_bytes() == second.read_bytes()


def test_what_is_no_model_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "x.apr").write_bytes(b"APR2 and no more")
    with pytest.raises(LoadError):
        exported_gguf(str(tmp_path / "x.apr"), str(tmp_path / "x.gguf"))
    assert [path.name for path in tmp_path.iterdir()] == ["x.apr"]

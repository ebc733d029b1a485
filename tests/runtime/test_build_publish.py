from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from pv_runtime.build_publish import main_type, published_manifest
from pv_runtime.checks.damage import emptied
from pv_runtime.errors import LoadError
from pv_runtime.export import export
from pv_runtime.formats import open_checkpoint

URL = "https://example.org/m/model.apr"
SAID = {"model_id": "example/m", "version": "1.0.0"}


def test_what_can_be_measured_is(model_folder: Path, tmp_path: Path) -> None:
    export(open_checkpoint(model_folder), str(tmp_path / "model.apr"), "apr", with_tokenizer=False)
    parents = [{"model_id": "example/root", "license": "MIT"}]
    published_manifest(
        str(tmp_path / "model.apr"),
        str(tmp_path / "m.json"),
        url=URL,
        said=SAID,
        provenance={"pipeline": "conversion"},
        parents=parents,
    )
    said = json.loads((tmp_path / "m.json").read_text())
    data = (tmp_path / "model.apr").read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    assert said["files"] == [{"name": "model.apr", "url": URL, "size": len(data), "sha256": digest}]
    assert (said["format"], said["quantization"], said["architecture"]) == ("apr", "f16", "qwen2")
    source = hashlib.sha256((model_folder / "model.safetensors").read_bytes()).hexdigest()
    assert said["provenance"] == {"pipeline": "conversion", "parents": [{**parents[0], "sha256": source}]}


def test_as_many_parents_as_the_file_records(model_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="records 0 origins, and 1 are named"):
        published_manifest(
            str(model_folder / "model.safetensors"),
            str(tmp_path / "m.json"),
            url=URL,
            said=SAID,
            provenance={},
            parents=[{}],
        )
    assert not (tmp_path / "m.json").exists()


def test_a_model_without_matrices_has_no_main_type(model_folder: Path) -> None:
    with pytest.raises(LoadError, match="has no matrix"):
        main_type(emptied(open_checkpoint(model_folder)))

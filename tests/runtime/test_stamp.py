from __future__ import annotations

import hashlib
import json
import shutil
import struct
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import safetensors
from hypothesis import given, settings
from hypothesis import strategies as st
from pv_runtime.errors import LoadError
from pv_runtime.export import export
from pv_runtime.formats import Checkpoint, Overlay, open_checkpoint
from pv_runtime.formats.apr import AprCheckpoint, footer_matches
from pv_runtime.formats.apr_header import FLAGS
from pv_runtime.formats.apr_writer import write_apr
from pv_runtime.formats.gguf_writer import write_gguf
from pv_runtime.formats.overlay import from_values
from pv_runtime.formats.safetensors import write_safetensors
from pv_runtime.stamp import FIELDS, licence, stamp

MODELS = Path(__file__).resolve().parents[2] / "models"
GIVEN = {"license": "Apache-2.0", "data_source": "https://example.org/data", "architecture": "qwen2"}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("sources")
    export(open_checkpoint(MODELS / "tiny-qwen2-q4_k/model.gguf"), str(folder / "x.apr"), "apr")
    return {
        "apr": folder / "x.apr",
        "gguf": MODELS / "tiny-qwen2-q4_k/model.gguf",
        "safetensors": MODELS / "tiny-qwen2/model.safetensors",
    }


def digests(model: Checkpoint) -> dict[str, str]:
    return {name: hashlib.sha256(model.raw(name).tobytes()).hexdigest() for name in model.names()}


@pytest.mark.parametrize("form", ["apr", "gguf", "safetensors"])
def test_the_metadata_change_and_no_tensor_does(sources: dict[str, Path], tmp_path: Path, form: str) -> None:
    before = open_checkpoint(sources[form])
    done = stamp(before, str(tmp_path / "x"), GIVEN)
    after = open_checkpoint(tmp_path / "x")
    assert digests(after) == digests(before)
    assert [after.info(name) for name in after.names()] == [before.info(name) for name in before.names()]
    keys = {FIELDS[key] if form == "gguf" else key: value for key, value in GIVEN.items()}
    prefix = "pv.derived_from." if form == "gguf" else "derived_from."
    assert {key: after.metadata[key] for key in keys} == keys
    assert after.metadata[f"{prefix}sha256"] == hashlib.sha256(sources[form].read_bytes()).hexdigest()
    kept = {key for key in before.metadata if not key.startswith(prefix)}
    for key in kept - keys.keys():
        old, new = before.metadata[key], after.metadata[key]
        assert new == old or list(new) == list(old)  # type: ignore[call-overload]
    assert set(after.metadata) - kept - keys.keys() <= {
        prefix + key for key in ("sha256", "tool", "options", "earlier")
    }
    assert (done.changed, done.tensors, done.output_bytes) == (True, 62, (tmp_path / "x").stat().st_size)


@pytest.mark.parametrize("form", ["apr", "gguf", "safetensors"])
def test_stamping_twice_is_stamping_once(sources: dict[str, Path], tmp_path: Path, form: str) -> None:
    stamp(open_checkpoint(sources[form]), str(tmp_path / "one"), GIVEN)
    again = stamp(open_checkpoint(tmp_path / "one"), str(tmp_path / "two"), GIVEN)
    assert not again.changed
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    other = stamp(open_checkpoint(tmp_path / "one"), str(tmp_path / "three"), {"license": "MIT"})
    assert other.changed
    prefix = "pv.derived_from." if form == "gguf" else "derived_from."
    earlier: Any = open_checkpoint(tmp_path / "three").metadata[f"{prefix}earlier"]
    assert json.loads(earlier)[0]["options"]["fields"] == GIVEN
    assert json.loads(earlier)[0]["sha256"] == hashlib.sha256(sources[form].read_bytes()).hexdigest()


def test_peers_read_what_was_stamped(sources: dict[str, Path], tmp_path: Path) -> None:
    stamp(open_checkpoint(sources["gguf"]), str(tmp_path / "x.gguf"), GIVEN)
    reader = gguf.GGUFReader(tmp_path / "x.gguf")
    field = reader.get_field("general.license")
    assert field is not None
    assert field.contents() == "Apache-2.0"
    before = {tensor.name: tensor.data for tensor in gguf.GGUFReader(sources["gguf"]).tensors}
    assert all(np.array_equal(tensor.data, before[tensor.name]) for tensor in reader.tensors)
    stamp(open_checkpoint(sources["safetensors"]), str(tmp_path / "x.safetensors"), GIVEN)
    with safetensors.safe_open(tmp_path / "x.safetensors", "np") as file:
        assert file.metadata()["data_source"] == GIVEN["data_source"]
        assert len(file.keys()) == 62


def test_apr_keeps_its_flags_and_gets_a_new_checksum(sources: dict[str, Path], tmp_path: Path) -> None:
    before = open_checkpoint(sources["apr"])
    stamp(before, str(tmp_path / "x"), {"license": "MIT"})
    after = open_checkpoint(tmp_path / "x")
    assert isinstance(before, AprCheckpoint)
    assert isinstance(after, AprCheckpoint)
    assert after.header.flags == before.header.flags
    assert after.header.has("ROW_MAJOR")
    assert footer_matches(after) is True
    assert after.header.flags & FLAGS["HAS_VOCAB"]


def test_an_apr_file_without_a_checksum_gets_one_and_a_damaged_one_does_not(
    sources: dict[str, Path], tmp_path: Path
) -> None:
    raw = sources["apr"].read_bytes()
    (tmp_path / "bare").write_bytes(raw[:-4])
    stamp(open_checkpoint(tmp_path / "bare"), str(tmp_path / "x"), {"license": "0BSD"})
    after = open_checkpoint(tmp_path / "x")
    assert isinstance(after, AprCheckpoint)
    assert footer_matches(after) is True
    (tmp_path / "bad").write_bytes(raw[:-1000] + bytes([raw[-1000] ^ 1]) + raw[-999:])
    with pytest.raises(LoadError, match="does not have the checksum"):
        stamp(open_checkpoint(tmp_path / "bad"), str(tmp_path / "y"), {"license": "MIT"})
    assert not (tmp_path / "y").exists()


@settings(max_examples=40, deadline=None)
@given(
    text=st.text(st.characters(codec="utf-8"), min_size=1, max_size=200),
    key=st.sampled_from(["data_source", "hf_model_type"]),
    form=st.sampled_from(["apr", "gguf", "safetensors"]),
    sizes=st.lists(st.integers(1, 70), max_size=4),
)
def test_any_text_and_any_sizes(
    tmp_path_factory: pytest.TempPathFactory, text: str, key: str, form: str, sizes: list[int]
) -> None:
    folder = tmp_path_factory.getbasetemp() / "stamps"
    folder.mkdir(exist_ok=True)
    path, target = str(folder / f"x.{form}"), str(folder / "out")
    tensors = [
        from_values(f"model.t{number}", (size,), lambda size=size: np.arange(size, dtype=np.float32), "F16")  # type: ignore[misc]
        for number, size in enumerate(sizes)
    ]
    _write(form, path, [(each.info, each.raw) for each in tensors])
    before = open_checkpoint(path)
    stamp(before, target, {key: text})
    after = open_checkpoint(target)
    assert after.metadata[FIELDS[key] if form == "gguf" else key] == text
    assert digests(after) == digests(before)


def _write(form: str, path: str, tensors: list[Any]) -> None:
    {"apr": write_apr, "gguf": write_gguf, "safetensors": write_safetensors}[form](path, tensors, {})  # type: ignore[operator]


def test_other_alignments_and_older_versions_of_gguf_are_kept(tmp_path: Path) -> None:
    def text(value: bytes) -> bytes:
        return struct.pack("<Q", len(value)) + value

    keys = (
        text(b"general.alignment")
        + struct.pack("<II", 4, 128)
        + text(b"general.license")
        + struct.pack("<I", 8)
    )
    keys += text(b"old")
    table = text(b"w") + struct.pack("<IQIQ", 1, 8, 0, 0)
    head = struct.pack("<4sIQQ", b"GGUF", 2, 1, 2) + keys + table
    data = np.arange(8, dtype="<f4").tobytes()
    (tmp_path / "x").write_bytes(head + bytes(-len(head) % 128) + data.ljust(128, b"\0"))
    stamp(open_checkpoint(tmp_path / "x"), str(tmp_path / "y"), {"license": "MIT"})
    after = open_checkpoint(tmp_path / "y")
    assert after.metadata["general.license"] == "MIT"
    assert after.tensor("w").tolist() == list(range(8))
    raw = (tmp_path / "y").read_bytes()
    assert raw[4] == 2
    assert raw.index(data) % 128 == 0


def test_a_stamp_that_the_file_contradicts_is_refused(sources: dict[str, Path], tmp_path: Path) -> None:
    for form in ("apr", "gguf"):
        with pytest.raises(LoadError, match="says that it is a 'qwen2', and would be stamped 'llama'"):
            stamp(open_checkpoint(sources[form]), str(tmp_path / "x"), {"architecture": "llama"})
    with pytest.raises(LoadError, match="would be stamped 'LlamaForCausalLM'"):
        stamp(open_checkpoint(sources["apr"]), str(tmp_path / "x"), {"hf_architecture": "LlamaForCausalLM"})
    assert list(tmp_path.iterdir()) == []


def test_a_config_that_is_no_json_is_nobodys(tmp_path: Path) -> None:
    write_safetensors(str(tmp_path / "x"), [], {"config": "{oops"})
    stamp(open_checkpoint(tmp_path / "x"), str(tmp_path / "y"), {"architecture": "qwen2"})
    assert open_checkpoint(tmp_path / "y").metadata["config"] == "{oops"


def test_what_is_no_single_file_is_refused(sources: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="several files"):
        stamp(Overlay(open_checkpoint(sources["gguf"])), str(tmp_path / "x"), {"license": "MIT"})


def test_licences_are_those_of_spdx() -> None:
    assert licence("mit or (apache-2.0)") == "MIT OR (Apache-2.0)"
    assert licence("LicenseRef-Qwen") == "LicenseRef-Qwen"
    for text in ("Apache 2", "free", "MIT OR", "", "(MIT"):
        with pytest.raises(ValueError, match="no SPDX licence expression"):
            licence(text)


def tokenizer_keys(model: Checkpoint) -> dict[str, Any]:
    return {
        key: value if isinstance(value, (str, int)) else list(value)  # type: ignore[call-overload]
        for key, value in model.metadata.items()
        if key.startswith("tokenizer.") or key == "chat_template"
    }


@pytest.mark.parametrize("form", ["apr", "gguf"])
def test_a_tokenizer_is_embedded_as_an_export_carries_it(form: str, tmp_path: Path) -> None:
    folder = MODELS / "tiny-qwen2"
    source = open_checkpoint(folder)
    export(source, str(tmp_path / "bare"), form, folder=folder, with_tokenizer=False)
    export(source, str(tmp_path / "full"), form, folder=folder)
    bare = open_checkpoint(tmp_path / "bare")
    assert tokenizer_keys(bare) == {}
    done = stamp(bare, str(tmp_path / "x"), {"license": "MIT"}, tokenizer=folder)
    after = open_checkpoint(tmp_path / "x")
    assert (done.vocabulary, done.changed, done.notes) == (4096, True, ())
    assert tokenizer_keys(after) == tokenizer_keys(open_checkpoint(tmp_path / "full"))
    assert digests(after) == digests(bare)
    assert after.metadata["license" if form == "apr" else "general.license"] == "MIT"
    options = after.metadata["derived_from.options" if form == "apr" else "pv.derived_from.options"]
    digest = hashlib.sha256((folder / "tokenizer.json").read_bytes()).hexdigest()
    assert json.loads(str(options))["tokenizer"] == {"sha256": digest}
    again = stamp(after, str(tmp_path / "y"), {}, tokenizer=folder)
    assert not again.changed
    assert (tmp_path / "x").read_bytes() == (tmp_path / "y").read_bytes()
    if isinstance(after, AprCheckpoint):
        assert after.header.has("HAS_VOCAB")
        assert footer_matches(after) is True
    else:
        field = gguf.GGUFReader(tmp_path / "x").get_field("tokenizer.ggml.tokens")
        assert field is not None
        assert field.contents() == tokenizer_keys(after)["tokenizer.ggml.tokens"]


@pytest.mark.parametrize("form", ["apr", "gguf"])
def test_a_tokenizer_takes_the_place_of_another(form: str, tmp_path: Path) -> None:
    """Whole: no key of the old one stays, but for a chat template where the new one has none."""
    embedding = from_values(
        "model.embed_tokens.weight", (5000, 2), lambda: np.zeros((5000, 2), np.float32), "F16"
    )
    old: dict[str, Any] = {
        "gguf": {
            "tokenizer.ggml.tokens": ["a", "b"], "tokenizer.ggml.scores": [0.5, 1.5],
            "tokenizer.ggml.unknown_token_id": 1, "tokenizer.chat_template": "{{ x }}", "general.name": "n",
        },
        "apr": {
            "tokenizer.vocabulary": ["a", "b"], "tokenizer.scores": [0.5, 1.5],
            "tokenizer.unknown_token_id": 1, "chat_template": "{{ x }}", "name": "n",
        },
    }[form]  # fmt: skip
    path = str(tmp_path / "old")
    {"apr": write_apr, "gguf": write_gguf}[form](path, [(embedding.info, embedding.raw)], old)
    (tmp_path / "new").mkdir()
    shutil.copy(MODELS / "tiny-qwen2/tokenizer.json", tmp_path / "new")  # and no config with a template
    done = stamp(open_checkpoint(path), str(tmp_path / "x"), {}, tokenizer=tmp_path / "new")
    assert done.vocabulary == 5000  # ids without a token are filled up, as llama.cpp's converter does
    assert done.notes[-1:] == ("carried another tokenizer, of 2 tokens, which was replaced",)
    after = open_checkpoint(tmp_path / "x").metadata
    assert not {key for key in after if "scores" in key or "unknown" in key}
    assert "{{ x }}" in after.values()
    assert "n" in after.values()


def test_a_tokenizer_that_does_not_fit_writes_nothing(sources: dict[str, Path], tmp_path: Path) -> None:
    small = from_values("model.embed_tokens.weight", (9, 2), lambda: np.zeros((9, 2), np.float32), "F16")
    write_apr(str(tmp_path / "small"), [(small.info, small.raw)], {})
    folder = MODELS / "tiny-qwen2"
    for path, tokenizer, message in (
        (tmp_path / "small", folder, "outside the embedding's 9 rows"),
        (sources["apr"], tmp_path, "holds no tokenizer.json"),
        (sources["safetensors"], folder, "carries no tokenizer"),
    ):
        with pytest.raises(LoadError, match=message):
            stamp(open_checkpoint(path), str(tmp_path / "x"), {}, tokenizer=tokenizer)
    assert not (tmp_path / "x").exists()

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pv_runtime.export import export
from pv_runtime.formats import Checkpoint, open_checkpoint
from pv_runtime.formats.safetensors import write_safetensors
from pv_runtime.origin import Origin, origin_keys, origin_of, relation, source_sha256, stated_origins, tool


def test_keys_are_text_and_their_order_is_fixed() -> None:
    keys = origin_keys(Origin("ab" * 32, "apr 1", {"b": 1, "a": True}), "pv.derived_from.")
    assert list(keys) == ["pv.derived_from.sha256", "pv.derived_from.tool", "pv.derived_from.options"]
    assert json.loads(keys["pv.derived_from.options"]) == {"a": True, "b": 1}
    assert keys["pv.derived_from.options"] == '{"a":true,"b":1}'
    assert tool().startswith("apr ")


def test_one_file_is_digested_and_several_by_the_lines_of_sha256sum(
    model_folder: Path, tmp_path: Path
) -> None:
    model = open_checkpoint(model_folder)
    assert source_sha256(model) == hashlib.sha256(Path(model.path).read_bytes()).hexdigest()
    for name in ("b", "a"):
        (tmp_path / name).write_text(name)
    several: Any = SimpleNamespace(path="b", files=tuple(str(tmp_path / name) for name in ("b", "a")))
    printed = subprocess.run(["sha256sum", "a", "b"], cwd=tmp_path, capture_output=True, check=True).stdout
    assert source_sha256(several) == hashlib.sha256(printed).hexdigest()


def chain(folder: Path, model_folder: Path) -> list[Checkpoint]:
    """A model, one made from it, and one made from that."""
    first = open_checkpoint(model_folder)
    export(first, str(folder / "b.apr"), "apr")
    second = open_checkpoint(folder / "b.apr")
    export(second, str(folder / "c.gguf"), "gguf")
    return [first, second, open_checkpoint(folder / "c.gguf")]


def test_how_files_are_related(model_folder: Path, tmp_path: Path) -> None:
    first, second, third = chain(tmp_path, model_folder)
    assert relation(first, first, verify=True) == (None, "")
    assert relation(first, second, verify=True) == ("b_from_a", "b was derived from a (sha256 matches)")
    assert relation(second, first, verify=True)[0] == "a_from_b"
    assert relation(first, third, verify=True)[1] == "b was derived from a in 2 steps (sha256 matches)"
    assert relation(first, second, verify=False)[0] == "not_verified"
    assert "--verify-origin" in relation(first, second, verify=False)[1]
    export(first, str(tmp_path / "d.gguf"), "gguf")
    sibling = open_checkpoint(tmp_path / "d.gguf")
    for verify in (True, False):
        assert relation(second, sibling, verify=verify)[0] == "same_source"
    assert relation(third, sibling, verify=True) == (
        "other_source",
        "a's and b's record names another source than the other side",
    )


def test_a_record_of_other_bytes_is_no_relation(model_folder: Path, tmp_path: Path) -> None:
    first, second, _ = chain(tmp_path, model_folder)
    altered = tmp_path / "altered.safetensors"
    raw = bytearray(Path(first.path).read_bytes())
    raw[-1] ^= 1
    altered.write_bytes(raw)
    assert relation(open_checkpoint(altered), second, verify=True)[0] == "other_source"


@pytest.mark.parametrize("record", [{}, {"derived_from.sha256": "x"}, {"derived_from.sha256": "A" * 64}])
def test_whatever_a_record_says(record: dict[str, str], tmp_path: Path) -> None:
    write_safetensors(str(tmp_path / "x"), [], {**record, "derived_from.earlier": '[1, {"sha256": 2}, "y"]'})
    model = open_checkpoint(tmp_path / "x")
    assert stated_origins(model) == tuple(text.lower() for text in record.values())
    assert relation(model, model, verify=True)[0] == ("same_source" if record else None)


@pytest.mark.parametrize("text", ["[" * 900 + "]" * 900, '{"a": NaN}', '{"a": 1e999}'])
def test_a_record_that_is_no_plain_json_stays_text(text: str, tmp_path: Path) -> None:
    write_safetensors(
        str(tmp_path / "x"), [], {"derived_from.sha256": "0" * 64, "derived_from.options": text}
    )
    origin = origin_of(open_checkpoint(tmp_path / "x"), {})
    assert origin.earlier == [{"sha256": "0" * 64, "options": text}]
    assert json.loads(origin_keys(origin, "")["earlier"]) == origin.earlier

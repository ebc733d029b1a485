from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from pv_runtime import cli
from pv_runtime.errors import LoadError
from pv_runtime.formats import open_checkpoint
from pv_runtime.formats.apr_header import ALIGNMENT, HEADER_SIZE, Header, packed
from pv_runtime.formats.overlay import from_values
from pv_runtime.formats.safetensors import write_safetensors
from pv_runtime.formats.strict_json import parse_object, require_shallow

LISTS = {depth: "[" * depth + "]" * depth for depth in (60, 100, 400, 700, 950)}
OBJECTS = {depth: '{"a":' * depth + "1" + "}" * depth for depth in LISTS}


def folder(path: Path, config: str) -> Path:
    tensor = from_values("w", (2,), lambda: np.zeros(2, np.float32), "F32")
    write_safetensors(str(path / "model.safetensors"), [(tensor.info, tensor.raw)])
    (path / "config.json").write_text(config)
    return path


def apr(path: Path, metadata: str) -> Path:
    text = metadata.encode()
    start = HEADER_SIZE + len(text) + -len(text) % ALIGNMENT
    header = Header(b"APR\0", 0, 0, HEADER_SIZE, len(text), start, start)
    path.write_bytes((packed(header) + text).ljust(start, b"\0"))
    return path


@pytest.mark.parametrize("nested", [*LISTS.values(), *OBJECTS.values()], ids=lambda text: str(len(text)))
def test_nothing_nested_becomes_a_fault_of_ours(
    nested: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Python itself reads some 990 levels, and gives up in whatever walks through them afterwards."""
    text = f'{{"x": {nested}}}'
    for made in (folder(tmp_path, text), apr(tmp_path / "x", text)):
        code = cli.main(["inspect", str(made), "--json"])
        said = capsys.readouterr()
        assert code == (0 if nested in {LISTS[60], OBJECTS[60]} else 1), said.err
        assert code == 0 or "nested too deeply" in said.err


def test_a_dtype_that_is_nested_is_not_repeated(tmp_path: Path) -> None:
    header = f'{{"w":{{"dtype":{LISTS[950]},"shape":[],"data_offsets":[0,0]}}}}'.encode()
    (tmp_path / "x").write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(LoadError, match=r"dtype that is no text|nested too deeply"):
        open_checkpoint(tmp_path / "x")


def test_numbers_that_no_float64_holds(tmp_path: Path) -> None:
    for number in ("1e999", "-1e999"):
        with pytest.raises(LoadError, match="not finite"):
            open_checkpoint(folder(tmp_path, f'{{"x": {number}}}'))
        with pytest.raises(LoadError, match="not finite"):
            open_checkpoint(apr(tmp_path / "x", f'{{"x": {number}}}'))
    assert parse_object(b'{"x": 1e308}', "x") == {"x": 1e308}


def test_what_is_flat_may_be_long() -> None:
    long = {"a": [[], {}, ["[" * 1000]] * 1000}
    require_shallow(long, "x")
    assert parse_object(json.dumps(long).encode(), "x") == long

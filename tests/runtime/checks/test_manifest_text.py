from __future__ import annotations

from pathlib import Path

import pytest
from pv_runtime.checks.manifest_text import edited, statements
from pv_runtime.formats import open_bytes

from pv.check import CheckError


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b"\xff{}", b"[" * 100_000, b" " * (2 << 20) + b"{}"])
def test_what_is_no_object_says_nothing(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "m.json").write_bytes(text)
    manifest = open_bytes(tmp_path / "m.json")
    assert statements(manifest) is None
    with pytest.raises(CheckError, match="states nothing to damage"):
        edited(manifest, lambda said: said.update(a=1))


def test_an_edited_manifest_says_what_it_was_made_to_say(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_bytes(b'{"a": 1, "b": 2}\n')
    manifest = open_bytes(tmp_path / "m.json")
    assert statements(edited(manifest, lambda said: said.pop("a"))) == {"b": 2}
    assert statements(manifest) == {"a": 1, "b": 2}

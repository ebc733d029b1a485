from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pv_runtime.formats import open_checkpoint
from pv_runtime.origin import Origin, origin_keys, source_sha256, tool


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

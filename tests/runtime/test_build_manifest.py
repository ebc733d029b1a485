from __future__ import annotations

import hashlib
import json
from pathlib import Path

from pv_runtime.build_manifest import manifest


def test_a_manifest_states_name_address_size_and_digest(tmp_path: Path) -> None:
    (tmp_path / "here.bin").write_bytes(b"abc")
    manifest(str(tmp_path / "here.bin"), str(tmp_path / "m.json"), url="https://example.org/a/there.bin")
    assert json.loads((tmp_path / "m.json").read_text()) == {
        "files": [
            {
                "name": "there.bin",
                "url": "https://example.org/a/there.bin",
                "size": 3,
                "sha256": hashlib.sha256(b"abc").hexdigest(),
            }
        ]
    }

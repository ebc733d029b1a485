from __future__ import annotations

import json
import os
from pathlib import Path


def test_numbers_are_kept() -> None:
    kept = json.loads(Path(os.environ.get("CANDIDATE", "data/candidate.json")).read_text(encoding="utf-8"))
    wanted = json.loads(Path("data/reference.json").read_text(encoding="utf-8"))
    assert kept.keys() == wanted.keys()
    assert all(abs(kept[name] - wanted[name]) <= 0.01 for name in wanted)

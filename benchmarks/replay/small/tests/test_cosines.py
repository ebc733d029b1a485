from __future__ import annotations

import os
from pathlib import Path


def test_every_cosine_is_one() -> None:
    text = Path(os.environ.get("FIGURES", "data/cosines.txt")).read_text(encoding="utf-8")
    assert all(-1 <= float(line.split()[1]) <= 1 for line in text.splitlines())

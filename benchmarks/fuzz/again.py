"""``python -m benchmarks.fuzz.again FILE...``: read finds again, and show how each ends."""

from __future__ import annotations

import json
import sys
import tempfile
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path

from benchmarks.fuzz.registry import target_of

__all__ = ["main"]


def main(words: Sequence[str]) -> int:
    """Read each file as what the .json beside it says; ends with 1 if one escapes."""
    warnings.simplefilter("error")
    escaped = 0
    for path in map(Path, words):
        name = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["format"]
        with tempfile.TemporaryDirectory() as folder:
            try:
                target_of(name).read(path.read_bytes(), Path(folder))
                print(f"{path}: accepted")
            except target_of(name).errors as error:
                print(f"{path}: rejected: {str(error)!a}")
            except Exception:
                escaped += 1
                print(f"{path}: escaped: {traceback.format_exc()!a}".replace("\\n", "\n"))
    return 1 if escaped else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

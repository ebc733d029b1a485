"""Inputs that escaped: one of each kind is kept, with what happened, below build/fuzz."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

__all__ = ["FINDS", "keep", "kept"]

FINDS = Path(__file__).parents[2] / "build" / "fuzz"
"""Where finds are kept: NAME.input and NAME.json."""


def keep(folder: Path, name: str, key: tuple[str, ...], message: str, data: bytes) -> None:
    """Keep the shortest input of each `key`."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{name.rpartition(':')[2]}-{hashlib.sha256(repr(key).encode()).hexdigest()[:12]}"
    path = folder / f"{stem}.input"
    if path.exists() and path.stat().st_size <= len(data):
        return
    path.write_bytes(data)
    (folder / f"{stem}.json").write_text(
        json.dumps({"format": name, "where": key, "message": message[:2000], "bytes": len(data)}, indent=1)
        + "\n",
        encoding="utf-8",
    )


def kept(folder: Path) -> list[dict[str, object]]:
    """Return what is said of the finds of a folder, with the file of each."""
    return [
        {**json.loads(path.read_text(encoding="utf-8")), "input": str(path.with_suffix(".input"))}
        for path in sorted(folder.glob("*.json"))
    ]

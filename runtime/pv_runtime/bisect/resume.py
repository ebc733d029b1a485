"""A folder of what was computed, which belongs to one question and refuses another."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from torch import Tensor

from pv_runtime.errors import ModelError
from pv_runtime.formats.writing import writing

__all__ = ["resumable"]

_QUESTION = "bisect.json"


def resumable(folder: Path, arguments: argparse.Namespace, tokens: Tensor) -> Path:
    """Return `folder`, made or found to be of the same question.

    Raises
    ------
    ModelError
        It holds the values of other models, tokens or settings.
    """
    question = {
        "schema_version": 1,
        "reference": _named(arguments.reference),
        "candidate": _named(arguments.candidate),
        "settings": {
            name: getattr(arguments, name)
            for name in (
                "decode", "reference_backend", "candidate_backend", "reference_dtype", "candidate_dtype",
                "reference_device", "candidate_device",
            )
        },
        "tokens": tokens.tolist(),
    }  # fmt: skip
    path = folder / _QUESTION
    if path.exists():
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError):
            found = None
        if found != question:
            raise ModelError(
                f"{folder} holds another bisection (other files, tokens or settings): name another folder, "
                "or remove it"
            )
        return folder
    if folder.exists() and any(folder.iterdir()):
        raise ModelError(f"{folder} is not empty, and holds no bisection: name another folder")
    folder.mkdir(parents=True, exist_ok=True)
    with writing(path) as file:
        file.write(json.dumps(question).encode())
    return folder


def _named(path: str) -> list[object]:
    """Tell a file by its path, size and time: digests of large models would take minutes."""
    place = Path(path).resolve()
    files = sorted(each for each in place.rglob("*") if each.is_file()) if place.is_dir() else [place]
    return [str(place), [[str(each), each.stat().st_size, each.stat().st_mtime_ns] for each in files]]

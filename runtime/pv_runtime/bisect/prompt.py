"""The tokens that both sides compute."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pv_runtime.errors import LoadError, ModelError
from pv_runtime.formats import open_checkpoint
from pv_runtime.tokenizer import tokenizer_in, tokenizer_of

__all__ = ["encoded", "listed"]


def listed(text: str) -> list[int]:
    """Read ``1,2,3`` or ``1 2 3``; raises `ModelError` for anything else."""
    words = text.replace(",", " ").split()
    if wrong := [word for word in words if not (word.isascii() and word.isdecimal() and len(word) <= 19)]:
        shown = f"{wrong[0][:19]}{'…' if len(wrong[0]) > 19 else ''}"
        raise ModelError(f"{shown!r} is no token id: they are numbers from 0 on, with commas between")
    if not words:
        raise ModelError("there are no tokens: name some, as --token-ids 1,2,3")
    return [int(word) for word in words]


def encoded(text: str, paths: Sequence[str], folder: str | None) -> list[int]:
    """Encode `text` by the tokenizer in `folder`, or by the first model in `paths` that has one.

    Raises
    ------
    ModelError
        There is no tokenizer, or the text is empty.
    """
    if folder is not None:
        return _some(tokenizer_in(Path(folder)).encode(text))
    reasons = []
    for path in paths:
        try:
            found = tokenizer_of(open_checkpoint(path), Path(path) if Path(path).is_dir() else None)
        except LoadError as error:
            reasons.append(error.what)
            continue
        return _some(found.encode(text))
    raise ModelError(
        f"neither side has a tokenizer ({reasons[0] if reasons else 'there is no model'}): give the tokens "
        "as --token-ids 1,2,3, or --tokenizer DIR"
    )


def _some(ids: list[int]) -> list[int]:
    if not ids:
        raise ModelError("the prompt is empty: there is nothing to compute")
    return ids

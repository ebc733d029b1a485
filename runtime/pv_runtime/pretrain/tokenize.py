"""A folder of token shards out of text, whole or not there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pv_runtime.pretrain.checkpoints import write_whole
from pv_runtime.pretrain.documents import Document, documents_in, encoded, split
from pv_runtime.pretrain.shards import ENDING, require_ids, write_shard
from pv_runtime.provenance import file_sha256
from pv_runtime.tokenizer import Tokenizer

__all__ = ["HELD_OUT", "write_shards"]

HELD_OUT = "held-out"
"""Folder, beside the shards, of those that are held out."""


def write_shards(
    text: Path, tokenizer: Tokenizer, output: Path, *, shard_tokens: int, held_out: float
) -> dict[str, Any]:
    """Encode `text` into shards below `output`.

    Parameters
    ----------
    text
        A file, or a folder of them.
    tokenizer
        Its tokens.
    output
        Is not there yet.
    shard_tokens
        A shard ends with the document that brings it to so many.
    held_out
        Share of the bytes that is held out by documents; 0 for none.

    Returns
    -------
    dict[str, Any]
        ``schema_version``, ``output``, ``vocabulary``, ``documents`` and, of each side, its shards with
        ``file``, ``tokens`` and ``sha256``.

    Raises
    ------
    TrainingError
        A file is no text, or there is one document and a part is to be held out.
    """
    documents = documents_in(text)
    learnt, apart = split(documents, held_out) if held_out else (documents, [])
    report: dict[str, Any] = {
        "schema_version": 1,
        "output": str(output),
        "vocabulary": tokenizer.size,
        "documents": {"training": len(learnt), "held_out": len(apart)},
    }

    def fill(folder: Path) -> None:
        report["training"] = _written(folder, "", tokenizer, learnt, shard_tokens)
        if apart:
            (folder / HELD_OUT).mkdir()
        report["held_out"] = _written(folder, f"{HELD_OUT}/", tokenizer, apart, shard_tokens)

    write_whole(output, fill)
    return report


def _written(
    folder: Path, below: str, tokenizer: Tokenizer, documents: Sequence[Document], shard_tokens: int
) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for number, parts in enumerate(_shards(tokenizer, documents, shard_tokens)):
        name = f"{below}shard-{number:05d}{ENDING}"
        tokens = write_shard(folder / name, parts)
        found.append({"file": name, "tokens": tokens, "sha256": file_sha256(str(folder / name))})
    return found


def _shards(
    tokenizer: Tokenizer, documents: Sequence[Document], shard_tokens: int
) -> Iterator[list[NDArray[np.uint32]]]:
    parts: list[NDArray[np.uint32]] = []
    count = 0
    for document, ids in zip(documents, encoded(tokenizer, documents), strict=True):
        require_ids(ids, tokenizer.size, document.name)
        parts.append(ids)
        count += ids.size
        if count >= shard_tokens:
            yield parts
            parts, count = [], 0
    if parts:
        yield parts

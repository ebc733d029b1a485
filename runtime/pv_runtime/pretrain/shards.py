"""Token shards: files of token ids, unsigned 32-bit little-endian, one after another, and nothing else."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pv_runtime.errors import printable
from pv_runtime.formats.writing import writing
from pv_runtime.pretrain.errors import TrainingError
from pv_runtime.provenance import file_sha256

__all__ = ["ENDING", "Tokens", "open_shard", "require_ids", "shards_in", "write_shard"]

ENDING = ".bin"
ID = np.dtype("<u4")
_AT_A_TIME = 1 << 22


@dataclasses.dataclass(frozen=True)
class Tokens:
    """A run of tokens.

    Parameters
    ----------
    name
        Where they are from, for messages and records.
    ids
        ``[tokens]``; mapped where they are a file's.
    sha256
        Digest of the ids as a shard holds them.
    """

    name: str
    ids: NDArray[np.uint32]
    sha256: str


def shards_in(folder: Path) -> list[Path]:
    """Return the shards of a folder, by name; those of folders in it are not."""
    return sorted(path for path in folder.iterdir() if path.name.endswith(ENDING) and path.is_file())


def open_shard(path: Path, vocabulary: int) -> Tokens:
    """Map a shard, and look at all of it.

    Parameters
    ----------
    path
        The file.
    vocabulary
        Rows of the embedding: an id is below it.

    Raises
    ------
    TrainingError
        It is empty, ends inside a token, or has an id that the model has no row for.
    """
    size = path.stat().st_size
    name = printable(str(path))
    if size == 0 or size % ID.itemsize:
        what = "is empty" if size == 0 else f"has {size} bytes, no multiple of {ID.itemsize}"
        raise TrainingError(
            "shard-damaged",
            f"{name}: {what}; a shard is ids of 32 bits, one after another",
            "write it again with `apr tokenize`; it may have been cut short, or have ids of 16 bits",
        )
    ids = np.memmap(path, dtype=ID, mode="r")
    require_ids(ids, vocabulary, name)
    return Tokens(str(path), ids, file_sha256(str(path)))


def require_ids(ids: NDArray[np.uint32], vocabulary: int, name: str) -> None:
    """Refuse an id that the embedding has no row for.

    Raises
    ------
    TrainingError
        Names the first such id, and its place.
    """
    for start in range(0, ids.size, _AT_A_TIME):
        part = ids[start : start + _AT_A_TIME]
        if part.max() >= vocabulary:
            place = start + int(np.argmax(part >= vocabulary))
            raise TrainingError(
                "id-out-of-range",
                f"{name}: token {place} has the id {int(ids[place])}, and the embedding has "
                f"{vocabulary} rows",
                "tokenize the text with this model's tokenizer",
            )


def write_shard(path: Path, parts: Iterable[NDArray[np.uint32]]) -> int:
    """Write a shard whole or not at all, and return how many tokens it has."""
    count = 0
    with writing(path) as file:
        for part in parts:
            file.write(np.ascontiguousarray(part, dtype=ID).data)
            count += part.size
    return count

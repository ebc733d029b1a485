"""GGUF files in parts, ``NAME-00001-of-00003.gguf`` and so on, as llama.cpp's ``gguf-split`` writes them.

Source: https://github.com/ggml-org/llama.cpp, ``tools/gguf-split``: `split.no` counts from 0,
`split.count` says how many parts there are, `split.tensors.count` how many tensors in all of them.
"""

from __future__ import annotations

from pathlib import Path

from pv_runtime.errors import LoadError
from pv_runtime.formats.file_bytes import open_bytes
from pv_runtime.formats.folder import SPLIT_NAME
from pv_runtime.formats.gguf import read_gguf
from pv_runtime.formats.joined import JoinedCheckpoint
from pv_runtime.formats.table import TableCheckpoint

__all__ = ["is_split", "read_split"]

_NUMBER, _COUNT, _TENSORS = "split.no", "split.count", "split.tensors.count"
_MAX_PARTS = 65535


def is_split(model: TableCheckpoint) -> bool:
    """Whether a GGUF file says that it is one of several parts."""
    return model.metadata.get(_COUNT, 1) != 1


def read_split(first: TableCheckpoint) -> JoinedCheckpoint:
    """Open the other parts of which `first` is the first; their names come from its own.

    ``metadata`` is the first part's; the others may repeat it, and contradict it in nothing.

    Raises
    ------
    LoadError
        `first` is not the first part or not named as one; a part is missing, broken, or belongs to
        something else; or the parts do not hold as many tensors as they say.
    """
    count, total = _natural(first, _COUNT), _natural(first, _TENSORS)
    path = Path(first.path)
    match = SPLIT_NAME.fullmatch(path.name)
    if match is None or int(match["count"]) != count or not 1 < count <= _MAX_PARTS:
        raise LoadError(
            f"says that it is one of {count} parts, but is not named as one",
            path,
            f"name the first part NAME-00001-of-{count:05}.gguf, and the others accordingly",
        )

    def named(number: int) -> Path:
        return path.with_name(f"{match['stem']}-{number + 1:05}-of-{count:05}.gguf")

    if _natural(first, _NUMBER) != 0 or path != named(0):
        raise LoadError(
            f"is part {_natural(first, _NUMBER) + 1} of {count}", path, f"open the first: {named(0)}"
        )
    parts = [first]
    for number in range(1, count):
        beside = named(number)
        if not beside.is_file():
            raise LoadError(f"part {number + 1} of {count} is missing: {beside.name}", path, "fetch it, too")
        parts.append(read_gguf(open_bytes(beside)))
        _require_kin(first, parts[-1], number)
    joined = JoinedCheckpoint("gguf", first.path, first.metadata, tuple(parts))
    if len(joined.names()) != total:
        raise LoadError(
            f"the parts hold {len(joined.names())} tensors, {_TENSORS} is {total}", path, "fetch all anew"
        )
    return joined


def _require_kin(first: TableCheckpoint, part: TableCheckpoint, number: int) -> None:
    """Check that `part` is part `number`, counted from 0, of what `first` begins."""
    if _COUNT not in part.metadata:
        raise LoadError(f"belongs to another file: it has no {_COUNT}", part.path)
    if _natural(part, _NUMBER) != number:
        raise LoadError(f"is named as part {number + 1}, {_NUMBER} is {part.metadata[_NUMBER]}", part.path)
    for key in set(part.metadata) & set(first.metadata) - {_NUMBER}:
        ours, theirs = first.metadata[key], part.metadata[key]
        if isinstance(ours, str | int | float) and ours != theirs:
            raise LoadError(
                f"belongs to another file: {key} is {theirs!r}, in {first.path} {ours!r}", part.path
            )


def _natural(model: TableCheckpoint, key: str) -> int:
    value = model.metadata.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise LoadError(f"is part of a split file, but its {key} is {value!r}", model.path)
    return value

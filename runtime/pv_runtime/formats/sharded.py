"""Sharded safetensors: ``model.safetensors.index.json`` and the files that it names.

Source: https://huggingface.co/docs/safetensors/metadata_parsing, `weight_map` and
`metadata.total_size`. The index and the shards' own headers say the same twice; here they must agree.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from pv_runtime.errors import LoadError
from pv_runtime.formats.file_bytes import FileBytes, open_bytes
from pv_runtime.formats.foreign import refuse_foreign
from pv_runtime.formats.joined import JoinedCheckpoint
from pv_runtime.formats.safetensors import MAX_HEADER, read_config, read_safetensors
from pv_runtime.formats.strict_json import parse_object
from pv_runtime.formats.table import TableCheckpoint

__all__ = ["is_index", "read_sharded"]


def is_index(source: FileBytes) -> bool:
    """Whether the bytes begin as a JSON object that cannot be the length of a safetensors header.

    Read as a length, eight bytes of text are beyond any file's size.
    """
    head = source.copy(0, min(source.size, 8))
    return head[:1] == b"{" and (len(head) < 8 or int.from_bytes(head, "little") > source.size)


def read_sharded(source: FileBytes, folder: Path | None = None) -> JoinedCheckpoint:
    """Open the shards that the index `source` names, each of which lies beside it.

    ``metadata`` holds the ``__metadata__`` on which all shards agree, what they do not agree on under
    ``"shards"``, that of the index under ``"index"``, and the ``config.json`` of `folder`, where one is
    given, under ``"config"``.

    Raises
    ------
    LoadError
        The index is broken; a shard is missing, broken, or no file beside the index; or they disagree
        on which tensors there are, on where one is, or on their total size.
    """
    if source.size > MAX_HEADER:
        raise LoadError(f"an index of {source.size} bytes exceeds {MAX_HEADER}", source.path)
    index = parse_object(source.copy(0, source.size).strip(), source.path)
    places = index.get("weight_map")
    if not isinstance(places, dict) or not all(isinstance(shard, str) for shard in places.values()):
        raise LoadError(
            "the JSON has no weight_map of tensors to files, so it is no index of shards", source.path
        )
    declared = index.get("metadata", {})
    if not isinstance(declared, dict):
        raise LoadError("the index's metadata is no object", source.path)
    if not places:
        raise LoadError("the index names no tensor", source.path)
    shards = {shard: _shard(source.path, shard) for shard in sorted(set(places.values()))}
    _require_agreement(source.path, places, shards)
    parts = tuple(shards.values())
    _require_size(
        source.path, declared, sum(part.info(name).nbytes for part in parts for name in part.names())
    )
    config = read_config(folder) if folder else {}
    metadata = {**_common(shards), **({"index": declared} if declared else {}), **config}
    return JoinedCheckpoint("safetensors", source.path, metadata, parts)


def _shard(index: str, name: str) -> TableCheckpoint:
    """Open the file `name` beside `index`, and no other, wherever its name or a link may point."""
    if name in {"", ".", ".."} or not name.isprintable() or any(each in name for each in "/\\:"):
        raise LoadError(f"the shard {name!r} is no plain file name", index, "shards lie beside the index")
    beside = Path(index).parent / name
    real = Path(os.path.realpath(beside))
    # The cache of huggingface_hub links index and shards alike to one folder of blobs.
    if real.parent not in {Path(os.path.realpath(beside.parent)), Path(os.path.realpath(index)).parent}:
        raise LoadError(
            f"the shard {name} is a link to {real}, out of the index's folder",
            index,
            "put the file itself beside the index",
        )
    if not os.path.lexists(real):
        raise LoadError(f"the shard {name} is missing", index, "fetch it, too")
    if real.is_dir():
        raise LoadError(f"the shard {name} is a folder", index)
    source = open_bytes(beside)
    refuse_foreign(source)
    return read_safetensors(source)


def _require_agreement(index: str, places: Mapping[str, str], shards: Mapping[str, TableCheckpoint]) -> None:
    """Compare the index with the shards' headers, both ways."""
    held = {name: shard for shard, part in shards.items() for name in part.names()}
    for shard, part in shards.items():
        for name in part.names():
            if held[name] != shard:
                raise LoadError(f"the tensor {name} is in two shards, {shard} and {held[name]}", index)
            if name not in places:
                raise LoadError(f"the tensor {name} is in {shard} and not in the index", index)
    for name, shard in places.items():
        if held.get(name) != shard:
            where = f"it is in {held[name]}" if name in held else "no shard has it"
            raise LoadError(f"the index places the tensor {name} in {shard}; {where}", index)


def _require_size(index: str, declared: Mapping[str, object], total: int) -> None:
    size = declared.get("total_size", total)
    if isinstance(size, bool) or not isinstance(size, int | float) or size != total:
        raise LoadError(
            f"the index's total_size is {size!r}, the shards hold {total} bytes of tensors", index
        )


def _common(shards: Mapping[str, TableCheckpoint]) -> dict[str, object]:
    """Merge the shards' metadata; what differs between them stays apart."""
    counted = Counter(item for part in shards.values() for item in part.metadata.items())
    common = dict(item for item, count in counted.items() if count == len(shards))
    apart = {
        shard: rest
        for shard, part in shards.items()
        if (rest := {key: value for key, value in part.metadata.items() if key not in common})
    }
    return {**common, **({"shards": apart} if apart else {})}

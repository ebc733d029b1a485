"""Which file of a folder is the checkpoint."""

from __future__ import annotations

import os
import re

from pv_runtime.errors import LoadError

__all__ = ["INDEX", "SPLIT_NAME", "weights_in"]

INDEX = "model.safetensors.index.json"
"""The list of tensors that Hugging Face writes beside the shards of a checkpoint."""

SPLIT_NAME = re.compile(r"(?P<stem>.+)-(?P<number>[0-9]{5})-of-(?P<count>[0-9]{5})\.gguf", re.DOTALL)
"""How llama.cpp names the parts of a split GGUF file; they count from 1."""


def weights_in(path: str) -> str:
    """Return `path`, or the one checkpoint that the folder `path` holds.

    That is ``model.safetensors``, ``model.safetensors.index.json`` (with shards beside it), a
    ``.gguf`` file, or the first part of a split one, or an ``.apr`` file.

    Raises
    ------
    LoadError
        The folder holds none of them, or more than one.
    """
    if not os.path.isdir(path):  # noqa: PTH112 - paths arrive as text and leave as text
        return path
    try:
        names = sorted(os.listdir(path))  # noqa: PTH208
    except OSError as error:
        raise LoadError(f"is a folder that cannot be listed: {error.strerror}", path) from error
    found = [
        name
        for name in names
        if name in {"model.safetensors", INDEX} or name.endswith(".apr") or _starts_gguf(name)
    ]
    if len(found) != 1:
        held = (
            ", ".join(found)
            if found
            else "neither model.safetensors nor its index, no .gguf and no .apr file"
        )
        raise LoadError(f"is a folder that holds {held}", path, "name the file")
    return os.path.join(path, found[0])  # noqa: PTH118


def _starts_gguf(name: str) -> bool:
    """Whether it is a GGUF file and no later part of one."""
    match = SPLIT_NAME.fullmatch(name)
    return name.endswith(".gguf") and (match is None or int(match["number"]) == 1)

"""What lies beside the weights of a checkpoint, so that it is a model as any other."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pv_runtime.carried import FOLDER_FILES, carried_of, safetensors_metadata
from pv_runtime.origin import PREFIX, Origin, origin_keys, recorded, tool
from pv_runtime.pretrain.init import Init
from pv_runtime.pretrain.settings import Settings

__all__ = ["ModelFiles", "model_files"]

_TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
    "special_tokens_map.json",
)
KEY = "pretrain"
"""Metadata key of what the weights were trained with, as JSON."""


@dataclasses.dataclass(frozen=True)
class ModelFiles:
    """Parts of a checkpoint that are the same at every step.

    Parameters
    ----------
    texts
        Files by name.
    said
        What the model's file says of itself, but for the step.
    """

    texts: Mapping[str, bytes]
    said: Mapping[str, str]
    training: Mapping[str, Any]

    def metadata(self, step: int) -> dict[str, str]:
        """Return the metadata of the model's file after `step` steps."""
        return {**self.said, KEY: json.dumps({**self.training, "step": step}, sort_keys=True)}


def model_files(
    init: Init | None, config: Mapping[str, Any], tokenizer: str | None, kind: str, settings: Settings
) -> ModelFiles:
    """Collect them; nothing is written.

    Parameters
    ----------
    init
        What is trained on, if anything: its digest is recorded as the origin, and its card carried over.
    config
        config.json.
    tokenizer
        The folder whose tokenizer is used.
    kind
        Of the data: a model of made-up tokens says so.
    settings
        Of the run.
    """
    texts = {"config.json": _json({**config, "torch_dtype": "float32"})}
    folders: list[tuple[Path, tuple[str, ...]]] = (
        [(Path(tokenizer), _TOKENIZER_FILES)] if tokenizer is not None else []
    )
    if init is not None and init.folder is not None:
        folders.append((init.folder, FOLDER_FILES))
    for folder, names in folders:
        texts |= {name: (folder / name).read_bytes() for name in names if (folder / name).is_file()}
    training = {"mode": settings.mode, "data": kind, "seed": settings.seed, "steps": settings.num_steps}
    said = {"format": "pt"}
    if init is not None:
        stated = {"command": "pretrain", **training}
        origin = Origin(init.sha256, tool(), stated, recorded(init.model.metadata))
        said = {
            **safetensors_metadata(carried_of(init.model, dict(config), None)),
            **origin_keys(origin, PREFIX),
        }
    return ModelFiles(texts, said, training)


def _json(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()

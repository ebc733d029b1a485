"""The architecture of a model that is trained from nothing."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from pv_runtime.architecture import Architecture, architecture_of
from pv_runtime.config import parameter
from pv_runtime.errors import LoadError, printable
from pv_runtime.formats.safetensors import read_config
from pv_runtime.presets import PRESETS, config_json
from pv_runtime.pretrain.errors import TrainingError, UsageError
from pv_runtime.pretrain.stated import FIELDS
from pv_runtime.random_model import RandomModel

__all__ = ["DEFAULT", "chosen_architecture"]

DEFAULT = "llama-370m"
"""The shape that the aprender project trains from nothing."""


def chosen_architecture(asked: str | None, vocabulary: int | None) -> tuple[Architecture, dict[str, Any]]:
    """Return the architecture, and the config.json that says it.

    Parameters
    ----------
    asked
        A name of `PRESETS`, or a folder with a config.json; `DEFAULT` where it is None.
    vocabulary
        Rows of the embedding, where they are others.

    Raises
    ------
    UsageError
        There is neither such a preset nor such a folder.
    TrainingError
        The config.json lacks a field, or is of a family that is not trained here.
    """
    name = DEFAULT if asked is None else asked
    architecture = PRESETS[name] if name in PRESETS else _read(name)
    if vocabulary is not None:
        if vocabulary < 1:
            raise UsageError("option-absurd", f"--vocab-size cannot be {vocabulary}", "it is at least 1")
        architecture = dataclasses.replace(architecture, vocab_size=vocabulary)
    return architecture, config_json(architecture)


def _read(name: str) -> Architecture:
    shown = printable(name)
    if not (Path(name) / "config.json").is_file():
        raise UsageError(
            "option-absurd",
            f"--architecture {shown}: is no folder with a config.json, and none of {', '.join(PRESETS)}",
            "name one of these",
        )
    try:
        config = read_config(Path(name))["config"]
        if missing := [field for field in FIELDS if parameter(config, field) is None]:
            raise TrainingError(
                "field-missing",
                f"--architecture {shown}: its config.json does not say {', '.join(missing)}",
                "write them into it; nothing is assumed instead",
            )
        model = RandomModel(PRESETS[DEFAULT])  # has no part in it but to carry the config
        model.metadata = {"config": config}
        return architecture_of(model)
    except LoadError as error:
        raise TrainingError(
            "family", f"--architecture {shown}: {error.what}", "mend its config.json"
        ) from error

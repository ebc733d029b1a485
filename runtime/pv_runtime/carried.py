"""What a model file says beside its tensors, and how each format spells it."""

from __future__ import annotations

import dataclasses
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pv_runtime import config as configs
from pv_runtime.errors import LoadError
from pv_runtime.formats.apr_metadata import ALIASES
from pv_runtime.formats.apr_writer import TYPE_CODES
from pv_runtime.formats.checkpoint import Checkpoint, TensorInfo
from pv_runtime.formats.ggml_types import FILE_TYPES
from pv_runtime.formats.gguf_writer import Typed
from pv_runtime.formats.strict_json import parse_object
from pv_runtime.vocabulary import Vocabulary, apr_keys, gguf_keys

__all__ = [
    "CARD",
    "FOLDER_FILES",
    "HUGGING_FACE",
    "Carried",
    "apr_metadata",
    "carried_of",
    "gguf_metadata",
    "safetensors_metadata",
    "with_folder",
]

CARD: dict[str, tuple[str, str]] = {
    "name": ("name", "general.name"),
    "description": ("description", "general.description"),
    "author": ("author", "general.author"),
    "version": ("version", "general.version"),
    "license": ("license", "general.license"),
    "data_source": ("data_source", "pv.data_source"),
    "data_license": ("data_license", "pv.data_license"),
}
"""What is said of a model in words: the key in APR and safetensors, and in GGUF."""

ELSEWHERE = "source_metadata"
"""Key, in APR and safetensors, of what the other formats said and this one has no key for."""
_GGUF_ELSEWHERE = "pv.source_metadata"

HUGGING_FACE = "huggingface"
"""Under `ELSEWHERE`, the files of a Hugging Face folder that are carried over whole, by name."""
FOLDER_FILES = ("generation_config.json",)
_MAX_FILE = 1 << 20

_WRITTEN_ANEW = (
    "pv.derived_from.", "derived_from.", "split.", "pv.config", _GGUF_ELSEWHERE, ELSEWHERE,
    "general.alignment", "general.quantization_version", "general.architecture",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Carried:
    """Everything but the tensors.

    Parameters
    ----------
    config
        config.json, checked.
    vocabulary
        The tokenizer, if there is one.
    card
        Text by the keys of `CARD`.
    elsewhere
        Format to its own further keys and values, as JSON holds them.
    """

    config: dict[str, Any]
    vocabulary: Vocabulary | None
    card: dict[str, str]
    elsewhere: dict[str, dict[str, Any]]


def carried_of(model: Checkpoint, config: dict[str, Any], vocabulary: Vocabulary | None) -> Carried:
    """Collect what `model` says; `config` and `vocabulary` were read from it before.

    Raises
    ------
    LoadError
        What an earlier export put aside is no JSON.
    """
    place = 1 if model.format == "gguf" else 0
    found = {key: model.metadata.get(names[place]) for key, names in CARD.items()}
    card = {key: value for key, value in found.items() if isinstance(value, str)}
    known = {names[place] for key, names in CARD.items() if key in card} | _known(model.format, config)
    known |= {*gguf_keys(vocabulary), *apr_keys(vocabulary)} if vocabulary else set()
    left_out = _WRITTEN_ANEW if vocabulary else (*_WRITTEN_ANEW, "tokenizer.")
    own = {
        key: _plain(key, value, model.path)
        for key, value in model.metadata.items()
        if key not in known and not key.startswith(left_out) and value is not None
    }
    if own.get("general.file_type") in FILE_TYPES.values():  # no mix: it follows from the tensors
        del own["general.file_type"]
    elsewhere = _put_aside(model)
    elsewhere.pop(model.format, None)
    return Carried(config, vocabulary, card, {**elsewhere, **({model.format: own} if own else {})})


def with_folder(carried: Carried, folder: Path | None) -> Carried:
    """Add the files of a model's folder that are carried over as they are, where it has them.

    Raises
    ------
    LoadError
        Such a file is no JSON object.
    """
    files: dict[str, Any] = {}
    for name in FOLDER_FILES:
        if folder is not None and (folder / name).is_file():
            try:
                with (folder / name).open("rb") as file:
                    text = file.read(_MAX_FILE + 1)
            except OSError as error:
                raise LoadError(f"cannot be read: {error.strerror}", folder / name) from error
            if len(text) > _MAX_FILE:
                raise LoadError(f"exceeds {_MAX_FILE} bytes", folder / name)
            files[name] = parse_object(text.strip(), folder / name)
    return (
        dataclasses.replace(carried, elsewhere={**carried.elsewhere, HUGGING_FACE: files})
        if files
        else carried
    )


def _known(form: str, config: Mapping[str, Any]) -> set[str]:
    """Return the keys that a config is spelt with, which are written from the config."""
    if form == "gguf":
        return {f"{config['model_type']}.{key}" for key in configs.GGUF_KEYS.values()} | {
            "llama.rope.dimension_count", "llama.vocab_size"
        }  # fmt: skip
    if form == "apr":
        names = {*configs.apr_config(config), *(alias for all_ in ALIASES.values() for alias in all_)}
        return names | {"chat_template", TYPE_CODES, "param_count"}
    return {configs.CONFIG, "format"}


def _put_aside(model: Checkpoint) -> dict[str, dict[str, Any]]:
    value = model.metadata.get(_GGUF_ELSEWHERE if model.format == "gguf" else ELSEWHERE)
    try:
        parsed = parse_object(value.encode(), model.path) if isinstance(value, str) else value
    except LoadError as error:
        raise LoadError(f"{ELSEWHERE} in its metadata is no JSON: {error.what}", model.path) from error
    groups = parsed if isinstance(parsed, Mapping) else {}
    return {form: dict(keys) for form, keys in groups.items() if isinstance(keys, Mapping)}


def _plain(key: str, value: object, path: str) -> Any:
    """Return a value of somebody's metadata as JSON holds it."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(key, item, path) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise LoadError(f"its metadata key {key} is {value}, which JSON cannot carry over", path)
    return value


def apr_metadata(carried: Carried, parameters: int) -> dict[str, object]:
    """Return APR's metadata."""
    aside = dict(carried.elsewhere)
    return {
        **aside.pop("apr", {}),
        **carried.card,
        **configs.apr_config(carried.config),
        **(apr_keys(carried.vocabulary) if carried.vocabulary else {}),
        "param_count": parameters,
        **({ELSEWHERE: aside} if aside else {}),
    }


def gguf_metadata(carried: Carried, infos: Iterable[TensorInfo]) -> dict[str, object]:
    """Return GGUF's keys, the architecture's first."""
    aside = dict(carried.elsewhere)
    sizes: Counter[str] = Counter()
    for info in infos:
        sizes[info.dtype] += info.elements if len(info.shape) > 1 else 0
    most = max(sizes, key=lambda dtype: (sizes[dtype], dtype), default="F32")
    keys = {
        **configs.gguf_config(carried.config),
        "general.alignment": 32,
        "general.quantization_version": 2,
        **({"general.file_type": FILE_TYPES[most]} if most in FILE_TYPES else {}),
        **{CARD[key][1]: text for key, text in carried.card.items()},
        **(gguf_keys(carried.vocabulary) if carried.vocabulary else {}),
    }
    # What was put aside never takes the place of what the model says; but a mix of types has a number of
    # its own, which only whoever mixed it knows.
    aside_keys = aside.pop("gguf", {})
    further = {
        key: _typed(value)
        for key, value in aside_keys.items()
        if key not in keys or (key == "general.file_type" and type(value) is int)
    }
    return {**keys, **further, **({_GGUF_ELSEWHERE: _text(aside)} if aside else {})}


def _typed(value: object) -> object:
    """Give numbers that went through JSON a type of GGUF that holds them."""
    if isinstance(value, float):
        return value if configs.fits_float32(value) else Typed("FLOAT64", value)
    if type(value) is int and value < -(2**31):
        return Typed("INT64", value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        if value and all(type(item) is int for item in value):
            return Typed("INT32" if max(map(abs, value)) < 2**31 else "INT64", value)
        if value and all(isinstance(item, (int, float)) and not isinstance(item, bool) for item in value):
            return Typed("FLOAT32" if all(map(configs.fits_float32, value)) else "FLOAT64", value)
    return value


def safetensors_metadata(carried: Carried) -> dict[str, str]:
    """Return safetensors' metadata, whose values are text; ``format`` is what transformers asks for."""
    aside = dict(carried.elsewhere)
    own = {key: value for key, value in aside.pop("safetensors", {}).items() if isinstance(value, str)}
    return {**own, **carried.card, "format": "pt", **({ELSEWHERE: _text(aside)} if aside else {})}


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))

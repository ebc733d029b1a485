"""Inits to be refused: not there, no checkpoint, at odds with themselves; and some that are to be taken."""

from __future__ import annotations

import dataclasses
import functools
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pv_runtime.checks.refusals import Case, Sound
from pv_runtime.checks.trainer import SMALL, random_init
from pv_runtime.export import export
from pv_runtime.formats import Checkpoint, LazyTensor, Overlay, open_checkpoint
from pv_runtime.formats.overlay import from_values
from pv_runtime.formats.safetensors import write_safetensors
from pv_runtime.pretrain.stated import FIELDS
from pv_runtime.quant.scheme import Floats

__all__ = ["absent", "contradicting", "unreadable"]

_GUARD = "FALSIFY-APR-PRETRAIN-INIT-"
_FIRST = "model.layers.0."


def absent(sound: Sound) -> Iterator[Case]:
    """Name a file, a folder's file and a link that lead nowhere."""
    link = sound.path("link.safetensors")
    link.symlink_to(sound.path("nowhere.safetensors"))
    for name, path in {
        "no such file": sound.path("model.gguf"),
        "no such folder": sound.path("absent") / "model.safetensors",
        "a link that leads nowhere": link,
        "a misspelt folder": sound.init.with_name("imit"),
    }.items():
        yield Case(name, {"init": path}, (f"{_GUARD}003", str(path)))


def unreadable(sound: Sound) -> Iterator[Case]:
    """Name files that are no checkpoints, or parts of one; and a whole model as GGUF and as APR."""
    whole = (sound.init / "model.safetensors").read_bytes()
    for form in ("gguf", "apr"):
        target = sound.path(f"model.{form}")
        export(open_checkpoint(sound.init), str(target), form, with_tokenizer=False)
        yield Case(f"the same model as {form}", {"init": target})
    apr = sound.path("model.apr").read_bytes()
    contents = {
        "empty.safetensors": b"",
        "text.safetensors": b"these are no weights, and never were\n" * 9,
        "half.safetensors": whole[: len(whole) // 2],
        "headless.safetensors": whole[8:],
        "zip.gguf": b"PK\x03\x04" + whole[:4096],
        "short.gguf": b"GGUF",
        "other.apr": b"APRX" + apr[4:],
        "version.apr": apr[:4] + b"\x09\x00" + apr[6:],
        "half.apr": apr[: len(apr) // 2],
    }
    for name, content in contents.items():
        path = sound.path(name)
        path.write_bytes(content)
        yield Case(name, {"init": path}, (f"{_GUARD}004", name))
    folder = sound.path("nothing")
    folder.mkdir()
    yield Case("an empty folder", {"init": folder}, (f"{_GUARD}004", str(folder)))


def contradicting(sound: Sound) -> Iterator[Case]:
    """Take each field away, let each that tensors show be one off, and each kind of tensor another one.

    A field is to be named, with both values where there are two, and a tensor by its name.
    """
    for number, field in enumerate(FIELDS):
        folder = _copied(sound, f"without-{number}")
        _stating(folder, {field: None})
        yield Case(f"{field} not said", {"init": folder}, ("FALSIFY-APR-PRETRAIN-ARCH-003", field))
    encoder = _copied(sound, "encoder")
    _stating(encoder, {"model_type": "bert"})
    yield Case("an encoder", {"init": encoder}, ("FALSIFY-APR-PRETRAIN-ARCH-007", "'bert'"))
    guard = f"{_GUARD}005"
    for number, (field, off) in enumerate(_one_off(SMALL).items()):
        folder = _copied(sound, f"field-{number}")  # a path with its name in it would name it
        _stating(folder, {field: off.said})
        yield Case(f"{field} one off", {"init": folder}, (guard, field, str(off.said), str(off.found)))
    tensors: dict[str, tuple[str, Callable[[Floats], Floats] | None]] = {
        "transposed": (f"{_FIRST}mlp.down_proj.weight", lambda values: np.ascontiguousarray(values.T)),
        "a row short": ("model.norm.weight", lambda values: values[:-1]),
        "not there": (f"{_FIRST}input_layernorm.weight", None),
        "NaN": (f"{_FIRST}self_attn.k_proj.weight", functools.partial(_with_first, value=np.nan)),
        "infinite": (f"{_FIRST}mlp.up_proj.weight", functools.partial(_with_first, value=np.inf)),
    }
    for what, (tensor, change) in tensors.items():
        folder = _copied(sound, what.replace(" ", "-"))
        _writing(folder, tensor, change)
        yield Case(f"{tensor} {what}", {"init": folder}, (guard, tensor))
    untied = random_init(sound.path("untied"), dataclasses.replace(SMALL, tied=False))
    _stating(untied, {"tie_word_embeddings": True})
    yield Case(
        "a head that is called tied", {"init": untied}, (guard, "tie_word_embeddings", "true", "false")
    )


@dataclasses.dataclass(frozen=True)
class _Off:
    """A value that is said, and the one that tensors have."""

    said: Any
    found: Any


def _one_off(a: Any) -> Mapping[str, _Off]:
    return {
        "vocab_size": _Off(a.vocab_size + 1, a.vocab_size),
        "hidden_size": _Off(a.hidden_size + a.heads, a.hidden_size),
        "intermediate_size": _Off(a.intermediate_size + 1, a.intermediate_size),
        "num_hidden_layers": _Off(a.layers + 1, a.layers),
        # A file that does not say how wide a head is has no more to it than the quotient.
        "num_attention_heads": _Off(a.heads + 1, "2 : 1"),
        "num_key_value_heads": _Off(a.kv_heads + 1, "2 : 1"),
        "tie_word_embeddings": _Off("false", "true"),
    }


def _copied(sound: Sound, name: str) -> Path:
    target = sound.path(name)
    shutil.copytree(sound.init, target)
    return target


def _stating(folder: Path, changes: Mapping[str, Any]) -> None:
    file = folder / "config.json"
    said = {name: False if value == "false" else value for name, value in changes.items()}
    found = {**json.loads(file.read_text()), **said}
    file.write_text(json.dumps({name: value for name, value in found.items() if value is not None}))


def _with_first(values: Floats, value: float) -> Floats:
    damaged = np.array(values)
    damaged.flat[0] = value
    return damaged


def _writing(folder: Path, name: str, change: Callable[[Floats], Floats] | None) -> None:
    """Write the model again with another tensor of this name, or without it."""
    file = folder / "model.safetensors"
    source: Checkpoint = open_checkpoint(folder)
    if change is None:
        model: Checkpoint = Overlay(source, drop=[name])
    else:
        values = change(source.tensor(name))
        model = Overlay(source, replace={name: from_values(name, values.shape, lambda: values, "F32")})
    tensors = [LazyTensor(model.info(each), functools.partial(model.raw, each)) for each in model.names()]
    other = file.with_name("other.safetensors")
    write_safetensors(str(other), [(each.info, each.raw) for each in tensors])
    other.replace(file)

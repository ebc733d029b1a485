"""Somebody's weights to begin with: exactly those, or none.

Everything is looked at before anything is made: what the file says of itself, every tensor's name, shape and
type, and that each value is a number. Nothing is cut, filled up, read in part or drawn at random instead.
What the source may carry of an optimiser is not read: training begins at step 0, without moments.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pv_runtime.architecture import Architecture, architecture_of, check_tensors, tensor_shapes
from pv_runtime.canonical import canonical
from pv_runtime.config import config_of, require_one_head
from pv_runtime.errors import LoadError, printable
from pv_runtime.formats import Checkpoint, open_checkpoint
from pv_runtime.formats.checkpoint import DECODED
from pv_runtime.origin import source_sha256
from pv_runtime.pretrain.errors import TrainingError, UsageError
from pv_runtime.pretrain.stated import (
    FIELDS,
    head_is_embedding,
    stated_family,
    stated_fields,
    stated_head_dim,
)

__all__ = ["Init", "open_init", "read_weights"]

FAMILIES = ("qwen2", "llama")
_NUMBERS = frozenset({"I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8", "BOOL"})
"""Types that are decoded here, and that no weight has."""
_LAYER = re.compile(r"model\.layers\.(\d+)\.")


@dataclasses.dataclass(frozen=True)
class Init:
    """A model that was checked, and of which no weight was read yet.

    Parameters
    ----------
    model
        As its file has it.
    view
        Its tensors as Hugging Face lays them out.
    architecture, config
        What it says it is, and what its tensors agree with.
    folder
        Where it lies, if that was named.
    sha256
        Digest of its file.
    """

    model: Checkpoint
    view: Checkpoint
    architecture: Architecture
    config: dict[str, Any]
    folder: Path | None
    sha256: str

    @property
    def record(self) -> dict[str, object]:
        """What a run's record says of it."""
        dtypes = Counter(self.view.info(name).dtype for name, _ in tensor_shapes(self.architecture))
        return {"sha256": self.sha256, "format": self.model.format, "dtypes": dict(sorted(dtypes.items()))}


def open_init(path: str) -> Init:
    """Open a checkpoint of any format and check all that its headers say.

    Raises
    ------
    UsageError
        There is no such file.
    TrainingError
        It is no checkpoint; of a family that is not trained here; lacks one of the ten fields; or contradicts
        its tensors: each field is named with both values.
    """
    named = Path(path)
    if not named.exists():
        raise UsageError(
            "init-absent",
            f"--init {printable(path)}: there is no such file",
            "name a checkpoint, or leave --init out",
        )
    try:
        model = open_checkpoint(named)
    except LoadError as error:
        raise TrainingError(
            "init-unreadable",
            f"--init {error.what} ({printable(error.path)})",
            "name a safetensors, GGUF or APR file",
        ) from error
    _require_family(model)
    fields = stated_fields(model)
    if missing := [name for name in FIELDS if fields[name] is None]:
        raise _missing(model, missing)
    try:
        _agree(model, fields)
        config = {**config_of(model), "tie_word_embeddings": bool(fields["tie_word_embeddings"])}
        architecture = dataclasses.replace(architecture_of(model), tied=config["tie_word_embeddings"])
        view = canonical(model, config)
        check_tensors(architecture, view)
        require_one_head(view, config)
    except LoadError as error:
        raise _contradiction(model, error.what) from error
    _require_values(model, view, architecture)
    return Init(model, view, architecture, config, named if named.is_dir() else None, source_sha256(model))


def _require_family(model: Checkpoint) -> None:
    family = stated_family(model)
    if family is None:
        raise _missing(model, ["model_type"])
    if family not in FAMILIES:
        raise TrainingError(
            "family",
            f"--init {printable(model.path)}: is of the family {family!r}; trained here are "
            f"{', '.join(FAMILIES)}",
            "take a decoder of one of these; an encoder does not predict the next token",
        )


def _missing(model: Checkpoint, missing: list[str]) -> TrainingError:
    return TrainingError(
        "field-missing",
        f"--init {printable(model.path)}: does not say {', '.join(missing)}, and nothing is assumed instead",
        "name the folder that holds its config.json, or write what is missing into its metadata "
        "(apr stamp, apr export)",
    )


def _contradiction(model: Checkpoint, what: str) -> TrainingError:
    return TrainingError(
        "init-contradicts-itself",
        f"--init {printable(model.path)}: {printable(what)}",
        "see `apr inspect`; mend its config.json or fetch the model again: it is taken whole or not at all",
    )


def _agree(model: Checkpoint, fields: Mapping[str, Any]) -> None:
    """Hold each field against what the tensors' shapes say of it, before fields are held against each other.

    How many heads there are shapes do not say where nothing says how wide a head is, but how many there are
    to each key head. A field that is no number is left to whoever reads it.

    Raises
    ------
    LoadError
        Lists every field that differs, with both values.
    """
    shapes = {name: model.info(name).shape for name in model.names()}
    found: dict[str, tuple[object, object]] = {}

    def compare(field: str, counted: int | None) -> None:
        if type(fields[field]) is int and counted not in {None, fields[field]}:
            found[field] = (fields[field], counted)

    def long(tensor: str, axis: int) -> int | None:
        shape = shapes.get(tensor, ())
        return shape[axis] if len(shape) > axis else None

    first = "model.layers.0."
    layers = [int(match[1]) for name in shapes if (match := _LAYER.match(name))]
    compare("vocab_size", long("model.embed_tokens.weight", 0))
    compare("hidden_size", long("model.embed_tokens.weight", 1))
    compare("intermediate_size", long(first + "mlp.gate_proj.weight", 0))
    compare("num_hidden_layers", max(layers) + 1 if layers else None)
    queries, keys = (long(f"{first}self_attn.{part}_proj.weight", 0) for part in "qk")
    width = stated_head_dim(model)
    heads, kv_heads = fields["num_attention_heads"], fields["num_key_value_heads"]
    if type(heads) is type(kv_heads) is int and queries and keys:
        if width:
            compare("num_attention_heads", queries // width)
            compare("num_key_value_heads", keys // width)
        elif heads * keys != kv_heads * queries:
            both = "num_attention_heads : num_key_value_heads"
            found[both] = (f"{heads} : {kv_heads}", f"{Fraction(queries, keys)} : 1")
    tied = head_is_embedding(model)
    seen = ""
    if fields["tie_word_embeddings"] in {True, False} and fields["tie_word_embeddings"] != tied:
        found["tie_word_embeddings"] = ("false", "true") if tied else ("true", "false")
        if tied:
            there = "lm_head.weight" in shapes
            seen = " (the head has the embedding's bytes)" if there else " (there is no head)"
    if found:
        listed = "; ".join(
            f"{field} is {said} in its metadata and {counted} by its tensors"
            for field, (said, counted) in found.items()
        )
        raise LoadError(f"{listed}{seen}", model.path)


def _require_values(model: Checkpoint, view: Checkpoint, a: Architecture) -> None:
    """Refuse tensors of types that no weight has, or that are not decoded here.

    Raises
    ------
    TrainingError
        Names them.
    """
    odd = [
        f"{name} ({view.info(name).dtype})"
        for name, _ in tensor_shapes(a)
        if view.info(name).dtype not in DECODED or view.info(name).dtype in _NUMBERS
    ]
    if odd:
        more = f" and {len(odd) - 3} more" if len(odd) > 3 else ""
        raise _contradiction(model, f"holds no weights in {', '.join(odd[:3])}{more}")


def read_weights(init: Init) -> dict[str, Tensor]:
    """Read every weight once, as float32: a file's own float32 is copied, and everything else widened.

    Raises
    ------
    TrainingError
        A value is NaN or infinite, or a tensor cannot be read; nothing is left out and nothing put in its
        place.
    """
    weights = {}
    for name, _ in tensor_shapes(init.architecture):
        try:
            values = init.view.tensor(name)
        except LoadError as error:
            raise _contradiction(init.model, error.what) from error
        values = values if values.flags.writeable and values.flags.c_contiguous else np.array(values)
        tensor = torch.from_numpy(values)
        # A sum of finite weights is finite, and quicker to have than a look at each.
        if not tensor.sum().isfinite() and (bad := int((~tensor.isfinite()).sum())):
            raise _contradiction(init.model, f"{name} has {bad} values that are NaN or infinite")
        weights[name] = tensor
    return weights

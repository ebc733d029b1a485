"""Which architecture a checkpoint is of: what its file says, field by field, and nothing that is assumed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pv.check import Metric, Run, check
from pv_runtime.architecture import Architecture, architecture_of, check_tensors
from pv_runtime.canonical import canonical
from pv_runtime.config import APR_KEYS, CONFIG, GGUF_CONFIG, GGUF_KEYS, config_of
from pv_runtime.errors import LoadError
from pv_runtime.export import export
from pv_runtime.formats import Checkpoint, Overlay, open_checkpoint
from pv_runtime.presets import PRESETS

__all__ = ["foreign_families", "published_shape", "stated_fields"]

Read = Callable[[Checkpoint], Architecture]

_FAMILY = {"gguf": ("general.architecture",), "apr": ("architecture", "hf_model_type")}


def _read(model: Checkpoint) -> Architecture:
    """Read the architecture and hold it against the tensors, as loading does."""
    architecture = architecture_of(model)
    check_tensors(architecture, canonical(model, config_of(model)))
    return architecture


@check(
    metrics=[
        Metric("fields", unit="1", kind="count"),
        Metric("differing", unit="1", kind="count"),
        Metric("parameters", unit="1", kind="count"),
    ]
)
def published_shape(run: Run, *, preset: str, published: Mapping[str, Any]) -> None:
    """Compare our preset with what its authors published, field by field.

    `differing` is 1 for each field of `Architecture` that is not as `published` says, or that it lacks.
    """
    ours: Architecture = run.role("architecture", PRESETS[preset])
    values = dataclasses.asdict(ours)
    for field, value in values.items():
        run.record("differing", int(field not in published or published[field] != value), label=field)
    run.record("fields", len(values))
    run.record("parameters", ours.parameters)


@published_shape.counter_example("six_heads_to_a_key_head", of="architecture")
def six_heads_to_a_key_head(architecture: Architecture) -> Architecture:
    """Take two query heads away from each key head's group, or add them where there are few."""
    return dataclasses.replace(architecture, heads=architecture.heads - 2 * architecture.kv_heads)


@published_shape.counter_example("epsilon_of_another_family", of="architecture")
def epsilon_of_another_family(architecture: Architecture) -> Architecture:
    """Take 1e-5 for 1e-6, or the other way round: no shape shows it."""
    other = 1e-5 if architecture.rms_norm_eps == 1e-6 else 1e-6
    return dataclasses.replace(architecture, rms_norm_eps=other)


@published_shape.counter_example("base_of_another_family", of="architecture")
def base_of_another_family(architecture: Architecture) -> Architecture:
    """Take a rotary base of 500000."""
    return dataclasses.replace(architecture, rope_theta=5e5)


@published_shape.counter_example("tied_the_other_way", of="architecture")
def tied_the_other_way(architecture: Architecture) -> Architecture:
    """Tie the head where it is not, or untie it where it is."""
    return dataclasses.replace(architecture, tied=not architecture.tied)


@published_shape.counter_example("biased_the_other_way", of="architecture")
def biased_the_other_way(architecture: Architecture) -> Architecture:
    """Give q, k and v biases where they have none, or take them away."""
    return dataclasses.replace(architecture, qkv_bias=not architecture.qkv_bias)


@check(
    metrics=[
        Metric("formats", unit="1", kind="count"),
        Metric("differing_formats", unit="1", kind="count"),
        Metric("deleted", unit="1", kind="count"),
        Metric("assumed", unit="1", kind="count"),
        Metric("unnamed", unit="1", kind="count"),
        Metric("altered", unit="1", kind="count"),
        Metric("overlooked", unit="1", kind="count"),
    ]
)
def stated_fields(run: Run, *, model: Checkpoint) -> None:
    """Take each field out of what a file says, in three formats, and alter each.

    `differing_formats` is 1 for each format that gives another architecture than `model`'s. `assumed` is
    1 for each deleted field that is made up rather than refused, but for the number of rows of the embedding,
    which is a fact of the tensors; `unnamed` for each refusal that names neither the field nor a tensor.
    `overlooked` is 1 for each altered field that is neither refused nor found as altered.
    """
    read: Read = run.role("read", _read)
    expected = _read(run.undamaged("model"))
    formats = deleted = altered = 0
    for form in ("safetensors", "gguf", "apr"):
        target = Path(run.scratch()) / f"model.{form}"
        export(model, str(target), form, with_tokenizer=False)
        written = open_checkpoint(target)
        run.record("differing_formats", int(read(written) != expected), label=form)
        formats += 1
        for field, without, doubled in _edits(written):
            derived = field == "vocab_size" and form != "safetensors"
            if not derived:
                refusal = _refusal(read, without)
                run.record("assumed", int(refusal is None), label=f"{form}: {field}")
                word = "architecture" if field == "model_type" else field
                named = refusal is None or word in refusal or "tensor" in refusal
                run.record("unnamed", int(not named), label=f"{form}: {field}")
                deleted += 1
            if doubled is not None:
                try:
                    found = read(doubled)
                except LoadError:
                    found = None
                run.record("overlooked", int(found == expected), label=f"{form}: {field}")
                altered += 1
    run.record("formats", formats)
    run.record("deleted", deleted)
    run.record("altered", altered)


def _edits(written: Checkpoint) -> Iterator[tuple[str, Checkpoint, Checkpoint | None]]:
    """Yield each field, `written` without it, and with twice its value; the family has no double."""
    plain = {key: value for key, value in written.metadata.items() if key not in {CONFIG, GGUF_CONFIG}}
    if written.format == "safetensors":
        config = config_of(written)
        for field in ("model_type", *APR_KEYS):
            without = {key: value for key, value in config.items() if key != field}
            yield field, _saying(written, {CONFIG: without}), _doubled(written, config, field, {CONFIG: None})
        return
    keys = {"model_type": _FAMILY[written.format]}
    if written.format == "gguf":
        keys |= {
            field: (f"{written.metadata['general.architecture']}.{key}",) for field, key in GGUF_KEYS.items()
        }
    else:
        keys |= {field: (key,) for field, key in APR_KEYS.items()}
    for field, names in keys.items():
        without = {key: value for key, value in plain.items() if key not in names}
        yield field, _saying(written, without), _doubled(written, plain, names[0], None)


def _doubled(
    written: Checkpoint, values: Mapping[str, Any], key: str, inside: Mapping[str, None] | None
) -> Checkpoint | None:
    value = values[key]
    if isinstance(value, str):
        return None
    changed = {**values, key: 2 * value}
    return _saying(written, dict.fromkeys(inside, changed) if inside else changed)


def _saying(written: Checkpoint, metadata: Mapping[str, object]) -> Checkpoint:
    return Overlay(written, metadata=metadata)


def _refusal(read: Read, model: Checkpoint) -> str | None:
    try:
        read(model)
    except LoadError as error:
        return str(error)
    return None


def _with(read: Read, **defaults: object) -> Read:
    """Read as before, and where that fails, once more with defaults for what is missing."""

    def lenient(model: Checkpoint) -> Architecture:
        try:
            return read(model)
        except LoadError:
            said = model.metadata.get(CONFIG)
            inside = dict(said) if isinstance(said, Mapping) else None
            metadata = {**defaults, **(inside if inside is not None else model.metadata)}
            return read(Overlay(model, metadata=metadata if inside is None else {CONFIG: metadata}))

    return lenient


@stated_fields.counter_example("epsilon_assumed", of="read")
def epsilon_assumed(read: Read) -> Read:
    """Take 1e-6 where a file does not say ε: right by chance for this family."""
    return _with(read, rms_norm_eps=1e-6, **{"qwen2.attention.layer_norm_rms_epsilon": 1e-6})


@stated_fields.counter_example("context_assumed", of="read")
def context_assumed(read: Read) -> Read:
    """Take 32768 where a file does not say for how many positions it was made."""
    return _with(read, max_position_embeddings=32768, **{"qwen2.context_length": 32768})


@stated_fields.counter_example("family_assumed", of="read")
def family_assumed(read: Read) -> Read:
    """Take every file for one of the family that is most common."""
    return _with(read, model_type="qwen2", architecture="qwen2", **{"general.architecture": "qwen2"})


@stated_fields.counter_example("constants_of_one_model", of="read")
def constants_of_one_model(read: Read) -> Read:
    """Read the shape, and take the rotary base from the model that the program was written for."""
    return lambda model: dataclasses.replace(read(model), rope_theta=1e6)


@stated_fields.counter_example("another_format_read_otherwise", of="read")
def another_format_read_otherwise(read: Read) -> Read:
    """Take 1e-5 for ε in GGUF."""

    def mistaken(model: Checkpoint) -> Architecture:
        found = read(model)
        return dataclasses.replace(found, rms_norm_eps=1e-5) if model.format == "gguf" else found

    return mistaken


@check(
    metrics=[
        Metric("families", unit="1", kind="count"),
        Metric("accepted", unit="1", kind="count"),
        Metric("unnamed", unit="1", kind="count"),
        Metric("own_refused", unit="1", kind="count"),
    ]
)
def foreign_families(run: Run, *, model: Checkpoint, families: Sequence[str]) -> None:
    """Let a model say that it is of each of `families`, none of which is computed here.

    `accepted` is 1 for each that is read nevertheless, `unnamed` for each refusal that does not name the
    family, `own_refused` 1 if the model is not read as what it is.
    """
    read: Read = run.role("read", _read)
    config = config_of(run.undamaged("model"))
    for family in families:
        refusal = _refusal(
            read, _saying(model, {CONFIG: {**config, "model_type": family, "architectures": None}})
        )
        run.record("accepted", int(refusal is None), label=family)
        run.record("unnamed", int(refusal is not None and repr(family) not in refusal), label=family)
    run.record("families", len(families))
    run.record("own_refused", int(_refusal(read, model) is not None))


@foreign_families.counter_example("family_ignored", of="read")
def family_ignored(read: Read) -> Read:
    """Take every file for a qwen2."""

    def careless(model: Checkpoint) -> Architecture:
        said = model.metadata[CONFIG]
        config = dict(said) if isinstance(said, Mapping) else config_of(model)
        return read(_saying(model, {CONFIG: {**config, "model_type": "qwen2"}}))

    return careless


@foreign_families.counter_example("refused_without_a_name", of="read")
def refused_without_a_name(read: Read) -> Read:
    """Refuse as rightly, and say nothing of use."""

    def curt(model: Checkpoint) -> Architecture:
        try:
            return read(model)
        except LoadError as error:
            raise LoadError("cannot be read", error.path) from None

    return curt


@foreign_families.counter_example("refuses_everything", of="read")
def refuses_everything(read: Read) -> Read:
    """Refuse this model as well."""

    def never(model: Checkpoint) -> Architecture:
        raise LoadError(f"is of the architecture {config_of(model)['model_type']!r}", model.path)

    del read
    return never

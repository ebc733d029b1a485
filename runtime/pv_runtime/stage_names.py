"""How stages are written: in files, in options, and as others spell them."""

from __future__ import annotations

from collections.abc import Iterable

from pv_runtime.architecture import Architecture
from pv_runtime.stages import LAYER_STAGES, STAGES, WHOLE

__all__ = [
    "SPELLINGS",
    "StageKey",
    "chosen_layers",
    "chosen_stages",
    "in_order",
    "parsed_name",
    "stage_features",
    "written_name",
]

StageKey = tuple[str, int | None]
"""A stage and its layer; None for those of the whole model."""

SPELLINGS = {"ffn_swigl": "ffn_swiglu", "post_ffn_residual": "layer_output"}
"""Names that aprender gives stages that have another one here."""

_ORDER = {stage: number for number, stage in enumerate(STAGES)}
_LAST_LAYER = 9_999


def written_name(stage: str, layer: int | None) -> str:
    """Return ``layer-3/ffn_out``, or the stage alone where it is the whole model's."""
    return stage if layer is None else f"layer-{layer}/{stage}"


def parsed_name(name: str) -> StageKey | None:
    """Read what `written_name` writes, in either spelling; None for anything else."""
    folder, slash, stage = name.rpartition("/")
    stage = SPELLINGS.get(stage, stage)
    if not slash:
        return (stage, None) if stage in WHOLE else None
    number = folder.removeprefix("layer-")
    plain = number.isascii() and number.isdigit() and str(int(number[:5])) == number
    if folder == number or not plain or stage not in LAYER_STAGES:
        return None
    return stage, int(number)


def in_order(keys: Iterable[StageKey]) -> tuple[StageKey, ...]:
    """Sort stages as they are computed."""

    def place(key: StageKey) -> tuple[int, int]:
        stage, layer = key
        if layer is not None:
            return layer, _ORDER[stage]
        return (-1 if stage == "embedding" else _LAST_LAYER + 1), _ORDER[stage]

    return tuple(sorted(keys, key=place))


def chosen_stages(text: str) -> tuple[str, ...]:
    """Read ``ffn_gate,ffn_up`` or ``all``, in either spelling, into the order of computation.

    Raises
    ------
    ValueError
        A stage is not known; the message lists all.
    """
    names = [SPELLINGS.get(name.strip(), name.strip()) for name in text.split(",")]
    if names == ["all"]:
        return tuple(STAGES)
    if unknown := [name for name in names if name not in STAGES]:
        raise ValueError(f"there is no stage {unknown[0]!r}; known are all, {', '.join(STAGES)}")
    return tuple(stage for stage in STAGES if stage in names)


def chosen_layers(text: str, layers: int) -> tuple[int, ...]:
    """Read ``3`` or ``0..5``, both ends taken, of a model with `layers` layers.

    Raises
    ------
    ValueError
        It is neither, runs backwards, or leaves the model.
    """
    first, dots, last = text.partition("..")
    parts = [first, last] if dots else [first, first]
    if not all(part.isascii() and part.isdigit() and len(part) < 6 for part in parts):
        raise ValueError(f"{text!r} is neither a layer, as 3, nor a range of them, as 0..5")
    low, high = map(int, parts)
    if low > high:
        raise ValueError(f"the layers {text!r} run backwards")
    if high >= layers:
        raise ValueError(f"there is no layer {high}: the model has {layers}, counted from 0")
    return tuple(range(low, high + 1))


def stage_features(architecture: Architecture) -> dict[str, int]:
    """Return how many values each stage has for each token."""
    a = architecture
    wide = {
        "qkv_matmul": a.query_size + 2 * a.kv_size,
        "qkv_bias": a.query_size + 2 * a.kv_size,
        "q_post_rope": a.query_size,
        "k_post_rope": a.kv_size,
        "attention": a.query_size,
        **dict.fromkeys(("ffn_gate", "ffn_up", "ffn_silu", "ffn_swiglu"), a.intermediate_size),
        "lm_head": a.vocab_size,
    }
    return {stage: wide.get(stage, a.hidden_size) for stage in STAGES}

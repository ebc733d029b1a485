"""Names of tensors: one table for all formats, and the same weights by every way of asking for them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from pv.check import Metric, Run, check
from pv_runtime.architecture import tensor_shapes
from pv_runtime.errors import LoadError
from pv_runtime.export import export
from pv_runtime.formats import Checkpoint, LazyTensor, Overlay, TensorInfo, open_checkpoint
from pv_runtime.formats.apr_writer import write_apr
from pv_runtime.names import gguf_name, hf_name
from pv_runtime.presets import PRESETS
from pv_runtime.weights import LayerWeights, StreamedWeights, Weights, load_weights

__all__ = ["loaded_ways", "named_otherwise", "resolved_names"]


@dataclasses.dataclass(frozen=True)
class Names:
    """The two directions between Hugging Face's names and GGUF's."""

    to_gguf: Callable[[str], str]
    to_hf: Callable[[str], str]


@check(
    metrics=[
        Metric("roles", unit="1", kind="count"),
        Metric("names", unit="1", kind="count"),
        Metric("misnamed", unit="1", kind="count"),
        Metric("not_returned", unit="1", kind="count"),
    ]
)
def resolved_names(run: Run, *, preset: str) -> None:
    """Map every tensor's name to GGUF's and back, and hold it against the table of PyPI's gguf.

    `misnamed` is 1 for each of `names` that is mapped to another than gguf's own table does, and
    `not_returned` for each that does not come back. `roles` counts what is left when layers and suffixes are
    dropped.
    """
    import gguf

    names: Names = run.role("names", Names(gguf_name, hf_name))
    shape = PRESETS[preset]
    theirs = gguf.get_tensor_name_map(gguf.MODEL_ARCH[shape.family.upper()], shape.layers)
    roles = set()
    listed = [*dict(tensor_shapes(dataclasses.replace(shape, tied=False)))]
    for name in listed:
        stem, _, suffix = name.rpartition(".")
        found = names.to_gguf(name)
        run.record("misnamed", int(found != f"{theirs.get_name(stem)}.{suffix}"), label=f"{name}: {found}")
        run.record("not_returned", int(names.to_hf(found) != name), label=f"{name}: {found}")
        roles.add(tuple(part for part in stem.split(".") if not part.isdigit()))
    run.record("names", len(listed))
    run.record("roles", len(roles))


@resolved_names.counter_example("gate_for_up", of="names")
def gate_for_up(names: Names) -> Names:
    """Take the gate's name for the up projection's, both ways: what comes back is right."""
    swap = {"ffn_gate": "ffn_up", "ffn_up": "ffn_gate"}

    def turned(name: str) -> str:
        parts = name.split(".")
        return ".".join(swap.get(part, part) for part in parts)

    return Names(lambda name: turned(names.to_gguf(name)), lambda name: names.to_hf(turned(name)))


@resolved_names.counter_example("head_not_known", of="names")
def head_not_known(names: Names) -> Names:
    """Leave the head's name as it is: most models are tied, and do not show it."""
    return dataclasses.replace(
        names, to_gguf=lambda name: name if name.startswith("lm_head") else names.to_gguf(name)
    )


@resolved_names.counter_example("layers_from_one", of="names")
def layers_from_one(names: Names) -> Names:
    """Count layers from 1 on the way back."""

    def later(name: str) -> str:
        found = names.to_hf(name).split(".")
        return ".".join(str(int(part) + 1) if part.isdigit() else part for part in found)

    return dataclasses.replace(names, to_hf=later)


Load = Callable[[Checkpoint], "Weights | StreamedWeights"]


def _parts(weights: Weights | StreamedWeights, layer: int) -> dict[str, Tensor]:
    values = weights.layer(layer)
    found = {field.name: getattr(values, field.name) for field in dataclasses.fields(LayerWeights)}
    return {name: value for name, value in found.items() if isinstance(value, Tensor)}


def _streamed(model: Checkpoint) -> Weights | StreamedWeights:
    return load_weights(model, streamed=True)


@check(
    metrics=[
        Metric("layers", unit="1", kind="count"),
        Metric("tensors", unit="1", kind="count"),
        Metric("differing_values", unit="1", kind="count"),
    ]
)
def loaded_ways(run: Run, *, model: Checkpoint) -> None:
    """Load all weights at once, and each layer's when it is asked for, and compare them.

    `differing_values` counts, for each of `tensors`, values whose bits differ; all where a shape differs.
    Layers are asked for from the last to the first, so that one that stands for another shows.
    """
    load: Load = run.role("load", _streamed)
    whole, one_by_one = load_weights(model), load(model)
    count = whole.architecture.layers
    tensors = 0
    for layer in reversed(range(count)):
        ours, theirs = _parts(whole, layer), _parts(one_by_one, layer)
        for name, values in ours.items():
            other = theirs.get(name, values[:0])
            same = other.shape == values.shape
            differing = int((other != values).sum()) if same else values.numel()
            run.record("differing_values", differing, label=f"layer {layer} {name}")
            tensors += 1
    run.record("layers", count)
    run.record("tensors", tensors)


@dataclasses.dataclass
class _Otherwise:
    """Weights of which one layer is handed out in another way."""

    weights: Weights | StreamedWeights
    change: Callable[[Weights | StreamedWeights, int], LayerWeights]

    def layer(self, index: int) -> LayerWeights:
        return self.change(self.weights, index)


@loaded_ways.counter_example("one_layer_for_all", of="load")
def one_layer_for_all(load: Load) -> Load:
    """Keep one layer's norms under a name without its number: all layers take the first one's."""

    def aliased(weights: Weights | StreamedWeights, index: int) -> LayerWeights:
        first = weights.layer(0)
        return dataclasses.replace(weights.layer(index), attn_norm=first.attn_norm, ffn_norm=first.ffn_norm)

    return lambda model: _Otherwise(load(model), aliased)  # type: ignore[return-value]


@loaded_ways.counter_example("last_bit_lost", of="load")
def last_bit_lost(load: Load) -> Load:
    """Round the down projection of the last layer to bfloat16 on its way."""

    def rounded(weights: Weights | StreamedWeights, index: int) -> LayerWeights:
        found = weights.layer(index)
        last = index == weights.architecture.layers - 1
        return dataclasses.replace(found, down=found.down.bfloat16().float()) if last else found

    return lambda model: _Otherwise(load(model), rounded)  # type: ignore[return-value]


Open = Callable[[Path], Checkpoint]


@check(
    metrics=[
        Metric("tensors", unit="1", kind="count"),
        Metric("unresolved", unit="1", kind="count"),
        Metric("differing_bytes", unit="1", kind="count"),
        Metric("left_out", unit="1", kind="count"),
        Metric("absence_accepted", unit="1", kind="count"),
    ]
)
def named_otherwise(run: Run, *, model: Checkpoint) -> None:
    """Write `model` as APR with GGUF's names, as another converter does, and open it.

    `unresolved` counts those of `tensors` that are not found under our names, and `differing_bytes` is for
    each the number of its bytes that are others. Each role of the first layer, the embedding and the final
    norm are left out in turn, `left_out` in all: `absence_accepted` is 1 for each that loads all the same.
    """
    opener: Open = run.role("opener", open_checkpoint)
    folder = Path(run.scratch())
    plain = folder / "plain.apr"
    export(model, str(plain), "apr", with_tokenizer=False)
    written = open_checkpoint(plain)
    path = folder / "renamed.apr"
    _renamed(written, path, leaving=None)
    found = opener(path)
    run.record("unresolved", len({*written.names()} - {*found.names()}))
    for name in {*written.names()} & {*found.names()}:
        ours, theirs = written.raw(name), found.raw(name)
        same = ours.shape == theirs.shape
        run.record("differing_bytes", int((ours != theirs).sum()) if same else ours.size, label=name)
    run.record("tensors", len(written.names()))
    roles = [name for name in written.names() if ".layers." not in name or ".layers.0." in name]
    for name in run.progress(roles, len(roles)):
        _renamed(written, path, leaving=name)
        run.record("absence_accepted", int(_loads(opener(path))), label=name)
    run.record("left_out", len(roles))


def _renamed(model: Checkpoint, path: Path, *, leaving: str | None) -> None:
    tensors = [
        (TensorInfo(gguf_name(name), info.dtype, info.shape, info.nbytes), lambda name=name: model.raw(name))
        for name in model.names()
        if name != leaving and (info := model.info(name))
    ]
    write_apr(str(path), tensors, model.metadata)


def _loads(model: Checkpoint) -> bool:
    try:
        load_weights(model, streamed=True)
    except LoadError:
        return False
    return True


@named_otherwise.counter_example("one_spelling_only", of="opener")
def one_spelling_only(opener: Open) -> Open:
    """Know Hugging Face's names only, as code does that has them written out."""

    def narrow(path: Path) -> Checkpoint:
        model = opener(path)
        return Overlay(model, drop=[name for name in model.names() if ".layers.0." in name])

    return narrow


@named_otherwise.counter_example("absent_filled_with_zeros", of="opener")
def absent_filled_with_zeros(opener: Open) -> Open:
    """Give zeros for a name that is not there."""

    def filling(path: Path) -> Checkpoint:
        model = opener(path)
        width = int(model.info("model.layers.1.input_layernorm.weight").shape[0])
        missing = [
            name
            for name in ("model.norm.weight", "model.layers.0.input_layernorm.weight")
            if name not in model.names()
        ]
        added = {
            name: LazyTensor(
                TensorInfo(name, "F32", (width,), 4 * width),
                lambda: torch.zeros(width).numpy().view("uint8"),
            )
            for name in missing
        }
        return Overlay(model, add=added) if added else model

    return filling


@named_otherwise.counter_example("names_exchanged", of="opener")
def names_exchanged(opener: Open) -> Open:
    """Take the gate of the last layer for its up projection."""

    def exchanged(path: Path) -> Checkpoint:
        model = opener(path)
        gate = max(name for name in model.names() if name.endswith("mlp.gate_proj.weight"))
        up = gate.replace("gate", "up")
        info = dataclasses.replace(model.info(up), name=gate)
        return Overlay(model, replace={gate: LazyTensor(info, lambda: model.raw(up))})

    return exchanged

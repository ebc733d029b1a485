"""Changes that a correct implementation may make: of these nothing may be reported."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from pv_runtime.bisect.sides import Side
from pv_runtime.defects.computation import BackwardsSummation
from pv_runtime.defects.models import Assembled
from pv_runtime.defects.planted import side
from pv_runtime.formats import Checkpoint, LazyTensor, Overlay, open_checkpoint
from pv_runtime.formats.overlay import from_values

__all__ = ["HARMLESS", "Harmless"]


@dataclasses.dataclass(frozen=True, slots=True)
class Harmless:
    """A change that changes nothing.

    Parameters
    ----------
    name
        What it is.
    make
        Makes the candidate of the working model; may write into a folder.
    """

    name: str
    make: Callable[[Checkpoint, Path], Side]


def _half_norms(model: Checkpoint, _: Path) -> Side:
    names = [name for name in model.names() if len(model.info(name).shape) == 1 and "norm" in name]
    halves = {n: from_values(n, model.info(n).shape, lambda n=n: model.tensor(n), "F16") for n in names}  # type: ignore[misc]
    return side(Overlay(model, replace=halves))


def _renamed(model: Checkpoint, folder: Path) -> Side:
    """GGUF, where every tensor has another name, and lists its dimensions the other way round."""
    from pv_runtime.export import export

    path = folder / "renamed.gguf"
    export(model, str(path), "gguf", with_tokenizer=False)
    return side(open_checkpoint(str(path)))


def _reordered(model: Checkpoint, _: Path) -> Side:
    tensors = [LazyTensor(model.info(n), lambda n=n: model.raw(n)) for n in reversed(model.names())]  # type: ignore[misc]
    config = model.metadata["config"]
    assert isinstance(config, dict)  # noqa: S101
    return side(Assembled(tensors, config, "(the same, backwards)"))


HARMLESS: tuple[Harmless, ...] = (
    Harmless("another summation order", lambda model, _: side(model, BackwardsSummation)),
    Harmless("fp16 storage of norms", _half_norms),
    Harmless("renamed tensors", _renamed),
    Harmless("reordered file", _reordered),
    Harmless("other batch size", lambda model, _: dataclasses.replace(side(model), copies=5)),
)
"""All harmless changes."""

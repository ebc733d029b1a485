"""Values of stages that were kept, with what they were made on."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from pv_runtime.errors import LoadError
from pv_runtime.quant.scheme import Floats
from pv_runtime.stage_names import StageKey, in_order, parsed_name, written_name
from pv_runtime.trace_origin import TraceOrigin

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Kept", "SavedTrace", "saved_trace"]


@dataclasses.dataclass(frozen=True)
class Kept:
    """One stage as a file has it: under what name, of which shape, and how it is read."""

    name: str
    shape: tuple[int, ...]
    read: Callable[[], Floats]


@dataclasses.dataclass(frozen=True)
class SavedTrace:
    """Values of stages, each read when it is asked for; `saved_trace` makes one.

    Parameters
    ----------
    path
        The file or folder.
    origin
        What it was made on; its ``positions`` are those of the rows of every stage.
    """

    path: str
    origin: TraceOrigin
    _kept: Mapping[StageKey, Kept]

    @property
    def tokens(self) -> tuple[int, ...]:
        """Ids of the prompt."""
        return self.origin.tokens

    def stages(self) -> tuple[StageKey, ...]:
        """Return stage and layer of everything that was kept, in the order of computation."""
        return tuple(self._kept)

    def features(self, stage: str, layer: int | None) -> int:
        """Return how many values a stage has for each token."""
        return self._of(stage, layer).shape[-1]

    def values(self, stage: str, layer: int | None) -> Floats:
        """Return float32 ``[positions, features]``, read-only: mapped where the file has float32.

        Raises
        ------
        LoadError
            The stage was not kept, or its values cannot be read.
        """
        kept = self._of(stage, layer)
        found = kept.read().reshape(len(self.origin.positions), kept.shape[-1]).view()
        found.flags.writeable = False
        return found

    def tensor(self, stage: str, layer: int | None) -> Tensor:
        """Return the values as a float32 tensor ``[positions, features]`` of its own."""
        import torch

        return torch.from_numpy(np.array(self.values(stage, layer)))

    def _of(self, stage: str, layer: int | None) -> Kept:
        if (stage, layer) not in self._kept:
            raise LoadError(f"has no stage {written_name(stage, layer)}", self.path)
        return self._kept[stage, layer]


def saved_trace(path: str, origin: TraceOrigin, kept: Iterable[Kept]) -> SavedTrace:
    """Join what a file or folder holds.

    Raises
    ------
    LoadError
        Nothing was kept, a stage is not known or occurs twice (``post_ffn_residual`` beside
        ``layer_output`` may, with the same values), or its values do not make whole rows.
    """
    found: dict[StageKey, Kept] = {}
    for each in kept:
        key = parsed_name(each.name)
        if key is None:
            raise LoadError(
                f"{each.name} is no stage",
                path,
                "a stage is written as layer-3/ffn_out, or embedding; `apr trace --help` lists them",
            )
        rows = _whole_rows(each, len(origin.positions), path)
        if key in found:
            _require_same(found[key], rows, path)
            continue
        found[key] = rows
    if not found:
        raise LoadError("is a trace without a stage", path)
    return SavedTrace(path, origin, {key: found[key] for key in in_order(found)})


def _whole_rows(each: Kept, positions: int, path: str) -> Kept:
    """Return `each` with the shape ``[positions, features]``; a leading 1 and a flat list are accepted."""
    shape = each.shape
    if len(shape) == 3 and shape[0] == 1:
        shape = shape[1:]
    if len(shape) == 1 and shape[0] % positions == 0:
        shape = (positions, shape[0] // positions)
    if len(shape) != 2 or shape[0] != positions or shape[1] == 0:
        raise LoadError(
            f"{each.name} has the shape {list(each.shape)}: not a row for each of {positions} positions", path
        )
    return dataclasses.replace(each, shape=shape)


def _require_same(first: Kept, second: Kept, path: str) -> None:
    same = first.shape == second.shape and bytes(first.read().data) == bytes(second.read().data)
    if first.name == second.name or not same:
        raise LoadError(f"{first.name} and {second.name} are one stage, kept twice and differently", path)

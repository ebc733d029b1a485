"""Checkpoints of a run: whole or not there.

``checkpoints/step-00000100/`` is a model as any other, float32, with its config.json and tokenizer. Its
folder ``training`` holds what a run needs to go on: moments, random state, and the position in the data. The
folder is written under a hidden name, flushed to the disk and then renamed, so that a process killed at any
moment leaves the one before it, or this one. ``checkpoints/latest`` is a link for people; a resumed run goes
by the numbers.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pv_runtime.errors import LoadError, printable
from pv_runtime.formats import open_checkpoint
from pv_runtime.formats.checkpoint import TensorInfo
from pv_runtime.formats.safetensors import write_safetensors
from pv_runtime.formats.whole_folder import flush_folder
from pv_runtime.formats.writing import writing
from pv_runtime.pretrain.errors import TrainingError
from pv_runtime.pretrain.trainable import Trainable
from pv_runtime.quant.scheme import Bytes

__all__ = ["Saved", "checkpoints_of", "leftovers", "load", "restore", "save", "write_whole"]

FOLDER, LATEST, TRAINING = "checkpoints", "latest", "training"
_NAME = re.compile(r"step-(\d{8,})")
_MOMENTS = ("exp_avg", "exp_avg_sq")
_TYPES = {torch.float32: "F32", torch.uint8: "U8"}


@dataclasses.dataclass(frozen=True)
class Saved:
    """A checkpoint that was read.

    Parameters
    ----------
    weights
        float32, by Hugging Face's names.
    moments
        ``"exp_avg.NAME"`` and ``"exp_avg_sq.NAME"``, float32; none at step 0.
    random
        torch's states, by the kind of device.
    state
        ``step``, ``sequences`` (the position in the data) and ``validation``, pairs of step and loss.
    """

    weights: Mapping[str, Tensor]
    moments: Mapping[str, Tensor]
    random: Mapping[str, Tensor]
    state: Mapping[str, Any]

    @property
    def step(self) -> int:
        """Steps that were done."""
        return int(self.state["step"])


def checkpoints_of(run: Path) -> list[Path]:
    """Return the folders of all checkpoints, the latest last."""
    folder = run / FOLDER
    found = [path for path in folder.iterdir() if _NAME.fullmatch(path.name)] if folder.is_dir() else []
    return sorted(found, key=lambda path: int(path.name.removeprefix("step-")))


def save(
    run: Path,
    module: Trainable,
    optimiser: torch.optim.Optimizer,
    state: Mapping[str, Any],
    *,
    metadata: Mapping[str, str],
    texts: Mapping[str, bytes],
    keep: int,
) -> Path:
    """Write a checkpoint, and drop all but the last `keep`.

    The same weights, moments and state give the same bytes: there is no date in it, and no path.

    Parameters
    ----------
    run
        Folder of the run.
    module, optimiser
        What is written; an optimiser that has made no step has no moments.
    state
        ``step`` and what else JSON holds.
    metadata
        Text by key, for the model's file.
    texts
        Files beside it, such as config.json.
    keep
        At least 1.

    Returns
    -------
    Path
        Its folder.

    Raises
    ------
    TrainingError
        The disk is full, or cannot be written. What was there before is untouched.
    """
    target = run / FOLDER / f"step-{state['step']:08d}"

    def fill(folder: Path) -> None:
        _write_tensors(folder / "model.safetensors", module.named_parameters(), metadata)
        (folder / TRAINING).mkdir()
        _write_tensors(folder / TRAINING / "optimiser.safetensors", _named_moments(module, optimiser), {})
        _write_tensors(folder / TRAINING / "random.safetensors", _random_states(module), {})
        state_text = json.dumps(dict(state), indent=2, sort_keys=True) + "\n"
        for name, text in {**texts, f"{TRAINING}/state.json": state_text.encode()}.items():
            with writing(folder / name) as file:
                file.write(text)
        flush_folder(folder / TRAINING)

    try:
        write_whole(target, fill)
        _point(run / FOLDER / LATEST, target.name)
        for old in checkpoints_of(run)[:-keep]:
            _remove(old)
    except OSError as error:
        others = [path.name for path in checkpoints_of(run)]
        kept = f"{others[-1]} is the last one that is whole" if others else "there is none before it"
        raise TrainingError(
            "checkpoint-unwritten",
            f"{printable(str(target))}: cannot be written: {error.strerror or error}; {kept}",
            "make room, and go on with --resume",
        ) from error
    return target


def write_whole(target: Path, fill: Callable[[Path], None]) -> None:
    """Make the folder `target`, which `fill` fills under a hidden name first.

    What a kill left of such a folder is removed.

    Raises
    ------
    OSError
        It cannot be written, or is there already; nothing is left of it then.
    """
    target.parent.mkdir(exist_ok=True)
    flush_folder(target.parent.parent)
    hidden = target.with_name(f".{target.name}.partial")
    shutil.rmtree(hidden, ignore_errors=True)
    try:
        hidden.mkdir()
        fill(hidden)
        flush_folder(hidden)
        hidden.rename(target)
    except BaseException:
        shutil.rmtree(hidden, ignore_errors=True)
        raise
    flush_folder(target.parent)


def _remove(folder: Path) -> None:
    """Remove a checkpoint; a kill half-way must not leave one that looks whole."""
    hidden = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(hidden, ignore_errors=True)
    folder.rename(hidden)
    flush_folder(folder.parent)  # nor must a loss of power, which may take the new name back
    shutil.rmtree(hidden)


def _point(link: Path, name: str) -> None:
    temporary = link.with_name(f".{link.name}")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(name)
    temporary.replace(link)
    flush_folder(link.parent)  # before the checkpoint that it pointed to is removed


def _write_tensors(path: Path, tensors: Iterable[tuple[str, Tensor]], metadata: Mapping[str, str]) -> None:
    def entry(name: str, tensor: Tensor) -> tuple[TensorInfo, Callable[[], Bytes]]:
        info = TensorInfo(name, _TYPES[tensor.dtype], tuple(tensor.shape), tensor.numel() * tensor.itemsize)
        return info, lambda: tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()

    write_safetensors(str(path), [entry(name, tensor) for name, tensor in tensors], metadata)


def _named_moments(module: Trainable, optimiser: torch.optim.Optimizer) -> list[tuple[str, Tensor]]:
    return [
        (f"{moment}.{name}", optimiser.state[parameter][moment])
        for name, parameter in module.named_parameters()
        if parameter in optimiser.state
        for moment in _MOMENTS
    ]


def _random_states(module: Trainable) -> list[tuple[str, Tensor]]:
    states = [("cpu", torch.get_rng_state())]
    device = next(module.parameters()).device
    return [*states, ("cuda", torch.cuda.get_rng_state(device))] if device.type == "cuda" else states


def load(folder: Path) -> Saved:
    """Read a checkpoint of a run.

    Raises
    ------
    TrainingError
        A file of it is missing or damaged.
    """
    try:
        state = json.loads((folder / TRAINING / "state.json").read_bytes())
        return Saved(
            _read_tensors(folder / "model.safetensors"),
            _read_tensors(folder / TRAINING / "optimiser.safetensors"),
            _read_tensors(folder / TRAINING / "random.safetensors"),
            {"step": int(state["step"]), **state},
        )
    except (LoadError, OSError, ValueError, LookupError, TypeError, ArithmeticError, RecursionError) as error:
        raise TrainingError(
            "checkpoint-damaged",
            f"{printable(str(folder))}: is damaged: {error}",
            "remove that folder: --resume then goes on from the checkpoint before it",
        ) from error


def _read_tensors(path: Path) -> dict[str, Tensor]:
    model = open_checkpoint(path)
    found = {}
    for name in model.names():
        info = model.info(name)
        kinds = {"F32": np.float32, "U8": np.uint8}
        if info.dtype not in kinds:
            raise LoadError(f"tensor {name} is {info.dtype}, which a run does not write", path)
        values = np.array(model.raw(name)).view(kinds[info.dtype]).reshape(info.shape)
        found[name] = torch.from_numpy(values)
    return found


def restore(saved: Saved, module: Trainable, optimiser: torch.optim.Optimizer) -> None:
    """Give `optimiser` the moments of `saved`, and torch its random states.

    The weights are `module`'s already.

    Raises
    ------
    TrainingError
        Moments are missing, or of other shapes.
    """
    parameters = dict(module.named_parameters())
    expected = {f"{moment}.{name}" for name in parameters for moment in _MOMENTS} if saved.step else set()
    if set(saved.moments) != expected:
        raise TrainingError(
            "checkpoint-damaged",
            f"the checkpoint of step {saved.step} has {len(saved.moments)} moments of {len(expected)}",
            "remove its folder: --resume then goes on from the checkpoint before it",
        )
    for name, parameter in parameters.items() if saved.step else ():
        step = torch.tensor(float(saved.step), device=parameter.device if parameter.is_cuda else None)
        moments = {moment: saved.moments[f"{moment}.{name}"].to(parameter.device) for moment in _MOMENTS}
        optimiser.state[parameter] = {"step": step, **moments}
    torch.set_rng_state(saved.random["cpu"])
    device = next(module.parameters()).device
    if device.type == "cuda" and "cuda" in saved.random:
        torch.cuda.set_rng_state(saved.random["cuda"], device)


def leftovers(run: Path) -> None:
    """Remove what a kill left of checkpoints that were being written or removed."""
    with contextlib.suppress(FileNotFoundError):
        for path in (run / FOLDER).iterdir():
            if path.name.startswith(".step-"):
                shutil.rmtree(path, ignore_errors=True)

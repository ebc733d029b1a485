"""What the runtime writes: files of all formats, folders of weights, traces, checkpoints of a run."""

from __future__ import annotations

import dataclasses
import functools
import json
import types
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pv_runtime.bisect.recording import Recording
from pv_runtime.export import export
from pv_runtime.formats import open_checkpoint
from pv_runtime.formats.apr_writer import write_apr
from pv_runtime.formats.checkpoint import TensorInfo
from pv_runtime.formats.gguf_writer import write_gguf
from pv_runtime.formats.safetensors import write_safetensors
from pv_runtime.presets import PRESETS
from pv_runtime.pretrain import checkpoints
from pv_runtime.pretrain.metrics import Metrics, read_metrics
from pv_runtime.random_model import RandomModel
from pv_runtime.trace_folder import ORIGIN, open_folder
from pv_runtime.trace_origin import TraceOrigin
from pv_runtime.trace_writer import aprt_folder, make_room

from benchmarks.trust.faults.operations import Operation

__all__ = ["RUNTIME"]

_OURS = ("OSError", "LoadError", "ModelError")
_VALUES = 3000
_SMALL = dataclasses.replace(
    PRESETS["qwen2.5-7b"], hidden_size=16, intermediate_size=16, layers=1, heads=2, kv_heads=1, head_dim=8,
    vocab_size=20,
)  # fmt: skip


def _constant(number: int, size: int = _VALUES) -> Any:
    return np.full(size, number, np.float32)


def _only(values: Any) -> int:
    """Return what all `values` are."""
    [number] = {*np.asarray(values).ravel().tolist()}
    return int(number)


# One file ---------------------------------------------------------------------------------------------------


def _write(form: str, number: int, folder: Path) -> None:
    values = _constant(number)
    tensors = [(TensorInfo("a", "F32", values.shape, values.nbytes), lambda: values.view(np.uint8))]
    path = str(folder / f"model.{form}")
    if form == "gguf":
        write_gguf(path, tensors, {"general.architecture": "llama"})
    elif form == "apr":
        write_apr(path, tensors, {})
    else:
        write_safetensors(path, tensors)


def _read(form: str, folder: Path) -> Hashable:
    path = folder / f"model.{form}"
    return _only(open_checkpoint(path).raw("a").view(np.float32)) if path.exists() else None


# Folders of weights -----------------------------------------------------------------------------------------


def _source(folder: Path, seed: int) -> None:
    (folder / f"source-{seed}").mkdir()
    RandomModel(_SMALL, seed).save(folder / f"source-{seed}")


def _sources(folder: Path) -> None:
    for seed in (1, 2):
        _source(folder, seed)


def _export(seed: int, folder: Path) -> None:
    export(open_checkpoint(folder / f"source-{seed}"), str(folder / "out"), "safetensors")


def _sources_and_one_exported(folder: Path) -> None:
    _sources(folder)
    _export(1, folder)


def _read_weights(name: str, folder: Path) -> Hashable:
    if not (folder / name).exists():
        return None
    model = open_checkpoint(folder / name)
    json.loads((folder / name / "config.json").read_bytes())
    for seed in (1, 2):
        if all(np.array_equal(model.raw(one), RandomModel(_SMALL, seed).raw(one)) for one in model.names()):
            return seed
    raise ValueError("weights of no seed")


def _save_model(folder: Path) -> None:
    RandomModel(_SMALL, 1).save(folder / "model")


def _read_saved(folder: Path) -> Hashable:
    return _read_weights("model", folder) if (folder / "model" / "config.json").exists() else None


# Traces and recordings --------------------------------------------------------------------------------------


def _trace(number: int, folder: Path) -> None:
    make_room(folder / "trace", force=True)
    with aprt_folder(str(folder / "trace"), TraceOrigin((number, number), dtype="float32")) as keep:
        for stage, layer in (("embedding", None), ("ffn_out", 0)):
            keep(stage, layer, torch.full((2, 300), float(number)))


def _read_trace(folder: Path) -> Hashable:
    """Return the one number that a trace is made of; None where none was finished."""
    if not (folder / "trace" / ORIGIN).exists():
        return None
    trace = open_folder(folder / "trace")
    numbers = {_only(trace.values(*stage)) for stage in trace.stages()}
    if len(trace.stages()) != 2 or numbers != {*trace.tokens}:
        raise ValueError(f"a trace of {trace.tokens} with the stages {trace.stages()} of {numbers}")
    return trace.tokens[0]


def _unfinished(_old: Hashable, _new: Hashable, seen: Hashable) -> bool:
    """Tell whether there is none: a trace without its last file says that it was not finished."""
    return seen is None


def _recording(folder: Path) -> None:
    Recording(folder / "stages").put(("ffn_out", 0), 0, torch.full((2, 300), 7.0))


def _read_recording(folder: Path) -> Hashable:
    if not (folder / "stages").is_dir():
        return False
    found = Recording(folder / "stages")
    if ("ffn_out", 0) not in found:
        return False
    return _only(found.values("ffn_out", 0)) == 7


# Training ---------------------------------------------------------------------------------------------------


def _trained(steps: int, keep: int, folder: Path) -> None:
    """Write the checkpoint after `steps` steps, unless it is there, as a run that goes on would."""
    checkpoints.leftovers(folder)
    if checkpoints.checkpoints_of(folder)[-1:] == [folder / checkpoints.FOLDER / f"step-{steps:08d}"]:
        return
    module = torch.nn.Linear(20, 20)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.fill_(steps)
    moments = ("exp_avg", "exp_avg_sq")
    # A real optimiser would import the compiler of torch, which takes seconds, and is read no further.
    optimiser = types.SimpleNamespace(
        state={one: {each: torch.full_like(one, steps) for each in moments} for one in module.parameters()}
    )
    save: Callable[..., Path] = checkpoints.save
    save(folder, module, optimiser, {"step": steps}, metadata={}, texts={}, keep=keep)


def _read_checkpoints(folder: Path) -> Hashable:
    """Return the step that a run would go on from; every checkpoint must be whole, and `latest` be one."""
    found = checkpoints.checkpoints_of(folder)
    for path in found:
        saved = checkpoints.load(path)
        tensors = [*saved.weights.values(), *saved.moments.values()]
        if {_only(one) for one in tensors} != {saved.step}:
            raise ValueError(f"{path.name} is mixed")
    latest = folder / checkpoints.FOLDER / checkpoints.LATEST
    if latest.is_symlink() and not latest.is_dir():
        raise ValueError("latest points to nothing")
    return checkpoints.load(found[-1]).step if found else None


def _metrics(folder: Path) -> None:
    Metrics.cut(folder, 1)
    metrics = Metrics(folder)
    metrics.write("step", 2, {"loss": 1.5})
    metrics.close()


def _first_metrics(folder: Path) -> None:
    metrics = Metrics(folder)
    metrics.write("step", 1, {"loss": 2.5})
    metrics.close()


def _read_metrics(folder: Path) -> Hashable:
    return tuple(line["step"] for line in read_metrics(folder))


_part = functools.partial
_Act = Callable[[Path], object]


def _operation(
    name: str, prepare: _Act, act: _Act, read: Callable[[Path], Hashable], **more: Any
) -> Operation:
    return Operation(name, prepare, act, read, ours=_OURS, **more)


def _nothing(_: Path) -> None:
    """Leave the folder empty."""


RUNTIME = (
    *(
        _operation(f"{form} file, {word}", prepare, _part(_write, form, 2), _part(_read, form))
        for form in ("safetensors", "gguf", "apr")
        for word, prepare in (("the first", _nothing), ("replaced", _part(_write, form, 1)))
    ),
    _operation("folder of weights, the first", _sources, _part(_export, 2), _part(_read_weights, "out")),
    _operation(
        "folder of weights, replaced",
        _sources_and_one_exported,
        _part(_export, 2),
        _part(_read_weights, "out"),
    ),
    _operation(
        "model with random weights", lambda folder: (folder / "model").mkdir(), _save_model, _read_saved
    ),
    _operation("trace, the first", _nothing, _part(_trace, 1), _read_trace),
    _operation("trace, replaced", _part(_trace, 1), _part(_trace, 2), _read_trace, between=_unfinished),
    _operation("stage of a bisection", _nothing, _recording, _read_recording, promise="whole"),
    _operation("checkpoint, the first", _nothing, _part(_trained, 1, 2), _read_checkpoints),
    _operation("checkpoint, the next", _part(_trained, 1, 1), _part(_trained, 2, 1), _read_checkpoints),
    _operation("metrics, gone on with", _first_metrics, _metrics, _read_metrics, promise="whole"),
)

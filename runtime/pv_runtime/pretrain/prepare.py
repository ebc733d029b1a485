"""From a request to a run that can be trained: everything is checked before anything is made.

The order is: what the options mean, the device by its driver, the init by its headers, the tokenizer, the
settings, the data, what is there of an earlier run, memory and disk, the weights. Only then come a folder,
the GPU, and an optimiser.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pv_runtime.architecture import Architecture
from pv_runtime.errors import LoadError, printable
from pv_runtime.formats.writing import writing
from pv_runtime.memory import available_memory
from pv_runtime.pretrain import checkpoints
from pv_runtime.pretrain.batches import Batches, windows_of
from pv_runtime.pretrain.data import Data, made_up, read_data
from pv_runtime.pretrain.device import Device
from pv_runtime.pretrain.device import resolve as resolve_device
from pv_runtime.pretrain.errors import TrainingError, UsageError
from pv_runtime.pretrain.from_scratch import chosen_architecture
from pv_runtime.pretrain.init import Init, open_init, read_weights
from pv_runtime.pretrain.loop import Run
from pv_runtime.pretrain.model_files import ModelFiles, model_files
from pv_runtime.pretrain.optimiser import adamw
from pv_runtime.pretrain.random_weights import draw
from pv_runtime.pretrain.request import Request, require_one_meaning
from pv_runtime.pretrain.settings import Settings, differences, option, resolve
from pv_runtime.pretrain.tokenizer_fit import require_fit, require_size
from pv_runtime.pretrain.trainable import assemble
from pv_runtime.provenance import file_sha256
from pv_runtime.tokenizer import Tokenizer, tokenizer_in

__all__ = ["RECORD", "Prepared", "prepare"]

RECORD = "run.json"


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A run, and what is known of it.

    Parameters
    ----------
    run
        Ready to be trained.
    folder
        Where it is kept.
    record
        What ``run.json`` says.
    files
        What lies beside the weights of each checkpoint.
    resumed_at
        The step at which it was taken up; None for a run that begins.
    notes
        What the user should know.
    """

    run: Run
    folder: Path
    record: dict[str, Any]
    files: ModelFiles
    resumed_at: int | None
    notes: tuple[str, ...]


def prepare(request: Request) -> Prepared:
    """Check everything, and make what training needs.

    Raises
    ------
    TrainingError
        Something is wrong. No folder was made, and no GPU touched.
    """
    folder = Path(request.run_dir)
    before = _record_of(folder, resume=request.resume)
    asked = _completed(request, before) if before is not None else request
    require_one_meaning(asked)
    _require_paths(asked)
    device = resolve_device("auto" if asked.device is None else asked.device)
    init = open_init(asked.init) if asked.init is not None else None
    tokenizer = _tokenizer(asked.tokenizer)
    architecture, config = (
        (init.architecture, init.config)
        if init is not None
        else chosen_architecture(asked.architecture, asked.vocab_size)
    )
    if tokenizer is not None and init is not None:
        require_fit(tokenizer, init)
    elif tokenizer is not None:
        require_size(tokenizer, architecture.vocab_size, stated=asked.vocab_size is not None)
    settings = resolve(
        asked.settings,
        mode=asked.mode or ("finetune" if init is not None else "from-scratch"),
        device=device.name,
        threads=torch.get_num_threads() if asked.threads is None else asked.threads,
        max_positions=architecture.max_positions,
    )
    data = _data(asked, tokenizer, architecture, settings)
    record = _record(asked, settings, init, architecture, data)
    notes = [*_device_note(request, device), *_same_run(before, record)]
    batches = Batches(data.training, settings.seq_length, settings.seed)
    windows = windows_of(data.held_out, settings.seq_length, settings.val_windows)
    found = checkpoints.checkpoints_of(folder) if before is not None else []
    _require_room(asked, architecture, settings, folder)
    saved = checkpoints.load(found[-1]) if found else None
    weights = _first_weights(saved, init, architecture, settings)
    files = model_files(init, config, asked.tokenizer, data.kind, settings)

    # Nothing was made until here.
    if before is None:
        _begin(folder, record)
    else:
        checkpoints.leftovers(folder)
    run = _made(saved, weights, architecture, settings, batches, windows)
    return Prepared(run, folder, record, files, None if before is None else run.step, tuple(notes))


def _record_of(folder: Path, *, resume: bool) -> dict[str, Any] | None:
    """Return the record of the run that is to go on; None for one that begins.

    Raises
    ------
    UsageError
        There is a run and none was to be resumed, or the other way round, or something else is there.
    """
    shown = printable(str(folder))
    record = folder / RECORD
    if resume:
        if not record.is_file():
            raise UsageError(
                "resume-nothing", f"--run-dir {shown}: there is no run to resume", "leave --resume out"
            )
        try:
            found: dict[str, Any] = json.loads(record.read_bytes())
        except (ValueError, RecursionError) as error:
            raise TrainingError(
                "checkpoint-damaged", f"{record}: is no JSON: {error}", "begin again"
            ) from error
        return found
    if record.exists():
        raise UsageError(
            "resume-nothing",
            f"--run-dir {shown}: holds a run already",
            "go on with --resume, or name a new folder",
        )
    if folder.is_dir() and any(folder.iterdir()):
        raise UsageError("resume-nothing", f"--run-dir {shown}: is not empty", "name a new folder")
    if folder.exists() and not folder.is_dir():
        raise UsageError("resume-nothing", f"--run-dir {shown}: is a file", "name a new folder")
    if not folder.absolute().parent.is_dir():
        raise UsageError(
            "resume-nothing", f"--run-dir {shown}: there is no folder to make it in", "make that first"
        )
    return None


def _completed(request: Request, record: Mapping[str, Any]) -> Request:
    """Take from the run's record what was not said again; what was said is compared with it later."""
    given = {name for name, value in request.sources.items() if value is not None and value is not False}
    sources = {name: value for name, value in record["asked"].items() if name not in given}
    settings = {
        name: value for name, value in record["settings"].items() if name not in {"mode", "device", "threads"}
    }
    return dataclasses.replace(
        request,
        **sources,
        device=record["settings"]["device"] if request.device is None else request.device,
        threads=record["settings"]["threads"] if request.threads is None else request.threads,
        settings={**settings, **request.settings},
    )


def _require_paths(request: Request) -> None:
    for name in ("dataset", "tokenizer", "val_shard"):
        path = getattr(request, name)
        if path is not None and not (path and Path(path).exists()):  # an empty one would mean this folder
            option = name.replace("_", "-")
            raise UsageError(
                "option-absurd",
                f"--{option} {printable(path)}: there is no such file",
                "name one that is there",
            )


def _tokenizer(folder: str | None) -> Tokenizer | None:
    if folder is None:
        return None
    try:
        return tokenizer_in(Path(folder))
    except LoadError as error:
        raise TrainingError(
            "tokenizer-of-another", f"--tokenizer {error}", "name a folder that holds a tokenizer.json"
        ) from error


def _data(request: Request, tokenizer: Tokenizer | None, a: Architecture, settings: Settings) -> Data:
    if request.synthetic or tokenizer is None or request.dataset is None:
        return made_up(a.vocab_size, settings.seq_length, settings.seed)
    val_shard = Path(request.val_shard) if request.val_shard is not None else None
    return read_data(Path(request.dataset), val_shard, tokenizer, a.vocab_size)


def _record(
    request: Request, settings: Settings, init: Init | None, architecture: Architecture, data: Data
) -> dict[str, Any]:
    paths = {"dataset", "tokenizer", "val_shard", "init"}
    asked = {
        name: os.path.abspath(value) if name in paths and value is not None else value  # noqa: PTH100
        for name, value in request.sources.items()
    }
    tokenizer = None
    if request.tokenizer is not None:
        tokenizer = {"sha256": file_sha256(str(Path(request.tokenizer) / "tokenizer.json"))}
    return {
        "schema_version": 1,
        "asked": asked,
        "settings": dataclasses.asdict(settings),
        "init": init.record if init is not None else None,
        "architecture": {**dataclasses.asdict(architecture), "parameters": architecture.parameters},
        "data": data.record,
        "tokenizer": tokenizer,
        "software": {name: importlib.metadata.version(name) for name in ("torch", "numpy", "tokenizers")},
    }


def _device_note(request: Request, device: Device) -> list[str]:
    said = request.device is not None and request.device != "auto"
    return [] if said else [f"computing on {device.name}: {device.reason}"]


def _same_run(before: Mapping[str, Any] | None, now: Mapping[str, Any]) -> list[str]:
    """Hold the record of a run that goes on against what was asked now.

    Raises
    ------
    UsageError
        Lists what differs. Libraries may, and are noted.
    """
    if before is None:
        return []
    parts = ("settings", "init", "architecture", "data", "tokenizer")
    differ = [each for part in parts for each in differences({part: before[part]}, {part: now[part]})]
    if differ:
        listed = "\n    ".join(differ)
        raise UsageError(
            "resume-differs",
            f"the run that is to go on was another one:\n    {listed}",
            "leave these options out, which takes them from the run, or begin a run of its own",
        )
    return [f"{each}: bits may differ" for each in differences(before["software"], now["software"])]


def _require_room(request: Request, architecture: Architecture, settings: Settings, folder: Path) -> None:
    """Refuse what does not fit: weights, gradients and moments in memory, a checkpoint on the disk."""
    said = {name: getattr(request, name) for name in ("init", "architecture", "vocab_size")}
    words = [printable(f"{option(name)} {value}") for name, value in said.items() if value is not None]
    which = " with ".join(words) or "the model"
    size = 4 * architecture.parameters
    in_memory = size if settings.device != "cpu" else 4 * size
    for what, needed, free in (
        ("memory for weights, gradients and moments", in_memory, available_memory()),
        ("disk for one checkpoint", 3 * size, shutil.disk_usage(_existing(folder)).free),
    ):
        if needed > free:
            raise TrainingError(
                "memory",
                f"{which} needs {needed / 2**30:.2f} GiB of {what}, and {free / 2**30:.2f} GiB are free",
                "make room, or train a smaller model",
            )


def _existing(folder: Path) -> Path:
    return folder if folder.is_dir() else folder.absolute().parent


def _first_weights(
    saved: checkpoints.Saved | None, init: Init | None, architecture: Architecture, settings: Settings
) -> Mapping[str, Tensor]:
    if saved is not None:
        return saved.weights
    return read_weights(init) if init is not None else draw(architecture, settings.seed)


def _begin(folder: Path, record: Mapping[str, Any]) -> None:
    folder.mkdir(exist_ok=True)
    with writing(folder / RECORD) as file:
        file.write((json.dumps(record, indent=2) + "\n").encode())


def _made(
    saved: checkpoints.Saved | None,
    weights: Mapping[str, Tensor],
    architecture: Architecture,
    settings: Settings,
    batches: Batches,
    windows: Tensor,
) -> Run:
    """Make the module and its optimiser on the device, and take up what a checkpoint holds."""
    torch.set_num_threads(settings.threads)
    if settings.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # asked for by cuBLAS for equal bits
        torch.use_deterministic_algorithms(True)
    torch.manual_seed(settings.seed)
    try:
        module = assemble(architecture, weights).to(settings.device)
    except RuntimeError as error:
        if saved is None:
            raise
        raise TrainingError(
            "checkpoint-damaged", f"the weights of step {saved.step} do not fit: {error}", "remove its folder"
        ) from error
    optimiser = adamw(module, weight_decay=settings.weight_decay)
    step, validation = 0, []
    if saved is not None:
        checkpoints.restore(saved, module, optimiser)
        step, validation = saved.step, [(int(at), float(loss)) for at, loss in saved.state["validation"]]
    return Run(settings, module, optimiser, batches, windows, step, validation)

"""Runs that must not go on, or must not begin where they are asked to; and devices that are not there."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pv_runtime.checks.refusals import Case, Sound
from pv_runtime.checks.trainer import Trainer, random_init, words
from pv_runtime.pretrain import checkpoints

__all__ = ["absent_device", "damaged_checkpoint", "device_grammar", "nothing_to_resume", "resumed_otherwise"]

_GUARD = "FALSIFY-APR-PRETRAIN-RESUME-"
_NOTHING = dict.fromkeys(
    (
        "init", "dataset", "tokenizer", "device", "threads", "num_steps", "batch_size", "seq_length", "lr",
        "save_every", "keep",
    )
)  # fmt: skip
"""Options that are not said again."""


def _runs(sound: Sound) -> Iterator[Path]:
    """Yield copies of a run of two steps."""
    ended = Trainer().run(words(sound.path("first"), **sound.options))
    for number in itertools.count():
        target = sound.path(f"run-{number}")
        shutil.copytree(ended.folder, target, symlinks=True)
        yield target


def resumed_otherwise(sound: Sound) -> Iterator[Case]:
    """Go on with other settings, with another init, and with data that were changed meanwhile."""
    runs = _runs(sound)
    resumed: dict[str, Any] = {**_NOTHING, "resume": True}
    yield Case("as it was", {**resumed, "run_dir": next(runs)})
    guard = f"{_GUARD}001"
    for option, value, before in (
        ("num_steps", 9, 2),
        ("lr", 0.5, 0.001),
        ("seed", 7, 42),
        ("batch_size", 3, 2),
        ("seq_length", 8, 16),
        ("threads", 2, 1),
    ):
        said = (guard, f"settings.{option}: {before} in the run, {value} now")
        yield Case(f"another {option}", {**resumed, "run_dir": next(runs), option: value}, said)
    other = random_init(sound.path("other-init"), seed=6)
    yield Case("another init", {**resumed, "run_dir": next(runs), "init": other}, (guard, "init.sha256"))
    shard = sound.dataset / "shard-0.bin"
    content = shard.read_bytes()
    ids = np.frombuffer(content, "<u4").copy()
    ids[3] ^= 1
    shard.write_bytes(ids.tobytes())
    yield Case("a token changed", {**resumed, "run_dir": next(runs)}, (guard, "data.training"))
    shard.write_bytes(content)


def nothing_to_resume(sound: Sound) -> Iterator[Case]:
    """Resume where no run is, and begin where one is, or where anything else is."""
    runs = _runs(sound)
    guard = f"{_GUARD}002"
    resumed: dict[str, Any] = {**_NOTHING, "resume": True}
    absent = sound.path("absent")
    yield Case("no folder", {**resumed, "run_dir": absent}, (guard, str(absent)))
    empty = sound.path("empty")
    empty.mkdir()
    yield Case("a new run in an empty folder", {"run_dir": sound.path("new")})
    yield Case("an empty folder", {**resumed, "run_dir": empty}, (guard, str(empty)))
    there = next(runs)
    yield Case("a run that is there", {"run_dir": there}, (guard, "--resume"))
    (empty / "notes.txt").write_text("mine\n")
    yield Case("a folder of something else", {"run_dir": empty}, (guard, str(empty)))
    yield Case("a file", {"run_dir": empty / "notes.txt"}, (guard, "is a file"))
    yield Case("in no folder", {"run_dir": absent / "run"}, (guard, str(absent)))


def damaged_checkpoint(sound: Sound) -> Iterator[Case]:
    """Cut or take away each file of the last checkpoint, and exchange moments for another model's."""
    guard = f"{_GUARD}004"
    runs = _runs(sound)
    resumed: dict[str, Any] = {**_NOTHING, "resume": True}
    training = checkpoints.TRAINING
    for name in ("model.safetensors", *(f"{training}/{n}" for n in ("optimiser.safetensors", "state.json"))):
        for cut in (True, False):
            folder = next(runs)
            file = checkpoints.checkpoints_of(folder)[-1] / name
            if cut:
                file.write_bytes(file.read_bytes()[:-4])
            else:
                file.unlink()
            what = f"{name} {'cut' if cut else 'gone'}"
            yield Case(what, {**resumed, "run_dir": folder}, (guard, "step-00000002"))
    folder = next(runs)
    last = checkpoints.checkpoints_of(folder)[-1] / training
    none = Trainer().run(words(sound.path("none"), **sound.options, num_steps=0)).latest / training
    shutil.copy(none / "optimiser.safetensors", last)
    yield Case("moments gone", {**resumed, "run_dir": folder}, (guard, "0 moments of"))
    folder = next(runs)
    (folder / "run.json").write_text('{"asked": ')
    yield Case("run.json cut", {**resumed, "run_dir": folder}, (guard, "run.json"))


def device_grammar(_: Sound) -> Iterator[Case]:
    """Spell devices in ways that are none."""
    for device in ("cpu", "auto"):
        yield Case(device, {"device": device})
    for spelt in (
        "gpu",
        "CPU",
        "cuda:",
        "cuda:16",
        "cuda:-1",
        "cuda:00",
        "cuda:0,1",
        "cpu:0",
        "mps",
        " cpu",
        "",
    ):
        yield Case(f"device {spelt!r}", {"device": spelt}, ("FALSIFY-GPUTRAIN-001", repr(spelt)))


def absent_device(_: Sound) -> Iterator[Case]:
    """Ask for GPUs that are not there; on a host with sixteen there is no such case."""
    for device in ("cuda:15", "cuda:14"):
        yield Case(device, {"device": device}, ("FALSIFY-GPUTRAIN-002", device))

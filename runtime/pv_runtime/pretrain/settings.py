"""What a run was asked to do, with every default filled in.

Its record says it, and a run that goes on must equal it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from pv_runtime.pretrain.errors import UsageError

__all__ = ["MODES", "Settings", "differences", "option", "resolve"]


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """All that decides what a run computes, beside its data and its first weights.

    Parameters
    ----------
    mode
        ``"finetune"`` or ``"from-scratch"``.
    num_steps, batch_size, accumulate, seq_length
        Steps; sequences of one pass; passes of one step; tokens of a sequence.
    lr, warmup_steps, weight_decay, clip
        Peak of the learning rate, steps until it, decay of matrices, and most norm of the gradients.
    seed
        Of the data's order, and of random weights.
    device, threads
        ``"cpu"`` or ``"cuda:N"``; threads of the processor.
    dtype, compile, deterministic
        ``"float32"``, or ``"bfloat16"`` by autocast; whether torch.compile is used; whether torch may only
        use operations that give the same bits each time.
    eval_every, val_windows
        Steps from one validation to the next; windows of it, at most.
    save_every, keep
        Steps from one checkpoint to the next; how many are kept.
    target_val_loss, patience
        End when the held-out loss is so low; or has not improved for so many validations, 0 for never.
    """

    mode: str
    num_steps: int
    batch_size: int
    accumulate: int
    seq_length: int
    lr: float
    warmup_steps: int
    weight_decay: float
    clip: float
    seed: int
    device: str
    threads: int
    dtype: str
    compile: bool
    deterministic: bool
    eval_every: int
    val_windows: int
    save_every: int
    keep: int
    target_val_loss: float | None
    patience: int

    @property
    def sequences_a_step(self) -> int:
        """Sequences that one step learns from."""
        return self.batch_size * self.accumulate


MODES: dict[str, dict[str, float]] = {
    "finetune": {"lr": 5e-5, "warmup_steps": 100},
    "from-scratch": {"lr": 3e-4, "warmup_steps": 1000},
}
"""What each mode begins with: the whole row, never a part of another one (aprender's rows)."""

_DEFAULTS: dict[str, Any] = {
    "num_steps": 1000,
    "batch_size": 16,
    "accumulate": 1,
    "weight_decay": 0.01,
    "clip": 1.0,
    "seed": 42,
    "dtype": "float32",
    "compile": False,
    "deterministic": False,
    "eval_every": 100,
    "val_windows": 256,
    "save_every": 100,
    "keep": 2,
    "target_val_loss": None,
    "patience": 0,
}
_SEQUENCE = 1024
_LEAST = {
    "num_steps": 0, "batch_size": 1, "accumulate": 1, "seq_length": 2, "warmup_steps": 0, "seed": 0,
    "threads": 1, "eval_every": 1, "val_windows": 1, "save_every": 1, "keep": 1, "patience": 0,
}  # fmt: skip
_MOST = {"threads": 1024, "seed": 2**63 - 1}


def resolve(
    given: Mapping[str, Any], *, mode: str, device: str, threads: int, max_positions: int
) -> Settings:
    """Fill in what was not given.

    The sequence is 1024 tokens, or all that the model was made for where that is fewer. Warm-up is that of
    the mode, or a tenth of all steps where that is fewer.

    Parameters
    ----------
    given
        Fields of `Settings` by name, those that were said.
    mode, device, threads
        Resolved before.
    max_positions
        Of the model.

    Raises
    ------
    UsageError
        A value is absurd, or two contradict each other.
    """
    values = {**_DEFAULTS, **MODES[mode], "seq_length": min(_SEQUENCE, max_positions)}
    values["warmup_steps"] = min(values["warmup_steps"], given.get("num_steps", values["num_steps"]) // 10)
    values |= {**given, "mode": mode, "device": device, "threads": threads}
    settings = Settings(**values)
    _check(settings, max_positions)
    return settings


def _check(settings: Settings, max_positions: int) -> None:
    for name, least in _LEAST.items():
        value = getattr(settings, name)
        if not least <= value <= _MOST.get(name, 2**31 - 1):
            raise UsageError("option-absurd", f"{option(name)} cannot be {value}", f"it is at least {least}")
    for name in ("lr", "clip"):
        value = getattr(settings, name)
        if not (math.isfinite(value) and value > 0):
            raise UsageError("option-absurd", f"{option(name)} cannot be {value}", "it is above 0")
    target = settings.target_val_loss
    if target is not None and not (math.isfinite(target) and target > 0):
        raise UsageError("option-absurd", f"--target-val-loss cannot be {target}", "it is above 0")
    if not 0 <= settings.weight_decay < 1:
        raise UsageError(
            "option-absurd", f"--weight-decay cannot be {settings.weight_decay}", "it is from 0 to 1"
        )
    if settings.warmup_steps > settings.num_steps:
        raise UsageError(
            "option-absurd",
            f"--warmup-steps {settings.warmup_steps} are more than the {settings.num_steps} steps",
            "the rate would never reach --lr; name fewer, or more --num-steps",
        )
    if settings.seq_length > max_positions:
        raise UsageError(
            "option-absurd",
            f"--seq-length {settings.seq_length} is more than the {max_positions} positions that "
            "the model is made for",
            "name at most as many",
        )
    if settings.device == "cpu":
        for name, unused in (("dtype", settings.dtype != "float32"), ("compile", settings.compile)):
            if unused:
                raise UsageError(
                    "option-unused",
                    f"{option(name)} is of a GPU, and the device is cpu",
                    "leave it out, or say --device cuda",
                )


def option(name: str) -> str:
    """Spell a field as its option."""
    return "--" + name.replace("_", "-")


def differences(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> list[str]:
    """List what two records have in different ways: ``lr: 0.001 in the run, 0.01 now``."""
    found = []
    for key in dict.fromkeys([*before, *now]):
        one, other = before.get(key), now.get(key)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            found += differences(one, other, f"{prefix}{key}.")
        elif one != other:
            found.append(f"{prefix}{key}: {one} in the run, {other} now")
    return found

"""The plan: at which level a falsifier can be judged on this host, and what the others lack."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Mapping, Sequence

from pv.contract import LEVELS, Falsifier
from pv.freshness import base_level, roles_at
from pv.host import Gpu, gpu_satisfies
from pv.installed import missing_modules
from pv.needs import spell_modules
from pv.subjects import Artefact, Missing, Subjects, Unbuilt

__all__ = [
    "DEFAULT_MEMORY_BYTES",
    "DEFAULT_TIMEOUT_SECONDS",
    "Declined",
    "Ready",
    "choose_gpus",
    "levels_of",
    "prepare",
]

DEFAULT_MEMORY_BYTES = 4 << 30
DEFAULT_TIMEOUT_SECONDS = 600.0

Builder = Callable[[Unbuilt], None]


@dataclasses.dataclass(frozen=True)
class Declined:
    """A level that cannot be judged here: what is missing, and what to type where it is not."""

    level: str
    why: str
    command: str


@dataclasses.dataclass(frozen=True)
class Ready:
    """A level that can be judged here: its artefacts by role, and the device."""

    level: str
    artefacts: Mapping[str, Artefact]
    device: str
    gpu: Gpu | None
    candidates: tuple[Gpu, ...] = ()
    """The GPUs that would do, of one kind, `gpu` first: which of them it is decides who is free."""

    @property
    def device_tag(self) -> str:
        """The device part of a record's name: ``cpu`` or ``cuda-smNN``."""
        return self.gpu.tag if self.gpu else "cpu"


def levels_of(falsifier: Falsifier) -> tuple[str, ...]:
    """Return the levels at which the claim can be judged at all, lowest first.

    A claim about no artefact has only the live level. The algorithm level is the survey and the
    counter-examples, so every claim has it. A gate is judged at that of what it cites.
    """
    if falsifier.basis:
        return LEVELS
    judged = [level for level in LEVELS if level in falsifier.subjects and level != "algorithm"]
    return ("algorithm", *(judged if falsifier.subjects else ["live"]))


def prepare(
    falsifier: Falsifier,
    level: str,
    subjects: Subjects,
    gpus: Sequence[Gpu],
    device: str,
    build: Builder,
    *,
    satisfying: bool = False,
) -> Ready | Declined:
    """Find, and where needed build, what `level` is judged on; decline where this host lacks it.

    Raises
    ------
    ConfigError, SubjectError
        A subject is unknown, or is not the one that is pinned.
    PvError
        The interpreter of checks does not say which modules it has.
    """
    address = falsifier.id
    at = base_level(falsifier) if level == "algorithm" else level
    needs = falsifier.needs_at(at)
    chosen = choose_gpus(needs.gpu, gpus, device)
    if isinstance(chosen, str):
        where = f" --device {device}" if device.startswith("cuda") else ""
        return Declined(level, chosen, f"on such a host: pv discharge {address} --level {level}{where}")
    if lacking := missing_modules(needs.modules, subjects.sources):
        them = "it" if len(lacking) == 1 else "them"
        return Declined(
            level,
            f"it needs {spell_modules(lacking)}, not installed beside pv",
            f"once {sys.executable} can import {them}: pv discharge {address} --level {level}",
        )
    artefacts: dict[str, Artefact] = {}
    missing: list[Missing] = []
    roles = roles_at(falsifier, at, satisfying=satisfying)
    subjects.read_together(roles.values())
    for role, name in sorted(roles.items()):
        found = subjects.resolve(name)
        while isinstance(found, Unbuilt):
            build(found)
            found = subjects.resolve(name)
        if isinstance(found, Missing):
            missing.append(found)
        else:
            artefacts[role] = found
    if missing:
        fetch = " && ".join(dict.fromkeys(m.remedy for m in missing))
        return Declined(
            level,
            "; ".join(dict.fromkeys(m.why for m in missing)),
            f"where it is: {fetch} && pv discharge {address} --level {level}"
            f"  (or point at it: {' '.join(f'--subject {m.name}=PATH' for m in missing)})",
        )
    if not chosen:
        return Ready(level, artefacts, "cpu", None)
    return Ready(level, artefacts, f"cuda:{gpus.index(chosen[0])}", chosen[0], chosen)


def choose_gpus(need: str | None, gpus: Sequence[Gpu], device: str) -> tuple[Gpu, ...] | str:
    """Return the GPUs that would do, of one kind; none for the processor; or why there is none.

    What is asked for is never replaced: neither a GPU by the processor, nor one GPU by another.
    """
    if need is None and not device.startswith("cuda"):
        return ()
    if device == "cpu":
        return f"it needs a GPU of compute capability {need}, and --device cpu was asked for"
    _, _, asked = device.partition(":")
    able = [
        gpu
        for number, gpu in enumerate(gpus)
        if (not asked or int(asked) == number) and (need is None or gpu_satisfies(need, gpu.capability))
    ]
    if able:
        first = able[0]
        return tuple(g for g in able if (g.name, g.capability) == (first.name, first.capability))
    have = ", ".join(f"{gpu.name} ({gpu.capability})" for gpu in gpus) or "none"
    if need is None:
        return f"--device {device} was asked for; this host has {have}"
    which = f" at {device}" if asked else ""
    return f"it needs a GPU of compute capability {need}{which}; this host has {have}"

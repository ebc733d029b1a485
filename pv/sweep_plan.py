"""The plan of a sweep: what is to run and on what device, and what has its end already without a run."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pv.config import Config
from pv.contract import Contract, Falsifier
from pv.discharge_check import Work
from pv.errors import PvError
from pv.freshness import base_level
from pv.host import Gpu, gpus
from pv.jobs import Broken, Build, Job, Measured
from pv.measuring import Stop
from pv.outcome import Discharge, Options
from pv.planning import Declined, Ready, choose_gpus, levels_of
from pv.recorded import Enough
from pv.runner import Progress, Runner
from pv.selection import Selected, place
from pv.subjects import Subjects
from pv.unreviewed import declined as declined_unreviewed

__all__ = ["Hosts", "Planned", "State", "foresee", "make_plan"]

State = Literal["run", "fresh", "declined", "unbound", "excluded"]


@dataclasses.dataclass(frozen=True)
class Planned:
    """What becomes of one falsifier.

    `end` is there where nothing is to run. `level` and `device` are those that would be judged, `declined`
    the levels above that cannot be judged here. `path` is the contract's file, relative to the project where
    it lies in it.
    """

    address: str
    path: str
    state: State
    why: str = ""
    level: str | None = None
    device: str = "cpu"
    gate: bool = False
    end: Discharge | None = None
    declined: tuple[Declined, ...] = ()
    retries: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the line of the journal, less its event."""
        return {
            "falsifier": self.address,
            "path": self.path,
            "state": self.state,
            "why": self.why,
            "level": self.level,
            "device": self.device,
            "gate": self.gate,
            "retries": self.retries,
            "declined": [dict(vars(declined)) for declined in self.declined],
        }


_NOTHING: Mapping[str, str] = {}


class _WouldRunError(Exception):
    """Something is to be built first, which a plan does not do."""


@dataclasses.dataclass(frozen=True)
class Hosts:
    """Where falsifiers are going to run: the GPUs there, and whether that is not this host."""

    gpus: Sequence[Gpu]
    elsewhere: bool = False


class _NoRunner(Runner):
    def run(
        self,
        job: Job | Build,  # noqa: ARG002
        progress: Progress | None = None,  # noqa: ARG002
        enough: Enough | None = None,  # noqa: ARG002
    ) -> Measured | Broken:
        raise _WouldRunError


def make_plan(
    chosen: Sequence[Selected],
    config: Config,
    subjects: Subjects,
    options: Options,
    shuffle: int | None,
    hosts: Hosts | None = None,
    withheld: Mapping[str, str] | None = None,
) -> list[Planned]:
    """Foresee each of `chosen`, gates last; with `shuffle` as seed, in an order that nobody chose.

    `hosts` is where they are going to run, by default here; `withheld` has why some are not to be run, by
    address.
    """
    order = list(chosen)
    if shuffle is not None:
        random.Random(shuffle).shuffle(order)  # noqa: S311 -- an order, not a secret
    order.sort(key=lambda item: bool(item.falsifier.basis))
    hosts = hosts or Hosts(gpus())
    return [
        dataclasses.replace(
            foresee(item.contract, item.falsifier, config, subjects, options, hosts, withheld or {}),
            retries=item.falsifier.retries,
        )
        for item in order
    ]


def foresee(
    contract: Contract,
    falsifier: Falsifier,
    config: Config,
    subjects: Subjects,
    options: Options,
    hosts: Hosts,
    withheld: Mapping[str, str] = _NOTHING,
) -> Planned:
    """Say what becomes of one falsifier; reads its subjects and evidence, and runs nothing."""
    address = f"{contract.stem}#{falsifier.id}"
    path = _path(contract, config)
    if address in withheld and not falsifier.excluded:
        end = declined_unreviewed(address, falsifier, withheld[address])
        return Planned(address, path, "declined", withheld[address], end=end, declined=end.declined)
    if falsifier.excluded:
        return Planned(address, path, "excluded", falsifier.excluded)
    if not falsifier.bound:
        why = "no check is bound to it"
        end = Discharge(
            address,
            falsifier.rule,
            "Unbound",
            message=f"{why} (add `check:`, `pytest:`, `command:` or `basis:`"
            f" at {place(falsifier.where, config)})",
        )
        return Planned(address, path, "unbound", why, end=end)
    if falsifier.basis:
        cited = ", ".join(dict.fromkeys(one.falsifier for one in falsifier.basis.values()))
        return Planned(address, path, "run", f"judged by the evidence of {cited}", gate=True)
    declined: list[Declined] = []
    try:
        found = _work(contract, falsifier, config, subjects, options, declined, hosts.gpus).foresee()
    except _WouldRunError:
        device = _device(falsifier, options, hosts)
        why = "a subject is built first"
        return Planned(address, path, "run", why, device=device, declined=tuple(declined))
    except Stop as stop:
        if stop.outcome != "Declined":
            return Planned(address, path, "run", stop.message, declined=tuple(declined))
        if lacking := _elsewhere(falsifier, options, hosts, declined):
            device = _device(falsifier, options, hosts)
            return Planned(address, path, "run", lacking, device=device)
        end = Discharge(address, falsifier.rule, "Declined", message=stop.message, declined=tuple(declined))
        return Planned(address, path, "declined", stop.message, end=end, declined=tuple(declined))
    except PvError as error:
        return Planned(address, path, "run", error.what, declined=tuple(declined))
    if lacking := _elsewhere(falsifier, options, hosts, declined):
        device = _device(falsifier, options, hosts)
        return Planned(address, path, "run", lacking, device=device)
    if isinstance(found, Ready):
        device = "cpu" if found.gpu is None else options.device if ":" in options.device else "cuda"
        return Planned(address, path, "run", level=found.level, device=device, declined=tuple(declined))
    return Planned(address, path, "fresh", found.outcome, found.level, end=found, declined=tuple(declined))


def _work(
    contract: Contract,
    falsifier: Falsifier,
    config: Config,
    subjects: Subjects,
    options: Options,
    declined: list[Declined],
    visible: Sequence[Gpu],
) -> Work:
    runner = _NoRunner(config.root / ".pv")
    given = (contract, falsifier, config, subjects, runner, options, lambda *_: None, declined, visible)
    if falsifier.runs is not None:
        from pv.discharge_runs import SeveralRuns

        return SeveralRuns(*given)
    return Work(*given)


def _elsewhere(falsifier: Falsifier, options: Options, hosts: Hosts, declined: Sequence[Declined]) -> str:
    """Say what is not on this host and may be where it is judged; empty where no other host can help."""
    for one in declined if hosts.elsewhere else ():
        need = falsifier.needs_at(base_level(falsifier) if one.level == "algorithm" else one.level).gpu
        if not isinstance(choose_gpus(need, hosts.gpus, options.device), str):
            return f"it may be judged on another host; here {one.why}"
    return ""


def _device(falsifier: Falsifier, options: Options, hosts: Hosts) -> str:
    """Return the device to ask for, where it is not known at which level it will be judged."""
    asked = levels_of(falsifier) if options.level == "auto" else (options.level,)
    wanted = any(falsifier.needs_at(level).gpu for level in asked) or options.device.startswith("cuda")
    if not wanted or not hosts.gpus or options.device == "cpu":
        return "cpu"
    return options.device if ":" in options.device else "cuda"


def _path(contract: Contract, config: Config) -> str:
    path = Path(contract.document.path).resolve()
    return path.relative_to(config.root).as_posix() if path.is_relative_to(config.root) else str(path)

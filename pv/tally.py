"""Statuses counted: by contract, and by model what still keeps it from being shipped."""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pv.binding import bind_falsifier
from pv.config import Config
from pv.contract import Contract, Falsifier
from pv.errors import PvError
from pv.freshness import base_level, roles_at
from pv.needs import spell_modules
from pv.planning import levels_of
from pv.selection import place
from pv.status import Status, rank

__all__ = [
    "NO_MODEL",
    "Blocker",
    "Readiness",
    "Row",
    "by_contract",
    "next_step",
    "readiness",
    "step_to",
    "tally",
    "wanting",
]

NO_MODEL = "no model named"
SHIPPABLE = frozenset({"DISCHARGED", "REFUTED"})
"""What a ship-blocking falsifier must be: judged on what it is about."""


@dataclasses.dataclass(frozen=True)
class Row:
    """One falsifier and its status, as derived."""

    contract: Contract
    falsifier: Falsifier
    status: Status

    @property
    def address(self) -> str:
        """``contract#ID``."""
        return f"{self.contract.stem}#{self.falsifier.id}"

    @property
    def model(self) -> str | None:
        """The model that it counts for: its own, or else its contract's."""
        return self.falsifier.model or self.contract.model

    @property
    def settled(self) -> bool:
        """Whether nothing is left to do for it."""
        return self.status.name in SHIPPABLE


@dataclasses.dataclass(frozen=True)
class Blocker:
    """A ship-blocking falsifier that keeps its model from being shipped, and what would move it."""

    row: Row
    step: str


@dataclasses.dataclass(frozen=True)
class Readiness:
    """Of one model: how many ship-blocking falsifiers there are, how many are discharged, which are not."""

    model: str | None
    total: int
    blockers: tuple[Blocker, ...]

    @property
    def discharged(self) -> int:
        """How many are DISCHARGED, or REFUTED as claimed."""
        return self.total - len(self.blockers)

    @property
    def percent(self) -> int | None:
        """The share in whole percent, rounded down: 100 only where all are. None where there is nothing."""
        return self.discharged * 100 // self.total if self.total else None


def by_contract(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Group `rows` by the stem of their contract, in the order in which they come."""
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        grouped.setdefault(row.contract.stem, []).append(row)
    return grouped


def tally(rows: Iterable[Row]) -> dict[str, int]:
    """Count statuses, best first. EXCLUDED is outside of it."""
    counts = Counter(row.status.name for row in rows if row.status.name != "EXCLUDED")
    return dict(sorted(counts.items(), key=lambda item: (-(rank(item[0]) or 0), item[0])))


def readiness(rows: Sequence[Row], config: Config) -> list[Readiness]:
    """Say of each model what keeps it from being shipped, worst first; what names no model comes last."""
    grouped: dict[str | None, list[Row]] = {}
    for row in rows:
        grouped.setdefault(row.model, []).append(row)
    found = []
    for model in sorted(grouped, key=lambda name: (name is None, name or "")):
        gating = [r for r in grouped[model] if r.falsifier.ship_blocking and r.status.name != "EXCLUDED"]
        left = sorted((r for r in gating if not r.settled), key=lambda r: rank(r.status.name) or 0)
        blockers = tuple(Blocker(row, next_step(row, config)) for row in left)
        found.append(Readiness(model, len(gating), blockers))
    return found


def next_step(row: Row, config: Config) -> str:
    """Say what would move a falsifier up: a command, and what has to be done by hand before it."""
    falsifier, status = row.falsifier, row.status.name
    again = _again(row)
    if falsifier.excluded or row.settled:
        return ""
    if not falsifier.bound:
        return f"bind a check at {place(falsifier.where, config)}, then: {again}"
    if status == "FALSIFIED":
        return f"mend what it found, then: {again}"
    if row.status.step:
        return row.status.step
    if status == "VACUOUS":
        return f"make it able to fail, then: {again}"
    if falsifier.basis:
        cited = ", ".join(dict.fromkeys(one.falsifier for one in falsifier.basis.values()))
        return f"discharge what it cites ({cited}), then: {again}"
    if status not in {"PARTIAL_ALGORITHM_LEVEL", "FUNCTIONAL"}:
        return _then(_obstacles(falsifier, config), again)
    levels = levels_of(falsifier)
    if "live" not in levels:
        return f"name a live subject at {place(falsifier.key_where('subjects'), config)}, then: {again}"
    return step_to(row, "live", config)


def wanting(falsifier: Falsifier, config: Config) -> tuple[str, ...]:
    """Return what has to be got before a bound falsifier can be judged at all; empty where nothing has.

    A GPU, a subject that is not pinned, or a module that it names. Whether this host has it is not looked at.
    """
    return _wanting_at(falsifier, base_level(falsifier), config)


def step_to(row: Row, level: str, config: Config) -> str:
    """Say what it takes to judge a bound falsifier at `level`: what has to be got before, and the command."""
    falsifier = row.falsifier
    at = base_level(falsifier) if level == "algorithm" else level
    return _then(_wanting_at(falsifier, at, config), f"{_again(row)} --level {level}")


def _wanting_at(falsifier: Falsifier, level: str, config: Config) -> tuple[str, ...]:
    gpu = falsifier.needs_at(level).gpu
    which = "" if gpu == "any" else f" of compute capability {gpu}"
    on_a_gpu = [f"on a host with a GPU{which}"] if gpu else []
    return (*_obtain(roles_at(falsifier, level), config), *_install(falsifier, level), *on_a_gpu)


def _again(row: Row) -> str:
    # A file's name is its owner's choice, and what is told here is pasted into shells.
    plain = re.fullmatch(r"[A-Za-z0-9_][\w.:#-]*", row.address, re.ASCII)
    return f"pv discharge {row.address if plain else shlex.quote(row.address)}"


def _then(steps: Iterable[str], command: str) -> str:
    told = ", ".join(dict.fromkeys(steps))
    return f"{told}, then: {command}" if told else command


def _obstacles(falsifier: Falsifier, config: Config) -> Iterator[str]:
    """Yield what keeps a run from supporting any status, whatever it measures."""
    try:
        bind_falsifier(falsifier, config)
    except PvError as error:
        yield f"mend its binding ({error.what})"
        return
    yield from _obtain(roles_at(falsifier, base_level(falsifier)), config)
    yield from _install(falsifier, base_level(falsifier))


def _install(falsifier: Falsifier, level: str) -> Iterator[str]:
    """Yield what must be installed; a status is the same on every host, so nobody looks whether it is."""
    if modules := falsifier.needs_at(level).modules:
        yield f"with {spell_modules(modules)} installed"


def _obtain(roles: Mapping[str, str], config: Config) -> Iterator[str]:
    """Yield what must be done before a status can rest on these subjects: only pinned bytes support one."""
    waiting = [name for _, name in sorted(roles.items())]
    while waiting:
        name = waiting.pop(0)
        spec = config.subjects.get(name)
        if spec is None:
            yield f"add [subjects.{name}] to pv.toml"
        elif spec.builder:
            waiting += spec.derived_from
        elif spec.sha256 is None:
            yield (
                f"{spec.how_to_get}, pin its sha256 in pv.toml"
                if spec.how_to_get
                else f"pin {name} in pv.toml"
            )

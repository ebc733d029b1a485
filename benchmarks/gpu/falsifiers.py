"""The falsifiers whose live level needs a GPU: which there are, and their discharge until time is over."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from pv.config import Config, load_config
from pv.contract import Contract, Falsifier
from pv.discharge import discharge
from pv.evidence import read_record
from pv.outcome import Options
from pv.runner import Runner
from pv.selection import load_all
from pv.subjects import Subjects

__all__ = ["Ended", "Named", "discharge_all", "on_a_gpu"]

_PARTS = {
    "pv_kernels.checks.procedure": "speed",
    "pv_kernels.checks.speed": "speed",
    "pv_kernels.checks.beside_compiled": "speed",
    "pv_runtime.checks.decode_step": "decode step",
}
"""Module of a check → the part of the benchmark that its falsifiers belong to; others are "values"."""


@dataclasses.dataclass(frozen=True)
class Named:
    """A falsifier, its contract, and the part that it belongs to."""

    contract: Contract
    falsifier: Falsifier
    part: str

    @property
    def address(self) -> str:
        """What `pv` is to be told, to name it."""
        return f"{self.contract.stem}#{self.falsifier.id}"


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a falsifier ended, and what was measured: metric → its values, and their labels if they have any.

    The outcome ``Cut`` means that time was over before it was begun.
    """

    address: str
    rule: str
    part: str
    outcome: str
    why: str
    measurements: dict[str, Any]
    lines: tuple[str, ...]
    """Of the contract's rule, as judged."""
    arguments: dict[str, Any] = dataclasses.field(default_factory=dict)
    """Of the check."""


def on_a_gpu(config: Config) -> list[Named]:
    """Return the bound falsifiers whose live level needs a GPU, in the order of their parts."""
    found = [
        Named(contract, falsifier, _part(falsifier))
        for contract in load_all(config)
        for falsifier in contract.falsifiers
        if falsifier.bound and not falsifier.excluded and not falsifier.basis
        if falsifier.needs_at("live").gpu is not None
    ]
    return sorted(found, key=lambda one: (one.part, one.address))


def _part(falsifier: Falsifier) -> str:
    return _PARTS.get((falsifier.check or "").partition(":")[0], "values")


def discharge_all(
    named: Iterable[Named],
    left: Callable[[], float],
    tell: Callable[[Ended], None],
    *,
    again: bool,
    root: Path | None = None,
) -> list[Ended]:
    """Discharge what is `named` at its live level, and write evidence, while there are seconds `left`.

    Parameters
    ----------
    again
        Whether what has fresh evidence is measured again.
    root
        The folder of the project; by default that in which this runs.
    """
    config = load_config(root) if root else load_config()
    subjects, ends = Subjects(config, {}), []
    with Runner(config.root / ".pv") as runner:
        for one in named:
            if left() <= 0:
                end = _ended(one, "Cut", "time was over")
            else:
                words = ("discharge", one.address, "--level", "live", *(["--force"] if again else []))
                options = Options(level="live", force=again, argv=words)
                found = discharge(one.contract, one.falsifier, config, subjects, runner, options)
                end = _ended(
                    one, found.outcome, found.message, [config.root / path for path in found.records]
                )
            ends.append(end)
            tell(end)
    return ends


def _ended(one: Named, outcome: str, why: str, records: Iterable[Path] = ()) -> Ended:
    """Return the end, with the measurements of the record of the highest level that was written."""
    predicate: dict[str, Any] = {}
    for path in records:
        predicate = dict(read_record(path).predicate)
    return Ended(
        one.address,
        one.falsifier.rule,
        one.part,
        outcome,
        why.splitlines()[0] if why else "",
        dict(predicate.get("measurements", {})),
        tuple(predicate.get("rule", {}).get("lines", ())),
        dict(one.falsifier.arguments),
    )

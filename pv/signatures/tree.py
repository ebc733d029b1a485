"""Whether a record is of the tree as it stands: its clause, the closure of its check, its artefacts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pv.basis import gather, inputs_of
from pv.config import Config
from pv.contract import Contract, Falsifier
from pv.errors import PvError
from pv.freshness import changes, current_inputs
from pv.inputs import Inputs
from pv.selection import by_address, load_all
from pv.signatures.reasons import Reason
from pv.status import Status, derive

__all__ = ["Tree"]


class Tree:
    """The contracts of a project, read once.

    Raises
    ------
    PvError
        A contract cannot be read.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._every = load_all(config)
        self._known = by_address(self._every)
        self._inputs: dict[tuple[str, str], Inputs] = {}
        self._statuses: dict[str, Status] = {}

    @property
    def addresses(self) -> tuple[str, ...]:
        """Every falsifier, ``contract#ID``, but those that are excluded."""
        return tuple(address for address, falsifier in self._known.items() if not falsifier.excluded)

    def refusals(self, predicate: Mapping[str, Any]) -> Iterator[tuple[Reason, str]]:
        """Yield why a verified record is not of this tree."""
        address = f"{predicate['falsifier']['contract']}#{predicate['falsifier']['id']}"
        falsifier = self._known.get(address)
        if falsifier is None:
            yield Reason.NO_SUCH_FALSIFIER, f"no contract of the tree has {address}"
            return
        if not falsifier.basis and not falsifier.bound:
            yield Reason.OTHER_INPUTS, f"nothing is bound to {address} any more"
            return
        try:
            now = self._now(address, falsifier, predicate["place"]["base_level"])
        except PvError as error:
            yield Reason.OTHER_INPUTS, f"what it would be made from here cannot be told: {error.what}"
            return
        if found := changes(predicate["inputs"], now):
            yield Reason.OTHER_INPUTS, f"it was not made from this tree: {'; '.join(found)}"

    def _now(self, address: str, falsifier: Falsifier, level: str) -> Inputs:
        if (address, level) not in self._inputs:
            if falsifier.basis:
                found = inputs_of(falsifier, gather(falsifier, self._every, self._standing))
            else:
                found = current_inputs(falsifier, level, self._config)
            self._inputs[address, level] = found
        return self._inputs[address, level]

    def _standing(self, contract: Contract, falsifier: Falsifier) -> Status:
        address = f"{contract.stem}#{falsifier.id}"
        if address not in self._statuses:
            self._statuses[address] = derive(contract, falsifier, self._config, standing=self._standing)
        return self._statuses[address]

"""Judge records under a policy: everything that is wrong with each, named apart."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from pv.config import Config
from pv.errors import EvidenceError
from pv.evidence import RepeatedKeyError, records_of
from pv.evidence_files import ENVELOPE_SUFFIX, record_of
from pv.evidence_transfer import carry
from pv.signatures.judging import expiry, judge_record
from pv.signatures.policy import Policy, matches
from pv.signatures.reasons import Reason, Refusal
from pv.signatures.tree import Tree

__all__ = ["Trust"]


class Trust:
    """Judges what lies in the evidence folder of `config` by `policy`, at the time `now`.

    Raises
    ------
    PvError
        A contract cannot be read.
    """

    def __init__(self, policy: Policy, config: Config, now: dt.datetime) -> None:
        self._policy = policy
        self._config = config
        self._now = now
        self._tree = Tree(config)

    def whole(self, name: str) -> list[Refusal]:
        """Return what is wrong with the policy itself, which is called `name`."""
        return [Refusal(name, *found) for found in expiry(self._policy, self._now)]

    def record(self, path: Path) -> list[Refusal]:
        """Return what is wrong with the record at `path`; nothing where it is trusted."""
        shown = self._config.relative(path)
        return [Refusal(shown, reason, why) for reason, why in self._record(path)]

    def alone(self, folders: Iterable[Path]) -> list[Refusal]:
        """Return the envelopes in `folders` that lie beside no record."""
        return [
            Refusal(self._config.relative(path), Reason.ENVELOPE_ALONE, "its record is gone")
            for folder in sorted(set(folders))
            for path in sorted(folder.glob(f"*{ENVELOPE_SUFFIX}"))
            if not record_of(path).is_file()
        ]

    def missing(self) -> list[Refusal]:
        """Return what the policy requires and the evidence folder has not."""
        found: list[Refusal] = []
        for one in self._policy.required:
            for pattern in one.falsifiers:
                addresses = [name for name in self._tree.addresses if matches(name, (pattern,))]
                if not addresses:
                    why = "the policy requires it, and no contract has such a falsifier"
                    found.append(Refusal(pattern, Reason.MISSING, why))
                for address in addresses:
                    found += self._missing_of(address, one.levels)
        return list(dict.fromkeys(found))

    def _missing_of(self, address: str, levels: Sequence[str]) -> Iterator[Refusal]:
        contract, _, identifier = address.rpartition("#")
        names = [path.name for path in records_of(self._config.evidence, contract, identifier)]
        for level in levels or ("",):
            if not any(name.startswith(f"{level}-" if level else "") for name in names):
                at = f" at {level} level" if level else ""
                yield Refusal(address, Reason.MISSING, f"the policy requires evidence{at}, and there is none")

    def _record(self, path: Path) -> list[tuple[Reason, str]]:
        try:
            carried = carry(path)
        except RepeatedKeyError as error:
            return [(Reason.DUPLICATE_KEY, error.what)]
        except EvidenceError as error:
            return [(Reason.UNREADABLE, error.what)]
        record, found = judge_record(path, carried, self._policy, self._now)
        if record is not None:
            found += self._tree.refusals(record.predicate)
        return found

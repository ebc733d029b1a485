"""Judge records under a policy: everything that is wrong with each, named apart."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pv.canonical import canonical
from pv.config import Config
from pv.errors import EvidenceError
from pv.evidence import (
    STATEMENT_TYPE,
    Record,
    RepeatedKeyError,
    parse_record,
    parse_strict,
    records_of,
    spelled,
)
from pv.evidence_files import ENVELOPE_SUFFIX, envelope_of, record_of
from pv.evidence_transfer import Carried, carry
from pv.signatures.envelope import EnvelopeError, read_envelope
from pv.signatures.granting import refusals_of_rules
from pv.signatures.policy import Policy, matches
from pv.signatures.reasons import Reason, Refusal
from pv.signatures.signers import signers_of
from pv.signatures.tree import Tree
from pv.verify import verify

__all__ = ["Trust"]

_Found = Iterator[tuple[Reason, str]]


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
        until = self._policy.not_after
        if until is None or self._now <= until:
            return []
        return [Refusal(name, Reason.POLICY_EXPIRED, f"the policy was good until {until.isoformat()}")]

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
            whole = parse_strict(path.name, carried.data)
        except RepeatedKeyError as error:
            return [(Reason.DUPLICATE_KEY, error.what)]
        except EvidenceError as error:
            return [(Reason.UNREADABLE, error.what)]
        if not _has_shape(whole):
            return [(Reason.UNREADABLE, f"{path.name} has not the shape of a record")]
        found = [*self._kind(whole)]
        record: Record | None = None
        if not found:
            record, found = _verified(path, carried)
        found += _spelling(path.name, carried, whole)
        keys: frozenset[str] = frozenset()
        try:
            if carried.envelope is None:
                found.append(_unsigned(path))
            else:
                envelope = read_envelope(envelope_of(path).name, carried.envelope)
                faults, keys = signers_of(envelope, carried.data, whole, self._policy)
                found += faults
        except EnvelopeError as error:
            found.append((error.reason, error.what))
        if record is not None:
            if keys:
                found += refusals_of_rules(record.predicate, keys, self._policy, self._now)
            found += self._tree.refusals(record.predicate)
        return found

    def _kind(self, whole: Any) -> _Found:
        kind, version = whole.get("predicateType"), whole["predicate"].get("schema_version")
        if whole.get("_type") != STATEMENT_TYPE:
            yield Reason.OTHER_TYPE, f"it is a {whole.get('_type')!r}, not a {STATEMENT_TYPE!r}"
        if kind not in self._policy.predicate_types:
            yield Reason.OTHER_TYPE, f"its predicate is a {kind!r}, which the policy does not accept"
        if type(version) is not int or version < self._policy.schema_version:
            least = self._policy.schema_version
            yield Reason.SCHEMA_DOWNGRADED, f"its schema version is {version!r}, and the policy wants {least}"


def _has_shape(whole: Any) -> bool:
    predicate = whole.get("predicate") if isinstance(whole, dict) else None
    return isinstance(predicate, dict) and isinstance(predicate.get("seal"), dict)


def _verified(path: Path, carried: Carried) -> tuple[Record | None, list[tuple[Reason, str]]]:
    """Return the record, if it verifies as it stands, else what is wrong with it."""
    try:
        record = parse_record(path, carried.data, carried.sidecars.get)
    except RepeatedKeyError as error:
        return None, [(Reason.DUPLICATE_KEY, error.what)]
    except EvidenceError as error:
        return None, [(Reason.SIDECAR_DIFFERS, error.what)]
    try:
        verify(record)
    except EvidenceError as error:
        return None, [(Reason.DOES_NOT_VERIFY, error.what)]
    return record, []


def _spelling(name: str, carried: Carried, whole: Any) -> _Found:
    """Say which files hold their values in another spelling: the bytes that count are then not the tool's."""
    try:
        same = spelled(whole) == carried.data
    except ValueError:  # an infinity, or half of a surrogate pair
        same = False
    if not same:
        yield Reason.OTHER_SPELLING, f"{name} is spelled in another way than records are written"
    for beside, series in carried.sidecars.items():
        stated = {key for key, one in whole["predicate"].items() if _names(one, beside)}
        try:
            value = parse_strict(beside, series)
            same = canonical(value) + b"\n" == series and set(value) == stated
        except (EvidenceError, ValueError, TypeError):
            continue  # which was said already
        if not same:
            yield Reason.OTHER_SPELLING, f"{beside} is spelled in another way than sidecars are written"


def _names(stored: Any, sidecar: str) -> bool:
    return isinstance(stored, dict) and set(stored) == {"sidecar", "sha256"} and stored["sidecar"] == sidecar


def _unsigned(path: Path) -> tuple[Reason, str]:
    others = sorted(record_of(other).name for other in path.parent.glob(f"*{ENVELOPE_SUFFIX}"))
    if others:
        return Reason.UNSIGNED_BESIDE_SIGNED, f"it has no envelope, and {others[0]} beside it has one"
    return Reason.UNSIGNED, "it has no envelope"

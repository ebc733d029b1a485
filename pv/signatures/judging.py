"""Judge one record and its signatures by a policy, whatever the tree is: everything that is wrong with it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pv.canonical import canonical
from pv.errors import EvidenceError
from pv.evidence import STATEMENT_TYPE, Record, RepeatedKeyError, parse_record, parse_strict, spelled
from pv.evidence_files import ENVELOPE_SUFFIX, envelope_of, record_of
from pv.evidence_transfer import Carried
from pv.signatures.envelope import EnvelopeError, read_envelope
from pv.signatures.granting import refusals_of_rules
from pv.signatures.policy import Policy
from pv.signatures.reasons import Reason
from pv.signatures.signers import signers_of
from pv.verify import verify

__all__ = ["expiry", "judge_record"]

_Found = Iterator[tuple[Reason, str]]


def expiry(policy: Policy, now: dt.datetime) -> _Found:
    """Yield that the whole policy has expired, where it has."""
    if policy.not_after is not None and now > policy.not_after:
        yield Reason.POLICY_EXPIRED, f"the policy was good until {policy.not_after.isoformat()}"


def judge_record(
    path: Path, carried: Carried, policy: Policy, now: dt.datetime, *, outcomes_only: bool = False
) -> tuple[Record | None, list[tuple[Reason, str]]]:
    """Return the record that was `carried` from `path`, if it verifies as it stands, and what is wrong.

    With `outcomes_only`, it is verified as far as a status needs (:func:`pv.verify.verify`). That the whole
    policy has expired is for :func:`expiry` to say.
    """
    try:
        whole = parse_strict(path.name, carried.data)
    except RepeatedKeyError as error:
        return None, [(Reason.DUPLICATE_KEY, error.what)]
    except EvidenceError as error:
        return None, [(Reason.UNREADABLE, error.what)]
    if not _has_shape(whole):
        return None, [(Reason.UNREADABLE, f"{path.name} has not the shape of a record")]
    found = [*_kind(whole, policy)]
    record: Record | None = None
    if not found:
        record, found = _verified(path, carried, outcomes_only=outcomes_only)
    found += _spelling(path.name, carried, whole)
    keys: frozenset[str] = frozenset()
    try:
        if carried.envelope is None:
            found.append(_unsigned(path))
        else:
            envelope = read_envelope(envelope_of(path).name, carried.envelope)
            faults, keys = signers_of(envelope, carried.data, whole, policy)
            found += faults
    except EnvelopeError as error:
        found.append((error.reason, error.what))
    if record is not None and keys:
        found += refusals_of_rules(record.predicate, keys, policy, now)
    return record, found


def _kind(whole: Any, policy: Policy) -> _Found:
    kind, version = whole.get("predicateType"), whole["predicate"].get("schema_version")
    if whole.get("_type") != STATEMENT_TYPE:
        yield Reason.OTHER_TYPE, f"it is a {whole.get('_type')!r}, not a {STATEMENT_TYPE!r}"
    if kind not in policy.predicate_types:
        yield Reason.OTHER_TYPE, f"its predicate is a {kind!r}, which the policy does not accept"
    if type(version) is not int or version < policy.schema_version:
        least = policy.schema_version
        yield Reason.SCHEMA_DOWNGRADED, f"its schema version is {version!r}, and the policy wants {least}"


def _has_shape(whole: Any) -> bool:
    predicate = whole.get("predicate") if isinstance(whole, dict) else None
    return isinstance(predicate, dict) and isinstance(predicate.get("seal"), dict)


def _verified(
    path: Path, carried: Carried, *, outcomes_only: bool
) -> tuple[Record | None, list[tuple[Reason, str]]]:
    """Return the record, if it verifies as it stands, else what is wrong with it."""
    try:
        record = parse_record(path, carried.data, carried.sidecars.get)
    except RepeatedKeyError as error:
        return None, [(Reason.DUPLICATE_KEY, error.what)]
    except EvidenceError as error:
        return None, [(Reason.SIDECAR_DIFFERS, error.what)]
    try:
        verify(record, outcomes_only=outcomes_only)
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

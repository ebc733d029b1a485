"""Whose signatures of an envelope are good, and what is wrong with the others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pv.errors import EvidenceError
from pv.evidence import parse_strict, sections
from pv.signatures.envelope import PAYLOAD_TYPE, Signed
from pv.signatures.policy import Policy
from pv.signatures.public_keys import signed_bytes
from pv.signatures.reasons import Reason

__all__ = ["signers_of"]


def signers_of(
    envelope: Signed, data: bytes, whole: Mapping[str, Any], policy: Policy
) -> tuple[list[tuple[Reason, str]], frozenset[str]]:
    """Return what is wrong, and the ids of the policy's keys that did sign `data`, a record.

    A signature of a key that the policy does not have says nothing, beside one that it has.

    Parameters
    ----------
    whole
        The record's statement: of an envelope that signed another, it is told where they differ.
    """
    found: list[tuple[Reason, str]] = []
    if envelope.payload_type != PAYLOAD_TYPE:
        found.append((Reason.PAYLOAD_TYPE, f"its payload is said to be {envelope.payload_type!r}"))
    if envelope.payload != data:
        found.append((Reason.PAYLOAD_DIFFERS, _difference(envelope.payload, whole)))
    if not envelope.signatures:
        found.append((Reason.UNSIGNED, "its envelope has no signature"))
    signed = signed_bytes(envelope.payload, envelope.payload_type)
    good: set[str] = set()
    unknown: list[str] = []
    for key, signature in envelope.signatures:
        entry = policy.keys.get(key)
        if entry is None:
            unknown.append(key)
            continue
        if entry.key.has_signed(signature, signed):
            good.add(key)
        else:
            found.append((Reason.BAD_SIGNATURE, f"the signature of the key {entry.name} does not verify"))
    if unknown and len(unknown) == len(envelope.signatures):
        shown = ", ".join(f"{key[:12]}…" for key in unknown)
        found.append((Reason.UNKNOWN_KEY, f"the policy has no key {shown}"))
    return found, frozenset(good if envelope.payload == data else ())


def _difference(payload: bytes, whole: Mapping[str, Any]) -> str:
    try:
        signed = parse_strict("payload", payload)
        theirs = sections(signed)
    except (EvidenceError, LookupError, TypeError, AttributeError):
        return "the envelope signed something that is no record"
    ours = sections(whole)
    names = sorted(name for name in {*theirs, *ours} if theirs.get(name) != ours.get(name))
    if not names:
        if signed == whole:
            return "the envelope signed another spelling of this record"
        return "the envelope signed another seal than that of this record"
    return f"the envelope signed another record: it differs in section {', '.join(names)}"

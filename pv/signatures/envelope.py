"""A DSSE envelope as it lies beside a record; read strictly, so that it has one meaning and one spelling.

The envelope is that of https://github.com/secure-systems-lab/dsse/blob/v1.0.2/envelope.md. Only what its
signatures cover is taken: a field that they do not cover may not be there.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
from typing import Any

from pv.errors import EvidenceError
from pv.evidence import RepeatedKeyError, parse_strict, spelled
from pv.signatures.reasons import Reason

__all__ = [
    "PAYLOAD_TYPE",
    "EnvelopeError",
    "Signed",
    "envelope_bytes",
    "envelope_document",
    "read_envelope",
]

PAYLOAD_TYPE = "application/vnd.in-toto+json"
"""Of every in-toto statement: https://github.com/in-toto/attestation/blob/main/spec/v1/envelope.md."""
_REMEDY = "`pv evidence sign` makes it again"


class EnvelopeError(EvidenceError):
    """An envelope is none that counts; `reason` says why."""

    def __init__(self, what: str, reason: Reason) -> None:
        super().__init__(what, remedy=_REMEDY)
        self.reason = reason


@dataclasses.dataclass(frozen=True)
class Signed:
    """An envelope as read, not yet verified: what was signed, as what, and by which keys."""

    payload: bytes
    payload_type: str
    signatures: tuple[tuple[str, bytes], ...]
    """Key id and signature of each."""


def envelope_bytes(signed: Signed) -> bytes:
    """Return the file that an envelope is."""
    return spelled(envelope_document(signed))


def envelope_document(signed: Signed) -> dict[str, Any]:
    """Return an envelope as a JSON object: signatures in the order of their key ids."""
    return {
        "payload": base64.b64encode(signed.payload).decode("ascii"),
        "payloadType": signed.payload_type,
        "signatures": [
            {"keyid": key, "sig": base64.b64encode(signature).decode("ascii")}
            for key, signature in sorted(signed.signatures)
        ],
    }


def read_envelope(name: str, data: bytes) -> Signed:
    """Read the envelope called `name` from its bytes.

    Raises
    ------
    EnvelopeError
        It is not strict JSON, has not the shape of an envelope, has two signatures under one key id, or is
        not spelled as :func:`envelope_bytes` does.
    """
    try:
        whole = parse_strict(name, data)
    except RepeatedKeyError as error:
        raise EnvelopeError(error.what, Reason.DUPLICATE_KEY) from error
    except EvidenceError as error:
        raise EnvelopeError(error.what, Reason.ENVELOPE_UNREADABLE) from error
    try:
        found = _signed(whole)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise EnvelopeError(f"{name} is no envelope: {error}", Reason.ENVELOPE_UNREADABLE) from error
    keys = [key for key, _ in found.signatures]
    if len(set(keys)) < len(keys):
        twice = next(key for key in keys if keys.count(key) > 1)
        raise EnvelopeError(f"{name} has two signatures of the key {twice[:12]}…", Reason.SIGNED_TWICE)
    try:
        same = envelope_bytes(found) == data
    except ValueError:  # a lone surrogate, which JSON can say and UTF-8 cannot
        same = False
    if not same:
        raise EnvelopeError(
            f"{name} is spelled in another way than envelopes are written", Reason.ENVELOPE_SPELLING
        )
    return found


def _signed(whole: Any) -> Signed:
    _refuse_others(whole, {"payload", "payloadType", "signatures"})
    signatures = []
    for one in whole["signatures"]:
        _refuse_others(one, {"keyid", "sig"})
        signatures.append((_text(one["keyid"]), _decoded(one["sig"])))
    return Signed(_decoded(whole["payload"]), _text(whole["payloadType"]), tuple(signatures))


def _refuse_others(value: Any, fields: set[str]) -> None:
    if not isinstance(value, dict):
        raise TypeError("a part of it is no object")
    if other := sorted(set(value) - fields):
        raise ValueError(f"it has a field {other[0]!r}, which no signature covers")
    if missing := sorted(fields - set(value)):
        raise ValueError(f"it has no {missing[0]!r}")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a value is no text")
    return value


def _decoded(value: Any) -> bytes:
    try:
        return base64.b64decode(_text(value), validate=True)
    except binascii.Error as error:
        raise ValueError(f"not base64: {error}") from error

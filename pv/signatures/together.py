"""Signatures of one record that come from several places, put together; none is verified here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pv.errors import EvidenceError
from pv.evidence import locked
from pv.evidence_files import envelope_of
from pv.evidence_transfer import Carried, carry
from pv.signatures.envelope import PAYLOAD_TYPE, EnvelopeError, Signed, envelope_bytes, read_envelope
from pv.whole_file import replace_file

__all__ = ["add_signatures", "enveloped", "signatures_in", "signatures_over"]


def signatures_over(carried: Carried) -> dict[str, bytes]:
    """Return key id → signature of the envelope of a record; none where it is of other bytes, or is none."""
    return {} if carried.envelope is None else signatures_in(carried.envelope, carried.data)


def signatures_in(envelope: bytes, data: bytes) -> dict[str, bytes]:
    """Return key id → signature of the bytes of an envelope; none where it is not one over `data`."""
    try:
        found = read_envelope("the envelope", envelope)
    except EnvelopeError:
        return {}
    same = (found.payload, found.payload_type) == (data, PAYLOAD_TYPE)
    return dict(found.signatures) if same else {}


def enveloped(data: bytes, signatures: Mapping[str, bytes]) -> bytes:
    """Return the envelope of a record's bytes with these signatures, key id → signature."""
    return envelope_bytes(Signed(data, PAYLOAD_TYPE, tuple(signatures.items())))


def add_signatures(path: Path, data: bytes, signatures: Mapping[str, bytes]) -> int:
    """Add `signatures` of the record `data` that lies at `path`; return how many keys had not signed there.

    Those that are there stay. Where another record lies there by now, none is added.
    """
    if not signatures or not path.is_file():
        return 0
    with locked(path.parent):
        try:
            now = carry(path)
        except EvidenceError:
            return 0
        kept = signatures_over(now)
        if now.data != data or set(signatures) <= set(kept):
            return 0
        replace_file(envelope_of(path), enveloped(data, {**signatures, **kept}))
    return len(set(signatures) - set(kept))

"""Sign a record: verify it first, then put the envelope beside it, while nobody else writes there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pv.errors import EvidenceError
from pv.evidence import locked, parse_strict, spelled
from pv.evidence_files import envelope_of
from pv.evidence_transfer import carry, check
from pv.signatures.envelope import PAYLOAD_TYPE, Signed
from pv.signatures.together import enveloped, signatures_over
from pv.whole_file import replace_file

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner

__all__ = ["sign_payload", "sign_record"]


def sign_payload(payload: bytes, signer: CryptoSigner) -> Signed:
    """Return an in-toto statement's bytes, signed by one key."""
    from securesystemslib.dsse import Envelope

    signature = Envelope(payload, PAYLOAD_TYPE, {}).sign(signer)
    return Signed(payload, PAYLOAD_TYPE, ((signature.keyid, bytes.fromhex(signature.signature)),))


def sign_record(path: Path, evidence: Path, signer: CryptoSigner) -> bool:
    """Sign the record at `path`, below the folder `evidence`; return False where this key has signed it.

    Signatures of other keys over the same bytes stay; an envelope of other bytes is replaced.

    Raises
    ------
    EvidenceError
        The record does not verify, or is not spelled as records are; or it was replaced meanwhile.
    """
    carried = carry(path)
    check(carried, evidence)
    if spelled(parse_strict(path.name, carried.data)) != carried.data:
        raise EvidenceError(
            f"{path.name} is spelled in another way than records are written", remedy="discharge again"
        )
    made = sign_payload(carried.data, signer)
    ((key, signature),) = made.signatures
    with locked(path.parent):
        now = carry(path)
        if (now.data, now.sidecars) != (carried.data, carried.sidecars):
            raise EvidenceError(f"{path.name} was replaced while it was signed", remedy="sign it again")
        kept = signatures_over(now)
        if kept.get(key) == signature:
            return False
        replace_file(envelope_of(path), enveloped(made.payload, {**kept, key: signature}))
    return True

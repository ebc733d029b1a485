"""Ed25519 public keys, which verify signatures by ``cryptography`` alone.

What signs (``securesystemslib``) takes longer to import than many a status to derive, and opens a socket
while it is imported. Key ids are those that it gives, and what is signed is what DSSE says
(https://github.com/secure-systems-lab/dsse/blob/v1.0.2/protocol.md): the tests hold both against it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import TYPE_CHECKING, Self

from pv.errors import ConfigError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

__all__ = ["PublicKey", "public_key", "require_verifying", "signed_bytes"]


@dataclasses.dataclass(frozen=True)
class PublicKey:
    """A key that verifies, under its id: the sha256 of its canonical JSON, in hexadecimal digits."""

    keyid: str
    key: Ed25519PublicKey = dataclasses.field(compare=False, repr=False)

    @classmethod
    def of(cls, key: Ed25519PublicKey) -> Self:
        """Return it with the id that securesystemslib gives such a key."""
        stated = {
            "keytype": "ed25519",
            "keyval": {"public": key.public_bytes_raw().hex()},
            "scheme": "ed25519",
        }
        spelled = json.dumps(stated, sort_keys=True, separators=(",", ":"))
        return cls(hashlib.sha256(spelled.encode("ascii")).hexdigest(), key)

    def has_signed(self, signature: bytes, data: bytes) -> bool:
        """Tell whether `signature` is one of this key over `data`."""
        from cryptography.exceptions import InvalidSignature

        try:
            self.key.verify(signature, data)
        except InvalidSignature:
            return False
        return True


def signed_bytes(payload: bytes, payload_type: str) -> bytes:
    """Return what the signatures of an envelope are over: its payload and type in DSSE's encoding (PAE)."""
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def require_verifying() -> None:
    """Make sure that what verifies is installed.

    Raises
    ------
    ConfigError
        It is not.
    """
    try:
        import cryptography.hazmat.primitives.asymmetric.ed25519  # noqa: F401  whether it is there is the question
    except ImportError as error:
        raise ConfigError(
            "to verify signatures needs cryptography, which is not installed",
            remedy="pip install 'pv[sign]'",
        ) from error


def public_key(pem: bytes) -> PublicKey:
    """Return the public key that `pem` spells.

    Raises
    ------
    ValueError
        It is no Ed25519 public key.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError("it is no public key in PEM") from error
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("it is no Ed25519 key")  # noqa: TRY004 -- a value in a file
    return PublicKey.of(key)

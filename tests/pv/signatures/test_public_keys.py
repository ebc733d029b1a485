"""Keys that verify by cryptography alone, held against securesystemslib: ids, what is signed, verdicts."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.dsse import Envelope
from securesystemslib.signer import CryptoSigner, SSlibKey

from pv.signatures.public_keys import public_key, signed_bytes

SEEDS = st.binary(min_size=32, max_size=32)


def pem(private: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@given(SEEDS)
def test_a_key_has_the_id_that_securesystemslib_gives(seed: bytes) -> None:
    private = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
    assert public_key(pem(private)).keyid == SSlibKey.from_crypto(private.public_key()).keyid


@given(st.binary(max_size=200), st.text(st.characters(codec="utf-8"), max_size=40))
def test_what_is_signed_is_what_securesystemslib_signs(payload: bytes, payload_type: str) -> None:
    assert signed_bytes(payload, payload_type) == Envelope(payload, payload_type, {}).pae()


@given(SEEDS, st.binary(max_size=60), st.integers(0, 511), st.integers(0, 59))
def test_a_signature_is_good_as_long_as_no_bit_is_changed(
    seed: bytes, data: bytes, bit: int, cut: int
) -> None:
    private = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
    key = public_key(pem(private))
    signature = bytes.fromhex(CryptoSigner(private).sign(data).signature)
    assert key.has_signed(signature, data)
    other = bytearray(signature)
    other[bit // 8] ^= 1 << bit % 8
    assert not key.has_signed(bytes(other), data)
    assert not key.has_signed(signature[:cut], data)
    assert not key.has_signed(signature, data + b"x")


def test_what_is_no_ed25519_key_is_refused() -> None:
    with pytest.raises(ValueError, match="no public key"):
        public_key(b"nothing")
    with pytest.raises(ValueError, match="no Ed25519 key"):
        public_key(pem(ec.generate_private_key(ec.SECP256R1())))

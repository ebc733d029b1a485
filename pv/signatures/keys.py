"""Ed25519 keys in files, as PEM: private ones by PKCS8 (RFC 5958), public ones as SubjectPublicKeyInfo."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from pv.errors import ConfigError

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner, SSlibKey

__all__ = ["generate_key", "load_signer", "require_signing"]


def require_signing() -> None:
    """Make sure that what signs and verifies is installed.

    Raises
    ------
    ConfigError
        It is not.
    """
    try:
        # Whether they are there is the question.
        import cryptography.hazmat.primitives.asymmetric.ed25519  # noqa: F401
        import securesystemslib.signer  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            "signatures need securesystemslib and cryptography, which are not installed",
            remedy="pip install 'pv[sign]'",
        ) from error


def generate_key(path: Path) -> SSlibKey:
    """Make a private key at `path`, which only its owner may read, and its public key at ``<path>.pub``.

    Raises
    ------
    ConfigError
        One of the files is there already, or cannot be written.
    """
    require_signing()
    from securesystemslib.signer import CryptoSigner

    signer = CryptoSigner.generate_ed25519()
    public = path.with_name(f"{path.name}.pub")
    try:
        for file in (path, public):
            if os.path.lexists(file):
                raise FileExistsError(None, "it is there already", str(file))
        _create(path, signer.private_bytes, 0o600)
        _create(public, _public_pem(signer), 0o644)
    except OSError as error:
        raise ConfigError(
            f"cannot write {error.filename}: {error.strerror}", remedy="name a file that is not there yet"
        ) from error
    return signer.public_key


def _create(path: Path, data: bytes, mode: int) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(data)


def _public_pem(signer: CryptoSigner) -> bytes:
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        PublicFormat,
        load_pem_private_key,
    )

    private = load_pem_private_key(signer.private_bytes, password=None)
    return private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def load_signer(path: Path) -> CryptoSigner:
    """Read the private key at `path`.

    Raises
    ------
    ConfigError
        It cannot be read, others may read it too, or it is no Ed25519 key without a password.
    """
    require_signing()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from securesystemslib.signer import CryptoSigner

    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(1 << 16)
    except OSError as error:
        raise ConfigError(
            f"cannot read the key {path}: {error.strerror}", remedy="`pv evidence keygen` makes one"
        ) from error
    if stat.S_IMODE(mode) & 0o077:
        raise ConfigError(f"others may read the private key {path}", remedy=f"chmod 600 {path}")
    try:
        private = load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigError(
            f"{path} is no private key in PEM without a password", remedy="`pv evidence keygen` makes one"
        ) from error
    if not isinstance(private, Ed25519PrivateKey):
        raise ConfigError(f"{path} is no Ed25519 key", remedy="`pv evidence keygen` makes one")
    return CryptoSigner(private)

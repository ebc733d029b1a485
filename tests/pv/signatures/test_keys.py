from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from pv.errors import ConfigError
from pv.signatures.keys import generate_key, load_signer
from pv.signatures.public_keys import public_key


def test_a_key_is_two_files_in_pem_of_which_one_is_private(tmp_path: Path) -> None:
    path = tmp_path / "key"
    key = generate_key(path)
    public = tmp_path / "key.pub"
    assert [stat.S_IMODE(file.stat().st_mode) for file in (path, public)] == [0o600, 0o644]
    private = load_pem_private_key(path.read_bytes(), None)
    assert isinstance(private, ed25519.Ed25519PrivateKey)
    assert private.public_key() == load_pem_public_key(public.read_bytes())
    assert key == load_signer(path).public_key
    assert public_key(public.read_bytes()).keyid == key.keyid
    assert generate_key(tmp_path / "other").keyid != key.keyid


@pytest.mark.parametrize("there", ["key", "key.pub"])
def test_no_key_is_written_over(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("precious")
    with pytest.raises(ConfigError, match="it is there already"):
        generate_key(tmp_path / "key")
    assert [file.name for file in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_text() == "precious"
    with pytest.raises(ConfigError, match="cannot write"):
        generate_key(tmp_path / "none" / "key")


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    generate_key(tmp_path / "key")
    (tmp_path / "key").chmod(0o640)
    with pytest.raises(ConfigError, match="others may read the private key") as caught:
        load_signer(tmp_path / "key")
    assert caught.value.remedy.startswith("chmod 600 ")


def test_what_is_no_ed25519_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    with pytest.raises(ConfigError, match="cannot read the key"):
        load_signer(path)
    curve = ec.generate_private_key(ec.SECP256R1())
    ours = ed25519.Ed25519PrivateKey.generate()
    for data, why in (
        (b"nothing", "no private key in PEM"),
        (ours.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")), "a password"),
        (curve.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), "no Ed25519 key"),
    ):
        path.write_bytes(data)
        path.chmod(0o600)
        with pytest.raises(ConfigError, match=why):
            load_signer(path)

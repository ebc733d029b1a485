"""What an artefact says it was made from."""

from __future__ import annotations

import hashlib
from pathlib import Path

__all__ = ["DERIVED_FROM", "GGUF_DERIVED_FROM", "file_sha256"]

DERIVED_FROM = "derived_from.sha256"
"""Metadata key, in safetensors, of the digest of the file that this one was made from."""
GGUF_DERIVED_FROM = "pv.derived_from.sha256"
"""The same in GGUF, whose keys have a namespace."""


def file_sha256(path: str) -> str:
    """Digest a file, as 64 lower-case hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

"""Merkle trees: one digest over many leaves, and short proofs that a leaf is among them.

Source: RFC 6962, "Certificate Transparency", section 2.1. With n leaves d[0..n), and k the largest power of
two below n::

    H(d[0])    = SHA-256(0x00 || d[0])
    H(d[0..n)) = SHA-256(0x01 || H(d[0..k)) || H(d[k..n)))

The first bytes tell leaves from nodes, so that no node passes for a leaf.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

__all__ = ["leaf_hash", "path_to", "root_by", "root_of"]


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf, 32 bytes."""
    return hashlib.sha256(b"\x00" + data).digest()


def root_of(leaves: Sequence[bytes]) -> bytes:
    """Return the root over `leaves`, each given by its hash; of none, SHA-256 of nothing."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    split = _split(len(leaves))
    return _node(root_of(leaves[:split]), root_of(leaves[split:]))


def path_to(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the audit path of leaf `index`: the hashes beside its way to the root, the lowest first.

    Raises
    ------
    IndexError
        There is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise IndexError(f"leaf {index} of {len(leaves)}")
    if len(leaves) == 1:
        return []
    split = _split(len(leaves))
    if index < split:
        return [*path_to(leaves[:split], index), root_of(leaves[split:])]
    return [*path_to(leaves[split:], index - split), root_of(leaves[:split])]


def root_by(leaf: bytes, index: int, count: int, path: Sequence[bytes]) -> bytes:
    """Return the root that `leaf`, the hash of leaf `index` of `count`, and its audit path lead to.

    Raises
    ------
    IndexError
        There is no such leaf.
    ValueError
        The path is longer or shorter than that of such a leaf.
    """
    if not 0 <= index < count:
        raise IndexError(f"leaf {index} of {count}")
    if (count == 1) != (not path):
        raise ValueError(f"a path of {len(path)} is not that of leaf {index} of {count}")
    if count == 1:
        return leaf
    *lower, beside = path
    split = _split(count)
    if index < split:
        return _node(root_by(leaf, index, split, lower), beside)
    return _node(beside, root_by(leaf, index - split, count - split, lower))


def _split(count: int) -> int:
    """Return the largest power of two below `count`, which is at least 2."""
    return 1 << (count - 1).bit_length() - 1


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()

"""What a run commits to: one digest over what it measured, label by label, before anybody asks for some.

A leaf is one label with every sample that was recorded under it, in canonical JSON::

    ["model.layers.0.mlp.up_proj.weight", {"cosine": [0.99999], "differing_elements": [0]}]

in the order in which labels first appear, metrics sorted by name; what has no label is one leaf more, the
last, under null. The root of the Merkle tree over them (:mod:`pv.merkle`) stands in the record. Whoever has
the root alone can be shown one leaf and its path, and knows that it was not made up since.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from pv.canonical import canonical
from pv.errors import EvidenceError
from pv.merkle import leaf_hash, path_to, root_by, root_of

__all__ = ["Leaf", "Opening", "commitment", "leaves_of", "opened"]

LEAST = 2
"""Labels from which on a part can stand for the whole."""


@dataclasses.dataclass(frozen=True)
class Leaf:
    """One label, None for what has none, and metric → the values recorded under it, as JSON has them."""

    label: str | None
    samples: Mapping[str, tuple[Any, ...]]

    @property
    def hash(self) -> bytes:
        """Its hash in the tree."""
        return leaf_hash(canonical([self.label, {name: [*each] for name, each in self.samples.items()}]))


@dataclasses.dataclass(frozen=True)
class Opening:
    """A leaf with its place and its audit path, in hexadecimal."""

    index: int
    leaf: Leaf
    path: tuple[str, ...]

    def leads_to(self, root: str, count: int) -> bool:
        """Tell whether it is leaf `index` of the `count` under `root`."""
        path = [bytes.fromhex(each) for each in self.path]
        return root_by(self.leaf.hash, self.index, count, path).hex() == root


def leaves_of(measurements: Mapping[str, Any]) -> list[Leaf]:
    """Return the leaves of measurements as a record has them (metric → values and labels).

    Raises
    ------
    EvidenceError
        They have another shape.
    """
    under: dict[str | None, dict[str, list[Any]]] = {}
    rest: dict[str, list[Any]] = {}
    try:
        for name, series in sorted(measurements.items()):
            values = series["values"]
            labels = series.get("labels") or [None] * len(values)
            for value, label in zip(values, labels, strict=True):
                place = rest if label is None else under.setdefault(label, {})
                place.setdefault(name, []).append(value)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise EvidenceError(
            f"the recorded measurements are malformed ({error})", remedy="record the evidence again"
        ) from error
    leaves = [*under.items(), *([(None, rest)] if rest else [])]
    return [
        Leaf(label, {name: tuple(values) for name, values in samples.items()}) for label, samples in leaves
    ]


def commitment(measurements: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the section of a record that commits to `measurements`; None of those with too few labels."""
    leaves = leaves_of(measurements)
    if sum(leaf.label is not None for leaf in leaves) < LEAST:
        return None
    return {
        "tree": "RFC 6962, SHA-256",
        "leaves": len(leaves),
        "root": root_of([leaf.hash for leaf in leaves]).hex(),
    }


def opened(leaves: list[Leaf], index: int) -> Opening:
    """Return leaf `index` with its path."""
    path = path_to([leaf.hash for leaf in leaves], index)
    return Opening(index, leaves[index], tuple(each.hex() for each in path))

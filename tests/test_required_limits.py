"""Every claim that holds a release back says how small a damage of its artefact it must notice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pv.config import load_config
from pv.contract import Contract, Falsifier
from pv.detection import limits_of
from pv.evidence import read_record, records_of
from pv.selection import load_all

ROOT = Path(__file__).parents[1]
CONFIG = load_config(ROOT)
LEAST = 30
"""Falsifiers that carry a measured limit of detection, at least."""


def falsifiers() -> Iterator[tuple[Contract, Falsifier]]:
    yield from ((contract, each) for contract in load_all(CONFIG) for each in contract.falsifiers)


def over_an_artefact(falsifier: Falsifier) -> bool:
    """Tell whether a subject is judged; a claim that is known to be false has nothing to notice."""
    return falsifier.bound and falsifier.outcome == "holds" and any(falsifier.subjects.values())


def test_none_that_blocks_shipping_is_without() -> None:
    asked = [(c, f) for c, f in falsifiers() if f.ship_blocking and over_an_artefact(f)]
    assert len(asked) > 50
    assert [f"{c.stem}#{f.id}" for c, f in asked if not f.must_detect] == []


def test_many_carry_one_that_was_measured() -> None:
    measured = [
        falsifier.id
        for contract, falsifier in falsifiers()
        if any(
            limits_of(read_record(path).predicate)
            for path in records_of(CONFIG.evidence, contract.stem, falsifier.id)
        )
    ]
    assert len(measured) >= LEAST

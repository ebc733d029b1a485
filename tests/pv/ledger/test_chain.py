from __future__ import annotations

import dataclasses
import hashlib
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from pv.ledger.chain import FIRST_LINK, Broken, Entry, chained, content_digest, link_of, walk
from pv.record_facts import Facts
from tests.pv.ledger.conftest import made

COUNT = 12
CHAIN = tuple(chained(0, FIRST_LINK, map(made, range(COUNT))))


def test_a_chain_holds_and_its_head_is_its_last_link() -> None:
    found = walk(CHAIN)
    assert (found.entries, found.head, found.broken) == (COUNT, CHAIN[-1].link, None)
    assert walk(()).head == FIRST_LINK
    content = content_digest(made(0))
    expected = hashlib.sha256(f'["{FIRST_LINK}","{content}"]'.encode()).hexdigest()
    assert CHAIN[0].link == link_of(FIRST_LINK, made(0)) == expected


@given(st.integers(0, COUNT))
def test_a_chain_goes_on_from_any_entry(cut: int) -> None:
    link = CHAIN[cut - 1].link if cut else FIRST_LINK
    assert [*chained(cut, link, map(made, range(cut, COUNT)))] == [*CHAIN[cut:]]


@given(st.integers(0, COUNT - 1), st.sampled_from([field.name for field in dataclasses.fields(Facts)]))
def test_every_field_of_every_entry_counts(place: int, name: str) -> None:
    facts = CHAIN[place].facts
    value = getattr(facts, name)
    other: object = f"{value}x" if isinstance(value, str) else () if name == "compared" else not value
    if name == "seconds":
        other = value + 0.5
    if other == value:
        return
    changed = list(CHAIN)
    changes: dict[str, Any] = {name: other}
    changed[place] = dataclasses.replace(CHAIN[place], facts=dataclasses.replace(facts, **changes))
    broken = walk(changed).broken
    assert broken is not None
    assert (broken.position, broken.reason) == (place + 1, "edited")


@given(st.integers(0, COUNT - 2))
def test_an_entry_that_is_taken_out_is_missed(place: int) -> None:
    left = [*CHAIN[:place], *CHAIN[place + 1 :]]
    found = walk(left)
    assert found.broken == Broken(place + 1, "removed", f"after entry {place} comes entry {place + 2}")
    assert found.entries == place
    renumbered = [dataclasses.replace(one, position=at) for at, one in enumerate(left, 1)]
    broken = walk(renumbered).broken
    assert broken is not None
    assert (broken.position, broken.reason) == (place + 1, "edited")


@given(st.integers(0, COUNT - 1), st.integers(0, COUNT - 1))
def test_entries_that_change_places_are_seen(one: int, other: int) -> None:
    changed: list[Entry] = list(CHAIN)
    changed[one] = dataclasses.replace(CHAIN[other], position=one + 1)
    changed[other] = dataclasses.replace(CHAIN[one], position=other + 1)
    broken = walk(changed).broken
    assert (broken is None) == (one == other)
    if broken is not None:
        assert broken.position == min(one, other) + 1


def test_an_entry_that_was_moved_is_said_to_be_moved() -> None:
    order = [CHAIN[0], CHAIN[2], CHAIN[3], CHAIN[1]]
    broken = walk([dataclasses.replace(one, position=at) for at, one in enumerate(order, 1)]).broken
    assert broken is not None
    assert (broken.position, broken.reason) == (2, "moved")
    assert broken.why.endswith("was chained after what is now entry 4")


@given(st.integers(0, COUNT), st.integers(0, COUNT))
def test_a_head_that_was_noted_must_still_be_there(noted: int, left: int) -> None:
    head = CHAIN[noted - 1].link if noted else FIRST_LINK
    found = walk(CHAIN[:left], head)
    assert (found.broken is None) == (noted <= left)
    if found.broken is not None:
        assert (found.broken.position, found.broken.reason) == (left + 1, "truncated")


def test_a_chain_that_was_made_anew_has_another_head() -> None:
    rewritten = [*chained(0, FIRST_LINK, [made(99), *map(made, range(1, COUNT))])]
    assert walk(rewritten).broken is None
    broken = walk(rewritten, CHAIN[-1].link).broken
    assert broken is not None
    assert broken.reason == "truncated"


def test_a_column_that_holds_no_number_was_edited() -> None:
    facts = dataclasses.replace(CHAIN[0].facts, seconds=cast("float", "x"))
    broken = walk([dataclasses.replace(CHAIN[0], facts=facts)]).broken
    assert broken is not None
    assert (broken.position, broken.reason) == (1, "edited")


def test_zeros_have_no_sign() -> None:
    plus, minus = (dataclasses.replace(made(0), seconds=zero) for zero in (0.0, -0.0))
    assert content_digest(plus) == content_digest(minus)

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pv.near_miss import distance, nearest
from pv.rules.keys import known_keys

WORDS = st.text("abcs_", max_size=8)
FALSIFIER = known_keys("falsifier")
TOP = known_keys("contract")


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("expct", "expect"),
        ("epxect", "expect"),
        ("counter_example", "counter_examples"),
        ("counterExamples", "counter_examples"),
        ("conter_exmples", "counter_examples"),
        ("Covers", "covers"),
        ("need", "needs"),
        ("ship-blocking", "ship_blocking"),
        (
            "alias",
            None,
        ),  # aliases is its plural by another rule, and two letters are too many for a word of seven
        ("witch", None),
        ("cheque", None),
        ("rulez", None),
        ("tent", None),
        ("expect", None),
        ("", None),
    ],
)
def test_which_key_of_a_falsifier_was_meant(word: str, meant: str | None) -> None:
    assert nearest(word, FALSIFIER) == meant


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("falsifications_tests", "falsification_tests"),
        ("falsification_test", "falsification_tests"),
        ("FalsificationTests", "falsification_tests"),
        ("proof-obligations", "proof_obligations"),
        ("equation", "equations"),
        ("story", "stories"),
        ("qagate", "qa_gate"),
        ("falsification", None),
        ("summary", None),
        ("kind", None),
    ],
)
def test_which_block_was_meant(word: str, meant: str | None) -> None:
    assert nearest(word, TOP) == meant


def test_the_closest_wins() -> None:
    assert nearest("basiss", ["bases", "basis"]) == "basis"


@given(WORDS, WORDS, WORDS)
def test_a_distance_is_one(first: str, second: str, third: str) -> None:
    assert (distance(first, second) == 0) == (first == second)
    assert distance(first, second) == distance(second, first)
    assert distance(first, second) <= max(len(first), len(second))
    assert distance(first + third, second + third) <= distance(first, second)


@given(st.lists(WORDS, max_size=5), WORDS)
def test_what_is_known_is_no_slip_and_what_was_meant_is_known(known: list[str], word: str) -> None:
    meant = nearest(word, known)
    assert meant is None if word in known else meant is None or meant in known


@given(st.sampled_from(sorted(known_keys("falsifier"))), st.data())
def test_one_edit_in_a_long_word_is_seen(word: str, data: st.DataObject) -> None:
    if len(word) < 6:
        return
    at = data.draw(st.integers(0, len(word) - 1))
    slip = word[:at] + word[at + 1 :]
    assert slip in FALSIFIER or nearest(slip, FALSIFIER) is not None


def test_many_unknown_keys_take_little_time() -> None:
    begun = time.process_time()
    assert not [word for word in (f"k{number:05}q" for number in range(20_000)) if nearest(word, TOP)]
    # A fifth of a second; it was six before words were ruled out by their letters.
    assert time.process_time() - begun < 3

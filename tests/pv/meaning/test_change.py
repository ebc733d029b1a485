from __future__ import annotations

from pv.meaning.change import paired


def test_only_what_may_be_the_same_is_compared() -> None:
    asked = []

    def same(one: str, other: str) -> bool:
        asked.append((one, other))
        return one[1] == other[1]

    found = paired(["a1", "b2", "b3", "c4"], ["b3", "d4", "b2", "b2"], same, lambda word: word[0])
    assert found == ([("b2", "b2"), ("b3", "b3")], ["a1", "c4"], ["d4", "b2"])
    assert {one[0] for one, _ in asked} == {"b"}

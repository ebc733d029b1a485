from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from pv.spans import Node, read_spans

TEXT = "é😀: &x !!str b # c\r\nl:\r\n- {k: 'v', w: *x}\r\n- |\r\n  t\r\n\r\n# end\r\n"


def walk(node: Node) -> Iterator[Node]:
    yield node
    for key, value in node.entries:
        if key is not None:
            yield from walk(key)
        yield from walk(value)


def test_offsets_count_characters() -> None:
    root = read_spans(TEXT)
    scalars = [node for node in walk(root) if node.kind == "scalar"]
    assert [TEXT[node.start : node.end] for node in scalars] == [
        "é😀", "&x !!str b", "l", "k", "'v'", "w", "|\r\n  t\r\n\r\n"
    ]  # fmt: skip
    assert [node.text for node in scalars if node.anchored] == ["b"]
    (alias,) = [node for node in walk(root) if node.kind == "alias"]
    assert TEXT[alias.start : alias.end] == "*x"
    assert alias.text == "x"


def test_the_last_of_a_block_is_what_is_written_last() -> None:
    root = read_spans(TEXT)
    items = root.child("l")
    assert items is not None
    assert root.last() == items.last() == items.child(1)
    assert items.last().block_scalar
    first = items.child(0)
    assert first is not None
    assert first.flow
    assert TEXT[first.content - 1] == "{"
    assert TEXT[first.end - 1] == "}"
    assert first.last() is first


def test_what_is_not_there_is_none() -> None:
    root = read_spans(TEXT)
    assert root.child("no") is None
    assert root.child(0) is None
    assert root.key("no") is None
    key = root.key("l")
    assert key is not None
    assert TEXT[key.start : key.end] == "l"


@given(st.lists(st.sampled_from(["a", "é", "😀", "a b", "\u00a0"]), min_size=1, max_size=9))
def test_any_list_is_found_again(words: list[str]) -> None:
    for text in ("\n".join(f"- '{word}'" for word in words), f"[{', '.join(map(repr, words))}]"):
        found = [text[node.start + 1 : node.end - 1] for node in walk(read_spans(text)) if not node.entries]
        assert found == [repr(word)[1:-1] if text[0] == "[" else word for word in words]

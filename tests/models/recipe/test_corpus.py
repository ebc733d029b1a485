from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.recipe.corpus import HELD_OUT_BYTES, Document, choose_held_out, is_wanted, read_corpus

documents = st.lists(
    st.builds(Document, st.from_regex(r"[a-z]{1,6}\.py", fullmatch=True), st.just("x = 1\n" * 1000)),
    unique_by=lambda document: document.path,
    max_size=40,
)


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("json/decoder.py", True),
        ("unittest/mock.py", True),
        ("test/test_json.py", False),
        ("unittest/test/support.py", False),
        ("site-packages/numpy/__init__.py", False),
        ("_sysconfigdata__linux_x86_64-linux-gnu.py", False),
        ("config-3.11-x86_64-linux-gnu/python-config.py", False),
        ("test.py", True),  # a file is not a folder
    ],
)
def test_what_is_wanted(path: str, wanted: bool) -> None:
    assert is_wanted(path) is wanted


@given(documents)
def test_the_choice_does_not_depend_on_order_and_stops_when_full(found: list[Document]) -> None:
    chosen = choose_held_out(found)
    assert chosen == choose_held_out(found[::-1])
    assert [document.path for document in chosen] == sorted(document.path for document in chosen)
    total = sum(document.size for document in chosen)
    assert total < HELD_OUT_BYTES + 24_000
    assert total >= HELD_OUT_BYTES or len(chosen) == len(found)


@given(documents)
def test_a_file_added_elsewhere_evicts_at_most_what_it_displaces(found: list[Document]) -> None:
    before = {document.path for document in choose_held_out(found)}
    added = Document("added/file.py", "x = 1\n" * 1000)
    after = {document.path for document in choose_held_out([*found, added])}
    assert after - before <= {added.path}
    assert len(before - after) <= 1


def test_this_library_splits_by_file() -> None:
    corpus = read_corpus()
    training = {document.path for document in corpus.training}
    held_out = {document.path for document in corpus.held_out}
    assert not training & held_out
    assert len(training) > 300
    assert "json/decoder.py" in training | held_out
    assert len(corpus.held_out_text.encode()) >= HELD_OUT_BYTES


def test_texts_that_are_not_usable_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "latin.py").write_bytes(b"# caf\xe9\n")
    (tmp_path / "table.py").write_text('""" codec generated from \'X.TXT\' """\n')
    (tmp_path / "empty.py").write_text("\n")
    (tmp_path / "kept.py").write_text("x = 1\n")
    assert [document.path for document in read_corpus(tmp_path).training] == ["kept.py"]


def test_a_folder_without_sources_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no usable Python source"):
        read_corpus(tmp_path)


def test_the_digest_sees_every_text(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    before = read_corpus(tmp_path).digest
    (tmp_path / "a.py").write_text("x = 2\n")
    assert read_corpus(tmp_path).digest != before

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pv_runtime.pretrain.batches import Batches, windows_of
from pv_runtime.pretrain.data import Data, made_up, read_data
from pv_runtime.pretrain.documents import Document, split
from pv_runtime.pretrain.errors import TrainingError, UsageError
from pv_runtime.pretrain.leakage import SPAN, require_apart
from pv_runtime.pretrain.shards import Tokens, open_shard, write_shard
from pv_runtime.pretrain.tokenize import write_shards
from pv_runtime.tokenizer import tokenizer_in

from tests.runtime.pretrain.conftest import TOKENIZER


def tokens(ids: object, name: str = "some") -> Tokens:
    return Tokens(name, np.asarray(ids, dtype=np.uint32), "0" * 64)


def read(dataset: Path, val_shard: Path | None = None) -> Data:
    return read_data(dataset, val_shard, tokenizer_in(TOKENIZER), 4096)


def test_a_shard_is_ids_of_32_bits(tmp_path: Path) -> None:
    ids = np.array([1, 2, 4095], dtype=np.uint32)
    assert write_shard(tmp_path / "a.bin", [ids[:2], ids[2:]]) == 3
    assert (tmp_path / "a.bin").read_bytes() == bytes([1, 0, 0, 0, 2, 0, 0, 0, 255, 15, 0, 0])
    assert open_shard(tmp_path / "a.bin", 4096).ids.tolist() == [1, 2, 4095]


def test_a_damaged_shard_is_refused_by_place(tmp_path: Path) -> None:
    shard = tmp_path / "a.bin"
    for content in (b"", b"\1\0\0\0\2"):
        shard.write_bytes(content)
        with pytest.raises(TrainingError, match="DATA-001"):
            open_shard(shard, 4096)
    write_shard(shard, [np.array([1, 4096, 9999], dtype=np.uint32)])
    with pytest.raises(TrainingError, match=r"token 1 has the id 4096.*4096 rows\n.*DATA-002"):
        open_shard(shard, 4096)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 9), st.lists(st.integers(5, 60), min_size=1, max_size=4))
def test_an_epoch_has_every_sequence_once_and_targets_follow(
    seed: int, length: int, sizes: list[int]
) -> None:
    sizes = [size + length for size in sizes]
    starts = np.cumsum([0, *sizes])
    shards = [tokens(np.arange(start, start + size)) for start, size in zip(starts, sizes, strict=False)]
    batches = Batches(shards, length, seed)
    seen = []
    for position in range(batches.sequences):
        row, targets = batches.batch(position, 1)
        assert (targets == row + 1).all()
        seen += row[0].tolist()
    assert len(set(seen)) == len(seen) == batches.sequences * length
    assert len(seen) == sum((size - 1) // length * length for size in sizes)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 100), st.integers(1, 7))
def test_a_batch_is_a_function_of_seed_and_position(position: int, size: int) -> None:
    shards = [tokens(np.arange(50)), tokens(np.arange(100, 130))]
    one, other = Batches(shards, 4, 3), Batches(shards, 4, 3)
    other.batch(77, 5)
    whole = one.batch(position, size)[0]
    rows = [other.batch(position + row, 1)[0][0].tolist() for row in range(size)]
    assert whole.tolist() == rows


def test_too_few_tokens_are_said(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="8 tokens"):
        Batches([tokens(range(8))], 8, 0)
    with pytest.raises(TrainingError, match="DATA-003"):
        windows_of([tokens(range(7))], 8, 4)
    (tmp_path / "empty").mkdir()
    with pytest.raises(TrainingError, match="DATA-003"):
        read(tmp_path / "empty")


def test_the_last_shard_is_held_out_whole(shards: Path) -> None:
    data = read(shards)
    assert [Path(each.name).name for each in data.training] == ["shard-0.bin", "shard-1.bin"]
    assert [Path(each.name).name for each in data.held_out] == ["shard-2.bin"]
    with pytest.raises(TrainingError, match="only shard"):
        read(shards / "shard-0.bin")


@pytest.mark.parametrize("name", ["shard-0.bin", "copy.bin"])
def test_a_held_out_shard_that_is_learnt_from_is_refused(shards: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "copy.bin").write_bytes((shards / "shard-1.bin").read_bytes())
    shard = (shards if name.startswith("shard") else tmp_path) / name
    error = UsageError if name.startswith("shard") else TrainingError
    with pytest.raises(error, match="DATA-004"):
        read(shards, shard)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 400), st.integers(0, 2 * SPAN), st.integers(0, SPAN - 1), st.integers(0, 2**32))
def test_a_span_of_held_out_tokens_is_found_wherever_it_is(
    place: int, start: int, cut: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    held_out = generator.integers(50, size=3 * SPAN, dtype=np.uint32)
    learnt = generator.integers(50, size=700, dtype=np.uint32)
    require_apart([tokens(learnt)], [tokens(held_out)])
    learnt[place : place + SPAN] = held_out[start : start + SPAN]
    learnt[[place - 1, place + SPAN]] = 99  # it is no longer than that
    said = f"tokens {start} to {start + SPAN} of some are at token {place} of some"
    with pytest.raises(TrainingError, match=said):
        require_apart([tokens(learnt)], [tokens(held_out)])
    learnt[place + cut] += 1
    require_apart([tokens(learnt)], [tokens(held_out)])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=30), min_size=2, max_size=12), st.floats(0.01, 0.9))
def test_documents_are_on_one_side(texts: list[str], share: float) -> None:
    documents = [Document(str(number), text) for number, text in enumerate(texts)]
    if len(set(texts)) < 2:
        with pytest.raises(TrainingError, match="DATA-004"):
            split(documents, share)
        return
    learnt, apart = split(documents, share)
    assert sorted(each.name for each in learnt + apart) == sorted(each.name for each in documents)
    assert learnt
    assert apart
    assert not {each.text for each in learnt} & {each.text for each in apart}


def test_text_is_read_by_documents_and_what_is_none_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "text"
    (folder / "sub").mkdir(parents=True)
    for number in range(6):
        (folder / "sub" / f"{number}.txt").write_text(f"def f{number}():\n    return {number}\n" * 9)
    (folder / ".hidden").write_bytes(b"\xff")
    data = read(folder)
    assert data.kind == "text"
    assert data.training[0].ids.size > data.held_out[0].ids.size > 20
    (folder / "picture").write_bytes(b"ab\xff\xfe")
    with pytest.raises(TrainingError, match="byte 2 is 0xff"):
        read(folder)


def test_shards_and_text_are_two_kinds(shards: Path) -> None:
    (shards / "notes.txt").write_text("text")
    with pytest.raises(TrainingError, match=r"notes\.txt"):
        read(shards)


def test_tokenize_divides_no_document(tmp_path: Path) -> None:
    folder, out = tmp_path / "text", tmp_path / "out"
    folder.mkdir()
    for number in range(8):
        (folder / f"{number}.txt").write_text(f"x{number} = {number}\n" * 20)
    tokenizer = tokenizer_in(TOKENIZER)
    report = write_shards(folder, tokenizer, out, shard_tokens=200, held_out=0.2)
    end = tokenizer.id_of(tokenizer.special["eos_token"])
    documents = 0
    for shard in [*report["training"], *report["held_out"]]:
        ids = open_shard(out / shard["file"], 4096).ids
        assert ids.size == shard["tokens"]
        assert ids[-1] == end
        documents += int((ids == end).sum())
    assert len(report["training"]) > 1
    assert documents == 8
    assert len(read(out, out / "held-out" / "shard-00000.bin").training) == len(report["training"])


def test_made_up_tokens_are_the_seeds_and_say_so() -> None:
    first, again = made_up(100, 16, 1), made_up(100, 16, 1)
    assert first.record == again.record
    assert first.kind == "synthetic"
    assert first.training[0].sha256 != made_up(100, 16, 2).training[0].sha256
    assert first.training[0].ids.max() < 100

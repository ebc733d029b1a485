from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from pathlib import Path

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from pv_runtime.errors import LoadError
from pv_runtime.formats import open_checkpoint
from pv_runtime.formats.gguf_writer import write_gguf
from pv_runtime.sentence_piece import sentence_piece
from pv_runtime.tokenizer import Tokenizer, tokenizer_of
from pv_runtime.vocabulary import Vocabulary, apr_keys, gguf_keys

HELD_OUT = Path(__file__).resolve().parents[2] / "models/heldout.txt"
TEXTS = [
    "", " ", "Hello world", "  two  blanks ", "def f(self):\n    return self.x\n", "für 日本 👋", "</s>",
    "a</s> b", "▁ ▁▁", "<0x41>", "\t\r\n", "aaaaaaa" * 9,
]  # fmt: skip


def trained() -> Vocabulary:
    """What training on a text gives, in the form that GGUF has it in: scores are ranks."""
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=700, initial_alphabet=["▁", *map(chr, range(33, 127))], show_progress=False
    )
    learnt = tokenizers.Tokenizer(tokenizers.models.BPE())
    learnt.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
    learnt.train_from_iterator([HELD_OUT.read_text(encoding="utf-8")], trainer)
    pieces = sorted(learnt.get_vocab().items(), key=lambda each: each[1])
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    types = [2, 3, 3, *[6] * 256]
    scores = [0.0] * len(tokens)
    for rank, (piece, _) in enumerate(pieces):
        tokens.append(piece)
        types.append(1)
        scores.append(float(-rank))
    ids = {"bos": 1, "eos": 2, "unknown": 0}
    return Vocabulary("llama", None, tuple(tokens), tuple(types), (), tuple(scores), ids)


TRAINED = trained()
SCORES = dict(zip(TRAINED.tokens, TRAINED.scores, strict=True))
NORMAL = {token for token, kind in zip(TRAINED.tokens, TRAINED.types, strict=True) if kind == 1}


def written(folder: Path, vocabulary: Vocabulary = TRAINED, keys: Mapping[str, object] | None = None) -> Path:
    path = folder / "x.gguf"
    write_gguf(str(path), [], {"general.architecture": "llama", **gguf_keys(vocabulary), **(keys or {})})
    return path


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return tokenizer_of(open_checkpoint(written(tmp_path_factory.mktemp("sentence-piece"))))


def joined_by_score(text: str) -> list[str]:
    """SentencePiece's rule, literally: join the neighbours of the greatest score until none make a token."""
    parts = list(("▁" + text).replace(" ", "▁")) if text else []
    while True:
        made = [(SCORES[a + b], -at) for at, (a, b) in enumerate(itertools.pairwise(parts))
                if a + b in NORMAL]  # fmt: skip
        if not made:
            break
        at = -max(made)[1]
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return [
        token
        for part in parts
        for token in ([part] if part in NORMAL else [f"<0x{byte:02X}>" for byte in part.encode()])
    ]


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from("abcdefst_.(): \n▁é日👋"), max_size=40))
def test_neighbours_are_joined_by_the_score_of_their_token(text: str) -> None:
    whole, _ = sentence_piece(TRAINED, "x")
    found = Tokenizer(whole, "x").encode(text)
    assert [TRAINED.tokens[number] for number in found] == joined_by_score(text)


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_comes_back(ours: Tokenizer, text: str) -> None:
    ids = ours.encode(text)
    assert ids[0] == 1
    assert ours.decode(ids[1:]) == text.replace("▁", " ").replace("</s> ", "</s>  ")


def test_a_blank_that_begins_is_dropped_unless_others_came_before(ours: Tokenizer) -> None:
    number = ours.id_of("▁def")
    assert number is not None
    assert ours.decode([number]) == "def"
    assert ours.stream(continues=True).feed(number) == " def"


def test_a_file_may_say_that_no_blank_is_put_before(tmp_path: Path) -> None:
    path = written(tmp_path, keys={"tokenizer.ggml.add_space_prefix": False})
    found = tokenizer_of(open_checkpoint(path))
    assert found.decode(found.encode("def x")[1:]) == "def x"
    assert found.encode(" def", begin=False) == [found.id_of("▁def")]
    assert found.encode("def", begin=False) != [found.id_of("▁def")]


def test_a_file_may_say_that_nothing_begins_a_text(tmp_path: Path) -> None:
    path = written(tmp_path, dataclasses.replace(TRAINED, add_bos=False))
    assert tokenizer_of(open_checkpoint(path)).encode("def")[0] != 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (dataclasses.replace(TRAINED, scores=()), "without scores"),
        (dataclasses.replace(TRAINED, tokens=(*TRAINED.tokens[:-1], "<s>")), "a token twice"),
        (
            dataclasses.replace(TRAINED, tokens=("a byte", "<s>", "</s>", "no byte", *TRAINED.tokens[4:])),
            "single bytes",
        ),
    ],
)
def test_what_cannot_be_a_tokenizer_is_refused(tmp_path: Path, wrong: Vocabulary, message: str) -> None:
    with pytest.raises(LoadError, match=message):
        sentence_piece(wrong, "x")
    with pytest.raises(LoadError, match=message):
        tokenizer_of(open_checkpoint(written(tmp_path, wrong)))


NO_BYTES = ["", "<0x-1>", "<0x+1>", "<0x 1>", "<0x1>", "<0xab>", "<0x100>", "<0x\u0661\u0661>", "<0x\n1>"]
"""What a lenient parser of numbers takes for a byte."""


@pytest.mark.parametrize("token", NO_BYTES)
def test_only_what_is_a_byte_is_one(tmp_path: Path, token: str) -> None:
    """A token that says so is its own text; one that is said to be a byte's is refused."""
    wrong, right = (
        dataclasses.replace(
            TRAINED,
            tokens=(*TRAINED.tokens, token),
            types=(*TRAINED.types, kind),
            scores=(*TRAINED.scores, -1e6),
        )
        for kind in (6, 1)
    )
    with pytest.raises(LoadError, match="is said to be a byte's"):
        tokenizer_of(open_checkpoint(written(tmp_path, wrong)))
    found = tokenizer_of(open_checkpoint(written(tmp_path, right)))
    number = len(TRAINED.tokens)
    assert found.decode([300, number]) == found.decode([300]) + token
    assert (found.stream(continues=True).feed(number) or "") == token


def test_apr_has_the_same_keys() -> None:
    assert apr_keys(TRAINED)["tokenizer.scores"] == TRAINED.scores


@pytest.mark.oracle
def test_llama_cpp_encodes_the_same(tmp_path: Path, ours: Tokenizer) -> None:
    llama_cpp = pytest.importorskip("llama_cpp")
    theirs = llama_cpp.Llama(str(written(tmp_path)), vocab_only=True, verbose=False)
    held_out = HELD_OUT.read_text(encoding="utf-8")
    for text in (*TEXTS, *held_out.split("\n\n")):
        assert ours.encode(text) == theirs.tokenize(text.encode(), add_bos=True, special=True)

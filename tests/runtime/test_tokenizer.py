from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from pv_runtime.errors import LoadError, ModelError
from pv_runtime.export import export
from pv_runtime.formats import open_checkpoint
from pv_runtime.formats.gguf_writer import write_gguf
from pv_runtime.tokenizer import Tokenizer, tokenizer_in, tokenizer_of

MODELS = Path(__file__).resolve().parents[2] / "models"
FOLDER = MODELS / "tiny-qwen2"
HARD = [
    "",
    " ",
    "\n\n\t  x\r\n",
    "def fib(n):\n    return n if n < 2 else fib(n - 1) + fib(n - 2)\n",
    "it's we'LL I'd 2+2=4 1234567890 ½ ٣",
    "e\u0301 é ﬁ Å \u212b",
    "日本語 한국어 العربية עברית",
    "👩‍👩‍👧‍👦 🇩🇪 \U0010ffff \ufeff \u200b\u202e",
    "<|im_start|>user\nhi<|im_end|><|endoftext|>",
    "<|im_start <|im_end|>> [PAD4095] <0x0A>",
    "\0\x01\x7f\x80",
    "a" * 300,
]
THEIRS = tokenizers.Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
OURS = tokenizer_in(FOLDER)


@pytest.fixture(scope="module", params=["folder", "gguf", "apr"])
def ours(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    """The shipped tokenizer, out of each container."""
    model, folder = open_checkpoint(FOLDER), FOLDER
    if request.param != "folder":
        output = tmp_path_factory.mktemp("exported") / f"model.{request.param}"
        export(model, str(output), request.param, folder=FOLDER)
        model, folder = open_checkpoint(output), output.parent
    return tokenizer_of(model, folder, rows=4096)


@pytest.mark.parametrize("text", HARD)
def test_hard_texts_are_encoded_and_decoded_as_by_the_library(ours: Tokenizer, text: str) -> None:
    ids = ours.encode(text)
    assert ids == THEIRS.encode(text).ids
    assert ours.decode(ids) == THEIRS.decode(ids, skip_special_tokens=False)
    assert ours.decode(ids, skip_special=True) == THEIRS.decode(ids, skip_special_tokens=True)


@settings(deadline=None)
@given(st.text())
def test_a_text_comes_back_as_its_normal_form(text: str) -> None:
    ids = OURS.encode(text)
    assert ids == THEIRS.encode(text).ids
    assert OURS.decode(ids) == THEIRS.normalizer.normalize_str(text)


@settings(deadline=None)
@given(st.lists(st.integers(0, 4095)))
def test_a_stream_says_the_same_as_the_whole_and_never_half_a_character(ids: list[int]) -> None:
    stream = OURS.stream()
    pieces = [stream.feed(number) for number in ids]
    whole = b"".join(OURS.bytes_of(number) for number in ids)
    assert "".join(pieces) + stream.end() == whole.decode("utf-8", "replace")
    assert "".join(pieces) + OURS.decode([]) == whole.decode("utf-8", "replace")[: len("".join(pieces))]


def test_a_character_of_four_bytes_appears_with_its_last_one() -> None:
    by_byte = {OURS.bytes_of(number): number for number in range(4096)}
    stream = OURS.stream()
    came = [stream.feed(by_byte[bytes([byte])]) for byte in "👋!".encode()]
    assert came == ["", "", "", "👋", "!"]
    assert stream.end() == ""


def test_a_character_that_never_ends_is_said_so() -> None:
    by_byte = {OURS.bytes_of(number): number for number in range(4096)}
    assert OURS.decode([by_byte[b"\xe2"]]) == "\ufffd"
    assert OURS.decode([by_byte[b"\xe2"], by_byte[b"a"]]) == "\ufffda"


def test_ids_without_a_token_add_nothing_and_negative_ones_are_refused() -> None:
    assert OURS.decode([4096, 10**9]) == ""
    with pytest.raises(ModelError, match="-1 is negative"):
        OURS.decode([-1])


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(ModelError, match="not valid UTF-8 at character 1"):
        OURS.encode("a\udcff")


def test_the_special_tokens_and_the_template_are_the_same_in_each_container(ours: Tokenizer) -> None:
    assert ours.special == {"eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"}
    assert ours.chat_template == OURS.chat_template is not None
    assert ours.special_ids == frozenset(range(4088, 4096))
    assert (ours.size, ours.id_of("<|im_end|>"), ours.id_of("<|nothing|>")) == (4096, 4090, None)


def test_a_tokenizer_with_more_tokens_than_the_embedding_has_rows_is_refused() -> None:
    with pytest.raises(LoadError, match="token of id 4095, and the embedding has 4000 rows"):
        tokenizer_of(open_checkpoint(FOLDER), FOLDER, rows=4000)


def test_a_model_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="carries no tokenizer"):
        tokenizer_of(open_checkpoint(FOLDER), tmp_path)
    with pytest.raises(LoadError, match="carries no tokenizer"):
        tokenizer_of(open_checkpoint(FOLDER))


def gguf_with(path: Path, **keys: object) -> Path:
    tokens = ["a", "b", "<s>"]
    metadata: dict[str, object] = {"general.architecture": "qwen2", "tokenizer.ggml.tokens": tokens}
    metadata["tokenizer.ggml.token_type"] = [1, 1, 3]
    metadata |= {f"tokenizer.ggml.{name}": value for name, value in keys.items()}
    write_gguf(str(path), [], metadata)
    return path


def test_an_unknown_split_is_refused_by_name(tmp_path: Path) -> None:
    path = gguf_with(tmp_path / "x.gguf", model="gpt2", pre="deepseek-coder")
    with pytest.raises(LoadError, match=r"split deepseek-coder\) that has no counterpart"):
        tokenizer_of(open_checkpoint(path))


@pytest.mark.parametrize(
    ("pre", "keys", "expected"),
    [
        ("gpt-2", {}, [0, 1]),
        ("gpt-2", {"add_bos_token": True}, [2, 0, 1]),
        ("llama-bpe", {}, [2, 0, 1]),
        ("llama-bpe", {"add_bos_token": False}, [0, 1]),
    ],
)
def test_a_text_begins_with_the_token_that_the_file_asks_for(
    tmp_path: Path, pre: str, keys: dict[str, object], expected: list[int]
) -> None:
    path = gguf_with(tmp_path / "x.gguf", model="gpt2", pre=pre, bos_token_id=2, **keys)
    found = tokenizer_of(open_checkpoint(path))
    assert found.encode("ab") == expected
    assert found.encode("ab", begin=False) == [0, 1]
    assert found.encode("<s>ab") == [2, 0, 1]


def sentence_piece(folder: Path, **changes: Any) -> Path:
    """A tokenizer as llama 2 has it, in small."""
    vocabulary = {"<unk>": 0, "<s>": 1, **{f"<0x{n:02X}>": n + 2 for n in range(256)}}
    for token in ("▁", "a", "b", "▁a", "▁ab", "ab"):
        vocabulary[token] = len(vocabulary)
    whole: dict[str, Any] = {
        "version": "1.0",
        "added_tokens": [
            {"id": 1, "content": "<s>", "single_word": False, "lstrip": False, "rstrip": False,
             "normalized": False, "special": True}
        ],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "▁"},
            {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
            {"type": "ByteFallback"}, {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
        "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": True, "byte_fallback": True,
                  "vocab": vocabulary, "merges": [["▁", "a"], ["a", "b"], ["▁", "ab"]]},
    }  # fmt: skip
    (folder / "tokenizer.json").write_text(json.dumps(whole | changes))
    return folder


@pytest.mark.parametrize("text", ["ab a b", " ab", "ü日👋", "", "<s>ab"])
def test_a_sentence_piece_tokenizer_is_decoded_as_by_the_library(tmp_path: Path, text: str) -> None:
    sentence_piece(tmp_path)
    ours, theirs = tokenizer_in(tmp_path), tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    ids = ours.encode(text)
    assert ids == theirs.encode(text).ids
    assert ours.decode(ids, skip_special=True) == theirs.decode(ids, skip_special_tokens=True)


def test_texts_are_never_cut_by_what_the_file_says(tmp_path: Path) -> None:
    cut = {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0}
    sentence_piece(tmp_path, truncation=cut)
    assert tokenizer_in(tmp_path).encode("abbbb") == [261, *[260] * 4]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True}}, r"decoder \(WordPiece\)"),
        ({"decoder": None}, "decoder"),
        ({"model": {"type": "Nonsense"}}, r"tokenizer \(Nonsense\) that is not known"),
        ({"model": 7}, "not known here"),
        ({"model": {"type": "BPE", "vocab": 7}}, "no tokenizer that can be read"),
        ({"decoder": {"type": "Sequence", "decoders": 7}}, "decoder"),
        ({"model": {"type": "BPE", "end_of_word_suffix": "</w>"}}, "with a end_of_word_suffix"),
        ({"model": {"type": "BPE", "vocab": {"a": 2**32 - 1}, "merges": []}}, "no vocabulary is so large"),
        (
            {
                "model": {
                    "type": "BPE",
                    "vocab": {"a": 0, "b": 1, "ab": 2},
                    "merges": [["a", "b"]],
                    "continuing_subword_prefix": "a",  # aborts the process, if the library sees it
                }
            },
            "with a continuing_subword_prefix",
        ),
    ],
)
def test_a_tokenizer_of_another_kind_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(LoadError, match=message):
        tokenizer_in(sentence_piece(tmp_path, **change))


def places(whole: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = whole.items() if isinstance(whole, dict) else enumerate(whole) if isinstance(whole, list) else ()
    return [*([before] if before else []), *(p for key, part in inner for p in places(part, (*before, key)))]


WRONG: list[Any] = [
    None, 0, -1, 2**32 - 1, 2**32, 10**30, 1.5, "", "a", "\udcff", "<0xZZ>", [], {}, [[]], True, ["a"] * 3,
    "ByteLevel", {"type": "Strip"}, {"type": "ByteLevel"}, {"Regex": "("},
]  # fmt: skip


@settings(deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_refused_or_read_and_nothing_else(data: st.DataObject) -> None:
    whole = json.loads((FOLDER / "tokenizer.json").read_text(encoding="utf-8"))
    first = sorted(whole["model"]["vocab"].items(), key=lambda each: each[1])[:260]
    whole["model"] |= {"vocab": dict(first), "merges": whole["model"]["merges"][:3]}
    whole["added_tokens"] = [each | {"id": 260 + n} for n, each in enumerate(whole["added_tokens"])]
    damaged = [
        place for place in places(whole) if place[:2] != ("model", "vocab") or place[2:] in {(), ("a",)}
    ]
    *path, last = data.draw(st.sampled_from(damaged))
    part = whole
    for key in path:
        part = part[key]
    part[last] = data.draw(st.sampled_from(WRONG))
    try:
        found = Tokenizer(whole, "x")
        found.decode(found.encode("it's <|im_start|> é\n"))
    except (LoadError, ModelError):
        pass


def test_a_list_of_templates_has_a_default(tmp_path: Path) -> None:
    sentence_piece(tmp_path)
    templates = [{"name": "tools", "template": "T"}, {"name": "default", "template": "D"}]
    (tmp_path / "tokenizer_config.json").write_text(
        json.dumps({"chat_template": templates, "eos_token": {"content": "<s>"}, "bos_token": None})
    )
    found = tokenizer_in(tmp_path)
    assert (found.chat_template, found.special) == ("D", {"eos_token": "<s>"})


def test_a_missing_or_broken_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="cannot be read"):
        tokenizer_in(tmp_path)
    for text in ("[]", "{", "\xff"):
        (tmp_path / "tokenizer.json").write_text(text)
        with pytest.raises(LoadError):
            tokenizer_in(tmp_path)


@pytest.mark.oracle
@pytest.mark.filterwarnings("default")
def test_llama_cpp_encodes_and_decodes_the_same(tmp_path: Path) -> None:
    llama_cpp = pytest.importorskip("llama_cpp")
    export(open_checkpoint(FOLDER), str(tmp_path / "x.gguf"), "gguf", folder=FOLDER)
    theirs = llama_cpp.Llama(str(tmp_path / "x.gguf"), vocab_only=True, verbose=False)
    ours = tokenizer_of(open_checkpoint(tmp_path / "x.gguf"))
    held_out = (MODELS / "heldout.txt").read_text(encoding="utf-8")
    # It does not bring text into its normal form, and a NUL ends a text there.
    texts = [text for text in HARD if text == THEIRS.normalizer.normalize_str(text) and "\0" not in text]
    assert len(texts) > 8
    for text in (*texts, *held_out[:20_000].split("\n\n")):
        ids = ours.encode(text)
        assert ids == theirs.tokenize(text.encode(), add_bos=False, special=True)
        # llama-cpp-python drops a token of more than 32 bytes, the size of its buffer.
        ids = [number for number in ids if len(ours.bytes_of(number)) <= 32]
        assert ours.decode(ids) == theirs.detokenize(ids, special=True).decode("utf-8", "replace")

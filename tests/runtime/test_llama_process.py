from __future__ import annotations

import random
import struct
import unicodedata
from pathlib import Path

import pytest
from pv_runtime.build_export import exported_gguf, quantised_apr
from pv_runtime.convert import convert
from pv_runtime.formats import open_checkpoint
from pv_runtime.llama_process import generate, installed, tokenise

MODEL = Path(__file__).parents[2] / "models/tiny-qwen2"

HARD = [
    "", " ", "  ", " a", "  a", "\n", "\r\n", "\r", "\n\n\n  x", "a\n b", "   \n   \n", " \r\n\r\n x",
    "\t\tx = 1\n\n\n", "def fib(n):\n    return n if n < 2 else fib(n - 1) + fib(n - 2)\n",
    "x" * 300, " " * 130,
    "I'm you'RE they'LL it'S 'tis d'être", "1234567 3.14e-10 0x1F ²³ ½ ٣٤ Ⅷ", "naïve déjà", "\u0301x",
    "日本語とEnglish混ぜ", "한국어", "العربية עברית", "नमस्ते ก็ไทย", "ﷺ", "\U00010348 \U0001d4d0",
    "👩\u200d👩\u200d👧\u200d👦 🇩🇪 👍🏽 🧑", "\u00a0x\u3000y\u2003z\u200bw\ufeffv",
    "\u2028a\u2029b\x85c\x0bd\x0ce",
    "a\x00b\x01c\x7f", "\ue000 \U000f0000 \u0378", "\ufffd", "<|endoftext|>",
    "x<|im_start|>user\nhi<|im_end|>\n",
    "<|endoftext|><|endoftext|> a", "<|not_special|> <|im_start", "'\u017f 'S 'K İstanbul \u017fs ß ẞ ﬁ",
    "…—\u2013“”\u2018\u2019", "!!!??? ((( )))[]{}", "a  b   c    d     ",
    "_a__b___ snake_case camelCase HTTPServer",
    "https://example.org/a?b=c&d=%20#e",
]  # fmt: skip
"""Where splits and pairs of bytes differ: blanks, contractions, digits, marks, scripts, special tokens."""

POOLS = [
    "abcXYZ '\n\r\t 019_.,!?<>|", "éß\u017fİ\u0131ǅ\u2019'sStT", "\u0301\u200d\ufe0f👍👩日한नก",
    "".join(map(chr, range(0x20))), "\u00a0\u2003\u3000\u1680\u2028\x85 \n",
]  # fmt: skip


def strings(count: int) -> list[str]:
    """Random strings of characters that are hard, and of any."""
    generator = random.Random(20)
    made = []
    for _ in range(count):
        pool = "".join(generator.sample(POOLS, generator.randint(1, 3)))
        made.append("".join(generator.choice(pool) for _ in range(generator.randint(1, 24))))
        planes = [(0x20, 0x250), (0x20, 0x3000), (0x1F000, 0x1FB00), (0x20, 0x21)]
        drawn = [generator.choice(planes) for _ in range(generator.randint(1, 10))]
        made.append("".join(chr(generator.randrange(*plane)) for plane in drawn))
    return made


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> str:
    if not installed():
        pytest.skip("llama-cpp-python is not installed; where it may be built: make oracles")
    folder = tmp_path_factory.mktemp("exported")
    quantised_apr(str(MODEL), str(folder / "x.apr"), quantisation="q8_0")
    exported_gguf(str(folder / "x.apr"), str(folder / "x.gguf"))
    return str(folder / "x.gguf")


@pytest.mark.oracle
def test_it_encodes_as_tokenizers_does(exported: str) -> None:
    """By way of APR, so that both formats carry the tokenizer; text is NFC, which llama.cpp leaves to us."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
    texts = [unicodedata.normalize("NFC", text) for text in [*HARD, *strings(1000)]]
    for text, (ids, back) in zip(texts, tokenise(exported, texts), strict=True):
        assert ids == tokenizer.encode(text, add_special_tokens=False).ids, ascii(text)
        assert back == text.encode(), ascii(text)


@pytest.mark.oracle
def test_it_does_not_normalise_and_tokenizers_does(exported: str) -> None:
    """A limit of llama.cpp, which no key of GGUF lifts: whoever hands it text must normalise it before."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
    apart, together = "e\u0301", "\u00e9"
    (as_given, back), (composed, _) = tokenise(exported, [apart, together])
    ours = tokenizer.encode(apart, add_special_tokens=False).ids
    assert composed == ours
    assert as_given != ours
    assert back == apart.encode()


@pytest.mark.oracle
def test_special_tokens_are_the_ones_of_the_model(exported: str) -> None:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
    added = [f"<|{name}|>" for name in ("endoftext", "im_start", "im_end")]
    assert [ids for ids, _ in tokenise(exported, added)] == [[tokenizer.token_to_id(each)] for each in added]


@pytest.mark.oracle
def test_it_generates_the_likeliest_tokens_each_time(exported: str) -> None:
    first, second = (generate(exported, "def fib(n):", 6) for _ in range(2))
    assert first.exit_code == 0, first.message
    assert first == second
    assert len(first.tokens) == 6
    assert first.odd_logits == 0
    assert first.version


@pytest.mark.oracle
def test_a_file_that_may_end_it_by_a_signal_is_no_end_of_ours(exported: str, tmp_path: Path) -> None:
    """No heads, by which it divides; whether it notices before depends on its version."""
    raw = Path(exported).read_bytes()
    key = b"qwen2.attention.head_count"
    at = raw.index(struct.pack("<Q", len(key)) + key) + 8 + len(key) + 4
    (tmp_path / "x.gguf").write_bytes(raw[:at] + struct.pack("<I", 0) + raw[at + 4 :])
    ended = generate(str(tmp_path / "x.gguf"), "x", 4)
    assert ended.exit_code != 0
    assert ended.tokens == ()


@pytest.mark.oracle
def test_every_quantisation_generates(exported: str, tmp_path: Path) -> None:
    del exported
    for quantisation in ("q4_k", "q5_k", "q6_k", "bf16", "f32"):
        path = str(tmp_path / f"{quantisation}.gguf")
        convert(open_checkpoint(MODEL), path, quantisation, folder=MODEL)
        made = generate(path, "import ", 4)
        assert (made.exit_code, len(made.tokens), made.odd_logits) == (0, 4, 0), (quantisation, made.message)


def test_what_is_not_there_is_an_exit_code_and_a_message(tmp_path: Path) -> None:
    ended = generate(str(tmp_path / "absent.gguf"), "x", 4)
    assert ended.exit_code == 1
    assert ended.tokens == ()
    assert ended.message
    with pytest.raises(RuntimeError, match=r"ended with 1 on .*absent\.gguf"):
        tokenise(str(tmp_path / "absent.gguf"), ["x"])


def test_it_does_not_take_longer_than_it_may(tmp_path: Path) -> None:
    ended = generate(str(tmp_path / "absent.gguf"), "x", 4, timeout_seconds=0.001)
    assert (ended.exit_code, ended.message) == (124, "it took longer than 0.001 s")

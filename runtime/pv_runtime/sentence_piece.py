"""SentencePiece's byte-pair encoding, as GGUF carries it: tokens with scores and no merges.

SentencePiece joins, of all neighbours that make a token, those whose token has the greatest score, the
leftmost first (Kudo and Richardson 2018). Byte-pair encoding by a list of merges does the same, if the list
has every pair that makes a token, in the order of the tokens' scores.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pv_runtime.errors import LoadError
from pv_runtime.tokenizer_files import config_of_vocabulary
from pv_runtime.vocabulary import CONTROL, NORMAL, USER_DEFINED, Vocabulary

__all__ = ["sentence_piece", "without_first_blank"]

UNKNOWN, BYTE = 2, 6
"""Further kinds of tokens, as llama.cpp numbers them."""

_BLANK = "\u2581"
_STRIP = {"type": "Strip", "content": " ", "start": 1, "stop": 0}
_PREPEND = {"type": "Prepend", "prepend": _BLANK}


def sentence_piece(vocabulary: Vocabulary, path: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what tokenizer.json and tokenizer_config.json hold.

    Raises
    ------
    LoadError
        There are no scores, two tokens are alike, a token is said to be a byte's and is none, or some bytes
        have no token: then a text may have characters that cannot be said.
    """
    if len(vocabulary.scores) != len(vocabulary.tokens):
        raise LoadError("is a SentencePiece tokenizer without scores", path)
    numbers = {token: number for number, token in enumerate(vocabulary.tokens)}
    if len(numbers) != len(vocabulary.tokens):
        raise LoadError("is a SentencePiece tokenizer that has a token twice", path)
    single = {f"<0x{byte:02X}>" for byte in range(256)}
    if not single <= set(numbers):
        raise LoadError("is a SentencePiece tokenizer that lacks tokens of single bytes", path)
    bytes_said = (
        token for token, kind in zip(vocabulary.tokens, vocabulary.types, strict=True) if kind == BYTE
    )
    odd = next((token for token in bytes_said if token not in single), None)
    if odd is not None:
        raise LoadError(f"is a SentencePiece tokenizer whose token {odd[:40]!r} is said to be a byte's", path)
    added = [
        {"id": number, "content": token, "single_word": False, "lstrip": False, "rstrip": False,
         "normalized": False, "special": kind == CONTROL}
        for token, number in numbers.items() if (kind := vocabulary.types[number]) in {CONTROL, USER_DEFINED}
    ]  # fmt: skip
    unknown = [token for token, number in numbers.items() if vocabulary.types[number] == UNKNOWN]
    whole = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": {"type": "Sequence", "normalizers": [
            _PREPEND, {"type": "Replace", "pattern": {"String": " "}, "content": _BLANK}
        ]},
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": _BLANK}, "content": " "},
            {"type": "ByteFallback"}, {"type": "Fuse"}, _STRIP,
        ]},
        "model": {
            "type": "BPE", "dropout": None, "unk_token": unknown[0] if unknown else None,
            "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": True,
            "byte_fallback": True, "ignore_merges": False,
            "vocab": numbers,
            "merges": [list(pair) for pair in _merges(vocabulary, numbers)],
        },
    }  # fmt: skip
    return whole, config_of_vocabulary(vocabulary)


def _merges(vocabulary: Vocabulary, numbers: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """Yield each pair of tokens that makes a token, that of the greatest score first."""
    joined = {token for token, number in numbers.items() if vocabulary.types[number] == NORMAL}
    for token in sorted(joined, key=lambda each: (-vocabulary.scores[numbers[each]], numbers[each])):
        pairs = ((token[:at], token[at:]) for at in range(1, len(token)))
        yield from (pair for pair in pairs if pair[0] in joined and pair[1] in joined)


def without_first_blank(whole: Mapping[str, Any]) -> dict[str, Any]:
    """Return `whole` of a tokenizer that puts no blank before a text, and takes none away."""
    normalizers = [each for each in whole["normalizer"]["normalizers"] if each != _PREPEND]
    decoders = [each for each in whole["decoder"]["decoders"] if each != _STRIP]
    return {
        **whole,
        "normalizer": {**whole["normalizer"], "normalizers": normalizers},
        "decoder": {**whole["decoder"], "decoders": decoders},
    }

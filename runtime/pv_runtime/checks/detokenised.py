"""Text to tokens and back: every byte of a corpus must come out as it went in."""

from __future__ import annotations

import dataclasses
import random
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path

from pv.check import Metric, Run, check
from pv_runtime.formats import Checkpoint, FileBytes
from pv_runtime.tokenizer import tokenizer_of

__all__ = ["Codec", "detokenised"]


@dataclasses.dataclass(frozen=True)
class Codec:
    """The two directions of a tokenizer; the role in which defects are planted."""

    encode: Callable[[str], list[int]]
    decode: Callable[[Sequence[int]], str]


@check(
    metrics=[
        Metric("documents", unit="1", kind="count"),
        Metric("expected_documents", unit="1", kind="count"),
        Metric("differing_bytes", unit="1", kind="count"),
        Metric("bytes_read", unit="1", kind="count"),
        Metric("tokens", unit="1", kind="count"),
        Metric("ids_without_row", unit="1", kind="count"),
    ]
)
def detokenised(run: Run, *, model: Checkpoint, text: FileBytes, others: Sequence[str]) -> None:
    """Encode and decode each document of `text`, and each of `others`, by the tokenizer of `model`.

    A document is what stands between two blank lines; `expected_documents` counts those of the undamaged
    text. `differing_bytes` is, of each document, the bytes of UTF-8 that are not what they were, one that is
    lost or added among them; `ids_without_row` counts ids that the embedding has no row for.
    """
    tokenizer = tokenizer_of(model, Path(model.path).parent)

    def encoded(document: str) -> list[int]:
        return tokenizer.encode(document, begin=False)

    codec: Codec = run.role("codec", Codec(encoded, tokenizer.decode))
    rows = model.info("model.embed_tokens.weight").shape[0]
    documents = [*_documents(text), *others]
    run.record("expected_documents", len(_documents(run.undamaged("text"))) + len(others))
    read = tokens = without_row = 0
    for place, document in enumerate(run.progress(documents, len(documents))):
        ids = codec.encode(document)
        before, after = document.encode(), codec.decode(ids).encode()
        run.record("differing_bytes", _differing(before, after), label=f"document {place}")
        read, tokens = read + len(before), tokens + len(ids)
        without_row += sum(not 0 <= number < rows for number in ids)
    run.record("documents", len(documents))
    run.record("bytes_read", read)
    run.record("tokens", tokens)
    run.record("ids_without_row", without_row)


def _documents(text: FileBytes) -> list[str]:
    whole = text.read(0, text.size).tobytes().decode(errors="ignore")
    return [document for document in whole.split("\n\n") if document]


def _differing(before: bytes, after: bytes) -> int:
    unequal = sum(one != other for one, other in zip(before, after, strict=False))
    return unequal + abs(len(before) - len(after))


def _decoding(codec: Codec, decode: Callable[[Sequence[int]], str]) -> Codec:
    return dataclasses.replace(codec, decode=decode)


@detokenised.counter_example("first_blank_lost", of="codec")
def first_blank_lost(codec: Codec) -> Codec:
    """Leave out the blank that a text begins with, as decoders of SentencePiece do."""
    return _decoding(codec, lambda ids: codec.decode(ids).removeprefix(" "))


@detokenised.counter_example("blanks_tidied_up", of="codec")
def blanks_tidied_up(codec: Codec) -> Codec:
    """Take the blank before a full stop away, as clean_up_tokenization_spaces does."""
    return _decoding(codec, lambda ids: codec.decode(ids).replace(" .", "."))


@detokenised.counter_example("compatible_forms", of="codec")
def compatible_forms(codec: Codec) -> Codec:
    """Normalise to NFKC: a ligature becomes two letters."""
    return dataclasses.replace(
        codec, encode=lambda document: codec.encode(unicodedata.normalize("NFKC", document))
    )


@detokenised.counter_example("token_by_token", of="codec")
def token_by_token(codec: Codec) -> Codec:
    """Decode each token alone: a character of several tokens falls to pieces."""
    return _decoding(codec, lambda ids: "".join(codec.decode([number]) for number in ids))


@detokenised.counter_example("first_half_only", of="text")
def first_half_only(text: FileBytes) -> FileBytes:
    """Read the first half of the text: all of it comes out as it went in."""
    return text.cut(text.size // 2)


@detokenised.dose("lost_tokens", of="codec")
def lost_tokens(codec: Codec, amount: int, place: int) -> Codec:
    """Lose one token of each of so many documents, from one on that the place tells."""
    chance = random.Random(f"lost tokens {place}")  # noqa: S311  places, no secret
    first, seen = chance.randrange(40), 0

    def losing(ids: Sequence[int]) -> str:
        nonlocal seen
        seen += 1
        if not first < seen <= first + amount or not ids:
            return codec.decode(ids)
        lost = chance.randrange(len(ids))
        return codec.decode([*ids[:lost], *ids[lost + 1 :]])

    return _decoding(codec, losing)

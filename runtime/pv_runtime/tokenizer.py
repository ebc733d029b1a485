"""Text to token ids and back, by the tokenizer that a model carries.

Encoding is that of the ``tokenizers`` library. Decoding joins the tokens' bytes, so that a stream of
tokens can be decoded as it comes: a character of several bytes appears when its last byte does.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import tokenizers

from pv_runtime.errors import LoadError, ModelError
from pv_runtime.formats import Checkpoint
from pv_runtime.sentence_piece import sentence_piece, without_first_blank
from pv_runtime.tokenizer_files import chat_template as chat_template_in
from pv_runtime.tokenizer_files import objects_of, read_json
from pv_runtime.vocabulary import apr_vocabulary, gguf_vocabulary

__all__ = ["SPECIAL_NAMES", "TextStream", "Tokenizer", "require_rows", "tokenizer_in", "tokenizer_of"]

SPECIAL_NAMES = ("bos_token", "eos_token", "unk_token", "pad_token")
"""Names that tokenizer_config.json has for special tokens, and that chat templates ask for."""

_BYTE_TOKEN = re.compile(r"<0x([0-9A-F]{2})>")
_BLANK = "\u2581"
_MOST_IDS = 1 << 24
_BOS_UNLESS_TOLD = ("llama-bpe",)
"""Splits of llama.cpp whose texts begin with the bos token where the file does not say (llama-vocab.cpp)."""


class Tokenizer:
    """A vocabulary that encodes and decodes.

    Parameters
    ----------
    whole
        What tokenizer.json holds.
    path
        The file that it is out of, for messages.
    special
        Special tokens by the names of `SPECIAL_NAMES`, those that there are.
    begins_with
        A token that begins every text, beside what tokenizer.json's post-processor says.
    chat_template
        A Jinja template.

    Raises
    ------
    LoadError
        It is no tokenizer.json, or of a kind whose tokens have no bytes of their own.
    """

    def __init__(
        self,
        whole: Mapping[str, Any],
        path: str,
        *,
        special: Mapping[str, str] | None = None,
        begins_with: int | None = None,
        chat_template: str | None = None,
    ) -> None:
        self._tokenizer = _built(whole, path)
        # A file may say that texts are cut or filled up; what a model is asked must arrive whole.
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self.path = path
        self.special = dict(special or {})
        self.chat_template = chat_template
        self._begins_with = begins_with
        added = {each["id"]: each for each in whole.get("added_tokens") or []}
        self.special_ids = frozenset(number for number, each in added.items() if each.get("special"))
        self._bytes = _bytes_of(self._tokenizer.get_vocab(with_added_tokens=True), added, whole, path)
        self.drops_first_blank = _strips_first_blank(whole)

    @property
    def size(self) -> int:
        """One more than the greatest id."""
        return len(self._bytes)

    def encode(self, text: str, *, begin: bool = True) -> list[int]:
        """Return the ids of `text`; special tokens in it are recognised.

        Parameters
        ----------
        text
            May be empty, and may then have no tokens.
        begin
            Whether tokens that begin or end every text are added, where the tokenizer has such.

        Raises
        ------
        ModelError
            The text has no UTF-8 form: it was made of bytes that are none.
        """
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ModelError(f"the text is not valid UTF-8 at character {error.start}") from error
        try:
            ids: list[int] = self._tokenizer.encode(text, add_special_tokens=begin).ids
        except Exception as error:  # it raises nothing narrower
            raise ModelError(f"the tokenizer has no answer for the text: {error}") from error
        first = self._begins_with
        return [first, *ids] if begin and first is not None and ids[:1] != [first] else ids

    def decode(self, ids: Iterable[int], *, skip_special: bool = False) -> str:
        """Return the text of `ids`; bytes that are no UTF-8 become U+FFFD.

        Raises
        ------
        ModelError
            An id is negative.
        """
        stream = self.stream(skip_special=skip_special)
        return "".join(stream.feed(number) for number in ids) + stream.end()

    def stream(self, *, skip_special: bool = False, continues: bool = False) -> TextStream:
        """Return a decoder that takes ids one by one.

        Parameters
        ----------
        skip_special
            Whether special tokens add nothing.
        continues
            Whether other tokens came before: a blank at the beginning is then one of the text.
        """
        return TextStream(self, skip_special=skip_special, continues=continues)

    def bytes_of(self, number: int) -> bytes:
        """Return what the token adds to a text; nothing for a row of the embedding without a token."""
        if number < 0:
            raise ModelError(f"token id {number} is negative")
        return self._bytes[number] if number < len(self._bytes) else b""

    def id_of(self, token: str) -> int | None:
        """Return the id of the token of this spelling, if there is one."""
        found: int | None = self._tokenizer.token_to_id(token)
        return found


class TextStream:
    """Decodes tokens as they come, and never emits a part of a character."""

    def __init__(self, tokenizer: Tokenizer, *, skip_special: bool = False, continues: bool = False) -> None:
        self._tokenizer = tokenizer
        self._skipped = tokenizer.special_ids if skip_special else frozenset()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._at_start = tokenizer.drops_first_blank and not continues

    def feed(self, number: int) -> str:
        """Return the characters that the token completes; often none, sometimes several."""
        if number in self._skipped:
            return ""
        piece = self._tokenizer.bytes_of(number)
        if self._at_start and piece:
            self._at_start = False
            piece = piece.removeprefix(b" ")
        return self._decoder.decode(piece)

    def end(self) -> str:
        """Return what is left: U+FFFD for a character that was never completed."""
        return self._decoder.decode(b"", final=True)


def _built(whole: Mapping[str, Any], path: str) -> tokenizers.Tokenizer:
    """Hand tokenizer.json to the library.

    Raises
    ------
    LoadError
        It cannot read it.
    """
    _refuse(whole, path)
    try:
        return tokenizers.Tokenizer.from_str(json.dumps(whole))
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # it raises nothing narrower; where it panics, not even an Exception
        raise LoadError(f"is no tokenizer that can be read: {error}", path) from error


def tokenizer_of(model: Checkpoint, folder: Path | None = None, *, rows: int | None = None) -> Tokenizer:
    """Return the model's tokenizer: the one in its metadata, or in the folder that it lies in.

    Parameters
    ----------
    model
        Of any format.
    folder
        Where tokenizer.json may lie.
    rows
        Rows of the embedding, to hold the tokenizer's ids against.

    Raises
    ------
    LoadError
        There is none; it is of a kind that is not read here; or it has ids that the embedding has no
        rows for, so that some texts could not be computed.
    """
    found = _carried(model)
    if found is None and folder is not None and (folder / "tokenizer.json").is_file():
        found = tokenizer_in(folder)
    if found is None:
        raise LoadError("carries no tokenizer", model.path, "name the folder that holds its tokenizer.json")
    return found if rows is None else require_rows(found, rows)


def require_rows(tokenizer: Tokenizer, rows: int) -> Tokenizer:
    """Return `tokenizer`, if an embedding of `rows` has one for each of its tokens.

    Raises
    ------
    LoadError
        It has not.
    """
    if tokenizer.size > rows:
        raise LoadError(
            f"has a token of id {tokenizer.size - 1}, and the embedding has {rows} rows",
            tokenizer.path,
            "the tokenizer is another model's, or the embedding was cut",
        )
    return tokenizer


def tokenizer_in(folder: Path) -> Tokenizer:
    """Read tokenizer.json, and tokenizer_config.json beside it.

    Raises
    ------
    LoadError
        A file is missing or broken.
    """
    file = folder / "tokenizer.json"
    whole = read_json(file)
    config = read_json(folder / "tokenizer_config.json", missing={})
    named = {name: _content(config.get(name)) for name in SPECIAL_NAMES}
    return Tokenizer(
        whole,
        str(file),
        special={name: token for name, token in named.items() if token is not None},
        chat_template=chat_template_in(folder, config),
    )


def _content(token: object) -> str | None:
    content = token.get("content") if isinstance(token, Mapping) else token
    return content if isinstance(content, str) else None


def _carried(model: Checkpoint) -> Tokenizer | None:
    readers = {"gguf": gguf_vocabulary, "apr": apr_vocabulary}
    if model.format not in readers or (found := readers[model.format](model.metadata, model.path)) is None:
        return None
    pieces = found.model == "llama"
    try:
        whole, config = sentence_piece(found, model.path) if pieces else objects_of(found, model.path)
    except LoadError as error:
        raise LoadError(error.what, model.path, "name a folder that holds its tokenizer.json") from error
    if pieces and model.metadata.get("tokenizer.ggml.add_space_prefix") is False:
        whole = without_first_blank(whole)
    begins = found.add_bos if found.add_bos is not None else pieces or found.pre in _BOS_UNLESS_TOLD
    return Tokenizer(
        whole,
        model.path,
        special={name: config[name] for name in SPECIAL_NAMES if name in config},
        begins_with=found.ids.get("bos") if begins else None,
        chat_template=found.chat_template,
    )


def _bytes_of(
    tokens: Mapping[str, int], added: Mapping[int, Mapping[str, Any]], whole: Mapping[str, Any], path: str
) -> list[bytes]:
    """Return the bytes of each token by id; empty for ids without a token.

    Raises
    ------
    LoadError
        An id is absurd.
    """
    most = max(tokens.values(), default=-1)
    if most >= _MOST_IDS:
        raise LoadError(f"has a token of id {most}, and no vocabulary is so large", path)
    byte_level = _kinds(whole) == {"ByteLevel"}
    # What stands for no byte must not pass for one: such a token is its own text.
    table = {**dict.fromkeys(range(256), 0xFFFF), **{ord(c): byte for byte, c in _alphabet().items()}}
    found = [b""] * (most + 1)
    for token, number in tokens.items():
        if number in added:
            found[number] = str(added[number]["content"]).encode()
        elif not byte_level:
            match = _BYTE_TOKEN.fullmatch(token)
            found[number] = bytes.fromhex(match[1]) if match else token.replace(_BLANK, " ").encode()
        else:
            try:
                found[number] = token.translate(table).encode("latin-1")
            except UnicodeEncodeError:
                found[number] = token.encode()
    return found


def _refuse(whole: Mapping[str, Any], path: str) -> None:
    """Refuse what is not known here.

    Raises
    ------
    LoadError
        It is no byte-pair encoding, or its decoder is neither that of byte-level BPE nor that of
        SentencePiece; or it has a prefix or suffix of parts of words, which neither has, and over which
        the library can end the process, as it can over a merge that makes no token.
    """
    model = whole.get("model")
    kind = model.get("type", "BPE") if isinstance(model, Mapping) else None
    if not isinstance(model, Mapping) or kind != "BPE":
        raise LoadError(f"is a tokenizer ({kind}) that is not known here; known is BPE", path)
    if odd := [key for key in ("continuing_subword_prefix", "end_of_word_suffix") if model.get(key)]:
        raise LoadError(f"is a tokenizer with a {odd[0]}, which is not known here", path)
    if (missing := _missing(model)) is not None:
        raise LoadError(f"has merges that make {missing!r}, which is no token of it", path)
    kinds = _kinds(whole)
    if kinds != {"ByteLevel"} and not kinds & {"Metaspace", "ByteFallback"}:
        raise LoadError(
            f"is a tokenizer whose decoder ({', '.join(sorted(kinds))}) is not known here; known are "
            "those of byte-level BPE and of SentencePiece",
            path,
        )


def _missing(model: Mapping[str, Any]) -> str | None:
    """Return what a merge makes and the vocabulary lacks: the library panics over it."""
    vocabulary, merges = model.get("vocab"), model.get("merges")
    if not isinstance(vocabulary, Mapping) or not isinstance(merges, list):
        return None  # the library says so itself
    for merge in merges:
        parts = merge.split(" ") if isinstance(merge, str) else merge
        if isinstance(parts, list) and all(isinstance(part, str) for part in parts):
            made = "".join(parts)
            if made not in vocabulary:
                return made
    return None


def _kinds(whole: Mapping[str, Any]) -> set[str]:
    return {str(step.get("type")) for step in _steps(whole.get("decoder"))}


def _alphabet() -> dict[int, str]:
    """Byte to the character that stands for it in byte-level BPE.

    Printable Latin-1 stands for itself, the others for the characters from U+0100 on (Radford et al. 2019).
    """
    own = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in set(own)]
    return {**{byte: chr(byte) for byte in own}, **{byte: chr(256 + n) for n, byte in enumerate(others)}}


def _strips_first_blank(whole: Mapping[str, Any]) -> bool:
    steps = _steps(whole.get("decoder"))
    return any(
        (step.get("type") == "Strip" and step.get("start"))
        or (step.get("type") == "Metaspace" and step.get("prepend_scheme", "always") != "never")
        for step in steps
    )


def _steps(part: object) -> Sequence[Mapping[str, Any]]:
    if not isinstance(part, Mapping):
        return []
    if part.get("type") != "Sequence":
        return [part]
    several = part.get("decoders")
    return [each for each in several if isinstance(each, Mapping)] if isinstance(several, list) else []

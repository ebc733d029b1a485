"""Hugging Face's tokenizer.json and tokenizer_config.json, to and from a `Vocabulary`.

Only byte-level BPE with a split that llama.cpp has a name for is translated: what it encodes is then
the same on both sides. Another tokenizer is refused by name rather than nearly right.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from pv_runtime.errors import LoadError
from pv_runtime.vocabulary import CONTROL, NORMAL, UNUSED, USER_DEFINED, Vocabulary

__all__ = [
    "FILES",
    "IDS",
    "chat_template",
    "config_of_vocabulary",
    "content_of",
    "files_of",
    "folder_vocabulary",
    "objects_of",
    "read_json",
    "split_of",
]

FILES = ("tokenizer.json", "tokenizer_config.json")
_MAX_FILE = 64 << 20
_MAX_VALUES = 1 << 22
"""Twice those of 262,144 tokens with half a million merges: the memory that hostile JSON may cost."""

_CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
SPLITS: dict[str, str | None] = {
    "qwen2": _CONTRACTIONS + _REST,
    "llama-bpe": _CONTRACTIONS + "{1,3}" + _REST,
    "gpt-2": None,
}
"""llama.cpp's name of a split, and the expression; None is the one inside tokenizers' ByteLevel."""

IDS = {"bos": "bos_token", "eos": "eos_token", "padding": "pad_token", "unknown": "unk_token"}
"""Our names of the special tokens, and tokenizer_config.json's."""


def folder_vocabulary(folder: Path, size: int) -> Vocabulary | None:
    """Read the tokenizer of a model's folder; None where it has no tokenizer.json.

    Parameters
    ----------
    folder
        Where tokenizer.json lies.
    size
        Rows of the embedding: ids without a token are filled up as llama.cpp's converter does it.

    Raises
    ------
    LoadError
        A file is broken, or the tokenizer is of a kind that is not translated.
    """
    file = folder / "tokenizer.json"
    if not file.is_file():
        return None
    try:
        return _read(folder, file, size)
    except (AttributeError, KeyError, TypeError) as error:
        raise LoadError(f"does not have the shape of a tokenizer: {error!r}", file) from error


def _read(folder: Path, file: Path, size: int) -> Vocabulary:
    whole, config = read_json(file), read_json(folder / "tokenizer_config.json", missing={})
    model = _mapping(whole.get("model"), file)
    split = split_of(whole, model, file)
    by_id = {number: token for token, number in _mapping(model.get("vocab"), file).items()}
    kinds: dict[int, int] = {}
    for added in whole.get("added_tokens") or []:
        by_id[added["id"]] = added["content"]
        kinds[added["id"]] = CONTROL if added.get("special") else USER_DEFINED
    if not all(type(number) is int and 0 <= number < size for number in by_id):
        raise LoadError(f"has token ids outside the embedding's {size} rows", file)
    if not all(isinstance(token, str) for token in by_id.values()):
        raise LoadError("has a token that is no text", file)
    tokens = tuple(by_id.get(number, f"[PAD{number}]") for number in range(size))
    types = tuple(kinds.get(number, NORMAL) if number in by_id else UNUSED for number in range(size))
    numbers = {token: number for number, token in by_id.items()}
    _require_one_id_each(tokens, file)
    named = {name: content_of(config.get(key)) for name, key in IDS.items()}
    return Vocabulary(
        "gpt2",
        split,
        tokens,
        types,
        tuple(_merge(pair, file) for pair in model.get("merges") or []),
        ids={name: numbers[token] for name, token in named.items() if token in numbers},
        add_bos=config["add_bos_token"] if isinstance(config.get("add_bos_token"), bool) else None,
        chat_template=chat_template(folder, config),
    )


def _require_one_id_each(tokens: Sequence[str], path: str | Path) -> None:
    """Refuse a token with two ids: tokenizer.json holds one for each, and the other would be lost."""
    if len(set(tokens)) < len(tokens):
        twice = next(token for token, count in Counter(tokens).items() if count > 1)
        raise LoadError(f"has the token {twice!r} under two ids", path, "--without-tokenizer leaves it out")


def split_of(whole: Mapping[str, Any], model: Mapping[str, Any], file: Path) -> str:
    """Name the split of a tokenizer.json as llama.cpp does.

    Raises
    ------
    LoadError
        It is no byte-level BPE with one of `SPLITS`.
    """
    odd = [
        key for key in ("continuing_subword_prefix", "end_of_word_suffix", "byte_fallback") if model.get(key)
    ]
    normalizer = whole.get("normalizer") or {}
    before = whole.get("pre_tokenizer") or {}
    steps = before.get("pretokenizers") if before.get("type") == "Sequence" else [before]
    pattern = [
        (step.get("pattern") or {}).get("Regex") for step in steps or [] if step.get("type") == "Split"
    ]
    levels = [step for step in steps or [] if step.get("type") == "ByteLevel"]
    if (
        model.get("type") == "BPE"
        and not odd
        and normalizer.get("type") in {None, "NFC"}
        and len(levels) == 1
        and len(pattern) + 1 == len(steps or [])
        and not levels[0].get("add_prefix_space")
    ):
        wanted = None if not pattern and levels[0].get("use_regex", True) else (pattern or [""])[0]
        for name, expression in SPLITS.items():
            if expression == wanted and len(pattern) <= 1:
                return name
    raise LoadError(
        f"is a tokenizer ({model.get('type')}) that has no counterpart; translated is byte-level BPE with "
        f"the split of {', '.join(SPLITS)}",
        file,
        "--without-tokenizer leaves it out",
    )


def _merge(pair: object, file: Path) -> str:
    parts = pair.split(" ") if isinstance(pair, str) else pair
    if (
        not isinstance(parts, list)
        or len(parts) != 2
        or not all(isinstance(p, str) and " " not in p for p in parts)
    ):
        raise LoadError(f"has the merge {pair!r}, which is no pair of tokens", file)
    return " ".join(parts)


def content_of(token: object) -> object:
    """Return a special token's text, which tokenizer_config.json has bare or in an object."""
    return token.get("content") if isinstance(token, Mapping) else token


def chat_template(folder: Path, config: Mapping[str, Any]) -> str | None:
    """Return the chat template of a folder: a file of its own, or in tokenizer_config.json.

    Of several in a list, the one of the name ``"default"``.

    Raises
    ------
    LoadError
        The file cannot be read or is no text.
    """
    beside = folder / "chat_template.jinja"
    if beside.is_file():
        try:
            with beside.open("rb") as file:
                text = file.read(_MAX_FILE + 1).decode()
        except (OSError, UnicodeDecodeError) as error:
            raise LoadError(f"cannot be read: {error}", beside) from error
        if len(text) > _MAX_FILE:
            raise LoadError(f"exceeds {_MAX_FILE} characters", beside)
        return text
    stated = config.get("chat_template")
    if isinstance(stated, list):
        named = [
            each.get("template")
            for each in stated
            if isinstance(each, Mapping) and each.get("name") == "default"
        ]
        stated = named[-1] if named else None
    return stated if isinstance(stated, str) else None


def _mapping(value: object, file: Path) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise LoadError("lacks a model with its vocabulary", file)
    return value


def read_json(file: Path, missing: dict[str, Any] | None = None) -> dict[str, Any]:
    """Read a file that holds one object of bounded size; `missing` where there is no file.

    At most 64 MiB and some four million values are read.

    Raises
    ------
    LoadError
        It cannot be read, or holds something else.
    """
    if missing is not None and not file.is_file():
        return missing
    try:
        with file.open("rb") as stream:
            text = stream.read(_MAX_FILE + 1)
        small = len(text) <= _MAX_FILE and sum(map(text.count, (b",", b"[", b"{"))) <= _MAX_VALUES
        parsed = json.loads(text, object_pairs_hook=_unique, parse_constant=_refused) if small else None
    except (OSError, ValueError, RecursionError) as error:
        raise LoadError(f"cannot be read: {error}", file) from error
    if not isinstance(parsed, dict):
        raise LoadError("is no JSON object of a reasonable size", file)
    return parsed


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a key that stands twice: readers differ on which of the two counts."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise ValueError(f"the JSON key {twice!r} occurs twice")
    return found


def _refused(constant: str) -> NoReturn:
    raise ValueError(f"the JSON holds {constant}, which is no number")


def files_of(vocabulary: Vocabulary, path: str) -> dict[str, str]:
    """Return the two files' text, by name; see `objects_of`."""
    texts = (json.dumps(each, indent=2, sort_keys=False, ensure_ascii=False)
             for each in objects_of(vocabulary, path))  # fmt: skip
    return {name: f"{text}\n" for name, text in zip(FILES, texts, strict=True)}


def objects_of(vocabulary: Vocabulary, path: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the two files hold.

    Raises
    ------
    LoadError
        The vocabulary is no byte-level BPE, or its split is not one of those that are translated.
    """
    if vocabulary.model != "gpt2" or vocabulary.pre not in SPLITS:
        raise LoadError(
            f"has a tokenizer ({vocabulary.model}, split {vocabulary.pre}) that has no counterpart in "
            f"tokenizer.json here; translated is byte-level BPE with the split of {', '.join(SPLITS)}",
            path,
            "--without-tokenizer leaves it out",
        )
    _require_one_id_each(vocabulary.tokens, path)
    rows = [(n, t, k) for n, (t, k) in enumerate(zip(vocabulary.tokens, vocabulary.types, strict=True))]
    added = [
        {"id": number, "content": token, "single_word": False, "lstrip": False, "rstrip": False,
         "normalized": False, "special": kind == CONTROL}
        for number, token, kind in rows if kind in {CONTROL, USER_DEFINED}
    ]  # fmt: skip
    whole: dict[str, Any] = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": {"type": "NFC"} if vocabulary.pre == "qwen2" else None,
        "pre_tokenizer": _pre_tokenizer(vocabulary.pre or ""),
        "post_processor": {
            "type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True
        },
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
            "ignore_merges": vocabulary.pre == "llama-bpe",
            "vocab": {token: number for number, token, kind in rows if kind == NORMAL},
            "merges": [merge.split(" ") for merge in vocabulary.merges],
        },
    }  # fmt: skip
    return whole, config_of_vocabulary(vocabulary)


def config_of_vocabulary(vocabulary: Vocabulary) -> dict[str, Any]:
    """Return what tokenizer_config.json holds."""
    config: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
    }
    config |= {
        key: vocabulary.tokens[vocabulary.ids[name]] for name, key in IDS.items() if name in vocabulary.ids
    }
    if vocabulary.add_bos is not None:
        config["add_bos_token"] = vocabulary.add_bos
    if vocabulary.chat_template is not None:
        config["chat_template"] = vocabulary.chat_template
    return config


def _pre_tokenizer(split: str) -> dict[str, object]:
    expression = SPLITS[split]
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False}
    if expression is None:
        return {**level, "use_regex": True}
    first = {"type": "Split", "pattern": {"Regex": expression}, "behavior": "Isolated", "invert": False}
    return {"type": "Sequence", "pretokenizers": [first, {**level, "use_regex": False}]}

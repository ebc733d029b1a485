"""The tokenizer that lies beside a safetensors file, which has no place for one: what kind, how large.

Any tokenizer.json is summarised, also of the kinds that `tokenizer_files` does not translate. Nothing of
it is needed to read the weights, so a broken one is a remark and no error.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pv_runtime.errors import LoadError
from pv_runtime.formats.checkpoint import Checkpoint
from pv_runtime.tokenizer_files import IDS, chat_template, content_of, read_json, split_of

__all__ = ["Beside", "tokenizer_beside"]


_MAX_ID = 1 << 24
"""Many times what any tokenizer has: the memory that one hostile id may cost."""


@dataclasses.dataclass(frozen=True)
class Beside:
    """A tokenizer.json.

    Parameters
    ----------
    path
        The file.
    said
        What `pv_runtime.summary.tokenizer` says of a tokenizer; None where the file cannot be read.
    tokens
        By id; None where no token has the id.
    trouble
        Why the file cannot be read.
    """

    path: str
    said: dict[str, Any] | None
    tokens: tuple[str | None, ...] = ()
    trouble: str | None = None


def tokenizer_beside(model: Checkpoint) -> Beside | None:
    """Read the tokenizer.json in the folder of a safetensors file; None where there is none.

    Other formats carry their tokenizer, and what lies beside such a file is not theirs.
    """
    file = Path(model.path).parent / "tokenizer.json"
    if model.format != "safetensors" or not file.is_file():
        return None
    try:
        return _read(file)
    except LoadError as error:
        return Beside(str(file), None, trouble=str(error))
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        return Beside(str(file), None, trouble=f"{file}: does not have the shape of a tokenizer: {error!r}")


def _read(file: Path) -> Beside:
    whole = read_json(file)
    config = read_json(file.with_name("tokenizer_config.json"), missing={})
    model = whole["model"]
    ids = _ids(model.get("vocab"))
    ids |= {added["content"]: added["id"] for added in whole.get("added_tokens") or []}
    if not all(isinstance(token, str) and type(number) is int for token, number in ids.items()):
        raise ValueError("a token is no text, or its id no number")
    if not all(0 <= number < _MAX_ID for number in ids.values()):
        raise ValueError("a token's id is no small number")
    tokens: list[str | None] = [None] * (max(ids.values(), default=-1) + 1)
    for token, number in ids.items():
        tokens[number] = token
    try:
        split: str | None = split_of(whole, model, file)
    except LoadError:
        split = None
    merges = model.get("merges")
    named = {f"{name}_token_id": ids.get(str(content_of(config.get(key)))) for name, key in IDS.items()}
    add_bos = config.get("add_bos_token")
    said = {
        "model": str(model.get("type")) if model.get("type") is not None else None,
        "pre": split,
        "tokens": len(ids),
        "merges": len(merges) if isinstance(merges, Sequence) and not isinstance(merges, str) else None,
        **named,
        "add_bos_token": add_bos if isinstance(add_bos, bool) else None,
        "chat_template": chat_template(file.parent, config) is not None,
    }
    return Beside(str(file), said, tuple(tokens))


def _ids(vocabulary: object) -> dict[str, int]:
    """Return token → id: of BPE and WordPiece an object, of Unigram a list of pairs with scores."""
    if isinstance(vocabulary, Mapping):
        return dict(vocabulary)
    if isinstance(vocabulary, list):
        return {pair[0]: number for number, pair in enumerate(vocabulary)}
    raise ValueError("lacks a vocabulary")

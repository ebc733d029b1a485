"""Tokenizers that are too large for a model, and such as are not: of the sizes that are published."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

from pv_runtime.checks.refusals import Case, Sound
from pv_runtime.checks.trainer import SMALL, random_init

__all__ = ["as_large", "larger", "of_another_shape", "smaller"]

_GUARD = "FALSIFY-APR-PRETRAIN-ARCH-"
ROWS, TOKENS = 151_936, 151_665
"""Rows of the embedding of Qwen2.5 0.5B and 1.5B, and entries of their tokenizer with the added ones."""
_DEFAULT_ROWS = 50_257
_NARROW = dataclasses.replace(SMALL, hidden_size=8, heads=2, kv_heads=1)
"""As few values a row as can be: it is rows that count here."""
_NO_STEP = {"num_steps": 0, "warmup_steps": 0}


def as_large(sound: Sound) -> Iterator[Case]:
    """As many tokens as the init has rows."""
    options = {"init": _init(sound, ROWS), "tokenizer": _tokenizer(sound, ROWS), **_NO_STEP}
    yield Case("as many tokens as rows", options)


def of_another_shape(sound: Sound) -> Iterator[Case]:
    """Take the same tokenizer without an init: the shape is then that of the 370M Llama."""
    said = (f"{_GUARD}006", str(ROWS), str(_DEFAULT_ROWS))
    yield Case("without an init", {"init": None, "tokenizer": _tokenizer(sound, ROWS), **_NO_STEP}, said)


def smaller(sound: Sound) -> Iterator[Case]:
    """Fewer tokens than the init has rows: those that fill up its embedding have none."""
    init = _init(sound, ROWS)
    for tokens in (TOKENS, ROWS - 1):
        yield Case(f"{tokens} tokens", {"init": init, "tokenizer": _tokenizer(sound, tokens), **_NO_STEP})


def larger(sound: Sound) -> Iterator[Case]:
    """One token more than rows; and without an init, one more, one fewer, and as many as were asked for."""
    own = SMALL.vocab_size
    for rows in (ROWS, own):
        options = {"init": _init(sound, rows), "tokenizer": _tokenizer(sound, rows + 1), **_NO_STEP}
        said = (f"{_GUARD}010", str(rows + 1), f"{rows} rows")
        yield Case(f"one token more than {rows}", options, said)
    alone = {"init": None, "architecture": sound.init, **_NO_STEP}
    yield Case("as many, without an init", alone)
    more = {**alone, "tokenizer": _tokenizer(sound, own + 1)}
    yield Case("one more, without an init", more, (f"{_GUARD}006", str(own + 1), f"{own} rows"))
    fewer = {**alone, "architecture": _init(sound, own + 1)}
    yield Case("one fewer, without an init", fewer, (f"{_GUARD}006", str(own), f"{own + 1} rows"))
    yield Case("one fewer, as was asked for", {**alone, "vocab_size": own + 1})
    short = {**alone, "vocab_size": own - 1}
    yield Case("fewer rows than tokens asked for", short, (f"{_GUARD}006", str(own), f"{own - 1} rows"))


def _init(sound: Sound, rows: int) -> Path:
    folder = sound.path(f"rows-{rows}")
    narrow = dataclasses.replace(_NARROW, vocab_size=rows)
    return folder if folder.is_dir() else random_init(folder, narrow)


def _tokenizer(sound: Sound, tokens: int) -> Path:
    """Write the shipped tokenizer with more tokens, up to `tokens`, that no text has."""
    folder = sound.path(f"tokens-{tokens}")
    if not folder.is_dir():
        folder.mkdir()
        whole = json.loads((sound.tokenizer / "tokenizer.json").read_text(encoding="utf-8"))
        whole["model"]["vocab"] |= {f"zq{number}": number for number in range(SMALL.vocab_size, tokens)}
        (folder / "tokenizer.json").write_text(json.dumps(whole), encoding="utf-8")
    return folder

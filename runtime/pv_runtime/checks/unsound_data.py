"""Data to be refused: damaged, of another vocabulary, too little, held out and learnt from, and no text."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pv_runtime.checks.refusals import Case, Sound

__all__ = [
    "another_tokenizer", "damaged_shards", "foreign_ids", "leaking", "too_little", "unreadable_text",
]  # fmt: skip

_GUARD = "FALSIFY-APR-PRETRAIN-DATA-"


def _with(sound: Sound, name: str, shard: str, content: bytes) -> Path:
    """Copy the shards, and write `content` as one of them; the last by name is held out."""
    folder = sound.path(name)
    shutil.copytree(sound.dataset, folder)
    (folder / shard).write_bytes(content)
    return folder


def _ids(count: int, seed: int) -> np.ndarray[Any, np.dtype[np.uint32]]:
    return np.random.default_rng(seed).integers(4096, size=count, dtype=np.uint32).astype("<u4")


def damaged_shards(sound: Sound) -> Iterator[Case]:
    """Write shards that end inside a token, or hold none, on either side."""
    whole = _ids(500, 1).tobytes()
    contents = {
        "empty": b"",
        "cut": whole[:-1],
        "a byte too long": whole + b"\0",
        "ids of 16 bits": _ids(501, 2).astype("<u2").tobytes(),
    }
    for number, (name, content) in enumerate(contents.items()):
        for shard in ("shard-0.bin", "shard-2.bin"):
            folder = _with(sound, f"{number}-{shard[:-4]}", shard, content)
            yield Case(f"{shard} {name}", {"dataset": folder}, (f"{_GUARD}001", shard))
    alone = sound.path("alone.bin")
    alone.write_bytes(whole[:-3])
    yield Case("a held-out shard that is cut", {"val_shard": alone}, (f"{_GUARD}001", str(alone)))


def foreign_ids(sound: Sound) -> Iterator[Case]:
    """Put ids into shards that the embedding has no row for; the last row's id is none of them."""
    last = _ids(500, 3)
    last[7] = 4095
    yield Case("the last row", {"dataset": _with(sound, "last", "shard-1.bin", last.tobytes())})
    for number, (place, value) in enumerate(((0, 4096), (499, 4097), (250, 2**32 - 1))):
        for shard in ("shard-1.bin", "shard-2.bin"):
            ids = _ids(500, 4)
            ids[place] = value
            folder = _with(sound, f"{number}-{shard[:-4]}", shard, ids.tobytes())
            said = (f"{_GUARD}002", shard, f"token {place} ", str(value), "4096 rows")
            yield Case(f"id {value} in {shard}", {"dataset": folder}, said)


def too_little(sound: Sound) -> Iterator[Case]:
    """Give fewer tokens than one sequence takes, on either side, and no text at all."""
    exact = _with(sound, "exact", "shard-0.bin", _ids(17, 5).tobytes())
    yield Case("one sequence and the token after it", {"dataset": exact})
    for shard, count, said in (("shard-0.bin", 16, "16 tokens"), ("shard-2.bin", 15, "15 tokens")):
        folder = _with(sound, f"short-{shard[:-4]}", shard, _ids(count, 6).tobytes())
        yield Case(f"{count} tokens in {shard}", {"dataset": folder}, (f"{_GUARD}003", said, "16"))
    empty = sound.path("no-text")
    empty.mkdir()
    yield Case("an empty folder", {"dataset": empty}, (f"{_GUARD}003", str(empty)))
    (empty / "one.txt").write_text("")
    yield Case("an empty file", {"dataset": empty}, (f"{_GUARD}003", str(empty)))


def leaking(sound: Sound) -> Iterator[Case]:
    """Hold out what is learnt from: the same file, its copy, a part of it, the only text, and none."""
    guard = f"{_GUARD}004"
    other = sound.path("other.bin")
    other.write_bytes(_ids(500, 8).tobytes())
    yield Case("another shard", {"val_shard": other})
    shard = sound.dataset / "shard-0.bin"
    yield Case("a shard of the dataset", {"val_shard": shard}, (guard, str(shard)))
    ids = np.frombuffer(shard.read_bytes(), "<u4")
    for name, held_out in {
        "copy.bin": ids,
        "middle.bin": ids[100:300],
        "span.bin": np.concatenate([_ids(100, 9), ids[31 : 31 + 128], _ids(90, 10)]),
        "short.bin": ids[3:40],
    }.items():
        path = sound.path(name)
        path.write_bytes(held_out.astype("<u4").tobytes())
        yield Case(name, {"val_shard": path}, (guard, name, "shard-0.bin"))
    # One of the shards again under a name that comes last, which is the one that is held out.
    again = _with(sound, "again", "shard-9.bin", shard.read_bytes())
    yield Case("a shard twice", {"dataset": again}, (guard, "shard-9.bin"))
    single = sound.path("single")
    single.mkdir()
    (single / "only.bin").write_bytes(shard.read_bytes())
    yield Case("the only shard", {"dataset": single}, (guard, "only.bin"))
    text = sound.path("text")
    text.mkdir()
    (text / "one.txt").write_text("a text that stands alone\n" * 40)
    yield Case("the only text", {"dataset": text}, (guard, "one.txt"))
    (text / "copy.txt").write_text("a text that stands alone\n" * 40)
    yield Case("one text twice", {"dataset": text}, (guard, "is the only text"))
    inside = text / "one.txt"
    yield Case("a text inside", {"dataset": text, "val_shard": inside}, (guard, str(inside)))


def another_tokenizer(sound: Sound) -> Iterator[Case]:
    """Exchange two tokens of the init's own tokenizer, respell one, and name a folder without any."""
    own = sound.path("init-with-tokenizer")
    shutil.copytree(sound.init, own)
    shutil.copy(sound.tokenizer / "tokenizer.json", own)
    yield Case("its own tokenizer", {"init": own, "tokenizer": own})
    whole = json.loads((sound.tokenizer / "tokenizer.json").read_text(encoding="utf-8"))
    spelt = {number: token for token, number in whole["model"]["vocab"].items()}
    exchanged = {**whole["model"]["vocab"], spelt[300]: 301, spelt[301]: 300}
    folder = _tokenizer(sound, "exchanged", {**whole, "model": {**whole["model"], "vocab": exchanged}})
    yield Case("two tokens exchanged", {"init": own, "tokenizer": folder}, (f"{_GUARD}005", "token 300 "))
    added = [{**each, "content": each["content"] + "!"} for each in whole["added_tokens"][:1]]
    number = added[0]["id"]
    folder = _tokenizer(sound, "respelt", {**whole, "added_tokens": [*added, *whole["added_tokens"][1:]]})
    said = (f"{_GUARD}005", f"token {number} ")
    yield Case("a special token of another name", {"init": own, "tokenizer": folder}, said)
    empty = sound.path("no-tokenizer")
    empty.mkdir()
    yield Case("no tokenizer", {"tokenizer": empty}, (f"{_GUARD}005", "--tokenizer"))
    (empty / "tokenizer.json").write_text('{"model": ')
    yield Case("a tokenizer that is no JSON", {"tokenizer": empty}, (f"{_GUARD}005", "--tokenizer"))


def _tokenizer(sound: Sound, name: str, whole: dict[str, Any]) -> Path:
    folder = sound.path(name)
    folder.mkdir()
    (folder / "tokenizer.json").write_text(json.dumps(whole), encoding="utf-8")
    return folder


def unreadable_text(sound: Sound) -> Iterator[Case]:
    """Put what is no UTF-8 among texts, and texts among shards."""
    guard = f"{_GUARD}006"
    for number, (name, content) in enumerate(
        {
            "latin-1.txt": "schön".encode("latin-1"),
            "picture.png": b"\x89PNG\r\n",
            "wide.txt": b"\xff\xfea\0",
        }.items()
    ):
        folder = sound.path(f"texts-{number}")
        folder.mkdir()
        for other in range(3):
            (folder / f"{other}.txt").write_text(f"text number {other} is of its own\n" * 40)
        yield Case(f"texts without {name}", {"dataset": folder})
        (folder / name).write_bytes(content)
        yield Case(name, {"dataset": folder}, (guard, name))
    mixed = _with(sound, "mixed", "notes.txt", b"what these shards are\n")
    yield Case("text among shards", {"dataset": mixed}, (guard, "notes.txt"))

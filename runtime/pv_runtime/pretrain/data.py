"""What is learnt from and what is held out: out of shards, out of text, or made up."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pv_runtime.errors import printable
from pv_runtime.pretrain.documents import Document, documents_in, encoded, split
from pv_runtime.pretrain.errors import TrainingError, UsageError
from pv_runtime.pretrain.leakage import require_apart
from pv_runtime.pretrain.shards import ENDING, ID, Tokens, open_shard, require_ids, shards_in
from pv_runtime.tokenizer import Tokenizer

__all__ = ["HELD_OUT_SHARE", "Data", "made_up", "read_data"]

HELD_OUT_SHARE = 0.05
"""How much of a text's bytes is held out."""
_SYNTHETIC_SEQUENCES, _SYNTHETIC_WORDS = 64, 257


@dataclasses.dataclass(frozen=True)
class Data:
    """Tokens on both sides.

    Parameters
    ----------
    kind
        ``"shards"``, ``"text"`` or ``"synthetic"``; a checkpoint says it, too.
    training, held_out
        Disjoint.
    """

    kind: str
    training: tuple[Tokens, ...]
    held_out: tuple[Tokens, ...]

    @property
    def record(self) -> dict[str, object]:
        """What a run's record says of them."""
        return {
            "kind": self.kind,
            "training": [_described(each) for each in self.training],
            "held_out": [_described(each) for each in self.held_out],
        }


def _described(tokens: Tokens) -> dict[str, object]:
    return {"name": Path(tokens.name).name, "tokens": int(tokens.ids.size), "sha256": tokens.sha256}


def read_data(dataset: Path, val_shard: Path | None, tokenizer: Tokenizer, vocabulary: int) -> Data:
    """Open a dataset, and hold out a part of it, or `val_shard`.

    Parameters
    ----------
    dataset
        A shard, a folder of shards, a text, or a folder of texts. Of several shards the last one, by name, is
        held out; of texts `HELD_OUT_SHARE`, by documents.
    val_shard
        A shard, or a text, that is held out; the whole dataset is then learnt from.
    tokenizer
        Encodes text.
    vocabulary
        Rows of the embedding.

    Raises
    ------
    UsageError
        `val_shard` is a part of the dataset.
    TrainingError
        A shard is damaged or has an id out of range; there is nothing to hold out; or held-out tokens are
        learnt from, too.
    """
    shards = _shards(dataset)
    if val_shard is not None:
        _require_outside(dataset, val_shard, shards)
        held_out = _whole(val_shard, tokenizer, vocabulary)
    if shards:
        opened = [open_shard(path, vocabulary) for path in shards]
        if val_shard is None:
            if len(opened) < 2:
                raise TrainingError(
                    "held-out-leaks",
                    f"{printable(str(shards[0]))}: is the only shard, and shards are held out whole",
                    "name one that is held out with --val-shard; `apr tokenize` writes one",
                )
            opened, held_out = opened[:-1], opened[-1]
        data = Data("shards", tuple(opened), (held_out,))
    else:
        documents = documents_in(dataset)
        if val_shard is None:
            documents, apart = split(documents, HELD_OUT_SHARE)
            held_out = _joined("held-out documents", apart, tokenizer, vocabulary)
        data = Data("text", (_joined("documents", documents, tokenizer, vocabulary),), (held_out,))
    require_apart(data.training, data.held_out)
    return data


def _shards(dataset: Path) -> list[Path]:
    if dataset.is_file():
        return [dataset] if dataset.name.endswith(ENDING) else []
    shards = shards_in(dataset)
    others = [path for path in dataset.iterdir() if path.is_file() and path not in shards]
    texts = [path.name for path in others if not path.name.startswith(".")]
    if shards and texts:
        raise TrainingError(
            "text-unreadable",
            f"{printable(str(dataset))}: holds shards and other files ({printable(texts[0])}), and "
            "only one kind "
            "would be learnt from",
            "put them into folders of their own",
        )
    return shards


def _require_outside(dataset: Path, val_shard: Path, shards: Sequence[Path]) -> None:
    inside = dataset.is_dir() and not shards and val_shard.resolve().is_relative_to(dataset.resolve())
    if inside or any(val_shard.samefile(path) for path in [dataset, *shards]):
        raise UsageError(
            "held-out-leaks",
            f"--val-shard {printable(str(val_shard))} is a part of --dataset, and would be learnt from",
            "move it out of that folder, or leave --val-shard out: a part is then held out",
        )


def _whole(path: Path, tokenizer: Tokenizer, vocabulary: int) -> Tokens:
    if path.name.endswith(ENDING):
        return open_shard(path, vocabulary)
    return _joined(str(path), documents_in(path), tokenizer, vocabulary)


def _joined(name: str, documents: Sequence[Document], tokenizer: Tokenizer, vocabulary: int) -> Tokens:
    ids = np.concatenate(list(encoded(tokenizer, documents)))
    require_ids(ids, vocabulary, name)
    return Tokens(name, ids, hashlib.sha256(ids.astype(ID).tobytes()).hexdigest())


def made_up(vocabulary: int, length: int, seed: int) -> Data:
    """Return tokens that no text has: x → 5·x + 17 mod 257 (or `vocabulary`), one of ten drawn anew.

    They serve to try a machine out. What is trained on them is marked as such, in its record and its
    checkpoints.
    """
    words = min(vocabulary, _SYNTHETIC_WORDS)

    def drawn(name: str, stream: int, rows: int) -> Tokens:
        generator = np.random.default_rng([seed, stream])
        x = generator.integers(words, size=rows)
        columns = [x]
        for _ in range(length):
            noise = generator.random(rows) < 0.1
            x = np.where(noise, generator.integers(words, size=rows), (5 * x + 17) % words)
            columns.append(x)
        ids = np.stack(columns, axis=1).reshape(-1).astype(np.uint32)
        return Tokens(name, ids, hashlib.sha256(ids.astype(ID).tobytes()).hexdigest())

    training = drawn("synthetic", 0, _SYNTHETIC_SEQUENCES)
    return Data("synthetic", (training,), (drawn("synthetic, held out", 1, 4),))

"""Rebuild the shipped models: corpus, tokenizer, decoders, cards, pair, problems."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

from .card import Measured, write_card
from .corpus import Corpus, read_corpus
from .decoder import Shape
from .export import read_decoder, write_settings, write_weights
from .pair import write_pair
from .problems import write_problems
from .tokenizer import encode_documents, read_tokenizer, train_tokenizer, write_tokenizer
from .train import Schedule, Trained, evaluate, held_out_windows, train

SHAPES = (
    # Rows of 256 and 768: whole superblocks of the K-quants.
    Shape("tiny-qwen2", hidden=256, layers=5, heads=8, key_value_heads=2, feed_forward=768),
    # Seven queries to a key, and rows of 224, which no superblock divides: as in Qwen2.5-0.5B.
    Shape("tiny-qwen2-7to1", hidden=224, layers=6, heads=14, key_value_heads=2, feed_forward=768),
)


def build_tokenizer(corpus: Corpus, out: Path) -> None:
    """Train the vocabulary, write it beside both models, and ship the held-out text."""
    tokenizer = train_tokenizer(document.text for document in corpus.training)
    for shape in SHAPES:
        write_tokenizer(tokenizer, out / shape.name, shape.context)
    (out / "heldout.txt").write_bytes(corpus.held_out_text.encode())


def build_model(corpus: Corpus, shape: Shape, schedule: Schedule, out: Path) -> None:
    """Train one decoder with the tokenizer in its folder, and write it with its card."""
    tokenizer = read_tokenizer(out / shape.name)
    tokens = encode_documents(tokenizer, (document.text for document in corpus.training))
    trained = train(shape, tokens, encode_held_out(tokenizer, corpus), schedule)
    write_model(corpus, shape, schedule, trained, tokenizer, tokens.size, out)


def write_model(
    corpus: Corpus,
    shape: Shape,
    schedule: Schedule,
    trained: Trained,
    tokenizer: Any,
    training_tokens: int,
    out: Path,
) -> None:
    """Write weights, settings and card; the loss stated is that of the file, read back."""
    folder = out / shape.name
    write_weights(trained.decoder, folder)
    write_settings(shape, tokenizer, folder)
    held_out = encode_held_out(tokenizer, corpus)
    windows = held_out_windows(held_out, shape.context)
    measured = Measured(
        held_out_loss=evaluate(read_decoder(folder, shape), held_out),
        held_out_tokens=held_out.size,
        predicted_tokens=windows.shape[0] * (windows.shape[1] - 1),
        training_tokens=training_tokens,
        parameters=sum(parameter.numel() for parameter in trained.decoder.parameters()),
        minutes=trained.minutes,
    )
    write_card(folder, shape, schedule, corpus, trained.curve, measured)
    print(f"{shape.name}: held-out loss {measured.held_out_loss:.4f}", flush=True)


def encode_held_out(tokenizer: Any, corpus: Corpus) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the identifiers of the held-out text, shape [tokens]."""
    return np.asarray(tokenizer.encode(corpus.held_out_text).ids, dtype=np.int64)


def main(arguments: list[str] | None = None) -> int:
    """Run the recipe, or the one part of it that ``--only`` names."""
    parser = argparse.ArgumentParser(prog="python -m recipe", description=__doc__)
    parts = ["tokenizer", *(shape.name for shape in SHAPES), "pair", "problems"]
    parser.add_argument("--only", choices=parts, help="build this part alone, from what stands in OUT")
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).resolve().parent.parent, help="folder of the models"
    )
    parser.add_argument(
        "--steps", type=int, default=Schedule.steps, help="training steps (default %(default)s)"
    )
    options = parser.parse_args(arguments)
    schedule = Schedule(steps=options.steps)
    wanted = [options.only] if options.only else parts
    if not {*wanted} <= {"pair", "problems"}:
        corpus = read_corpus()
        print(f"{len(corpus.training)} training files, {len(corpus.held_out)} held out", flush=True)
    if "tokenizer" in wanted:
        build_tokenizer(corpus, options.out)
    for shape in SHAPES:
        if shape.name in wanted:
            build_model(corpus, shape, schedule, options.out)
    if "pair" in wanted:
        write_pair(options.out)
    if "problems" in wanted:
        write_problems(options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Text that a model writes: whether it is Python, and whether any prompt at all can break it."""

from __future__ import annotations

import ast
import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from pv.check import Metric, Run, check
from pv_runtime.errors import ModelError
from pv_runtime.formats import Checkpoint, Overlay
from pv_runtime.formats.overlay import from_values
from pv_runtime.generate import Generation
from pv_runtime.model import Decoder
from pv_runtime.tokenizer import tokenizer_of
from pv_runtime.weights import load_weights

__all__ = ["adversarial_prompts", "parsable_completions"]

Write = Callable[[str], str]
Answer = Callable[[list[int]], torch.Tensor]


@check(
    metrics=[
        Metric("prompts", unit="1", kind="count"),
        Metric("parses", unit="1", kind="count"),
        Metric("share_of_lines", unit="1", low=0.0, high=1.0),
        Metric("written", unit="1", kind="count"),
    ]
)
def parsable_completions(run: Run, *, model: Checkpoint, prompts: Sequence[str], new_tokens: int) -> None:
    """Let `model` go on from each beginning of a function, greedily, for `new_tokens` tokens.

    `parses` is 1 where the prompt and one or more written lines parse, and define the function that the
    prompt names; `share_of_lines` is how many of the written lines do, at most; `written` counts the new
    characters. A model that writes nothing parses nothing.
    """
    decoder = Decoder(load_weights(model))
    tokenizer = tokenizer_of(model, Path(model.path).parent)

    def complete(prompt: str) -> str:
        return tokenizer.decode(list(Generation(decoder, tokenizer.encode(prompt), limit=new_tokens)))

    write: Write = run.role("write", complete)
    for prompt in run.progress(prompts, len(prompts)):
        text = write(prompt)
        lines, best = text.split("\n"), 0
        for count in range(1, len(lines) + 1):
            if "".join(lines[:count]).strip() and _defines(prompt + "\n".join(lines[:count]), prompt):
                best = count
        run.record("parses", int(best > 0), label=prompt.strip())
        run.record("share_of_lines", best / len(lines), label=prompt.strip())
        run.record("written", len(text), label=prompt.strip())
    run.record("prompts", len(prompts))


def _defines(text: str, prompt: str) -> bool:
    name = prompt.split("def ", 1)[1].split("(", 1)[0].strip()
    try:
        # The parser looks for the line of an error in the file of that name: let there be none.
        tree = ast.parse(text, filename=os.devnull)
    except (SyntaxError, ValueError):
        return False
    return any(isinstance(node, ast.FunctionDef) and node.name == name for node in ast.walk(tree))


@parsable_completions.counter_example("random_weights", of="model")
def random_weights(model: Checkpoint) -> Checkpoint:
    """Give every matrix random values: the model of nobody."""
    generator = np.random.default_rng(0)
    replace = {}
    for name in model.matrices():
        shape = model.info(name).shape
        values = (0.02 * generator.standard_normal(shape)).astype(np.float32)
        replace[name] = from_values(name, shape, functools.partial(np.copy, values), "F32")
    return Overlay(model, replace=replace)


@parsable_completions.counter_example("layers_in_reverse", of="model")
def layers_in_reverse(model: Checkpoint) -> Checkpoint:
    """Compute the last layer first: every tensor is there, of its shape, in the wrong place."""
    layers = 1 + max(int(name.split(".")[2]) for name in model.names() if name.startswith("model.layers."))
    replace = {}
    for name in model.names():
        if name.startswith("model.layers."):
            parts = name.split(".")
            source = ".".join([*parts[:2], str(layers - 1 - int(parts[2])), *parts[3:]])
            replace[name] = from_values(
                name, model.info(name).shape, functools.partial(model.tensor, source), "F32"
            )
    return Overlay(model, replace=replace)


@parsable_completions.counter_example("writes_nothing", of="write")
def writes_nothing(write: Write) -> Write:
    """Write nothing: there is no error of syntax in it."""
    del write
    return lambda _prompt: ""


@parsable_completions.counter_example("writes_blank_lines", of="write")
def writes_blank_lines(write: Write) -> Write:
    """Write blank lines and comments."""
    del write
    return lambda _prompt: "\n\n    # done\n"


@check(
    metrics=[
        Metric("inputs", unit="1", kind="count"),
        Metric("refused", unit="1", kind="count"),
        Metric("crashed", unit="1", kind="count"),
        Metric("not_finite", unit="1", kind="count"),
        Metric("wrong_shape", unit="1", kind="count"),
    ]
)
def adversarial_prompts(run: Run, *, model: Checkpoint, random_prompts: int) -> None:
    """Give `model` prompts that nobody would: empty, endless, out of range, of one token only, random.

    `refused` counts those that end in an error which says why; `crashed` those that end in any other;
    `not_finite` counts logits that are NaN or infinite; `wrong_shape` answers that are not one row for each
    token.
    """
    decoder = Decoder(load_weights(model))
    tokenizer = tokenizer_of(model, Path(model.path).parent)

    def compute(tokens: list[int]) -> torch.Tensor:
        return decoder.forward(torch.tensor([tokens], dtype=torch.int64))[0]

    answer: Answer = run.role("answer", compute)
    rows, positions = decoder.architecture.vocab_size, decoder.architecture.max_positions
    generator = np.random.default_rng(run.seed)
    prompts: list[tuple[str, list[int]]] = [
        ("no tokens", []),
        ("a negative id", [5, -1]),
        ("the first id that is none", [rows]),
        ("an id of 2^40", [1, 1 << 40]),
        ("one position too many", [7] * (positions + 1)),
        ("every position", [7] * positions),
        ("the first id", [0]),
        ("the last id", [rows - 1]),
        ("one token, again and again", [3] * 200),
        ("every id once", list(range(min(rows, positions)))),
    ]
    prompts += [(repr(text)[:40], tokenizer.encode(text)[:positions]) for text in _TEXTS]
    for index in range(random_prompts):
        length = int(generator.integers(1, 65))
        prompts.append((f"random {index}", generator.integers(0, rows, length).tolist()))
    refused = 0
    for name, tokens in run.progress(prompts, len(prompts)):
        crashed = 0
        try:
            logits = answer(tokens)
            run.record("not_finite", int((~logits.isfinite()).sum()), label=name)
            run.record("wrong_shape", int(logits.shape != (len(tokens), rows)), label=name)
        except ModelError:
            refused += 1
        except Exception:
            crashed = 1
        run.record("crashed", crashed, label=name)
    run.record("inputs", len(prompts))
    run.record("refused", refused)


_TEXTS = (
    *(
        " ",
        "\n",
        "\t\t\t",
        "\r\n" * 50,
        "\x00",
        "\u0001\u0002",
        "\x1b[2J",
        "\ufeff",
        "\u202e",
        "\ud7ff",
        "\uffff",
    ),
    *(
        "e\u0301" * 50,
        "\U0001f9d1\u200d\U0001f680",
        "\u4f60\u597d\u4e16\u754c",
        "\u0645\u0631\u062d\u0628\u0627",
    ),
    *("<|im_start|>", "<|im_end|>" * 20, "<|endoftext|>", "<|im_start|>system\n", "[INST]", "</s>"),
    *("\\n" * 40, "a" * 2000, "0" * 500, "((((((((((" * 20, "'" * 99, '"""', "# " * 200, "def f(:\n"),
    *("import os; os._exit(1)", "%s%n%x", "{{7*7}}", "../../etc/passwd"),
)
"""Control characters, markers of chats, other scripts, long runs, and what breaks other programs."""


@adversarial_prompts.counter_example("one_weight_is_nan", of="model")
def one_weight_is_nan(model: Checkpoint) -> Checkpoint:
    """Make one weight NaN, of a row of the embedding that few prompts look up."""
    name = "model.embed_tokens.weight"

    def damaged() -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        values = model.tensor(name).copy()
        values[7, 3] = np.nan
        return values

    return Overlay(model, replace={name: from_values(name, model.info(name).shape, damaged, "F32")})


@adversarial_prompts.counter_example("takes_ids_as_they_come", of="answer")
def takes_ids_as_they_come(answer: Answer) -> Answer:
    """Look ids up without looking at them: the program ends in an error of somebody else's."""

    def trusting(tokens: list[int]) -> torch.Tensor:
        torch.zeros(4096)[torch.tensor(tokens, dtype=torch.int64)]
        return answer(tokens)

    return trusting


@adversarial_prompts.counter_example("wraps_ids_around", of="answer")
def wraps_ids_around(answer: Answer) -> Answer:
    """Take every id modulo the vocabulary: it answers what was not asked."""
    return lambda tokens: answer([token % 4096 for token in tokens])


@adversarial_prompts.counter_example("cuts_the_prompt", of="answer")
def cuts_the_prompt(answer: Answer) -> Answer:
    """Keep the first 128 tokens of a prompt, and say nothing."""
    return lambda tokens: answer(tokens[:128])

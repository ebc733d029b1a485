from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from pv_runtime.evaluation.complete import Writer, seed_of
from pv_runtime.evaluation.problems import Problem
from pv_runtime.formats import open_checkpoint
from pv_runtime.generate import Generation
from pv_runtime.model import Decoder
from pv_runtime.stop_tokens import stop_tokens
from pv_runtime.tokenizer import tokenizer_in
from pv_runtime.weights import load_weights

FOLDER = Path(__file__).resolve().parents[3] / "models" / "tiny-qwen2"
PROBLEM = Problem("T/0", "def close(self):\n    self.file", "close", "", "def check(c): pass", stop=("\n",))


@pytest.fixture(scope="module")
def writer() -> Writer:
    model, tokenizer = open_checkpoint(FOLDER), tokenizer_in(FOLDER)
    return Writer(Decoder(load_weights(model)), tokenizer, stop_tokens(model, tokenizer, FOLDER), 32)


def test_a_completion_is_what_the_model_goes_on_with_up_to_the_stop_text(writer: Writer) -> None:
    found = writer.write(PROBLEM)
    tokens = Generation(writer.decoder, writer.tokenizer.encode(PROBLEM.prompt), limit=32)
    whole = writer.tokenizer.decode(tokens)
    assert found.text == whole.partition("\n")[0]
    assert (found.ended, found.task_id, found.sample) == ("stop text", "T/0", 0)


def test_without_one_it_goes_on_to_the_limit_or_the_context(writer: Writer) -> None:
    endless = dataclasses.replace(PROBLEM, stop=("no such text",))
    found = dataclasses.replace(writer, limit=5, stop=()).write(endless)
    assert found.ended == "limit"
    assert len(writer.tokenizer.encode(found.text)) <= 6
    long = dataclasses.replace(endless, prompt="x = 1\n" * 100)
    length = len(writer.tokenizer.encode(long.prompt))
    assert 490 < length <= 512
    assert dataclasses.replace(writer, limit=60, stop=()).write(long).ended == "context"
    too_long = dataclasses.replace(endless, prompt="x = 1\n" * 300)
    assert (writer.write(too_long).ended, writer.write(too_long).text) == ("prompt too long", "")


def test_a_stop_token_ends_it_and_is_no_text(writer: Writer) -> None:
    first = next(iter(Generation(writer.decoder, writer.tokenizer.encode(PROBLEM.prompt), limit=1)))
    special = writer.tokenizer.id_of("<|im_end|>")
    assert special is not None
    stopped = dataclasses.replace(writer, stop=[first], limit=9).write(PROBLEM)
    assert stopped.ended == "stop token"
    assert stopped.text == writer.tokenizer.decode([first])


def test_samples_are_of_their_seed_alone(writer: Writer) -> None:
    drawing = dataclasses.replace(writer, temperature=1.0, seed=3, limit=12)
    other = dataclasses.replace(PROBLEM, task_id="T/1")
    both = [each.text for each in drawing.write_all([PROBLEM, other], 2)]
    assert both[2:] == [each.text for each in drawing.write_all([other], 2)]
    assert len({*both}) >= 3
    state = torch.random.get_rng_state()
    drawing.write(PROBLEM)
    assert torch.equal(state, torch.random.get_rng_state())


def test_seeds_differ_by_each_of_what_they_are_made_of() -> None:
    seeds = {seed_of(seed, task, sample) for seed in range(3) for task in ("a", "b") for sample in (0, 1, 11)}
    assert len(seeds) == 18
    assert all(0 <= each < 1 << 32 for each in seeds)

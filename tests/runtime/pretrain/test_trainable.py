from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest
import torch
from pv_runtime.architecture import Architecture
from pv_runtime.checks import trainer
from pv_runtime.model import Decoder
from pv_runtime.pretrain.init import open_init, read_weights
from pv_runtime.pretrain.random_weights import draw
from pv_runtime.pretrain.trainable import Trainable, assemble
from pv_runtime.random_model import RandomModel
from pv_runtime.weights import load_weights

SMALL = dataclasses.replace(trainer.SMALL, vocab_size=61)
SHAPES = [
    SMALL,
    dataclasses.replace(SMALL, tied=False),
    dataclasses.replace(SMALL, family="llama", qkv_bias=False, kv_heads=4),
    dataclasses.replace(SMALL, family="llama", qkv_bias=False, tied=False, kv_heads=1),
    dataclasses.replace(SMALL, heads=14, kv_heads=2, head_dim=6),
]


def module_of(folder: Path, architecture: Architecture) -> tuple[Trainable, Decoder]:
    model = RandomModel(architecture, seed=3).save(folder)
    init = open_init(str(folder))
    return assemble(architecture, read_weights(init)), Decoder(load_weights(model))


@pytest.mark.parametrize("architecture", SHAPES)
def test_its_logits_are_the_decoders(tmp_path: Path, architecture: Architecture) -> None:
    module, decoder = module_of(tmp_path, architecture)
    tokens = torch.randint(61, (2, 23), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ours = module.logits(tokens)
    torch.testing.assert_close(ours, decoder.forward(tokens).clone(), atol=2e-5, rtol=2e-5)


def test_a_tied_head_is_the_embedding_and_learns_from_both_ends(tmp_path: Path) -> None:
    module, _ = module_of(tmp_path, SMALL)
    assert module.head is module.model.embed_tokens.weight
    assert "lm_head.weight" not in dict(module.named_parameters())
    assert sum(parameter.numel() for parameter in module.parameters()) == SMALL.parameters
    tokens = torch.tensor([[1, 2, 3]])
    module(tokens, torch.tensor([[2, 3, 4]])).backward()
    gradient = module.head.grad
    assert gradient is not None
    assert bool((gradient.abs().sum(1) > 0).all())  # rows of no token learn through the head


def test_gradients_are_those_of_finite_differences(tmp_path: Path) -> None:
    module, _ = module_of(tmp_path, dataclasses.replace(SMALL, layers=1))
    module = module.double()
    tokens, targets = torch.tensor([[5, 9, 2, 7]]), torch.tensor([[9, 2, 7, 1]])
    module(tokens, targets).backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        place = int(parameter.grad.abs().argmax())
        slope = float(parameter.grad.view(-1)[place])
        found = []
        for sign in (1, -1):
            with torch.no_grad():
                parameter.view(-1)[place] += sign * 1e-2
                found.append(float(module(tokens, targets)))
                parameter.view(-1)[place] -= sign * 1e-2
        assert (found[0] - found[1]) / 2e-2 == pytest.approx(slope, rel=0.05, abs=1e-4), name


@pytest.mark.parametrize("change", ["missing", "unknown", "shape"])
def test_weights_are_taken_whole_or_not_at_all(change: str) -> None:
    weights = draw(SMALL, 0)
    if change == "missing":
        del weights["model.norm.weight"]
    elif change == "unknown":
        weights["lm_head.weight"] = weights["model.embed_tokens.weight"]
    else:
        weights["model.norm.weight"] = torch.ones(17)
    with pytest.raises(RuntimeError):
        assemble(SMALL, weights)


@pytest.mark.parametrize("hidden", [64, 256, 768])
def test_random_weights_begin_at_the_logarithm_of_the_vocabulary(hidden: int) -> None:
    shape = dataclasses.replace(
        SMALL, hidden_size=hidden, intermediate_size=3 * hidden, head_dim=hidden // 4, vocab_size=500
    )
    module = assemble(shape, draw(shape, 1))
    tokens = torch.randint(500, (2, 65), generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        loss = float(module(tokens[:, :-1], tokens[:, 1:]))
    assert abs(loss - math.log(500)) < 0.5


def test_random_weights_are_the_seeds() -> None:
    first, again, other = draw(SMALL, 1), draw(SMALL, 1), draw(SMALL, 2)
    name = "model.layers.0.mlp.up_proj.weight"
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first[name], other[name])


@pytest.mark.oracle
@pytest.mark.parametrize("architecture", SHAPES[:4])
def test_loss_and_gradients_are_those_of_transformers(tmp_path: Path, architecture: Architecture) -> None:
    import transformers

    module, _ = module_of(tmp_path, architecture)
    peer = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    tokens = torch.randint(61, (2, 24), generator=torch.Generator().manual_seed(1))
    loss = module(tokens[:, :-1], tokens[:, 1:])
    loss.backward()
    theirs = peer(tokens, labels=tokens).loss
    theirs.backward()
    assert loss.item() == pytest.approx(theirs.item(), abs=1e-5)
    gradients = {name: parameter.grad for name, parameter in peer.named_parameters()}
    for name, parameter in module.named_parameters():
        torch.testing.assert_close(parameter.grad, gradients[name], atol=1e-5, rtol=1e-4)

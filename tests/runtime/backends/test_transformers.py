"""Hugging Face's transformers as the oracle of our decoder (make oracles)."""

from __future__ import annotations

import dataclasses
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from pv_runtime.architecture import Architecture
from pv_runtime.backends import Backend, open_backend
from pv_runtime.errors import ModelError
from pv_runtime.export import export
from pv_runtime.formats import open_checkpoint
from pv_runtime.model import Decoder
from pv_runtime.random_model import RandomModel
from pv_runtime.stages import STAGES, WHOLE
from pv_runtime.weights import load_weights
from torch import Tensor

MODELS = Path(__file__).resolve().parents[3] / "models"
RATIOS = [(4, 4), (4, 2), (8, 2), (6, 1), (14, 2), (8, 1)]
"""Query and key heads: ratios 1, 2, 4, 6, 7 and 8."""

Seen = dict[tuple[str, int | None], Tensor]


def shape_of(family: str, heads: int, kv_heads: int, *, tied: bool, head_dim: int = 12) -> Architecture:
    return Architecture(
        family=family,
        hidden_size=8 * heads,
        intermediate_size=100,
        layers=3,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        vocab_size=77,
        max_positions=64,
        rope_theta=1e4 if family == "llama" else 1e6,
        rms_norm_eps=1e-5 if family == "llama" else 1e-6,
        qkv_bias=family == "qwen2",
        tied=tied,
    )


def prompts(architecture: Architecture, batch: int, count: int) -> Tensor:
    generator = torch.Generator().manual_seed(count)
    return torch.randint(architecture.vocab_size, (batch, count), generator=generator)


def recording(kept: Seen):  # type: ignore[no-untyped-def]  # noqa: ANN201
    def keep(stage: str, layer: int | None, values: Tensor) -> Tensor:
        kept[stage, layer] = values.clone()
        return values

    return keep


@pytest.fixture(scope="module")
def pair() -> tuple[Backend, Backend]:
    model = RandomModel(shape_of("qwen2", 14, 2, tied=True))
    return open_backend("reference", model), open_backend("transformers", model)


pytestmark = pytest.mark.oracle


@pytest.mark.parametrize("name", ["tiny-qwen2", "tiny-qwen2-7to1", "tiny-qwen2-q4_k"])
def test_logits_of_the_shipped_models_agree_at_every_position(name: str) -> None:
    model = open_checkpoint(MODELS / name / "model.gguf" if name.endswith("k") else MODELS / name)
    ours, theirs = open_backend("reference", model), open_backend("transformers", model)
    tokens = prompts(ours.architecture, 2, 100)
    assert (ours.forward(tokens) - theirs.forward(tokens)).abs().max() <= 1e-4


@pytest.mark.parametrize("family", ["qwen2", "llama"])
@pytest.mark.parametrize(("heads", "kv_heads"), RATIOS)
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("head_dim", [8, 12])
def test_logits_of_random_models_agree(
    family: str, heads: int, kv_heads: int, tied: bool, head_dim: int
) -> None:
    """With and without a cache, and padded on either side."""
    model = RandomModel(shape_of(family, heads, kv_heads, tied=tied, head_dim=head_dim), seed=heads)
    theirs, decoder = open_backend("transformers", model), Decoder(load_weights(model))
    tokens = prompts(decoder.architecture, 3, 33)
    expected = theirs.forward(tokens)
    assert (decoder.forward(tokens) - expected).abs().max() <= 1e-4
    cache = decoder.cache(3, capacity=1)
    parts = [decoder.forward(tokens[:, part], cache=cache) for part in (slice(20), *_each(20, 33))]
    assert (torch.cat(parts, 1) - expected).abs().max() <= 1e-4
    for left in (True, False):
        attended = torch.ones(tokens.shape, dtype=torch.bool)
        attended[1, : 9 if left else None] = False
        attended[1, :24] |= not left
        ours = decoder.forward(tokens, attended=attended)
        assert (ours - theirs.forward(tokens, attended=attended))[attended].abs().max() <= 1e-4


def _each(start: int, end: int) -> list[slice]:
    return [slice(place, place + 1) for place in range(start, end)]


def test_cached_decoding_agrees_with_their_cached_decoding() -> None:
    """Their own cache and position ids, and not ours of a whole pass."""
    model = open_checkpoint(MODELS / "tiny-qwen2-7to1")
    theirs = open_backend("transformers", model).model  # type: ignore[attr-defined]
    decoder = Decoder(load_weights(model))
    tokens = prompts(decoder.architecture, 1, 24)
    cache, kept = decoder.cache(), None
    for part in (slice(16), *_each(16, 24)):
        with torch.inference_mode():
            result = theirs(tokens[:, part], past_key_values=kept, use_cache=True)
        kept = result.past_key_values
        assert (decoder.forward(tokens[:, part], cache=cache) - result.logits).abs().max() <= 1e-4


@pytest.mark.parametrize(("dtype", "bits"), [(torch.bfloat16, 8), (torch.float16, 11)])
def test_half_precision_agrees_within_its_rounding(dtype: torch.dtype, bits: int) -> None:
    """Two walks of a dozen roundings a block: √2 of one walk's length."""
    model = RandomModel(shape_of("qwen2", 8, 2, tied=False))
    ours, theirs = (open_backend(name, model, dtype=dtype) for name in ("reference", "transformers"))
    tokens = prompts(ours.architecture, 2, 30)
    expected = theirs.forward(tokens).double()
    relative = float((ours.forward(tokens).double() - expected).norm() / expected.norm())
    assert relative <= 2.0**-bits * math.sqrt(2 * (12 * ours.architecture.layers + 3))


@pytest.mark.parametrize("form", ["gguf", "apr"])
def test_a_llama_exported_and_read_back_computes_what_transformers_computes_of_the_source(
    form: str, tmp_path: Path
) -> None:
    """GGUF interleaves query and key rows; whoever forgets to undo it differs by far more."""
    source = RandomModel(shape_of("llama", 8, 2, tied=False)).save(tmp_path)
    export(source, str(tmp_path / f"exported.{form}"), form)
    written = open_checkpoint(tmp_path / f"exported.{form}")
    tokens = prompts(shape_of("llama", 8, 2, tied=False), 1, 40)
    theirs = open_backend("transformers", source).forward(tokens)
    assert (open_backend("reference", written).forward(tokens) - theirs).abs().max() <= 1e-4
    name = "model.layers.0.self_attn.q_proj.weight"
    assert (written.raw(name).tobytes() != source.raw(name).tobytes()) == (form == "gguf")


def test_a_folder_that_transformers_itself_saved_and_loads(tmp_path: Path) -> None:
    """Not through our own tensors on either side: its config.json of today, and its weights."""
    import transformers

    config = transformers.LlamaConfig(
        vocab_size=90, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=50, rope_theta=5e5, tie_word_embeddings=False,
    )  # fmt: skip
    torch.manual_seed(5)
    model = transformers.LlamaForCausalLM(config).eval()
    model.save_pretrained(tmp_path)
    ours = open_backend("reference", open_checkpoint(tmp_path))
    assert ours.architecture.rope_theta == 5e5
    tokens = prompts(ours.architecture, 2, 50)
    with torch.inference_mode():
        assert (ours.forward(tokens) - model(tokens).logits).abs().max() <= 1e-4


def test_every_stage_is_shown_and_agrees(pair: tuple[Backend, Backend]) -> None:
    ours, theirs = pair
    tokens = prompts(ours.architecture, 2, 20)
    mine: Seen = {}
    hers: Seen = {}
    ours.forward(tokens, tap=recording(mine))
    plain = theirs.forward(tokens)
    assert torch.equal(theirs.forward(tokens, tap=recording(hers)), plain)
    assert mine.keys() == hers.keys()
    assert {stage for stage, _ in hers} == theirs.shows
    for place, values in mine.items():
        assert values.shape == hers[place].shape
        assert (values - hers[place]).norm() <= 1e-5 * values.norm(), place


@pytest.mark.parametrize("stage", STAGES)
def test_what_a_tap_returns_is_computed_on_with_in_every_block(
    pair: tuple[Backend, Backend], stage: str
) -> None:
    """The same values injected into both leave the same logits, and other ones than before."""
    ours, theirs = pair
    tokens = prompts(ours.architecture, 2, 12)
    kept: Seen = {}
    plain = ours.forward(tokens, tap=recording(kept))
    for layer in [None] if stage in WHOLE else range(ours.architecture.layers):
        other = kept[stage, layer].roll(3, dims=1)

        def inject(
            at: str, index: int | None, values: Tensor, place: object = (stage, layer), other: Tensor = other
        ) -> Tensor:
            return other if (at, index) == place else values

        injected = ours.forward(tokens, tap=inject)
        assert (injected - plain).norm() > 1e-2 * plain.norm()
        assert (theirs.forward(tokens, tap=inject) - injected).norm() <= 1e-5 * injected.norm()


def test_hooks_are_gone_afterwards_even_where_a_tap_fails(pair: tuple[Backend, Backend]) -> None:
    _, theirs = pair
    tokens = prompts(theirs.architecture, 1, 5)
    plain = theirs.forward(tokens)

    def fails(stage: str, _layer: int | None, values: Tensor) -> Tensor:
        if stage == "ffn_up":
            raise ZeroDivisionError
        return values

    with pytest.raises(ZeroDivisionError):
        theirs.forward(tokens, tap=fails)
    assert torch.equal(theirs.forward(tokens), plain)


def test_tokens_are_checked_as_ours_are(pair: tuple[Backend, Backend]) -> None:
    for backend in pair:
        with pytest.raises(ModelError, match="token id 77 is out of range"):
            backend.forward(torch.tensor([[77]]))
        with pytest.raises(ModelError, match="65 positions are more than the 64"):
            backend.forward(torch.zeros((1, 65), dtype=torch.long))


def test_without_the_library_it_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['transformers'] = None\n"
        "from pv_runtime.backends import open_backend\n"
        "from pv_runtime.formats import open_checkpoint\n"
        f"open_backend('transformers', open_checkpoint({str(MODELS / 'tiny-qwen2')!r}))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "ModelError: the back-end transformers needs the library" in ended.stderr


def test_other_numbers_are_noticed() -> None:
    """The comparisons above can fail: another ε or base is seen."""
    model = RandomModel(shape_of("qwen2", 8, 2, tied=False))
    theirs, weights = open_backend("transformers", model), load_weights(model)
    tokens = prompts(theirs.architecture, 1, 30)
    for change in ({"rms_norm_eps": 1e-4}, {"rope_theta": 9.9e5}):
        weights.architecture = dataclasses.replace(theirs.architecture, **change)  # type: ignore[arg-type]
        assert (Decoder(weights).forward(tokens) - theirs.forward(tokens)).abs().max() > 1e-4

# ruff: noqa: E402 - what follows a skip needs what the skip looks for
from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the runtime extra is not installed")

from hypothesis import given, settings
from hypothesis import strategies as st

from models.recipe.decoder import Decoder, RMSNorm, Shape, rotary_angles, rotate

SMALL = Shape(
    "small", hidden=32, layers=2, heads=4, key_value_heads=2, feed_forward=48, vocabulary=64, context=16
)


def small_decoder() -> Decoder:
    torch.manual_seed(1)
    return Decoder(SMALL).eval()


@given(shift=st.integers(0, 40))
@settings(max_examples=20, deadline=None)
def test_rotated_products_depend_on_distance_alone(shift: int) -> None:
    torch.manual_seed(shift)
    query, key = torch.randn(SMALL.head_width), torch.randn(SMALL.head_width)
    angles = rotary_angles(SMALL, 64)

    def product(first: int, second: int) -> float:
        turned = [
            rotate(x[None, None, None], angles[at : at + 1]) for x, at in ((query, first), (key, second))
        ]
        return float((turned[0] * turned[1]).sum())

    assert product(7 + shift, 3 + shift) == pytest.approx(product(7, 3), abs=1e-4)


def test_rotation_pairs_an_element_with_the_one_half_a_head_away() -> None:
    x = torch.zeros(1, 1, 1, 8)
    x[..., 1] = 1.0
    turned = rotate(x, torch.full((1, 4), torch.pi / 2))
    assert int(turned.argmax()) == 5


def test_position_zero_is_not_turned() -> None:
    x = torch.randn(2, 4, 1, SMALL.head_width)
    assert torch.equal(rotate(x, rotary_angles(SMALL, 1)), x)


@given(scale=st.floats(0.01, 100))
@settings(max_examples=20, deadline=None)
def test_the_norm_forgets_scale(scale: float) -> None:
    torch.manual_seed(2)
    x, norm = torch.randn(3, 32), RMSNorm(32, epsilon=1e-12)
    torch.testing.assert_close(norm(x * scale), norm(x), rtol=1e-5, atol=1e-5)


def test_no_logit_looks_ahead() -> None:
    decoder = small_decoder()
    tokens = torch.arange(12)[None] % 64
    changed = tokens.clone()
    changed[0, 8] = 63
    with torch.no_grad():
        before, after = decoder(tokens), decoder(changed)
    torch.testing.assert_close(before[:, :8], after[:, :8])
    assert float((before[:, 8:] - after[:, 8:]).abs().max()) > 1e-4


def test_the_output_matrix_is_the_embedding() -> None:
    names = dict(small_decoder().named_parameters())
    assert not [name for name in names if "lm_head" in name]
    assert names["model.embed_tokens.weight"].shape == (64, 32)


def test_only_queries_keys_and_values_have_biases() -> None:
    biased = {name.split(".")[-2] for name, _ in small_decoder().named_parameters() if name.endswith("bias")}
    assert biased == {"q_proj", "k_proj", "v_proj"}


@pytest.mark.oracle
def test_transformers_computes_the_same_logits() -> None:
    transformers = pytest.importorskip("transformers", reason="the oracles extra is not installed")
    config = transformers.Qwen2Config(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        rope_theta=SMALL.rope_theta,
        rms_norm_eps=SMALL.epsilon,
        tie_word_embeddings=True,
    )
    decoder, oracle = small_decoder(), transformers.Qwen2ForCausalLM(config).eval()
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)  # biases and norms too
        oracle.load_state_dict(decoder.state_dict() | {"lm_head.weight": decoder.model.embed_tokens.weight})
        tokens = torch.randint(64, (2, 16))
        torch.testing.assert_close(decoder(tokens), oracle(tokens).logits, rtol=1e-4, atol=1e-4)

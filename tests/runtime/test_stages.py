from __future__ import annotations

import torch
from pv_runtime.stages import LAYER_STAGES, STAGES, WHOLE, untapped

ORDER = (
    "embedding attn_norm qkv_matmul qkv_bias q_post_rope k_post_rope attention attn_out post_attn_residual "
    "ffn_norm ffn_gate ffn_up ffn_silu ffn_swiglu ffn_out layer_output final_norm lm_head"
)


def test_the_stages_are_those_of_the_plan_in_the_order_of_computation() -> None:
    assert " ".join(STAGES) == ORDER
    assert {"embedding", "final_norm", "lm_head"} == WHOLE
    assert set(LAYER_STAGES) | WHOLE == set(STAGES)


def test_every_stage_says_what_it_is() -> None:
    assert all(STAGES.values())


def test_a_plain_pass_takes_what_it_is_given() -> None:
    values = torch.ones(1)
    assert untapped("attn_norm", 3, values) is values

from __future__ import annotations

import pytest
from pv_runtime.formats.packing import packed_tensors

MODULE = "model.layers.0.self_attn.q_proj"


@pytest.mark.parametrize(
    ("parts", "method", "packing"),
    [
        (("qweight", "qzeros", "scales", "g_idx"), None, "GPTQ"),
        (("qweight", "qzeros", "scales"), None, "AWQ"),
        (("qweight", "qzeros", "scales"), "awq", "AWQ"),
        (("qweight", "qzeros", "scales"), "gptq", "GPTQ"),
        (("weight_packed", "weight_scale"), "compressed-tensors", "compressed-tensors"),
        (("weight", "weight.absmax", "weight.quant_map"), "bitsandbytes", "bitsandbytes"),
        (("weight", "weight_scale_inv"), "fp8", "FP8 with scales"),
        (("weight", "scales", "biases"), None, "MLX"),
    ],
)
def test_tensors_that_belong_together_are_named(
    parts: tuple[str, ...], method: str | None, packing: str
) -> None:
    names = [f"{MODULE}.{part}" for part in parts]
    metadata = {"config": {"quantization_config": {"quant_method": method}}} if method else {}
    plain = ["model.norm.weight", f"{MODULE}.bias", "model.layers.0.mlp.up_proj.weight"]
    assert packed_tensors([*names, *plain], metadata) == dict.fromkeys(names, packing)


def test_one_part_alone_is_no_packing() -> None:
    assert packed_tensors(["a.weight", "a.bias", "a.scales", "b.qweight", "qweight"], {}) == {}
    assert packed_tensors([], {"config": {"quantization_config": 4}}) == {}

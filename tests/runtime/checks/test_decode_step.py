"""A whole step of decoding on random weights, by the interpreter: as torch's; and what defects do."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from pv_kernels.bench import NoGpuError, open_simulated
from pv_kernels.interpreter import interpreting
from pv_kernels.simulated_gpu import SimulatedGpu
from pv_kernels.specs.block_formats import decode
from pv_runtime.architecture import Architecture
from pv_runtime.checks import decode_step as checks
from pv_runtime.checks.decode_step import decode_step, kept_positions, step_of
from pv_runtime.device_weights import DeviceWeights, Form, decoded, plain, random_weights
from pv_runtime.plain_step import PlainStep
from pv_runtime.presets import PRESETS
from pv_runtime.triton_step import DecodeStep

from tests.runtime.checks.conftest import Recorder

SMALL = Architecture(
    family="qwen2",
    hidden_size=256,
    intermediate_size=256,
    layers=2,
    heads=4,
    kv_heads=2,
    head_dim=64,
    vocab_size=70,
    max_positions=64,
    rope_theta=1e6,
    rms_norm_eps=1e-6,
    qkv_bias=True,
    tied=False,
)
FORMS: list[Form] = ["plain", "Q4_K"]


def small(form: Form, dtype: torch.dtype = torch.float32) -> DeviceWeights:
    return random_weights(SMALL, form, dtype, "cpu")


@pytest.mark.kernel
@pytest.mark.parametrize(("form", "qkv_bias"), [("plain", True), ("plain", False), ("Q4_K", True)])
def test_our_step_computes_what_torch_does(form: Form, qkv_bias: bool) -> None:
    layers = 2 if form == "plain" else 1  # products in Q4_K take the interpreter long
    architecture = dataclasses.replace(SMALL, layers=layers, qkv_bias=qkv_bias)
    weights = random_weights(architecture, form, torch.float32, "cpu")
    buffers = kept_positions(weights, 9, seed=0)
    kept = [each[:, :9].clone() for each in buffers.kept]
    step = DecodeStep(step_of(weights), buffers)
    step.tokens.fill_(7)
    with interpreting():
        step.run()
    theirs = PlainStep(plain(weights), kept)(step.tokens)
    torch.testing.assert_close(step.logits, theirs, rtol=2e-4, atol=2e-4)
    assert theirs.std() > 0.3


def test_weights_are_decoded_as_the_reference_of_the_kernels_decodes_them() -> None:
    packed = small("Q4_K").layers[0].down.parts[0].packed  # type: ignore[union-attr]
    assert torch.equal(decoded(packed, torch.float32), decode("Q4_K", packed))


@pytest.mark.parametrize("form", FORMS)
def test_matrices_have_the_deviation_that_keeps_activations_of_order_one(form: Form) -> None:
    for layer in plain(small(form)).layers:
        for matrix in (layer.qkv, layer.attn_out, layer.gate_up, layer.down):
            (part,) = matrix.parts
            values = part.values  # type: ignore[union-attr]
            assert values.std() * values.shape[1] ** 0.5 == pytest.approx(1, abs=0.15)


def test_bytes_of_a_token_are_those_of_all_but_the_embedding() -> None:
    weights = random_weights(dataclasses.replace(SMALL, tied=False), "plain", torch.bfloat16, "cpu")
    assert weights.bytes_per_token == 2 * (SMALL.parameters - (SMALL.vocab_size - 1) * SMALL.hidden_size)
    packed = small("Q4_K", torch.bfloat16).bytes_per_token
    assert 0.28 < packed / weights.bytes_per_token < 0.29


def measured(monkeypatch: pytest.MonkeyPatch, folder: Path, example: str | None) -> dict[str, Any]:
    """Run the check on a simulated GPU that is as quick as its launches are many."""
    gpu = SimulatedGpu()
    monkeypatch.setattr(checks, "open_bench", lambda _: open_simulated(gpu))
    monkeypatch.setitem(PRESETS, "small", SMALL)
    monkeypatch.setattr(checks, "measure", _once_interpreted(gpu))
    planted = decode_step.counter_examples[example] if example else None
    run = Recorder({}, {}, planted, str(folder))
    decode_step(run, preset="small", form="plain", context=5)
    return run.series


def _once_interpreted(gpu: SimulatedGpu) -> Any:
    """Let a simulated launch cost for each real one."""
    from pv_kernels.timing import measure

    def timed(timer: Any, call: Any, **options: Any) -> Any:
        def launching() -> Any:
            with interpreting() as launches:
                result = call()
            for _ in range(len(launches) or 300):
                gpu.launch({})
            return result

        return measure(timer, launching, repeats=1, filling=options["filling"])

    return timed


@pytest.mark.kernel
def test_what_is_recorded_of_a_step_and_of_a_defect(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(torch, "compile", lambda function, **_: function)
    right = measured(monkeypatch, tmp_path, None)
    assert right["cosine"][0] > 0.999
    assert right["ratio_to_compiled"][0] > 1
    assert right["backend"] == ["simulated"]
    twice = measured(monkeypatch, tmp_path, "every_step_twice")
    assert twice["seconds"][0] > 1.9 * right["seconds"][0]
    assert twice["cosine"][0] > 0.999
    short = measured(monkeypatch, tmp_path, "last_block_left_out")
    assert short["seconds"][0] < right["seconds"][0]
    assert short["cosine"][0] < 0.99


def test_nothing_is_timed_where_there_is_no_gpu(tmp_path: Path) -> None:
    with pytest.raises(NoGpuError):
        decode_step(Recorder({}, {}, None, str(tmp_path)), preset="qwen2.5-7b", form="plain", context=5)

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from pv_runtime.bisect.bisection import Bisection, Trace, bisect
from pv_runtime.bisect.recording import Recording
from pv_runtime.bisect.sides import Side, passes_of, record
from pv_runtime.defects import computation
from pv_runtime.defects.loading import changed
from pv_runtime.defects.models import square
from pv_runtime.defects.planted import side
from pv_runtime.errors import ModelError
from pv_runtime.formats import Overlay
from pv_runtime.model import Decoder
from pv_runtime.stages import STAGES, Tap, untapped
from pv_runtime.weights import load_weights
from torch import Tensor

TOKENS = torch.randint(0, 384, (16,), generator=torch.Generator().manual_seed(4))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Partial:
    """A back-end that shows, and takes, some stages only."""

    name, version = "partial", "0"

    def __init__(self, decoder: Decoder, shows: frozenset[str], takes: frozenset[str]) -> None:
        self.decoder, self.architecture = decoder, decoder.architecture
        self.shows, self.takes = shows, takes

    def forward(self, tokens: Tensor, *, attended: Tensor | None = None, tap: Tap = untapped) -> Tensor:
        def partly(stage: str, layer: int | None, values: Tensor) -> Tensor:
            if stage not in self.shows:
                return values
            taken = tap(stage, layer, values)
            return taken if stage in self.takes else values

        return self.decoder.forward(tokens, attended=attended, tap=partly)


def partial(kind: type[Decoder], hidden: set[str], fixed: set[str]) -> Side:
    shows = frozenset(STAGES) - hidden
    backend = Partial(kind(load_weights(square())), shows, shows - fixed)
    return Side.of("partial", backend, square())


def places(found: Bisection) -> list[tuple[str, int | None]]:
    return [(each.stage, each.layer) for each in found.culprits]


def test_a_model_agrees_with_itself_stage_by_stage() -> None:
    found = bisect(side(square()), side(square()), TOKENS)
    assert not found.culprits
    assert [(each.stage, each.layer) for each in found.stages][:3] == [
        ("embedding", None), ("attn_norm", 0), ("qkv_matmul", 0),
    ]  # fmt: skip
    assert len(found.stages) == 3 + 15 * 4
    assert found.passes == ((0, 13), (13, 15), (15, 16))


@pytest.mark.parametrize("count", [1, 2, 3, 4, 9])
@pytest.mark.parametrize("decoded", [0, 1, 2, 3, 8])
def test_passes_cover_every_token_once(count: int, decoded: int) -> None:
    passes = passes_of(count, decoded)
    assert [token for start, end in passes for token in range(start, end)] == list(range(count))
    assert passes[0][1] >= 1


@pytest.mark.parametrize("count", [1, 2, 3])
def test_short_prompts_agree_and_defects_still_show(count: int) -> None:
    assert not bisect(side(square()), side(square()), TOKENS[:count]).culprits
    found = bisect(side(square()), side(square(), computation.LargeEpsilon), TOKENS[:count])
    assert places(found)[0] == ("attn_norm", 0)


@pytest.mark.parametrize(
    ("hidden", "fixed"),
    [
        ({"ffn_silu"}, set()),
        (set(), {"qkv_matmul", "qkv_bias"}),
        ({"ffn_silu"}, {"qkv_matmul", "qkv_bias"}),
        ({"qkv_matmul", "attn_norm", "ffn_gate", "ffn_up", "ffn_silu"}, {"ffn_swiglu"}),
        ({"q_post_rope", "k_post_rope"}, set()),
        (set(STAGES) - {"embedding", "layer_output", "lm_head"}, set()),
        (set(), set(STAGES)),
    ],
    ids=lambda each: "+".join(sorted(each))[:40] or "none",
)
def test_stages_that_are_not_shown_or_not_taken_raise_no_alarm(hidden: set[str], fixed: set[str]) -> None:
    found = bisect(side(square()), partial(Decoder, hidden, fixed), TOKENS)
    assert not found.culprits
    for each in sorted(hidden):
        assert any(each in note for note in found.notes)


@pytest.mark.parametrize(
    ("kind", "hidden", "fixed", "place"),
    [
        (computation.Gelu, {"ffn_silu"}, set(), ("ffn_swiglu", 0)),
        (computation.RotaryBase, set(), {"qkv_matmul", "qkv_bias"}, ("q_post_rope", 0)),
        (computation.RotaryBase, {"q_post_rope", "k_post_rope"}, set(), ("attention", 0)),
        (computation.SeesAhead, set(), {"attention"}, ("attention", 0)),
        (computation.DropsResidual, {"attn_out"}, set(), ("post_attn_residual", 2)),
        (computation.CentredNorm, set(), set(STAGES), ("attn_norm", 0)),
    ],
)
def test_a_defect_shows_at_the_first_stage_behind_it_that_is_shown(
    kind: type[Decoder], hidden: set[str], fixed: set[str], place: tuple[str, int]
) -> None:
    found = bisect(side(square()), partial(kind, hidden, fixed), TOKENS)
    assert places(found)[0] == place


def test_a_saved_trace_of_a_broken_candidate() -> None:
    broken = side(square(), computation.SiluOfUp)
    trace = Trace("kept", TOKENS, record(broken, TOKENS))
    found = bisect(side(square()), trace, TOKENS)
    assert places(found)[0] == ("ffn_silu", 0)
    assert found.culprits[0].explanation is not None
    assert found.culprits[0].explanation.signature == "activation on the wrong operand"
    assert {each.stage for each in found.culprits} == {"ffn_silu", "ffn_swiglu"}  # both operands are others


def test_a_saved_trace_as_the_reference_and_a_damaged_file() -> None:
    trace = Trace("kept", TOKENS, record(side(square()), TOKENS))
    name = "model.layers.1.self_attn.o_proj.weight"
    found = bisect(trace, side(changed(square(), name, lambda w: w.T.copy())), TOKENS)
    assert places(found) == [("attn_out", 1)]
    explanation = found.culprits[0].explanation
    assert explanation is not None
    assert explanation.signature == "transposed"
    assert explanation.settled
    assert explanation.experiment.startswith("on the candidate's side")


def test_a_saved_trace_as_the_reference_and_a_wrong_computation() -> None:
    trace = Trace("kept", TOKENS, record(side(square()), TOKENS))
    found = bisect(trace, side(square(), computation.InterleavedRotation), TOKENS)
    assert places(found)[0] == ("q_post_rope", 0)
    assert found.culprits[0].explanation is not None
    assert found.culprits[0].explanation.signature == "interleaved RoPE"


def test_a_trace_that_lacks_stages_still_shows_their_errors() -> None:
    whole = record(side(square()), TOKENS)
    some = Recording()
    for stage, layer in whole:
        if stage not in {"ffn_silu", "qkv_matmul"}:
            some.put((stage, layer), 0, whole.values(stage, layer))
    trace = Trace("kept", TOKENS, some)
    assert not bisect(trace, side(square()), TOKENS).culprits
    assert places(bisect(trace, side(square(), computation.Gelu), TOKENS))[0] == ("ffn_swiglu", 0)


def test_half_precision_is_judged_by_its_own_budget() -> None:
    for dtype in (torch.float16, torch.bfloat16):
        low = side(square(), dtype=dtype)
        assert not bisect(side(square()), low, TOKENS, mixed_dtypes=True).culprits
        with pytest.raises(ModelError, match="reference computes in float32 and the candidate in"):
            bisect(side(square()), low, TOKENS)


def test_models_of_other_shapes_are_refused_by_the_number_that_differs() -> None:
    config = dict(square().metadata["config"], num_attention_heads=2, num_key_value_heads=2)  # type: ignore[call-overload]
    other = Overlay(square(), metadata={"config": config})
    with pytest.raises(ModelError, match="heads is 4 and the candidate's 2"):
        bisect(side(square()), side(other), TOKENS)


def test_a_config_that_differs_is_said_and_found() -> None:
    config = dict(square().metadata["config"], rope_theta=1e4)  # type: ignore[call-overload]
    found = bisect(side(square()), side(Overlay(square(), metadata={"config": config})), TOKENS)
    assert any("rope_theta is 1000000.0" in note for note in found.notes)
    assert places(found)[0] == ("q_post_rope", 0)


def test_any_number_of_copies_in_a_batch() -> None:
    for copies in (1, 2, 7):
        candidate = dataclasses.replace(side(square()), copies=copies)
        assert not bisect(side(square()), candidate, TOKENS).culprits


def test_a_run_that_ended_early_goes_on(tmp_path: Path) -> None:
    """What was kept is not computed again, and the result is that of a run in one piece."""
    whole = bisect(side(square()), side(square(), computation.LargeEpsilon), TOKENS)

    class Interrupted(computation.LargeEpsilon):
        def block(self, index, *rest):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN002, ANN202
            if index == 3:
                raise KeyboardInterrupt
            return super().block(index, *rest)

    with pytest.raises(KeyboardInterrupt):
        bisect(side(square()), side(square(), Interrupted), TOKENS, folder=tmp_path)
    kept = sorted(tmp_path.rglob("*.npy"))
    assert len([path for path in kept if path.parent.name == "candidate"]) == 1 + 15 * 3
    computed: list[int] = []

    class Counting(computation.LargeEpsilon):
        def block(self, index, *rest):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN002, ANN202
            computed.append(index)
            return super().block(index, *rest)

    again = bisect(side(square()), side(square(), Counting), TOKENS, folder=tmp_path)
    assert computed == [3, 0, 1, 2, 3, 0, 1, 2, 3]
    assert [dataclasses.replace(each, explanation=None) for each in again.stages][:20] == [
        dataclasses.replace(each, explanation=None) for each in whole.stages
    ][:20]
    assert places(again) == places(whole)

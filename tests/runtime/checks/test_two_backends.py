from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pv_runtime.build_export import exported_gguf, quantised_apr
from pv_runtime.checks.two_backends import backend_pair, first_token, logit_moved
from pv_runtime.formats import open_checkpoint

Series = dict[str, list[Any]]
Measure = Callable[..., Series]

SHIPPED = Path(__file__).parents[3] / "models" / "tiny-qwen2"
SETTINGS = {"functional": {"pair": ["reference", "reference"], "prompts": 3, "tokens": 4, "batch": 2}}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    pytest.importorskip("llama_cpp")
    folder = tmp_path_factory.mktemp("pair")
    quantised_apr(str(SHIPPED), str(folder / "m.apr"), quantisation="f16")
    exported_gguf(str(folder / "m.apr"), str(folder / "m.gguf"))
    return {"source": open_checkpoint(folder / "m.apr"), "exported": open_checkpoint(folder / "m.gguf")}


@pytest.mark.parametrize("name", [None, *first_token.counter_examples])
def test_the_first_token_is_as_likely_elsewhere(
    measure: Measure, pair: dict[str, Any], name: str | None
) -> None:
    run = measure(first_token, pair, name, prompts=["def fib(n):", "import "])
    assert run["prompts"] == [2] == [len(run["difference"])]
    assert (max(run["difference"]) > 1e-3) == (name is not None)
    assert run["derived"] == [1]


def test_a_backend_agrees_with_itself(measure: Measure) -> None:
    run = measure(backend_pair, {"model": open_checkpoint(SHIPPED)}, settings=SETTINGS)
    assert (run["prompts"], run["relative_difference"]) == ([3], [0.0] * 3)
    assert (run["reference"], run["candidate"]) == (["reference"], ["reference"])


@pytest.mark.parametrize("name", list(backend_pair.counter_examples))
def test_each_defect_is_seen(measure: Measure, name: str) -> None:
    run = measure(backend_pair, {"model": open_checkpoint(SHIPPED)}, name, settings=SETTINGS)
    assert max(run["relative_difference"]) > 1e-3


def test_one_logit_is_moved_by_a_share() -> None:
    moved = logit_moved(lambda tokens: torch.ones(*tokens.shape, 5), 0.25, 1)(torch.zeros(1, 3))
    assert sorted(moved.flatten().tolist()) == [1.0] * 14 + [1.25]

from __future__ import annotations

import json
import shutil
from pathlib import Path

from pv_runtime.qa.gate import REQUIRED, Outcome, Settings, verdict
from pv_runtime.qa.subject import Subject
from pv_runtime.qa.suite import GATES, run_gates

QUICK = Settings(
    prompt="class Foo:\n    def __init__(", expected=("self",), chat=False, new_tokens=8, iterations=1,
    least_rate=0.001, steps=64, previous={"throughput": 1e-6},
)  # fmt: skip


def test_there_are_twelve_gates_and_eight_are_required() -> None:
    assert len(GATES) == 12
    assert len(REQUIRED & set(GATES)) == 8


def test_every_gate_has_a_result_and_what_was_not_done_is_declined(models: Path) -> None:
    subject = Subject(str(models / "tiny-qwen2-q4_k"), reference=Subject(str(models / "tiny-qwen2")))
    results = {result.name: result for result in run_gates(subject, QUICK)}
    assert list(results) == list(GATES)
    passed = {name for name, result in results.items() if result.outcome is Outcome.PASSED}
    assert passed >= {
        "capability_match", "tensor_contract", "metadata_plausibility", "golden_output", "throughput",
        "format_parity", "performance_regression",
    }  # fmt: skip
    assert results["ollama_parity"].outcome is Outcome.DECLINED
    assert verdict(list(results.values())) is Outcome.DECLINED


def test_gates_that_nobody_asked_for_are_declined(models: Path) -> None:
    results = list(run_gates(Subject(str(models / "tiny-qwen2")), QUICK, ["tensor_contract"]))
    assert [result.name for result in results if result.outcome is Outcome.PASSED] == ["tensor_contract"]
    assert {result.message for result in results if result.outcome is Outcome.DECLINED} == {"not asked for"}
    assert verdict(results) is Outcome.DECLINED


def test_a_broken_model_fails_each_gate_that_meets_it(models: Path, tmp_path: Path) -> None:
    shutil.copytree(models / "tiny-qwen2", tmp_path / "m")
    config = json.loads((tmp_path / "m/config.json").read_text()) | {"num_attention_heads": 16}
    (tmp_path / "m/config.json").write_text(json.dumps(config))
    results = {result.name: result for result in run_gates(Subject(str(tmp_path / "m")), QUICK)}
    for name in ("tensor_contract", "golden_output", "throughput"):
        assert results[name].outcome is Outcome.FAILED
        assert "contradicts its tensors" in results[name].message
    assert results["metadata_plausibility"].outcome is Outcome.PASSED
    assert verdict(list(results.values())) is Outcome.FAILED

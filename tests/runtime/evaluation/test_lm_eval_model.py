"""The adapter under the harness itself, on tasks of this file: `make oracles` has lm-eval."""

# ruff: noqa: E402 - what follows a skip needs what the skip looks for
from __future__ import annotations

import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytestmark = pytest.mark.oracle
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    lm_eval = pytest.importorskip("lm_eval", reason="the lm-eval extra is not installed")
    model_module = pytest.importorskip("lm_eval.api.model", reason="the lm-eval extra is not installed")
    utils = pytest.importorskip("lm_eval.utils")

from pv_runtime.errors import ModelError
from pv_runtime.evaluation.likelihood import encode_pair, windows
from pv_runtime.evaluation.lm_eval_model import RuntimeLM

FOLDER = Path(__file__).resolve().parents[3] / "models" / "tiny-qwen2"
TEXTS = [
    ("def read(self, size=-1):\n", "    return self.file.read(size)\n"),
    ("return ", "self.value"),
    ("", "import os\n"),
    ("class Node:\n    def __init__(self", "):"),
]


def request(*arguments: Any) -> SimpleNamespace:
    return SimpleNamespace(args=arguments)


@pytest.fixture(scope="module")
def ours() -> RuntimeLM:
    return RuntimeLM(str(FOLDER))


@pytest.fixture(scope="module")
def theirs() -> Any:
    """lm-eval's own model, computed by transformers."""
    pytest.importorskip("transformers")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from lm_eval.models.huggingface import HFLM

        return HFLM(pretrained=str(FOLDER), device="cpu", dtype="float32", batch_size=1)


def test_it_is_a_model_of_the_harness(ours: RuntimeLM) -> None:
    assert isinstance(ours, model_module.LM)
    assert (ours.rank, ours.world_size, ours.tokenizer_name) == (0, 1, str(FOLDER))
    made = RuntimeLM.create_from_arg_string(f"model={FOLDER},dtype=float32")
    assert made.loglikelihood([request("a", " b")]) == ours.loglikelihood([request("a", " b")])


@pytest.mark.filterwarnings("ignore")
def test_likelihoods_are_those_of_the_harness_over_transformers(ours: RuntimeLM, theirs: Any) -> None:
    requests = [request(*each) for each in TEXTS]
    found, expected = ours.loglikelihood(requests), theirs.loglikelihood(requests, disable_tqdm=True)
    assert [each for each, _ in found] == pytest.approx([each for each, _ in expected], abs=2e-3)
    assert [each for _, each in found] == [each for _, each in expected]
    text = (FOLDER.parent / "heldout.txt").read_text(encoding="utf-8")[3000:6000]
    rolled = ours.loglikelihood_rolling([request(text)])
    assert rolled == pytest.approx(theirs.loglikelihood_rolling([request(text)], disable_tqdm=True), rel=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_what_is_generated_is_what_the_harness_generates(ours: RuntimeLM, theirs: Any) -> None:
    settings = {"until": ["\n\n", "\ndef"], "max_gen_toks": 24, "do_sample": False}
    requests = [request(context, settings) for context, _ in TEXTS if context]
    assert ours.generate_until(requests) == theirs.generate_until(requests, disable_tqdm=True)


def test_pairs_and_windows_are_those_of_the_harness(ours: RuntimeLM) -> None:
    for length in (1, 5, 7, 8, 30):
        given = utils.get_rolling_token_windows(list(range(length)), 99, 7, 1)
        expected = [utils.make_disjoint_window(pair) for pair in given]
        assert list(windows(range(length), 99, 7)) == [(list(a), list(b)) for a, b in expected]
    template = SimpleNamespace(backend="causal", tok_encode=lambda text, **_: ours._tokenizer.encode(text))
    for context, continuation in (*TEXTS[:2], ("x =  ", "1"), ("a\n", "b")):
        pair = model_module.TemplateLM._encode_pair(template, context, continuation)
        assert encode_pair(ours._tokenizer, context, continuation) == pair


def test_settings_that_are_not_known_are_refused(ours: RuntimeLM) -> None:
    with pytest.raises(ModelError, match="num_beams is no setting"):
        ours.generate_until([request("x", {"num_beams": 4})])
    drawn = {"do_sample": True, "temperature": 1.5, "max_gen_toks": 8, "seed": 3}
    both = ours.generate_until([request("def f", drawn), request("def f", {**drawn, "seed": 4})])
    assert both[0] != both[1]


@pytest.mark.filterwarnings("ignore")
def test_the_harness_evaluates_with_it(ours: RuntimeLM, tmp_path: Path) -> None:
    (tmp_path / "data.jsonl").write_text('{"q": "return", "a": " self"}\n{"q": "import", "a": " os"}\n')
    (tmp_path / "completion.yaml").write_text(
        "task: completion\n"
        "dataset_path: json\n"
        f"dataset_kwargs: {{data_files: {{test: {tmp_path}/data.jsonl}}}}\n"
        "test_split: test\n"
        "output_type: multiple_choice\n"
        "doc_to_text: '{{q}}'\n"
        "doc_to_choice: '{{[a, \" zebra\"]}}'\n"
        "doc_to_target: 0\n"
        "target_delimiter: ''\n"
        "metric_list: [{metric: acc}]\n"
    )
    from lm_eval.tasks import TaskManager

    manager = TaskManager(include_path=str(tmp_path), include_defaults=False)
    found = lm_eval.simple_evaluate(model=ours, tasks=["completion"], task_manager=manager, bootstrap_iters=0)
    assert found["results"]["completion"]["acc,none"] == 1.0

from __future__ import annotations

from pathlib import Path

import pytest
from pv_runtime.checks.command_line import synthetic_run
from pv_runtime.checks.first_loss import first_loss
from pv_runtime.checks.first_weights import fresh_start
from pv_runtime.checks.refusals import refusals
from pv_runtime.defects.training import TRAINING_DEFECTS, TrainingDefect, caught, training_lines

ROOT = Path(__file__).parents[3]


def test_the_list_is_the_one_that_was_asked_for() -> None:
    names = " ".join(each.name for each in TRAINING_DEFECTS)
    for words in (
        "weights silently", "layer left random", "head untied", "optimiser state", "one id larger",
        "encoder", "one field off", "transposed", "synthetic", "leaks",
    ):  # fmt: skip
        assert words in names
    assert len(TRAINING_DEFECTS) == 10


def test_each_is_a_counter_example_and_its_falsifier_is_claimed() -> None:
    contracts = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "contracts").glob("*.yaml"))
    known = {
        name for each in (synthetic_run, first_loss, fresh_start, refusals) for name in each.counter_examples
    }
    for defect in TRAINING_DEFECTS:
        assert defect.planted in known
        assert f"- id: {defect.falsifier}\n" in contracts


@pytest.mark.service  # the engine runs a check once for each counter-example
def test_one_is_caught_and_one_that_is_not_planted_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    real = next(each for each in TRAINING_DEFECTS if each.falsifier.endswith("INIT-002"))
    other = TrainingDefect("planted nowhere", real.falsifier, "nothing")
    found = caught([real, other])
    assert [each.hit for each in found] == [True, False]
    text = "\n".join(training_lines(found))
    assert "MISS  planted nowhere" in text
    assert "1 of 2 defects of training" in text

"""What a run says at its end, of outcomes that are made up; and the table of survivors as it is."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from pv_kernels.registry import KERNELS

from tests.kernels.mutants import command
from tests.kernels.mutants.catalogue import Mutant, catalogue
from tests.kernels.mutants.command import control, main, problems
from tests.kernels.mutants.explanations import Explanation, read, stale
from tests.kernels.mutants.runner import Outcome
from tests.kernels.mutants.table import table

MUTANT = Mutant("softmax", "pv_kernels.softmax", "softmax_kernel", "sign", 3, "a + b", "a - b", "")
CAUGHT = Outcome(MUTANT, "samples", "test_x", 1.0)
SURVIVED = dataclasses.replace(CAUGHT, stage="", test="")
WHY = Explanation("softmax", "a + b", "a - b", "b is zero")


@pytest.mark.kernel
def test_every_explanation_is_of_a_mutant_that_there_is() -> None:
    assert stale(read(), catalogue(KERNELS.values()), []) == []


def test_an_explanation_of_nothing_is_stale() -> None:
    assert stale([WHY], [MUTANT], [SURVIVED]) == []
    assert stale([WHY], [MUTANT], []) == []
    ((_, why),) = stale([WHY], [MUTANT], [CAUGHT])
    assert "it is caught: samples, test_x" in why
    ((_, why),) = stale([WHY], [dataclasses.replace(MUTANT, after="b - a")], [])
    assert why == "there is no such mutant"


@pytest.mark.parametrize("text", ['[[survivor]]\nkernel = "x"\n', "two"])
def test_a_table_that_explains_nothing_is_refused(tmp_path: Path, text: str) -> None:
    entry = '[[survivor]]\nkernel = "x"\nbefore = "a"\nafter = "b"\nwhy = "c"\n'
    (tmp_path / "survivors.toml").write_text(2 * entry if text == "two" else text)
    with pytest.raises(ValueError, match=r"none empty|explained twice"):
        read(tmp_path / "survivors.toml")


def test_a_run_fails_for_each_reason_and_only_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "read", lambda: [WHY])
    ninety_five = [
        *(dataclasses.replace(CAUGHT, mutant=dataclasses.replace(MUTANT, after=f"{n}")) for n in range(19)),
        SURVIVED,
    ]
    assert problems(ninety_five, [], [MUTANT]) == []
    (few,) = problems(ninety_five[1:], [], [MUTANT])
    assert "fewer than 95%" in few
    (red,) = problems(ninety_five, [CAUGHT], [MUTANT])
    assert "its own tests fail" in red
    monkeypatch.setattr(command, "read", list)
    (silent,) = problems(ninety_five, [], [MUTANT])
    assert "1 survivors are not explained" in silent
    monkeypatch.setattr(command, "read", lambda: [WHY])
    (rotten,) = problems([CAUGHT], [], [MUTANT])
    assert "a - b, but it is caught" in rotten


def test_the_table_counts_and_tells_of_survivors() -> None:
    text = "\n".join(table([CAUGHT, CAUGHT, SURVIVED], [WHY]))
    assert text.splitlines()[1].split() == ["sign", "2/3", "2/3"]
    assert "caught: 66.7%, 2 by samples" in text
    assert "- a + b\n  + a - b\n  b is zero" in text
    assert "NOT EXPLAINED" in "\n".join(table([SURVIVED], []))


def test_a_list_runs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list", "--kernel", "swiglu"]) == 0
    *listed, last = capsys.readouterr().out.splitlines()
    of, all_ = len(listed) // 3, len(catalogue(KERNELS.values(), ["swiglu"]))
    assert last == f"{of} of {all_} mutants"
    assert 7 <= of < all_


def test_the_control_is_the_module_as_it_is() -> None:
    as_it_is = control("swiglu").text
    assert as_it_is == Path(KERNELS["swiglu"].programs[0].kernel.fn.__code__.co_filename).read_text()

"""The replay: its list, its table, what counts as caught; and some defects of each way to plant one."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.replay.claims import CLAIMS
from benchmarks.replay.computing import COMPUTING
from benchmarks.replay.defect import Defect, Played, Said
from benchmarks.replay.evidence import EVIDENCE
from benchmarks.replay.planting import in_check
from benchmarks.replay.project import FIGURES, MEASURED, Project
from benchmarks.replay.registry import DEFECTS
from benchmarks.replay.stack import ReplayError, Stack
from benchmarks.replay.table import Row, all_caught, last_line, lines, rows
from pv.codes import known_codes
from pv.config import load_config
from pv.selection import load_all

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with Stack(tmp_path) as made:
        yield made


def test_the_list_is_the_one_that_was_asked_for() -> None:
    assert list(DEFECTS) == list(range(1, 26))
    names = " ".join(each.name for each in DEFECTS.values())
    for words in (
        "tie flag", "hard-coded", "lm_head", "token sets", "bias", "own dequantisation", "896", "Q5_K",
        "zero-filled", "whole-file", "--synthetic", "random init", "mismatch", "optimiser", "skipped gates",
        "top ten", "one-sided", "dangling", "typed", "same path", "NaN", "empty", "stamp", "pending",
        "no test",
    ):  # fmt: skip
        assert words in names
    assert all(each.history.endswith(".") for each in DEFECTS.values())


def test_who_must_name_a_defect_is_there() -> None:
    ours = {falsifier.id for contract in load_all(load_config(ROOT)) for falsifier in contract.falsifiers}
    small = Path(ROOT / "benchmarks/replay/small/contracts/small-v1.yaml").read_text(encoding="utf-8")
    for each in DEFECTS.values():
        own = f"- id: {each.named_by}\n" in small or each.named_by == "pv sync --check"
        assert own or each.named_by in ours or each.named_by in known_codes(), each.named_by


def row(control: tuple[str, ...], planted: tuple[str, ...], seconds: float = 1.0) -> Row:
    defect = Defect("a defect", "It was.", "RULE-1", lambda _: Played(Said(()), Said(())))
    return Row(7, defect, Played(Said(control, ("before",)), Said(planted, ("after",))), seconds)


@pytest.mark.parametrize(
    ("control", "planted", "word", "told"),
    [
        ((), ("RULE-1",), "caught", "after"),
        (("RULE-2",), ("RULE-2", "RULE-1"), "caught", "after"),
        ((), (), "MISSED", "after"),
        ((), ("RULE-2",), "MISSED", "after"),
        (("RULE-1",), ("RULE-1",), "ALARM", "before"),
    ],
)
def test_a_defect_is_caught_where_it_is_named_and_its_control_is_not(
    control: tuple[str, ...], planted: tuple[str, ...], word: str, told: str
) -> None:
    made = row(control, planted)
    assert made.word == word
    assert all_caught([made]) == (word == "caught")
    head, *rest = lines(made)
    assert head.split()[:3] == ["7", word, "RULE-1"]
    assert [text.strip() for text in rest] == [told]


def test_the_last_line_counts() -> None:
    caught, missed = row((), ("RULE-1",)), row((), ())
    assert last_line([caught, missed]).endswith("\n1 of 2")
    assert "each in under 10 s" in last_line([caught])
    late = dataclasses.replace(caught, seconds=10.0)
    assert "1 took 10 s or more" in last_line([caught, late])
    assert "LATE" in next(iter(lines(late)))


def test_what_cannot_be_planted_is_not_caught(stack: Stack) -> None:
    def broken(_: Stack) -> Played:
        raise ReplayError("nothing to plant it on")

    (made,) = rows({1: Defect("a defect", "It was.", "RULE-1", broken)}, stack)
    assert made.word == "BROKEN"
    assert made.message == ("ReplayError: nothing to plant it on",)
    assert not all_caught([made])
    unknown = in_check("a defect", "It was.", "FALSIFY-APR-PRETRAIN-ARCH-001", "planted_nowhere")
    (made,) = rows({1: unknown}, stack)
    assert made.word == "BROKEN"
    assert "planted_nowhere" in made.message[0]


def test_a_counter_example_is_judged_by_the_contracts_rule(stack: Stack) -> None:
    (made,) = rows({1: COMPUTING[1]}, stack)
    assert made.word == "caught"
    assert made.played is not None
    assert made.played.control == Said(())
    told = " ".join(made.message)
    assert "FAILS parameters == 494032768" in told
    assert "630167424 against 494032768" in told
    # Our own evidence is not written into.
    assert [path.parent.parent.name for path in stack.folder.rglob("algorithm-*.json")] == [
        "apr-pretrain-arch-polymorphic-v1"
    ]


@pytest.mark.parametrize("number", [18, 21])
def test_a_defect_of_a_project_is_named_by_the_command(stack: Stack, number: int) -> None:
    (made,) = rows({number: (CLAIMS | EVIDENCE)[number]}, stack)
    assert made.word == "caught"
    wanted = {18: "THIS_TEST_DOES_NOT_EXIST", 21: "cosine of k_proj is NaN"}
    assert wanted[number] in " ".join(made.message)


def test_a_low_figure_fails_and_other_figures_do_not(tmp_path: Path) -> None:
    project = Project(tmp_path / "small")
    project.figures("q_proj 0.9990\n")
    assert project.discharged(MEASURED) == Said(())
    project.edit(FIGURES, "0.9990", "0.9989")
    project.pin()
    assert project.discharged(MEASURED).names == (MEASURED,)
    project.figures("q_proj\n")  # the check crashes, which is no verdict
    crashed = project.discharged(MEASURED)
    assert crashed.names == ()
    assert "ERROR" in crashed.message[0]
    with pytest.raises(ValueError, match="0 times"):
        project.edit(FIGURES, "v_proj", "")


def replayed(*words: str) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join(str(ROOT / part) for part in ("", "runtime", "kernels"))
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.replay", *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_number_that_no_defect_has_is_refused() -> None:
    ended = replayed("26")
    assert ended.returncode == 2
    assert "'26' is none of 1 to 25" in ended.stderr


@pytest.mark.service  # a minute and more: the engine runs checks fifty times
def test_all_are_caught() -> None:
    ended = replayed()
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.endswith("\n25 of 25\n")

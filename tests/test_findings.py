"""Our own investigations: they hold, and every number in them is one that was measured."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pv.config import load_config
from pv.evidence import read_record
from pv.investigation import investigation_files, load_investigation
from pv.investigation_judgement import judge_investigation

ROOT = Path(__file__).resolve().parents[1]
EVIDENCE = ROOT / "evidence" / "tiny-qwen2-ship-v1"
OURS = investigation_files(ROOT)


def record(identifier: str, level: str) -> Mapping[str, Any]:
    (path,) = (EVIDENCE / identifier).glob(f"{level}-*-cpu.json")
    return read_record(path).predicate


def values(part: Mapping[str, Any], metric: str) -> list[float]:
    return [float(value) for value in part["measurements"][metric]["values"]]


def table(name: str) -> dict[str, list[str]]:
    """Return the rows of the table in a finding: first cell → the others."""
    text = load_investigation(ROOT / "findings" / f"{name}.md").body
    lines = [line for line in text.splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: row[1:] for row in rows[2:]}


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_they_are_right(path: Path) -> None:
    errors = [str(f) for f in judge_investigation(path, load_config(ROOT)) if f.severity == "error"]
    assert errors == []


def test_there_is_one_that_stands_and_one_that_was_withdrawn() -> None:
    assert {load_investigation(path).status for path in OURS} >= {"standing", "withdrawn"}


def test_four_bits_do_not_carry_0_999() -> None:
    live, base = record("FALSIFY-TINY-QUANT-999", "live"), record("FALSIFY-TINY-QUANT-999", "algorithm")
    planted = record("FALSIFY-TINY-QUANT-004", "algorithm")["counter_examples"]
    own = planted["source_is_own_dequantisation_fp16"]
    cosines, errors = values(live, "cosine"), values(live, "relative_rmse")
    assert len(cosines) == 36
    assert list(table("q4-k-does-not-carry-0.999").values()) == [
        [f"{min(cosines):.10f}"],
        [f"{max(cosines):.10f}"],
        [str(sum(cosine >= 0.999 for cosine in cosines))],
        [f"{min(values(base['satisfying_example'], 'cosine')):.10f}"],
        [f"{min(values(live, 'requantisation_rmse')):.10f}"],
        [f"{min(values(own, 'requantisation_rmse')):.10f}"],
        [f"{min(values(own, 'cosine')):.10f}"],
    ]
    # What the Five Whys say of errors, and of cosines.
    one = load_investigation(ROOT / "findings" / "q4-k-does-not-carry-0.999.md")
    assert f"{min(errors):.4f} to {max(errors):.4f}" in str(one.five_whys[2].answer)
    assert all(abs(1 - e**2 / 2 - c) < 1e-5 for c, e in zip(cosines, errors, strict=True))
    labels = live["measurements"]["cosine"]["labels"]
    assert labels[cosines.index(min(cosines))] == "model.layers.0.mlp.down_proj.weight"
    told = " ".join(str(why.answer) for why in one.five_whys)
    for number in (min(cosines), max(cosines), min(values(own, "cosine"))):
        assert f"{number:.10f}" in told


def test_a_cosine_does_not_show_faithful_packaging() -> None:
    base = record("FALSIFY-TINY-SHIP-003", "algorithm")
    planted = base["counter_examples"]
    rows = table("a-cosine-shows-faithful-packaging")
    for name, part in {"nothing": base, **{name: planted[name] for name in list(rows)[1:]}}.items():
        assert rows[name] == [
            f"{min(values(part, 'cosine')):.10f}",
            f"{sum(values(part, 'differing_elements')):.0f}",
        ]
        assert min(values(part, "cosine")) >= 0.999
    for name in list(rows)[1:]:
        failed = [line["text"] for line in planted[name]["verdict"]["lines"] if not line["truth"]]
        assert failed == ["sum(differing_elements) == 0"]
    told = " ".join(
        str(why.answer)
        for why in load_investigation(ROOT / "findings" / "a-cosine-shows-faithful-packaging.md").five_whys
    )
    assert all(rows[name][1] in told for name in ("inverted_byte", "wrong_block_scale"))

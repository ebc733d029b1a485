"""The outside corpus, as it is and with keys in old spellings: rewritten, it is judged as before."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from pv.cli import main
from pv.rewrites import old_spellings
from pv.rewriting import judged, rewrite

CORPUS = Path(__file__).resolve().parents[2].parent / "shared" / "corpus"
OLD = {"rule": "description", "prediction": "expected", "if_fails": "fails_if", "test": "command"} | {
    "property": "statement",
    "formal": "verification",
}
BLOCKS = {
    "falsification_tests": ("rule", "prediction", "if_fails", "test"),
    "proof_obligations": ("property", "formal"),
}

Rust = Callable[[str, Literal["february", "newest"]], "dict[str, int] | str"]


def corpus() -> list[Path]:
    if not CORPUS.is_dir():
        pytest.skip("the outside corpus is not beside this checkout")
    files = sorted(CORPUS.rglob("*.yaml"))
    assert len(files) == 92
    return files


def aged(text: str, seed: int, share: float) -> str:
    """Write a `share` of the keys in old spellings, and sometimes the block's name, by lines."""
    chance = random.Random(seed)
    lines = []
    block = ""
    for line in text.split("\n"):
        block = top[1] if (top := re.match(r"([a-z_]+):", line)) else block
        keys = "|".join(BLOCKS.get(block, ("-",)))
        found = re.match(rf"( +(?:- )?)({keys})(:.*)$", line)
        if found and chance.random() < share:
            line = f"{found[1]}{OLD[found[2]]}{found[3]}"  # noqa: PLW2901
        if line == "falsification_tests:" and chance.random() < share:
            line = "falsification:"  # noqa: PLW2901
        lines.append(line)
    return "\n".join(lines)


def codes(text: str, name: str) -> Counter[tuple[str, str]]:
    return Counter((finding.code, finding.severity) for finding in judged(text, name).findings)


def test_the_corpus_has_nothing_to_rewrite_and_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    corpus()
    assert main(["migrate", "--check", str(CORPUS)]) == 0
    shown = capsys.readouterr()
    assert shown.out == "91 contract(s) have no old spelling that can be rewritten\n"
    assert "this is a binding registry" in shown.err


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_in_old_spellings_every_contract_comes_back_byte_for_byte(
    rust: Rust, tmp_path: Path, share: float
) -> None:
    changed = 0
    for seed, path in enumerate(corpus()):
        text = path.read_bytes().decode("utf-8")
        name = str(tmp_path / path.name)
        old = aged(text, seed, share)
        if path.name == "binding.yaml":  # another artefact
            continue
        after = rewrite(old, name, old_spellings)
        if old != text:
            changed += 1
        if path.name == "tensor-layout-v1.yaml" and "\nfalsification:" in old:
            # Its falsifiers do not say what a failure means: that would be said as soon as they are read.
            assert {re.findall(r"\[(\S+)\]", one.why)[0] for one in after.left} == {"SCHEMA-009"}
            assert after.text.replace("\nfalsification:", "\nfalsification_tests:") != text
            continue
        assert after.text == text, path.name
        assert after.reworded == ()
        assert rewrite(after.text, name, old_spellings).text == after.text
        if "\nfalsification:" not in old:
            # The newest Rust tool reads the aliases too.
            assert codes(old, name) == codes(text, name)
            assert rust(old, "newest") == rust(text, "newest")
        else:
            gone = codes(old, name) - codes(text, name)
            assert {code for code, _ in gone} <= {"PROVABILITY-001", "PV-DROPPED-001", "PV-HARNESS-001"}
            assert not codes(text, name) - codes(old, name)
    assert changed >= 85

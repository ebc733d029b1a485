"""A small project that says the hostile text wherever a project can say something."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.injection.payload import NAME
from tests.pv.conftest import CLAUSE, Project

__all__ = ["plant"]

_CHECKS = '''
"""Checks that say more than they measure."""

import os

from pv.check import Metric, Run, check

TEXT = {text!r}


def shout():
    print(TEXT, flush=True)
    os.write(1, TEXT.encode())
    os.write(2, TEXT.encode())


@check(metrics=[Metric("x", unit="u")])
def shouts(run: Run, *, numbers) -> None:
    shout()
    run.record("x", max(numbers) / 9, label=TEXT)


@shouts.counter_example("louder", of="numbers")
def louder(numbers):
    return [99.0]


@check(metrics=[Metric("x")])
def raises(run: Run, *, numbers) -> None:
    shout()
    run.record("x", 3.0, label=TEXT)
    raise RuntimeError(TEXT)


@raises.counter_example("louder", of="numbers")
def louder_still(numbers):
    return [99.0]
'''


def plant(root: Path, text: str) -> Path:
    """Make a project in `root` that says `text` in contracts, waivers, configuration, findings and checks.

    Beside it, `bad` holds files that are refused in messages that quote them, and `before` what the contract
    was when it did not say it.
    """
    project = Project(root)
    shutil.copytree(root / "contracts", root / "before")
    (root / "contracts" / "small-v1.yaml").write_text(yaml.safe_dump(_contract(text), sort_keys=False))
    (root / "small_checks" / "shouting.py").write_text(_CHECKS.format(text=text))
    waiver = {"id": "FALSIFY-SMALL-003", "reason": text, "approver": text}
    days = {"created": "2024-01-01", "expires": "2099-01-01"}
    (root / "waivers.yaml").write_text(yaml.safe_dump([waiver | days]))
    project.edit("pv.toml", '"cp FAR data/far-away.txt"', json.dumps(text))
    (root / "findings").mkdir()
    (root / "findings" / "one.md").write_text(
        f"---\n{yaml.safe_dump({'title': text, 'x' + text: text})}---\n"
    )
    _bad(root / "bad", text)
    for words in (["init"], ["add", "--all"], ["commit", "--message", "all"]):
        command = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", *words, "--quiet"]
        subprocess.run(
            [each for each in command if (each, words[0]) != ("--quiet", "add")], cwd=root, check=True
        )
    return root


def _contract(text: str) -> dict[str, Any]:
    subjects = {"functional": {"numbers": "stand-in"}, "live": {"numbers": "shipped"}}
    said = {"rule": text, "prediction": text, "if_fails": text, "owner": text}
    loud = {"expect": ["x <= 0.1"], "counter_examples": ["louder"]}
    clause = {**CLAUSE, "subjects": subjects, **said}
    return {
        "metadata": {
            "version": "1.0.0", "description": text, "references": [text], "kind": "pattern", "author": text,
        },
        "equations": {f"EQ{text}": {"formula": text, "domain": text}},
        "proof_obligations": [
            {"id": f"OBL{text}", "type": "invariant", "property": text, "formal": text},
            {"id": f"OBL-2{text}", "type": "bound", "property": text},
        ],
        "hypotheses": [{"id": "H-1", "statement": text, "predicts": {"FALSIFY-SMALL-001": "Fail"},
        "then": text}],
        "falsification_tests": [
            {**clause, "covers": [f"OBL{text}"]},
            {**clause, "id": "FALSIFY-SMALL-002", "check": "small_checks.shouting:shouts", **loud},
            {**clause, "id": "FALSIFY-SMALL-003", "check": "small_checks.shouting:shouts", **loud},
            {**clause, "id": "FALSIFY-SMALL-004", "check": "small_checks.nowhere:x"},
            {**said, "id": "FALSIFY-SMALL-005", "excluded": text},
            {**clause, "id": "FALSIFY-SMALL-006", "check": "small_checks.shouting:raises", **loud},
            {**clause, "id": "FALSIFY-SMALL-007", "subjects": {"live": {"numbers": "far-away"}}},
        ],
    }  # fmt: skip


def _bad(folder: Path, text: str) -> None:
    folder.mkdir()
    quoted = json.dumps(text)
    (folder / f"{NAME.replace('/', '')}.yaml").write_text(f"a: {quoted}\n{quoted}: [\n")
    (folder / "twice.yaml").write_text(f"{quoted}: 1\n{quoted}: 2\n")
    falsifier = f"{{id: {quoted}, {quoted}: 2, expect: [{quoted}], check: {quoted}}}"
    (folder / "keys.yaml").write_text(
        f"metadata: {{version: 1.0.0, description: x, {quoted}: 1}}\nfalsification_tests: [{falsifier}]\n"
    )
    (folder / "tag.yaml").write_text("a: !<x%1b> 1\n")

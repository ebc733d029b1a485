"""Our own contracts, judged by the whole engine in a copy of the project: what must turn a verdict, does."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGING = "runtime/pv_runtime/checks/packaging.py"
QUANTISATION = "runtime/pv_runtime/checks/quantisation.py"


class Ship:
    """A copy of what a discharge needs: contracts, sources, models, evidence."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("pv.toml", "contracts", "runtime", "evidence"):
            source = ROOT / name
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, root / name)
        (root / "models").symlink_to(ROOT / "models")
        (root / "kernels").mkdir()

    def pv(self, *arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "pv", *arguments],
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        return done.returncode, done.stdout + done.stderr

    def only(self, identifier: str, examples: Sequence[str]) -> None:
        """Leave a falsifier no other counter-examples than these, and nothing that it must detect."""
        path = self.root / "contracts" / "tiny-qwen2-ship-v1.yaml"
        before, start, rest = path.read_text(encoding="utf-8").partition(f"  - id: {identifier}\n")
        clause, blank, after = rest.partition("\n\n")
        listed = f"    counter_examples: [{', '.join(examples)}]\n"
        clause, count = re.subn(r"    counter_examples:\n(?:      - .*\n)+", listed, clause)
        assert count == 1
        clause = re.sub(r"    must_detect:.*\n(?:      .*\n)*", "", clause)
        path.write_text(before + start + clause + blank + after, encoding="utf-8")

    def edit(self, name: str, before: str, after: str) -> None:
        path = self.root / name
        text = path.read_text(encoding="utf-8")
        assert text.count(before) == 1, (name, before)
        path.write_text(text.replace(before, after), encoding="utf-8")


@pytest.fixture
def ship(tmp_path_factory: pytest.TempPathFactory) -> Ship:
    """A fresh copy, in the same folder each time: what numba compiled is kept by the path of its source."""
    root = tmp_path_factory.getbasetemp() / "ship"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    return Ship(root)


HARMLESS = [
    (
        "FALSIFY-TINY-SHIP-003",
        PACKAGING,
        "block[scheme.codes[len(scheme.codes) // 2]] ^= 0x01",
        "block[scheme.codes[len(scheme.codes) // 2]] ^= 0x00",
        "flipped_nibble",
    ),
    (
        "FALSIFY-TINY-SHIP-003",
        PACKAGING,
        "return damage.without_last(quantised)",
        "return quantised",
        "missing_tensor",
    ),
    (
        "FALSIFY-TINY-QUANT-008",
        QUANTISATION,
        "return damage.without_last(candidate)",
        "return candidate",
        "missing_tensor",
    ),
]
"""Falsifier, where its counter-example is made, that code, what makes it harmless, and its name."""


def test_counter_examples_made_harmless_make_their_falsifiers_vacuous(ship: Ship) -> None:
    for _, file, before, after, _ in HARMLESS:
        ship.edit(file, before, after)
    identifiers = dict.fromkeys(identifier for identifier, *_ in HARMLESS)
    for identifier in identifiers:
        # The others are caught, as the evidence shows that is checked in; one is enough to see it here.
        harmless = [name for other, *_, name in HARMLESS if other == identifier]
        ship.only(identifier, ["extra_tensor", *harmless])
    code, said = ship.pv("discharge", *identifiers)
    assert code == 1, said
    parts = re.split(r"^(?=[A-Z]+ +\S+#FALSIFY-)", said, flags=re.MULTILINE)
    for identifier in identifiers:
        (part,) = [part for part in parts if re.match(rf"\S+ +\S+#{identifier}\b", part)]
        missed = [name for other, *_, name in HARMLESS if other == identifier]
        assert re.findall(r"NOT CAUGHT  (\S+) ", part) == missed, said
        assert f"caught      1 of {1 + len(missed)}" in part, said
        assert "VACUOUS" in ship.pv("status", identifier)[1]


def test_without_its_evidence_a_claimed_status_is_an_error(ship: Ship) -> None:
    shutil.rmtree(ship.root / "evidence")
    code, said = ship.pv("validate", "contracts")
    assert code == 1
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "contracts").glob("*.yaml")]
    claims = sum(text.count("\n    discharge_status: ") for text in texts)
    assert claims >= 10
    assert said.count("error[PV-STATUS-001]") == claims, said


def test_a_source_that_is_a_dequantisation_shows_nothing_of_quantising(ship: Ship) -> None:
    twin = ship.root / "twin"
    shutil.copytree(ROOT / "models" / "tiny-qwen2-q4_k-twin", twin)
    shutil.copy(ROOT / "models" / "tiny-qwen2" / "tokenizer.json", twin)
    code, said = ship.pv(
        "discharge", "FALSIFY-TINY-QUANT-004", "--subject", f"tiny-qwen2={twin}", "--no-record"
    )
    assert code == 1, said
    assert "FAILS       min(requantisation_rmse) >= 0.02" in said
    assert "holds       min(cosine) >= 0.993" in said


def test_one_flipped_byte_of_the_published_file_is_seen(ship: Ship) -> None:
    published = ship.root / "published.gguf"
    shutil.copy(ROOT / "models" / "tiny-qwen2-q4_k" / "model.gguf", published)
    # The file ends with 1,024 bytes of F32 norm; before them lie the blocks of a projection.
    with published.open("r+b") as file:
        file.seek(-5000, os.SEEK_END)
        byte = file.read(1)[0]
        file.seek(-5000, os.SEEK_END)
        file.write(bytes([byte ^ 0xFF]))
    code, said = ship.pv(
        "discharge", "FALSIFY-TINY-SHIP-003", "--subject", f"tiny-qwen2-q4_k={published}", "--no-record"
    )
    assert code == 1, said
    assert "holds       min(cosine) >= 0.999" in said
    assert "FAILS       sum(differing_elements) == 0" in said

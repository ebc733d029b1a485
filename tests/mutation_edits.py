"""The edits of `tests/test_mutations.py`, and what they are made to."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pv.evidence import seal

PROJECT = Path(__file__).parent / "resources" / "mutations"
Edit = Callable[[Path], None]
CONTRACT = "contracts/numbers-v1.yaml"
CHECK = "numbers_checks/wholeness.py"
SCALE = "numbers_checks/scale.py"
BUILDER, TOML = "numbers_checks/building.py", "pv.toml"
SHIPPED, STAND_IN = (
    hashlib.sha256((PROJECT / "data" / name).read_bytes()).hexdigest()
    for name in ("shipped.txt", "stand-in.txt")
)
OTHER = hashlib.sha256(b"1.0\n2.0\n").hexdigest()
RECORD = "evidence/numbers-v1/FALSIFY-NUMBERS-00{}/{}-{}-cpu.json"
FIRST = RECORD.format(1, "live", "shipped")
ALGORITHM = RECORD.format(1, "algorithm", "stand-in")
SECOND = RECORD.format(2, "live", "repeated")
MOVED = FIRST.replace("live", "functional")
SIDECAR = "live-repeated-cpu.7d5d0fbea13d.series.json"


@dataclasses.dataclass(frozen=True)
class Row:
    """An edit, and what `pv status` says of FALSIFY-NUMBERS-00`of` after it."""

    what: str
    edit: Edit
    status: str = "DISCHARGED"
    reason: str = "judged live"
    of: int = 1

    def cells(self) -> str:
        """Return the row as the document shows it."""
        fresh = self.status == "DISCHARGED"
        shown = ("", "stays DISCHARGED") if fresh else (f"`{self.reason}`", self.status)
        return f"| {self.what} | {shown[1]} | {shown[0]} |".replace("|  |", "| |")


def swap(name: str, old: str, new: str, count: int = 1) -> Edit:
    """Replace the first of `count` places where `old` stands in a file."""

    def edit(root: Path) -> None:
        path = root / name
        text = path.read_bytes().decode()
        assert text.count(old) == count, f"{old!r} stands {text.count(old)} times in {name}"
        path.write_bytes(text.replace(old, new, 1).encode())

    return edit


def clause(old: str, new: str) -> Edit:
    """Edit the contract where only one clause has it, or the first clause where both have."""

    def edit(root: Path) -> None:
        count = (root / CONTRACT).read_text(encoding="utf-8").count(old)
        swap(CONTRACT, old, new, count)(root)

    return edit


def write(name: str, text: str) -> Edit:
    """Write a file anew."""

    def edit(root: Path) -> None:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(text.encode())

    return edit


def remove(pattern: str) -> Edit:
    """Remove the one file that matches."""

    def edit(root: Path) -> None:
        (found,) = root.glob(pattern)
        found.unlink()

    return edit


def rename(old: str, new: str) -> Edit:
    """Move a file."""

    def edit(root: Path) -> None:
        (root / old).rename(root / new)

    return edit


def together(*edits: Edit) -> Edit:
    """Make several edits."""

    def edit(root: Path) -> None:
        for each in edits:
            each(root)

    return edit


def reordered(root: Path) -> None:
    """Write the keys of the first clause in the other order."""
    text = (root / CONTRACT).read_text(encoding="utf-8")
    head, first, second = re.split(r"  - id: (?=FALSIFY)", text)
    keys = re.findall(r"^(?:    )?(\w+:.*\n(?:      .*\n)*)", "id: " + first, re.MULTILINE)
    assert len(keys) == 12
    other = "".join(f"{'  - ' if index == 0 else '    '}{key}" for index, key in enumerate(reversed(keys)))
    (root / CONTRACT).write_text(f"{head}{other}\n  - id: {second}", encoding="utf-8")


def other_line_ends(root: Path) -> None:
    """End the lines of the check as Windows does."""
    (root / CHECK).write_bytes((root / CHECK).read_bytes().replace(b"\n", b"\r\n"))


def forged(name: str, change: Callable[[dict[str, Any]], None], *, sealed: bool) -> Edit:
    """Change the predicate of a record; with `sealed`, seal it again as its author would."""

    def edit(root: Path) -> None:
        whole = json.loads((root / name).read_bytes())
        change(whole["predicate"])
        if sealed:
            whole["predicate"]["seal"] = seal(whole)
        (root / name).write_text(json.dumps(whole), encoding="utf-8")

    return edit


def worse(predicate: dict[str, Any]) -> None:
    predicate["measurements"]["distance"]["values"][0] = 0.5


def other_clause(predicate: dict[str, Any]) -> None:
    predicate["inputs"]["form"]["rule"] = "Something else"


def other_module(predicate: dict[str, Any]) -> None:
    predicate["inputs"]["modules"]["numbers_checks.scale"]["sha256"] = "0" * 64


def other_build(predicate: dict[str, Any]) -> None:
    predicate["inputs"]["builds"]["repeated"]["with"] = {"times": 4}


def other_start(predicate: dict[str, Any]) -> None:
    predicate["run"]["started_at"] = "2020-01-01T00:00:00+00:00"


def other_host(predicate: dict[str, Any]) -> None:
    predicate["host"]["cpu"] = "another"
    predicate["versions"] = {"pydantic": "0"}
    predicate["run"]["started_at"] = "2020-01-01T00:00:00+00:00"


def laid_out(root: Path) -> None:
    """Write a record with other blanks."""
    path = root / FIRST
    path.write_text(json.dumps(json.loads(path.read_bytes())), encoding="utf-8")


def shorter_sidecar(root: Path) -> None:
    """Take one sample out of the series that stand beside a record."""
    (path,) = root.glob(f"evidence/*/*/{SIDECAR}")
    series = json.loads(path.read_bytes())
    series["measurements"]["distance"]["values"].pop()
    path.write_text(json.dumps(series), encoding="utf-8")


def below(name: str) -> str:
    """Return the name of a record as messages have it."""
    return name.removeprefix("evidence/")


def section(name: str, what: str) -> str:
    return f"{below(name)}: section {what}"

"""A small project in a folder of its own, in which `pv` runs as a person runs it."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.replay.defect import Said

__all__ = ["CONTRACT", "FIGURES", "GATE", "MEASURED", "TESTED", "Ended", "Project"]

_ROOT = Path(__file__).resolve().parents[2]
_FILES = Path(__file__).resolve().parent / "small"
CONTRACT, FIGURES = "contracts/small-v1.yaml", "data/cosines.txt"
MEASURED, TESTED, GATE = "FALSIFY-SMALL-COSINE", "FALSIFY-SMALL-TEST", "GATE-SMALL"
"""Its falsifiers: one of a check, one of a test of pytest, and a gate over the first one's evidence."""

_CODE = re.compile(r"(?:error|warning)\[([A-Z]+(?:-[A-Z]+)*-\d+)\]")
_OUTCOME = re.compile(r"^([A-Z]+) +\S+#(\S+)", re.MULTILINE)


@dataclasses.dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> tuple[str, ...]:
        """What a person reads, without the lines that are empty."""
        return tuple(" ".join(line.split()) for line in (self.out or self.err).splitlines() if line.strip())


class Project:
    """A copy of the files in ``small/``; `root` must not be there yet."""

    def __init__(self, root: Path) -> None:
        self.root = root
        shutil.copytree(_FILES, root, ignore=shutil.ignore_patterns("__pycache__"))
        self.pin()

    def pin(self) -> None:
        """Write the digest of the figures as they are now into pv.toml."""
        digest = hashlib.sha256((self.root / FIGURES).read_bytes()).hexdigest()
        path = self.root / "pv.toml"
        text = re.sub(r'sha256 = "[^"]*"', f'sha256 = "{digest}"', path.read_text(encoding="utf-8"))
        path.write_text(text, encoding="utf-8")

    def figures(self, text: str) -> None:
        """Put other figures under the same path, and pin them."""
        (self.root / FIGURES).write_text(text, encoding="utf-8")
        self.pin()

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace the one place where `old` stands in a file.

        Raises
        ------
        ValueError
            It stands there not once.
        """
        path = self.root / name
        text = path.read_text(encoding="utf-8")
        if text.count(old) != 1:
            raise ValueError(f"{old!r} stands {text.count(old)} times in {name}, not once")
        path.write_text(text.replace(old, new), encoding="utf-8")

    def pv(self, *arguments: str) -> Ended:
        """Run a command of ``pv`` in a process of its own."""
        done = subprocess.run(
            [sys.executable, "-m", "pv", *arguments],
            cwd=self.root,
            env={**os.environ, "PYTHONPATH": str(_ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def validated(self, code: str) -> Said:
        """Let ``pv validate`` look at the contracts, and keep what it says under `code`."""
        ended = self.pv("validate", "contracts")
        kept: list[str] = []
        for line in ended.out.splitlines():
            said = _CODE.search(line)
            if said and said[1] == code:
                kept += [line]
            elif kept and not said and line.startswith("    ") and len(kept) < 2:
                kept += [line.strip()]
        return Said(tuple(dict.fromkeys(_CODE.findall(ended.out))), tuple(kept))

    def discharged(self, falsifier: str, *options: str, outcome: str = "FAIL") -> Said:
        """Let ``pv discharge`` judge a falsifier, which is named where it ends in `outcome`, and not with 0.

        An error is no verdict: a check that crashes names nothing.
        """
        ended = self.pv("discharge", falsifier, "--no-record", *options)
        found = [name for word, name in _OUTCOME.findall(ended.out) if word == outcome and ended.code]
        return Said(tuple(found), ended.lines if ended.code else ())

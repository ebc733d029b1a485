"""A project whose evidence was really recorded, signed and entered into a ledger: to be tampered with.

``first-v1`` is what `pv init` writes, with two records; ``long-v1`` has records whose series lie in sidecars,
and which two keys signed. ``stranger`` is a key that the policy does not have.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from pv.cli import main
from pv.evidence import spelled, statement
from pv.evidence_files import envelope_of
from pv.signatures.envelope import Signed, envelope_bytes, read_envelope
from pv.signatures.keys import load_signer
from pv.signatures.sign import sign_payload

__all__ = ["FIRST", "LONG", "Do", "Said", "Victim", "prepare"]

FIRST, LONG = "first-v1/FALSIFY-FIRST-001", "long-v1/FALSIFY-LONG-001"
_LETTERS = 1 << 18
_CONTRACT = """\
metadata:
  version: "1.0.0"
  description: A claim with a long series
  references: ["a book"]
  kind: pattern

falsification_tests:
  - id: FALSIFY-LONG-001
    rule: No answer is far from the one before it
    prediction: no step is longer than one
    if_fails: answers are missing
    check: pv_checks.long:steps
    subjects:
      live: {answers: answers}
    expect: [max(step) <= 1, count(step) == 10, count(note) == 1]
    counter_examples: [a_jump]
    needs: {memory: 512 MiB, timeout: 1 min}
"""
_CHECK = f"""\
from pv.check import Metric, Run, check


@check(metrics=[Metric("step", low=0.0), Metric("note", kind="text")])
def steps(run: Run, *, answers: list) -> None:
    run.record("note", "x" * {_LETTERS})
    for number in range(10):
        run.record("step", 2.0 if answers == ["jump"] else number / 10)


@steps.counter_example("a_jump", of="answers")
def a_jump(answers: list) -> list:
    return ["jump"]
"""
POLICY = """\
version = 1

[keys.release]
id = "{release}"
file = "release.pub"

[keys.night]
id = "{night}"
file = "night.pub"

[[rules]]
falsifiers = ["first-v1#*"]
keys = ["release"]

[[rules]]
falsifiers = ["long-v1#*"]
keys = ["release", "night"]
threshold = 2

[[required]]
falsifiers = ["first-v1#*", "long-v1#*"]
levels = ["live"]
"""


@dataclasses.dataclass(frozen=True)
class Said:
    """One thing that was said: of which file, by which word, in which sentence."""

    name: str
    reason: str
    why: str


class Victim:
    """The project in a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def pv(self, *words: str) -> tuple[int, str, str]:
        """Run a command there, in this process; return exit code, standard output and standard error."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.chdir(self.root), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = main(list(words))
            except SystemExit as ended:
                code = int(ended.code or 0)
        return code, out.getvalue(), err.getvalue()

    def do(self, *words: str) -> str:
        """Run a command that must succeed, and return what it printed."""
        code, out, err = self.pv(*words)
        if code:
            raise RuntimeError(f"pv {' '.join(words)} ended with {code}: {err or out}")
        return out

    def copy(self, root: Path) -> Victim:
        """Return a copy, to be tampered with."""
        shutil.copytree(self.root, root, ignore=shutil.ignore_patterns("__pycache__"))
        return Victim(root)

    def record(self, of: str = FIRST, level: str = "live") -> Path:
        """Return the one record of a falsifier at a level."""
        (found,) = (
            path
            for path in (self.root / "evidence" / of).glob(f"{level}-*.json")
            if path.suffixes == [".json"]
        )
        return found

    def sidecar(self) -> Path:
        """Return the sidecar of the live record that has one."""
        (found,) = (self.root / "evidence" / LONG).glob("live-*.series.json")
        return found

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace the first place where `old` stands in a file."""
        path = self.root / name
        text = path.read_text(encoding="utf-8")
        if old not in text:
            raise ValueError(f"{old!r} is not in {name}")
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    def naive(self, path: Path, change: Callable[[dict[str, Any]], None]) -> None:
        """Change a record's statement, and leave the seal as it is."""
        whole = json.loads(path.read_bytes())
        change(whole)
        path.write_bytes(spelled(whole))

    def sealed(self, path: Path, change: Callable[[dict[str, Any]], None]) -> None:
        """Change a record's predicate, and seal it again: it verifies, if it contradicts nothing."""
        predicate = json.loads(path.read_bytes())["predicate"]
        del predicate["seal"]
        change(predicate)
        path.write_bytes(spelled(statement(predicate)))

    def envelope(self, path: Path) -> Signed:
        """Return the envelope beside a record."""
        return read_envelope(path.name, envelope_of(path).read_bytes())

    def put(self, path: Path, **changes: Any) -> None:
        """Change the envelope beside a record."""
        changed = dataclasses.replace(self.envelope(path), **changes)
        envelope_of(path).write_bytes(envelope_bytes(changed))

    def sign(self, path: Path, key: str = "release") -> None:
        """Sign the bytes of a record, whatever they are."""
        signer = load_signer(self.root / key)
        envelope_of(path).write_bytes(envelope_bytes(sign_payload(path.read_bytes(), signer)))

    def key(self, name: str) -> str:
        """Return the id of a key."""
        return load_signer(self.root / name).public_key.keyid

    def judged(self) -> list[Said]:
        """Return what ``pv evidence verify --policy`` says against it; nothing where all is trusted."""
        code, out, err = self.pv("evidence", "verify", "--policy", "policy.toml", "--json")
        if code not in {0, 1}:
            return [Said("policy.toml", "policy", err.strip())]
        found = [Said(**one) for one in json.loads(out)["refused"]]
        if bool(found) != (code == 1):
            raise RuntimeError(f"it ended with {code}, and said {found}")
        return found


Do: TypeAlias = Callable[[Victim], object]
"""What is done to a victim."""


def prepare(root: Path) -> Victim:
    """Make the project at `root`: record, sign, write the policy, enter into the ledger."""
    root.mkdir(parents=True, exist_ok=True)
    victim = Victim(root)
    victim.do("init")
    for name, text in {"contracts/long-v1.yaml": _CONTRACT, "pv_checks/long.py": _CHECK}.items():
        (root / name).write_text(text, encoding="utf-8")
    victim.do("discharge", "FALSIFY-FIRST-001", "FALSIFY-LONG-001")
    for name in ("release", "night", "stranger"):
        victim.do("evidence", "keygen", name)
    victim.do("evidence", "sign", "--key", "release")
    victim.do("evidence", "sign", "--key", "night", "FALSIFY-LONG-001")
    ids = {name: victim.key(name) for name in ("release", "night")}
    (root / "policy.toml").write_text(POLICY.format(**ids), encoding="utf-8")
    victim.do("evidence", "ledger")
    head = json.loads(victim.do("evidence", "ledger", "verify", "--json"))["head"]
    (root / "head").write_text(head, encoding="utf-8")
    return victim

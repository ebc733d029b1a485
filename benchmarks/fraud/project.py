"""A copy of the honest project, in which ``pv`` runs in this process as it runs in one of its own."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.fraud.attempt import Ended
from pv.cli import main
from pv.evidence import statement

__all__ = [
    "CHECK", "COMMAND", "COMMANDED", "CONTRACT", "FILES", "HONEST", "TABLE", "TEST", "TESTED", "Project",
    "run_of",
]  # fmt: skip

FILES = Path(__file__).resolve().parent / "honest"
CONTRACT, CHECK, TABLE = "contracts/honest-v1.yaml", "measuring/errors.py", "data/candidate.json"
TEST, COMMAND = "tests/test_table.py", "tools/measure.py"
HONEST, TESTED, COMMANDED = "FALSIFY-HONEST-001", "FALSIFY-TESTED-001", "FALSIFY-COMMANDED-001"
"""Its falsifiers: one of a check, one of a test of pytest, one of a command."""

_BODY = re.compile(r"(?<=no other side\.\"\"\"\n).*?(?=\n\n\n)", re.DOTALL)


def run_of(falsifier: str, *options: str) -> tuple[str, ...]:
    """Return the words that judge a falsifier anew."""
    return ("discharge", falsifier, "--no-record", *options)


class Project:
    """A project in the folder `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def made(cls, root: Path) -> Project:
        """Write the honest project into `root`, which must not be there yet; nothing of it is judged."""
        shutil.copytree(FILES, root, ignore=shutil.ignore_patterns("__pycache__"))
        project = cls(root)
        project.pin()
        return project

    def pin(self) -> None:
        """Write the digests of the tables, as they are now, into pv.toml."""
        text = self.text("pv.toml")
        for name in ("reference", "candidate"):
            digest = hashlib.sha256((self.root / f"data/{name}.json").read_bytes()).hexdigest()
            text = re.sub(rf'(data/{name}\.json"\nsha256 = )"[^"]*"', rf'\1"{digest}"', text)
        self.write("pv.toml", text)

    def text(self, name: str) -> str:
        """Return what a file holds."""
        return (self.root / name).read_text(encoding="utf-8")

    def write(self, name: str, text: str) -> None:
        """Write a file, and the folders above it."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace the one place where `old` stands in a file.

        Raises
        ------
        ValueError
            It stands there not once.
        """
        text = self.text(name)
        if text.count(old) != 1:
            raise ValueError(f"{old!r} stands {text.count(old)} times in {name}, not once")
        self.write(name, text.replace(old, new))

    def measure(self, body: str, top: str = "") -> None:
        """Let the check do `body` instead, with `top` at the top of its file."""
        text, found = _BODY.subn(
            lambda _: textwrap.indent(textwrap.dedent(body).strip(), "    "), self.text(CHECK)
        )
        if found != 1:
            raise ValueError(f"the body of the check was found {found} times")
        future = "from __future__ import annotations\n"
        self.write(CHECK, text.replace(future, f"{future}\n{textwrap.dedent(top).strip()}\n"))

    def pv(self, *arguments: str) -> Ended:
        """Run a command of ``pv``, as a person does in the project's folder."""
        out = io.StringIO()
        with contextlib.chdir(self.root), contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            try:
                code = main(list(arguments))
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else 2
        return Ended(code, out.getvalue())

    def record(self, level: str, falsifier: str = HONEST) -> Path:
        """Return the record of a falsifier at a level."""
        (path,) = self.root.glob(f"evidence/*/{falsifier}/{level}-*.json")
        return path

    def alter(self, level: str, change: Callable[[dict[str, Any]], None], *, sealed: bool = False) -> None:
        """Change the statement of a record of the honest falsifier; `sealed` as a forger does, anew."""
        path = self.record(level)
        whole = json.loads(path.read_text(encoding="utf-8"))
        change(whole)
        if sealed:
            whole["predicate"].pop("seal")
            whole = statement(whole["predicate"])
        path.write_text(json.dumps(whole, indent=1, sort_keys=True), encoding="utf-8")

    def commit(self) -> None:
        """Commit all that there is."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "As it is")

    def git(self, *words: str) -> str:
        """Run git, which finds no configuration of this host."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        person = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        done = subprocess.run(
            ["git", *words],
            cwd=self.root,
            env={**kept, **person, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

"""``pv init``: a project that can be discharged, in somebody else's repository."""

from __future__ import annotations

import argparse
import hashlib
from importlib import resources
from pathlib import Path

from pv.config import FILE_NAME
from pv.errors import ConfigError
from pv.exits import Exit

__all__ = ["configure", "run"]

_FILES = {
    FILE_NAME: "pv.toml",
    "contracts/first-v1.yaml": "first-v1.yaml",
    "pv_checks/first.py": "first.py",
    "pv_checks/answers.jsonl": "answers.jsonl",
}
"""Path in the project → template."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``pv init``."""
    parser.add_argument("folder", nargs="?", default=".", help="root of the project (default: here)")


def run(arguments: argparse.Namespace) -> Exit:
    """Write the files; nothing that exists is touched."""
    root = Path(arguments.folder)
    if not root.is_dir():
        raise ConfigError(f"{root} is not a folder", remedy="create it first")
    existing = [name for name in _FILES if (root / name).exists()]
    if existing:
        raise ConfigError(
            f"{', '.join(existing)} exist(s) already; nothing was written",
            remedy="`pv validate` and go on from there",
        )
    templates = resources.files("pv") / "templates"
    digest = hashlib.sha256((templates / "answers.jsonl").read_bytes()).hexdigest()
    for name, template in _FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = (templates / template).read_text(encoding="utf-8")
        path.write_text(text.replace("{sha256}", digest), encoding="utf-8")
        print(f"wrote {name}")
    print("\nNow: pv validate contracts\n     pv discharge FALSIFY-FIRST-001\n     pv status")
    return Exit.ACCEPTED

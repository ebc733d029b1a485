"""``pv init``: a project that can be discharged, in somebody else's repository."""

from __future__ import annotations

import argparse
import hashlib
from importlib import resources
from pathlib import Path

from pv.config import FILE_NAME
from pv.errors import ConfigError
from pv.exits import Exit
from pv.whole_file import create_file, make_folder

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
    templates = resources.files("pv") / "templates"
    digest = hashlib.sha256((templates / "answers.jsonl").read_bytes()).hexdigest()
    texts = {
        name: (templates / template).read_text(encoding="utf-8").replace("{sha256}", digest).encode()
        for name, template in _FILES.items()
    }
    there = {name for name in texts if (root / name).exists()}
    begun = {name for name in there if (root / name).is_file() and (root / name).read_bytes() == texts[name]}
    # What was begun and did not come to its end, since the disk was full or the host died, is gone on with.
    if there - begun or len(begun) == len(texts):
        existing = ", ".join(name for name in texts if name in there)
        raise ConfigError(
            f"{existing} exist(s) already; nothing was written",
            remedy="`pv validate` and go on from there",
        )
    for name, data in texts.items():
        if name not in begun:
            make_folder((root / name).parent)
            create_file(root / name, data)
        print(f"wrote {name}")
    print("\nNow: pv validate contracts\n     pv discharge FALSIFY-FIRST-001\n     pv status")
    return Exit.ACCEPTED

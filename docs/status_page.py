"""Write docs/status.md, the derived status of every claim; with ``--check``, compare instead.

Margins and limits of detection differ in their last digits from host to host, and are not compared. What is
claimed, how it stands, whether it blocks and why is.
"""

from __future__ import annotations

import difflib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "status.md"
COMMAND = ["status", "--format", "markdown", "contracts"]
HEAD = """# How every claim stands

`pv status --format markdown contracts` derives this page from the evidence in this repository: nobody types
a status. The tests fail where it is not what the evidence says, and `python -m docs.status_page` writes it
anew. What needs a GPU or a published model is UNBOUND or FUNCTIONAL until somebody who has it runs the
command that `pv status` prints.

"""
MEASURED = slice(3, 5)
"""Columns whose numbers depend on the host: margin and limit of detection."""
_DAYS = re.compile(r"^judged .*, over day-|\bruns by day\b")


def page() -> str:
    """Return what the page must say."""
    paths = [str(ROOT), str(ROOT / "runtime"), str(ROOT / "kernels")]
    done = subprocess.run(
        [sys.executable, "-m", "pv", *COMMAND],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return HEAD + done.stdout


def compared(text: str) -> Iterator[str]:
    """Yield the lines of `text` without what depends on the host, and on the day.

    How a claim over several days stands depends on how many there were, and each sweep may add one.
    """
    for line in text.splitlines():
        cells = line.split(" | ")
        if line.startswith("| ") and len(cells) == 6:
            del cells[MEASURED]
            if _DAYS.search(cells[-1]):
                cells[1:] = ["by the days on which it is asked"]
        yield " | ".join(cells)


def main() -> int:
    """Write or compare; return the exit code."""
    now = page()
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(now, encoding="utf-8")
        return 0
    old = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    difference = "\n".join(
        difflib.unified_diff(list(compared(old)), list(compared(now)), "docs/status.md", "now", lineterm="")
    )
    if difference:
        print(f"{difference}\nrun: python -m docs.status_page")
    return 1 if difference else 0


if __name__ == "__main__":
    sys.exit(main())

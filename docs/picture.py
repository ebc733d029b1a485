"""Put the real output of one discharge into README.md; with ``--check``, compare instead.

The command is really run. Durations differ from run to run and the last digits of measurements from
host to host, so numbers with a decimal point are not compared.
"""

from __future__ import annotations

import difflib
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
COMMAND = ["discharge", "FALSIFY-SHIP-003", "--no-record"]
FRAME = re.compile(
    r"(<!-- picture: docs/picture.py writes it -->\n```text\n).*?(^```$)", re.DOTALL | re.MULTILINE
)
NUMBER = re.compile(r"-?\d+\.\d+(e-?\d+)?")


def picture() -> str:
    """Return the command and what it prints to people."""
    paths = [str(ROOT), str(ROOT / "runtime"), str(ROOT / "kernels")]
    done = subprocess.run(
        [sys.executable, "-m", "pv", *COMMAND],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=True,
    )
    return f"$ pv {' '.join(COMMAND)}\n{done.stdout.rstrip()}"


def main() -> int:
    """Write or compare; return the exit code."""
    readme = README.read_text(encoding="utf-8")
    found = FRAME.search(readme)
    if found is None:
        raise SystemExit("README.md has no frame for the picture")
    new = f"{found[1]}{picture()}\n{found[2]}"
    if "--check" in sys.argv[1:]:
        old_lines, new_lines = (NUMBER.sub("#", text).splitlines() for text in (found[0], new))
        difference = "\n".join(difflib.unified_diff(old_lines, new_lines, "README.md", "now", lineterm=""))
        if difference:
            print(f"{difference}\nrun: python docs/picture.py")
        return 1 if difference else 0
    README.write_text(readme.replace(found[0], new), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

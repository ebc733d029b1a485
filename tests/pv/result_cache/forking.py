"""Runs ``pv`` again and again, each time in a process of its own, without the half second that imports take.

Reads a line of JSON for each run: the folder, the words, the variables, and a file each for what is printed.
Nothing is kept from one run to the next: what runs is a fork, and this process looks at nothing.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import Any

from pv.start import main

for name in (
    "cli",
    "commands.coverage",
    "commands.graph",
    "commands.validate",
    "project",
    "rules.project_rules",
):
    importlib.import_module(f"pv.{name}")


def run(asked: dict[str, Any]) -> int:
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["variables"])
    for descriptor, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(asked[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), descriptor)
    sys.argv = ["pv", *asked["words"]]
    try:
        return main()
    except SystemExit as ended:
        return int(ended.code or 0)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


for line in sys.stdin:
    child = os.fork()
    if not child:
        os._exit(run(json.loads(line)))
    sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
    sys.stdout.flush()

"""Runs pytest again and again, each time in a process of its own, without the half second that imports take.

Reads a line of JSON for each run: the folder, the words, the variables, and a file each for what is printed.
Each run is a fork that ends as a program does. The plugin itself is not imported before: pytest rewrites it.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import Any

import pytest
from _pytest.config import builtin_plugins

for name in builtin_plugins:
    importlib.import_module(f"_pytest.{name}")
for name in ("cli", "commands.discharge", "discharge_check", "project", "pytest_items", "runner"):
    importlib.import_module(f"pv.{name}")


def run(asked: dict[str, Any]) -> int:
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["variables"])
    sys.path[0] = asked["folder"]  # as `python -m pytest` has it
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for descriptor, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(asked[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), descriptor)
    sys.argv = ["pytest", *asked["words"]]
    return int(pytest.main())


for line in sys.stdin:
    child = os.fork()
    if not child:
        sys.exit(run(json.loads(line)))
    sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
    sys.stdout.flush()

"""Pipes and devices where files are expected: nothing waits for them, and the end is one of ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.pv.conftest import ROOT, Project
from tests.pv.hostile_repository import COMMANDS
from tests.pv.staging import ONE, claimed

PROGRAM = """
import contextlib, faulthandler, io, json, sys
faulthandler.dump_traceback_later(20, exit=True)
from pv.cli import main
ends = []
for words in json.loads(sys.argv[1]):
    said = io.StringIO()
    print(*words, file=sys.__stderr__, flush=True)
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            code = main(words)
        except SystemExit as ended:
            code = ended.code
    ends.append([words, code, said.getvalue()])
print(json.dumps(ends))
"""
CODE = (*(f"small_checks/{name}.py" for name in ("wholeness", "__init__", "loading")), "data/shipped.txt")
KEPT = (".pv/digests.json", ".pv/ledger.db", f"evidence/small-v1/{ONE}/other.json")
SETS = {
    "code and caches": (*CODE, *KEPT),
    "records": ("RECORD", "data/stand-in.txt", *KEPT),
    "contract": ("contracts/other-v1.yaml", "contracts/small-v1.yaml"),
    "waivers": ("waivers.yaml",),
    "settings": ("pv.toml",),
}
LOOKED_AT = tuple(c for c in COMMANDS if c[0] not in {"report", "schema", "graph"} and "SCHEMA-003" not in c)


def pipe(path: Path) -> None:
    os.mkfifo(path)


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize(
    ("places", "make"),
    [(name, pipe) for name in SETS] + [("code and caches", endless), ("records", endless)],
)
def test_nothing_waits_for_what_is_no_file(
    copied: Project, places: str, make: Callable[[Path], None], tmp_path: Path
) -> None:
    record = copied.record().relative_to(copied.root)
    claimed(copied)
    for place in SETS[places]:
        path = copied.root / (record if place == "RECORD" else place)
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        make(path)
    commands = [[word.format(out=tmp_path) for word in command] for command in LOOKED_AT]
    done = subprocess.run(
        [sys.executable, "-P", "-c", PROGRAM, json.dumps(commands)],
        cwd=copied.root,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for words, code, said in json.loads(done.stdout):
        assert code in {0, 1, 2, 3, 4}, (words, said)
        assert "a defect of pv" not in said, (words, said)

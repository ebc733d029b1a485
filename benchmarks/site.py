"""What the pages of a project cost: 10,000 falsifiers with evidence, derived and rendered, in one run.

The falsifiers are those of `benchmarks/sweep.py`. One of them is really discharged; the records of the others
are that one's, under their own clause, sealed anew. Printed for each count: `pv status --json`, which derives
and renders nothing; `pv report --html`, whole; of that what is rendering, by the site's own clock; and the same
bytes written to as many files by a loop that does nothing else, as the floor. The target of 5 s is for
rendering and writing; nothing fails where it is missed.

    python benchmarks/site.py [COUNT ...]      by default 1000 and 10000
"""

from __future__ import annotations

import copy
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from sweep import environment, project

from pv.config import load_config
from pv.contract import Falsifier, load_contract
from pv.evidence import read_record, records_of, statement
from pv.freshness import current_inputs

import json

TARGET_SECONDS = 5.0


def with_evidence(root: Path, count: int) -> None:
    """Write a project of `count` falsifiers, each with the records of a discharge."""
    project(root, count)
    subprocess.run(
        [sys.executable, "-m", "pv", "discharge", "FALSIFY-TRIVIAL-00000"],
        cwd=root,
        env=environment(),
        check=True,
        stdout=subprocess.DEVNULL,
    )
    config = load_config(root)
    found = [
        (path, read_record(path).predicate)
        for path in records_of(config.evidence, "trivial-00000-v1", "FALSIFY-TRIVIAL-00000")
    ]
    for path in sorted((root / "contracts").glob("*.yaml")):
        contract = load_contract(path)
        for falsifier in contract.falsifiers:
            folder = config.evidence / contract.stem / falsifier.id
            folder.mkdir(parents=True, exist_ok=True)
            for original, predicate in found:
                inputs = current_inputs(falsifier, predicate["place"]["base_level"], config).to_json()
                stated = dict(predicate["falsifier"]) | {
                    "contract": contract.stem,
                    "path": config.relative(path),
                    "id": falsifier.id,
                }
                made = statement({**predicate, "falsifier": stated, "inputs": inputs})
                (folder / original.name).write_text(json.dumps(made, indent=1, sort_keys=True))


if __name__ == "__main__":
    with_evidence(Path(sys.argv[1]), int(sys.argv[2]))

"""A process that discharges what it is told to, one falsifier after another; of the local executor.

It reads JSON lines from standard input: first ``{"root", "scratch", "options",
"subjects", "carry"}``, then tasks. Events go to
what was standard output; whatever else is printed goes to standard error. It ends when its input does, and
is killed with the engine that started it.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pv.config import Config, load_config
from pv.contract import Contract, Falsifier
from pv.discharge import discharge
from pv.errors import PvError
from pv.measuring import Tell
from pv.outcome import Discharge, Options
from pv.processes import die_with
from pv.runner import Runner
from pv.selection import load_paths
from pv.subjects import Subjects

__all__ = ["Worker", "main"]

_PROGRESS_SECONDS = 0.1
_CONTRACTS = 8
"""So many are kept: a sweep takes the falsifiers of one contract after another."""

Send = Callable[[dict[str, Any]], None]


def main(engine: int) -> None:
    """Serve tasks until standard input ends."""
    die_with(engine)
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def send(event: dict[str, Any]) -> None:
        events.write(json.dumps(event, allow_nan=False) + "\n")
        events.flush()

    given = json.loads(sys.stdin.readline())
    os.chdir(given["root"])
    config = load_config(Path(given["root"]))
    overrides = {name: Path(path) for name, path in given["subjects"].items()}
    with Runner(Path(given["scratch"])) as runner:
        options = Options.from_json(given["options"])
        work = Worker(config, Subjects(config, overrides), runner, options, carry=given["carry"])
        for line in sys.stdin:
            work.serve(json.loads(line), send)


class Worker:
    """Serves tasks on this host; with `carry`, what it records goes along with the end of each."""

    def __init__(
        self, config: Config, subjects: Subjects, runner: Runner, options: Options, *, carry: bool = False
    ) -> None:
        self.carry = carry
        self.config = config
        self.subjects = subjects
        self.runner = runner
        self.options = options
        self.contracts: dict[str, Contract] = {}

    def serve(self, task: Mapping[str, Any], send: Send) -> None:
        """Discharge one falsifier, and `send` the events of it; the last is its end."""
        address = task["address"]
        try:
            contract, falsifier = self._find(address, task["path"])
            end = discharge(
                contract,
                falsifier,
                self.config,
                self.subjects,
                self.runner,
                self.options,
                _teller(address, send),
            )
        except PvError as error:
            end = Discharge(address, "", "Error", message=str(error))
        except Exception as error:
            why = f"a defect of pv, please report it: {type(error).__name__}: {error}"
            end = Discharge(address, "", "Error", message=why, detail=traceback.format_exc())
        records = self._records(end) if self.carry else {}
        send({"task": address, "kind": "ended", "end": end.to_json(), "records": records})

    def _records(self, end: Discharge) -> dict[str, str]:
        from pv.evidence_transfer import bundle_of  # late: what is recorded here need not be carried

        return bundle_of(self.config.root / record for record in end.records)

    def _find(self, address: str, path: str) -> tuple[Contract, Falsifier]:
        contract = self.contracts.pop(path, None) or load_paths([path], self.config)[0]
        self.contracts[path] = contract
        if len(self.contracts) > _CONTRACTS:
            del self.contracts[next(iter(self.contracts))]  # the one that was used longest ago
        for falsifier in contract.falsifiers:
            if f"{contract.stem}#{falsifier.id}" == address:
                return contract, falsifier
        raise PvError(f"{address} is no longer in {path}", remedy="sweep again, without --resume")


def _teller(address: str, send: Send) -> Tell:
    last = [0.0]

    def tell(what: str, done: int, total: int | None) -> None:
        # Not each of thousands of steps: whoever reads them has other workers to hear.
        now = time.monotonic()
        if now - last[0] >= _PROGRESS_SECONDS:
            last[0] = now
            send({"task": address, "kind": "progress", "what": what, "done": done, "total": total})

    return tell


if __name__ == "__main__":
    main(int(sys.argv[1]))
